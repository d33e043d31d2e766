"""Fetches, conversions and training checkpoints killed by SIGKILL: `python -m tests.attack.kill9 --count 100 --seed 0`.

Each round starts a process that does one kind of work and kills it: in half of the rounds at a random one of its file
and network operations, in the others at a random moment. The next start does the same work. The promise: it always
works, every file is whole and verified, no checkpoint that was announced is lost, and no temporary file is left.
Rounds whose process ended before the kill do not count.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import tempfile
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from tests.support.hub_server import Server
from tests.support.kill_work import WORK, offer, start


class Rounds:
    """Starts processes from a server process that has imported everything, so that one start takes milliseconds."""

    def __init__(self, root: Path, url: str):
        self.root, self.url = root, url
        self.context = get_context("forkserver")
        self.context.set_forkserver_preload(["tests.support.kill_work"])

    def process(self, kind: str, place: Path, die_at: int = 0, result: Path | None = None) -> Any:
        place.mkdir(exist_ok=True)
        process = self.context.Process(target=start, args=(kind, self.root, place, self.url, die_at, result))
        process.start()
        return process

    def whole(self, kind: str, place: Path) -> dict[str, Any]:
        """The work undisturbed, and what is wrong after it."""
        result = self.root / "result.json"
        result.unlink(missing_ok=True)
        process = self.process(kind, place, result=result)
        process.join()
        if not result.exists():
            return {"problems": [f"the next start ended with status {process.exitcode}"]}
        return json.loads(result.read_text())

    def killed(self, kind: str, place: Path, draw: random.Random, usual: dict[str, Any]) -> bool:
        """Whether the process was killed before its end."""
        if draw.random() < 0.5:
            process = self.process(kind, place, die_at=draw.randint(1, usual["operations"]))
        else:
            process = self.process(kind, place)
            process.join(draw.uniform(0, usual["seconds"]))
            process.kill()
        process.join()
        return process.exitcode == -signal.SIGKILL


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--count", type=int, default=100, help="rounds that count, of all kinds together (100)"
    )
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    draw, tally = random.Random(given.seed), {kind: [0, 0, 0] for kind in WORK}  # killed, late, failed
    with tempfile.TemporaryDirectory() as folder, Server() as server:
        root = Path(folder)
        server.http.handle_error = lambda request, client_address: None  # a client that was killed is no news
        offer(server, root)
        os.environ |= {
            "HF_ENDPOINT": server.url,
            "HF_HUB_CACHE": str(root / "hub"),
            "HF_HUB_DISABLE_XET": "1",
        }
        rounds = Rounds(root, server.url)
        usual = {kind: rounds.whole(kind, root / f"usual-{i}") for i, kind in enumerate(WORK)}
        for kind, facts in usual.items():
            if facts["problems"]:
                print(f"{kind}, undisturbed: {'; '.join(facts['problems'])}")
                return 1
        number = 0
        while sum(killed for killed, *_ in tally.values()) < given.count and number < 10 * given.count:
            kind = list(WORK)[number % len(WORK)]
            place = root / f"round-{number}"
            number += 1
            if not rounds.killed(kind, place, draw, usual[kind]):
                tally[kind][1] += 1
                continue
            tally[kind][0] += 1
            if found := rounds.whole(kind, place)["problems"]:
                tally[kind][2] += 1
                print(f"round {number}, {kind}: {'; '.join(found)}")
    print(f"{'work':20} {'killed':>7} {'too late':>9} {'next start works':>17}")
    for kind, (killed, late, failed) in tally.items():
        print(f"{kind:20} {killed:7} {late:9} {killed - failed:17}")
    killed, failed = (sum(row[i] for row in tally.values()) for i in (0, 2))
    print(f"{killed - failed} of {killed}, seed {given.seed}")
    return int(failed > 0 or killed < given.count)


if __name__ == "__main__":
    sys.exit(main())
