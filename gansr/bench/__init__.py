"""The papers' tables, re-measured: python -m gansr bench NAME [--data DIR] [--json].

One form for all: rows of (case, model, metric, value), a table for people and JSON for programs. A bench is
a module with `run(data) -> iterator of Row`, named in BENCHES; without `data` it measures what needs no pictures
(speed). Importing this loads none of them.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any

BENCHES: Mapping[str, str] = MappingProxyType(
    {
        "pulse": "gansr.papers.pulse.bench",
        "kernelgan": "gansr.papers.kernelgan.bench",
        "glean": "gansr.papers.glean.bench",
        "mganprior": "gansr.papers.mganprior.bench",
        "srgan": "gansr.papers.srgan.bench",
    }
)  # name → module


class BenchError(ValueError):
    """A bench cannot be run. The text says what is missing and how to give it."""


@dataclass(frozen=True)
class Row:
    case: str  # "Set5 x4", "speed"
    model: str  # "srgan", "bicubic"
    metric: str  # "psnr_y", "seconds"
    value: float


def run(name: str, data: Path | None = None) -> list[Row]:
    """Every row of the bench `name`. Raises BenchError for an unknown name or a folder that is not one."""
    return list(rows(name, data))


def rows(name: str, data: Path | None = None) -> Iterator[Row]:
    """The rows one by one, as they are measured. Raises BenchError as `run` does."""
    if name not in BENCHES:
        raise BenchError(f"there is no bench {name!r}; there are: {', '.join(BENCHES)}")
    if data is not None and not data.is_dir():
        raise BenchError(f"--data {data} is not a folder")
    yield from import_module(BENCHES[name]).run(data)


def table(measured: Iterable[Row]) -> Iterator[str]:
    """Rows → lines of text, one a row, the case named where it changes."""
    last = None
    for row in measured:
        if row.case != last:
            yield f"{row.case}"
            last = row.case
        yield f"  {row.model:<24} {row.metric:<22} {_digits(row.value):>12}"


def _digits(value: float) -> str:
    return f"{value:.4f}" if abs(value) < 10 else f"{value:.2f}"


def add_parser(commands: Any) -> None:
    """`bench` among the subcommands of python -m gansr; its handler returns the exit status."""
    parser = commands.add_parser("bench", help="measure a paper's table and speed again")
    parser.add_argument("name", choices=tuple(BENCHES), metavar="NAME", help=", ".join(BENCHES))
    parser.add_argument("--data", type=Path, metavar="DIR", help="folder of the benchmark pictures")
    parser.add_argument("--json", action="store_true", help="a list of {case, model, metric, value}")
    parser.set_defaults(handler=_handle)


def _handle(parsed: argparse.Namespace) -> int:
    try:
        if parsed.json:
            print(json.dumps([asdict(row) for row in run(parsed.name, parsed.data)], indent=1))
        else:
            for line in table(rows(parsed.name, parsed.data)):
                print(line, flush=True)
    except BenchError as error:
        print(f"gansr: {error}", file=sys.stderr)
        return 1
    return 0
