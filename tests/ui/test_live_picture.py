"""A frame's file is written only when its picture has changed."""

from __future__ import annotations

from dataclasses import replace

import gradio as gr
import pytest
import torch

from gansr.compare.plan import plan
from gansr.engine import Engine
from gansr.ops.resize import imresize
from gansr.pipeline import Pipeline
from gansr.problem import Problem
from gansr.ui import compare_view, files, service
from gansr.ui.live_picture import LivePicture
from tests.conftest import ROOT
from tests.support.comparing import QUICK, picture, requests
from tests.support.fakes import FAKE, run
from tests.support.tab_handler import drawn


@pytest.fixture
def written(monkeypatch) -> list[str]:
    """The names of the files that are written."""
    names, save = [], files.save
    monkeypatch.setattr(files, "save", lambda content, name: names.append(name) or save(content, name))
    return names


def test_the_same_picture_is_written_once_and_a_new_one_again(written):
    live, grey = LivePicture(), torch.full((3, 700, 4), 0.5)
    first = live.show(grey)
    assert live.show(grey.clone()) == first
    assert live.show(torch.zeros(3, 700, 4)) != first
    assert len(written) == 2


def test_a_run_that_waits_writes_its_first_frame_once_and_tells_once_a_second(monkeypatch, written):
    ticks = iter(range(10**9))
    machine = Engine("cpu", load=lambda name: None, pace=0.0, clock=lambda: next(ticks) * 0.25)
    monkeypatch.setattr("gansr.papers.METHODS", (FAKE,))
    monkeypatch.setattr(service, "PIPELINE", Pipeline(machine))
    holder = machine.turns.join("another")
    assert holder.wait(0)
    page = drawn(FAKE)
    running = page.run(picture=str(ROOT / "assets" / "examples" / "chelsea-small-x4.png"))
    waited = []
    for update in running:
        if "Waiting" in (status := update.get(page.results.status, "")):
            waited.append(status)
        if len(waited) == 20:
            break
    assert len(set(waited)) == 20  # each tells another second
    assert written == ["live.png"]
    assert next(ticks) >= 19 * 4
    holder.leave()
    *_, last = running
    assert "Done" in last[page.results.status]


def test_a_comparison_writes_a_picture_that_stays_the_same_once(written):
    pipeline, kept = Pipeline(Engine("cpu", load=lambda name: None, pace=0.0)), compare_view.RunFiles()
    comparison = plan(picture(), requests(QUICK), Problem(0, 2), pipeline)
    (entry,) = comparison.entries
    for update in pipeline.run(comparison.picture, entry.request):
        if update.frame is not None and update.frame.step:
            break
    entry.given, entry.state = update.given, "running"
    assert update.frame is not None
    for step in (1, 2, 3):
        entry.frame = replace(update.frame, step=step)
        compare_view.tiles(comparison, kept)
    assert written.count("live.png") == 1


def test_a_search_whose_picture_stays_the_same_writes_it_once(monkeypatch, written):
    def still(low, options, nets, generator):
        for frame in run(low, options, nets, generator):
            yield replace(frame, image=low.repeat_interleave(2, 1).repeat_interleave(2, 2))

    method = replace(FAKE, run=still)
    monkeypatch.setattr("gansr.papers.METHODS", (method,))
    monkeypatch.setattr("gansr.metrics.METRICS", ())
    monkeypatch.setattr(service, "PIPELINE", Pipeline(Engine("cpu", load=lambda name: None, pace=0.0)))
    page = drawn(method)
    updates = list(page.run(picture=str(ROOT / "assets" / "examples" / "chelsea-small-x4.png"), steps=9))
    assert any("Step 8" in update[page.results.status] for update in updates)
    assert written.count("live.png") == 2  # the bicubic one, and the search's


def test_a_method_that_still_shows_the_bicubic_picture_has_none_of_its_own(monkeypatch):
    """Nor does the replay begin with it."""

    def late(low, options, nets, generator):
        for frame in run(low, options, nets, generator):
            yield replace(frame, image=imresize(low, 2).clamp(0, 1)) if frame.step < 4 else frame

    method = replace(FAKE, run=late)
    monkeypatch.setattr("gansr.papers.METHODS", (method,))
    monkeypatch.setattr("gansr.metrics.METRICS", ())
    monkeypatch.setattr(service, "PIPELINE", Pipeline(Engine("cpu", load=lambda name: None, pace=0.0)))
    page = drawn(method)
    updates = list(page.run(picture=str(ROOT / "assets" / "examples" / "chelsea-small-x4.png"), steps=9))
    pictured = {}
    for update in updates:
        tiles = {tile["id"]: tile for tile in update[page.results.pictures]["tiles"]}
        if "result" in tiles:
            assert tiles["bicubic"]["url"]
            pictured[tiles["result"]["text"].split(" · ")[0]] = bool(tiles["result"]["url"])
    steps = {f"Step {step} of 9": step >= 4 for step in range(1, 10)}
    assert pictured == {"Starting": False, **steps, "": True}
    assert len(updates[-1][page.results.files].replay) == 6


def test_a_run_begins_with_nothing_of_an_older_one(monkeypatch):
    monkeypatch.setattr(service, "PIPELINE", Pipeline(Engine("cpu", load=lambda name: None)))
    page = drawn(FAKE)
    running = page.run(picture=None)
    first = next(running)
    assert set(first) == set(page.results.all())
    assert first[page.results.pictures]["tiles"] == []
    with pytest.raises(gr.Error, match="No picture yet"):
        next(running)
