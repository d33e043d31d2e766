"""python -m gansr compare IN -o DIR · python -m gansr replay RESULT.png --input IN.png"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from gansr import compare
from gansr.compare import Lane, table
from gansr.engine import Engine
from gansr.method import Method
from gansr.metrics.psnr import PSNR_RGB
from gansr.ops.colour import to8bit
from gansr.ops.degrade import PRESETS as DEGRADATIONS
from gansr.options import OptionError, options_of, parse_options
from gansr.papers import METHODS
from gansr.picture import open_picture, to_png
from gansr.picture.strip import strip
from gansr.prepare import Request, prepare
from gansr.serve import DETECTOR, Order, here, order, serve

BY_NAME = {method.name: method for method in METHODS}


def add_parser(commands: Any) -> None:
    """Both commands, for an argparse sub-parser collection."""
    _add_compare(commands.add_parser("compare", help="several methods on one picture, measured"))
    again = commands.add_parser("replay", help="run a result's receipt again and report the difference")
    again.add_argument("result", type=Path, metavar="RESULT.png")
    again.add_argument(
        "--input", required=True, type=Path, metavar="IN.png", help="the picture it was made of"
    )
    again.add_argument("-o", "--output", type=Path, metavar="OUT.png", help="keep what comes out")
    again.add_argument("--device", help="cpu or cuda; default: cuda where there is one")
    again.set_defaults(handler=replay)


def _add_compare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("input", type=Path, metavar="IN")
    parser.add_argument("-o", "--output", required=True, type=Path, metavar="DIR")
    parser.add_argument("--methods", default="all", help=f"all, or some of: {','.join(BY_NAME)}")
    parser.add_argument(
        "--set", action="append", default=[], metavar="METHOD.OPTION=VALUE", help="an option; may be repeated"
    )
    parser.add_argument("--preset", action="append", default=[], metavar="METHOD=PRESET")
    parser.add_argument(
        "--truth", type=Path, metavar="HR.png", help="test with a known answer: this is the truth"
    )
    parser.add_argument(
        "--known-answer", action="store_true", help="IN itself is the truth: it is shrunk first"
    )
    parser.add_argument("--degradation", choices=DEGRADATIONS, default=next(iter(DEGRADATIONS)))
    parser.add_argument("--factor", type=int, choices=compare.FACTORS, help="of the test with a known answer")
    parser.add_argument("--no-align", action="store_true", help="use the middle square, look for no face")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--precision", choices=("fast", "exact"), default="fast")
    parser.add_argument("--device", help="cpu or cuda; default: cuda where there is one")
    parser.set_defaults(handler=run)


def run(parsed: argparse.Namespace) -> int:
    """Write each result, table.{md,csv,json} and strip.png. Returns 1 if a method failed or was refused."""
    engine = Engine(parsed.device)
    orders = [_order(method, parsed) for method in chosen(parsed.methods)]
    for text, share in engine.fetch(
        (DETECTOR,) if compare.wants_face(orders) and not parsed.no_align else ()
    ):
        _progress(text if share is None else f"{text}: {100 * share:.0f} %")
    made = compare.lanes(open_picture(parsed.input), orders, engine, parsed.factor)
    if parsed.truth:
        _with_truth(made, parsed.truth)
    for lane in compare.run(made, engine, here(engine)):
        _progress(f"{lane.method.title}: {lane.text}")
    _progress("")
    _write(made, parsed.output, engine)
    for lane in made:
        if lane.state != "done":
            print(f"gansr: {lane.method.title}: {lane.text}", file=sys.stderr)
    return 0 if all(lane.state == "done" for lane in made) else 1


def chosen(names: str) -> list[Method]:
    """ "all" or a comma-separated list → methods, in the page's order. Raises OptionError."""
    wanted = list(BY_NAME) if names == "all" else [name.strip() for name in names.split(",") if name.strip()]
    if unknown := [name for name in wanted if name not in BY_NAME]:
        raise OptionError(f"there is no method {unknown[0]!r}; there are: all, {', '.join(BY_NAME)}")
    return [method for method in METHODS if method.name in wanted]


def typed(method: Method, name: str, text: str) -> Any:
    """An option's text → its value, for `parse_options`. Raises OptionError for an unknown name or no number."""
    if name not in options_of(method.options):
        raise OptionError(
            f"{method.title} has no option {name!r}; it has: {', '.join(options_of(method.options))}"
        )
    default = options_of(method.options)[name][1]
    if isinstance(default, bool):
        return {"true": True, "false": False}.get(text.lower(), text)
    if isinstance(default, (int, float)):
        try:
            number = float(text)
        except ValueError:
            return text  # the check says what is wanted
        return int(number) if number == number // 1 and isinstance(default, int) else number
    return text


def _order(method: Method, parsed: argparse.Namespace) -> Order:
    presets = dict(pair.partition("=")[::2] for pair in parsed.preset)
    values: dict[str, Any] = {}
    if preset := presets.get(method.name):
        if preset not in method.presets:
            raise OptionError(f"{method.title} has no preset {preset!r}; it has: {', '.join(method.presets)}")
        values |= method.presets[preset]
    for setting in parsed.set:
        key, _, text = setting.partition("=")
        owner, _, name = key.partition(".")
        if owner == method.name:
            values[name] = typed(method, name, text)
    known = parsed.known_answer and not parsed.truth
    request = Request(
        "known answer" if known else "enlarge", DEGRADATIONS[parsed.degradation], not parsed.no_align
    )
    parse_options(method.options, values)
    return order(method, values, request, parsed.seed, parsed.precision)


def _with_truth(made: list[Lane], path: Path) -> None:
    truth = open_picture(path)
    for lane in made:
        lane.truth = truth


def _write(made: list[Lane], folder: Path, engine: Engine) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    device, reference = engine.describe(), compare.largest(made)
    found = table.rows(made, device)
    (folder / "table.md").write_text(table.markdown(found), "utf-8")
    (folder / "table.csv").write_text(table.comma_separated(found), "utf-8")
    (folder / "table.json").write_text(table.as_json(found), "utf-8")
    captions = {row.name: table.brief(row) for row in found}
    items = []
    if reference is not None:
        first = compare.bicubic(reference)
        (folder / "bicubic.png").write_bytes(to_png(first))
        items.append(("Bicubic", captions.get("bicubic", ""), first))
    for lane in made:
        if lane.state == "done" and lane.frame is not None:
            (folder / f"{lane.method.name}.png").write_bytes(compare.lane_png(lane, device))
            items.append((lane.method.title, captions.get(lane.method.name, ""), lane.frame.image))
    if reference is not None and reference.prepared is not None and reference.prepared.truth is not None:
        items.append(("Truth", "", reference.prepared.truth))
    if items:
        (folder / "strip.png").write_bytes(strip(items))
    print(table.markdown(found), end="")


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{text}"[:150], end="", file=sys.stderr, flush=True)


# ------------------------------------------------------------------------------------------------ replay


def replay(parsed: argparse.Namespace) -> int:
    """Run the receipt in a result's PNG on its input and say how far apart they are. 1 where they differ."""
    recipe = compare.read_receipt(parsed.result)
    wanted, cut = compare.order_of(recipe)
    engine = Engine(parsed.device)
    for text, share in engine.fetch((DETECTOR,) if wanted.method.accepts.face or cut.align else ()):
        _progress(text if share is None else f"{text}: {100 * share:.0f} %")
    source = compare.given(open_picture(parsed.input), cut, wanted, lambda: engine.net(DETECTOR))
    prepared = prepare(source, wanted.method, wanted.options, wanted.request, lambda: engine.net(DETECTOR))
    if compare.input_hash(prepared.low) != recipe.get("input_sha256"):
        print("gansr: this is not the picture the result was made of (its hash differs)", file=sys.stderr)
    last = None
    for update in serve(source, wanted, engine, here(engine)):
        if update.frame is not None and update.finished:
            last = update.frame
            break
    _progress("")
    assert last is not None
    if parsed.output:
        parsed.output.write_bytes(to_png(last.image))
    return _compare(to8bit(open_picture(parsed.result).rgb), to8bit(last.image), recipe, engine.describe())


def _compare(before: Any, now: Any, recipe: Any, device: str) -> int:
    if before.shape != now.shape:
        print(f"different sizes: {tuple(before.shape[1:])} and {tuple(now.shape[1:])}")
        return 1
    apart = (before - now).abs().mul(255).round()
    if not apart.any():
        print("identical: every pixel is the same")
        return 0
    share = float((apart.amax(0) > 0).float().mean())
    decibels = PSNR_RGB.measure(before, now, {})
    print(
        f"not identical: {decibels:.1f} dB, at most {int(apart.max())} of 255 apart, {100 * share:.1f} % of the pixels"
    )
    if recipe.get("device") != device:
        print(f"it was made on {recipe.get('device')}; this is {device}")
    return 1
