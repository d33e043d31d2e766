"""Links to settings: what a link holds is a stranger's text."""

from __future__ import annotations

import pytest

from gansr.ui import compare_values
from gansr.ui.examples import EXAMPLES


@pytest.mark.parametrize(
    "example",
    ["", "a" * 5000 + ".png", "a\0.png", "\ud800.png", "../README.md", "/etc/passwd", ".", "..", "README.md"],
)
def test_example_that_does_not_exist_is_left_out(example):
    assert "picture" not in compare_values.restored({"example": example})[0]


def test_example_of_a_link_is_restored():
    assert compare_values.restored({"example": "coffee.png"})[0]["picture"] == str(EXAMPLES / "coffee.png")


def test_link_without_settings_restores_nothing():
    assert compare_values.restored({}) == ({}, "")
    assert compare_values.restored({"nothing": "x" * 10**6, "seed": "1" * 10**6}) == ({}, "")
