"""The user's last 20 results, below the tabs: kept in the browser alone (IndexedDB).

A viewer tells the strip of each finished result, with what `record_of` says of it; the strip fetches the result's own
PNG, makes a thumbnail, and keeps both. At most 200 MB are kept; the oldest results go first. Where a browser has no
IndexedDB the strip stays hidden.
"""

from __future__ import annotations

from pathlib import Path

import gradio as gr

from gansr.options import options_of, parse_options, plain_values
from gansr.problem import title_of
from gansr.request import Request
from gansr.ui.component import component

HERE = Path(__file__).parent
SCRIPTS = ("js/store.js", "js/zip.js", "js/strip.js")  # in the order in which they are joined
LONGEST = 80  # characters of the settings in short


def draw_strip() -> gr.HTML:
    """The component. “Restore settings” raises `select` with `{"path": …}`: the result's PNG, uploaded again."""
    return component({}, HERE / "strip", SCRIPTS, "strip")


def record_of(request: Request, name: str, tab: str) -> dict[str, str]:
    """What the strip keeps with a result: its tab, its method, its settings in short, and the name of its file."""
    return {"tab": tab, "title": request.method.title, "settings": in_short(request), "name": name}


def in_short(request: Request) -> str:
    """The factor or the problem, the options that are not those of the first preset, and the seed, in at most LONGEST
    characters: "×4, steps 200, seed 3"."""
    method = request.method
    usual = plain_values(parse_options(method.options, next(iter(method.presets.values()))))
    titles = {
        name: (one.title or name.replace("_", " ")) for name, (one, _) in options_of(method.options).items()
    }
    # A problem chooses options itself.
    changed = {} if request.problem.scale else plain_values(request.options)
    parts = [
        f"{titles[name]} {value}"
        for name, value in changed.items()
        if value != usual[name] and name != "scale"
    ]
    first = title_of(request.problem) if request.problem.scale else f"×{request.scale}"
    task = ["quality test"] if request.known else []
    text = ", ".join([first, *task, *parts])
    last = f", seed {request.seed}"
    return (text if len(text) + len(last) <= LONGEST else text[: LONGEST - len(last) - 1] + "…") + last
