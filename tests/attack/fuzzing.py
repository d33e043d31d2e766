"""Running many made-up inputs through a parser, in child processes: a crash of the interpreter is a finding too.

Every input is made from its number alone, so that any finding can be made again with `--first NUMBER --count 1`.
"""

from __future__ import annotations

import argparse
import collections
import multiprocessing
import os
import random
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

BATCH = 1000  # inputs that a child is given at a time
SLOW = 0.5  # seconds of CPU time that one input may take
GROWTH = 300  # MB that a child may grow at its peak, after its first batch
HANGS = 120.0  # seconds without a result after which a child is taken to hang
SHOWN = 20  # findings that are kept and printed


@dataclass(frozen=True)
class Attack:
    """`make` an input of a random source, and `feed` it to a parser, which returns what it said in one word.

    Whatever `feed` raises is a finding."""

    name: str
    make: Callable[[random.Random], Any]
    feed: Callable[[Any], str]
    bytes_of: Callable[[Any], bytes]
    begin: Callable[[], object]  # in every child, before the first


@dataclass
class Found:
    """What one or several batches gave."""

    count: int = 0
    said: collections.Counter[str] = field(default_factory=collections.Counter[str])
    crashes: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])  # (number, what)
    crashed: int = 0
    slowest: tuple[float, int] = (0.0, -1)  # (seconds of CPU time, number)
    slow: int = 0
    start: float = 0.0  # MB of the child after its first batch
    end: float = 0.0
    peak: float = 0.0
    growth: float = 0.0

    def add(self, other: Found) -> None:
        self.count += other.count
        self.said += other.said
        self.crashed += other.crashed
        self.crashes = (self.crashes + other.crashes)[:SHOWN]
        self.slowest = max(self.slowest, other.slowest)
        self.slow += other.slow
        self.growth = max(self.growth, other.growth)
        self.start, self.end, self.peak = other.start, other.end, max(self.peak, other.peak)


def chance_of(seed: int, number: int) -> random.Random:
    return random.Random(seed * 1_000_003 + number)


def megabytes(name: str) -> float:
    """VmRSS (now) or VmHWM (the most so far) of this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) / 1024
    return 0.0


# ------------------------------------------------------------------------------------------- the child


def try_batch(attack: Attack, seed: int, first: int, last: int, now: Callable[[int], None]) -> Found:
    """Feed the inputs first … last − 1, calling `now` with each number first."""
    found = Found()
    for number in range(first, last):
        now(number)
        made = attack.make(chance_of(seed, number))
        took, said = _timed(attack, made)
        if took > SLOW:  # the best of three: what other programs do to caches and memory is not meant
            took = min(took, *(_timed(attack, made)[0] for _ in range(2)))
        if isinstance(said, BaseException):
            where = save(attack, made, number)
            tail = "".join(traceback.format_exception(said))[-1500:]
            found.crashes = [*found.crashes, (number, f"{where}\n{tail}")][:SHOWN]
            found.crashed += 1
            said = type(said).__name__
        found.said[said] += 1
        found.slowest = max(found.slowest, (took, number))
        if took > SLOW:
            found.slow += 1
            save(attack, made, number)
        found.count += 1
    return found


def _timed(attack: Attack, made: Any) -> tuple[float, str | BaseException]:
    """(seconds of this thread's CPU time, what the parser said or raised)."""
    began = time.thread_time()
    try:
        said = attack.feed(made)
    except BaseException as error:  # whatever it is, it is what is looked for
        return time.thread_time() - began, error
    return time.thread_time() - began, said


def save(attack: Attack, made: Any, number: int) -> str:
    """Write an input to a temporary file; returns its path."""
    handle, path = tempfile.mkstemp(prefix=f"{attack.name}-{number}-")
    with os.fdopen(handle, "wb") as file:
        file.write(attack.bytes_of(made))
    return path


def _child(attack: Attack, seed: int, batches: Connection, number: Any) -> None:
    warnings.simplefilter("error")
    attack.begin()
    start = 0.0

    def now(value: int) -> None:
        number.value = value

    batch: tuple[int, int] | None
    while (batch := batches.recv()) is not None:
        found = try_batch(attack, seed, batch[0], batch[1], now)
        found.end, found.peak = megabytes("VmRSS"), megabytes("VmHWM")
        start = start or found.end
        found.start, found.growth = start, found.peak - start
        batches.send(found)


# ------------------------------------------------------------------------------------------ the parent


class _Worker:
    def __init__(self, attack: Attack, seed: int) -> None:
        context = multiprocessing.get_context("fork")  # the child need not import everything again
        self.pipe, theirs = context.Pipe()
        self.number = context.Value("q", -1, lock=False)
        self.process = context.Process(target=_child, args=(attack, seed, theirs, self.number), daemon=True)
        self.process.start()
        theirs.close()
        self.batch, self.seen, self.since = (0, 0), -1, time.monotonic()

    def give(self, batch: tuple[int, int]) -> None:
        self.batch, self.since = batch, time.monotonic()
        self.pipe.send(batch)

    def hangs(self) -> bool:
        if self.number.value != self.seen:
            self.seen, self.since = self.number.value, time.monotonic()
        return time.monotonic() - self.since > HANGS


def run(attack: Attack, first: int, count: int, seed: int, jobs: int = 1) -> Found:
    """Feed `count` inputs from number `first` on, in `jobs` processes; progress goes to stderr."""
    batches = [(at, min(at + BATCH, first + count)) for at in range(first, first + count, BATCH)]
    batches.reverse()
    total, began, told = Found(), time.monotonic(), 0
    workers = [_Worker(attack, seed) for _ in range(min(jobs, len(batches)))]
    for worker in workers:
        worker.give(batches.pop())
    while workers:
        ready = wait([worker.pipe for worker in workers], timeout=5)
        for worker in list(workers):
            lost = worker.hangs()
            if worker.pipe in ready:
                try:
                    total.add(worker.pipe.recv())
                except (EOFError, ConnectionError):
                    lost = True
                else:
                    if batches:
                        worker.give(batches.pop())
                        continue
                    worker.pipe.send(None)
            elif not lost:
                continue
            workers.remove(worker)
            if lost:
                total.add(_lost(worker, attack, seed))
                number = worker.number.value
                halves = (worker.batch[0], number), (number + 1, worker.batch[1])
                batches += [half for half in halves if half[0] < half[1]]
                if batches:
                    workers.append(_Worker(attack, seed))
                    workers[-1].give(batches.pop())
            worker.process.join()
        if total.count - told >= 20 * BATCH:
            told = total.count
            rate = total.count / (time.monotonic() - began)
            print(f"{told} of {count}, {rate:.0f}/s, {total.crashed} crashes", file=sys.stderr, flush=True)
    return total


def _lost(worker: _Worker, attack: Attack, seed: int) -> Found:
    """The child died or hangs at one input: a finding. The rest of its batch is to be done again."""
    hung = worker.process.is_alive() and worker.hangs()
    if hung:
        worker.process.kill()
    worker.process.join()
    number = worker.number.value
    where = save(attack, attack.make(chance_of(seed, number)), number)
    what = "it hangs" if hung else f"the interpreter ended with status {worker.process.exitcode}"
    return Found(1, crashes=[(number, f"{where}\n{what}")], crashed=1)


def main(attack: Attack, count: int, arguments: list[str] | None = None) -> int:
    """The command line of an attack: a table of figures, status 1 where a promise is broken."""
    parser = argparse.ArgumentParser(prog=f"python -m tests.attack.{attack.name}")
    parser.add_argument("--count", type=int, default=count)
    parser.add_argument("--first", type=int, default=0, help="number of the first input")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    given = parser.parse_args(arguments)
    began = time.monotonic()
    found = run(attack, given.first, given.count, given.seed, given.jobs)
    took = time.monotonic() - began
    for number, what in found.crashes:
        print(f"\ninput {number}: {what}")
    print(f"\n| {attack.name}, seed {given.seed} | |\n|---|---|")
    print(f"| inputs | {found.count} |")
    for said, times in found.said.most_common():
        print(f"| … {said} | {times} |")
    print(f"| crashes | {found.crashed} |")
    print(f"| slowest, CPU seconds (input) | {found.slowest[0]:.3f} ({found.slowest[1]}) |")
    print(f"| over {SLOW} s | {found.slow} |")
    print("| memory after the first batch, at the end, most (MB) ", end="")
    print(f"| {found.start:.0f}, {found.end:.0f}, {found.peak:.0f} |")
    print(f"| growth at most (MB) | {found.growth:.0f} |")
    print(f"| a second | {found.count / took:.0f} |")
    return int(bool(found.crashed or found.slow) or found.growth > GROWTH)
