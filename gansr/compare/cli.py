"""python -m gansr compare IN -o DIR"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from torch import Tensor

from gansr import papers
from gansr.compare import plan, table
from gansr.compare.plan import Entry
from gansr.compare.run import run as run_entries
from gansr.method import Method
from gansr.ops.degrade import PRESETS as DEGRADATIONS
from gansr.options import OptionError, plain_values
from gansr.picture import open_picture, to_png
from gansr.picture.strip import strip
from gansr.pipeline import local
from gansr.receipt import result_png
from gansr.request import SHRINK, Request, decode, from_texts


def add_parser(commands: Any) -> None:
    """`compare` among the sub-commands of python -m gansr."""
    parser = commands.add_parser("compare", help="several methods on one picture, measured")
    names = ",".join(method.name for method in papers.METHODS)
    parser.add_argument("input", type=Path, metavar="IN")
    parser.add_argument("-o", "--output", required=True, type=Path, metavar="DIR")
    parser.add_argument("--methods", default="all", help=f"all, or some of: {names}")
    parser.add_argument(
        "--set", action="append", default=[], metavar="METHOD.OPTION=VALUE", help="an option; may be repeated"
    )
    parser.add_argument("--preset", action="append", default=[], metavar="METHOD=PRESET")
    parser.add_argument("--truth", type=Path, metavar="HR.png", help="the true picture, to measure against")
    parser.add_argument("--known-answer", action="store_true", help="IN is the truth: shrink it first")
    parser.add_argument("--degradation", choices=DEGRADATIONS, default=next(iter(DEGRADATIONS)))
    parser.add_argument("--factor", type=int, choices=plan.FACTORS, help="how much smaller the truth is made")
    parser.add_argument("--no-align", action="store_true", help="use the middle square, look for no face")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--precision", choices=("fast", "exact"), default="fast")
    parser.add_argument("--device", help="cpu or cuda; default: cuda where there is one")
    parser.set_defaults(handler=run)


def run(parsed: argparse.Namespace) -> int:
    """Write each result, table.{md,csv,json} and strip.png. Returns 1 if a method failed or was refused."""
    pipeline = local(parsed.device)
    requests = [_request(method, parsed) for method in chosen(parsed.methods)]
    for update in pipeline.fetch_detector() if plan.finds_face(requests) else ():
        _progress(update.text)
    entries = plan.plan(open_picture(parsed.input), requests, pipeline, parsed.factor)
    if parsed.truth:
        truth = open_picture(parsed.truth)
        for entry in entries:
            entry.truth = truth
    for entry in run_entries(entries, pipeline):
        _progress(f"{entry.method.title}: {entry.text}")
    _progress("")
    _write(entries, parsed.output)
    for entry in entries:
        if entry.state != "done":
            print(f"gansr: {entry.method.title}: {entry.text}", file=sys.stderr)
    return 0 if all(entry.state == "done" for entry in entries) else 1


def chosen(names: str) -> list[Method]:
    """ "all" or a comma-separated list → methods, in the page's order. Raises OptionError."""
    if names == "all":
        return list(papers.METHODS)
    wanted = [papers.by_name(name.strip()).name for name in names.split(",") if name.strip()]
    return [method for method in papers.METHODS if method.name in wanted]


def _request(method: Method, parsed: argparse.Namespace) -> Request:
    presets = dict(pair.partition("=")[::2] for pair in parsed.preset)
    values: dict[str, Any] = {}
    if preset := presets.get(method.name):
        if preset not in method.presets:
            raise OptionError(f"{method.title} has no preset {preset!r}; it has: {', '.join(method.presets)}")
        values |= method.presets[preset]
    settings = (setting.partition("=")[::2] for setting in parsed.set)
    prefix = f"{method.name}."
    values |= from_texts(method, {k.removeprefix(prefix): v for k, v in settings if k.startswith(prefix)})
    shrinking = plain_values(DEGRADATIONS[parsed.degradation])
    known = parsed.known_answer and not parsed.truth
    common = {
        "task": "known answer" if known else "enlarge",
        "align": not parsed.no_align,
        "seed": parsed.seed,
        "precision": parsed.precision,
    }
    return decode(method, {SHRINK + name: value for name, value in shrinking.items()} | common | values)


def _write(entries: list[Entry], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    reference = plan.largest(entries)
    rows = table.rows(entries)
    (folder / "table.md").write_text(table.markdown(rows), "utf-8")
    (folder / "table.csv").write_text(table.comma_separated(rows), "utf-8")
    (folder / "table.json").write_text(table.as_json(rows), "utf-8")
    captions = {row.name: table.brief(row) for row in rows}
    items: list[tuple[str, str, Tensor]] = []
    if reference is not None:
        first = plan.bicubic(reference)
        (folder / "bicubic.png").write_bytes(to_png(first))
        items.append(("Bicubic", captions.get("bicubic", ""), first))
    for entry in entries:
        if entry.state == "done" and entry.frame is not None and entry.given is not None:
            png = result_png(entry.request, entry.given, entry.frame)
            (folder / f"{entry.method.name}.png").write_bytes(png)
            items.append((entry.method.title, captions.get(entry.method.name, ""), entry.frame.image))
    if reference is not None and reference.given is not None and reference.given.truth is not None:
        items.append(("Original", "", reference.given.truth))
    if items:
        (folder / "strip.png").write_bytes(strip(items))
    print(table.markdown(rows), end="")


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{text}"[:150], end="", file=sys.stderr, flush=True)
