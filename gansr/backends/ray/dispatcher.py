"""One for the cluster: the lines before the workers, and what workers say of themselves.

It is an actor, so that all pages share it. If it dies, Ray starts it again with nothing: pages tell it of their jobs
when they renew them, and workers of themselves.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, NamedTuple

from gansr.backends.ray.line import LEASE, Line
from gansr.backends.ray.settings import POOLS, Settings

SILENT = 10.0  # seconds without a report after which a worker counts as gone
USUAL = 60.0  # seconds to wait where nothing is known


@dataclass(frozen=True)
class Report:
    """What a worker says of itself, every second."""

    worker: str
    pool: str
    device: str  # in words
    speed: str  # the type of device, a key of speeds.SEEDS
    ready: bool = False  # its networks are loaded, and it takes jobs
    tickets: tuple[str, ...] = ()  # of the jobs that are with it
    unavailable: dict[str, str] = field(default_factory=dict[str, str])  # method → why it cannot run it now


class Standing(NamedTuple):
    """Where a job stands: it may go to the workers; it waits; the line is full; no jobs are taken any more."""

    kind: str  # "go", "waits", "busy", "closed"
    ahead: int = 0
    wait: float | None = None  # seconds, None where that is not known


class Dispatcher:
    """Its methods run on one event loop, so none of them is interrupted but where it awaits."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic, metrics: Any = None):
        """`metrics` as DispatcherMetrics, which needs Ray."""
        self.settings, self._clock = settings, clock
        self.lines = {pool: Line(clock, called=self._called) for pool in POOLS}
        self._calls: dict[str, asyncio.Event] = {}  # ticket → who waits to be let through
        self._began = clock()
        self._reports: dict[str, tuple[float, Report]] = {}
        self._closed = False
        self._gone: deque[str] = deque(maxlen=4096)  # tickets whose pages are gone
        self._metrics = metrics or import_module("gansr.backends.ray.metrics").DispatcherMetrics()

    async def place(
        self, pool: str, ticket: str, owner: str, seconds: float | None, first: bool, patience: float
    ) -> Standing:
        """Where a job stands, after at most `patience` seconds or as soon as it may go. It joins the line if it is not
        there."""
        line = self.lines[pool]
        self._look()
        if not line.knows(ticket):
            if self._closed:
                return Standing("closed")
            if line.waiting >= self.settings.pool(pool).queued and not first:
                self._metrics.busy(pool)
                return Standing("busy", line.waiting, line.until_room() or USUAL)
            line.join(ticket, owner, seconds, first)
        if patience and not line.is_served(ticket) and not self._closed:
            call = self._calls[ticket] = asyncio.Event()
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(call.wait(), patience)
            self._calls.pop(ticket, None)
        if self._closed and not line.is_served(ticket):
            line.leave(ticket)
            return Standing("closed")
        ahead, wait = line.ahead(ticket)
        return Standing("go" if line.is_served(ticket) else "waits", ahead, wait)

    async def begin(self, pool: str, ticket: str, waited: float) -> None:
        """A worker computes the job, which waited so many seconds."""
        self.lines[pool].begin(ticket)
        self._metrics.waited(pool, waited)

    async def leave(self, pool: str, ticket: str) -> None:
        """The job has ended, in whatever way."""
        self.lines[pool].leave(ticket)
        self._look()

    async def renew(self, tickets: list[tuple[str, str, str, float | None]]) -> None:
        """The jobs of a page that have not ended and have been let through: (pool, ticket, owner, seconds)."""
        for pool, ticket, owner, seconds in tickets:
            if not self.lines[pool].knows(ticket):
                self.lines[pool].adopt(ticket, owner, seconds)

    async def report(self, report: Report) -> tuple[bool, list[str]]:
        """A worker is there. → whether it shall end its jobs after their slices, and those of its tickets that nobody
        wants any more."""
        self._reports[report.worker] = self._clock(), report
        self._look()
        return self._closed, [ticket for ticket in report.tickets if ticket in self._gone]

    async def state(self) -> dict[str, Any]:
        """The cluster for pages: pool → workers, jobs that run and wait, devices, and what cannot run where."""
        self._look()
        return {"closed": self._closed, "pools": {pool: self._pool(pool) for pool in POOLS}}

    async def open(self, settings: Settings) -> None:
        """Take jobs, by these settings."""
        self.settings, self._closed = settings, False

    async def close(self) -> None:
        """Take no jobs any more; workers end after their slices."""
        self._closed = True
        for call in self._calls.values():
            call.set()

    def _called(self, ticket: str) -> None:
        if ticket in self._calls:
            self._calls[ticket].set()

    def _pool(self, pool: str) -> dict[str, Any]:
        workers, line = self._workers(pool), self.lines[pool]
        everywhere = [set(worker.unavailable) for worker in workers]
        lacking = set.intersection(*everywhere) if everywhere else set[str]()
        return {
            "workers": len(workers),
            "running": line.running,
            "waiting": line.waiting,
            "device": workers[0].device if workers else "",
            "speed": workers[0].speed if workers else "",
            "unavailable": {method: workers[0].unavailable[method] for method in lacking},
        }

    def _workers(self, pool: str) -> list[Report]:
        reports = [report for _, report in self._reports.values()]
        return [report for report in reports if report.pool == pool and report.ready]

    def _look(self) -> None:
        """Forget who is silent, and give every line its number of slots."""
        now = self._clock()
        self._reports = {name: known for name, known in self._reports.items() if now - known[0] < SILENT}
        for pool, line in self.lines.items():
            workers = len(self._workers(pool))
            line.slots = workers * self.settings.pool(pool).at_once
            line.beyond = max(1, workers)
            if now - self._began > LEASE:  # a new dispatcher has not heard of all jobs yet
                self._gone.extend(line.expire())
            line.call()
            self._metrics.standing(pool, line.waiting, line.running, workers)
