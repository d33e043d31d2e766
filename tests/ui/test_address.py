"""What an address holds is a stranger's text: what fits sets controls, the rest is left out and told."""

from __future__ import annotations

import json
import re

import pytest

from gansr import papers
from gansr.ui import address, compare_values
from gansr.ui.address import restored, usual, values_of
from gansr.ui.examples import EXAMPLES


@pytest.mark.parametrize("tab", ["compare", "pulse"])
@pytest.mark.parametrize(
    "example",
    ["", "a" * 5000 + ".png", "a\0.png", "\ud800.png", "../README.md", "/etc/passwd", ".", "..", "README.md"],
)
def test_an_example_that_does_not_exist_is_left_out(tab, example):
    assert "picture" not in values_of(tab, {"example": example})[0]


@pytest.mark.parametrize("tab", ["compare", "pulse"])
def test_the_example_of_an_address_is_restored(tab):
    assert values_of(tab, {"example": "coffee.png"}) == ({"picture": str(EXAMPLES / "coffee.png")}, [])


@pytest.mark.parametrize("tab", ["compare", "pulse"])
def test_an_address_without_settings_restores_nothing(tab):
    assert values_of(tab, {}) == ({}, [])
    assert restored({"tab": tab, "tabs": {tab: {"nothing": "x" * 10**6, "seed": "1" * 10**6}}})[1:] == (
        {tab: {}},
        [],
    )


@pytest.mark.parametrize(
    "saved", [None, [], "x", {"tab": 1, "tabs": 2}, {"tab": "x", "tabs": {"pulse": [1]}}]
)
def test_what_has_another_form_restores_nothing(saved):
    assert restored(saved) == ("", {}, [])


def test_a_wrong_setting_is_left_out_and_the_others_are_kept():
    found, wrong = values_of("pulse", {"seed": "-1", "align": "false", "steps": "7", "precision": "exact"})
    assert found == {"align": False, "steps": 7, "precision": "exact"}
    assert len(wrong) == 1 and wrong[0].startswith("seed must be")
    found, wrong = values_of(
        "compare", {"seed": "-1", "align": "false", "methods": "pulse,x", "problem": "y"}
    )
    assert found == {"align": False, "methods": ["pulse"]}
    assert [line.split()[0] for line in wrong] == ["the", "seed"]


def test_a_preset_brings_its_options_and_those_named_besides_override_it():
    pulse = papers.by_name("pulse")
    careful = pulse.presets["Careful"]
    found, wrong = values_of("pulse", {"preset": "Careful", "seed": "3"})
    assert wrong == [] and found["preset"] == "Careful" and found["seed"] == 3
    assert all(found[name] == value for name, value in careful.items())
    (name, value) = next((name, value) for name, value in careful.items() if isinstance(value, int))
    assert values_of("pulse", {"preset": "Careful", name: str(value + 1)})[0][name] == value + 1
    assert values_of("pulse", {"preset": "Nowhere"}) == (
        {},
        ["the preset must be one of Quick, Careful, Paper"],
    )


@pytest.mark.parametrize("method", papers.METHODS, ids=lambda method: method.name)
def test_files_of_the_user_are_no_settings_of_an_address(method):
    files = ("mask", "kernel_file", "boundary", "picture", "shrink_kernel")
    for tab in (method.name, "compare"):
        assert not set(files) & set(usual(tab))
        assert values_of(tab, dict.fromkeys(files, "/etc/passwd")) == ({}, [])


@pytest.mark.parametrize("method", papers.METHODS, ids=lambda method: method.name)
def test_the_first_preset_is_what_a_tab_begins_with(method):
    first = next(iter(method.presets))
    found, _ = values_of(method.name, {"preset": first})
    assert found == {name: value for name, value in usual(method.name).items() if name in found}


def test_the_script_knows_every_tab_and_example():
    found = re.search(r"const known = (\{.*\}), names", address.script())
    assert found is not None
    known = json.loads(found[1])
    assert list(known["usual"]) == [
        "compare",
        *(method.name for method in papers.METHODS),
        "results",
        "rate",
        "about",
    ]
    assert known["usual"]["compare"] == compare_values.defaults()
    assert "coffee.png" in known["examples"].values()
