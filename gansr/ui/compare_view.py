"""How a comparison is shown: status, tiles of the viewer, and the verdicts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any

import gradio as gr

from gansr.compare.plan import REMEDIES, Comparison, Entry
from gansr.compare.verdict import summary, verdict
from gansr.picture import to_png
from gansr.problem import title_of
from gansr.receipt import result_png
from gansr.ui import files, render
from gansr.ui.cost_line import estimate_html
from gansr.ui.live_picture import LivePicture
from gansr.ui.strip import record_of
from gansr.ui.viewer import contents, tile

MEASURING = 0.25  # the share of the bar that measuring takes


@dataclass(frozen=True)
class Finished:
    """The finished results of a comparison."""

    results: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # tile → title and path


@dataclass
class RunFiles:
    """The files of one comparison, by tile: written once, named in every update."""

    paths: dict[str, str] = field(default_factory=dict)
    frames: dict[str, tuple[int, str]] = field(default_factory=dict)  # step and state that the path shows
    live: dict[str, LivePicture] = field(default_factory=dict)
    verdicts: dict[str, str] = field(default_factory=dict)

    def finished(self, comparison: Comparison) -> Finished:
        """The results that are written."""
        done = [entry for entry in comparison if entry.state == "done" and entry.name in self.paths]
        return Finished({entry.name: (entry.title, self.paths[entry.name]) for entry in done})


def ready(comparison: Comparison) -> str:
    """Before the run: the problem, what was done to the picture, what the run will cost, and which methods do not run;
    folded, how the others solve it."""
    head = "Ready" if comparison.can_run else "No method can use this picture"
    notes = " · ".join(map(escape, comparison.given.notices)) if comparison.given else ""
    cost = estimate_html(comparison.estimate)
    cannot = [_line(entry, entry.text) for entry in comparison if not entry.runs]
    hows = [_line(entry, entry.how) for entry in comparison if entry.runs and entry.how]
    folded = (
        f"<details><summary>How the methods solve it</summary><ul>{''.join(hows)}</ul></details>"
        if hows
        else ""
    )
    return _status(
        f"{head} · {_posed(comparison)}", f"<small>{notes}</small>{cost}<ul>{''.join(cannot)}</ul>{folded}"
    )


def _line(entry: Entry, text: str) -> str:
    return f"<li><b>{escape(entry.title)}</b>: {escape(text)}</li>"


def _posed(comparison: Comparison) -> str:
    given = comparison.given
    if given is None or given.size is None:
        return title_of(comparison.problem)
    (height, width), (high, wide) = given.low.shape[-2:], given.size
    if comparison.problem.side:
        return title_of(comparison.problem)
    return f"{title_of(comparison.problem)}: {width}×{height} → {wide}×{high} px"


def _status(head: str, below: str = "", share: float | None = None) -> str:
    bar = "" if share is None else f'<div class="bar"><i style="width:{100 * share:.0f}%"></i></div>'
    return f'<div class="status" role="status" aria-live="polite"><b>{escape(head)}</b>{bar}{below}</div>'


def status(comparison: Comparison, done: bool = False) -> str:
    """How far the comparison is: methods, then measurements."""
    runs = [entry for entry in comparison if entry.runs]
    finished = sum(entry.state == "done" for entry in runs)
    failed = [entry for entry in comparison if entry.state in ("error", "blocked")]
    there, of = comparison.measurements
    text = f"{'Done: ' if done else ''}{finished} of {len(runs)} methods"
    text += f"; {len(failed)} failed" if failed else ""
    now = next((entry for entry in runs if entry.state == "running" or _waits(entry)), None)
    if now is not None and not done:
        text += f" · {now.title}: {now.text}"
    elif not done and finished and all(entry.state in ("done", "error") for entry in runs):
        text += f" · measuring, {there} of {of}; Stop skips the rest"
    ended = sum(_share(entry) for entry in runs) / max(len(runs), 1)
    share = (1 - MEASURING) * ended + MEASURING * there / max(of, 1)
    return _status(text, share=None if done else share)


def _waits(entry: Entry) -> bool:
    """Whether it stands in the line before the device."""
    return entry.state == "waiting" and entry.frame is not None


def _share(entry: Entry) -> float:
    if entry.state in ("done", "error"):
        return 1.0
    return entry.frame.step / max(entry.frame.steps, 1) if entry.frame is not None else 0.0


def tiles(comparison: Comparison, kept: RunFiles) -> dict[str, Any]:
    """The viewer's value: bicubic first, then the methods, the original last."""
    made: list[dict[str, Any]] = []
    if comparison.bicubic is not None and comparison.given is not None:
        _write_references(comparison, kept)
        height, width = comparison.given.low.shape[-2:]
        note = summary(comparison.baseline)
        made.append(
            tile("bicubic", "Bicubic", "done", f"of {width}×{height} px", kept.paths["bicubic"], note=note)
        )
    made += [_tile(entry, comparison, kept) for entry in comparison]
    if "truth" in kept.paths:
        made.append(tile("truth", "Original", "done", "", kept.paths["truth"]))
    return contents(made, kept.paths.get("truth"), kept.paths.get("input"))


def _write_references(comparison: Comparison, kept: RunFiles) -> None:
    assert comparison.given is not None and comparison.bicubic is not None
    if "bicubic" in kept.paths:
        return
    kept.paths["bicubic"] = files.save(to_png(comparison.bicubic), "bicubic.png")
    kept.paths["input"] = files.save(to_png(comparison.given.low), "input.png")
    if comparison.given.truth is not None:
        kept.paths["truth"] = files.save(to_png(comparison.given.truth), "original.png")


def _tile(entry: Entry, comparison: Comparison, kept: RunFiles) -> dict[str, Any]:
    name, frame, done = entry.name, entry.frame, entry.state == "done"
    file = f"gansr-{name}-{entry.request.seed}.png"
    if frame is not None and frame.step and kept.frames.get(name) != (frame.step, entry.state):
        assert entry.given is not None
        if done:
            kept.paths[name] = files.save(result_png(entry.request, entry.given, frame), file)
        else:
            kept.paths[name] = kept.live.setdefault(name, LivePicture()).show(frame.image)
        kept.frames[name] = (frame.step, entry.state)
    native = None
    if entry.native is not None:
        if f"{name}.native" not in kept.paths:
            kept.paths[f"{name}.native"] = files.save(to_png(entry.native), f"{name}-native.png")
        height, width = entry.native.shape[-2:]
        native = (kept.paths[f"{name}.native"], f"{width}×{height} as the method gave it")
    baseline = {r.metric.name: r.value for r in comparison.baseline if r.value is not None}
    notices = frame.notices if frame is not None and done else ()
    text = "; ".join(part for part in (entry.text, entry.how if done else "", *notices) if part)
    return tile(
        name,
        entry.title,
        "blocked" if entry.state == "unsuitable" else entry.state,
        text,
        kept.paths.get(name),
        note=summary(entry.measured, baseline) if done else "",
        progress=_share(entry),
        actions=[REMEDIES[name] for name in entry.remedies],
        download=file if done else "",
        native=native,
        use=done,
        record=record_of(entry.request, file, "compare") | {"title": entry.title} if done else None,
    )


def verdicts(comparison: Comparison, kept: RunFiles) -> Any:
    """Sentence and map for each new result; nothing to do where all are there."""
    given = comparison.given
    new = [e for e in comparison if e.state == "done" and e.name not in kept.verdicts]
    if not new or given is None:
        return gr.skip()
    for entry in new:
        assert entry.frame is not None
        found = verdict(given.shrink(entry.frame.image), given.low, given.aligned)
        kept.verdicts[entry.name] = (
            f"<figure>{render.heat_html(found.heat)}<figcaption><b>{escape(entry.title)}</b> "
            f"{escape(entry.request.departs or found.sentence)}</figcaption></figure>"
        )
    figures = "".join(kept.verdicts[e.name] for e in comparison if e.name in kept.verdicts)
    return (
        "<h2>Does each result agree with your picture?</h2><p>Each result, shrunk again, minus the input: "
        "white agrees, red is brighter than your picture, blue is darker (in steps of 255).</p>"
        f'<div class="views">{figures}</div>'
    )
