"""Runs that are begun and given up: `python -m tests.attack.cycles --count 10000 --seed 0 --users 8`.

Each attempt joins a run of one of the five methods, through the page's queue or the API, and then listens to its end,
leaves at once, cancels, never listens, or leaves in the middle. Most are of SRGAN and KernelGAN, whose runs are short.

The promises: never two jobs at once; when a cancel is answered, its job computes no more; no traceback; at the end the
device is free, and after a minute the threads, file descriptors and memory are back at the start (50 MB).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.support.page_session import PREFIX, Refused, Site, Visitor
from tests.support.watch import ROOT, Held, Server, percentile, server

SCRIPT = "tests/attack/counted_server.py"
EXAMPLES = ROOT / "assets" / "examples"
GROWTH = 50e6  # bytes
THREADS, DESCRIPTORS = 8, 8  # more than at the start: idle workers of the pools
REST = 60.0  # seconds after the last attempt
SETTLED = 60.0  # seconds within which the last run must have ended
# method → picture, settings that keep a run short, share of the attempts in twenty
METHODS: dict[str, tuple[str, dict[str, Any], int]] = {
    "srgan": ("astronaut-face-32.png", {}, 12),
    "kernelgan": ("coffee-small-x4.png", {"iterations": 20, "zssr_iterations": 2, "crop": 32}, 4),
    "glean": ("astronaut-face-32.png", {"align": False}, 2),
    "pulse": ("astronaut-face-32.png", {"steps": 2, "align": False}, 1),
    "mganprior": ("astronaut-face-64.png", {"iterations": 2, "codes": 2, "align": False}, 1),
}
KINDS = ("listens", "leaves", "cancels", "never listens", "leaves in the middle")


@dataclass
class Log:
    """What happened."""

    attempts: Counter[str] = field(default_factory=Counter[str])
    answers: Counter[str] = field(default_factory=Counter[str])
    cancels: list[float] = field(default_factory=list[float])  # seconds until a cancel was answered
    wrong: Counter[str] = field(default_factory=Counter[str])  # promises that were broken


@dataclass
class Attack:
    """One page under attack."""

    page: Server
    state: Path
    client: httpx.AsyncClient
    site: Site
    pictures: dict[str, dict[str, Any]]
    log: Log = field(default_factory=Log)

    def computing(self) -> dict[str, Any]:
        """What the server's file tells."""
        return json.loads(self.state.read_text())

    async def attempt(self, chance: random.Random, kind: str, method: str) -> None:
        """One attempt."""
        _, settings, _ = METHODS[method]
        visitor = Visitor(self.client, self.site)
        data = self.site.arguments(method, picture=self.pictures[method], **settings)
        (number,) = (d["id"] for d in self.site.config["dependencies"] if d["api_name"] == method)
        api = chance.random() < 0.5
        self.log.attempts[kind] += 1
        try:
            if api:
                answer = await self.client.post(f"{PREFIX}/call/{method}", json={"data": data})
                answer.raise_for_status()
                event = visitor.session = answer.json()["event_id"]
                lines = self.lines(f"{PREFIX}/call/{method}/{event}")
            else:
                event = await visitor.join({"id": number}, data)
                lines = self.lines(f"{PREFIX}/queue/data?session_hash={visitor.session}")
            if kind == "never listens":
                return
            if kind == "cancels":
                await asyncio.sleep(chance.choice((0, 0.02, 0.3)))
                began = time.monotonic()
                await visitor.cancel({"id": number}, event)
                self.log.cancels.append(time.monotonic() - began)
                if visitor.session in self.computing()["active"]:
                    self.log.wrong["a job computes after its cancel was answered"] += 1
                return
            stop = {"leaves": 0, "leaves in the middle": chance.randrange(1, 6)}.get(kind, 10**9)
            heard, last = 0, ""
            async for line in lines:
                heard, last = heard + 1, line or last
                if heard > stop:
                    break
            if kind == "listens":
                self.log.answers[_outcome(last)] += 1
        except (Refused, httpx.HTTPError) as error:
            self.log.answers[f"{type(error).__name__} {str(error)[:60]}"] += 1

    async def lines(self, url: str) -> AsyncIterator[str]:
        """The lines of an event stream."""
        async with self.client.stream("GET", url, timeout=None) as stream:
            async for line in stream.aiter_lines():
                yield line

    async def settled(self) -> bool:
        """Whether all runs ended within SETTLED seconds."""
        for _ in range(int(SETTLED / 0.1)):
            if not self.computing()["active"]:
                await asyncio.sleep(1)
                if not self.computing()["active"]:
                    return True
            await asyncio.sleep(0.1)
        return False

    async def held(self) -> Held:
        """What the server holds, after two requests that let its pools drop idle threads."""
        for _ in range(2):
            (await self.client.get("/config")).raise_for_status()
        return self.page.held()


def _outcome(last: str) -> str:
    if "runs from your network" in last or "You have" in last or "server is busy" in last:
        return "refused in words"
    if "close_stream" in last or '"path"' in last:
        return "result"
    return "other: " + last[:80]


async def attacked(page: Server, state: Path, count: int, seed: int, users: int, rest: float) -> bool:
    """Attack a page and print what it held before and after. Whether the promises were kept."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=users)
    async with httpx.AsyncClient(base_url=page.url, timeout=120, limits=limits) as client:
        site = await Site.read(client)
        visitor, pictures = Visitor(client, site), {}
        for method, (name, _, _) in METHODS.items():
            pictures[method] = await visitor.upload(name, (EXAMPLES / name).read_bytes())
        attack = Attack(page, state, client, site, pictures)
        await _each_once(attack, seed, users, min(count, 10 * users))
        await asyncio.sleep(rest)
        attack.log = Log()
        before, begun = await attack.held(), time.monotonic()
        await _attempts(attack, count, seed, users)
        took = time.monotonic() - begun
        settled = await attack.settled()
        await asyncio.sleep(rest)
        after = await attack.held()
    return _report(attack, count, took, settled, before, after)


async def _each_once(attack: Attack, seed: int, users: int, attempts: int) -> None:
    """Load what stays loaded: every method once to its end, and some attempts of each kind."""
    chance = random.Random(seed)
    for method in METHODS:
        await attack.attempt(chance, "listens", method)
    if set(attack.log.answers) != {"result"}:
        raise RuntimeError(f"a method does not run: {dict(attack.log.answers)}")
    await _attempts(attack, attempts, seed + 1, users)
    await attack.settled()


async def _attempts(attack: Attack, count: int, seed: int, users: int) -> None:
    numbers = iter(range(count))
    shares = [share for _, _, share in METHODS.values()]

    async def user() -> None:
        for number in numbers:
            chance = random.Random(f"{seed} {number}")
            (method,) = chance.choices(list(METHODS), shares)
            await attack.attempt(chance, chance.choice(KINDS), method)
            if number % 500 == 499:
                print(f"{number + 1} attempts, {attack.page.held()}", flush=True)

    await asyncio.gather(*(user() for _ in range(users)))


def _report(attack: Attack, count: int, took: float, settled: bool, before: Held, after: Held) -> bool:
    log, state = attack.log, attack.computing()
    wrong = Counter(log.wrong)
    growth = after.memory - before.memory
    text = attack.page.log.read_text(errors="replace")
    wrong["two jobs at once"] = state["most"] != 1
    wrong["the device is not free"] = not settled
    wrong["traceback in the log"] = text.count("Traceback")
    wrong["memory"] = growth > GROWTH
    wrong["threads"] = after.threads > before.threads + THREADS
    wrong["file descriptors"] = after.descriptors > before.descriptors + DESCRIPTORS
    if "Traceback" in text:
        print(text[text.index("Traceback") :][:2000])
    print(f"attempts        {count} in {took:.0f} s ({count / took:.1f}/s): {dict(log.attempts)}")
    print(f"answers         {dict(log.answers)}")
    print(f"jobs begun      {state['jobs']}, turns lent {state['loans']}, most at once {state['most']}")
    if log.cancels:
        print(f"cancel, s       median {percentile(log.cancels, 0.5):.2f}, longest {max(log.cancels):.2f}")
    print(f"memory, MB      {before.memory / 1e6:.0f} → {after.memory / 1e6:.0f} ({growth / 1e6:+.0f})")
    print(f"threads         {before.threads} → {after.threads}")
    print(f"descriptors     {before.descriptors} → {after.descriptors}")
    broken = {name: number for name, number in wrong.items() if number}
    print(f"broken promises {broken or 'none'}")
    return not broken


def run(count: int, seed: int, users: int, rest: float = REST) -> bool:
    """Start a page, attack it, end it."""
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder) / "state.json"
        settings = {"GANSR_ATTACK_STATE": str(state), "GANSR_COMPILE": "0", "GANSR_RUNS_PER_ADDRESS": "64"}
        with server(Path(folder), SCRIPT, **settings) as page:
            return asyncio.run(attacked(page, state, count, seed, users, rest))


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--users", type=int, default=8)
    given = parser.parse_args()
    return 0 if run(given.count, given.seed, given.users) else 1


if __name__ == "__main__":
    raise SystemExit(main())
