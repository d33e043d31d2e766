"""Retouching: what a browser sends as the painted picture is checked, and becomes the picture of the tab."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
import torch

from gansr.options import OptionError
from gansr.papers import METHODS
from gansr.papers.glean import GLEAN
from gansr.papers.pulse import PULSE
from gansr.picture import PictureError, open_picture, to_png
from gansr.request import decode
from gansr.ui import files, service
from gansr.ui.controls import HIDDEN
from gansr.ui.request_controls import Form
from gansr.ui.retouch import RETOUCHED, Retouched, draw_button, draw_canvas, runs_at_once, wire_retouch
from tests.ui.test_controls import announced, url_of


def noise(side: int, seed: int = 0) -> torch.Tensor:
    """(3,side,side) in [0,1], 8 bit."""
    return torch.randint(0, 256, (3, side, side), generator=torch.Generator().manual_seed(seed)) / 255


@dataclass(frozen=True)
class Page:
    """GLEAN's form with its retouching. `call(handler, state, event data, **values)` → what changes, by part."""

    call: Callable[..., dict[str, Any]]


@pytest.fixture
def page() -> Page:
    async def made() -> Any:
        with gr.Blocks(analytics_enabled=False) as blocks:
            form = Form(GLEAN)
            form.draw_first([])
            drawn = draw_canvas(GLEAN, draw_button(GLEAN))
            status = gr.HTML()
            form.draw_masks()
            form.draw_settings()
            controls = form.wired()
            before = set(blocks.fns)
            wire_retouch(controls, drawn, status)
        added = [event for key, event in blocks.fns.items() if key not in before]
        return {event.fn.__name__: event for event in added if event.fn is not None}, controls, drawn, status

    handlers, controls, drawn, status = asyncio.run(made())
    state = handlers["stroke"].outputs[0]
    names = {drawn.canvas: "canvas", drawn.button: "button", status: "status", state: "state"}
    names |= {controls.picture: "picture", controls.fields["task"]: "task"}
    usual = {name: control.value for name, control in zip(controls.names(), controls.all(), strict=True)}

    def call(name: str, kept: Retouched, data: Any = None, **values: Any) -> dict[str, Any]:
        all_values = [*(usual | values).values()]
        arguments = {"opened": all_values, "stroke": [gr.EventData(None, data), kept]}
        found = handlers[name].fn(*arguments.get(name, [kept, *all_values]))
        return {names[part]: value for part, value in found.items()}

    return Page(call)


@pytest.fixture
def original() -> str:
    return files.save(to_png(noise(32)), "small.png")


def test_the_small_picture_is_what_the_method_reads(page):
    large = noise(100)
    path = files.save(to_png(large), "large.png")
    found = page.call("opened", Retouched(), picture=path, task="known answer", align=False)
    shown = found["canvas"]["value"]
    small = open_picture(base64.b64decode(shown["picture"].partition(",")[2])).rgb
    request = decode(GLEAN, {"task": "known answer", "align": False})
    assert torch.equal(small, service.PIPELINE.inputs.make(path, request).low) and shown["side"] == 32
    assert found["state"] == Retouched(path, "known answer", 32) and found["canvas"]["visible"] is True


def test_what_was_painted_is_the_picture_as_an_upload_of_its_size_and_has_no_truth(page, original):
    changed = noise(32)
    changed[:, 3, 5] = torch.tensor([1.0, 0.0, 0.2])
    kept = Retouched(original, "known answer", 32)
    found = page.call("stroke", kept, {"url": url_of(to_png(changed))})
    assert found["task"] == "enlarge" and found["state"].painted == found["picture"]
    given = service.PIPELINE.inputs.make(found["picture"], decode(GLEAN, {"task": found["task"]}))
    assert torch.equal(given.low, changed) and given.truth is None and given.notices == (RETOUCHED,)


def test_back_to_the_original_gives_its_picture_and_task(page, original):
    kept = Retouched(original, "known answer", 32, painted="painted.png")
    found = page.call("stroke", kept, {"back": True})
    assert (found["picture"], found["task"]) == (original, "known answer")
    assert found["state"] == Retouched(original, "known answer", 32)


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("data:image/png;base64," + base64.b64encode(b"no picture").decode(), PictureError),
        ("data:image/png,raw", gr.Error),
        ("/etc/passwd", OptionError),
        ("file:///etc/passwd", OptionError),
        (url_of(announced(13_000, 13_000)), PictureError),
        (url_of(to_png(noise(33))), OptionError),
        (url_of(to_png(noise(32)[:, :31])), OptionError),
    ],
)
def test_what_is_no_picture_of_that_size_is_refused(page, original, url, error):
    with pytest.raises(error):
        page.call("stroke", Retouched(original, "enlarge", 32), {"url": url})


@pytest.mark.parametrize("data", [None, {}, {"url": 7}, {"url": url_of(to_png(noise(32)))}])
def test_a_stroke_without_an_open_picture_changes_nothing(page, data):
    assert page.call("stroke", Retouched(), data) == {"status": gr.skip()}


def test_transparent_paint_counts_by_its_colour(page, original):
    rgb = noise(32, seed=1)
    url = url_of(to_png(rgb, torch.zeros(1, 32, 32)))
    path = page.call("stroke", Retouched(original, "enlarge", 32), {"url": url})["picture"]
    opened = open_picture(Path(path))
    assert opened.alpha is None and torch.equal(opened.rgb, rgb)


def test_it_closes_where_another_picture_or_size_is_chosen(page, original):
    kept = Retouched(original, "enlarge", 32, painted="painted.png")
    closed = {"canvas": gr.update(visible=HIDDEN), "state": Retouched()}
    shown, gone = {"button": gr.update(visible=True)}, {"button": gr.update(visible=HIDDEN)}
    assert page.call("changed", kept, picture=original) == shown
    assert page.call("changed", kept, picture="painted.png") == shown
    assert page.call("changed", kept, picture="another.png") == shown | closed
    assert page.call("changed", kept, picture=original, model="glean-cat-16x") == shown | closed
    assert page.call("changed", kept, picture="painted.png", task="known answer") == shown | closed
    assert page.call("changed", kept, picture=None) == gone | closed


def test_a_method_of_one_pass_runs_by_itself_and_a_search_does_not():
    assert runs_at_once(GLEAN) and not runs_at_once(PULSE)


def test_only_what_takes_a_square_is_retouched():
    found = [method for method in METHODS if method.retouch]
    assert GLEAN in found and all(method.accepts.side is not None for method in found)


def test_two_openings_give_values_that_differ(page, original):
    """A value that is equal to the last one would not be sent."""
    one, two = (page.call("opened", Retouched(), picture=original)["canvas"]["value"] for _ in range(2))
    differing = [name for name in one if one[name] != two[name]]
    assert differing == ["serial"]
