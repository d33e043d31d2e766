"""The training commands: which papers have one, and what is refused."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from gansr.papers import training


def parsed(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    training.add_parser(parser.add_subparsers())
    return parser.parse_args(["train", *arguments])


def test_the_papers_that_are_trained_here():
    assert training.trainings() == {
        "glean": "gansr.papers.glean.train_command",
        "mganprior": "gansr.papers.mganprior.train_command",
        "srgan": "gansr.papers.srgan.train_command",
    }
    given = parsed("glean", "--config", "a.json", "--out", "folder", "--minutes", "2", "--eager")
    assert (given.config, given.out, given.minutes, given.eager) == (Path("a.json"), Path("folder"), 2, True)


def test_a_paper_that_is_not_trained_here_is_no_choice(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        parsed("pulse", "--config", "a.json", "--out", "folder")
    assert "invalid choice: 'pulse'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "No such file"), ("{", "Expecting"), ('{"stages": [], "stepz": 3}', "stepz")],
)
def test_a_configuration_that_cannot_be_read_is_refused_in_words(
    content: str | None, reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    path = tmp_path / "a.json"
    if content is not None:
        path.write_text(content)
    given = parsed("glean", "--config", str(path), "--out", str(tmp_path / "out"))
    assert given.handler(given) == 1
    said = capsys.readouterr().err
    assert f"{path} cannot be used" in said and reason in said
    assert not (tmp_path / "out").exists()


def test_the_shipped_configurations_can_be_read():
    from gansr.papers.glean import config, own

    folder = Path(config.__file__).parent
    found = {path.name: config.read_config(path) for path in folder.glob("*.json")}
    names = (
        "glean-face-x8", "glean-control-x8", "glean-robust-x8", "glean-face-x16", "glean-control-x16",
        "glean-face-512", "glean-robust-512",
    )  # fmt: skip
    assert set(found) == {f"{name}.json" for name in names}
    for name, made in found.items():
        net = own.GleanOwn(**made.net)
        assert made.side == (512 if "512" in name else 256) and 0 < made.window <= net.side
        assert set(made.parts) <= {name for name, _ in net.named_children()}
    assert found["glean-face-x8.json"].stages[-1].bank and not found["glean-control-x8.json"].stages[-1].bank
    made, control = found["glean-face-x16.json"], found["glean-control-x16.json"]
    assert sum(stage.steps for stage in made.stages) == sum(stage.steps for stage in control.stages)
    assert not any(stage.bank for stage in control.stages) and made.net == control.net
