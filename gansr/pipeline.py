"""One request, from a file to a measured result. The page, the API and the command line all come through here.

picture → weights fetched → input → frames → result → measurements, each handed out as an `Update` as soon as it is
there. A `Pipeline` holds what a request needs: the backend that runs jobs, the engine that measures, and the inputs.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from gansr import metrics, weights
from gansr.backends import Backend
from gansr.backends.local import Local
from gansr.engine import Engine, Job, MetricResult, like_input
from gansr.faces import FaceError
from gansr.inputs import DETECTOR, Inputs, MethodInput, Source
from gansr.method import Frame, InputError, MethodError
from gansr.metric import Metric
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
    measured: tuple[MetricResult, ...] = ()
    baseline: Mapping[str, float] | None = None  # the same metrics of the bicubic enlargement
    answers: Mapping[str, tuple[MetricResult, ...]] = field(default_factory=dict)  # of each further answer
    done: bool = False


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
    ) -> Generator[Update, None, None]:
        """The updates of one request. `truth` is the true picture where the user has both; `threads` the number of
        threads to compute with, for a replay; `owner` whose request it is: waiting owners are served in rotation.

        Raises one of USER_ERRORS.
        """
        if self.draining:
            raise MethodError(RESTARTS)
        picture = self.inputs.open(source)
        yield from self.fetch(request)
        given = self.inputs.make(picture, request)
        if truth is not None:
            given = replace(given, truth=truth.rgb)
        job = job_of(request, given, threads, owner)
        self.engine.check(job)
        frame = None
        for frame in self.backend.frames(job):
            if self.draining and 0 < frame.step < frame.steps:
                frame = replace(frame, notices=(*frame.notices, CUT_SHORT))
                break
            shown = replace(frame, image=like_input(frame.image, given.grey))
            yield Update(given=given, frame=shown)
        if frame is None or frame.step == 0:
            raise MethodError("the run ended before its first step: press Run again")
        result = replace(frame, image=like_input(frame.image, given.grey))
        if request.paste_back and (photo := given.pasted(result.image)) is not None:
            result = replace(result, files={**result.files, "photo.png": to_png(photo)})
        yield Update(given=given, frame=result, finished=True)
        yield from self._measured(result, given, request, owner)

    def result(
        self, source: Source, request: Request, threads: int | None = None
    ) -> tuple[MethodInput, Frame]:
        """The input and the last frame of one request, not measured."""
        for update in self.run(source, request, threads=threads):
            if update.finished and update.given is not None and update.frame is not None:
                return update.given, update.frame
        raise MethodError("the run ended without a result: press Run again")

    def fetch(self, request: Request) -> Iterator[Update]:
        """Bring what the request loads, telling how far it is."""
        yield from self._fetch(tuple(request.weights.values()))
        if request.finds_face:
            yield from self.fetch_detector()

    def fetch_detector(self) -> Iterator[Update]:
        """Bring what finds faces."""
        yield from self._fetch((DETECTOR,))

    def _fetch(self, names: tuple[str, ...]) -> Iterator[Update]:
        for text, share in self.engine.fetch(names):
            yield Update(text=text if share is None else f"{text}: {100 * share:.0f} %")

    def _measured(self, result: Frame, given: MethodInput, request: Request, owner: str) -> Iterator[Update]:
        """One update a metric, so that the cheap ones are seen while the expensive ones are computed; and some while
        they wait for the device."""
        base = Update(given=given, frame=result, finished=True)
        if self.draining:
            yield replace(base, done=True)
            return
        wanted = tuple(m for m in metrics.METRICS if request.for_faces or not m.faces)
        for name in {name for metric in wanted for name in metric.weights.values()}:
            try:
                for update in self._fetch((name,)):
                    yield replace(base, text=update.text)
            except (weights.WeightsError, MethodError):
                pass  # the metric that needs it gives the reason
        size = (result.image.shape[-2], result.image.shape[-1])
        bicubic = imresize(given.low, size).clamp(0, 1)
        base = replace(base, baseline={})
        for metric in wanted:
            row = yield from self._measure(result.image, given, metric, owner, base)
            baseline = dict(base.baseline or {})
            expensive = bool(metric.weights) and size[0] * size[1] > EXPENSIVE_PIXELS
            if row.value is not None and not expensive:
                other = yield from self._measure(bicubic, given, metric, owner, base)
                baseline |= {metric.name: other.value} if other.value is not None else {}
            base = replace(base, measured=(*base.measured, row), baseline=baseline)
            yield replace(base, text="measuring")
        each = tuple(metric for metric in wanted if metric.name in FOR_EACH_ANSWER)
        for title, answer in result.answers.items():
            rows: tuple[MetricResult, ...] = ()
            for metric in each:
                row = yield from self._measure(answer, given, metric, owner, base)
                rows = (*rows, row)
            base = replace(base, answers={**base.answers, title: rows})
            yield replace(base, text="measuring")
        yield replace(base, done=True)

    def _measure(
        self, image: Any, given: MethodInput, metric: Metric, owner: str, so_far: Update
    ) -> Generator[Update, None, MetricResult]:
        """The metric of a picture; `so_far` again whenever it has waited for the device."""
        for found in self.engine.measuring(image, given.low, given.shrink, given.truth, metric, owner):
            if found is not None:
                return found
            yield replace(so_far, text="measuring")
        raise AssertionError("measuring ends with a result")


def job_of(request: Request, given: MethodInput, threads: int | None = None, owner: str = "") -> Job:
    """What the backend computes for a request."""
    return Job(request.method, given.low, request.options, request.seed, request.precision, threads, owner)


def local(device: str | None = None) -> Pipeline:
    """A pipeline on this machine."""
    return Pipeline(Engine(device))
