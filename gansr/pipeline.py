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

    def run(
        self, source: Source, request: Request, truth: Picture | None = None, threads: int | None = None
    ) -> Generator[Update, None, None]:
        """The updates of one request. `truth` is the true picture where the user has both; `threads` the number of
        threads to compute with, for a replay.

        Raises one of USER_ERRORS.
        """
        picture = self.inputs.open(source)
        yield from self.fetch(request)
        given = self.inputs.make(picture, request)
        if truth is not None:
            given = replace(given, truth=truth.rgb)
        job = job_of(request, given, threads)
        self.engine.check(job)
        frame = None
        for frame in self.backend.frames(job):
            shown = replace(frame, image=like_input(frame.image, given.grey))
            yield Update(given=given, frame=shown)
        if frame is None or frame.step == 0:
            raise MethodError("the run ended before its first step: press Run again")
        result = replace(frame, image=like_input(frame.image, given.grey))
        if request.paste_back and (photo := given.pasted(result.image)) is not None:
            result = replace(result, files={**result.files, "photo.png": to_png(photo)})
        yield Update(given=given, frame=result, finished=True)
        yield from self._measured(result, given, request)

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

    def _measured(self, result: Frame, given: MethodInput, request: Request) -> Iterator[Update]:
        """One update a metric, so that the cheap ones are seen while the expensive ones are computed."""
        wanted = tuple(m for m in metrics.METRICS if request.for_faces or not m.faces)
        base = Update(given=given, frame=result, finished=True)
        for name in {name for metric in wanted for name in metric.weights.values()}:
            try:
                for update in self._fetch((name,)):
                    yield replace(base, text=update.text)
            except weights.WeightsError:
                pass  # the metric that needs it gives the reason
        size = (result.image.shape[-2], result.image.shape[-1])
        bicubic = imresize(given.low, size).clamp(0, 1)
        rows: list[MetricResult] = []
        baseline: dict[str, float] = {}
        for metric in wanted:
            rows += self._measure(result.image, given, (metric,))
            expensive = bool(metric.weights) and size[0] * size[1] > EXPENSIVE_PIXELS
            if rows[-1].value is not None and not expensive:
                (other,) = self._measure(bicubic, given, (metric,))
                baseline |= {metric.name: other.value} if other.value is not None else {}
            yield replace(base, text="measuring", measured=tuple(rows), baseline=dict(baseline))
        measured = replace(base, measured=tuple(rows), baseline=dict(baseline))
        answers: dict[str, tuple[MetricResult, ...]] = {}
        each = tuple(metric for metric in wanted if metric.name in FOR_EACH_ANSWER)
        for title, answer in result.answers.items():
            answers[title] = self._measure(answer, given, each)
            yield replace(measured, text="measuring", answers=dict(answers))
        yield replace(measured, answers=answers, done=True)

    def _measure(
        self, image: Any, given: MethodInput, wanted: tuple[Metric, ...]
    ) -> tuple[MetricResult, ...]:
        return tuple(self.engine.measure(image, given.low, given.shrink, given.truth, metrics=wanted))


def job_of(request: Request, given: MethodInput, threads: int | None = None) -> Job:
    """What the backend computes for a request."""
    return Job(request.method, given.low, request.options, request.seed, request.precision, threads)


def local(device: str | None = None) -> Pipeline:
    """A pipeline on this machine."""
    return Pipeline(Engine(device))
