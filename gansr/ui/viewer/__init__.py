"""The N-way picture viewer: one component of plain JavaScript and CSS, without a build step or an outside request.

Its value is JSON: `{"tiles": […], "truth": address or null, "input": address or null}`. A tile is
`{"id", "title", "state", "text", "url", …}`; `tile(…)` makes one. The markup never depends on the value, so that
Gradio leaves what the script has drawn alone; the script reads the value itself whenever it changes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

import gradio as gr

HERE = Path(__file__).parent
State = Literal["waiting", "running", "done", "error", "blocked"]


def contents(
    tiles: tuple[dict[str, Any], ...] | list[dict[str, Any]] = (),
    truth: str | Path | None = None,
    input: str | Path | None = None,
) -> dict[str, Any]:
    """The value of a viewer. `truth` and `input` are files; with them differences can be shown."""
    return {"tiles": list(tiles), "truth": address(truth), "input": address(input)}


def tile(
    id: str,
    title: str,
    state: State = "waiting",
    text: str = "",
    picture: str | Path | None = None,
    *,
    note: str = "",
    progress: float = 0.0,
    action: str = "",
    download: str = "",
    truth: str | Path | None = None,
    input: str | Path | None = None,
) -> dict[str, Any]:
    """One tile. `text` says how far it is, or why there is nothing; `note` holds its measures; `progress` is in
    [0,1]; `action` is the remedy's button; `download` is the file name of a link to the picture; `truth` and `input`
    are its own, where they are not those of all."""
    given: dict[str, Any] = {"note": note, "progress": progress, "action": action, "download": download}
    given |= {"truth": address(truth), "input": address(input)}
    optional = {name: content for name, content in given.items() if content}
    return {
        "id": id,
        "title": title,
        "state": state,
        "text": text,
        "url": address(picture),
        **optional,
    }


def address(path: str | Path | None) -> str | None:
    """A file under Gradio's temporary folder → its address, relative to the root of the page."""
    return None if path is None else "gradio_api/file=" + quote(str(path))


def viewer(
    value: dict[str, Any] | None = None, *, start: Literal["grid", "wipe"] = "grid", **settings: Any
) -> gr.HTML:
    """The component: pictures side by side or one over the other, moved and enlarged together. `start` is how it
    opens.

    A tile with an `action` has a button of that text; pressing it raises `select` with
    `{"tile": id, "action": text}` in the event's data. (No subclass: for one Gradio writes a .pyi beside the source.)
    """
    return gr.HTML(
        value or contents(),
        html_template=(HERE / "viewer.html")
        .read_text("utf-8")
        .replace("data-zoom", f'data-start="{start}" data-zoom', 1),
        css_template=(HERE / "viewer.css").read_text("utf-8"),
        js_on_load=(HERE / "viewer.js").read_text("utf-8"),
        apply_default_css=False,
        **settings,
    )
