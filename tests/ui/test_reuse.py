"""A result used again: the browser names a tile, and only a file of the session's own run is used."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from gansr.ui import service
from gansr.ui.compare_view import Finished
from gansr.ui.reuse import GONE, Place, link_results


@pytest.fixture
def used() -> Callable[[Any, Any], dict[str, Any]]:
    """used(data of the event, what the run left) → what changes in the tabs "one" and "two", by part; the event is
    raised in "one"."""

    async def made() -> tuple[Any, list[Place], gr.Tabs]:
        with gr.Blocks(analytics_enabled=False) as page:
            tabs = gr.Tabs()
            places = [Place(n, gr.Image(), gr.HTML(), gr.HTML(), gr.State(), {}) for n in ("one", "two")]
            link_results(tabs, places)
        return page, places, tabs

    page, places, tabs = asyncio.run(made())
    names = {tabs: "tabs"} | {p.picture: f"{p.name} picture" for p in places}
    names |= {p.status: f"{p.name} status" for p in places}
    handler = next(iter(page.fns.values())).fn

    def call(data: Any, kept: Any) -> dict[str, Any]:
        return {names[part]: value for part, value in handler(gr.EventData(None, data), kept).items()}

    return call


@pytest.fixture
def result(tmp_path) -> Path:
    path = tmp_path / "result.png"
    path.write_bytes(b"a picture")
    return path


def test_a_tile_of_the_run_goes_where_the_user_says(used, result, monkeypatch):
    told: list[Any] = []
    monkeypatch.setattr(service.PIPELINE.inputs, "stands_for", lambda *given: told.append(given))
    kept = Finished({"result": ("Sharp", str(result))})
    changed = used({"tile": "result", "use": "two"}, kept)
    assert changed["tabs"] == gr.update(selected="two") and changed["two picture"] == str(result)
    assert "The result of Sharp is the picture now" in changed["two status"]
    assert told == [(str(result), ("result of Sharp",))]


@pytest.mark.parametrize("tile", ["/etc/passwd", "../result", "", 7, None, {"path": "/etc/passwd"}])
def test_what_is_no_result_of_this_run_is_not_used(used, result, tile):
    changed = used({"tile": tile, "use": "two"}, Finished({"result": ("Sharp", str(result))}))
    assert list(changed) == ["one status"] and GONE in changed["one status"]


def test_a_result_that_was_cleared_away_is_told(used, result):
    kept = Finished({"result": ("Sharp", str(result))})
    result.unlink()
    assert list(used({"tile": "result", "use": "two"}, kept)) == ["one status"]


@pytest.mark.parametrize(
    "data", [{"tile": "result", "action": "Shrink"}, {"tile": "result", "use": "three"}, None]
)
def test_another_button_of_the_viewer_changes_nothing(used, result, data):
    assert used(data, Finished({"result": ("Sharp", str(result))})) == {"tabs": gr.skip()}
