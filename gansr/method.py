"""The contract of a paper: what a method is, what it accepts and what it yields.

The page, the command line, the API, the comparison and the tests read everything they need about a paper from its
`Method`; nothing is written twice. This module imports nothing of gansr.

Units everywhere: pictures are RGB float32 in [0,1], shape (3,H,W); a factor is a whole number.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import torch
from torch import Tensor, nn

T = TypeVar("T")
Precision = Literal["fast", "exact"]
State = Mapping[str, Any]  # of a search: plain CPU data, which pickles


class InputError(ValueError):
    """The picture is not one this method can take. The text says what is needed and what to do."""


class MethodError(RuntimeError):
    """A method had to stop (not a number, nothing found). The text is for the user."""


# ---------------------------------------------------------------------------------------------- frames


@dataclass(frozen=True)
class Curve:
    """Lines over the steps: name → the values so far. `log`: draw the y axis logarithmically."""

    lines: Mapping[str, tuple[float, ...]]
    unit: str = ""
    log: bool = False


@dataclass(frozen=True)
class Heat:
    """A map of numbers (H, W), drawn with its scale. `min`/`max` fix the scale (None: from the values)."""

    values: Tensor
    unit: str = ""
    min: float | None = None
    max: float | None = None
    signed: bool = False  # a diverging colour scale around zero
    cells: bool = False  # few values, shown as squares (a kernel), rather than a picture


View = Tensor | Curve | Heat  # a Tensor is a picture (3,H,W) in [0,1]


@dataclass(frozen=True)
class Numerics:
    """What rounding depends on. Runs of equal numerics, request and input give the same picture."""

    device: str  # "CPU AVX512", "NVIDIA H200"
    dtype: str  # of the heavy part: "float32", "bfloat16"
    form: str  # "eager bf16", "compiled bf16"; empty where the method has one form only
    threads: int
    torch: str


@dataclass(frozen=True)
class Checkpoint:
    """Where a run was left, as plain CPU data. A run that goes on from it gives the same pictures, bit for bit, as one
    that was not left, in the same numerical form."""

    state: State  # of the method's search
    step: int
    steps: int
    computed: float  # seconds of computing so far


@dataclass(frozen=True)
class Measured:
    """Metric → value, of a result and of what it is compared with."""

    result: Mapping[str, float] = field(default_factory=dict)
    baseline: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Frame:
    """What a method has reached at one step. The last frame has step == steps."""

    image: Tensor  # (3,sH,sW) in [0,1]
    step: int
    steps: int
    # Loss terms and the like, by name.
    readings: Mapping[str, float] = field(default_factory=dict)
    # Pictures, curves and maps beside the result, by title.
    views: Mapping[str, View] = field(default_factory=dict)
    # Further full results, by title; each is measured as `image` is.
    answers: Mapping[str, Tensor] = field(default_factory=dict)
    # Downloads besides the picture: file name → content.
    files: Mapping[str, bytes] = field(default_factory=dict)
    # What the user must know about this result.
    notices: tuple[str, ...] = ()
    # The numerical form, e.g. "compiled bf16", where the method has several.
    form: str = ""
    # Gives the state that `Method.resume` goes on from after this step; None where the run cannot be left here. To be
    # called before the run goes on. The engine does not hand it out.
    save: Callable[[], State] | None = None
    # Set by the engine. Where the run was left, on the last frame of a slice that is not the end of the run.
    checkpoint: Checkpoint | None = None
    # While the job waits: how many jobs are ahead of it, and the seconds that it will wait (None where that is not
    # known). `ahead` is None once it computes.
    ahead: int | None = None
    wait: float | None = None
    # Seconds that it will still compute, where that is known; whether it has lent its turn to a short job.
    left: float | None = None
    lent: bool = False
    # Seconds in the queue, seconds of computing, peak bytes so far (None where the system does not tell), and on the
    # last frame what its rounding depended on.
    waited: float = 0.0
    computed: float = 0.0
    memory: float | None = None
    numerics: Numerics | None = None
    # Set by the backend, on the last frame: what was measured where the job was computed.
    measured: Measured | None = None


# ---------------------------------------------------------------------------------------------- method


class OptimisedForms:
    """Optimised forms of frozen networks (bf16, channels_last, folded, compiled), kept between runs.

    The engine owns one and passes it to every run inside `Nets`; a paper asks for a form by key and says how to make
    it. The least recently used forms are dropped.
    """

    def __init__(self, size: int = 8):
        self._size = size
        self._forms: OrderedDict[Hashable, tuple[tuple[nn.Module, ...], Any]] = OrderedDict()
        self._lock = threading.RLock()

    def get(self, kind: str, nets: tuple[nn.Module, ...], dtype: torch.dtype, make: Callable[[], T]) -> T:
        """The form `kind` of `nets` in `dtype`; `make()` builds it where it is not kept yet."""
        key = (kind, dtype, *map(id, nets))  # the kept networks are alive, so their ids are theirs
        with self._lock:
            if key not in self._forms:
                self._forms[key] = (nets, make())
            self._forms.move_to_end(key)
            while len(self._forms) > self._size:
                self._forms.popitem(last=False)
            return self._forms[key][1]


@dataclass(frozen=True)
class Nets:
    """The frozen networks of one run, by role, on the device and in float32.

    `dtype` is the precision the engine grants for the heavy part: float32, or bfloat16 where the processor
    is fast in it and the user has not asked for exactness.
    """

    modules: Mapping[str, nn.Module] = field(default_factory=dict)
    dtype: torch.dtype = torch.float32
    forms: OptimisedForms = field(default_factory=OptimisedForms)

    def __getitem__(self, role: str) -> Any:
        return self.modules[role]

    def optimised(self, kind: str, roles: tuple[str, ...], make: Callable[[], T]) -> T:
        """The optimised form `kind` of the networks of `roles` in this run's dtype; made once, kept by the engine."""
        return self.forms.get(kind, tuple(self.modules[role] for role in roles), self.dtype, make)


@dataclass(frozen=True)
class Paper:
    """The paper's data, as the About tab shows it."""

    authors: str
    year: int
    venue: str
    title: str
    link: str
    licence: str  # of the code and weights that are used
    good_for: str
    not_for: str


@dataclass(frozen=True)
class How:
    """How a method works, for its tab: at most 200 words."""

    paragraphs: tuple[str, ...]
    formula: str  # in Unicode
    code: tuple[str, ...]  # import paths of what does it, as "gansr.papers.pulse.search:Search"
    animation: str  # what the animation shows, which `python -m gansr gallery build` makes


@dataclass(frozen=True)
class Accepts:
    """Which low-resolution pictures a method accepts. `refusal` checks it before anything runs."""

    min_side: int = 1  # px
    max_pixels: int = 1024 * 1024
    # Options → the most pixels with them, at most `max_pixels`; None: always so many.
    pixels: Callable[[Any], int] | None = None
    side: Callable[[Any], int] | None = None  # options → the exact side, px, where the input must be a square
    face: bool = False  # made for faces aligned as FFHQ does
    faceless: Callable[[Any], bool] | None = None  # options → whether they draw something else (cats, cars)

    def most_pixels(self, options: Any) -> int:
        """The most pixels that are taken with these options."""
        return self.max_pixels if self.pixels is None else self.pixels(options)

    def seeks_face(self, options: Any) -> bool:
        """Whether a face is looked for in the picture, with these options."""
        return self.face and not (self.faceless is not None and self.faceless(options))


@dataclass(frozen=True)
class Steps:
    """Steps of one kind, which take the same time."""

    kind: str
    count: int  # as `Frame.step` counts them
    work: float = 1.0  # of one step, compared with others of its kind


@dataclass(frozen=True)
class Cost:
    """A rough estimate before running."""

    operations: float  # floating-point operations
    memory: float  # peak bytes
    # The run's steps in their order, by what a step's time depends on; none for a run of a single pass.
    steps: tuple[Steps, ...] = ()


@dataclass(frozen=True)
class Reuse:
    """A file of a result that one of the method's own options takes."""

    title: str  # of the button
    done: str  # what to say after it was pressed
    file: Callable[[Any], str]  # options of the run → the file's name in Frame.files
    option: str  # that takes the file
    sets: tuple[str, ...]  # the options that are set with it
    values: Callable[[Any], Mapping[str, Any]]  # options of the run → their values


@dataclass(frozen=True)
class FineTune:
    """The method's training command, for the page: it goes on with one of its networks, on pictures of the user's."""

    variants: Mapping[str, str]  # of the command's --variant → what the page shows; the first is the default
    arguments: Callable[[str], tuple[str, ...]]  # a variant → the command's other arguments
    side: int  # px: the pictures' shorter side must have as many
    option: str  # that takes the network
    sets: Mapping[str, Any]  # the options that are set with it
    done: str  # what to say then


def default_needs(method: Method, options: Any) -> Mapping[str, str]:
    """role → weights: the option named as the role if there is one, otherwise the first listed."""
    return {role: getattr(options, role, names[0]) for role, names in method.weights.items()}


def default_scale(method: Method, options: Any) -> int:
    """The option `scale` if there is one, otherwise the first listed factor."""
    return int(getattr(options, "scale", method.scales[0]))


@dataclass(frozen=True)
class Method:
    """A paper, as data.

    `run(low, options, nets, generator)` yields a Frame a step: `low` (3,H,W) in [0,1] on the device, `generator` for
    everything random. No callbacks and no global state. It may be resumed on another thread after each frame: never
    yield inside `with torch.no_grad()`. It raises MethodError where it must stop.
    """

    name: str  # of the tab, the command and the API
    title: str
    summary: str  # one sentence under the title
    paper: Paper
    scales: tuple[int, ...]
    options: type  # a frozen dataclass whose fields are made by gansr.options.option
    presets: Mapping[str, Mapping[str, Any]]  # name → option values; the first is the default
    accepts: Accepts
    cost: Callable[[int, int, Any], Cost]  # (height, width, options) of the low-resolution picture
    run: Callable[[Tensor, Any, Nets, torch.Generator], Iterator[Frame]]
    # role → manifest names; the first is the default.
    weights: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    # role → the weights that these options load.
    needs: Callable[[Method, Any], Mapping[str, str]] = default_needs
    # The factor of these options.
    scale: Callable[[Method, Any], int] = default_scale
    # `run`, going on from the state that a frame's `save` gave; None for a method whose runs are too short to be left.
    # It is given a generator in its first state, as `run` is: what a search draws later, its state must hold.
    resume: Callable[[Tensor, Any, Nets, torch.Generator, State], Iterator[Frame]] | None = None
    # (options, side of a square input in px or 0 for any size, factor) → the options that come closest to it, for a
    # comparison; None: the options as they are.
    fit: Callable[[Any, int, int], Any] | None = None
    # Options → options that need less memory, or None. Tried once when the memory is full.
    smaller: Callable[[Any], Any] | None = None
    # Options → whether they give a grey picture colours; otherwise its result is made grey.
    outputs_colour: Callable[[Any], bool] | None = None
    # Options → why a result is not to agree with the input, so that this is not measured; "" where it is to.
    departs: Callable[[Any], str] | None = None
    # The command's own flags → option values.
    cli_flags: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    # Not one of the five papers, but what people compare them with: Compare leaves it unticked at first.
    baseline: bool = False
    # The import path of the bench module, where there is one.
    bench: str = ""
    # The import path of the training command, where the project trains weights for this method.
    train: str = ""
    # That command on the page, on pictures of a user's.
    fine_tune: FineTune | None = None
    # (options, picture (3,h,w), seed) → a title, and what a run reads of it, (3,h',w'): its brightness, or what
    # lies outside a hole. Enlarged, it is what a result is compared with. None: all of it, "Bicubic". Where it is
    # smaller than the picture, the run shrinks its input itself, and the input is the truth.
    reads: Callable[[Any, Tensor, int], tuple[str, Tensor]] | None = None
    # Options → values of the quality test's degradation that suit them, by name: noise, where noise is to be removed.
    degrades: Callable[[Any], Mapping[str, Any]] | None = None
    # Called once after the start with the networks of the default options: compiles them in the background.
    warm_up: Callable[[Nets], None] | None = None
    # Whether its frames are steps towards the result, worth seeing again; not where they are parts of a picture that
    # are finished one after the other, or pictures of several networks.
    replay: bool = True
    # The command's flag for writing one of the result's files, chosen by its ending.
    save: str = ""
    # A file of a result that can be given to the next run.
    reuse: Reuse | None = None
    # Of Frame.files: a blur kernel for ×2, which the quality tests of all tabs can shrink with.
    kernel: str = ""
    # Whether its small input may be painted on in its tab; for methods that take a square.
    retouch: bool = False
    # What the user must know about every result of this method; shown beside it.
    caution: str = ""
    how: How | None = None


def refusal(method: Method, height: int, width: int, options: Any) -> str | None:
    """Why this method cannot take a picture of this size with these options, in words; None if it can."""
    accepts = method.accepts
    if accepts.side is not None:
        side = accepts.side(options)
        if (height, width) != (side, side):
            return f"{method.title} takes a square picture of {side}×{side} px; this one is {width}×{height}"
    if min(height, width) < accepts.min_side:
        return (
            f"{method.title} needs at least {accepts.min_side} px on the shorter side; "
            f"this picture is {width}×{height}. Use a larger one."
        )
    if height * width > (most := accepts.most_pixels(options)):
        if most < 100_000:
            side = math.isqrt(most)
            return (
                f"{method.title} takes at most {most} pixels with these options, as {side}×{side}; this picture has "
                f"{height * width} ({width}×{height}). Crop or shrink it first."
            )
        return (
            f"{method.title} takes at most {most / 1e6:.1f} megapixels here; this picture has "
            f"{height * width / 1e6:.1f} ({width}×{height}). Crop or shrink it first."
        )
    return None
