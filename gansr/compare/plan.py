"""What a comparison poses: one problem, which methods solve it and how, and which cannot.

All methods get the same small picture and are asked for the same size (gansr.problem). What a method cannot take is
said before anything runs, with the nearest problem that it can solve; it never keeps the others from running.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from torch import Tensor

from gansr import weights
from gansr.backends.estimate import Estimate
from gansr.compare.vary import labels
from gansr.engine import MetricResult, like_input
from gansr.inputs import DETECTOR, MethodInput
from gansr.method import Frame, Method
from gansr.ops.resize import imresize
from gansr.options import OptionError
from gansr.picture import Picture
from gansr.pipeline import USER_ERRORS, Pipeline, job_of
from gansr.problem import MEGAPIXEL, PROBLEMS, TITLES, Problem, name_of
from gansr.progress import duration_text
from gansr.request import LARGE, Request

# "unsuitable": the method does not solve this problem. "blocked": something is missing here, or no face was found.
State = Literal["waiting", "running", "done", "error", "unsuitable", "blocked"]
FACE, PHOTOGRAPH = "face-64-512", "photo-x4"  # the defaults with and without a face
MIDDLE = "middle"
REMEDIES = (
    {MIDDLE: "Use the middle square"}
    | {name: title for name, title in LARGE.items() if name != "keep"}
    | {name: f"Choose “{title}”" for name, title in TITLES.items()}
)


@dataclass
class Entry:
    """One method's part of a comparison: how it stands now."""

    request: Request
    given: MethodInput | None = None
    state: State = "waiting"
    text: str = ""
    remedies: tuple[str, ...] = ()  # of REMEDIES
    frame: Frame | None = None  # the newest, at the size that the problem asks for
    native: Tensor | None = None  # the result as the method gave it, where that has another size
    measured: tuple[MetricResult, ...] = ()
    estimate: Estimate | None = None  # what it will cost; of those that run
    name: str = (
        ""  # the method's, and the options that differ where it is there several times; of files and tiles
    )
    title: str = ""

    def __post_init__(self) -> None:
        self.name, self.title = self.name or self.method.name, self.title or self.method.title

    @property
    def method(self) -> Method:
        """The method of the request."""
        return self.request.method

    @property
    def runs(self) -> bool:
        """Whether it runs, ran or will run."""
        return self.state not in ("unsuitable", "blocked")

    @property
    def operations(self) -> float:
        """Floating-point operations, roughly."""
        assert self.given is not None
        height, width = self.given.for_method.shape[-2:]
        return self.method.cost(height, width, self.request.options).operations

    @property
    def how(self) -> str:
        """How the method solves the problem where it does not so by itself; empty where it does."""
        given, scale = self.given, self.request.scale
        if given is None or given.size is None:
            return ""
        low, (height, width) = given.for_method, given.size
        made = (low.shape[-2] * scale, low.shape[-1] * scale)
        texts: list[str] = []
        if given.resampled is not None:
            texts.append(f"input resampled to {low.shape[-1]}×{low.shape[-2]} px")
        if made != given.size:
            verb = "reduced" if made[0] > height else "enlarged by bicubic"
            texts.append(f"its result of {made[1]}×{made[0]} px {verb} to {width}×{height}")
        return "; ".join(texts)


@dataclass
class Comparison:
    """Several methods on one problem. `given` is its small picture and truth; None where they could not be made."""

    problem: Problem
    picture: Picture
    entries: list[Entry]
    given: MethodInput | None = None
    bicubic: Tensor | None = None  # (3,H,W) in [0,1], of the size asked for
    baseline: tuple[MetricResult, ...] = ()  # the metrics of `bicubic`
    measurements: tuple[int, int] = field(default=(0, 0))  # how many are there, and how many there will be

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    @property
    def can_run(self) -> bool:
        """Whether one of the methods runs."""
        return any(entry.runs for entry in self.entries)

    @property
    def estimate(self) -> Estimate | None:
        """What all methods that run will cost together, measuring aside; None where none runs."""
        found = [entry.estimate for entry in self.entries if entry.runs and entry.estimate is not None]
        known = [each.seconds for each in found if each.seconds is not None]
        if not found:
            return None
        return found[0]._replace(seconds=sum(known) if len(known) == len(found) else None)


def default_problem(picture: Picture, requests: Sequence[Request], pipeline: Pipeline) -> str:
    """The name of the problem for a picture: a face problem where one of the methods draws faces and there is a face,
    or a square so small that it is one; otherwise a photograph. Raises one of USER_ERRORS."""
    if not looks_for_face(requests):
        return PHOTOGRAPH
    sides = {(problem.side, problem.side): name for name, problem in PROBLEMS.items() if problem.side}
    size = (picture.rgb.shape[-2], picture.rgb.shape[-1])
    if size in sides and not any(request.known for request in requests):
        return sides[size]
    return FACE if pipeline.inputs.faces(picture) else PHOTOGRAPH


def looks_for_face(requests: Sequence[Request]) -> bool:
    """Whether the comparison looks for a face to choose the problem."""
    return any(request.for_faces for request in requests) and all(request.align for request in requests)


def plan(
    picture: Picture,
    requests: Sequence[Request],
    problem: Problem,
    pipeline: Pipeline,
    truth: Picture | None = None,
    owner: str = "",
) -> Comparison:
    """An entry for each request of `owner`, checked. `truth` is the true picture where the user has both."""
    made = Comparison(problem, picture, [_entry(request, problem) for request in requests])
    for entry, (name, title) in zip(made.entries, labels(requests)):
        entry.name, entry.title = name, title
        if entry.state == "waiting":
            _check(entry, picture, pipeline, owner)
        if made.given is None and entry.given is not None:
            made.given = pipeline.inputs.problem(picture, entry.request)
    if made.given is not None:
        if truth is not None:
            made.given = replace(made.given, truth=truth.rgb)
        enlarged = imresize(made.given.low, made.given.size or problem.scale).clamp(0, 1)
        made.bicubic = like_input(enlarged, made.given.grey)
    return made


def _entry(request: Request, problem: Problem) -> Entry:
    method, options = request.method, request.options
    posed = replace(request, problem=problem)
    try:
        if method.fit is not None:
            posed = replace(posed, options=method.fit(options, problem.side, problem.scale))
    except OptionError as error:
        return Entry(posed, state="unsuitable", text=str(error))
    if posed.scale == 1:
        return Entry(posed, state="unsuitable", text="with these options it does not enlarge")
    if posed.side is not None and not problem.side:
        what = "works on faces only" if posed.for_faces else f"takes squares of {posed.side} px only"
        return Entry(posed, state="unsuitable", text=what, remedies=(FACE,) if posed.for_faces else ())
    least = method.accepts.min_side
    if 0 < problem.side < least and posed.side is None:
        text = f"needs at least {least} px on the shorter side, the problem has {problem.side}"
        fitting = (name for name, other in PROBLEMS.items() if other.side >= least)
        return Entry(posed, state="unsuitable", text=text, remedies=tuple(fitting)[:1])
    return Entry(posed)


def _check(entry: Entry, picture: Picture, pipeline: Pipeline, owner: str) -> None:
    try:
        _refuse_missing_weights(entry.request)
        entry.given = pipeline.inputs.make(picture, entry.request)
        job = job_of(entry.request, entry.given, owner=owner)
        pipeline.engine.check(job)
        entry.estimate = pipeline.backend.estimate(job)
        about = entry.estimate.seconds
        entry.text = "waiting for its turn" + ("" if about is None else f", {duration_text(about)}")
    except USER_ERRORS as error:
        entry.state, entry.text = _state_of(entry), str(error)
        entry.remedies = _remedies(entry, picture, pipeline)


def _state_of(entry: Entry) -> State:
    """A size that the method does not take is the method's; all else is missing here."""
    if entry.given is None:
        return "blocked"
    accepts, (height, width) = entry.method.accepts, entry.given.for_method.shape[-2:]
    most = accepts.most_pixels(entry.request.options)
    fits = min(height, width) >= accepts.min_side and height * width <= most
    return "blocked" if fits else "unsuitable"


def _remedies(entry: Entry, picture: Picture, pipeline: Pipeline) -> tuple[str, ...]:
    if entry.given is None:
        face = entry.request.problem.side and entry.request.align
        return (MIDDLE,) if face and name_of(entry.request.problem) else ()
    height, width = entry.given.for_method.shape[-2:]
    too_large = height * width > MEGAPIXEL  # so large do the remedies leave it
    return ways_to_fit(picture, pipeline) if too_large and not entry.request.problem.side else ()


def ways_to_fit(picture: Picture, pipeline: Pipeline) -> tuple[str, ...]:
    """What a picture that is too large can be made smaller by: values of `Request.large`. A face is offered where one
    is found; nothing is downloaded for that."""
    face = weights.ready(DETECTOR) and bool(pipeline.inputs.faces(picture))
    return ("shrink", "crop", "crop face") if face else ("shrink", "crop")


def _refuse_missing_weights(request: Request) -> None:
    """Raise WeightsError where the user must import the weights first."""
    if missing := weights.missing_file(request.weights.values()):
        raise weights.WeightsError(missing)
