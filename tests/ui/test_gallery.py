"""What the page shows of the computed examples."""

from __future__ import annotations

from typing import Any

import pytest

from gansr.gallery import COMPARED, GALLERY, Example
from gansr.options import OptionError
from gansr.ui import gallery
from gansr.ui.compare_values import defaults
from gansr.ui.examples import EXAMPLES
from gansr.ui.temp_files import gradio_copies
from gansr.ui.viewer import address


def values_of(example: Example) -> dict[str, Any]:
    """The values of the controls after a click on an example, the picture as Gradio keeps it."""
    (copy,) = gradio_copies([EXAMPLES / example.picture], GALLERY)
    set_ = gallery.settings_of(COMPARED.index(example), defaults())
    return defaults() | set_ | {"picture": str(copy)}


@pytest.mark.parametrize("example", COMPARED, ids=lambda example: example.name)
def test_a_click_on_an_example_leads_to_what_was_computed_of_it(example):
    assert gallery.example_for(values_of(example), defaults()) == example
    assert gallery.example_for(values_of(example) | {"shrink_kernel": None}, defaults()) == example


def test_the_order_of_the_methods_does_not_matter():
    values = values_of(COMPARED[0])
    values["methods"] = [*reversed(defaults()["methods"])]
    assert gallery.example_for(values, defaults()) == COMPARED[0]


@pytest.mark.parametrize(
    "changed", [{"seed": 1}, {"methods": ["srgan"]}, {"picture": None}, {"picture": "other/astronaut.png"}]
)
def test_other_settings_or_another_picture_have_no_computed_example(changed):
    assert gallery.example_for(values_of(COMPARED[0]) | changed, defaults()) is None


def test_a_click_sets_back_what_another_example_has_changed():
    blurred = next(example for example in COMPARED if "shrink_operator" in example.settings)
    values = defaults() | gallery.settings_of(COMPARED.index(blurred), defaults())
    values |= gallery.settings_of(0, defaults())
    assert values | {"picture": None} == defaults() | {"picture": None} | dict(COMPARED[0].settings)


@pytest.mark.parametrize("number", [len(COMPARED), -1, None, "1", True, 0.0])
def test_a_number_that_is_no_example_is_refused(number):
    with pytest.raises(OptionError, match="choose one of those that are shown"):
        gallery.settings_of(number, defaults())


def test_the_pictures_of_an_example_have_addresses_in_the_gallery():
    found = gallery.shown(COMPARED[0])
    named = [tile["url"] for tile in found["viewer"]["tiles"]]
    assert address(GALLERY / "astronaut-srgan.webp") in named
    assert found["viewer"]["truth"] == address(GALLERY / "astronaut-truth.webp")
    assert f'src="{address(GALLERY)}/astronaut-map' in found["verdicts"]


def test_an_example_that_was_not_computed_is_not_shown(monkeypatch):
    monkeypatch.setattr(gallery, "read", lambda name: None)
    assert gallery.first_comparison() is None
    assert gallery.example_for(values_of(COMPARED[0]), defaults()) is None
    with pytest.raises(KeyError):
        gallery.shown(COMPARED[0])


def test_the_status_says_when_and_what_did_not_run():
    cat = next(example for example in COMPARED if example.name == "cat")
    text = gallery.status(cat, "compare-again")
    assert "Computed earlier in" in text and 'data-press="compare-again"' in text
    assert "<li>PULSE: works on faces only</li>" in text
    assert gallery.methods_of(cat) == ["kernelgan", "srgan"]
