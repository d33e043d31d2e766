"""Several values of an option, one run each."""

from __future__ import annotations

import pytest

from gansr import papers
from gansr.compare.vary import labels, variations
from gansr.options import OptionError
from gansr.request import decode
from gansr.ui.compare_values import defaults, requests_of


def test_every_combination_of_the_values_is_one_run():
    assert variations({}) == [{}]
    assert variations({"a": "1"}) == [{"a": "1"}]
    found = variations({"a": "1| 2|1", "b": "x", "c": "y|z"})
    assert found == [{"a": a, "b": "x", "c": c} for a, c in (("1", "y"), ("1", "z"), ("2", "y"), ("2", "z"))]
    with pytest.raises(OptionError, match="9 combinations of values; at most 8"):
        variations({"a": "1|2|3", "b": "1|2|3"})


def test_the_labels_say_what_differs_where_a_method_is_there_several_times():
    pulse, glean = papers.by_name("pulse"), papers.by_name("glean")
    asked = [decode(pulse, {"steps": n, "samples": 2}) for n in (10, 20)] + [decode(glean, {})]
    assert labels(asked) == [
        ("pulse-steps-10", "PULSE, steps=10"),
        ("pulse-steps-20", "PULSE, steps=20"),
        ("glean", "GLEAN"),
    ]
    parts = [decode(glean, {"parts": part}) for part in ("both", "no bank")]
    assert labels(parts)[1] == ("glean-parts-no-bank", "GLEAN, parts=no bank")


def test_the_comparisons_settings_take_several_values():
    values = defaults() | {"picture": None, "methods": ["mganprior", "glean"]}
    values |= {"mganprior.options": "layer=8|16 codes=4", "glean.options": "'parts=both|no bank'"}
    found = requests_of(values)
    layers = [r.options.layer for r in found if r.method.name == "mganprior"]
    parts = [r.options.parts for r in found if r.method.name == "glean"]
    assert layers == ["8", "16"] and parts == ["both", "no bank"]
    assert all(r.options.codes == 4 for r in found if r.method.name == "mganprior")
    with pytest.raises(OptionError, match="layer must be"):
        requests_of(values | {"mganprior.options": "layer=8|9"})
