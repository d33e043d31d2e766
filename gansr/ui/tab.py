"""One function draws every paper's tab from its Method; one generator runs it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import gradio as gr
from gradio.components import Component
from torch import Tensor

from gansr import faces
from gansr.engine import MetricResult, like_input
from gansr.method import Frame, Method, refusal
from gansr.ops.degrade import PRESETS as DEGRADATIONS
from gansr.ops.degrade import Degradation
from gansr.ops.resize import imresize
from gansr.options import OptionError, options_of, parse_options
from gansr.options import plain_values as values_of
from gansr.picture import open_picture, to_png
from gansr.prepare import TASKS, Prepared, prepare
from gansr.serve import DETECTOR, TOLD, Order, Update, order, receipt, request_of, result_png, serve
from gansr.ui import files, gpu
from gansr.ui import render as show
from gansr.ui.controls import HIDDEN, controls, mask_of, picture_input
from gansr.ui.recipe import Offer, draw_offer
from gansr.ui.run_state import RunState, connect_run, connect_stop
from gansr.ui.viewer import address, contents, tile, viewer

KEPT = 64  # frames kept for the replay


@dataclass
class Shelf:
    """What a visitor's last run left: paths of his pictures. Lives in his session only."""

    result: str = ""
    others: dict[str, str] = field(default_factory=dict)  # title → path: what the result is compared with
    answers: dict[str, str] = field(default_factory=dict)  # title → path, where there are several
    replay: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Inputs:
    """The controls of a tab that make up a request, in the order the handlers receive their values."""

    picture: Component
    task: Component
    degradation: dict[str, Component]
    align: Component
    face: Component
    paste_back: Component
    knobs: dict[str, Component]
    seed: Component
    precision: Component

    def all(self) -> list[Component]:
        shrinking = list(self.degradation.values())
        rest = [self.align, self.face, self.paste_back, *self.knobs.values(), self.seed, self.precision]
        return [self.picture, self.task, *shrinking, *rest]

    def names(self) -> list[str]:
        """The API's argument names, one for each of `all`."""
        shrinking = [f"shrink_{name}" for name in self.degradation]
        return [
            "picture",
            "task",
            *shrinking,
            "align",
            "face",
            "paste_back",
            *self.knobs,
            "seed",
            "precision",
        ]

    def order(self, method: Method, values: tuple[Any, ...]) -> tuple[Any, Order]:
        """Values of `all` → (picture, order). Raises OptionError."""
        named = dict(zip(self.names(), values, strict=True))
        shrinking = {name: named[f"shrink_{name}"] for name in self.degradation}
        request = request_of(named["task"], shrinking, named["align"], named["face"], named["paste_back"])
        described = options_of(method.options)
        options = {n: mask_of(named[n]) if described[n][0].paint else named[n] for n in self.knobs}
        return named["picture"], order(method, options, request, named["seed"], named["precision"])


def draw_tab(method: Method, examples: list[str]) -> tuple[Inputs, gr.Button, Offer]:
    """The whole tab of one paper, inside an open gr.Tab; returns its controls, its way to the comparison, and what
    restores a result's settings."""
    gr.HTML(f"<p class='summary'>{method.summary}</p>")
    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=320):
            inputs, look, offer = _draw_inputs(method, examples)
            with gr.Row():
                run = gr.Button("Run", variant="primary", elem_id=f"{method.name}-run")
                stop = gr.Button("Stop", elem_id=f"{method.name}-stop")
            away = gr.Button("Compare with the other methods", size="sm", elem_id=f"{method.name}-away")
        with gr.Column(scale=3, min_width=320):
            outputs = _Outputs(method)
    _wire_look(method, inputs, look)
    runner = _page_handler(method, inputs, outputs)
    limits: dict[str, Any] = {"concurrency_limit": 8, "concurrency_id": "run"}
    turn = gr.State(RunState())
    connect_run(run, turn)
    started = run.click(
        runner,
        [turn, *inputs.all()],
        outputs.all(),
        show_progress="hidden",
        api_visibility="private",
        trigger_mode="once",
        **limits,
    )
    connect_stop(stop, started, turn, outputs.status, outputs.pictures)
    outputs.replay.input(_replayed, [outputs.replay, outputs.shelf], outputs.moment, api_visibility="private")
    _draw_api(method, inputs, limits)
    return inputs, away, offer


def _draw_inputs(method: Method, examples: list[str]) -> tuple[Inputs, list[Component], Offer]:
    name = method.name
    picture = picture_input(label="Picture", height=260, elem_id=f"{name}-picture")
    gr.Examples([[path] for path in examples], [picture], label="Examples", examples_per_page=8)
    task = gr.Radio(
        list(TASKS.values()), value=TASKS["enlarge"], label="What to do", elem_id=f"{name}-task",
        info="“Known answer”: the picture is the truth; it is shrunk first, and the result is measured against it.",
    )  # fmt: skip
    with gr.Accordion("How the picture is shrunk", open=True, visible=False) as shrinking:
        kind = gr.Dropdown(
            list(DEGRADATIONS), value=next(iter(DEGRADATIONS)), label="Preset", info="Common degradations"
        )
        degradation = controls(Degradation)
    with gr.Group(visible=method.accepts.face):
        align = gr.Checkbox(
            True,
            label="Align the face",
            info="Find the face and turn it as the network saw faces in training; off: the middle square is used",
        )
        face = gr.Number(
            1,
            precision=0,
            minimum=1,
            maximum=99,
            label="Which face",
            info="Largest first; or click one below",
        )
        paste_back = gr.Checkbox(
            False,
            label="Paste back",
            info="Also put the result back into the photograph, with a soft edge: a further file",
        )
        found = gr.Gallery(
            fit_columns=False,
            object_fit="contain",
            label="Faces found",
            columns=4,
            height=140,
            format="png",
            allow_preview=False,
            visible=False,
            buttons=[],
        )
    seen = gr.HTML(elem_id=f"{name}-seen")
    offer = draw_offer(name, picture)
    preset = gr.Radio(
        list(method.presets), value=next(iter(method.presets)), label="Preset", elem_id=f"{name}-preset"
    )
    with gr.Accordion("Options", open=False):
        knobs = controls(method.options)
        seed = gr.Number(
            0,
            precision=0,
            minimum=0,
            maximum=2**31 - 1,
            label="Seed",
            info="The same seed gives the same picture",
        )
        precision = gr.Radio(
            ["fast", "exact"],
            value="fast",
            label="Precision",
            info="fast: half precision where the processor is good at it; exact: float32 throughout",
        )
    task.change(
        lambda t: gr.update(visible=t == TASKS["known answer"]),
        task,
        shrinking,
        queue=False,
        api_visibility="private",
    )
    kind.input(
        lambda k: list(values_of(DEGRADATIONS[k]).values()),
        kind,
        list(degradation.values()),
        queue=False,
        api_visibility="private",
    )
    set_knobs = [knob for key, knob in knobs.items() if any(key in p for p in method.presets.values())]
    if set_knobs:
        preset.input(lambda p: _preset(method, p), preset, set_knobs, queue=False, api_visibility="private")
    inputs = Inputs(picture, task, degradation, align, face, paste_back, knobs, seed, precision)
    return inputs, [seen, found], offer


def _preset(method: Method, name: str) -> Any:
    """The values of a preset, for those knobs that any preset sets; others stay as the person left them."""
    options = values_of(parse_options(method.options, method.presets[name]))
    named = [key for key in options if any(key in p for p in method.presets.values())]
    values = [options[key] for key in named]
    return values if len(values) > 1 else values[0]


class _Outputs:
    """What a run fills."""

    def __init__(self, method: Method):
        name = method.name
        self.status = gr.HTML(show.message("Choose a picture and press Run."), elem_id=f"{name}-status")
        self.pictures = viewer(start="wipe", elem_id=f"{name}-pictures")
        gr.HTML(show.caution(method))
        self.downloads = gr.HTML(
            elem_id=f"{name}-files"
        )  # plain links: Gradio's button at times does nothing
        self.measures = gr.HTML(elem_id=f"{name}-measures")  # below: it grows while the buttons are in use
        self.views = gr.HTML(elem_id=f"{name}-views")
        self.replay = gr.Slider(
            0,
            1,
            value=0,
            step=1,
            label="Replay",
            info="The frames of the search",
            visible=HIDDEN,
            elem_id=f"{name}-replay",
        )
        self.moment = gr.Image(
            label="At that step",
            format="png",
            type="filepath",
            visible=HIDDEN,
            interactive=False,
            buttons=[],
            elem_id=f"{name}-moment",
        )
        self.shelf = gr.State(Shelf())

    def all(self) -> list[Any]:
        return [
            self.status, self.pictures, self.measures, self.downloads, self.views, self.replay,
            self.moment, self.shelf,
        ]  # fmt: skip


def _page_handler(
    method: Method, inputs: Inputs, outputs: _Outputs
) -> Callable[..., Iterator[dict[Any, Any]]]:
    def run(turn: RunState, *values: Any) -> Iterator[dict[Any, Any]]:
        # Each yield has the whole state, not only what changed: of updates that arrive together the browser
        # applies the last alone, and an output left out of that one would lose what came before.
        state: dict[Any, Any] = {}
        with told():
            for changed in turn.until_stopped(updates(values)):
                state |= changed
                yield dict(state)

    def updates(values: tuple[Any, ...]) -> Generator[dict[Any, Any], None, None]:
        picture, wanted = inputs.order(method, values)
        if picture is None:
            raise OptionError("no picture yet: drop one, paste one, or choose an example")
        shelf, told_of, hidden = Shelf(), 0, gr.update(visible=HIDDEN)
        empty: dict[Any, Any] = dict.fromkeys((outputs.measures, outputs.views, outputs.downloads), "")
        yield {outputs.status: show.message("Starting …")} | empty
        yield dict.fromkeys((outputs.replay, outputs.moment), hidden)
        for update in serve(picture, wanted, gpu.METER, gpu.frames):
            if update.frame is None or update.prepared is None:
                yield {outputs.status: show.message(update.text)}
            elif not update.finished:
                yield _live(method, outputs, update, shelf)
            else:
                if not shelf.result:
                    _shelve(shelf, wanted, update.prepared, update.frame)
                    yield _finished(method, outputs, update, shelf)
                table = show.metrics_table(update.readings, update.baseline)
                yield {outputs.measures: table + ("" if update.done else show.message(update.text))}
                if len(update.answers) > told_of:
                    told_of = len(update.answers)
                    yield {outputs.pictures: _pictures(method, shelf, update.answers)}

    return run


def _live(method: Method, outputs: _Outputs, update: Update, shelf: Shelf) -> dict[Any, Any]:
    """A frame on its way: small pictures only."""
    frame, prepared = update.frame, update.prepared
    assert frame is not None and prepared is not None
    image = files.save(to_png(show.preview(frame.image)), "live.png")
    if "live" not in shelf.others:
        shelf.others["live"] = image  # the first frame is the bicubic one
    if frame.step:
        shelf.replay.append(image)
        if len(shelf.replay) > KEPT:
            del shelf.replay[1::2]
    share = frame.step / max(frame.steps, 1)
    so_far = tile(
        "result", method.title, "running", f"step {frame.step} of {frame.steps}", image, progress=share
    )
    return {
        outputs.status: show.status(method, frame, prepared.notices),
        outputs.pictures: contents(
            [tile("bicubic", "Bicubic", "done", picture=shelf.others["live"]), so_far]
        ),
    } | ({outputs.views: show.views(frame.views)} if frame.views else {})


def _shelve(shelf: Shelf, wanted: Order, prepared: Prepared, frame: Frame) -> None:
    """Write the result and what it is compared with, at full size."""
    size = (frame.image.shape[-2], frame.image.shape[-1])
    name = f"gansr-{wanted.method.name}-{wanted.seed}"
    shelf.result = files.save(result_png(wanted, prepared, frame, gpu.ENGINE.describe()), f"{name}.png")
    bicubic = like_input(imresize(prepared.low, size).clamp(0, 1), prepared.grey)
    nearest = imresize(prepared.low, size, kernel="nearest")
    shelf.others = {
        "Bicubic": files.save(to_png(bicubic), "bicubic.png"),
        "Nearest": files.save(to_png(nearest), "nearest.png"),
    }
    shelf.answers = {
        title: files.save(to_png(answer), f"{title}.png") for title, answer in frame.answers.items()
    }
    if prepared.truth is not None and prepared.truth.shape == frame.image.shape:
        shelf.others["Truth"] = files.save(to_png(prepared.truth), "truth.png")


def _pictures(
    method: Method, shelf: Shelf, measured: Mapping[str, Sequence[MetricResult]] = MappingProxyType({})
) -> dict[str, Any]:
    """The viewer's tiles: bicubic and the result first, as the two that are compared; then the further answers."""
    bicubic, *others = shelf.others.items()
    made = [tile(title.lower(), title, "done", picture=path) for title, path in [bicubic, *others]]
    made.insert(1, tile("result", method.title, "done", picture=shelf.result))
    made[2:2] = [
        tile(title, title.capitalize(), "done", picture=path, note=show.metrics_line(measured.get(title, ())))
        for title, path in shelf.answers.items()
    ]
    return contents(made, truth=shelf.others.get("Truth"))


def _finished(method: Method, outputs: _Outputs, update: Update, shelf: Shelf) -> dict[Any, Any]:
    frame, prepared = update.frame, update.prepared
    assert frame is not None and prepared is not None
    extra = [files.save(content, name) for name, content in frame.files.items()]
    extra += shelf.answers.values()
    steps = len(shelf.replay)
    return {
        outputs.status: show.status(method, frame, prepared.notices, done=True),
        outputs.pictures: _pictures(method, shelf),
        outputs.downloads: _downloads(method, shelf.result, extra),
        outputs.views: show.views(frame.views),
        outputs.replay: gr.update(
            minimum=1, maximum=max(steps, 2), value=max(steps, 1), visible=steps > 2 or HIDDEN
        ),
        outputs.moment: gr.update(value=shelf.replay[-1] if steps > 2 else None, visible=steps > 2 or HIDDEN),
        outputs.shelf: shelf,
    }


def _downloads(method: Method, result: str, others: list[str]) -> str:
    """Links to the result and to the files besides."""

    def link(path: str, text: str, attributes: str = "") -> str:
        name = show.escape(Path(path).name)
        return f'<a href="{address(path)}" download="{name}"{attributes}>{show.escape(text)}</a>'

    words = f' class="download" id="{method.name}-download"'
    rows = "".join(f"<li>{link(path, Path(path).name)}</li>" for path in others)
    files = f"<div><b>More files</b><ul>{rows}</ul></div>" if rows else ""
    return f'<div class="files">{link(result, "Download the result (PNG, lossless)", words)}{files}</div>'


def _replayed(step: float, shelf: Shelf) -> Any:
    return shelf.replay[int(step) - 1] if 1 <= step <= len(shelf.replay) else gr.skip()


# ----------------------------------------------------------------------------- what the method will see


def _wire_look(method: Method, inputs: Inputs, outputs: list[Component]) -> None:
    """Show what the method will get, as soon as there is a picture: size, notices, the faces, or what is wrong."""
    seen, found = outputs
    canvases = [inputs.knobs[name] for name, (knob, _) in options_of(method.options).items() if knob.paint]

    def look(*values: Any) -> Iterator[dict[Any, Any]]:
        try:
            picture, wanted = inputs.order(method, values)
            if picture is None:
                yield {seen: "", found: gr.update(visible=False)}
                return
            opened = open_picture(picture)
            faced = method.accepts.seeks_face(wanted.options) and wanted.request.align
            for text, _ in gpu.METER.fetch((DETECTOR,) if faced else ()):
                yield {seen: show.message(text)}
            if faced:
                thumbs = [
                    (files.save(to_png(thumb), "face.png"), f"face {i + 1}")
                    for i, thumb in _thumbs(opened.rgb)
                ]
                yield {found: gr.update(value=thumbs, visible=len(thumbs) > 0)}
            prepared = prepare(
                opened, method, wanted.options, wanted.request, lambda: gpu.METER.net(DETECTOR)
            )
            height, width = prepared.low.shape[-2:]
            refused = refusal(method, height, width, wanted.options)
            yield {seen: _seen(prepared, refused)} | {canvas: _canvas(prepared) for canvas in canvases}
        except TOLD as error:
            yield {seen: show.message(str(error))}

    def chosen(event: gr.SelectData) -> int:
        return int(event.index) + 1

    watched = [inputs.picture, inputs.task, inputs.align, inputs.face, *inputs.degradation.values()]
    watched += [
        control
        for name, control in inputs.knobs.items()
        if name in ("side", "scale", "model", "generator", "job", "factor")
    ]
    gr.on(
        [control.change for control in watched],  # type: ignore[attr-defined]
        look,
        inputs.all(),
        [*outputs, *canvases],
        show_progress="hidden",
        api_visibility="private",
        trigger_mode="always_last",
        concurrency_limit=4,
        concurrency_id="look",
    )
    found.select(chosen, None, inputs.face, queue=False, api_visibility="private")  # type: ignore[attr-defined]


def _canvas(prepared: Prepared) -> dict[str, Any]:
    """What the method gets, to be painted on, in its own pixels."""
    return {"background": files.save(to_png(prepared.low), "input.png"), "layers": [], "composite": None}


def _thumbs(rgb: Tensor) -> list[tuple[int, Tensor]]:
    found = faces.detect(rgb, gpu.METER.net(DETECTOR))[:8]
    return [(i, faces.thumbnail(rgb, face)) for i, face in enumerate(found)]


def _seen(prepared: Prepared, refused: str | None = None) -> str:
    """What the method gets, and why it cannot take it if so."""
    height, width = prepared.low.shape[-2:]
    head = f"The method gets {width}×{height} px" if refused is None else show.escape(refused)
    notes = "".join(f"<li>{note}</li>" for note in map(show.escape, prepared.notices))
    small = show.preview(prepared.low, 256)
    kind = "pixels" if max(height, width) <= 128 else ""
    return (
        f'<div class="seen"><img class="{kind}" alt="the input of the method" src="{show.data_uri(small)}">'
        f"<div><b>{head}</b><ul>{notes}</ul></div></div>"
    )


# --------------------------------------------------------------------------------------------- the API


def _draw_api(method: Method, inputs: Inputs, limits: dict[str, Any]) -> None:
    """`client.predict(picture=…, api_name="/srgan")` → (the result's PNG, a report)."""
    with gr.Group(visible=False):
        button, result, report = gr.Button("API"), gr.File(), gr.JSON()

    def run(*values: Any) -> Iterator[tuple[Any, Any]]:
        with told():
            picture, wanted = inputs.order(method, values)
            if picture is None:
                raise OptionError("no picture: give one as `picture`")
            path = ""
            for update in serve(picture, wanted, gpu.METER, gpu.frames):
                frame = update.frame
                if frame is None or update.prepared is None:
                    yield None, {"status": update.text}
                elif not update.finished:
                    yield None, {"step": frame.step, "steps": frame.steps, "readings": dict(frame.readings)}
                else:
                    device = gpu.ENGINE.describe()
                    path = path or files.save(
                        result_png(wanted, update.prepared, frame, device), f"{method.name}.png"
                    )
                    yield path, _report(wanted, update, device)

    run.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in inputs.names()]
    )
    button.click(run, inputs.all(), [result, report], api_name=method.name, **limits)


def _report(wanted: Order, update: Update, device: str) -> dict[str, Any]:
    assert update.frame is not None and update.prepared is not None
    notices = [*update.prepared.notices, *update.frame.notices]
    measures = {
        row.metric.name: row.value if row.value is not None else row.reason for row in update.readings
    }
    recipe = receipt(wanted, update.prepared, update.frame, device)
    answers = {
        title: {row.metric.name: row.value for row in rows if row.value is not None}
        for title, rows in update.answers.items()
    }
    return {
        "measures": measures,
        "answers": answers,
        "bicubic": dict(update.baseline or {}),
        "notices": notices,
        "receipt": recipe,
    }


@contextmanager
def told() -> Iterator[None]:
    """What is meant for the person reaches him: of all exceptions Gradio shows only gr.Error's text."""
    try:
        yield
    except TOLD as error:
        raise gr.Error(str(error), duration=None, print_exception=False) from None
