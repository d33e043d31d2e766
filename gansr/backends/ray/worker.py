"""A worker: computes jobs one at a time, in a thread, and hands their frames out as bytes.

A search is computed in slices (`Job.slice`): after each its state goes out too, so that another worker can go on from
there if this one dies. Whoever stops reading cancels the generator; the thread then ends its step, and only then the
worker is free.
"""

from __future__ import annotations

import asyncio
import dataclasses
import threading
import time
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import aclosing, suppress
from functools import partial
from typing import Any, TypeVar

import torch

from gansr import weights
from gansr.backends.failures import ERRORS, Failure, reason
from gansr.backends.local import warm_up
from gansr.backends.ray import wire
from gansr.backends.ray.messages import BEGUN, LEFT, dumps, loads
from gansr.backends.ray.pools import methods_of
from gansr.backends.ray.settings import Settings
from gansr.engine import Engine
from gansr.job import Job
from gansr.method import Frame

T = TypeVar("T")
RETRY = 300.0  # seconds until weights that could not be had are tried again


class Worker:
    """Runs jobs of one pool. `metrics` as WorkerMetrics."""

    def __init__(self, pool: str, settings: Settings, metrics: Any, engine: Callable[[], Engine] = Engine):
        self.pool, self._settings, self._metrics, self._make = pool, settings, metrics, engine
        self._thread = ThreadPoolExecutor(1, "work")  # torch keeps its threads by the thread that computes
        threads = settings.pool(pool).threads
        self._thread.submit(torch.set_num_threads, threads).result()
        self._packer = ThreadPoolExecutor(1, "pack")  # makes bytes of a frame while the next step is computed
        self._packer.submit(torch.set_num_threads, 1).result()
        self.engine = engine()
        self._turn = asyncio.Lock()
        self.ending = False  # leave searches after their slices
        self._stops: dict[str, threading.Event] = {}
        self.unavailable: dict[str, str] = {}
        self._tried = 0.0

    @property
    def tickets(self) -> tuple[str, ...]:
        """Of the jobs that are here."""
        return tuple(self._stops)

    def stop(self, ticket: str) -> None:
        """End a job after its step: nobody wants it any more."""
        if ticket in self._stops:
            self._stops[ticket].set()

    def end(self) -> None:
        """End the threads, where the process goes on."""
        self._thread.shutdown(wait=False)
        self._packer.shutdown(wait=False)

    async def start(self) -> None:
        """Load the usual networks, once a node downloads them. What cannot be had is tried again at `retry`."""
        await self._in_thread(self._thread.submit(self._load), threading.Event())

    async def retry(self) -> None:
        """Try again what could not be had, every few minutes."""
        if self.unavailable and time.monotonic() - self._tried > RETRY and not self._stops:
            await self.start()

    def _load(self) -> None:
        weights.cache.clean()
        self._tried = time.monotonic()
        for method in methods_of(self.pool):
            self.unavailable.pop(method.name, None)
            try:
                self.engine.nets_for(method, method.options())
            except Exception as error:  # whatever it is, the others must work
                self.unavailable[method.name] = reason(error)
        warm_up(self.engine, methods_of(self.pool))

    async def frames(
        self, ticket: str, data: bytes, engine: Engine | None = None
    ) -> AsyncGenerator[bytes, None]:
        """The items of a job: BEGUN, its frames without the one of step 0, an error as the last one; LEFT where the
        job shall go on elsewhere. engine: that has its networks; otherwise the worker's own."""
        stop = self._stops[ticket] = threading.Event()
        came, frames, end = time.monotonic(), 0, "done"
        began: float | None = None
        job: Job = loads(data)
        try:
            async with self._turn:
                began = time.monotonic()
                yield BEGUN
                async with aclosing(self._ahead(job, stop, engine or self.engine)) as items:
                    async for end, found in items:
                        frames += end == "done"
                        yield found
        except (asyncio.CancelledError, GeneratorExit):
            end = "cancelled"
            raise
        except Exception:
            end = "failed"
            raise
        finally:
            self._stops.pop(ticket, None)
            if began is not None:
                stages = {"wait": began - came, "compute": time.monotonic() - began}
                self._metrics.ended(job.method.name, end, stages, frames)

    async def _ahead(
        self, job: Job, stop: threading.Event, engine: Engine
    ) -> AsyncGenerator[tuple[str, bytes]]:
        """As `_items`. While an item is on its way the thread computes the next."""
        items = self._items(job, stop, engine)
        coming = self._submit(items)
        try:
            while (item := await self._in_thread(coming, stop)) is not None:
                coming = self._submit(items)
                end, pack = item
                yield end, await asyncio.get_running_loop().run_in_executor(self._packer, pack)
        finally:
            stop.set()
            await self._in_thread(self._thread.submit(items.close), stop)

    def _submit(self, items: Iterator[T]) -> Future[T | None]:
        return self._thread.submit(next, items, None)

    def _items(
        self, job: Job, stop: threading.Event, engine: Engine
    ) -> Generator[tuple[str, Callable[[], bytes]]]:
        """How the job would have ended after an item, and what makes the item's bytes."""
        try:
            last: Frame | None = None
            for last in self._sliced(job, stop, engine):
                yield "done", partial(wire.frame_bytes, last, exact=last.step >= last.steps)
            if last is None or stop.is_set():
                return
            if last.checkpoint is not None:
                yield "left", lambda: LEFT
            elif last.step < last.steps:  # cut short by the deadline: it is the result
                yield "done", partial(wire.frame_bytes, last, exact=True)
        except ERRORS as error:
            yield "error", partial(dumps, Failure.of(error))

    def _sliced(self, job: Job, stop: threading.Event, engine: Engine) -> Iterator[Frame]:
        """The frames of the steps, slice after slice. A state is on each slice's last frame."""
        if job.method.resume is not None:
            job = dataclasses.replace(job, slice=self._settings.slice)
        while True:
            last: Frame | None = None
            for frame in engine.stream(job, stop.is_set):
                if frame.step:
                    last = frame
                    yield frame
            if last is None or last.checkpoint is None or self.ending or stop.is_set():
                return
            job = dataclasses.replace(job, checkpoint=last.checkpoint)

    async def _in_thread(self, work: Future[T], stop: threading.Event) -> T:
        """The value of the thread's work. When this is cancelled, it still waits until the thread has ended its step: a
        worker that is told to be free is free."""
        future = asyncio.wrap_future(work)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            stop.set()
            while not future.done():
                with suppress(asyncio.CancelledError):
                    await asyncio.wait([future])
            raise
