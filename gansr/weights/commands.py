"""`python -m gansr weights list | fetch | verify | import | pin | publish`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gansr.weights import cache, manifest, sources, tensors
from gansr.weights.manifest import Entry, Hub, Own, Registry, WeightsError, Yours
from gansr.weights.patience import megabytes


def add_parser(subparsers: Any) -> None:
    """Hang the command `weights` below the main parser; each action sets `handler(args) -> exit status`."""
    parser = subparsers.add_parser("weights", help="list, fetch, verify, import the weight files")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")

    def action(name: str, handler: Callable[[argparse.Namespace], int], help: str) -> argparse.ArgumentParser:
        made = actions.add_parser(name, help=help, description=help)
        made.set_defaults(handler=_telling(handler))
        return made

    listed = action("list", list_all, "every entry of the manifest, and whether it is here")
    listed.add_argument("--json", action="store_true", help="as JSON, with licences and sources")
    fetched = action("fetch", fetch, "bring weights into the cache")
    fetched.add_argument("names", nargs="*", metavar="NAME")
    fetched.add_argument("--all", action="store_true", help="all that can be fetched without you")
    verified = action("verify", verify, "hash and open what is in the cache")
    verified.add_argument("names", nargs="*", metavar="NAME", help="default: all that are here")
    brought = action("import", bring, "convert the authors' files, check them against the net, keep them")
    brought.add_argument("name", metavar="NAME")
    brought.add_argument("files", nargs="*", type=Path, metavar="FILE", help="none: download from the Hub")
    pinned = action("pin", pin, "for developers: write what is made here, and its hash, into the manifest")
    pinned.add_argument("names", nargs="+", metavar="NAME")
    published = action("publish", publish, "upload the cached files to a Hub repository and note it")
    published.add_argument("repository", metavar="NAMESPACE/REPO")
    published.add_argument("names", nargs="*", metavar="NAME", help="default: all that are pinned and here")


def _telling(handler: Callable[[argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
    def told(args: argparse.Namespace) -> int:
        try:
            return handler(args)
        except WeightsError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1

    return told


class Line:
    """One progress line on stderr, rewritten in place; on a file or a pipe only its steps."""

    def __init__(self) -> None:
        self.shown, self.share = "", -1.0

    def __call__(self, text: str, share: float | None) -> None:
        if sys.stderr.isatty():
            bar = "" if share is None else f" {share:4.0%}"
            print(f"\r\x1b[K{text}{bar}", end="", file=sys.stderr, flush=True)
        elif share is None and text != self.shown:
            print(text, file=sys.stderr)
        self.shown = text

    def end(self) -> None:
        if sys.stderr.isatty() and self.shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


# -------------------------------------------------------------------------------------- list, fetch, verify


def standing(entry: Entry) -> str:
    """Where the entry stands on this machine, in a few words."""
    if cache.held(entry) is not None:
        return "here" if entry.sha256 else "here, imported"
    if entry.sha256 and entry.source(Own):
        return "missing from the checkout"
    if entry.sha256 and (entry.source(Hub) or entry.source(Registry)):
        return "to fetch"
    return "not pinned yet" if entry.source(Registry) else "yours to import"


def list_all(args: argparse.Namespace) -> int:
    every = manifest.entries().values()
    if args.json:
        rows = [
            {**asdict(e), "state": standing(e), "sources": [{"kind": s.kind, **asdict(s)} for s in e.sources]}
            for e in every
        ]
        print(json.dumps(rows, indent=2, ensure_ascii=False))
        return 0
    width = max(len(e.name) for e in every)
    for e in every:
        size = cache.size(e)
        print(f"{e.name:{width}}  {megabytes(size) if size else '?':>8}  {standing(e):16} {e.licence}")
    print(f"\ncache: {cache.folder()}")
    return 0


def fetch(args: argparse.Namespace) -> int:
    every = manifest.entries()
    names = [n for n in every if standing(every[n]) == "to fetch"] if args.all else args.names
    if not names and not args.all:
        raise WeightsError("name what to fetch, or --all; `python -m gansr weights list` shows what there is")
    line, failed = Line(), 0
    for name in names:
        try:
            path = sources.fetch(name, line)
            line.end()
            print(f"{name}  {path}")
        except WeightsError as error:
            line.end()
            print(f"error: {error}", file=sys.stderr)
            failed = 1
    return failed


def verify(args: argparse.Namespace) -> int:
    names = args.names or [n for n, e in manifest.entries().items() if cache.held(e) is not None]
    sound = [_sound(manifest.entry(name)) for name in names]  # all of them, before the verdict
    return int(not all(sound))


def _sound(entry: Entry) -> bool:
    sha256, path = cache.digest(entry), cache.held(entry)
    if sha256 is None or path is None:
        print(f"{entry.name}  not here, or of another size")
        return False
    try:
        sources.check(entry, tensors.read_verified(path, sha256))
    except WeightsError as error:
        print(f"{entry.name}  BAD: {error}; delete {path} and fetch it again")
        return False
    print(f"{entry.name}  good  {sha256}")
    return True


# ------------------------------------------------------------------------------------ import, pin, publish


def bring(args: argparse.Namespace) -> int:
    line = Line()
    sha256, path = sources.bring(args.name, args.files, line)
    line.end()
    print(f"{args.name} is here: {path}\nsha256 {sha256}")
    if manifest.entry(args.name).sha256 is None:
        print(
            "The manifest has no hash of it. It is pinned on this machine only; if you trust where the file came "
            f"from, `python -m gansr weights pin {args.name}` pins it for everybody who has your checkout."
        )
    return 0


def pin(args: argparse.Namespace) -> int:
    """Registry entries are made anew from their archive; others are pinned as they were imported here."""
    line, failed = Line(), 0
    for group in _by_archive([manifest.entry(name) for name in args.names]):
        made = _made(group, line) if group[0].source(Registry) else _imported(group)
        line.end()
        for entry, data in made:
            if isinstance(data, WeightsError):
                print(f"error: {entry.name}: {data}", file=sys.stderr)
                failed = 1
                continue
            sha256 = tensors.sha256(data)
            cache.keep(entry, data, sha256)
            pinned = {"sha256": sha256, "bytes": len(data)}
            rewrite(entry.name, lambda row, p=pinned: row.update(p))
            print(f"{entry.name}  {sha256}  {len(data)} bytes")
    return failed


def _by_archive(entries: Sequence[Entry]) -> list[list[Entry]]:
    groups: dict[str, list[Entry]] = {}
    for entry in entries:
        source = entry.source(Registry)
        groups.setdefault(source.archive_sha256 if source else entry.name, []).append(entry)
    return list(groups.values())


def _made(group: list[Entry], line: Line) -> list[tuple[Entry, bytes | WeightsError]]:
    made: list[tuple[Entry, bytes | WeightsError]] = []
    with cache.workplace() as folder:
        for entry, data in sources.unpacked(group, folder, sources.PATIENCE, line):
            try:
                if isinstance(data, bytes):
                    sources.check(entry, data)
                made.append((entry, data))
            except WeightsError as error:
                made.append((entry, error))
    return made


def _imported(group: list[Entry]) -> list[tuple[Entry, bytes | WeightsError]]:
    entry = group[0]
    own = entry.source(Own)
    path = manifest.PATH.parent / own.path if own else cache.held(entry)
    if path is None or not path.is_file():
        return [(entry, WeightsError(f"import it first. {sources.how_to_bring(entry)}"))]
    data = path.read_bytes()
    sources.check(entry, data)
    return [(entry, data)]


def rewrite(name: str, change: Callable[[dict[str, Any]], None]) -> None:
    """Change one row of weights_manifest.json; the row is checked before it is written."""
    with cache.locked("manifest", sources.PATIENCE, sources.silent):
        rows = json.loads(manifest.PATH.read_text(encoding="utf-8"))
        change(rows[name])
        manifest.parse_entry(name, rows[name])
        cache.write(manifest.PATH, (json.dumps(rows, indent=2, ensure_ascii=False) + "\n").encode())


def publish(args: argparse.Namespace, api: Any = None) -> int:
    """Upload in one commit, then put the repository at that commit first among each entry's sources.

    `api` is a huggingface_hub.HfApi, logged in by `hf auth login` or HF_TOKEN.
    """
    if api is None:
        from huggingface_hub import HfApi

        api = HfApi()
    from huggingface_hub import CommitOperationAdd

    every = manifest.entries()
    names = args.names or [n for n, e in every.items() if e.sha256 and cache.held(e) and not e.source(Yours)]
    files = {name: _publishable(manifest.entry(name)) for name in names}
    if not files:
        raise WeightsError("nothing is in the cache to publish: `python -m gansr weights fetch --all` first")
    for name in names:
        print(f"{name}  {every[name].licence}")
    adds = [CommitOperationAdd(f"{name}{path.suffix}", str(path)) for name, path in files.items()]
    try:
        api.create_repo(args.repository, exist_ok=True)
        commit = api.create_commit(args.repository, adds, commit_message="Weights of gansr").oid
    except (OSError, ValueError) as error:  # huggingface_hub's errors are OSErrors
        raise WeightsError(f"{args.repository} did not take the files: {error}") from error
    for name, path in files.items():
        block = {
            "kind": "hub",
            "repo_id": args.repository,
            "revision": commit,
            "filename": name + path.suffix,
        }
        rewrite(name, lambda row, b=block: row.update(sources=[b, *_others(row, b)]))
    print(f"{len(files)} files are at {args.repository}, commit {commit}; weights_manifest.json names them")
    return 0


def _publishable(entry: Entry) -> Path:
    path = cache.verified(entry)
    if entry.sha256 is None or path is None:
        raise WeightsError(
            f"{entry.name} must be pinned in the manifest and in the cache before it is published"
        )
    return path


def _others(row: dict[str, Any], block: dict[str, Any]) -> list[dict[str, Any]]:
    """The sources without an earlier publication to the same repository."""
    same = ("kind", "repo_id", "filename")
    return [s for s in row["sources"] if any(s.get(key) != block[key] for key in same)]
