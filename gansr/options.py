"""Options: a dataclass field that becomes a control, a command-line flag, an API argument, a check and a receipt line.

A paper declares its options once:

    @dataclass(frozen=True)
    class Options:
        steps: int = option(100, "optimisation steps", min=1, max=2000)

Everything else (page, API, command line, receipts, tests) reads the declaration with `options_of`. Untrusted
values become an options object in `parse_options`; below that call the types are trusted.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

MAX_TEXT = 200  # characters of a text option
LARGEST = 1e18  # of a number without a range of its own; beyond it a whole number need not fit into a float


class OptionError(ValueError):
    """An option has a value it cannot take. The text names the option, the value found and the values allowed."""


@dataclass(frozen=True)
class Option:
    """The description of one option."""

    help: str  # one plain sentence
    title: str | None = None  # label; default: the field's name in words
    min: float | None = None
    max: float | None = None
    step: float | None = None  # allowed values are min + a multiple of step
    choices: tuple[str, ...] | None = None
    labels: Mapping[str, str] = field(default_factory=dict)  # choice → what the page shows; default: itself
    read: Callable[[Path], Any] | None = None  # for a file: reads it; raises OptionError
    suffixes: tuple[str, ...] = ()  # file names a file option takes, e.g. (".npy", ".csv")
    paint: bool = False  # a mask: may be painted over the input as well as uploaded
    changes_input: bool = False  # changes what the method receives, so the preview must be made again
    first: bool = False  # what a user chooses first: shown above the picture, as a row of choices
    only: Mapping[str, tuple[str, ...]] = field(
        default_factory=dict
    )  # another option → its values for which this counts


def option(
    default: Any,
    help: str,
    *,
    title: str | None = None,
    min: float | None = None,
    max: float | None = None,
    step: float | None = None,
    choices: tuple[str, ...] | None = None,
    labels: Mapping[str, str] | None = None,
    read: Callable[[Path], Any] | None = None,
    suffixes: tuple[str, ...] = (),
    paint: bool = False,
    changes_input: bool = False,
    first: bool = False,
    only: Mapping[str, tuple[str, ...]] | None = None,
) -> Any:
    """A field of an options dataclass, with its description in the field's metadata."""
    described = Option(
        help,
        title,
        min,
        max,
        step,
        choices,
        labels or {},
        read,
        suffixes,
        paint,
        changes_input,
        first,
        only or {},
    )
    return field(default=default, metadata={"option": described})


def options_of(options: type) -> dict[str, tuple[Option, Any]]:
    """name → (Option, default) of an options dataclass, in the order of its fields."""
    return {
        f.name: (f.metadata["option"], f.default)
        for f in dataclasses.fields(options)
        if "option" in f.metadata
    }


def parse_options(options: type, values: Mapping[str, Any]) -> Any:
    """Untrusted values → a checked options object. Missing names take their default.

    Raises OptionError for an unknown name, a wrong type, nothing, NaN, infinity, a value outside its range
    or off its step, an unknown choice, an unreadable file. Afterwards the types are trusted.
    """
    known = options_of(options)
    if unknown := [name for name in values if name not in known]:
        raise OptionError(f"unknown option {str(unknown[0])[:40]!r}; there are: {', '.join(known)}")
    checked = {name: check_option(name, *known[name], value) for name, value in values.items()}
    return options(**checked)


def plain_values(options: Any) -> dict[str, Any]:
    """name → value of an options object, for controls; options that are files are left out."""
    return {
        name: getattr(options, name)
        for name, (described, _) in options_of(type(options)).items()
        if described.read is None
    }


def parse_text(default: Any, text: str) -> Any:
    """A text (link, `--set name=value`) → a value of the default's type, or the text itself where it does not fit:
    `check_option` then says what is wanted."""
    if isinstance(default, bool):
        return {"true": True, "false": False}.get(text.lower(), text)
    if isinstance(default, (int, float)):
        try:
            number = float(text)
        except ValueError:
            return text
        whole = isinstance(default, int) and math.isfinite(number) and number == int(number)
        return int(number) if whole else number
    return text


def check_option(name: str, described: Option, default: Any, value: Any) -> Any:
    """One untrusted value of any type → the value. Raises OptionError naming the option."""
    if described.read is not None:
        return _check_file(name, described, value)
    if value is None:
        raise OptionError(f"{name} is empty: {_allowed(described, default)} is needed")
    if isinstance(default, bool):
        if not isinstance(value, bool):
            raise OptionError(f"{name} must be true or false, not {_shown(value)}")
        return value
    if isinstance(default, (int, float)):
        return _check_number(name, described, default, value)
    if not isinstance(value, str) or (described.choices is not None and value not in described.choices):
        raise OptionError(f"{name} must be {_allowed(described, default)}, not {_shown(value)}")
    if len(value) > MAX_TEXT:
        raise OptionError(f"{name} is {len(value)} characters long; at most {MAX_TEXT} are accepted")
    return value


def _check_number(name: str, described: Option, default: int | float, value: Any) -> int | float:
    whole, low, high = isinstance(default, int), described.min, described.max
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not abs(value) <= LARGEST or (whole and value != int(value)):
        raise OptionError(f"{name} must be {_allowed(described, default)}, not {_shown(value)}")
    if (low is not None and value < low) or (high is not None and value > high):
        raise OptionError(f"{name} must be {_allowed(described, default)}, not {_shown(value)}")
    if described.step is not None:
        multiple = (value - (low or 0)) / described.step
        if abs(multiple - round(multiple)) > 1e-6:
            raise OptionError(
                f"{name} goes in steps of {described.step:g} from {low or 0:g}, not {_shown(value)}"
            )
    return int(value) if whole else float(value)


def _check_file(name: str, described: Option, value: Any) -> Any:
    if value is None or value == "":
        return None
    if isinstance(value, Tensor):  # already read: from a receipt, a painted mask or a test
        return value
    if not isinstance(value, (str, Path)) or described.read is None:
        raise OptionError(f"{name} must be a file ({', '.join(described.suffixes)})")
    return described.read(Path(value))


def _shown(value: Any) -> str:
    """The value in a message: at most 60 characters of it."""
    if isinstance(value, (str, bool)):
        return repr(str(value)[:60])
    if isinstance(value, (int, float)):  # Python writes no whole number of more than 4300 digits
        return str(value) if isinstance(value, float) or abs(value) <= LARGEST else "one of so many digits"
    return f"a {type(value).__name__}"


def _allowed(described: Option, default: Any) -> str:
    if described.choices is not None:
        return "one of " + ", ".join(described.choices)
    if isinstance(default, bool):
        return "true or false"
    if isinstance(default, (int, float)):
        kind = "a whole number" if isinstance(default, int) else "a number"
        if described.min is not None and described.max is not None:
            return f"{kind} from {described.min:g} to {described.max:g}"
        if described.min is not None:
            return f"{kind} of at least {described.min:g}"
        return kind
    return "a text"
