"""Jobs on a ZeroGPU Space.

A decorated generator runs in a forked worker that has the GPU for a while: its arguments and what it yields are
pickled, so both are plain CPU data (a job pickles with its method by name). The networks are put on cuda beforehand, in
the main process. `spaces` must be imported before torch.

A result with a true picture is measured by networks in the worker as well (gansr.backends.measuring).

Of an exception in the worker only the name of its class arrives, so errors with a text for the user are yielded as
values. A run takes several slices (gansr.backends.slices). The request that `spaces` charges is the visitor's own: it
stands in the context of the thread that asks. Not tried on a real Space: how long the token in that request is valid; a
run whose token has expired ends with its best so far.
"""

# ruff: noqa: I001 — spaces first

from __future__ import annotations

import spaces  # pyright: ignore[reportMissingImports]  # only on ZeroGPU Spaces

import logging
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from importlib import import_module

from gansr import papers, weights
from gansr.backends.estimate import Estimate
from gansr.backends.failures import ERRORS, Failure, reason
from gansr.backends.measuring import NETWORKS, measured
from gansr.backends.quota import Quota
from gansr.backends.refusals import refusal_of
from gansr.backends.slices import Sliced
from gansr.engine import Engine
from gansr.job import Job
from gansr.method import Frame, Method
from gansr.speeds import SPEEDS, Speeds

RETRY = 300.0  # seconds until weights that could not be had are tried again
BLACKWELL = 1.5  # what `spaces` multiplies requests by on today's GPUs

ENGINE = Engine("cuda")


def duration(job: Job) -> int:
    """Seconds of GPU to ask for."""
    return SLICED.asked(job)


@spaces.GPU(duration=duration)  # pyright: ignore[reportUntypedFunctionDecorator]
def stream(job: Job) -> Generator[Frame | Failure, None, None]:
    """`Engine.stream` in the worker; then the last frame again, measured."""
    try:
        frame = None
        for frame in ENGINE.stream(job):
            yield frame
        if job.wanted is not None and frame is not None and frame.step and frame.checkpoint is None:
            found = measured(ENGINE, frame.image, job.wanted)
            yield replace(frame, measured=found)
    except ERRORS as error:
        yield Failure.of(error)


def work(job: Job) -> Generator[Frame, None, None]:
    """One slice, from the worker. Raises one of ERRORS, GpuRefused among them; RuntimeError where the worker broke."""
    try:
        with closing(stream(job)) as items:
            for item in items:
                if isinstance(item, Failure):
                    raise item.error()
                yield item
    except ERRORS:
        raise
    except Exception as error:
        if (refused := refusal_of(error)) is not None:
            raise refused from None
        raise RuntimeError(f"the worker broke down: {error}") from error


def factor() -> float:
    """What `spaces` multiplies the seconds of a request by, on this Space's GPU."""
    try:
        return float(import_module("spaces.zero.config").get_config()["duration_factor"])
    except Exception:  # not part of its interface
        return BLACKWELL


SLICED = Sliced(work, Speeds("cuda"), Quota(), factor())


def later(seconds: float, function: Callable[[], None]) -> None:
    """Call `function` after some seconds, in the background."""
    timer = threading.Timer(seconds, function)
    timer.daemon = True
    timer.start()


class ZeroGpu:
    """Runs jobs in ZeroGPU's workers."""

    measures = True

    def __init__(self, later: Callable[[float, Callable[[], None]], None] = later):
        self._later, self._unavailable = later, dict[str, str]()

    def frames(self, job: Job) -> Iterator[Frame]:
        """The frames of a job, from one worker after another."""
        return SLICED.frames(job)

    def device(self) -> str:
        """The lent GPU in words."""
        return ENGINE.describe()

    def estimate(self, job: Job, token: str = "") -> Estimate:
        """Seconds of GPU as the Hub counts them, and what the visitor has left."""
        quota = SLICED.quota
        if token:
            quota.refresh(job.owner, token)
        return Estimate(SLICED.seconds(job), 0, quota.left(job.owner), quota.is_told(job.owner))

    def unavailable(self, method: str) -> str:
        """Why the weights of a method could not be had; they are tried again every few minutes."""
        return self._unavailable.get(method, "")

    def start(self) -> None:
        """Put the default networks onto the device, before the first visitor."""
        if weights.storable():
            SLICED.speeds.keep(weights.cache.folder() / SPEEDS, "ZeroGPU")
        for method in papers.METHODS:
            self._try(method, ENGINE.net)
        for metric in NETWORKS:
            with suppress(Exception):  # a metric that cannot be had says so where it is wanted
                for name in metric.weights.values():
                    ENGINE.net(name)
        self._plan_retry()

    def retry(self) -> None:
        """Try again what could not be had. The weights are only fetched: a worker loads them."""
        for name in list(self._unavailable):
            self._try(papers.by_name(name), weights.fetch)
        self._plan_retry()

    def _plan_retry(self) -> None:
        if self._unavailable:
            self._later(RETRY, self.retry)

    def _try(self, method: Method, bring: Callable[[str], object]) -> None:
        self._unavailable.pop(method.name, None)
        try:
            for name in method.needs(method, method.options()).values():
                bring(name)
        except Exception as error:  # whatever it is, the others must work
            logging.getLogger(__name__).warning("%s is not available", method.title, exc_info=True)
            self._unavailable[method.name] = reason(error)
