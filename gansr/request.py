"""A request: everything a run depends on except the picture. And its one codec: object ⇄ flat dict.

The page, the API, the command line, share links, receipts and the comparison all speak the flat form; its names are
the API's argument names. `fields_of` lists them for a method, `decode` checks untrusted values, `encode` writes them.

    task, shrink_<degradation>, align, face, paste_back, large, robustness, <the method's options>, seed, precision,
    problem_<problem>
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any, Literal

from torch import Tensor

from gansr.method import Method, Precision
from gansr.ops.degrade import Degradation, with_faults
from gansr.options import Option, OptionError, check_option, option, options_of, parse_text
from gansr.problem import Problem

Task = Literal["enlarge", "known answer"]
TASKS: dict[str, str] = {
    "enlarge": "Run on my picture",
    "known answer": "Test quality",
}
SHRINK, PROBLEM = "shrink_", "problem_"  # prefixes in the flat form
OF_FACES = ("align", "face", "paste_back")  # fields that only methods for faces use
# What becomes of a picture of more pixels than the method, or a comparison, takes.
LARGE: dict[str, str] = {
    "keep": "Refuse it",
    "shrink": "Shrink to 1 megapixel",
    "crop": "Crop to the middle",
    "crop face": "Crop to the face",
}


@dataclass(frozen=True)
class Request:
    """One checked request. Build it with `decode`."""

    method: Method
    options: Any  # of method.options
    task: Task = option(
        "enlarge",
        "the quality test makes the input from your picture (shrinks it, say), then compares the result with it",
        title="Task",
        choices=tuple(TASKS),
        labels=TASKS,
        changes_input=True,
    )
    align: bool = option(
        True,
        "off: the middle square is used",
        title="Align the face",
        changes_input=True,
    )
    face: int = option(1, "1 is the largest", title="Which face", min=1, max=99, changes_input=True)
    paste_back: bool = option(
        False,
        "also gives the photograph with the result in it",
        title="Paste back",
    )
    large: str = option(
        "keep",
        "a picture of more pixels than the method takes, as a rule 1 megapixel; others stay as they are",
        title="Large picture",
        choices=tuple(LARGE),
        labels=LARGE,
        changes_input=True,
    )
    robustness: bool = option(
        False,
        "quality test only: also the results of the input with noise, salt and pepper, motion blur, lost pixels and "
        "JPEG, and how far each is from the result without; six runs",
        title="Robustness strip",
    )
    seed: int = option(0, "the same seed gives the same picture", title="Seed", min=0, max=2**31 - 1)
    precision: Precision = option(
        "fast",
        "fast uses bfloat16 where the processor is fast in it, exact uses float32 throughout",
        title="Precision",
        choices=("fast", "exact"),
    )
    degradation: Degradation = field(default_factory=Degradation)
    problem: Problem = field(default_factory=Problem)

    @property
    def scale(self) -> int:
        """How many times larger the result is than the input."""
        return self.method.scale(self.method, self.options)

    @property
    def side(self) -> int | None:
        """The exact side of a method that takes squares, px; None where any picture is taken."""
        accepts = self.method.accepts
        return accepts.side(self.options) if accepts.side is not None else None

    @property
    def weights(self) -> Mapping[str, str]:
        """role → manifest name of what these options load."""
        return self.method.needs(self.method, self.options)

    @property
    def for_faces(self) -> bool:
        """Whether these options draw faces, so that a face is worth finding."""
        return self.method.accepts.seeks_face(self.options)

    @property
    def outputs_colour(self) -> bool:
        """Whether these options give a grey picture colours; otherwise its result is made grey."""
        return self.method.outputs_colour is not None and self.method.outputs_colour(self.options)

    @property
    def departs(self) -> str:
        """Why a result is not to agree with the input; empty where it is to."""
        return self.method.departs(self.options) if self.method.departs is not None else ""

    def reads(self, picture: Tensor) -> tuple[str, Tensor]:
        """What a run reads of a picture (3,h,w) in [0,1], as `Method.reads` says, and its title."""
        reads = self.method.reads
        return reads(self.options, picture, self.seed) if reads is not None else ("Bicubic", picture)

    @property
    def finds_face(self) -> bool:
        """Whether a face is looked for in the picture: for this method, or for the problem's square."""
        return self.align and (self.problem.side > 0 if self.problem.scale else self.for_faces)

    @property
    def crops_to_face(self) -> bool:
        """Whether a picture that is too large is cropped to a face; squares are cut in another way."""
        square = self.problem.side > 0 if self.problem.scale else self.side is not None
        return self.large == "crop face" and not square

    @property
    def known(self) -> bool:
        """Whether the picture is the truth and is shrunk first."""
        return self.task == "known answer"

    @property
    def faulty(self) -> Mapping[str, Degradation]:
        """How the further inputs of a robustness strip are made, by name; empty where none is wanted."""
        return with_faults(self.degradation) if self.known and self.robustness else {}

    @cached_property
    def input_key(self) -> tuple[Any, ...]:
        """All that the method's input depends on besides the picture: equal keys, equal inputs."""
        return (self.side, self.scale, self.for_faces, self.outputs_colour, *self.problem_key)

    @property
    def problem_key(self) -> tuple[Any, ...]:
        """The part of `input_key` that is the same for all methods of a comparison."""
        return (self.task, self.align, self.face, self.large, self.degradation, self.problem)


PLAIN = options_of(Request)  # the fields every method has, besides the prefixed ones


def fields_of(method: Method) -> dict[str, tuple[Option, Any]]:
    """name → (Option, default) of the flat form, in the order of the API's arguments; without the problem, which
    only a comparison sets."""
    last = ("seed", "precision")
    first = {name: PLAIN[name] for name in PLAIN if name not in last}
    task = {"task": first.pop("task")}
    shrink = {SHRINK + name: described for name, described in options_of(Degradation).items()}
    return task | shrink | first | options_of(method.options) | {name: PLAIN[name] for name in last}


def decode(method: Method, values: Mapping[str, Any]) -> Request:
    """Untrusted flat values → a checked request. Missing names take their default. Raises OptionError."""
    known = fields_of(method) | {PROBLEM + name: described for name, described in options_of(Problem).items()}
    if unknown := [name for name in values if name not in known]:
        raise OptionError(f"unknown option {str(unknown[0])[:40]!r}; there are: {', '.join(known)}")
    checked = {name: check_option(name, *known[name], value) for name, value in values.items()}
    return Request(
        method,
        method.options(**{name: checked[name] for name in options_of(method.options) if name in checked}),
        **{name: checked[name] for name in PLAIN if name in checked},
        degradation=Degradation(**_prefixed(checked, SHRINK)),
        problem=Problem(**_prefixed(checked, PROBLEM)),
    )


def encode(request: Request) -> dict[str, Any]:
    """The flat form of a request. Options that are files are tensors (or None); the problem is there if one
    is set."""
    values = {name: getattr(request, name) for name in PLAIN}
    values |= {SHRINK + f.name: getattr(request.degradation, f.name) for f in fields(request.degradation)}
    values |= {name: getattr(request.options, name) for name in options_of(request.method.options)}
    flat = {name: values[name] for name in fields_of(request.method)}
    if request.problem.scale:
        flat |= {PROBLEM + f.name: getattr(request.problem, f.name) for f in fields(request.problem)}
    return flat


def from_texts(method: Method, texts: Mapping[str, str]) -> dict[str, Any]:
    """Texts by flat name (a link's query, `--set name=value`) → values for `decode`. Raises OptionError for a name
    the method does not have."""
    known = fields_of(method)
    for name in texts:
        if name not in known:
            raise OptionError(f"{method.title} has no option {name[:40]!r}; it has: {', '.join(known)}")
    return {name: parse_text(known[name][1], text) for name, text in texts.items()}


def _prefixed(values: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {name.removeprefix(prefix): value for name, value in values.items() if name.startswith(prefix)}
