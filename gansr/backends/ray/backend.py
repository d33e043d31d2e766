"""Jobs on the workers of a cluster, for a page that is no part of it.

A search hands its state back every few seconds. If its worker dies, it goes on from there with another, at most twice.
A page that does not read a job's frames on (its visitor has left) gives the worker back, and goes on later in the same
way: as in the line before one device (gansr.turns).
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import socket
import threading
import time
import uuid
from collections.abc import Generator, Iterator
from typing import Any

from gansr import papers, weights
from gansr.backends.estimate import Estimate
from gansr.backends.failures import Failure
from gansr.backends.ray.link import Link, Lost
from gansr.backends.ray.messages import PREVIEW, STATE, Ask, Told, dumps, receive, send
from gansr.backends.ray.pools import model_of, pool_of
from gansr.backends.ray.settings import PASSES
from gansr.backends.ray.wire import item_of
from gansr.engine import Engine
from gansr.job import Job
from gansr.method import Frame, Method, MethodError
from gansr.ops.resize import imresize
from gansr.progress import duration_text
from gansr.speeds import SPEEDS, Meter, Speeds

ADDRESS = "127.0.0.1:6399"  # of the head that `cluster up` starts
MOVES = 2  # a job whose workers keep dying may be the reason
UNREAD = 5.0  # seconds that a frame may lie here before the worker is given back
PACE = 0.25  # seconds between two looks at what has come
LOST = "The cluster does not answer now. Press Run again in a minute."
MOVED = "moved to another worker"
CLOSED = "The cluster restarts. Press Run again in a minute."
CUT_OFF = "the workers ended before the run did; this is the best so far"
BROKEN = "The worker broke down, and so did two others that went on. Press Run again with a smaller picture."


class Busy(MethodError):
    """The line is full."""

    def __init__(self, wait: float | None):
        super().__init__(f"The cluster is busy: try again in {duration_text(wait or 60.0)}.")


class Ray:
    """Runs jobs on the cluster at `address`, by default that of $GANSR_RAY_ADDRESS. `engine` measures results: once its
    line is closed, no job of this page begins."""

    measures = False

    def __init__(self, engine: Engine, address: str = "", link: Link | None = None):
        self._engine = engine
        self._link = link or Link(address or os.environ.get("GANSR_RAY_ADDRESS") or ADDRESS)
        self._speeds, self._device = Speeds("cpu"), ""

    def start(self) -> None:
        """Connect, in the background."""
        self._link.start()

    def close(self) -> None:
        """Leave the cluster."""
        self._link.close()

    def device(self) -> str:
        """What the page is built with, before the cluster has answered."""
        return "a Ray cluster"

    def estimate(self, job: Job, token: str = "") -> Estimate:
        """Seconds on a worker, and the jobs that must end before this one begins."""
        pool = self._pool(job.method)
        if pool is None:
            return Estimate(None)
        self._know(pool)
        ahead = pool["running"] + pool["waiting"] - max(0, pool["workers"] - 1)
        return Estimate(self._speeds.seconds(job), max(0, ahead))

    def unavailable(self, method: str) -> str:
        """Why no worker can run the method of this name; empty where one can, or before `start`."""
        if not self._link.started:
            return ""
        pool = self._pool(papers.by_name(method))
        if pool is None:
            return "the cluster does not answer"
        if not pool["workers"]:
            return "no worker is there"
        return str(pool["unavailable"].get(method, ""))

    def frames(self, job: Job) -> Generator[Frame, None, None]:
        """The frames of a job, from one worker or, where it dies, from several. Raises Busy where the line is full,
        MethodError where the cluster does not answer or no job may begin, and what `Engine.stream` raises."""
        run = Run(job, self._link, self._engine, self._speeds)
        try:
            yield from run.frames()
        finally:
            self._speeds.learn(run.meter)

    def _pool(self, method: Method) -> dict[str, Any] | None:
        """What the cluster says of the workers for a method; None where it does not answer."""
        state = self._link.state()
        return None if state is None else state["pools"][pool_of(method)]

    def _know(self, pool: dict[str, Any]) -> None:
        """Use the times of the workers' device, once it is known, and keep them beside the weights."""
        if pool["speed"] and pool["device"] != self._device:
            self._device, self._speeds = pool["device"], Speeds(pool["speed"])
            if weights.storable():
                self._speeds.keep(weights.cache.folder() / SPEEDS, self._device)


class Run:
    """One job of a page."""

    def __init__(self, job: Job, link: Link, engine: Engine, speeds: Speeds):
        self.meter = Meter(job)
        self._job, self._link, self._engine, self._speeds = job, link, engine, speeds
        self._pool = pool_of(job.method)
        self._asked = time.monotonic()
        self._start = Frame(imresize(job.low, job.scale).clamp(0, 1), 0, 1, left=speeds.seconds(job))
        self._best: Frame | None = None
        self._moves, self._waited, self._notices = 0, 0.0, tuple[str, ...]()

    def frames(self) -> Generator[Frame, None, None]:
        """As `Ray.frames`."""
        yield self._start
        while True:
            try:
                end = yield from self._with_one_worker()
            except (Lost, OSError):
                end = Told("lost")
            if end.kind == "ended":
                return
            self.meter.pause()
            if end.kind == "unread":
                continue
            if end.kind == "moved" and self._moves < MOVES:
                self._moves += 1
                self._notices = (MOVED,)
                continue
            if self._best is None:
                raise _error(end)
            yield dataclasses.replace(
                self._best, checkpoint=None, notices=(*self._best.notices, *self._notices, CUT_OFF)
            )
            return

    def _with_one_worker(self) -> Generator[Frame, None, Told]:
        """The frames of one worker → why it gives no more."""
        ask = Ask(
            self._pool,
            model_of(self._job),
            self._job.method.name,
            self._job.owner,
            uuid.uuid4().hex,
            self._speeds.seconds(self._job),
            self._best is not None or self._moves > 0,
            dumps(self._job),
        )
        begun, told = False, None
        with Stream(self._link.connect(), ask, gives_back=self._pool != PASSES) as stream:
            while True:
                if not begun and self._engine.turns.closed:
                    raise MethodError(self._engine.turns.closed)
                items = list(stream.take(PACE))
                if not items and told is not None and not begun:
                    yield self._waiting(told)  # so that whoever reads this can stop it
                for item in items:
                    if isinstance(item, Told):
                        if item.kind == "waits":
                            told = item
                            yield self._waiting(told)
                        elif item.kind == "begins":
                            begun, self._waited = True, time.monotonic() - self._asked
                        else:
                            return item
                    elif isinstance(item, Failure):
                        raise item.error()
                    else:
                        yield self._shown(item)

    def _waiting(self, told: Told) -> Frame:
        if self._best is not None:
            return dataclasses.replace(self._best, checkpoint=None, lent=True)
        waited = time.monotonic() - self._asked
        return dataclasses.replace(self._start, waited=waited, ahead=told.ahead, wait=told.wait)

    def _shown(self, frame: Frame) -> Frame:
        if frame.checkpoint is not None:
            self._job = dataclasses.replace(self._job, checkpoint=frame.checkpoint)
        self.meter.add(frame.step, frame.steps, frame.computed)
        self._best = dataclasses.replace(frame, checkpoint=None, waited=self._waited)
        return dataclasses.replace(self._best, notices=(*frame.notices, *self._notices))


class Stream:
    """What a driver sends of one job, read by a thread. gives_back: the connection is closed, and the worker free, once
    a frame has not been taken for UNREAD seconds."""

    def __init__(self, connection: socket.socket, ask: Ask, gives_back: bool):
        self._connection, self._gives_back = connection, gives_back
        self._changed = threading.Condition()
        self._items: list[tuple[float, bytes]] = []
        self._end: Told | None = None
        send(connection, dumps(ask))
        connection.settimeout(PACE)
        self._thread = threading.Thread(target=self._read, name="frames", daemon=True)
        self._thread.start()

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *error: object) -> None:
        self._end = self._end or Told("unread")
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def take(self, seconds: float) -> Iterator[Told | Frame | Failure]:
        """What has come and is still new, after at most `seconds`: of previews the last one, and what ends the job."""
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._end, seconds)
            items, self._items = [data for _, data in self._items], []
            end = self._end
        for number, data in enumerate(items):
            if number == len(items) - 1 or not data.startswith(PREVIEW):
                yield item_of(data)
        if end is not None and not self._items:
            yield end

    def _read(self) -> None:
        try:
            with self._connection:
                while self._end is None:
                    try:
                        data = receive(self._connection)
                    except TimeoutError:
                        data = b""
                    with self._changed:
                        self._note(data)
                        self._changed.notify_all()
        except OSError:
            with self._changed:
                self._end = self._end or Told("lost")
                self._changed.notify_all()

    def _note(self, data: bytes | None) -> None:
        """Take a message in; an empty one is none."""
        now = time.monotonic()
        if data is None:
            self._end = self._end or Told("lost")
        elif data:
            self._items.append((now, data))
        frames = [at for at, each in self._items if each.startswith((PREVIEW, STATE))]
        if self._gives_back and frames and now - frames[0] > UNREAD and self._end is None:
            self._end = Told("unread")


def _error(end: Told) -> Exception:
    """Why a job has no result."""
    if end.kind == "busy":
        return Busy(end.wait)
    if end.kind == "closed":
        return MethodError(CLOSED)
    if end.kind == "failed":
        return RuntimeError(f"the worker broke down: {end.text}")
    return MethodError(BROKEN if end.kind == "moved" else LOST)
