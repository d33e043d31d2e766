"""One request, from a file to a measured result. The page, the API and the command line all come through here.

picture → weights fetched → input → frames → result → measurements, each handed out as an `Update` as soon as it is
there. A `Pipeline` holds what a request needs: the backend that runs jobs, the engine that measures, and the inputs.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from gansr import faults, metrics, weights
from gansr.backends import Backend
from gansr.backends.local import Local
from gansr.engine import Engine, MetricResult, like_input
from gansr.faces import FaceError
from gansr.faults import Faulty
from gansr.inputs import DETECTOR, Inputs, MethodInput, Source
from gansr.job import Job, Wanted
from gansr.method import Frame, InputError, Measured, MethodError
from gansr.metric import Metric
from gansr.ops.colour import to8bit
from gansr.ops.degrade import Degradation
from gansr.ops.resize import imresize
from gansr.options import OptionError
from gansr.picture import Picture, PictureError, to_png
from gansr.request import Request

RESTARTS = "The server restarts. Press Run again in a minute."
CUT_SHORT = "the server restarts; this is the best so far"

# Their text is meant for the user; any other exception is an internal error.
USER_ERRORS = (PictureError, OptionError, InputError, MethodError, FaceError, weights.WeightsError)
FOR_EACH_ANSWER = ("consistency", "psnr_y", "identity", "lpips_alex")  # measured of each of several answers
EXPENSIVE_PIXELS = (
    1_500_000  # above this, a network's metrics skip the baseline (LPIPS-VGG: 10 s a megapixel)
)


@dataclass(frozen=True)
class Update:
    """What there is to see now. `text` alone while weights are fetched; `done` once nothing more comes."""

    text: str = ""
    given: MethodInput | None = None
    frame: Frame | None = None
    finished: bool = False  # the frame is the result; measurements may follow
    native: Tensor | None = None  # the result as the method gave it, where the problem asks for another size
    measured: tuple[MetricResult, ...] = ()
    baseline_title: str = "Bicubic"  # what the result is compared with, see `baseline_of`
    baseline: Mapping[str, float] | None = None  # the same metrics of it
    baseline_reasons: Mapping[str, str] = field(
        default_factory=dict
    )  # metric → why the baseline has no value
    answers: Mapping[str, tuple[MetricResult, ...]] = field(default_factory=dict)  # of each further answer
    done: bool = False


@dataclass(frozen=True)
class _Aim:
    """What results of one request are measured against."""

    request: Request
    given: MethodInput
    read: Tensor  # (3,h,w): what the run reads of its input

    def shrink(self, result: Tensor) -> Tensor:
        """A result (3,H,W) made into what the run would read of it."""
        return self.request.reads(self.given.shrink(result))[1]

    def is_reached(self, picture: Tensor, metric: Metric) -> bool:
        """Whether `metric` would compare equal pictures of which neither was enlarged: its value then says nothing."""
        shown = to8bit(picture)
        if metric.against == "truth":
            return self.given.truth is not None and torch.equal(shown, self.given.truth)
        same_size = metric.against == "input" and self.request.scale == 1
        return same_size and torch.equal(to8bit(self.shrink(shown)), to8bit(self.read))


class Pipeline:
    """Runs requests. `backend` computes, `engine` measures and keeps what is loaded for that."""

    def __init__(self, engine: Engine, backend: Backend | None = None, inputs: Inputs | None = None):
        self.engine = engine
        self.backend = backend or Local(engine)
        self.inputs = inputs or Inputs(lambda: engine.net(DETECTOR))

    def drain(self) -> None:
        """Begin nothing more: a running job ends after its current step with its best so far and is not measured;
        those that wait or come are told that the server restarts."""
        self.engine.turns.close(RESTARTS)

    @property
    def draining(self) -> bool:
        """Whether `drain` was called."""
        return bool(self.engine.turns.closed)

    def run(
        self,
        source: Source,
        request: Request,
        truth: Picture | None = None,
        threads: int | None = None,
        owner: str = "",
        measure: bool = True,
    ) -> Generator[Update, None, None]:
        """The updates of one request. `truth` is the true picture where the user has both; `threads` the number of
        threads to compute with, for a replay; `owner` whose request it is: waiting owners are served in rotation.
        Without `measure` the result is the last update.

        Raises one of USER_ERRORS.
        """
        if self.draining:
            raise MethodError(RESTARTS)
        picture = self.inputs.open(source)
        yield from self.fetch(picture, request)
        given = self.inputs.make(picture, request)
        if truth is not None:
            given = replace(given, truth=truth.rgb)
        job = job_of(request, given, threads, owner)
        self.engine.check(job)
        given = _with_truth(request, given)
        title, start = baseline_of(request, given)
        as_it_is = given.size is None and not given.grey  # the result is measured as the method gives it
        if measure and self.backend.measures and given.truth is not None and as_it_is:
            job = replace(job, wanted=Wanted(given.truth, start))
        frame, runs = None, 1 + len(request.faulty)
        for frame in self.backend.frames(job):
            if self.draining and 0 < frame.step < frame.steps:
                frame = replace(frame, notices=(*frame.notices, CUT_SHORT))
                break
            shown = _asked_for(frame, given) if frame.step else replace(frame, image=start)
            yield Update(given=given, frame=faults.part(shown, 0, runs), baseline_title=title)
        if frame is None or frame.step == 0:
            raise MethodError("the run ended before its first step: press Run again")
        result = _asked_for(frame, given)
        native = None if result.image.shape == frame.image.shape else like_input(frame.image, given.grey)
        if request.paste_back and (photo := given.pasted(result.image)) is not None:
            result = replace(result, files={**result.files, "photo.png": to_png(photo)})
        found: dict[str, Faulty] = {}
        if request.faulty and not self.draining:
            result = yield from self._with_faults(picture, request, given, result, found, threads, owner)
        base = Update(
            given=given,
            frame=result,
            finished=True,
            baseline_title=title,
            answers={name: one.measured for name, one in found.items()},
        )
        yield replace(base, native=native)
        if measure:
            yield from self._measured(base, result, given, request, owner)

    def result(
        self, source: Source, request: Request, threads: int | None = None
    ) -> tuple[MethodInput, Frame]:
        """The input and the last frame of one request, not measured."""
        for update in self.run(source, request, threads=threads):
            if update.finished and update.given is not None and update.frame is not None:
                return update.given, update.frame
        raise MethodError("the run ended without a result: press Run again")

    def fetch(self, picture: Picture, request: Request) -> Iterator[Update]:
        """Bring what the request loads for this picture, telling how far it is."""
        yield from self._fetch(tuple(request.weights.values()))
        if self.inputs.needs_face(picture, request):
            yield from self.fetch_detector()

    def fetch_detector(self) -> Iterator[Update]:
        """Bring what finds faces."""
        yield from self._fetch((DETECTOR,))

    def fetch_metrics(self, wanted: Iterable[Metric]) -> Iterator[Update]:
        """Bring what metrics load. One that cannot be brought is no error: its metric gives the reason."""
        for name in dict.fromkeys(name for metric in wanted for name in metric.weights.values()):
            with suppress(weights.WeightsError, MethodError):
                yield from self._fetch((name,))

    def _fetch(self, names: tuple[str, ...]) -> Iterator[Update]:
        for text, share in self.engine.fetch(names):
            yield Update(text=text if share is None else f"{text}: {100 * share:.0f} %")

    def _with_faults(
        self,
        picture: Picture,
        request: Request,
        given: MethodInput,
        clean: Frame,
        found: dict[str, Faulty],
        threads: int | None,
        owner: str,
    ) -> Generator[Update, None, Frame]:
        """Run the request on its input with each of `request.faulty`, and put the results into `found`; returns `clean`
        with them. One that fails ends it, with a notice."""
        wanted, prepared, last = faults.distances(request.for_faces), dict[str, Any](), Update(given=given)
        yield from self.fetch_metrics(wanted)
        runs, reference = 1 + len(request.faulty), faults.small(clean.image)
        for index, (name, degradation) in enumerate(request.faulty.items(), 1):
            made, image = self.inputs.make(picture, replace(request, degradation=degradation)), None
            try:
                for frame in self.backend.frames(job_of(request, made, threads, owner)):
                    if self.draining:
                        return faults.joined(clean, given.low, found)
                    if frame.step:
                        shown = _asked_for(frame, given)
                        image, last = shown.image, Update(given=given, frame=faults.part(shown, index, runs))
                        yield last
            except MethodError as error:
                clean = replace(
                    clean, notices=(*clean.notices, f"the robustness strip ended at {name}: {error}")
                )
                break
            if image is None:
                break
            rows: list[MetricResult] = []
            for metric in wanted:
                measuring = self.engine.measuring(
                    faults.small(image),
                    made.low,
                    made.shrink,
                    reference,
                    metric,
                    owner,
                    prepared,
                    request.precision,
                )
                for row in measuring:
                    if row is not None:
                        rows.append(row)
                    else:
                        yield replace(last, text="measuring")
            found[name] = Faulty(made.low, image, tuple(rows))
        return faults.joined(clean, given.low, found)

    def _measured(
        self, base: Update, result: Frame, given: MethodInput, request: Request, owner: str
    ) -> Iterator[Update]:
        """One update a metric, so that the cheap ones are seen while the expensive ones are computed; and some while
        they wait for the device."""
        _, compared = baseline_of(request, given)
        aim = _Aim(request, given, request.reads(given.low)[1])
        if self.draining:
            yield replace(base, done=True)
            return
        wanted = tuple(m for m in metrics.METRICS if request.for_faces or not m.faces)
        beside = result.measured or Measured()
        for update in self.fetch_metrics(wanted):
            yield replace(base, text=update.text)
        pixels = result.image.shape[-2] * result.image.shape[-1]
        base = replace(base, baseline={})
        for metric in wanted:
            row = yield from self._measure(result.image, aim, metric, owner, base, beside.result)
            if metric.against == "input" and aim.is_reached(result.image, metric):
                row = MetricResult(metric, None, "the same by construction: these pixels are put back")
            baseline, reasons = dict(base.baseline or {}), dict(base.baseline_reasons)
            expensive = bool(metric.weights) and pixels > EXPENSIVE_PIXELS
            if row.value is not None and aim.is_reached(compared, metric):
                reasons[metric.name] = "it would be compared with itself"
            elif row.value is not None and (metric.name in beside.baseline or not expensive):
                other = yield from self._measure(compared, aim, metric, owner, base, beside.baseline)
                baseline |= {metric.name: other.value} if other.value is not None else {}
            base = replace(base, measured=(*base.measured, row), baseline=baseline, baseline_reasons=reasons)
            yield replace(base, text="measuring")
        each = tuple(metric for metric in wanted if metric.name in FOR_EACH_ANSWER)
        for title, answer in result.answers.items():
            if title in base.answers:  # of an input with a fault: measured against the result without
                continue
            rows: tuple[MetricResult, ...] = ()
            for metric in each:
                row = yield from self._measure(answer, aim, metric, owner, base)
                rows = (*rows, row)
            base = replace(base, answers={**base.answers, title: rows})
            yield replace(base, text="measuring")
        yield replace(base, done=True)

    def _measure(
        self,
        image: Tensor,
        aim: _Aim,
        metric: Metric,
        owner: str,
        so_far: Update,
        known: Mapping[str, float] = MappingProxyType({}),
    ) -> Generator[Update, None, MetricResult]:
        """The metric of a picture; `so_far` again whenever it has waited for the device. known: values that were
        measured where the job was computed."""
        if metric.against == "input" and aim.request.departs:
            return MetricResult(metric, None, aim.request.departs)
        if metric.name in known:
            return MetricResult(metric, known[metric.name])
        for found in self.engine.measuring(image, aim.read, aim.shrink, aim.given.truth, metric, owner):
            if found is not None:
                return found
            yield replace(so_far, text="measuring")
        raise AssertionError("measuring ends with a result")


def baseline_of(request: Request, given: MethodInput) -> tuple[str, Tensor]:
    """What a result is compared with: the title, and what the method was given (`Method.reads`), enlarged by MATLAB's
    bicubic to the result's size, (3,H,W) in [0,1]."""
    title, read = request.reads(given.low)
    height, width = given.size or [side * request.scale for side in given.low.shape[-2:]]
    factor = max(1, round(height / read.shape[-2]))
    large = imresize(read, factor).clamp(0, 1) if factor > 1 else read
    across, down = width - large.shape[-1], height - large.shape[-2]
    if across or down:  # what was read had been cut to a multiple of the factor
        large = F.pad(large[None], (0, across, 0, down), mode="replicate")[0]
    return title, like_input(large, given.grey)


def _with_truth(request: Request, given: MethodInput) -> MethodInput:
    """Where the method itself shrinks its input (the kernel lab), the input is the truth."""
    if request.reads(given.low)[1].shape == given.low.shape:
        return given
    return replace(given, truth=given.low, degradation=Degradation())


def _asked_for(frame: Frame, given: MethodInput) -> Frame:
    """The frame at the size that the problem asks for, and grey where the input is."""

    def shown(image: Tensor) -> Tensor:
        return like_input(given.resized(image), given.grey)

    answers = (
        {title: shown(answer) for title, answer in frame.answers.items()} if given.size else frame.answers
    )
    return replace(frame, image=shown(frame.image), answers=answers)


def job_of(request: Request, given: MethodInput, threads: int | None = None, owner: str = "") -> Job:
    """What the backend computes for a request."""
    return Job(
        request.method, given.for_method, request.options, request.seed, request.precision, threads, owner
    )


def local(device: str | None = None) -> Pipeline:
    """A pipeline on this machine."""
    return Pipeline(Engine(device))
