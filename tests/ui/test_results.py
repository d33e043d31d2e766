"""What a finished run leaves on its tab: how its pictures begin, and the replay of its frames."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gansr import papers
from gansr.engine import Engine
from gansr.method import Method
from gansr.pipeline import Pipeline
from gansr.ui import service
from gansr.ui.controls import HIDDEN
from tests.conftest import ROOT
from tests.support.fakes import FAKE, run
from tests.support.tab_handler import Drawn, drawn

CAT = str(ROOT / "assets" / "examples" / "chelsea-small-x4.png")


def finished(monkeypatch: pytest.MonkeyPatch, method: Method) -> tuple[Drawn, dict[Any, Any]]:
    """The tab of a method, and the last update of a run of four steps."""
    monkeypatch.setattr("gansr.papers.METHODS", (method,))
    monkeypatch.setattr("gansr.metrics.METRICS", ())
    monkeypatch.setattr(service, "PIPELINE", Pipeline(Engine("cpu", load=lambda name: None, pace=0.0)))
    page = drawn(method)
    *_, last = page.run(picture=CAT, steps=4)
    return page, last


@pytest.mark.parametrize(("names", "start"), [((), None), (("before",), None), (("first", "second"), "grid")])
def test_several_answers_begin_side_by_side_and_one_result_over_the_input(monkeypatch, names, start):
    def answering(low, options, nets, generator):
        for frame in run(low, options, nets, generator):
            answers = {name: frame.image / i for i, name in enumerate(names, 2)}
            yield replace(frame, answers=answers if frame.step == frame.steps else {})

    page, last = finished(monkeypatch, replace(FAKE, run=answering))
    shown = last[page.results.pictures]
    assert [tile["id"] for tile in shown["tiles"]] == ["bicubic", "result", *names, "nearest"]
    assert shown.get("start") == start


def test_an_answer_that_is_the_result_is_shown_once_and_named(monkeypatch):
    def answering(low, options, nets, generator):
        for frame in run(low, options, nets, generator):
            answers = {"calm": frame.image / 2, "sharp": frame.image.clone()}
            yield replace(frame, answers=answers if frame.step == frame.steps else {})

    page, last = finished(monkeypatch, replace(FAKE, run=answering))
    tiles = {tile["id"]: tile["title"] for tile in last[page.results.pictures]["tiles"]}
    assert list(tiles) == ["bicubic", "result", "calm", "nearest"]
    assert tiles["result"] == f"{FAKE.title}: sharp"
    assert set(last[page.results.files].results) == {"result", "calm", "sharp"}


def test_steps_are_replayed_and_parts_or_other_networks_are_not(monkeypatch):
    page, last = finished(monkeypatch, FAKE)
    assert len(last[page.results.files].replay) == 4
    assert "fake-0-steps.webp" in last[page.results.downloads]
    assert last[page.results.replay]["visible"] is True

    page, last = finished(monkeypatch, replace(FAKE, replay=False))
    assert last[page.results.files].replay == [] and "webp" not in last[page.results.downloads]
    assert last[page.results.replay]["visible"] == HIDDEN


def test_which_methods_come_to_their_result_in_steps():
    steps = {method.name: method.replay for method in papers.METHODS}
    assert all(steps[name] for name in ("pulse", "kernelgan", "mganprior"))
    assert not (steps["srgan"] or steps["esrgan"])  # tiles, and networks one after the other
