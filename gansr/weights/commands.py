"""`python -m gansr weights list | fetch | verify | import | pin | publish`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gansr.weights import cache, edit, manifest, publish, sources, tensors
from gansr.weights.availability import availability
from gansr.weights.manifest import Entry, Own, Registry, Unreachable, WeightsError
from gansr.weights.progress import megabytes
from gansr.weights.retry import DEFAULT_POLICY

Handler = Callable[[argparse.Namespace], int]


def add_parser(subparsers: Any) -> None:
    """Add the command `weights` to the main parser; each action sets `handler(args) -> exit status`."""
    parser = subparsers.add_parser("weights", help="list, fetch, verify, import the weight files")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")

    def action(name: str, handler: Handler, help: str) -> argparse.ArgumentParser:
        made = actions.add_parser(name, help=help, description=help)
        made.set_defaults(handler=_printing_errors(handler))
        return made

    listed = action("list", list_all, "list all weights and whether they are on this machine")
    listed.add_argument("--json", action="store_true", help="as JSON, with licences and sources")
    fetched = action("fetch", fetch, "download weights into the cache and verify them")
    fetched.add_argument("names", nargs="*", metavar="NAME", help="default: all that can be downloaded")
    verified = action(
        "verify", verify, "compute the hash of cached files and compare them with their networks"
    )
    verified.add_argument("names", nargs="*", metavar="NAME", help="default: all on this machine")
    imported = action("import", import_files, "convert the authors' files, check them and cache the result")
    imported.add_argument("name", metavar="NAME")
    imported.add_argument(
        "files", nargs="*", type=Path, metavar="FILE", help="default: download the file from the Hub"
    )
    pinned = action("pin", pin, "for developers: write the hash of a converted file into the manifest")
    pinned.add_argument("names", nargs="+", metavar="NAME")
    pinned.add_argument(
        "--file",
        type=Path,
        help="the entry's new safetensors file; that of our own model is put into this repository",
    )
    publish.add_arguments(action("publish", publish.publish, publish.HELP))


def _printing_errors(handler: Handler) -> Handler:
    def handled(args: argparse.Namespace) -> int:
        try:
            return handler(args)
        except WeightsError as error:
            _print_error(error)
            return 1

    return handled


def _print_error(error: object) -> None:
    print(f"error: {error}", file=sys.stderr)


class ProgressLine:
    """A progress function: one line on stderr, rewritten in place on a terminal; elsewhere one line a step."""

    def __init__(self) -> None:
        self._shown = ""

    def __call__(self, text: str, share: float | None) -> None:
        if sys.stderr.isatty():
            percent = "" if share is None else f" {share:4.0%}"
            print(f"\r\x1b[K{text}{percent}", end="", file=sys.stderr, flush=True)
        elif share is None and text != self._shown:
            print(text, file=sys.stderr)
        self._shown = text

    def clear(self) -> None:
        """Remove the line from a terminal."""
        if sys.stderr.isatty() and self._shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


# -------------------------------------------------------------------------------------- list, fetch, verify


def status(entry: Entry) -> str:
    """Whether the entry's weights are on this machine, or how to get them, in a few words."""
    if cache.cached(entry) is not None:
        return "here" if entry.sha256 else "here, not pinned"
    return availability([entry.name]).state


def list_all(args: argparse.Namespace) -> int:
    """Print a table of all entries, or with --json everything the manifest says."""
    every = manifest.entries().values()
    if args.json:
        rows = [
            {**asdict(e), "state": status(e), "sources": [{"kind": s.kind, **asdict(s)} for s in e.sources]}
            for e in every
        ]
        print(json.dumps(rows, indent=2, ensure_ascii=False))
        return 0
    width = max(len(e.name) for e in every)
    for e in every:
        size = cache.expected_size(e)
        print(f"{e.name:{width}}  {megabytes(size) if size else '?':>8}  {status(e):16} {e.licence}")
    print(f"\ncache: {cache.folder()}")
    return 0


def fetch(args: argparse.Namespace) -> int:
    """Fetch the named weights; without names all that can be fetched. → exit status, 1 if one failed.

    Without names, weights that the manifest does not pin are left out, with a line, where their server does not
    answer; after one such failure no other of them is tried.
    """
    names = args.names or [n for n, e in manifest.entries().items() if cache.cached(e) or e.fetchable]
    unreachable: list[str] = []
    failed = 0
    for name in names:
        optional = not args.names and manifest.entry(name).sha256 is None
        if optional and unreachable and cache.cached(manifest.entry(name)) is None:
            unreachable.append(name)
            continue
        line = ProgressLine()
        try:
            path = sources.fetch(name, line)
            line.clear()
            print(f"{name}  {path}")
        except WeightsError as error:
            line.clear()
            _print_error(error)
            if optional and isinstance(error, Unreachable):
                unreachable.append(name)
            else:
                failed = 1
    if unreachable:
        print(f"not fetched, because their server does not answer: {', '.join(unreachable)}", file=sys.stderr)
    return failed


def verify(args: argparse.Namespace) -> int:
    """Hash and open the named files, default: all on this machine. → exit status, 1 if one is bad or missing."""
    names = args.names or [n for n, e in manifest.entries().items() if cache.cached(e) is not None]
    sound = [_sound(manifest.entry(name)) for name in names]  # a list: every file is checked and printed
    return int(not all(sound))


def _sound(entry: Entry) -> bool:
    sha256, path = cache.expected_sha256(entry), cache.cached(entry)
    if sha256 is None or path is None:
        print(f"{entry.name}  not on this machine, or of another size")
        return False
    try:
        sources.check(entry, cache.content(entry))
    except WeightsError as error:
        print(f"{entry.name}  BAD: {error}; delete {path} and fetch it again")
        return False
    print(f"{entry.name}  good  {sha256}")
    return True


# --------------------------------------------------------------------------------------------- import, pin


def import_files(args: argparse.Namespace) -> int:
    """Convert the given files (none: the entry's Hub file) and cache the result."""
    line = ProgressLine()
    sha256, path = sources.import_files(args.name, args.files, line)
    line.clear()
    print(f"imported {args.name}: {path}\nsha256 {sha256}")
    if manifest.entry(args.name).sha256 is None:
        print(
            "The manifest has no hash of these weights, so the hash is recorded on this machine only. If you trust "
            f"the source of the file, `python -m gansr weights pin {args.name}` writes it into the manifest."
        )
    return 0


def pin(args: argparse.Namespace) -> int:
    """Write hashes into the manifest: of registry entries converted again, of others from the cache or from --file."""
    line, failed = ProgressLine(), 0
    if args.file and len(args.names) != 1:
        raise WeightsError("--file is the file of one entry: name one")
    for group in _by_archive([manifest.entry(name) for name in args.names]):
        if args.file:
            made = _from_file(group[0], args.file)
        else:
            made = _from_archive(group, line) if group[0].source(Registry) else _from_cache(group)
        line.clear()
        for entry, data in made:
            if isinstance(data, WeightsError):
                _print_error(f"{entry.name}: {data}")
                failed = 1
                continue
            sha256 = tensors.sha256(data)
            pinned = {"sha256": sha256, "bytes": len(data)}
            edit.rewrite(entry.name, lambda row, p=pinned: row.update(p))
            if entry.source(Own):
                edit.store_own(entry.name, data)
            else:
                cache.store(manifest.entry(entry.name), data, sha256)
            print(f"{entry.name}  {sha256}  {len(data)} bytes")
    return failed


def _from_file(entry: Entry, path: Path) -> list[tuple[Entry, bytes | WeightsError]]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror or error}") from error
    sources.check(entry, data)
    return [(entry, data)]


def _by_archive(entries: Sequence[Entry]) -> list[list[Entry]]:
    groups: dict[str, list[Entry]] = {}
    for entry in entries:
        source = entry.source(Registry)
        groups.setdefault(source.archive_sha256 if source else entry.name, []).append(entry)
    return list(groups.values())


def _from_archive(group: list[Entry], line: ProgressLine) -> list[tuple[Entry, bytes | WeightsError]]:
    made: list[tuple[Entry, bytes | WeightsError]] = []
    with cache.work_folder() as folder:
        for entry, data in sources.unpacked(group, folder, DEFAULT_POLICY, line):
            try:
                if isinstance(data, bytes):
                    sources.check(entry, data)
                made.append((entry, data))
            except WeightsError as error:
                made.append((entry, error))
    return made


def _from_cache(group: list[Entry]) -> list[tuple[Entry, bytes | WeightsError]]:
    (entry,) = group
    path = cache.cached(entry)
    if path is None or entry.source(Own):
        return [(entry, WeightsError(f"import it first. {sources.how_to_import(entry)}"))]
    data = path.read_bytes()
    sources.check(entry, data)
    return [(entry, data)]
