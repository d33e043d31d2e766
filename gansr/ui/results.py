"""What a run leaves on its tab: status, pictures, metrics, downloads, views and the replay of its frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from types import MappingProxyType
from typing import Any

import gradio as gr
import torch

from gansr.engine import MetricResult
from gansr.gallery import Example
from gansr.inputs import MethodInput
from gansr.method import Frame, Method
from gansr.ops.resize import imresize
from gansr.picture import to_png
from gansr.pipeline import Update, baseline_of
from gansr.progress import progress_text
from gansr.receipt import result_png
from gansr.request import Request
from gansr.ui import files, gallery, render
from gansr.ui.controls import HIDDEN
from gansr.ui.live_picture import LivePicture
from gansr.ui.replay import animation
from gansr.ui.reuse import destinations, draw_kernel, draw_reuse
from gansr.ui.run_state import CHOOSE
from gansr.ui.strip import record_of
from gansr.ui.viewer import address, contents, tile, viewer

KEPT = 64  # frames kept for the replay


@dataclass
class RunFiles:
    """The paths of the last run's pictures. Lives in the visitor's session only."""

    result: str = ""
    others: dict[str, str] = field(default_factory=dict)  # title → path: what the result is compared with
    answers: dict[str, str] = field(default_factory=dict)  # title → path, where there are several
    same: str = ""  # the title of the answer that is the result, which is shown once
    replay: list[str] = field(default_factory=list)
    live: LivePicture = field(default_factory=LivePicture)
    title: str = ""  # of the method
    record: dict[str, str] = field(default_factory=dict)  # what the browser keeps with the result
    reused: str = ""  # the file of the method's `Reuse`
    reused_values: Mapping[str, Any] = field(default_factory=dict)  # and what is set with it
    kernel: str = ""  # the file of the method's `kernel`

    @property
    def results(self) -> dict[str, tuple[str, str]]:
        """Tile → title and path of the finished result that it shows."""
        found = {"result": (self.title, self.result)} if self.result else {}
        return found | {title: (f"{self.title}, {title}", path) for title, path in self.answers.items()}


class Results:
    """The components that a run fills, drawn inside an open column."""

    def __init__(self, method: Method, example: Example | None = None):
        """`example`: of the gallery, computed; it is shown until the user chooses a picture."""
        name, again = method.name, f"{method.name}-again"
        self.method, self.example = method, example
        first = {} if example is None else gallery.shown(example)
        status = render.message(CHOOSE) if example is None else gallery.status(example, again)
        self.status = gr.HTML(status, elem_id=f"{name}-status")
        self.again = gr.Button(visible=HIDDEN, elem_id=again)
        # one plain sentence on top of the result
        self.verdict = gr.HTML(first.get("verdict", ""), elem_id=f"{name}-verdict")
        self.pictures = viewer(
            first.get("viewer"), start="wipe", elem_id=f"{name}-pictures", uses=destinations()
        )
        # Plain links: Gradio's download button sometimes does nothing.
        self.downloads = gr.HTML(elem_id=f"{name}-files")
        self.reuse = None if method.reuse is None else draw_reuse(name, method.reuse)
        self.kernel = draw_kernel(name) if method.kernel else None
        # below: it grows while the buttons are in use
        self.measures = gr.HTML(first.get("measures", ""), elem_id=f"{name}-measures")
        gr.HTML(render.caution(method))
        self.views = gr.HTML(first.get("views", ""), elem_id=f"{name}-views")
        frames = first.get("replay", [])
        self.replay = gr.Slider(
            1 if frames else 0,
            max(len(frames), 1),
            value=len(frames),
            step=1,
            label="Replay",
            info="The result, step by step",
            visible=bool(frames) or HIDDEN,
            elem_id=f"{name}-replay",
        )
        self.moment = gr.Image(
            frames[-1] if frames else None,
            label="At that step",
            show_label=False,  # it would lie over the picture
            height=320,
            format="png",
            type="filepath",
            visible=bool(frames) or HIDDEN,
            interactive=False,
            buttons=[],
            elem_id=f"{name}-moment",
        )
        self.files = gr.State(RunFiles(replay=frames))
        self.replay.input(
            _replayed,
            [self.replay, self.files],
            self.moment,
            api_visibility="private",
            show_progress="hidden",
        )

    def all(self) -> list[Any]:
        """Every component that a run changes."""
        return [
            self.status, self.verdict, self.pictures, self.measures, self.downloads, self.views, self.replay,
            self.moment, self.files, *self._buttons(),
        ]  # fmt: skip

    def _buttons(self) -> list[gr.Button]:
        return [button for button in (self.reuse, self.kernel) if button is not None]

    def cleared(self) -> dict[Any, Any]:
        """What a new run begins with."""
        empty: dict[Any, Any] = dict.fromkeys((self.verdict, self.measures, self.views, self.downloads), "")
        hidden = dict.fromkeys((self.replay, self.moment, *self._buttons()), gr.update(visible=HIDDEN))
        shown = {self.status: render.message("Starting …"), self.pictures: contents()}
        return shown | empty | hidden | {self.files: RunFiles()}

    def live(self, update: Update, kept: RunFiles) -> dict[Any, Any]:
        """A frame on its way: small pictures only."""
        frame, given = update.frame, update.given
        assert frame is not None and given is not None
        image = kept.live.show(frame.image)
        start = kept.others.setdefault("live", image)  # the first frame is what went in
        own = kept.live.own  # a method may show the same for some steps more
        if own and self.method.replay:
            kept.replay.append(image)
            if len(kept.replay) > KEPT:
                del kept.replay[1::2]
        share, title = frame.step / max(frame.steps, 1), update.baseline_title
        so_far = tile(
            "result",
            self.method.title,
            "running" if frame.ahead is None else "waiting",
            progress_text(frame),
            image if own else None,
            progress=share,
        )
        changed: dict[Any, Any] = {
            self.status: render.status(self.method, frame, given.notices),
            self.pictures: contents([tile(title.lower(), title, "done", picture=start), so_far]),
        }
        return changed | ({self.views: render.views(frame.views)} if frame.views else {})

    def finished(self, request: Request, update: Update, kept: RunFiles) -> dict[Any, Any]:
        """The result at full size."""
        frame, given = update.frame, update.given
        assert frame is not None and given is not None
        _write(kept, request, given, frame)
        extra = {name: files.save(content, name) for name, content in frame.files.items()}
        if request.method.retouch:  # what it read, to be changed in any program and given again
            extra["input.png"] = files.save(to_png(given.for_method), "input.png")
        kept.reused, kept.reused_values = _reused(request, extra)
        kept.kernel = extra.get(self.method.kernel, "")
        there = {self.reuse: kept.reused, self.kernel: kept.kernel}
        shown = {button: gr.update(visible=bool(there[button]) or HIDDEN) for button in self._buttons()}
        steps = len(kept.replay)
        visible = steps > 2 or HIDDEN
        if steps > 2:
            name = f"gansr-{self.method.name}-{request.seed}-steps.webp"
            extra[name] = animation(kept.replay, name)
        return shown | {
            self.status: render.status(self.method, frame, given.notices, done=True),
            self.pictures: self.tiles(kept),
            self.downloads: _downloads(self.method, kept.result, [*extra.values(), *kept.answers.values()]),
            self.views: render.views(frame.views),
            self.replay: gr.update(minimum=1, maximum=max(steps, 2), value=max(steps, 1), visible=visible),
            self.moment: gr.update(value=kept.replay[-1] if steps > 2 else None, visible=visible),
            self.files: kept,
        }

    def tiles(
        self, kept: RunFiles, measured: Mapping[str, Sequence[MetricResult]] = MappingProxyType({})
    ) -> dict[str, Any]:
        """The viewer's tiles: what went in and the result, which are compared; then the other answers. Two and more are
        there to be compared with each other, and begin side by side."""
        made = [tile(title.lower(), title, "done", picture=path) for title, path in kept.others.items()]
        result = tile(
            "result",
            f"{self.method.title}: {kept.same}" if kept.same else self.method.title,
            "done",
            picture=kept.result,
            note=render.metrics_line(measured.get(kept.same, ())),
            use=True,
            record=kept.record,
        )
        made.insert(1, result)
        made[2:2] = [
            tile(
                title,
                _headed(title),
                "done",
                picture=path,
                note=render.metrics_line(measured.get(title, ())),
                use=True,
            )
            for title, path in kept.answers.items()
            if _headed(title) not in kept.others and title != kept.same
        ]
        start = "grid" if len(kept.answers) > 1 else None
        return contents(made, truth=kept.others.get("Original"), start=start)


def _headed(title: str) -> str:
    """With a capital at its start; the others stay: "SRGAN-MSE"."""
    return title[:1].upper() + title[1:]


def _write(kept: RunFiles, request: Request, given: MethodInput, frame: Frame) -> None:
    """Write the result and what it is compared with, at full size."""
    size = (frame.image.shape[-2], frame.image.shape[-1])
    name = f"gansr-{request.method.name}-{request.seed}"
    kept.title, kept.record = request.method.title, record_of(request, f"{name}.png", request.method.name)
    kept.result = files.save(result_png(request, given, frame), f"{name}.png")
    title, start = baseline_of(request, given)
    kept.others = {title: files.save(to_png(start), f"{title.lower().replace(' ', '-')}.png")}
    if request.scale > 1:
        nearest = imresize(given.low, size, kernel="nearest")
        kept.others["Nearest"] = files.save(to_png(nearest), "nearest.png")
    kept.live = LivePicture()  # `kept` stays in the session
    kept.answers = {
        title: files.save(to_png(answer), f"{title}.png") for title, answer in frame.answers.items()
    }
    equal = (title for title, answer in frame.answers.items() if torch.equal(answer, frame.image))
    kept.same = next(equal, "") if len(frame.answers) > 1 else ""
    if given.truth is not None and given.truth.shape == frame.image.shape:
        kept.others["Original"] = files.save(to_png(given.truth), "original.png")


def _reused(request: Request, written: Mapping[str, str]) -> tuple[str, Mapping[str, Any]]:
    """The path of the file that the method's `Reuse` names, and the values that go with it; an empty path where the
    run did not write it."""
    reuse = request.method.reuse
    if reuse is None or (name := reuse.file(request.options)) not in written:
        return "", {}
    return written[name], reuse.values(request.options)


def _downloads(method: Method, result: str, others: list[str]) -> str:
    """Links to the result and to the other files."""

    def link(path: str, text: str, attributes: str = "") -> str:
        name = escape(Path(path).name)
        return f'<a href="{address(path)}" download="{name}"{attributes}>{escape(text)}</a>'

    words = f' class="download" id="{method.name}-download"'
    rows = "".join(f"<li>{link(path, Path(path).name)}</li>" for path in others)
    more = f"<div><b>More files</b><ul>{rows}</ul></div>" if rows else ""
    return f'<div class="files">{link(result, "Download the result (PNG, lossless)", words)}{more}</div>'


def _replayed(step: Any, kept: RunFiles) -> Any:
    known = isinstance(step, (int, float)) and 1 <= step <= len(kept.replay)
    return kept.replay[int(step) - 1] if known else gr.skip()
