"""One request, from a file to a measured result. The page, the API and the command line all come through here.

picture → options checked → weights fetched → input prepared → frames → result → measurements, each handed out as
an `Update` as soon as it is there.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from gansr import __version__, faces, weights
from gansr.engine import Engine, Job, MetricResult, Precision, like_input
from gansr.method import Frame, InputError, Method, MethodError
from gansr.metrics import METRICS
from gansr.ops.degrade import Degradation
from gansr.ops.resize import imresize
from gansr.options import OptionError, options_of, parse_options
from gansr.picture import Picture, PictureError, open_picture, to_png
from gansr.prepare import TASKS, Prepared, Request, Task, pasted, prepare

# What is said to the person as it stands; any other exception is a fault of ours.
TOLD = (PictureError, OptionError, InputError, MethodError, faces.FaceError, weights.WeightsError)
DETECTOR = "scrfd-500m"
EACH = ("consistency", "psnr_y", "identity", "lpips_alex")  # what is measured of each of several answers
DEAR_PIXELS = (
    1_500_000  # above this, measures by a network (LPIPS-VGG: 10 s a megapixel) skip the bicubic one
)

Frames = Callable[[str, Tensor, Any, int, Precision], Iterator[Frame]]


@dataclass(frozen=True)
class Order:
    """A checked request: everything a run depends on but the picture."""

    method: Method
    options: Any
    request: Request
    seed: int = 0
    precision: Precision = "fast"


@dataclass(frozen=True)
class Update:
    """What there is to see now. `text` alone while weights are fetched; `done` once nothing more comes."""

    text: str = ""
    prepared: Prepared | None = None
    frame: Frame | None = None
    finished: bool = False  # the frame is the result; measurements may follow
    readings: tuple[MetricResult, ...] = ()
    baseline: Mapping[str, float] | None = None  # the same measures of the bicubic enlargement
    done: bool = False
    answers: Mapping[str, tuple[MetricResult, ...]] = field(
        default_factory=dict
    )  # of each further answer, EACH


def order(method: Method, values: Mapping[str, Any], request: Request, seed: Any, precision: Any) -> Order:
    """Untrusted values → an order. Raises OptionError."""
    seed = whole("seed", seed, 0, 2**31 - 1)
    if precision not in ("fast", "exact"):
        raise OptionError(f"precision must be fast or exact, not {str(precision)[:40]!r}")
    return Order(method, parse_options(method.options, values), request, seed, precision)


def request_of(
    task: Any, shrinking: Mapping[str, Any], align: Any, face: Any, paste_back: Any = False
) -> Request:
    """Untrusted values → a request. `task` by its name or its title, `face` counted from 1. Raises OptionError."""
    named: Task | None = next((name for name, title in TASKS.items() if task in (name, title)), None)
    if named is None:
        raise OptionError(f"task must be one of {', '.join(TASKS)}, not {str(task)[:40]!r}")
    for name, value in (("align", align), ("paste_back", paste_back)):
        if not isinstance(value, bool):
            raise OptionError(f"{name} must be true or false, not {str(value)[:40]!r}")
    which = whole("face", face, 1, 99) - 1
    return Request(named, parse_options(Degradation, shrinking), align, which, paste_back)


def whole(name: str, value: Any, least: int, most: int) -> int:
    """An untrusted whole number. Raises OptionError."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if not number or value != int(value) or not least <= value <= most:
        raise OptionError(f"{name} must be a whole number from {least} to {most}, not {str(value)[:40]!r}")
    return int(value)


def serve(
    source: str | Path | bytes | Picture,
    wanted: Order,
    engine: Engine,
    frames: Frames,
    truth: Picture | None = None,
) -> Iterator[Update]:
    """The updates of one request. `frames` runs the job (`gpu.frames`, or `here(engine)`); `engine` measures.
    `truth` is the true picture where the person has both.

    Raises one of TOLD, whose text is meant for the person.
    """
    picture = source if isinstance(source, Picture) else open_picture(source)
    yield from _fetched(wanted, engine)
    prepared = prepare(picture, wanted.method, wanted.options, wanted.request, lambda: engine.net(DETECTOR))
    if truth is not None:
        prepared = replace(prepared, truth=truth.rgb)
    engine.check(Job(wanted.method, prepared.low, wanted.options, wanted.seed, wanted.precision))
    frame = None
    for frame in frames(wanted.method.name, prepared.low, wanted.options, wanted.seed, wanted.precision):
        shown = replace(frame, image=like_input(frame.image, prepared.grey))
        yield Update(prepared=prepared, frame=shown)
    if frame is None or frame.step == 0:
        raise MethodError("the run ended before its first step: press Run again")
    result = replace(frame, image=like_input(frame.image, prepared.grey))
    if wanted.request.paste_back and (photo := pasted(prepared, result.image)) is not None:
        result = replace(result, files={**result.files, "photo.png": to_png(photo)})
    yield Update(prepared=prepared, frame=result, finished=True)
    yield from _measured(result, prepared, engine, wanted)


def here(engine: Engine) -> Frames:
    """`frames` for `serve`, in this process."""
    from gansr.papers import METHODS

    by_name = {method.name: method for method in METHODS}

    def frames(name: str, low: Tensor, options: Any, seed: int, precision: Precision) -> Iterator[Frame]:
        return engine.stream(Job(by_name[name], low, options, seed, precision))

    return frames


def _fetched(wanted: Order, engine: Engine) -> Iterator[Update]:
    names = tuple(wanted.method.needs(wanted.method, wanted.options).values())
    if wanted.method.accepts.seeks_face(wanted.options) and wanted.request.align:
        names = (*names, DETECTOR)
    for text, share in engine.fetch(names):
        yield Update(text=text if share is None else f"{text}: {100 * share:.0f} %")


def _measured(result: Frame, prepared: Prepared, engine: Engine, wanted: Order) -> Iterator[Update]:
    """One update a metric, so that the cheap ones are seen while the dear ones are computed."""
    face = wanted.method.accepts.seeks_face(wanted.options)
    for name in {name for metric in METRICS if face or not metric.faces for name in metric.weights.values()}:
        try:
            for text, share in engine.fetch((name,)):
                said = text if share is None else f"{text}: {100 * share:.0f} %"
                yield Update(said, prepared, result, finished=True)
        except weights.WeightsError:
            pass  # the metric that needs it gives the reason
    size = (result.image.shape[-2], result.image.shape[-1])
    bicubic = imresize(prepared.low, size).clamp(0, 1)
    common = (prepared.low, prepared.shrink, prepared.truth)
    rows: list[MetricResult] = []
    baseline: dict[str, float] = {}
    for metric in METRICS:
        if metric.faces and not face:
            continue
        rows += engine.measure(result.image, *common, face=face, metrics=(metric,))
        dear = bool(metric.weights) and size[0] * size[1] > DEAR_PIXELS
        if rows[-1].value is not None and not dear:
            (other,) = engine.measure(bicubic, *common, face=face, metrics=(metric,))
            baseline |= {metric.name: other.value} if other.value is not None else {}
        yield Update("measuring", prepared, result, True, tuple(rows), dict(baseline))
    answers: dict[str, tuple[MetricResult, ...]] = {}
    each = tuple(metric for metric in METRICS if metric.name in EACH)
    for title, answer in result.answers.items():
        answers[title] = tuple(engine.measure(answer, *common, face=face, metrics=each))
        yield Update("measuring", prepared, result, True, tuple(rows), dict(baseline), answers=dict(answers))
    yield Update("", prepared, result, True, tuple(rows), dict(baseline), done=True, answers=answers)


def receipt(wanted: Order, prepared: Prepared, frame: Frame, device: str) -> dict[str, Any]:
    """What reproduces the result: method, options, seed, weights' hashes, code version, input hash, device."""
    described = options_of(wanted.method.options)
    options = {
        name: _plain(getattr(wanted.options, name), described[name][0].read is not None) for name in described
    }
    needs = wanted.method.needs(wanted.method, wanted.options)
    return {
        "gansr": __version__,
        "method": wanted.method.name,
        "options": options,
        "seed": wanted.seed,
        "precision": wanted.precision,
        "request": {k: v for k, v in asdict(wanted.request).items() if k != "degradation"}
        | {"degradation": {k: _plain(v) for k, v in asdict(wanted.request.degradation).items()}},
        "weights": {role: {"name": name, "sha256": weights.digest(name)} for role, name in needs.items()},
        "input_sha256": hashlib.sha256(prepared.low.mul(65535).round().int().numpy().tobytes()).hexdigest(),
        "input_size": [prepared.low.shape[-1], prepared.low.shape[-2]],
        "steps": frame.step,
        "device": device,
        "seconds": {"waited": round(frame.waited, 3), "computed": round(frame.computed, 3)},
    }


def result_png(wanted: Order, prepared: Prepared, frame: Frame, device: str) -> bytes:
    """The result as a lossless PNG with its alpha, and the receipt in the text chunk `gansr`."""
    recipe = json.dumps(receipt(wanted, prepared, frame, device))
    return to_png(frame.image, prepared.alpha_for(frame.image), grey=prepared.grey, text={"gansr": recipe})


def _plain(value: Any, file: bool = False) -> Any:
    if isinstance(value, Tensor):
        return "sha256:" + hashlib.sha256(value.detach().cpu().numpy().tobytes()).hexdigest()
    return ("a file" if value is not None else None) if file else value
