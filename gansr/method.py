"""The contract of a paper: what a method is, what it takes and what it yields.

Everything that the page, the command line, the API, the comparison and the tests know of a paper they read
from its `Method`; nothing is written twice. This module imports none of ours.

Units everywhere: pictures are RGB float32 in [0,1], shape (3, H, W); a factor is a whole number.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn


class OptionError(ValueError):
    """An option has a value it cannot take. The text says which, what was found and what is allowed."""


class InputError(ValueError):
    """The picture is not one this method can take. The text says what is needed and what to do."""


class MethodError(RuntimeError):
    """A method had to stop (not a number, nothing found). The text is for the person who pressed Run."""


# --------------------------------------------------------------------------------------------- options


@dataclass(frozen=True)
class Knob:
    """One option's description: it becomes a control, a flag, an API argument, a check and a receipt line."""

    help: str  # one plain sentence
    title: str | None = None  # label; default: the field's name in words
    least: float | None = None
    most: float | None = None
    step: float | None = None  # values are least + a multiple of it
    choices: tuple[str, ...] | None = None
    read: Callable[[Path], Any] | None = None  # a file: how it is read; raises OptionError
    suffixes: tuple[str, ...] = ()  # the file names it takes, e.g. (".npy", ".csv")
    paint: bool = False  # a mask: may be painted over the input picture as well as uploaded


def knob(
    default: Any,
    help: str,
    *,
    title: str | None = None,
    least: float | None = None,
    most: float | None = None,
    step: float | None = None,
    choices: tuple[str, ...] | None = None,
    read: Callable[[Path], Any] | None = None,
    suffixes: tuple[str, ...] = (),
    paint: bool = False,
) -> Any:
    """A field of an options dataclass: `steps: int = knob(100, "optimisation steps", least=1, most=2000)`."""
    described = Knob(help, title, least, most, step, choices, read, suffixes, paint)
    return field(default=default, metadata={"knob": described})


def knobs(options: type) -> dict[str, tuple[Knob, Any]]:
    """name → (knob, default) of an options dataclass, in the order of its fields."""
    return {f.name: (f.metadata["knob"], f.default) for f in dataclasses.fields(options)}


def parse_options(options: type, values: Mapping[str, Any]) -> Any:
    """Untrusted values → a checked options object. Missing names take their default.

    Raises OptionError for an unknown name, a wrong type, nothing, NaN, infinity, a value outside its range
    or off its step, an unknown choice, an unreadable file. Afterwards the types are trusted.
    """
    known = knobs(options)
    if unknown := [name for name in values if name not in known]:
        raise OptionError(f"unknown option {unknown[0]!r}; there are: {', '.join(known)}")
    checked = {name: _check(name, *known[name], value) for name, value in values.items()}
    return options(**checked)


def _check(name: str, knob: Knob, default: Any, value: Any) -> Any:
    if knob.read is not None:
        return _check_file(name, knob, value)
    if value is None:
        raise OptionError(f"{name} is empty: {_wanted(knob, default)} is needed")
    if isinstance(default, bool):
        if not isinstance(value, bool):
            raise OptionError(f"{name} must be true or false, not {value!r}")
        return value
    if isinstance(default, (int, float)):
        return _check_number(name, knob, default, value)
    if not isinstance(value, str):
        raise OptionError(f"{name} must be {_wanted(knob, default)}, not {str(value)[:60]!r}")
    if knob.choices is not None and value not in knob.choices:
        raise OptionError(f"{name} must be {_wanted(knob, default)}, not {value[:60]!r}")
    if len(value) > 200:
        raise OptionError(f"{name} is {len(value)} characters long; at most 200 are taken")
    return value


def _check_number(name: str, knob: Knob, default: int | float, value: Any) -> int | float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise OptionError(f"{name} must be {_wanted(knob, default)}, not {str(value)[:60]!r}")
    whole = isinstance(default, int)
    if not math.isfinite(value) or (whole and value != int(value)):
        raise OptionError(f"{name} must be {_wanted(knob, default)}, not {value}")
    if (knob.least is not None and value < knob.least) or (knob.most is not None and value > knob.most):
        raise OptionError(f"{name} must be {_wanted(knob, default)}, not {value}")
    if knob.step is not None:
        turns = (value - (knob.least or 0)) / knob.step
        if abs(turns - round(turns)) > 1e-6:
            raise OptionError(f"{name} goes in steps of {knob.step:g} from {knob.least or 0:g}, not {value}")
    return int(value) if whole else float(value)


def _check_file(name: str, knob: Knob, value: Any) -> Any:
    if value is None or value == "":
        return None
    if isinstance(value, Tensor):  # read already (a receipt, a painted mask, a test)
        return value
    if not isinstance(value, (str, Path)):
        raise OptionError(f"{name} must be a file ({', '.join(knob.suffixes)})")
    assert knob.read is not None
    return knob.read(Path(value))


def _wanted(knob: Knob, default: Any) -> str:
    if knob.choices is not None:
        return "one of " + ", ".join(knob.choices)
    if isinstance(default, bool):
        return "true or false"
    if isinstance(default, (int, float)):
        kind = "a whole number" if isinstance(default, int) else "a number"
        if knob.least is not None and knob.most is not None:
            return f"{kind} from {knob.least:g} to {knob.most:g}"
        if knob.least is not None:
            return f"{kind} of at least {knob.least:g}"
        return kind
    return "a text"


# ---------------------------------------------------------------------------------------------- frames


@dataclass(frozen=True)
class Curve:
    """Lines over the steps: name → the values so far. `log`: draw the y axis logarithmically."""

    lines: Mapping[str, tuple[float, ...]]
    unit: str = ""
    log: bool = False


@dataclass(frozen=True)
class Heat:
    """A map of numbers (H, W), drawn with its scale. `least`/`most` fix the scale (None: from the values)."""

    values: Tensor
    unit: str = ""
    least: float | None = None
    most: float | None = None
    signed: bool = False  # a diverging colour scale around zero
    cells: bool = False  # few values, shown as squares (a kernel), rather than a picture


View = Tensor | Curve | Heat  # a Tensor is a picture (3,H,W) in [0,1]


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
    notices: tuple[str, ...] = ()  # what the person must be told of this result
    waited: float = 0.0  # seconds in the queue, set by the engine
    computed: float = 0.0  # seconds of computing, set by the engine
    memory: float | None = None  # peak bytes so far, set by the engine where the system tells


# ---------------------------------------------------------------------------------------------- method


@dataclass(frozen=True)
class Nets:
    """The frozen networks of one run, by role, on the device and in float32.

    `dtype` is the precision the engine grants for the heavy part: float32, or bfloat16 where the processor
    is fast in it and the person has not asked for exactness.
    """

    modules: Mapping[str, nn.Module] = field(default_factory=dict)
    dtype: torch.dtype = torch.float32

    def __getitem__(self, role: str) -> Any:
        return self.modules[role]


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

    least: int = 1  # smallest side, px
    pixels: int = 1024 * 1024  # most pixels in all
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
    recolours: Callable[[Any], bool] | None = (
        None  # options that give a grey picture colours; else it stays grey
    )
    shortcuts: Mapping[str, Mapping[str, Any]] = field(
        default_factory=dict
    )  # the command's own flags → option values
    save: str = ""  # the command's flag for where to write one of the result's files, chosen by its ending
    caution: str = ""  # stands where the result is, beside what every result says


def refusal(method: Method, height: int, width: int, options: Any) -> str | None:
    """Why this method cannot take a picture of this size with these options, in words; None if it can."""
    accepts = method.accepts
    if accepts.side is not None:
        side = accepts.side(options)
        if (height, width) != (side, side):
            return f"{method.title} takes a square picture of {side}×{side} px; this one is {width}×{height}"
    if min(height, width) < accepts.least:
        return (
            f"{method.title} needs at least {accepts.least} px on the shorter side; "
            f"this picture is {width}×{height}. Use a larger one."
        )
    if height * width > accepts.pixels:
        return (
            f"{method.title} takes at most {accepts.pixels / 1e6:.1f} megapixels here; this picture has "
            f"{height * width / 1e6:.1f} ({width}×{height}). Crop or shrink it first."
        )
    return None
