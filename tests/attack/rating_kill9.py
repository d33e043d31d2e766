"""Voting killed by SIGKILL: `python -m tests.attack.rating_kill9 --count 1000 --seed 0`.

In each round a process leads four simulated users through their questions and writes the UUID of each vote into a pipe
once it was acknowledged; it is killed at a random moment. The promise: every acknowledged vote is in the database, and
the database is whole. One database goes through all rounds.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import threading
import time
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from gansr.rating.storage import FILE, Store
from tests.support.rating_clients import CLIENTS, vote

LONGEST = 0.4  # seconds from the first acknowledged vote to the kill


def killed(context: Any, folder: Path, seed: int) -> set[str]:
    """One round: the UUIDs that were acknowledged before the kill."""
    reader, writer = context.Pipe(duplex=False)
    process = context.Process(target=vote, args=(folder, writer, seed))
    process.start()
    writer.close()
    acknowledged = {reader.recv_bytes().decode()}
    timer = threading.Timer(random.Random(seed).uniform(0, LONGEST), process.kill)
    timer.start()
    try:
        while True:
            acknowledged.add(reader.recv_bytes().decode())
    except (EOFError, OSError):  # the last one may be cut in two
        pass
    timer.join()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    return acknowledged


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100, help="rounds (100)")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    context = get_context("forkserver")
    context.set_forkserver_preload(["tests.support.rating_clients"])
    acknowledged: set[str] = set()
    corrupt, start = 0, time.monotonic()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for number in range(given.count):
            acknowledged |= killed(context, folder, given.seed * 100_000 + number)
            store = Store(folder / FILE)
            corrupt += bool(store.problems())
            there = {one.uuid for one in store.votes()}
            store.close()
            if lost := acknowledged - there:
                print(f"round {number}: {len(lost)} acknowledged votes are lost")
                return 1
            if len(there) > 20_000:  # another database, or each round would be slower than the one before
                (folder / FILE).unlink()
                for extra in folder.glob(f"{FILE}-*"):
                    extra.unlink()
                acknowledged.clear()
    seconds = time.monotonic() - start
    print(
        f"{given.count} rounds of {CLIENTS} users in {seconds:.0f} s: 0 votes lost, {corrupt} corrupt databases"
    )
    return int(corrupt > 0)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
