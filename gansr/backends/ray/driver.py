"""The driver of a page: `python -m gansr.backends.ray.driver ADDRESS SOCKET`.

It is connected to the cluster as a driver of Ray, and serves one page on a Unix socket: a connection a job, which the
page closes to stop it. It ends when its standard input ends, because the page has, and when the cluster does not
answer: Ray ends a driver whose head is gone, so nothing is lost, and the page starts another.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import ray
from ray import serve
from ray.exceptions import RayActorError, RayError, RayTaskError, TaskCancelledError
from ray.serve.exceptions import BackPressureError

from gansr.backends.ray.application import DISPATCHER, NAMESPACE, POOL_CLASSES, name_of
from gansr.backends.ray.messages import LEFT, Ask, Told, dumps, loads, read, write
from gansr.backends.ray.settings import PASSES

PACE = 0.25  # seconds between two looks at the line, for a job that comes next
SLOWEST = 3.0  # for one that is far behind
RENEW = 3.0  # seconds between two renewals of the jobs' places
PATIENCE = 5.0  # seconds for an answer of the dispatcher
MISSES = 2  # looks in a row without an answer after which the cluster counts as lost


@dataclass
class Driver:
    """Serves one page."""

    places: dict[str, tuple[str, str, str, float | None]] = field(default_factory=dict[str, Any])
    state: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        self._handles = {
            pool: serve.get_deployment_handle(kind.__name__, name_of(pool)).options(stream=True)
            for pool, kind in POOL_CLASSES.items()
        }
        self._dispatcher: Any = None

    async def call(self, name: str, *given: Any) -> Any:
        """A method of the dispatcher, also of one that is just starting again. Raises asyncio.TimeoutError where none
        answers."""
        end = time.monotonic() + PATIENCE
        while True:
            try:
                if self._dispatcher is None:
                    self._dispatcher = ray.get_actor(DISPATCHER, NAMESPACE)
                return await asyncio.wait_for(getattr(self._dispatcher, name).remote(*given), PATIENCE)
            except (RayError, ValueError):  # it died, or is not there yet
                self._dispatcher = None
            if time.monotonic() > end:
                raise asyncio.TimeoutError
            await asyncio.sleep(0.5)

    async def look(self) -> None:
        """Know the state of the cluster, and renew the places. Returns when the cluster is lost."""
        missed, renewed = 0, 0.0
        while missed < MISSES:
            try:
                self.state = await self.call("state")
                if time.monotonic() - renewed > RENEW:
                    renewed = time.monotonic()
                    await self.call("renew", list(self.places.values()))
                missed = 0
            except asyncio.TimeoutError:
                self.state, missed = None, missed + 1
            await asyncio.sleep(1.0)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        with contextlib.suppress(ConnectionError), contextlib.closing(writer):
            data = await read(reader)
            if data is None:
                return
            asked: Ask | None = loads(data)
            if asked is None:
                await write(writer, dumps(Told("state", state=self.state)))
                return
            job = asyncio.create_task(self._job(asked, writer))
            closed = asyncio.create_task(reader.read(1))
            await asyncio.wait((job, closed), return_when=asyncio.FIRST_COMPLETED)
            for task in (job, closed):
                task.cancel()
            await asyncio.gather(job, closed, return_exceptions=True)

    async def _job(self, ask: Ask, writer: asyncio.StreamWriter) -> None:
        came = time.monotonic()
        try:
            told = await self._placed(ask, writer) or await self._run(ask, writer, came)
        except (RayActorError, ReplicaGone):
            told = Told("moved")
        except RayTaskError as error:
            told = Told("failed", text=f"{type(error.cause).__name__}: {error.cause}")
        except BackPressureError:
            told = Told("busy", wait=60.0)
        except (RayError, asyncio.TimeoutError):
            told = Told("lost")
        finally:
            self.places.pop(ask.ticket, None)
            asyncio.create_task(self._left(ask))  # noqa: RUF006  # also where this task is cancelled
        await write(writer, dumps(told))

    async def _left(self, ask: Ask) -> None:
        with contextlib.suppress(Exception):  # otherwise its place is given up after some seconds
            await self.call("leave", ask.pool, ask.ticket)

    async def _placed(self, ask: Ask, writer: asyncio.StreamWriter) -> Told | None:
        """Wait in the line, and tell the page where the job stands. → what ends it, or None when it may go."""
        patience = 0.0
        while True:
            given = (ask.pool, ask.ticket, ask.owner, ask.seconds, ask.first, patience)
            kind, ahead, wait = await self.call("place", *given)
            if kind == "go":
                self.places[ask.ticket] = (ask.pool, ask.ticket, ask.owner, ask.seconds)
                return None
            if kind != "waits":
                return Told(kind, ahead, wait)
            await write(writer, dumps(Told("waits", ahead, wait)))
            patience = min(SLOWEST, PACE * (1 + ahead / 2))  # when it may go, the dispatcher answers at once

    async def _run(self, ask: Ask, writer: asyncio.StreamWriter, came: float) -> Told:
        """Pass the items of a worker on."""
        handle = self._handles[ask.pool]
        if ask.pool == PASSES:
            handle = handle.options(multiplexed_model_id=ask.model or "none")
        response: Any = handle.frames.remote(
            ask.ticket, ask.job
        )  # a generator: the handle's option is `stream`
        first = asyncio.ensure_future(anext(response, None))
        # Where it is no longer awaited its error is no fault.
        first.add_done_callback(lambda task: task.cancelled() or task.exception())
        try:
            while not (await asyncio.wait((first,), timeout=PACE))[0]:
                _, ahead, wait = await self.call(
                    "place", ask.pool, ask.ticket, ask.owner, ask.seconds, False, 0.0
                )
                await write(writer, dumps(Told("waits", ahead, wait)))
            item = await first
            if item is None:
                raise ReplicaGone
            asyncio.create_task(self._begun(ask, time.monotonic() - came))  # noqa: RUF006
            await write(writer, dumps(Told("begins")))
            async for item in response:
                if item == LEFT:
                    return Told("moved")
                await write(writer, item)
            return Told("ended")
        except TaskCancelledError:
            raise ReplicaGone from None
        finally:
            response.cancel()
            first.cancel()

    async def _begun(self, ask: Ask, waited: float) -> None:
        with contextlib.suppress(Exception):
            await self.call("begin", ask.pool, ask.ticket, waited)


class ReplicaGone(Exception):
    """A worker ended without an end of its job."""


async def run(socket: str) -> None:
    """Serve until the cluster is lost."""
    driver = Driver()
    async with await asyncio.start_unix_server(driver.serve, socket):
        await driver.look()


def main() -> None:
    address, socket = sys.argv[1:3]
    threading.Thread(target=lambda: (sys.stdin.buffer.read(), os._exit(0)), daemon=True).start()
    logging.getLogger("ray.serve").setLevel(logging.ERROR)  # every change of a replica is told otherwise
    try:
        ray.init(address=address, namespace=NAMESPACE, log_to_driver=False, logging_level=logging.ERROR)
        asyncio.run(run(socket))
    except Exception as error:  # there is no cluster, or no worker on it yet: the page starts another driver
        print(
            f"gansr: the cluster at {address} is not there ({type(error).__name__})",
            file=sys.stderr,
            flush=True,
        )
    os._exit(1)


if __name__ == "__main__":
    main()
