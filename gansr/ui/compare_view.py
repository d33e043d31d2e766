"""How a comparison is shown: status, tiles of the viewer, and the verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

import gradio as gr

from gansr import papers
from gansr.compare import plan, table
from gansr.compare.plan import REMEDIES, Entry
from gansr.compare.verdict import verdict
from gansr.picture import to_png
from gansr.receipt import result_png
from gansr.ui import files, render
from gansr.ui.live_picture import LivePicture
from gansr.ui.viewer import contents, tile


@dataclass
class RunFiles:
    """The files of one comparison, by tile: written once, named in every update."""

    paths: dict[str, str] = field(default_factory=dict)
    frames: dict[str, tuple[int, str]] = field(default_factory=dict)  # step and state that the path shows
    live: dict[str, LivePicture] = field(default_factory=dict)
    verdicts: dict[str, str] = field(default_factory=dict)


def ready(entries: Sequence[Entry]) -> str:
    """What each method receives, or why it will not run, before the run."""
    items: list[str] = []
    for entry in entries:
        text = escape(entry.text)
        if entry.state != "blocked" and entry.given is not None:
            height, width = entry.given.low.shape[-2:]
            notes = "; ".join(map(escape, entry.given.notices))
            text = f"input used: {width}×{height} px" + (f": {notes}" if notes else "")
        items.append(f"<li><b>{escape(entry.method.title)}</b> {text}</li>")
    can_run = any(entry.state != "blocked" for entry in entries)
    head = "Ready" if can_run else "No method can use this picture"
    return (
        f'<div class="status" role="status" aria-live="polite"><b>{head}</b><ul>{"".join(items)}</ul></div>'
    )


def status(entries: Sequence[Entry], done: bool = False) -> str:
    """How far the comparison is."""
    finished = sum(entry.state == "done" for entry in entries)
    failed = sum(entry.state in ("error", "blocked") for entry in entries)
    now = next((entry for entry in entries if entry.state == "running"), None)
    count = f"{finished} of {len(entries)} methods"
    text = f"Done: {count}" if done else f"{count} are done"
    text += f"; {failed} failed" if failed else ""
    if now is not None and not done:
        text += f" · {now.method.title}: {now.text}"
    return render.message(text)


def tiles(entries: Sequence[Entry], kept: RunFiles) -> dict[str, Any]:
    """The viewer's value: bicubic first, then the methods, the original last."""
    reference = plan.largest(entry for entry in entries if entry.state != "blocked")
    made: list[dict[str, Any]] = []
    captions: dict[str, str] = {}
    if reference is not None and reference.given is not None:
        _write_reference(reference, kept)
        height, width = reference.given.low.shape[-2:]
        captions = {row.name: table.brief(row) for row in table.rows(entries, receipts=False)}
        note = captions.get("bicubic", "")
        made.append(
            tile("bicubic", "Bicubic", "done", f"of {width}×{height} px", kept.paths["bicubic"], note=note)
        )
    made += [_tile(entry, kept, captions.get(entry.method.name, ""), entry is reference) for entry in entries]
    if "truth" in kept.paths:
        made.append(tile("truth", "Original", "done", "", kept.paths["truth"]))
    return contents(made, kept.paths.get("truth"), kept.paths.get("input"))


def _write_reference(reference: Entry, kept: RunFiles) -> None:
    assert reference.given is not None
    if "bicubic" in kept.paths:
        return
    kept.paths["bicubic"] = files.save(to_png(plan.bicubic(reference)), "bicubic.png")
    kept.paths["input"] = files.save(to_png(reference.given.low), "input.png")
    if reference.given.truth is not None:
        kept.paths["truth"] = files.save(to_png(reference.given.truth), "original.png")


def _tile(entry: Entry, kept: RunFiles, note: str, common: bool) -> dict[str, Any]:
    name, frame, done = entry.method.name, entry.frame, entry.state == "done"
    file = f"gansr-{name}-{entry.request.seed}.png"
    if frame is not None and frame.step and kept.frames.get(name) != (frame.step, entry.state):
        assert entry.given is not None
        if done:
            kept.paths[name] = files.save(result_png(entry.request, entry.given, frame), file)
        else:
            kept.paths[name] = kept.live.setdefault(name, LivePicture()).show(frame.image)
        kept.frames[name] = (frame.step, entry.state)
    own: dict[str, Any] = {} if common else _own_references(entry, kept)
    return tile(
        name,
        entry.method.title,
        entry.state,
        entry.text,
        kept.paths.get(name),
        note=note,
        progress=frame.step / max(frame.steps, 1) if frame is not None else 0.0,
        action=REMEDIES[entry.remedy] if entry.remedy else "",
        download=file if done else "",
        **own,
    )


def _own_references(entry: Entry, kept: RunFiles) -> dict[str, Any]:
    """A finished entry's own input and truth, for the differences."""
    if entry.state != "done" or entry.given is None:
        return {}
    for name, picture in (("input", entry.given.low), ("truth", entry.given.truth)):
        key = f"{entry.method.name}.{name}"
        if picture is not None and key not in kept.paths:
            kept.paths[key] = files.save(to_png(picture), f"{name}.png")
    return {name: kept.paths.get(f"{entry.method.name}.{name}") for name in ("input", "truth")}


def verdicts(entries: Sequence[Entry], kept: RunFiles) -> Any:
    """Sentence and map for each new result; nothing to do where all are there."""
    new = [e for e in entries if e.state == "done" and e.method.name not in kept.verdicts]
    for entry in new:
        assert entry.given is not None and entry.frame is not None
        found = verdict(entry.given.shrink(entry.frame.image), entry.given.low, entry.given.aligned)
        kept.verdicts[entry.method.name] = (
            f"<figure>{render.heat_html(found.heat)}<figcaption><b>{escape(entry.method.title)}</b> "
            f"{escape(found.sentence)}</figcaption></figure>"
        )
    if not new:
        return gr.skip()
    figures = "".join(kept.verdicts[m.name] for m in papers.METHODS if m.name in kept.verdicts)
    return (
        "<h2>Does each result agree with your picture?</h2><p>Each result, shrunk again, minus the input: "
        "white agrees, red is brighter than your picture, blue is darker (in steps of 255).</p>"
        f'<div class="views">{figures}</div>'
    )
