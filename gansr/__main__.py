"""python -m gansr METHOD IN… -o OUT · compare IN -o DIR · replay RESULT.png --input IN.png · weights … · bench …

Flags of a method are read from its options; the page and the API offer the same under the same names.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gansr import bench
from gansr.compare import command as compare_command
from gansr.engine import Engine, MetricResult
from gansr.method import Frame, Method
from gansr.ops.degrade import Degradation
from gansr.options import Option, OptionError, options_of
from gansr.papers import METHODS
from gansr.picture import open_picture, to_png
from gansr.serve import TOLD, Order, Update, here, order, receipt, request_of, result_png, serve
from gansr.weights import commands as weights_commands

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit status: 0, 1 where something was refused, 2 for unusable arguments."""
    parser = argparse.ArgumentParser(prog="python -m gansr", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for method in METHODS:
        _add_method(commands, method)
    compare_command.add_parser(commands)
    weights_commands.add_parser(commands)
    bench.add_parser(commands)
    parsed = parser.parse_args(arguments)
    try:
        return int(parsed.handler(parsed) or 0)
    except TOLD as error:
        print(f"gansr: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ngansr: stopped", file=sys.stderr)
        return 130


def _add_method(commands: Any, method: Method) -> None:
    parser = commands.add_parser(method.name, help=method.summary, description=method.summary)
    parser.add_argument("inputs", nargs="+", type=Path, metavar="IN", help="pictures or folders of pictures")
    parser.add_argument(
        "-o", "--output", required=True, type=Path, metavar="OUT", help="a .png file, or a folder"
    )
    presets = ", ".join(method.presets)
    parser.add_argument("--preset", choices=method.presets, help=f"{presets}; flags given besides it win")
    for name, (knob, default) in options_of(method.options).items():
        _add_flag(parser, name, knob, default)
    for flag, values in method.cli_flags.items():
        parser.add_argument(
            f"--{flag}", action="store_true", help=", ".join(f"{k}: {v}" for k, v in values.items())
        )
    if method.save:
        parser.add_argument(
            f"--{method.save}", dest="save", type=Path, metavar="FILE", help="also write this file"
        )
    known = parser.add_argument_group("measuring")
    known.add_argument("--truth", type=Path, metavar="HR.png", help="the true picture, to measure against")
    known.add_argument("--known-answer", action="store_true", help="IN is the truth: shrink it first")
    for name, (knob, default) in options_of(Degradation).items():
        _add_flag(known, f"shrink_{name}", knob, default)
    if method.accepts.face:
        parser.add_argument("--no-align", action="store_true", help="use the middle square, look for no face")
        parser.add_argument(
            "--paste-back", action="store_true", help="also write the photograph with the result in it"
        )
        parser.add_argument("--face", type=int, default=1, help="which of the faces found, largest first (1)")
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same picture (0)")
    parser.add_argument(
        "--precision", choices=("fast", "exact"), default="fast", help="exact: float32 throughout"
    )
    parser.add_argument("--device", help="cpu or cuda; default: cuda where there is one")
    parser.add_argument("--json", action="store_true", help="print measurements and receipts as JSON")
    parser.set_defaults(handler=lambda parsed: _run(method, parsed))


def _add_flag(parser: Any, name: str, knob: Option, default: Any) -> None:
    flag, text = "--" + name.replace("_", "-"), knob.help.replace("%", "%%")
    common: dict[str, Any] = {"dest": name, "default": None}
    if knob.read is not None:
        parser.add_argument(flag, type=Path, metavar="FILE", help=text, **common)
    elif isinstance(default, bool):
        parser.add_argument(flag, action=argparse.BooleanOptionalAction, help=f"{text} ({default})", **common)
    elif knob.choices is not None:
        parser.add_argument(flag, choices=knob.choices, help=f"{text} ({default})", **common)
    else:
        parser.add_argument(flag, type=type(default), help=f"{text} ({default})", **common)


def _run(method: Method, parsed: argparse.Namespace) -> int:
    engine, wanted = Engine(parsed.device), _order(method, parsed)
    sources = list(_pictures(parsed.inputs))
    if not sources:
        print("gansr: no PNG, JPEG or WebP pictures there", file=sys.stderr)
        return 1
    to_file = len(sources) == 1 and parsed.output.suffix.lower() == ".png"
    if not to_file:
        parsed.output.mkdir(parents=True, exist_ok=True)
    truth = open_picture(parsed.truth) if parsed.truth else None
    reports, failed = [], 0
    for source in sources:
        target = parsed.output if to_file else parsed.output / f"{source.stem}_{method.name}.png"
        try:
            last = _one(source, target, wanted, engine, truth)
            if getattr(parsed, "save", None):
                _save(parsed.save, last.frame)
        except TOLD as error:  # the other pictures go on
            print(f"gansr: {source.name}: {error}", file=sys.stderr)
            failed += 1
            continue
        reports.append(_report(source, target, wanted, last, engine))
        if not parsed.json:
            print(_lines(source, target, last))
    if parsed.json:
        print(json.dumps(reports, indent=1))
    return 1 if failed else 0


def _order(method: Method, parsed: argparse.Namespace) -> Order:
    given = vars(parsed)
    values = dict(method.presets[parsed.preset]) if parsed.preset else {}
    for flag, short in method.cli_flags.items():
        values |= dict(short) if given[flag.replace("-", "_")] else {}
    values |= {name: given[name] for name in options_of(method.options) if given[name] is not None}
    names = {name: given[f"shrink_{name}"] for name in options_of(Degradation)}
    request = request_of(
        "known answer" if parsed.known_answer else "enlarge",
        {name: value for name, value in names.items() if value is not None},
        not given.get("no_align", False),
        given.get("face", 1),
        given.get("paste_back", False),
    )
    return order(method, values, request, parsed.seed, parsed.precision)


def _pictures(inputs: list[Path]) -> Iterator[Path]:
    for path in inputs:
        if path.is_dir():
            yield from sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES)
        else:
            yield path


def _one(source: Path, target: Path, wanted: Order, engine: Engine, truth: Any) -> Update:
    """Run one picture, write the result and the method's further files; a progress line on a terminal."""
    last, written = Update(), False
    for last in serve(source, wanted, engine, here(engine), truth):
        _progress(source, last)
        if last.finished and not written:
            assert last.prepared is not None and last.frame is not None
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(result_png(wanted, last.prepared, last.frame, engine.describe()))
            _write_more(target, last.frame)
            written = True
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr)
    return last


def _save(path: Path, frame: Frame | None) -> None:
    """The last of the result's files with the ending of `path`, there. Raises OptionError if there is none."""
    files = frame.files if frame is not None else {}
    fitting = [content for name, content in files.items() if name.endswith(path.suffix or ".mat")]
    if not fitting:
        raise OptionError(
            f"there is no {path.suffix} file of this result; there are: {', '.join(files) or 'none'}"
        )
    path.write_bytes(fitting[-1])


def _write_more(target: Path, frame: Frame) -> None:
    for name, content in frame.files.items():
        target.with_name(f"{target.stem}_{name}").write_bytes(content)
    for title, answer in frame.answers.items():
        target.with_name(f"{target.stem}_{title.replace(' ', '-')}.png").write_bytes(to_png(answer))


def _progress(source: Path, update: Update) -> None:
    if not sys.stderr.isatty():
        return
    frame = update.frame
    text = update.text
    if frame is not None and not update.finished:
        text = f"step {frame.step}/{frame.steps}, {frame.computed:.1f} s"
        text += "".join(f", {name} {value:.4g}" for name, value in frame.readings.items())
    print(f"\r\033[K{source.name}: {text}"[:150], end="", file=sys.stderr, flush=True)


def _report(source: Path, target: Path, wanted: Order, last: Update, engine: Engine) -> dict[str, Any]:
    assert last.prepared is not None and last.frame is not None
    return {
        "input": source.name,
        "output": str(target),
        "measures": {row.metric.name: _measure(row) for row in last.readings},
        "bicubic": dict(last.baseline or {}),
        "notices": [*last.prepared.notices, *last.frame.notices],
        "receipt": receipt(wanted, last.prepared, last.frame, engine.describe()),
    }


def _measure(row: MetricResult) -> float | str | None:
    return row.value if row.value is not None else row.reason


def _lines(source: Path, target: Path, last: Update) -> str:
    assert last.prepared is not None and last.frame is not None
    height, width = last.frame.image.shape[-2:]
    rows = [f"{source.name} → {target} ({width}×{height}, {last.frame.computed:.1f} s)"]
    rows += [f"  {note}" for note in (*last.prepared.notices, *last.frame.notices)]
    for metric, value, _ in last.readings:
        if value is not None:
            other = (last.baseline or {}).get(metric.name)
            against = "" if other is None else f"   (bicubic {other:.{metric.digits}f})"
            arrow = "↑" if metric.better == "higher" else "↓"
            rows.append(f"  {metric.title:<16}{arrow} {value:.{metric.digits}f} {metric.unit}{against}")
    return "\n".join(rows)


if __name__ == "__main__":
    sys.exit(main())
