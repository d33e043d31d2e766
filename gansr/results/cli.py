"""python -m gansr results merge FILE… -o DIR · check · table NAME · plane · site"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gansr.results import merge, plane, records, site, tables
from gansr.results.records import RecordError

FOLDER = Path("results")


def add_parser(commands: Any) -> None:
    """`results` among the sub-commands of python -m gansr; its handlers return the exit status."""
    parser = commands.add_parser(
        "results", help="records of results: merge, check, tables, plane, static site"
    )
    actions = parser.add_subparsers(dest="action", required=True)
    _merge(actions.add_parser("merge", help="add records of other files to a folder"))
    _check(actions.add_parser("check", help="read all records of a folder and look for conflicts"))
    _table(actions.add_parser("table", help="a table of means, with the published figures beside them"))
    _plane(actions.add_parser("plane", help="perception against distortion, as SVG"))
    _site(actions.add_parser("site", help="the plane and the tables as a folder of static files"))


def _refusing(handle: Callable[[argparse.Namespace], str]) -> Callable[[argparse.Namespace], int]:
    """A handler that prints what `handle` returns; 1 where it refuses."""

    def handler(parsed: argparse.Namespace) -> int:
        try:
            print(handle(parsed), end="")
        except (RecordError, tables.TableError) as error:
            print(f"gansr: {error}", file=sys.stderr)
            return 1
        return 0

    return handler


def _from(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--from", dest="folder", type=Path, default=FOLDER, metavar="DIR", help="of the records (results)"
    )


def _merge(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="JSON lines, one record a line")
    parser.add_argument("-o", "--output", type=Path, default=FOLDER, metavar="DIR", help="folder (results)")

    def handle(parsed: argparse.Namespace) -> str:
        made = merge.into(parsed.output, parsed.files)
        return f"{made.added} added, {made.duplicates} were there; {len(made.records)} in all\n"

    parser.set_defaults(handler=_refusing(handle))


def _check(parser: argparse.ArgumentParser) -> None:
    _from(parser)

    def handle(parsed: argparse.Namespace) -> str:
        return f"{merge.check(records.read_folder(parsed.folder))} records, all of them valid\n"

    parser.set_defaults(handler=_refusing(handle))


def _table(parser: argparse.ArgumentParser) -> None:
    known = ", ".join(tables.NAMES)
    parser.add_argument("name", metavar="NAME", help=f"{known}, or a dataset of the records")
    parser.add_argument("--format", choices=tuple(tables.FORMATS), default="md", help="(md)")
    _from(parser)

    def handle(parsed: argparse.Namespace) -> str:
        made = tables.table(parsed.name, records.read_folder(parsed.folder))
        return tables.FORMATS[parsed.format](made)

    parser.set_defaults(handler=_refusing(handle))


def _plane(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dataset", default="Set5", metavar="NAME", help="(Set5)")
    parser.add_argument("--scale", type=int, default=4, metavar="N", help="factor (4)")
    parser.add_argument("--x", choices=plane.DISTORTION, default=plane.DISTORTION[0], help="distortion")
    parser.add_argument("--y", choices=plane.PERCEPTION, default=plane.PERCEPTION[0], help="perception")
    parser.add_argument("--per-picture", action="store_true", help="a small dot for each picture too")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.svg")
    _from(parser)

    def handle(parsed: argparse.Namespace) -> str:
        found = plane.points(
            records.read_folder(parsed.folder), parsed.dataset, parsed.scale, parsed.x, parsed.y
        )
        parsed.output.write_text(plane.svg(found, parsed.per_picture), "utf-8")
        return f"{parsed.output}: {len(found.points)} dots\n"

    parser.set_defaults(handler=_refusing(handle))


def _site(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    _from(parser)

    def handle(parsed: argparse.Namespace) -> str:
        written = site.write(parsed.output, records.read_folder(parsed.folder))
        return "".join(f"{path}\n" for path in written)

    parser.set_defaults(handler=_refusing(handle))
