"""The papers' tables, measured again: python -m gansr bench NAME [--data DIR] [--json].

`bench faces` measures all methods on a folder of photographs of faces (gansr.bench.faces), `bench pictures` on Set5,
Set14 and the like (gansr.bench.pictures), `bench robustness` what degraded inputs change (gansr.bench.robustness),
`bench bias` whether the tone of the skin is kept (gansr.bench.bias); `bench scale` simulates many visitors
(gansr.bench.scale).

All benches have one form: rows of (case, model, metric, value), printed as a table or as JSON. A bench is a module with
`run(data) -> iterator of Row`; a paper names its own in `Method.bench`. Without `data` it measures what needs no
benchmark pictures (speed). Importing this module imports no bench.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from gansr import papers

# Those that are no method's.
FACES, PICTURES, ROBUSTNESS, BIAS, SCALE = "faces", "pictures", "robustness", "bias", "scale"


class BenchError(ValueError):
    """A bench cannot be run. The text says what is missing and how to provide it."""


@dataclass(frozen=True)
class Row:
    """One measured value."""

    case: str  # "Set5 x4", "speed"
    model: str  # "srgan", "bicubic"
    metric: str  # "psnr_y", "seconds"
    value: float


def benches() -> dict[str, str]:
    """Name of a method → import path of its bench, of all methods that have one."""
    return {method.name: method.bench for method in papers.METHODS if method.bench}


def run(name: str, data: Path | None = None) -> list[Row]:
    """Every row of the bench `name`. Raises BenchError for an unknown name, or where `data` is no folder."""
    return list(rows(name, data))


def rows(name: str, data: Path | None = None) -> Iterator[Row]:
    """The rows one by one, as they are measured. Raises BenchError as `run` does."""
    found = benches()
    if name not in found:
        raise BenchError(f"there is no bench {name!r}; there are: {', '.join(found)}")
    if data is not None and not data.is_dir():
        raise BenchError(f"--data {data} is not a folder")
    yield from import_module(found[name]).run(data)


def table(measured: Iterable[Row]) -> Iterator[str]:
    """Rows → lines of text, one per row; a case is printed where it changes."""
    last = None
    for row in measured:
        if row.case != last:
            yield f"{row.case}"
            last = row.case
        yield f"  {row.model:<24} {row.metric:<22} {_digits(row.value):>12}"


def _digits(value: float) -> str:
    return f"{value:.4f}" if abs(value) < 10 else f"{value:.2f}"


def add_parser(commands: Any) -> None:
    """Add `bench` to the sub-commands of python -m gansr; its handler returns the exit status."""
    names = tuple(benches())
    parser = commands.add_parser("bench", help="measure a paper's table and its speed again")
    every = (*names, FACES, PICTURES, ROBUSTNESS, BIAS, SCALE)
    parser.add_argument("name", choices=every, metavar="NAME", help=", ".join(every))
    parser.add_argument("--data", type=Path, metavar="DIR", help="folder of the benchmark pictures")
    parser.add_argument("--json", action="store_true", help="print a list of {case, model, metric, value}")
    both = parser.add_argument_group(f"{FACES}, {PICTURES}, {ROBUSTNESS} and {BIAS}: all methods on a folder")
    both.add_argument(
        "--methods",
        nargs="+",
        metavar="NAME",
        help=f"methods, cases (mganprior-sr) of {FACES}, METHOD/MODEL or bicubic of {PICTURES}; default: all",
    )
    both.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="OPTION=VALUE",
        help="options of the methods that have them",
    )
    _add_pictures(parser.add_argument_group(f"{PICTURES} only: DIR/Set5/x4/001_LR.png, 001_HR.png, …"))
    only = parser.add_argument_group(
        f"{FACES}: photographs of faces; of {ROBUSTNESS}: --limit, --preset and --out; of {BIAS}: the last two"
    )
    only.add_argument(
        "--split",
        choices=("choosing", "reporting", "all"),
        default="all",
        help="the first half of the files by name, to choose defaults; the rest, to report on; or all (all)",
    )
    only.add_argument(
        "--files", nargs="+", default=["*"], metavar="NAME", help="only files of these names, as *.png"
    )
    only.add_argument("--limit", type=int, default=0, metavar="N", help="the first N faces of the split")
    only.add_argument("--preset", help="of the methods; default: the first of each")
    only.add_argument("--measures", nargs="+", metavar="NAME", help="only these")
    only.add_argument(
        "--out",
        type=Path,
        metavar="FOLDER",
        help="write results and contact sheets; go on there after a stop",
    )
    only.add_argument(
        "--before", type=Path, metavar="FOLDER", help="an earlier --out, whose results the sheets show too"
    )
    drawn = parser.add_argument_group(f"{BIAS} only: faces that the generator draws, without --data")
    drawn.add_argument("--each", type=int, default=3, metavar="N", help="of each group of skin tone (3)")
    drawn.add_argument("--draws", type=int, default=200, metavar="N", help="how many to look at (200)")
    scale = parser.add_argument_group(f"{SCALE} only: a simulation")
    scale.add_argument("--visitors", type=int, default=1000, metavar="N", help="at the same time (1000)")
    parser.set_defaults(handler=_handle)


def _add_pictures(parser: Any) -> None:
    parser.add_argument(
        "--sets", nargs="+", default=["Set5", "Set14"], metavar="NAME", help="folders of DIR (Set5 Set14)"
    )
    parser.add_argument("--scale", type=int, default=4, metavar="N", help="how many times to enlarge (4)")
    parser.add_argument(
        "--record", type=Path, metavar="FILE", help="add a record of each result; go on there after a stop"
    )


def _handle(parsed: argparse.Namespace) -> int:
    try:
        special = {
            FACES: _of_faces,
            PICTURES: _of_pictures,
            ROBUSTNESS: _of_robustness,
            BIAS: _of_bias,
            SCALE: _of_scale,
        }.get(parsed.name)
        measured = special(parsed) if special else rows(parsed.name, parsed.data)
        if parsed.json:
            print(json.dumps([asdict(row) for row in measured], indent=1))
        else:
            for line in table(measured):
                print(line, flush=True)
    except BenchError as error:
        print(f"gansr: {error}", file=sys.stderr)
        return 1
    return 0


def _of_faces(parsed: argparse.Namespace) -> Iterator[Row]:
    """The rows of `bench faces`. Raises BenchError for what it does not know."""
    found = import_module("gansr.bench.faces")
    folder = _folder(parsed, "a folder of photographs of faces")
    settings = found.settings_of(
        parsed.methods,
        parsed.preset,
        _set(parsed),
        parsed.measures,
        parsed.out,
        parsed.files,
        parsed.before,
    )
    yield from found.rows(folder, parsed.split, settings, limit=parsed.limit)


def _of_robustness(parsed: argparse.Namespace) -> Iterator[Row]:
    """The rows of `bench robustness`. Raises BenchError for what it does not know."""
    found = import_module("gansr.bench.robustness")
    folder = _folder(parsed, "a folder of photographs of faces")
    yield from found.rows(folder, parsed.methods, parsed.preset, _set(parsed), parsed.out, parsed.limit)


def _of_bias(parsed: argparse.Namespace) -> Iterator[Row]:
    """The rows of `bench bias`. Raises BenchError for what it does not know."""
    data = None if parsed.data is None else _folder(parsed, "a folder of photographs of faces")
    given = (parsed.methods, parsed.preset, _set(parsed), parsed.each, parsed.draws, data, parsed.out)
    yield from import_module("gansr.bench.bias").rows(*given)


def _of_pictures(parsed: argparse.Namespace) -> Iterator[Row]:
    """The rows of `bench pictures`. Raises BenchError for what it does not know."""
    found = import_module("gansr.bench.pictures")
    folder = _folder(parsed, "a folder with Set5/x4/001_LR.png, 001_HR.png, …")
    settings = found.settings_of(parsed.methods, _set(parsed), parsed.sets, parsed.scale, parsed.record)
    yield from found.rows(folder, settings, import_module("gansr.pipeline").local())


def _of_scale(parsed: argparse.Namespace) -> Iterator[Row]:
    """The rows of `bench scale`."""
    yield from import_module("gansr.bench.scale").rows(parsed.visitors)


def _folder(parsed: argparse.Namespace, what: str) -> Path:
    """--data, which must be `what`. Raises BenchError."""
    if parsed.data is None or not parsed.data.is_dir():
        raise BenchError(f"bench {parsed.name} needs --data DIR, {what}")
    return parsed.data


def _set(parsed: argparse.Namespace) -> dict[str, str]:
    """--set OPTION=VALUE … → {option: value}. Raises BenchError."""
    if unknown := [text for text in parsed.set if "=" not in text]:
        raise BenchError(f"--set {unknown[0]}: write it like steps=100")
    return dict(text.split("=", 1) for text in parsed.set)
