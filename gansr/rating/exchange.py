"""Votes as files: JSONL, which can be read back and merged, and CSV for tables.

Each line of JSONL has a `type`: "entry" and "picture" describe what was rated, "vote" is one vote, "deleted" the UUID
of a vote that was taken back. Votes have UUIDs, so reading a file twice, or the files of several replicas, adds
nothing twice.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from gansr.rating import RatingError
from gansr.rating.storage import Store
from gansr.rating.vote import NAMES, Vote, as_plain, from_plain

LONGEST = 100_000  # characters of a line
MOST = 3_000_000  # lines


def lines(store: Store) -> Iterator[str]:
    """The whole store as lines of JSONL."""
    for id, about in store.entries().items():
        yield _line("entry", {"id": id, **about})
    for id, about in store.pictures().items():
        yield _line("picture", {"id": id, **about})
    for vote in store.votes():
        yield _line("vote", as_plain(vote))
    for uuid in store.deleted():
        yield _line("deleted", {"uuid": uuid})


def _line(kind: str, content: dict[str, Any]) -> str:
    return json.dumps({"type": kind, **content}, ensure_ascii=False) + "\n"


def jsonl(store: Store) -> str:
    """The whole store as JSONL."""
    return "".join(lines(store))


def table(votes: Iterable[Vote]) -> str:
    """The votes as CSV, with a row of names."""
    out = io.StringIO()
    writer = csv.DictWriter(out, NAMES, lineterminator="\n")
    writer.writeheader()
    writer.writerows(as_plain(vote) for vote in votes)
    return out.getvalue()


def read_lines(given: Iterable[str], store: Store) -> int:
    """Add the votes of JSONL lines to a store: all, or none where a line is wrong. Returns how many are new. Raises
    RatingError with the number of the line."""
    votes: list[Vote] = []
    deleted: list[str] = []
    named: dict[str, dict[str, Any]] = {"entry": {}, "picture": {}}
    for number, line in enumerate(given, 1):
        if number > MOST or len(line) > LONGEST:
            raise RatingError(
                f"line {number}: the file has more than {MOST} lines or {LONGEST} characters in one"
            )
        if not line.strip():
            continue
        try:
            found = json.loads(line)
            kind = found["type"]
            if kind == "vote":
                votes.append(from_plain(found))
            elif kind == "deleted":
                deleted.append(_text(found["uuid"], 32))
            elif kind in named:
                named[kind][_text(found["id"], 64)] = {
                    k: v for k, v in found.items() if k not in ("type", "id")
                }
            else:
                raise RatingError(f"the type {str(kind)[:40]!r} is not known")
        except (ValueError, KeyError, TypeError, RecursionError, RatingError) as error:
            raise RatingError(f"line {number} is no line of an export: {error}") from None
    known = store.entries(), store.pictures()
    store.describe(
        {
            id: one
            for id, one in named["entry"].items()
            if id not in known[0] and isinstance(one.get("title"), str)
        },
        {id: one for id, one in named["picture"].items() if id not in known[1] and _is_picture(one)},
    )
    return store.add_all(votes, deleted)


def _text(value: Any, most: int) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= most:
        raise RatingError(f"a text of 1 to {most} characters is needed")
    return value


def _is_picture(about: dict[str, Any]) -> bool:
    texts = all(isinstance(about.get(name), str) for name in ("title", "class", "problem"))
    metrics = about.get("metrics")
    values = list(metrics.values()) if isinstance(metrics, dict) else [None]
    return texts and all(
        isinstance(one, dict) and all(type(value) in (int, float) for value in one.values()) for one in values
    )


def merge(path: Path, store: Store) -> int:
    """Add the votes of another replica's database. Returns how many are new. Raises RatingError."""
    if not path.is_file():
        raise RatingError(f"there is no file {path}")
    other = Store(path)
    try:
        return read_lines(lines(other), store)
    finally:
        other.close()
