"""A viewer for any number of pictures: one component in plain JavaScript and CSS, without a build step.

Its value is JSON: `{"tiles": […], "truth": address or null, "input": address or null}`, and `"start"` where the
pictures begin in another arrangement than is usual there; what the user has chosen stays. A tile is
`{"id", "title", "state", "text", "url", …}`; `tile(…)` makes one. The markup does not depend on the value, so Gradio
does not redraw what the script has drawn; the script reads the value whenever it changes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

import gradio as gr

from gansr.ui.component import component

HERE = Path(__file__).parent
# The script, in the order in which its files are joined.
SCRIPTS = tuple(
    f"js/{name}.js"
    for name in (
        "state", "tiles", "layout", "view", "hover", "ssim", "maps", "webp", "save", "actions", "dialogs", "blind",
        "pointer", "start",
    )
)  # fmt: skip
Start = Literal["grid", "wipe"]
State = Literal["waiting", "running", "done", "error", "blocked"]


def contents(
    tiles: tuple[dict[str, Any], ...] | list[dict[str, Any]] = (),
    truth: str | Path | None = None,
    input: str | Path | None = None,
    start: Start | None = None,
) -> dict[str, Any]:
    """The value of a viewer. `truth` and `input` are paths of pictures; with them the viewer can show differences.
    `start`: the arrangement that these pictures begin in; None: the viewer's own."""
    value = {"tiles": list(tiles), "truth": address(truth), "input": address(input)}
    return value if start is None else {**value, "start": start}


def tile(
    id: str,
    title: str,
    state: State = "waiting",
    text: str = "",
    picture: str | Path | None = None,
    *,
    note: str = "",
    progress: float = 0.0,
    actions: Sequence[str] = (),
    download: str = "",
    truth: str | Path | None = None,
    input: str | Path | None = None,
    native: tuple[str | Path, str] | None = None,
    use: bool = False,
    record: dict[str, str] | None = None,
) -> dict[str, Any]:
    """One tile.

    `text` is its progress, or the reason why it has no picture. `note` has its metrics. `progress` is in [0,1].
    `actions` are the texts of buttons, see `viewer`. `download` is the file name of a link to the picture. `truth` and
    `input` replace those of the whole viewer. `native` is the path of the picture as the method gave it, of the same
    field, and the text of the button that shows it, such as "1024² as the method gave it". `use`: whether the picture
    is a result that can be used as the input of a tab, see `viewer`. `record` describes a finished result; the browser
    raises it as the event "gansr-result", with the picture's `url`.
    """
    given: dict[str, Any] = {"note": note, "progress": progress, "actions": [*actions], "download": download}
    given |= {"truth": address(truth), "input": address(input), "use": use, "record": record}
    given["native"] = {"url": address(native[0]), "text": native[1]} if native else None
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
    """The URL of a file in Gradio's temporary folder, relative to the root of the page."""
    return None if path is None else "gradio_api/file=" + quote(str(path))


def viewer(
    value: dict[str, Any] | None = None,
    *,
    elem_id: str,
    start: Start = "grid",
    uses: Sequence[tuple[str, str]] = (),
) -> gr.HTML:
    """The component: pictures side by side ("grid") or A over B ("wipe"), panned and zoomed together. `start` is the
    arrangement at first.

    A tile has a button for each of its `actions`. Pressing it raises `select` with `{"tile": id, "action": text}` in
    the event's data. A tile with `use` has a menu of `uses`, (name, title) of each tab; choosing one raises `select`
    with `{"tile": id, "use": name}`. (A function, because Gradio writes a .pyi file beside the source of a subclass.)
    """
    words = f'data-start="{start}" data-uses="{escape(json.dumps([*uses]))}" data-zoom'
    html = (HERE / "viewer.html").read_text("utf-8").replace("data-zoom", words, 1)
    return component(value or contents(), HERE / "viewer", SCRIPTS, elem_id, html)
