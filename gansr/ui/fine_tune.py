"""Fine-tuning on the user's own pictures, below a tab: upload, Start, Stop, what the training tells, and its network.

The pictures are opened as any upload is, shrunk where they are large, and written again as PNG: the training process
gets nothing of the uploads themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
import torch

from gansr.method import Curve, FineTune, Method, MethodError
from gansr.ops.resize import imresize
from gansr.options import OptionError
from gansr.picture import Picture, PictureError, to_png
from gansr.pipeline import USER_ERRORS
from gansr.ui import files, render, service
from gansr.ui.api import RUNS
from gansr.ui.controls import HIDDEN
from gansr.ui.handlers import user_errors
from gansr.ui.listeners import UNHEARD, Watch
from gansr.ui.request_controls import QUIET, RequestControls
from gansr.ui.run_state import INTERNAL_ERROR, RunState, connect_run, connect_stop
from gansr.ui.training_process import MODEL, Child, Progress, folder, possible
from gansr.ui.viewer import address
from gansr.ui.visitors import Visitor, visitor_of

MOST = 20  # pictures
PIXELS = 2_000_000  # of a picture: a larger one is shrunk
MINUTES = 60
USUAL = 5  # minutes
INTERVAL = 1.0  # seconds between two looks at the training
POINTS = 80  # of a curve
KINDS = ["image", ".heic", ".heif", ".avif"]
ABOUT = (
    "Give it pictures of your kind: a texture, a painter, one camera. The network goes on learning from them, shrunk "
    "four times by bicubic. The result is a file that you can use here and keep. The pictures need at least 96 px on "
    "the shorter side. With five or more, one is held out and only measured. They are deleted after about an hour."
)


@dataclass
class Trained:
    """The network of the last training. Lives in the visitor's session only."""

    path: str = ""


class Panel:
    """The components, drawn inside an open accordion."""

    def __init__(self, name: str, tune: FineTune):
        gr.HTML(f"<p>{ABOUT}</p>")
        with gr.Row(equal_height=False):
            with gr.Column(min_width=280, scale=2):
                self.pictures = gr.File(
                    label="Your pictures (1 to 20)",
                    file_count="multiple",
                    file_types=KINDS,
                    type="filepath",
                    height=160,
                    elem_id=f"{name}-tune-pictures",
                )
                self.variant = gr.Dropdown(
                    [(label, value) for value, label in tune.variants.items()],
                    value=next(iter(tune.variants)),
                    label="Trained for",
                    info="The SRGAN ones need longer: their discriminator begins anew",
                    elem_id=f"{name}-tune-variant",
                )
                self.minutes = gr.Slider(
                    1, MINUTES, value=USUAL, step=1, label="Minutes", elem_id=f"{name}-tune-minutes"
                )
                with gr.Row(elem_classes="buttons"):
                    self.start = gr.Button("Start", variant="primary", min_width=80, elem_id=f"{name}-tune")
                    self.stop = gr.Button("Stop", min_width=80, elem_id=f"{name}-tune-stop")
            with gr.Column(min_width=280, scale=3):
                self.status = gr.HTML(
                    render.message("Choose pictures and press Start."), elem_id=f"{name}-tune-status"
                )
                self.curves = gr.HTML(elem_id=f"{name}-tune-curves")
                self.strip = gr.HTML(elem_id=f"{name}-tune-strip")
                self.download = gr.HTML(elem_id=f"{name}-tune-download")
                self.use = gr.Button(
                    "Use it in this tab", visible=HIDDEN, size="sm", elem_id=f"{name}-tune-use"
                )
        self.trained = gr.State(Trained())

    def all(self) -> list[Any]:
        """Every component that a training changes."""
        return [self.status, self.curves, self.strip, self.download, self.use, self.trained]

    def cleared(self) -> dict[Any, Any]:
        """What a new training begins with."""
        empty: dict[Any, Any] = dict.fromkeys((self.curves, self.strip, self.download), "")
        shown = {self.status: render.message("Starting …"), self.use: gr.update(visible=HIDDEN)}
        return shown | empty | {self.trained: Trained()}


def draw_fine_tune(method: Method, controls: RequestControls, told: gr.HTML) -> None:
    """The closed panel, where the method has a training and visitors may train here. `told`: the tab's status."""
    if method.fine_tune is None or not possible():
        return
    with gr.Accordion("Fine-tune on your own pictures", open=False, elem_id=f"{method.name}-fine-tune"):
        panel = Panel(method.name, method.fine_tune)
    state = gr.State(RunState())
    connect_run(panel.start, panel.stop, state)
    started = panel.start.click(
        handler(method, method.fine_tune, panel),
        [state, panel.pictures, panel.variant, panel.minutes],
        panel.all(),
        show_progress="hidden",
        api_visibility="private",
        trigger_mode="once",
        **RUNS,
    )
    connect_stop(panel.start, panel.stop, [started], state, panel.status, panel.strip, panel.cleared)
    _wire_use(method.fine_tune, controls, panel, told)


def _wire_use(tune: FineTune, controls: RequestControls, panel: Panel, told: gr.HTML) -> None:
    def use(trained: Trained) -> dict[Any, Any]:
        if not trained.path or not Path(trained.path).is_file():
            return {panel.status: render.message(GONE_NETWORK)}
        files.refresh(trained.path)
        said = render.message(tune.done)
        updates = {controls.fields[name]: value for name, value in tune.sets.items()}
        return {panel.status: said, told: said, controls.fields[tune.option]: trained.path, **updates}

    settable = [controls.fields[name] for name in (tune.option, *tune.sets)]
    panel.use.click(use, panel.trained, [panel.status, told, *settable], **QUIET)


def handler(method: Method, tune: FineTune, panel: Panel) -> Callable[..., Generator[dict[Any, Any]]]:
    """The generator behind Start."""

    def train(
        state: RunState, pictures: Any, variant: Any, minutes: Any, asked: gr.Request | None = None
    ) -> Generator[dict[Any, Any]]:
        visitor = visitor_of(asked)
        watch = service.LISTENERS.watch(visitor.session)
        with user_errors(toast=False), state.run():  # the status shows it
            try:
                checked = _checked(tune, pictures, variant, minutes)
                yield from watch.sent(_updates(method, tune, panel, state, watch, visitor, *checked))
            except Exception as error:
                state.error = str(error) if isinstance(error, USER_ERRORS) else INTERNAL_ERROR
                raise
            state.stopping = False  # what has ended says so itself

    return train


def _checked(tune: FineTune, pictures: Any, variant: Any, minutes: Any) -> tuple[list[str], str, int]:
    """Untrusted values. Raises OptionError."""
    if not pictures:
        raise OptionError("no pictures yet: choose 1 to 20")
    if not isinstance(pictures, list) or not all(
        isinstance(path, str) and "\0" not in path for path in pictures
    ):
        raise OptionError("the pictures must be files")
    if len(pictures) > MOST:
        raise OptionError(f"there are {len(pictures)} pictures; at most {MOST} are taken")
    if not isinstance(variant, str) or variant not in tune.variants:
        raise OptionError(f"the variant must be one of {', '.join(tune.variants)}")
    number = isinstance(minutes, (int, float)) and not isinstance(minutes, bool)
    if not number or not 1 <= minutes <= MINUTES:
        raise OptionError(f"minutes must be a number from 1 to {MINUTES}")
    return pictures, variant, int(minutes)


def _updates(
    method: Method,
    tune: FineTune,
    panel: Panel,
    state: RunState,
    watch: Watch,
    visitor: Visitor,
    pictures: Sequence[str],
    variant: str,
    minutes: int,
) -> Iterator[dict[Any, Any]]:
    """What a training shows; each has the whole state, because of updates that arrive together only the last counts."""
    whole = panel.cleared()
    yield whole
    with service.VISITORS.admitted(visitor), service.TRAINING.one(), folder() as place:
        data = place / "pictures"
        data.mkdir()
        for index, path in enumerate(pictures):
            if state.stopping:
                yield whole | {panel.status: render.message(NOTHING)}
                return
            yield whole | {panel.status: render.message(f"Reading picture {index + 1} of {len(pictures)}")}
            (data / f"{index:02d}.png").write_bytes(_picture(path, tune.side))
        precision = "bfloat16" if service.ENGINE.fast_bf16 else "float32"
        command = [method.name, "--variant", variant, "--data", str(data), "--minutes", str(minutes)]
        with Child(place, [*command, "--precision", precision, *tune.arguments(variant)]) as child:
            service.TRAINING.holds(child)
            shown = Path()
            while child.runs(INTERVAL):
                if state.stopping:
                    child.stop()
                if not watch.heard():
                    raise MethodError(UNHEARD)
                shown = _show(panel, whole, child, shown)
                yield whole | {panel.status: _status(child.progress, minutes, child.stopping)}
            _show(panel, whole, child, shown)
            yield whole | _ended(panel, child, "--keep-best" in tune.arguments(variant))


def _picture(path: str, side: int) -> bytes:
    """An upload, opened and written again: a PNG of its pixels, without alpha. Raises PictureError."""
    name = Path(path).name[:60]
    try:
        picture = service.INPUTS.open(path)
    except PictureError as error:
        raise PictureError(f"“{name}”: {error}") from None
    rgb = _shrunk(picture)
    if min(rgb.shape[1:]) < side:
        raise PictureError(
            f"“{name}”: {rgb.shape[2]}×{rgb.shape[1]} px are too small; at least {side} px are needed on the "
            "shorter side"
        )
    return to_png(rgb)


def _shrunk(picture: Picture) -> torch.Tensor:
    height, width = picture.rgb.shape[1:]
    factor = (PIXELS / (height * width)) ** 0.5
    if factor >= 1:
        return picture.rgb
    return imresize(picture.rgb, (max(1, round(height * factor)), max(1, round(width * factor)))).clamp(0, 1)


# ------------------------------------------------------------------------------------------- what is shown

NOTHING = "Stopped before the first step: the network has learned nothing."
GONE_NETWORK = (
    "This network is no longer on the server. Train it again, or give the file that you have downloaded."
)


def _status(progress: Progress, minutes: int, stopping: bool) -> str:
    """Progress as the status of a run shows it."""
    if stopping:
        return render.message("Stopping after this step …")
    if progress.step < 0:
        return render.message("Preparing: the weights are downloaded at first use")
    share = 100 * min(1.0, progress.minutes / minutes)
    readings = [f"{progress.per_second:.1f} pictures a second", *_measured(progress)]
    return (
        f'<div class="status" role="status" aria-live="polite"><b>Training · step {progress.step + 1}</b>'
        f'<span class="took">{progress.minutes:.1f} of {minutes} minutes</span>'
        f'<div class="bar"><i style="width:{share:.0f}%"></i></div>'
        f"<div class='readings'>{' · '.join(readings)}</div></div>"
    )


def _measured(progress: Progress) -> list[str]:
    """The last PSNR, and what it was at the start."""
    if not progress.measured:
        return []
    ours, cubic = progress.measured[-1]
    first = progress.measured[0][0]
    same, held = f"PSNR on the same pictures {ours:.2f} dB", f"PSNR on pictures held out {ours:.2f} dB"
    return [held if progress.held else same, f"at the start {first:.2f} dB", f"bicubic {cubic:.2f} dB"]


def _show(panel: Panel, whole: dict[Any, Any], child: Child, shown: Path) -> Path:
    """Put the curves and the newest strip into `whole`; returns the strip's path. `shown`: the strip that is shown."""
    progress, strip = child.progress, child.strip()
    if progress.losses:
        curves = {"Loss": Curve({"loss": _points(progress.losses)})}
        if len(progress.measured) > 1:
            lines = {"this network": tuple(m[0] for m in progress.measured)}
            curves["PSNR"] = Curve(lines | {"bicubic": tuple(m[1] for m in progress.measured)}, "dB")
        whole[panel.curves] = render.views(curves)
    if strip is None or strip == shown:
        return shown
    alt = "Bicubic, this network, and the truth"
    names = "".join(f"<b>{name}</b>" for name in ("Bicubic", "This network", "Original"))
    picture = address(files.save(strip.read_bytes(), "strip.png"))
    whole[panel.strip] = f'<div class="tuned"><div>{names}</div><img alt="{alt}" src="{picture}"></div>'
    return strip


def _points(values: Sequence[float]) -> tuple[float, ...]:
    """At most POINTS means of values that follow each other."""
    size = -(-len(values) // POINTS)
    parts = [values[i : i + size] for i in range(0, len(values), size)]
    return tuple(sum(part) / len(part) for part in parts)


def _ended(panel: Panel, child: Child, best: bool) -> dict[Any, Any]:
    """The end: the network as a file, or why there is none. best: whether the one of the best PSNR was kept."""
    model, why = child.model(), child.failure()
    if model is None:
        if child.stopping or not why:
            return {panel.status: render.message(NOTHING)}
        raise MethodError(why)
    path = files.save(model, MODEL)
    progress = child.progress
    told = f"Done: {progress.step + 1} steps in {progress.minutes:.1f} minutes"
    if why:
        told = f"{render.sentence_case(why)}. The network of the last evaluation is kept"
    size = f"{len(model) / 1e6:.1f} MB"
    link = f'<a class="download" href="{address(path)}" download="{MODEL}">Download {MODEL} ({size})</a>'
    readings = " · ".join([*_measured(progress), *["the network of the highest PSNR is kept"] * best])
    return {
        panel.status: f'<div class="status" role="status" aria-live="polite"><b>{told}</b>'
        f"<div class='readings'>{readings}</div></div>",
        panel.download: f'<div class="files">{link}</div>',
        panel.use: gr.update(visible=True),
        panel.trained: Trained(path),
    }
