"""Every method on benchmark pictures: python -m gansr bench pictures --data DIR [--sets Set5 Set14] [--scale 4].

DIR holds Set5/x4/001_HR.png and 001_LR.png, …: the customary pairs, the small pictures made by MATLAB's bicubic. Each
small picture goes through the pipeline of the page (gansr.pipeline), with the large one as the truth: so the numbers
are those that the page shows. Bicubic is MATLAB's imresize of the small picture.

With `record`, each result is added to that file as soon as it is measured (gansr.results.records). A result that is
there for the same method, options, picture and version is not computed again.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gansr import metrics, papers, receipt, weights
from gansr.bench import BenchError, Row
from gansr.compare.plan import Entry, plan
from gansr.engine import like_input
from gansr.inputs import MethodInput
from gansr.method import Frame, Method, Numerics
from gansr.ops.degrade import Degradation, shrink
from gansr.ops.resize import imresize
from gansr.options import OptionError, options_of, plain_values
from gansr.papers.srgan import LOSSES
from gansr.picture import Picture, open_picture
from gansr.pipeline import USER_ERRORS, Pipeline
from gansr.problem import Problem
from gansr.request import Request, decode, fields_of, from_texts
from gansr.results import records
from gansr.results.means import Series, series_of, value_of
from gansr.results.records import BICUBIC, Record, RecordError
from gansr.version import version

SETS = ("Set5", "Set14")
# The models that a method's name stands for; others: the usual one.
MODELS = {"srgan": tuple(LOSSES)}
OF_PROBLEM = ("scale",)  # options that the factor decides, so that no variant is named by them


@dataclass(frozen=True)
class Settings:
    """What is run on each picture."""

    cases: tuple[str, ...]  # "bicubic", "kernelgan", "srgan/srresnet"
    texts: Mapping[str, str] = field(default_factory=dict)  # option → value, for those methods that have it
    sets: tuple[str, ...] = SETS
    scale: int = 4
    record: Path | None = None


@dataclass(frozen=True)
class Pair:
    """One picture of a dataset: the small one and the truth. `prepared` is what metrics keep of the truth."""

    dataset: str
    name: str  # "001"
    low: Path
    truth: Path
    prepared: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)


def settings_of(
    names: Sequence[str] | None,
    texts: Mapping[str, str],
    sets: Sequence[str],
    scale: int,
    record: Path | None,
) -> Settings:
    """The command's arguments, checked. A name is METHOD, METHOD/MODEL or bicubic; None stands for all. Raises
    BenchError for a method, model or option that there is not."""
    wanted = names or [BICUBIC, *(method.name for method in papers.METHODS)]
    cases = tuple(dict.fromkeys(case for name in wanted for case in _cases(name)))
    settings = Settings(cases, texts, tuple(sets), scale, record)
    methods = [_method(case) for case in cases if case != BICUBIC]
    if wrong := set(texts) - {name for method in methods for name in fields_of(method)}:
        raise BenchError(f"none of these methods has an option {min(wrong)!r}")
    for case in cases:
        if case != BICUBIC:
            _request(case, settings)
    return settings


def pairs(data: Path, dataset: str, scale: int) -> list[Pair]:
    """The pictures of DATA/DATASET/xSCALE. Raises BenchError where one is missing."""
    folder = data / dataset / f"x{scale}"
    found = sorted(folder.glob("*_LR.png"))
    if not found:
        raise BenchError(f"{folder} has no pairs NNN_LR.png, NNN_HR.png")
    made = [Pair(dataset, p.stem[:-3], p, p.with_name(p.name.replace("_LR", "_HR"))) for p in found]
    if missing := [pair.truth for pair in made if not pair.truth.is_file()]:
        raise BenchError(f"{missing[0]} is missing")
    return made


def rows(data: Path, settings: Settings, pipeline: Pipeline) -> Iterator[Row]:
    """The means over the pictures of each dataset and their 95 % intervals, after all pictures: (case, method, metric,
    value). A line for each result goes to the error stream. Raises BenchError."""
    listed = [pair for dataset in settings.sets for pair in pairs(data, dataset, settings.scale)]
    try:
        known = records.read(settings.record) if settings.record and settings.record.exists() else []
    except RecordError as error:
        raise BenchError(str(error)) from None
    found: list[Record] = []
    for pair in listed:
        for case in settings.cases:
            if (record := _measured(pair, case, settings, pipeline, known)) is not None:
                found.append(record)
        pair.prepared.clear()
    for series in series_of(found):
        yield from _means(series)


def variant_of(request: Request) -> str:
    """What of the options differs from those of the first preset, in short: "srresnet", "iterations=3000 exact".

    A model is named always, without its option; what the factor decides is left out.
    """
    method = request.method
    usual = plain_values(decode(method, dict(next(iter(method.presets.values())))).options)
    now = plain_values(request.options)
    parts = [str(now["model"])] if "model" in now else []
    for name, value in now.items():
        if name not in ("model", *OF_PROBLEM) and value != usual[name]:
            parts.append(f"{name}={value}" if isinstance(value, (str, int, float)) else name)
    return " ".join(parts + (["exact"] if request.precision == "exact" else []))[:80]


# ------------------------------------------------------------------------------------------------- cases


def _cases(name: str) -> Iterator[str]:
    if name == BICUBIC:
        yield name
        return
    method, model = _method(name), name.partition("/")[2]
    if model:
        allowed = (
            options_of(method.options)["model"][0].choices if "model" in options_of(method.options) else ()
        )
        if model not in (allowed or ()):
            raise BenchError(f"{method.title} has no model {model!r}; there are: {', '.join(allowed or ())}")
        yield name
    else:
        yield from (f"{name}/{each}" for each in MODELS.get(name, ())) if name in MODELS else (name,)


def _method(case: str) -> Method:
    try:
        return papers.by_name(case.partition("/")[0])
    except OptionError as error:
        raise BenchError(f"{error}, {BICUBIC}") from None


def _request(case: str, settings: Settings) -> Request:
    """The request of a case, without the factor, with the usual options of the method's first preset."""
    method, model = _method(case), case.partition("/")[2]
    try:
        texts = {name: text for name, text in settings.texts.items() if name in fields_of(method)}
        values = dict(next(iter(method.presets.values()))) | ({"model": model} if model else {})
        return decode(method, values | from_texts(method, texts))
    except OptionError as error:
        raise BenchError(f"{method.title}: {error}") from None


# ----------------------------------------------------------------------------------------------- results


def _measured(
    pair: Pair, case: str, settings: Settings, pipeline: Pipeline, known: list[Record]
) -> Record | None:
    """The record of one case on one picture: that of the file, or a new one, which is added to the file. None where the
    method does not solve the problem; the error stream says why."""
    label = f"{pair.dataset} x{settings.scale} {pair.name} {case}"
    try:
        low, truth = open_picture(pair.low), open_picture(pair.truth)
        if case == BICUBIC:
            blank = _blank(pair, settings, truth, version())
            make = partial(_bicubic, low, truth, blank, pipeline, pair.prepared)
        else:
            entry = _posed(low, truth, case, settings, pipeline)
            if entry.state != "waiting":
                print(f"{label}: does not run: {entry.text}", file=sys.stderr, flush=True)
                return None
            blank = _of(entry.request, _blank(pair, settings, truth, version()))
            make = partial(_result, pair, truth, entry.request, blank, pipeline)
        there = next((record for record in known if _is_same(record, blank)), None)
        found = there or make()
        if found is None:
            print(f"{label}: cut short by the deadline, so not recorded", file=sys.stderr, flush=True)
            return None
    except USER_ERRORS as error:
        raise BenchError(f"{label}: {error}") from None
    said = ", ".join(f"{name} {value:.4g}" for name, value in found.metrics.items())
    print(
        f"{label}: {said}, {found.seconds:.1f} s{' (recorded)' if there else ''}", file=sys.stderr, flush=True
    )
    if settings.record is not None and there is None:
        records.append(settings.record, records.parse(records.plain(found)))
    return found


def _is_same(record: Record, blank: Record) -> bool:
    """Whether a record is of the same method, options, picture and version."""
    same = ("method", "variant", "version", "dataset", "picture", "degradation", "options", "seed", "weights")
    return record.verification == "re-run" and all(
        getattr(record, name) == getattr(blank, name) for name in same
    )


def _posed(low: Picture, truth: Picture, case: str, settings: Settings, pipeline: Pipeline) -> Entry:
    """The method's part of the problem "the picture as it is, enlarged by the factor", as Compare poses it."""
    request = _request(case, settings)
    for _ in pipeline.fetch(low, request):
        pass
    return plan(low, [request], Problem(0, settings.scale), pipeline, truth).entries[0]


def _blank(pair: Pair, settings: Settings, truth: Picture, made_by: str) -> Record:
    """A record of bicubic without values."""
    height, width = truth.rgb.shape[-2:]
    return Record(
        schema=records.SCHEMA,
        method=BICUBIC,
        variant="",
        version=made_by,
        dataset=pair.dataset,
        picture=pair.name,
        degradation={**records.ADDED, "factor": settings.scale, **plain_values(Degradation())},
        size=(width, height),
        metrics={},
        seconds=0.0,
        weights={},
        options={},
        seed=0,
        numerics={},
        date=datetime.now(timezone.utc).date().isoformat(),
        verification="re-run",
    )


def _of(request: Request, blank: Record) -> Record:
    """The same with what is known of a method before it runs."""
    return replace(
        blank,
        method=request.method.name,
        variant=variant_of(request),
        degradation=records.degradation_of(blank.factor, receipt.flat(request)),
        weights={
            role: {"name": name, "sha256": weights.digest(name)} for role, name in request.weights.items()
        },
        options={name: _without_content(value) for name, value in receipt.flat(request).items()},
        seed=request.seed,
    )


def _result(pair: Pair, truth: Picture, request: Request, blank: Record, pipeline: Pipeline) -> Record | None:
    """What the page shows for the small picture with its truth; None where the deadline ended the run: the best
    so far depends on the speed of the machine."""
    frame: Frame | None = None
    given: MethodInput | None = None
    for update in pipeline.run(pair.low, request, truth, measure=False):
        frame, given = update.frame or frame, update.given or given
    assert frame is not None and frame.numerics is not None and given is not None  # or run has raised
    if frame.step < frame.steps:
        return None
    return replace(
        blank,
        metrics=_metrics(pipeline, frame.image, given.low, given.shrink, truth, pair.prepared),
        seconds=round(frame.computed, 4),
        numerics=asdict(frame.numerics),
    )


def _bicubic(
    low: Picture, truth: Picture, blank: Record, pipeline: Pipeline, prepared: dict[str, Any]
) -> Record:
    """MATLAB's bicubic of the small picture, in float32 on the processor, measured as results are."""
    start = time.perf_counter()
    image = like_input(imresize(low.rgb, blank.factor).clamp(0, 1), low.grey)
    seconds = time.perf_counter() - start
    size = (low.rgb.shape[-2], low.rgb.shape[-1])
    device = f"CPU {torch.backends.cpu.get_cpu_capability()}"
    numerics = Numerics(device, "float32", "", torch.get_num_threads(), torch.__version__)
    return replace(
        blank,
        metrics=_metrics(
            pipeline, image, low.rgb, lambda result: shrink(result, size, Degradation()), truth, prepared
        ),
        seconds=round(seconds, 4),
        numerics=asdict(numerics),
    )


def _metrics(
    pipeline: Pipeline,
    image: Tensor,
    low: Tensor,
    shrunk: Callable[[Tensor], Tensor],
    truth: Picture,
    prepared: dict[str, Any],
) -> dict[str, float]:
    """Every metric that is not for faces, in float32. Values that are infinite are left out: JSON has no infinity, and
    it has no mean."""
    wanted = tuple(metric for metric in metrics.METRICS if not metric.faces)
    for _ in pipeline.fetch_metrics(wanted):
        pass
    found = pipeline.engine.measure(image, low, shrunk, truth.rgb, metrics=wanted, prepared=prepared)
    return {one.metric.name: one.value for one in found if one.value is not None and math.isfinite(one.value)}


def _without_content(value: Any) -> Any:
    """An option that is a file by its hash alone."""
    return {name: value[name] for name in records.FILE} if isinstance(value, dict) else value


def _means(series: Series) -> Iterator[Row]:
    first = series.first
    case, model = f"{first.dataset} x{first.factor}", " ".join(filter(None, (first.method, first.variant)))
    yield Row(case, model, "pictures", float(len(series.records)))
    for name in (*(metric.name for metric in metrics.METRICS), "seconds"):
        if any(value_of(record, name) is not None for record in series.records):
            mean = series.mean(name)
            assert mean is not None
            yield Row(case, model, name, mean.value)
            if mean.interval is not None:
                yield Row(case, model, f"{name} ±", mean.interval)
