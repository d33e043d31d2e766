"""Records: what one method gave on one picture of a dataset. JSON lines, one record a line; docs/results.md lists the
fields.

A record comes from another machine as a rule, so it is read strictly: unknown and missing fields, numbers that are not
finite, texts that could be a path, and files that are too large are refused, with the line in which they are.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import date as Date
from pathlib import Path
from typing import Any, Literal, get_args

from gansr import papers
from gansr.method import Numerics
from gansr.metrics import METRICS
from gansr.ops.degrade import Degradation
from gansr.request import SHRINK

SCHEMA = 1
BICUBIC = "bicubic"  # the baseline, which is no method
Verification = Literal["re-run", "reported"]
# What a file may hold.
LARGEST = 16 * 2**20  # bytes of a file
LONGEST = 16 * 2**10  # characters of a line
MOST = 50_000  # records of a file
TEXT = 200  # characters of a text
MOST_NAMES = 64  # fields of an object
SIDE = 1 << 16  # px

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,79}")
_VARIANT = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9_.,=+ -]{0,79})?")
_VERSION = re.compile(r"\d{1,4}\.\d{1,4}\.\d{1,4}[a-z0-9.]{0,10}(?:\+[0-9a-f]{7,40})?")
_OPTION = re.compile(r"[a-z][a-z0-9_]{0,59}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_TEXT = re.compile(r"[^\x00-\x1f/\\]{0,200}")  # no path, and one line
_LABEL = re.compile(
    r"(?:[A-Za-z0-9][^\x00-\x1f/\\<>&]{0,199})?"
)  # of numerics: no formula of a spreadsheet either
DEGRADATION = ("factor", *(field.name for field in fields(Degradation)))
ADDED = {  # not in older records
    name: getattr(Degradation(), name) for name in ("motion", "salt", "missing", "kernel", "kernel_factor")
}
NUMERICS = tuple(field.name for field in fields(Numerics))
FILE = ("sha256", "shape", "dtype")  # of an option that is a file

Scalar = str | int | float | bool | None


class RecordError(ValueError):
    """A record or a file of records is refused. The text says which, why, and what is allowed."""


@dataclass(frozen=True)
class Record:
    """One result. docs/results.md describes each field. Made by `parse`, which checks it."""

    schema: int
    method: str  # of papers.METHODS, or "bicubic"
    variant: str  # what of the options differs: "srresnet"; empty for the usual ones
    version: str  # of gansr, with the commit: "0.9.0+1a2b3c4"
    dataset: str  # "Set5"
    picture: str  # "001"
    degradation: Mapping[
        str, Scalar
    ]  # {"factor": 4, "operator": "bicubic", …}: gansr.ops.degrade.Degradation
    size: tuple[int, int]  # of the truth: width, height, px
    metrics: Mapping[str, float]  # by name in gansr.metrics.METRICS
    seconds: float  # of computing, without waiting and measuring
    weights: Mapping[str, Mapping[str, str]]  # role → {"name": …, "sha256": …}
    options: Mapping[str, Any]  # the request in its flat form (gansr.request); {} for bicubic
    seed: int
    numerics: Mapping[str, Scalar]  # gansr.method.Numerics: device, dtype, form, threads, torch
    date: str  # "2026-11-28"
    verification: Verification  # "re-run": computed by this program; "reported": told by others

    @property
    def factor(self) -> int:
        """How many times larger the truth is than the input."""
        return int(self.degradation["factor"] or 0)

    @property
    def problem(self) -> tuple[str, str]:
        """The dataset and the degradation as JSON: results of one problem can be compared."""
        return (self.dataset, _canonical(self.degradation))

    @property
    def series(self) -> tuple[str, ...]:
        """All that the results of one mean have in common: everything but the picture and what was measured."""
        settings = {name: value for name, value in self.options.items() if not name.startswith("shrink_")}
        return (
            self.method, self.variant, self.version, *self.problem, str(self.seed), self.verification,
            _canonical(settings), _canonical(self.weights), _canonical(self.numerics),
        )  # fmt: skip

    @property
    def identity(self) -> tuple[str, ...]:
        """Equal for two records that claim to be the same result."""
        return (*self.series, self.picture)

    @property
    def measured(self) -> tuple[Any, ...]:
        """What has to be equal in two records of one identity. Seconds and the date may differ."""
        return (self.size, tuple(sorted(self.metrics.items())))


NAMES = tuple(field.name for field in fields(Record))


def parse(value: Any) -> Record:
    """Untrusted plain data → a checked record. Raises RecordError."""
    given = _object("a record", value, NAMES)
    if _integer("schema", given["schema"], 0, 2**31) != SCHEMA:
        raise RecordError(f"schema {given['schema']}: this version reads schema {SCHEMA}")
    known = (BICUBIC, *(method.name for method in papers.METHODS))
    if given["method"] not in known:
        raise RecordError(f"method {_shown(given['method'])} is not known; there are: {', '.join(known)}")
    seed = _integer("seed", given["seed"], 0, 2**31 - 1)
    options = _options(given["options"])
    if given["method"] != BICUBIC and options.get("seed") != seed:
        raise RecordError(f"seed {seed} is not the seed of the options, {_shown(options.get('seed'))}")
    return Record(
        schema=SCHEMA,
        method=given["method"],
        variant=_matching("variant", given["variant"], _VARIANT),
        version=_matching("version", given["version"], _VERSION),
        dataset=_matching("dataset", given["dataset"], _NAME),
        picture=_matching("picture", given["picture"], _NAME),
        degradation=_degradation(given["degradation"]),
        size=_size(given["size"]),
        metrics=_metrics(given["metrics"]),
        seconds=_number("seconds", given["seconds"], 0, 1e8),
        weights=_weights(given["weights"]),
        options=options,
        seed=seed,
        numerics=_numerics(given["numerics"]),
        date=_date(given["date"]),
        verification=_one_of("verification", given["verification"], get_args(Verification)),
    )


def plain(record: Record) -> dict[str, Any]:
    """A record as plain data for JSON: `parse` of it gives the same record."""
    return asdict(record) | {"size": list(record.size)}


# ------------------------------------------------------------------------------------------------- files


def line(record: Record) -> str:
    """A record as one line of JSON, without the line's end."""
    return json.dumps(plain(record), ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def read(path: Path) -> list[Record]:
    """The records of a file. Raises RecordError with the number of the line."""
    try:
        if path.stat().st_size > LARGEST:
            raise RecordError(f"{path.name}: the file has more than {LARGEST} bytes")
        lines = path.read_text("utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise RecordError(f"{path.name} cannot be read: {type(error).__name__}") from None
    if len(lines) > MOST + 1:
        raise RecordError(f"{path.name}: the file has more than {MOST} lines")
    found: list[Record] = []
    for number, text in enumerate(lines, 1):
        if not text and number == len(lines):
            break
        try:
            found.append(parse(_json(text)))
        except RecordError as error:
            raise RecordError(f"{path.name}, line {number}: {error}") from None
    return found


def read_folder(folder: Path) -> list[Record]:
    """The records of all *.jsonl files of a folder, by name; none where there is no folder. Raises RecordError."""
    paths = sorted(folder.glob("*.jsonl")) if folder.is_dir() else []
    return [record for path in paths for record in read(path)]


def append(path: Path, record: Record) -> None:
    """Add a record at the end of a file, which is made where it is not there. One write, so that a stop leaves whole
    lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(line(record) + "\n")


def write(path: Path, records: Iterable[Record]) -> None:
    """The records as a file, in the order given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(line(record) + "\n" for record in records), "utf-8")


def _json(text: str) -> Any:
    """One line. JSON with a name twice, NaN or Infinity is refused."""
    if len(text) > LONGEST:
        raise RecordError(f"the line has more than {LONGEST} characters")

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({name for name, _ in pairs}) < len(pairs):
            raise RecordError("a name stands twice in one object")
        return dict(pairs)

    def refused(text: str) -> Any:
        raise RecordError(f"{text} is not a finite number")

    try:
        return json.loads(text, object_pairs_hook=unique, parse_constant=refused)
    except RecordError:
        raise
    except (ValueError, RecursionError):
        raise RecordError("this is not JSON: each line must be one whole record") from None


# ------------------------------------------------------------------------------------------------ fields


def _object(what: str, value: Any, names: tuple[str, ...]) -> dict[str, Any]:
    """An object that has exactly these names."""
    if not isinstance(value, dict):
        raise RecordError(f"{what} must be an object, not {_shown(value)}")
    if unknown := sorted(map(str, set(value) - set(names))):
        raise RecordError(f"{what} has an unknown field {_shown(unknown[0])}; there are: {', '.join(names)}")
    if missing := [name for name in names if name not in value]:
        raise RecordError(f"{what} lacks {', '.join(missing)}")
    return value


def _free(what: str, value: Any) -> dict[str, Any]:
    """An object whose names are free."""
    if not isinstance(value, dict):
        raise RecordError(f"{what} must be an object, not {_shown(value)}")
    if len(value) > MOST_NAMES:
        raise RecordError(f"{what} has more than {MOST_NAMES} fields")
    for name in value:
        _matching(f"a name in {what}", name, _OPTION)
    return value


def _matching(what: str, value: Any, pattern: re.Pattern[str]) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise RecordError(f"{what} {_shown(value)} is not of the form {pattern.pattern}")
    return value


def _one_of(what: str, value: Any, choices: tuple[Any, ...]) -> Any:
    if not isinstance(value, str) or value not in choices:
        raise RecordError(f"{what} {_shown(value)} is not one of {', '.join(choices)}")
    return value


def _number(what: str, value: Any, least: float, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise RecordError(f"{what} must be a number, not {_shown(value)}")
    if isinstance(value, float) and not math.isfinite(value):
        raise RecordError(f"{what} is not a finite number")
    if not least <= value <= most:
        raise RecordError(f"{what} {_shown(value)} is not between {least:g} and {most:g}")
    return float(value)


def _integer(what: str, value: Any, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise RecordError(f"{what} {_shown(value)} is not a whole number between {least} and {most}")
    return value


def _scalar(what: str, value: Any) -> Scalar:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _matching(what, value, _TEXT)
    checked = _number(what, value, -1e18, 1e18)
    return value if isinstance(value, int) else checked


def _size(value: Any) -> tuple[int, int]:
    if not isinstance(value, list) or len(value) != 2:
        raise RecordError(f"size must be [width, height], not {_shown(value)}")
    width, height = (_integer("size", side, 1, SIDE) for side in value)
    return (width, height)


def _degradation(value: Any) -> dict[str, Scalar]:
    found = {
        name: _scalar(f"degradation {name}", inner)
        for name, inner in _object("degradation", _completed(value), DEGRADATION).items()
    }
    _integer("degradation factor", found["factor"], 1, 64)
    _matching("degradation operator", found["operator"], _NAME)
    return found


def degradation_of(factor: int, request: Mapping[str, Any]) -> dict[str, Any]:
    """The field `degradation` of a record: of a request in its flat form, as receipts hold it. A kernel stands there
    by its sha256."""
    found = {
        name.removeprefix(SHRINK): value["sha256"] if isinstance(value, dict) else value
        for name, value in request.items()
        if name.startswith(SHRINK)
    }
    return {**ADDED, "factor": factor, **found}


def _completed(value: Any) -> Any:
    return {**ADDED, **value} if isinstance(value, dict) else value


def _metrics(value: Any) -> dict[str, float]:
    known = [metric.name for metric in METRICS]
    found = _free("metrics", value)
    if not found:
        raise RecordError("metrics is empty: a record holds at least one measured value")
    for name in found:
        if name not in known:
            raise RecordError(f"metric {_shown(name)} is not known; there are: {', '.join(known)}")
    return {name: _number(name, found[name], -1e6, 1e6) for name in known if name in found}


def _weights(value: Any) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for role, named in _free("weights", value).items():
        inner = _object(f"weights {role}", named, ("name", "sha256"))
        name = _matching(f"weights {role} name", inner["name"], _NAME)
        digest = _matching(f"weights {role} sha256", inner["sha256"], _SHA256)
        found[role] = {"name": name, "sha256": digest}
    return found


def _options(value: Any) -> dict[str, Any]:
    return {name: _option(f"options {name}", inner) for name, inner in _free("options", value).items()}


def _option(what: str, value: Any) -> Any:
    """A value of the flat form; an option that is a file stands there by its hash, as in receipts."""
    if not isinstance(value, dict):
        return _scalar(what, value)
    file = _object(what, value, FILE)
    if not isinstance(file["shape"], list) or len(file["shape"]) > 4:
        raise RecordError(f"{what} shape must be a list of at most 4 numbers")
    return {
        "sha256": _matching(f"{what} sha256", file["sha256"], _SHA256),
        "shape": [_integer(f"{what} shape", side, 0, 2**31) for side in file["shape"]],
        "dtype": _matching(f"{what} dtype", file["dtype"], _NAME),
    }


def _numerics(value: Any) -> dict[str, Scalar]:
    found = _object("numerics", value, NUMERICS)
    checked: dict[str, Scalar] = {}
    for name in NUMERICS:
        number, what = name == "threads", f"numerics {name}"
        checked[name] = (
            _integer(what, found[name], 1, 4096) if number else _matching(what, found[name], _LABEL)
        )
    return checked


def _date(value: Any) -> str:
    try:
        if isinstance(value, str) and Date.fromisoformat(value).isoformat() == value:
            return value
    except ValueError:
        pass
    raise RecordError(f"date {_shown(value)} is not of the form 2026-11-28")


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _shown(value: Any) -> str:
    """A value of somebody else's in a message: short."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"
