"""The contract of a paper: what a method is, what it takes and what it yields.

Everything that the page, the command line, the API, the comparison and the tests know of a paper they read
from its `Method`; nothing is written twice. This module imports none of ours.

Units everywhere: pictures are RGB float32 in [0,1], shape (3, H, W); a factor is a whole number.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import torch
from torch import Tensor, nn

T = TypeVar("T")
Precision = Literal["fast", "exact"]


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
class Frame:
    """What a method has reached at one step. The last frame has step == steps."""

    image: Tensor  # (3, sH, sW) in [0,1]
    step: int
    steps: int
    readings: Mapping[str, float] = field(default_factory=dict)  # loss terms and the like
    views: Mapping[str, View] = field(
        default_factory=dict
    )  # pictures, curves and maps beside the result, by title
    answers: Mapping[str, Tensor] = field(
        default_factory=dict
    )  # further full results, each measured as `image` is
    files: Mapping[str, bytes] = field(
        default_factory=dict
    )  # downloads besides the picture: file name → content
    notices: tuple[str, ...] = ()  # what the user must know about this result
    form: str = ""  # the numerical form, e.g. "compiled bf16", where the method has several
    waited: float = 0.0  # seconds in the queue, set by the engine
    computed: float = 0.0  # seconds of computing, set by the engine
    memory: float | None = None  # peak bytes so far, set by the engine where the system tells
    numerics: Numerics | None = None  # set by the engine on the last frame


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
    authors: str
    year: int
    venue: str
    title: str
    link: str
    licence: str  # of the code and weights we stand on
    good_for: str
    not_for: str


@dataclass(frozen=True)
class Accepts:
    """What low-resolution picture a method takes. Checked by `refusal` before anything runs."""

    min_side: int = 1  # px
    max_pixels: int = 1024 * 1024
    side: Callable[[Any], int] | None = None  # options → the exact side, where the input must be square
    face: bool = False  # made for faces aligned as FFHQ is
    faceless: Callable[[Any], bool] | None = (
        None  # options → whether it is made for cats, cars, churches instead
    )

    def seeks_face(self, options: Any) -> bool:
        """Whether a face is looked for in a photograph, with these options."""
        return self.face and not (self.faceless is not None and self.faceless(options))


@dataclass(frozen=True)
class Cost:
    """A rough estimate before running: floating-point operations and peak bytes."""

    operations: float
    memory: float


def default_needs(method: Method, options: Any) -> Mapping[str, str]:
    """role → weights: the option of the role's own name if there is one, else the first listed."""
    return {role: getattr(options, role, names[0]) for role, names in method.weights.items()}


def default_scale(method: Method, options: Any) -> int:
    return int(getattr(options, "scale", method.scales[0]))


@dataclass(frozen=True)
class Method:
    """A paper, as data. `run(low, options, nets, generator)` yields a Frame a step; see the module's top."""

    name: str  # the tab's, the command's and the API's name
    title: str
    summary: str  # one sentence under the title
    paper: Paper
    scales: tuple[int, ...]
    options: type  # a frozen dataclass whose fields are knobs
    presets: Mapping[str, Mapping[str, Any]]  # name → option values; the first is the default
    accepts: Accepts
    cost: Callable[[int, int, Any], Cost]  # (height, width, options) of the low-resolution picture
    run: Callable[[Tensor, Any, Nets, torch.Generator], Iterator[Frame]]
    weights: Mapping[str, tuple[str, ...]] = field(
        default_factory=dict
    )  # role → manifest names, the first is the default
    needs: Callable[[Method, Any], Mapping[str, str]] = default_needs  # what these options load
    scale: Callable[[Method, Any], int] = default_scale  # the factor these options give
    smaller: Callable[[Any], Any] | None = None  # options that need less memory, or None: tried once
    outputs_colour: Callable[[Any], bool] | None = (
        None  # options that give a grey picture colours; else it stays grey
    )
    cli_flags: Mapping[str, Mapping[str, Any]] = field(
        default_factory=dict
    )  # the command's own flags → option values
    bench: str = ""  # the import path of its bench module, where it has one
    train: str = ""  # the import path of its training command, where the project trains weights for it
    warm_up: Callable[[Nets], None] | None = (
        None  # called once after start, with its default nets: compiles them
    )
    save: str = ""  # the command's flag for where to write one of the result's files, chosen by its ending
    caution: str = ""  # stands where the result is, beside what every result says


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
    if height * width > accepts.max_pixels:
        return (
            f"{method.title} takes at most {accepts.max_pixels / 1e6:.1f} megapixels here; this picture has "
            f"{height * width / 1e6:.1f} ({width}×{height}). Crop or shrink it first."
        )
    return None
