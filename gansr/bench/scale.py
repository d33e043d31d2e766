"""How many workers many visitors need: a simulation of the line, `bench scale` (docs/scale.md).

Assumptions: visitors are independent; each presses Run again a while after its last run has ended, exponentially
distributed around THINKS; the method is drawn by SHARES; a job takes the seconds of its method, one job a worker, and
they vary by SPREAD (log-normal: presets, sizes and steps differ); the line is first come, first served, which the
rotation is as long as nobody has two jobs. Workers neither fail nor change their number. A visitor who waits does not
leave. The times of processors were measured, those of GPUs are estimates (gansr.speeds): nothing ran on one.
"""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass

from gansr import papers
from gansr.bench import Row
from gansr.job import Job
from gansr.method import Method
from gansr.speeds import Speeds

VISITORS = 1000  # at the same time
THINKS = (
    120.0  # seconds from the end of a run to the next, on average: looking at the result, choosing a picture
)
SHARES = {
    "srgan": 0.3,
    "esrgan": 0.05,
    "glean": 0.15,
    "pulse": 0.2,
    "mganprior": 0.15,
    "kernelgan": 0.15,
    "dip": 0.0,
}
SPREAD = 0.5  # of the logarithm of a job's seconds
HOURS = 2.0  # that are simulated; the first quarter is not counted
GOAL = 10.0  # seconds that 95 of 100 jobs may wait at most for their worker
SIDES = {"srgan": 256, "kernelgan": 128, "esrgan": 128, "dip": 64}  # px, of methods that take any size
LOAD = 0.3  # seconds of a job besides computing: its way to the worker and back, loading what is not there


@dataclass(frozen=True)
class Outcome:
    """What a number of workers gave."""

    workers: int
    busy: float  # share of their time
    median: float  # seconds of waiting
    p95: float
    p99: float
    jobs: float  # an hour


def seconds_of(method: Method, device: str) -> float:
    """Seconds that a run with the usual settings computes, by the table of gansr.speeds; device: one of its keys."""
    import torch

    options = method.options()
    side = method.accepts.side(options) if method.accepts.side else SIDES.get(method.name, 64)
    low = torch.zeros(1).expand(3, side, side)
    return Speeds(device).seconds(Job(method, low, options)) or 0.0


def simulated(
    seconds: dict[str, float],
    workers: int,
    visitors: int = VISITORS,
    shares: dict[str, float] = SHARES,
    hours: float = HOURS,
    seed: int = 0,
) -> Outcome:
    """`visitors` at `workers`, for the methods of `seconds` (method → seconds of a job); the others' runs are left out,
    as if other workers served them."""
    chance = random.Random(seed)
    names, weights = list(shares), list(shares.values())
    end, counted = 3600.0 * hours, 900.0 * hours
    comes = [(chance.expovariate(1 / THINKS), visitor) for visitor in range(visitors)]
    heapq.heapify(comes)
    free = [0.0] * workers
    waits: list[float] = []
    worked = 0.0
    while comes[0][0] < end:
        now, visitor = heapq.heappop(comes)
        name = chance.choices(names, weights)[0]
        done = now
        if name in seconds:
            begins = max(now, free[0])
            takes = seconds[name] * math.exp(chance.gauss(-SPREAD * SPREAD / 2, SPREAD)) + LOAD
            done = begins + takes
            heapq.heapreplace(free, done)
            if now > counted:
                waits.append(begins - now)
                worked += min(takes, max(0.0, end - begins))
        heapq.heappush(comes, (done + chance.expovariate(1 / THINKS), visitor))
    waits.sort()
    median, p95, p99 = (_quantile(waits, share) for share in (0.5, 0.95, 0.99))
    busy = worked / (workers * (end - counted))
    return Outcome(workers, busy, median, p95, p99, len(waits) / (0.75 * hours))


def needed(seconds: dict[str, float], goal: float = GOAL, visitors: int = VISITORS) -> Outcome:
    """The outcome of the fewest workers with which 95 of 100 jobs wait at most `goal` seconds."""
    low, high = 0, 1
    while (found := simulated(seconds, high, visitors)).p95 > goal:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        tried = simulated(seconds, middle, visitors)
        low, high, found = (low, middle, tried) if tried.p95 <= goal else (middle, high, found)
    return found


def rows(visitors: int = VISITORS) -> Iterator[Row]:
    """Cost of a run, and the workers that `visitors` need, on GPUs (estimates) and on processors."""
    for device in ("cuda", "cpu"):
        seconds = {method.name: seconds_of(method, device) for method in papers.METHODS}
        for name, value in seconds.items():
            yield Row(f"{device}: a run", name, "seconds", value)
        for pool in ("searches", "passes"):
            of_pool = {
                method.name: seconds[method.name]
                for method in papers.METHODS
                if (method.resume is None) == (pool == "passes")
            }
            found = needed(of_pool, visitors=visitors)
            for metric in ("workers", "busy", "median", "p95", "p99", "jobs"):
                yield Row(f"{device}: {visitors} visitors", pool, metric, float(getattr(found, metric)))


def _quantile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
