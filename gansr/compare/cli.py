"""python -m gansr compare IN -o DIR"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from torch import Tensor

from gansr import papers
from gansr.compare import plan, table
from gansr.compare.plan import Comparison
from gansr.compare.run import run as run_entries
from gansr.compare.vary import variations
from gansr.method import Method
from gansr.ops.degrade import PRESETS as DEGRADATIONS
from gansr.options import OptionError, plain_values
from gansr.picture import open_picture, to_png
from gansr.picture.strip import strip
from gansr.pipeline import local
from gansr.problem import PROBLEMS, title_of
from gansr.receipt import result_png
from gansr.request import LARGE, SHRINK, Request, decode, from_texts


def add_parser(commands: Any) -> None:
    """`compare` among the sub-commands of python -m gansr."""
    parser = commands.add_parser("compare", help="several methods on one picture, measured")
    names = ",".join(method.name for method in papers.METHODS)
    parser.add_argument("input", type=Path, metavar="IN")
    parser.add_argument("-o", "--output", required=True, type=Path, metavar="DIR")
    parser.add_argument("--methods", default="all", help=f"all, or some of: {names}")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="METHOD.OPTION=VALUE",
        help="an option; may be repeated; VALUE may be several with bars between: a|b",
    )
    parser.add_argument("--preset", action="append", default=[], metavar="METHOD=PRESET")
    parser.add_argument("--truth", type=Path, metavar="HR.png", help="the true picture, to measure against")
    parser.add_argument("--known-answer", action="store_true", help="IN is the truth: shrink it first")
    parser.add_argument("--degradation", choices=DEGRADATIONS, default=next(iter(DEGRADATIONS)))
    parser.add_argument(
        "--kernel",
        type=Path,
        metavar="FILE",
        help="shrink IN with this blur kernel instead (.mat, .npy, .csv)",
    )
    parser.add_argument("--kernel-factor", type=int, default=2, help="the factor that the kernel is for (2)")
    parser.add_argument(
        "--problem", choices=PROBLEMS, help="what every method is asked for; default: by the picture"
    )
    parser.add_argument("--no-align", action="store_true", help="use the middle square, look for no face")
    parser.add_argument(
        "--large",
        choices=LARGE,
        default="keep",
        help="what becomes of a picture of more than 1 megapixel (keep)",
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--precision", choices=("fast", "exact"), default="fast")
    parser.add_argument("--device", help="cpu or cuda; default: cuda where there is one")
    parser.set_defaults(handler=run)


def run(parsed: argparse.Namespace) -> int:
    """Write each result, table.{md,csv,json} and strip.png. Returns 1 if a method failed or something that it needs is
    missing; a method that does not solve the problem is no failure."""
    pipeline = local(parsed.device)
    requests = [request for method in chosen(parsed.methods) for request in _requests(method, parsed)]
    for update in pipeline.fetch_detector() if any(request.align for request in requests) else ():
        _progress(update.text)
    picture = open_picture(parsed.input)
    name = parsed.problem or plan.default_problem(picture, requests, pipeline)
    truth = open_picture(parsed.truth) if parsed.truth else None
    comparison = plan.plan(picture, requests, PROBLEMS[name], pipeline, truth)
    for entry in run_entries(comparison, pipeline):
        there, of = comparison.measurements
        _progress(f"measuring, {there} of {of}" if entry is None else f"{entry.title}: {entry.text}")
    _progress("")
    _write(comparison, parsed.output)
    for entry in comparison:
        if entry.state != "done":
            print(f"gansr: {entry.title}: {entry.text}", file=sys.stderr)
    return 0 if all(entry.state in ("done", "unsuitable") for entry in comparison) else 1


def chosen(names: str) -> list[Method]:
    """ "all" or a comma-separated list → methods, in the page's order. Raises OptionError."""
    if names == "all":
        return list(papers.METHODS)
    wanted = [papers.by_name(name.strip()).name for name in names.split(",") if name.strip()]
    return [method for method in papers.METHODS if method.name in wanted]


def _requests(method: Method, parsed: argparse.Namespace) -> list[Request]:
    """One, or several where an option has several values."""
    presets = dict(pair.partition("=")[::2] for pair in parsed.preset)
    values: dict[str, Any] = {}
    if preset := presets.get(method.name):
        if preset not in method.presets:
            raise OptionError(f"{method.title} has no preset {preset!r}; it has: {', '.join(method.presets)}")
        values |= method.presets[preset]
    settings = (setting.partition("=")[::2] for setting in parsed.set)
    prefix = f"{method.name}."
    typed = {k.removeprefix(prefix): v for k, v in settings if k.startswith(prefix)}
    shrinking: dict[str, Any] = plain_values(DEGRADATIONS[parsed.degradation])
    if parsed.kernel is not None:
        shrinking |= {"operator": "kernel", "kernel": parsed.kernel, "kernel_factor": parsed.kernel_factor}
    known = parsed.known_answer and not parsed.truth
    common: dict[str, Any] = {
        "task": "known answer" if known else "enlarge",
        "align": not parsed.no_align,
        "large": parsed.large,
        "seed": parsed.seed,
        "precision": parsed.precision,
    }
    common |= {SHRINK + name: value for name, value in shrinking.items()}
    return [decode(method, common | values | from_texts(method, each)) for each in variations(typed)]


def _write(comparison: Comparison, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    rows = table.rows(comparison)
    (folder / "table.md").write_text(table.markdown(rows), "utf-8")
    (folder / "table.csv").write_text(table.comma_separated(rows), "utf-8")
    (folder / "table.json").write_text(table.as_json(comparison, rows), "utf-8")
    captions = {row.name: table.brief(row) for row in rows}
    items: list[tuple[str, str, Tensor]] = []
    if comparison.bicubic is not None and comparison.given is not None:
        (folder / "input.png").write_bytes(to_png(comparison.given.low))
        (folder / "bicubic.png").write_bytes(to_png(comparison.bicubic))
        items.append(("Bicubic", captions.get("bicubic", ""), comparison.bicubic))
    for entry in comparison:
        if entry.state == "done" and entry.frame is not None and entry.given is not None:
            png = result_png(entry.request, entry.given, entry.frame)
            (folder / f"{entry.name}.png").write_bytes(png)
            items.append((entry.title, captions.get(entry.name, ""), entry.frame.image))
            if entry.native is not None:
                (folder / f"{entry.name}-native.png").write_bytes(to_png(entry.native))
    if comparison.given is not None and comparison.given.truth is not None:
        items.append(("Original", "", comparison.given.truth))
    if items:
        (folder / "strip.png").write_bytes(strip(items))
    print(f"{title_of(comparison.problem)}\n\n{table.markdown(rows)}", end="")


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{text}"[:150], end="", file=sys.stderr, flush=True)
