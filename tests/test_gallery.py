"""The computed examples: complete, small, of the weights and the measures that the page has now."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from gansr import papers, receipt
from gansr.gallery import COMPARED, GALLERY, TABS, Example, read
from gansr.metrics import METRICS
from gansr.picture import open_picture
from gansr.request import fields_of
from gansr.ui.compare_values import defaults
from gansr.ui.examples import EXAMPLES
from gansr.weights import entries

EVERY = [*COMPARED, *TABS.values()]
WHOLE, OPENING, PICTURE = 3_000_000, 300_000, 60_000  # bytes: of all, of the first view, of one picture


def computed(example: Example) -> Any:
    found = read(example.name)
    assert found is not None, f"python -m gansr gallery build {example.name}"
    return found


def files(example: Example) -> set[str]:
    """The names of the files that an example needs."""
    found = computed(example)
    viewer = found["viewer"]
    named = {tile["url"] for tile in viewer["tiles"]} | {viewer["truth"], viewer["input"]}
    texts = found.get("verdicts", "") + found.get("views", "")
    named |= {*re.findall(r'src="([^"]+)"', texts)} | {*found.get("replay", [])}
    small = {f"{example.name}-small.webp"} if example in COMPARED else set()
    return {name for name in named if name} | small | {f"{example.name}.json"}


@pytest.mark.parametrize("example", EVERY, ids=lambda example: example.name)
def test_an_example_is_computed_and_its_pictures_are_small(example):
    for name in files(example):
        size = (GALLERY / name).stat().st_size
        assert size <= PICTURE, (name, size)
        if name.endswith("webp"):
            open_picture(GALLERY / name)


def test_the_gallery_has_no_other_files_and_is_small():
    needed = {f"how-{name}.webp" for name in TABS}.union(*map(files, EVERY))
    assert {path.name for path in GALLERY.iterdir()} == needed
    assert sum((GALLERY / name).stat().st_size for name in needed) <= WHOLE


def test_the_first_view_is_light():
    first = files(COMPARED[0]) | {f"{example.name}-small.webp" for example in COMPARED}
    assert sum((GALLERY / name).stat().st_size for name in first) <= OPENING


def test_an_example_has_settings_that_there_are_and_a_picture():
    for example in COMPARED:
        assert example.settings.keys() <= defaults().keys()
    for method, example in TABS.items():
        assert example.settings.keys() <= fields_of(papers.by_name(method)).keys()
    assert all((EXAMPLES / example.picture).is_file() for example in EVERY)
    assert [*TABS] == [method.name for method in papers.METHODS]


@pytest.mark.parametrize("example", COMPARED, ids=lambda example: example.name)
def test_a_comparison_has_a_result_and_a_receipt_of_every_method_that_can(example):
    found = computed(example)
    done = {tile["id"] for tile in found["viewer"]["tiles"] if tile["state"] == "done"}
    methods = {method.name for method in papers.METHODS if not method.baseline}
    rest = {tile["id"]: tile["state"] for tile in found["viewer"]["tiles"] if tile["id"] not in done}
    assert set(rest.values()) <= {"blocked"} and methods <= done | rest.keys()
    listed = json.loads(found["table"]["json"])["methods"]
    receipts = {row["method"]: row["receipt"] for row in listed if row["receipt"]}
    assert receipts.keys() == done & methods
    for name, one in receipts.items():
        request = receipt.request_of(one)
        assert request.method.name == name
        for role, weights in request.weights.items():
            assert one["weights"][role] == {"name": weights, "sha256": entries()[weights].sha256}


@pytest.mark.parametrize("example", COMPARED, ids=lambda example: example.name)
def test_a_comparison_is_measured_by_the_metrics_that_there_are(example):
    known = {metric.title: metric for metric in METRICS}
    for column in computed(example)["table"]["columns"][:-2]:  # time and memory are last
        metric = known[column["title"]]
        assert (column["unit"], column["better"], column["explain"]) == (
            metric.unit, metric.better, metric.explain
        )  # fmt: skip
