"""python -m gansr METHOD IN… -o OUT · compare IN -o DIR · replay RESULT.png --input IN.png ·
weights … · bench … · results … · gallery build · rating … · deploy … · cluster …

The flags of a method are the fields of its request: the page and the API offer the same under the same names.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gansr import bench, deploy, papers, receipt
from gansr.backends.ray import command as cluster_command
from gansr.choices import told, weight_choices
from gansr.compare import cli as compare_cli
from gansr.engine import MetricResult
from gansr.method import Frame, Method
from gansr.metrics.psnr import PSNR_RGB
from gansr.ops.colour import to8bit
from gansr.options import Option, OptionError
from gansr.papers import training
from gansr.picture import Picture, PictureError, open_picture, to_png
from gansr.pipeline import USER_ERRORS, Pipeline, Update, local
from gansr.rating import cli as rating_cli
from gansr.request import OF_FACES, Request, decode, fields_of
from gansr.results import cli as results_cli
from gansr.weights import commands as weights_commands

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".heic", ".heif", ".avif")  # read from a folder
MEASURING = ("task", "robustness", "shrink_")  # fields whose flags are in a group of their own


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit status: 0, 1 where something was refused, 2 for unusable arguments."""
    parser = argparse.ArgumentParser(prog="python -m gansr", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for method in papers.METHODS:
        _add_method(commands, method)
    compare_cli.add_parser(commands)
    _add_replay(commands)
    weights_commands.add_parser(commands)
    bench.add_parser(commands)
    results_cli.add_parser(commands)
    training.add_parser(commands)
    deploy.add_parser(commands)
    cluster_command.add_parser(commands)
    _add_gallery(commands)
    rating_cli.add_parser(commands)
    parsed = parser.parse_args(arguments)
    try:
        return int(parsed.handler(parsed) or 0)
    except USER_ERRORS as error:
        print(f"gansr: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ngansr: stopped", file=sys.stderr)
        return 130


# --------------------------------------------------------------------------------------------- a method


def _add_method(commands: Any, method: Method) -> None:
    parser = commands.add_parser(method.name, help=method.summary, description=method.summary)
    parser.add_argument("inputs", nargs="+", type=Path, metavar="IN", help="pictures or folders of pictures")
    parser.add_argument(
        "-o", "--output", required=True, type=Path, metavar="OUT", help="a .png file, or a folder"
    )
    presets = ", ".join(method.presets)
    parser.add_argument("--preset", choices=method.presets, help=f"{presets}; flags override it")
    measuring = parser.add_argument_group("measuring")
    measuring.add_argument(
        "--truth", type=Path, metavar="HR.png", help="the true picture, to measure against"
    )
    measuring.add_argument("--known-answer", action="store_true", help="IN is the truth: shrink it first")
    for name, (described, default) in fields_of(method).items():
        standing = told(weight_choices(method, name))
        if name.startswith(MEASURING):
            _add_flag(measuring, name, described, default, standing)
        elif name not in OF_FACES or method.accepts.face:
            _add_flag(parser, name, described, default, standing)
    for flag, values in method.cli_flags.items():
        parser.add_argument(
            f"--{flag}", action="store_true", help=", ".join(f"{k}: {v}" for k, v in values.items())
        )
    if method.save:
        parser.add_argument(
            f"--{method.save}", dest="save", type=Path, metavar="FILE", help="also write this file"
        )
    parser.add_argument("--device", help="cpu or cuda; default: cuda where there is one")
    parser.add_argument("--json", action="store_true", help="print measurements and receipts as JSON")
    parser.set_defaults(handler=lambda parsed: _run(method, parsed))


def _add_flag(parser: Any, name: str, described: Option, default: Any, standing: str) -> None:
    flag, text = "--" + name.replace("_", "-"), described.help.replace("%", "%%")
    usual = f" ({default})" + (f". Weights {standing}" if standing else "")
    if name == "task":
        return  # --known-answer
    common: dict[str, Any] = {"dest": name, "default": None}
    if described.read is not None:
        parser.add_argument(flag, type=Path, metavar="FILE", help=text, **common)
    elif isinstance(default, bool):
        parser.add_argument(flag, action=argparse.BooleanOptionalAction, help=text + usual, **common)
    elif described.choices is not None:
        parser.add_argument(flag, choices=described.choices, help=text + usual, **common)
    else:
        parser.add_argument(flag, type=type(default), help=text + usual, **common)


def _run(method: Method, parsed: argparse.Namespace) -> int:
    pipeline, request = local(parsed.device), _request(method, parsed)
    sources = list(_pictures(parsed.inputs))
    if not sources:
        raise PictureError(f"no pictures there ({', '.join(SUFFIXES)})")
    to_file = len(sources) == 1 and parsed.output.suffix.lower() == ".png"
    if not to_file:
        parsed.output.mkdir(parents=True, exist_ok=True)
    truth = open_picture(parsed.truth) if parsed.truth else None
    reports: list[dict[str, Any]] = []
    failed = 0
    for source in sources:
        target = parsed.output if to_file else parsed.output / f"{source.stem}_{method.name}.png"
        try:
            last = _one(source, target, request, pipeline, truth)
            if getattr(parsed, "save", None):
                _save(parsed.save, last.frame)
        except USER_ERRORS as error:  # the other pictures continue
            print(f"gansr: {source.name}: {error}", file=sys.stderr)
            failed += 1
            continue
        reports.append(_report(source, target, request, last))
        if not parsed.json:
            print(_lines(source, target, last))
    if parsed.json:
        print(json.dumps(reports, indent=1))
    return 1 if failed else 0


def _request(method: Method, parsed: argparse.Namespace) -> Request:
    given = vars(parsed)
    values: dict[str, Any] = dict(method.presets[parsed.preset]) if parsed.preset else {}
    for flag, short in method.cli_flags.items():
        values |= dict(short) if given[flag.replace("-", "_")] else {}
    values |= {name: given[name] for name in fields_of(method) if given.get(name) is not None}
    known = parsed.known_answer or values.get("robustness")
    return decode(method, values | ({"task": "known answer"} if known else {}))


def _pictures(inputs: list[Path]) -> Iterator[Path]:
    for path in inputs:
        if path.is_dir():
            yield from sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES)
        else:
            yield path


def _one(source: Path, target: Path, request: Request, pipeline: Pipeline, truth: Picture | None) -> Update:
    """Run one picture, write the result and the method's other files; a progress line on a terminal."""
    last, written = Update(), False
    for last in pipeline.run(source, request, truth):
        _progress(source, last)
        if last.finished and not written:
            assert last.given is not None and last.frame is not None
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(receipt.result_png(request, last.given, last.frame))
            _write_files(target, last.frame)
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


def _write_files(target: Path, frame: Frame) -> None:
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


def _report(source: Path, target: Path, request: Request, last: Update) -> dict[str, Any]:
    assert last.given is not None and last.frame is not None
    return {
        "input": source.name,
        "output": str(target),
        "measures": {row.metric.name: _value(row) for row in last.measured},
        "answers": {
            title: {row.metric.name: _value(row) for row in rows} for title, rows in last.answers.items()
        },
        "baseline": {"title": last.baseline_title, "measures": dict(last.baseline or {})},
        "notices": [*last.given.notices, *last.frame.notices],
        "receipt": receipt.write(request, last.given, last.frame),
    }


def _value(row: MetricResult) -> float | str | None:
    return row.value if row.value is not None else row.reason


def _lines(source: Path, target: Path, last: Update) -> str:
    assert last.given is not None and last.frame is not None
    height, width = last.frame.image.shape[-2:]
    rows = [f"{source.name} → {target} ({width}×{height}, {last.frame.computed:.1f} s)"]
    rows += [f"  {note}" for note in (*last.given.notices, *last.frame.notices)]
    for metric, value, _ in last.measured:
        if value is not None:
            other = (last.baseline or {}).get(metric.name)
            against = "" if other is None else f"   ({last.baseline_title.lower()} {other:.{metric.digits}f})"
            arrow = "↑" if metric.better == "higher" else "↓"
            rows.append(f"  {metric.title:<16}{arrow} {value:.{metric.digits}f} {metric.unit}{against}")
    for title, found in last.answers.items():
        said = [f"{m.title} {value:.{m.digits}f}" for m, value, _ in found if value is not None]
        rows.append(f"  {title}: {', '.join(said)}")
    return "\n".join(rows)


# ----------------------------------------------------------------------------------------------- replay


def _add_replay(commands: Any) -> None:
    parser = commands.add_parser("replay", help="run a result's receipt again and report the difference")
    parser.add_argument("result", type=Path, metavar="RESULT.png")
    parser.add_argument(
        "--input", required=True, type=Path, metavar="IN.png", help="the picture it was made of"
    )
    parser.add_argument("-o", "--output", type=Path, metavar="OUT.png", help="keep the new result")
    parser.add_argument("--device", help="cpu or cuda; default: cuda where there is one")
    names = {name: text for method in papers.METHODS for name, text in _file_options(method).items()}
    for name, text in names.items():
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            dest=f"file_{name}",
            type=Path,
            metavar="FILE",
            help=f"the file used for {name}, where the receipt holds only its hash ({text})",
        )
    parser.set_defaults(handler=_replay)


def _add_gallery(commands: Any) -> None:
    parser = commands.add_parser("gallery", help="the examples that the page shows as finished")
    parser.add_argument("action", choices=["build"], help="compute them again (an hour on two cores)")
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these; default: all")
    parser.set_defaults(handler=_build_gallery)


def _build_gallery(parsed: argparse.Namespace) -> int:
    from gansr.ui.gallery_build import build  # Gradio, which the other commands do without

    try:
        build(parsed.names)
    except ValueError as error:
        print(f"gansr: {error}", file=sys.stderr)
        return 1
    return 0


def _file_options(method: Method) -> dict[str, str]:
    return {
        name: described.help.replace("%", "%%")
        for name, (described, _) in fields_of(method).items()
        if described.read is not None
    }


def _replay(parsed: argparse.Namespace) -> int:
    """Run the receipt in a result's PNG on its input and say how far apart they are. 1 where they differ."""
    recorded = receipt.read(parsed.result)
    files = {n.removeprefix("file_"): v for n, v in vars(parsed).items() if n.startswith("file_") and v}
    request = receipt.request_of(recorded, files)
    if missing := [name for name in receipt.missing_files(recorded) if name not in files]:
        flags = " ".join(f"--{name.replace('_', '-')} FILE" for name in missing)
        raise OptionError(f"the receipt holds only the hash of {', '.join(missing)}: give {flags}")
    given, frame = local(parsed.device).result(
        parsed.input, request, threads=receipt.recorded_threads(recorded)
    )
    if parsed.output:
        parsed.output.write_bytes(receipt.result_png(request, given, frame))
    found = receipt.difference(recorded, receipt.write(request, given, frame))
    if found.input:
        print("gansr: this is not the picture the result was made of (its hash differs)", file=sys.stderr)
    if not found.files:
        print("identical: every file of the result is the same")
    else:
        print(f"not identical: {', '.join(found.files)}")
        print(_pixels(open_picture(parsed.result), frame))
    for line in found.numerics:
        print(f"  {line}")
    return 0 if found.identical else 1


def _pixels(before: Picture, frame: Frame) -> str:
    """How far apart two result pictures are."""
    old, new = to8bit(before.rgb), to8bit(frame.image)
    if old.shape != new.shape:
        return f"  different sizes: {tuple(old.shape[1:])} and {tuple(new.shape[1:])}"
    apart = (old - new).abs().mul(255).round()
    share = float((apart.amax(0) > 0).float().mean())
    if not share:
        return "  every pixel of the picture is the same"
    return (
        f"  {PSNR_RGB.measure(old, new, {}):.1f} dB, at most {int(apart.max())} of 255 apart, "
        f"{100 * share:.1f} % of the pixels"
    )


if __name__ == "__main__":
    sys.exit(main())
