"""A stand-in for ZeroGPU, which exists on its Spaces only: the scheduler and the workers of `spaces` 0.51.3, on a clock
that the work itself moves.

It asks for what `duration` says, times 1.5, and refuses it with the texts of spaces/zero/client.py. The job and each
frame cross as pickles. Of an exception only the name of the class arrives. A worker is ended at its time.
"""

from __future__ import annotations

import importlib
import pickle
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import gradio as gr

from gansr import memory, papers
from gansr.backends.quota import Quota
from gansr.backends.slices import Sliced
from gansr.engine import Engine
from gansr.job import Job
from gansr.method import Frame, Method
from gansr.speeds import Speeds

FACTOR = 1.5
START = 3.0  # seconds from the request to the first frame


def refused(title: str, message: str) -> gr.Error:
    """An error as spaces.zero.gradio.error makes it."""
    return gr.Error(message, title=title, print_exception=False)


@dataclass
class Lender:
    """`left`: the visitor's quota, seconds. `requests`: seconds asked for and what was left then."""

    left: float = 120.0
    now: float = 0.0
    requests: list[tuple[float, float]] = field(default_factory=list)
    closed: int = 0  # workers that were told to stop
    refuse: gr.Error | None = None  # the next request, for another reason than the quota
    ends_at: float = float("inf")

    def clock(self) -> float:
        return self.now

    def GPU(self, duration: Callable[[Job], int]) -> Callable[..., Any]:
        def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
            def call(job: Job) -> Iterator[Any]:
                self._schedule(FACTOR * duration(job))
                began = self.now
                self.ends_at = began + duration(job)
                self.now += START
                try:
                    yield from self._crossing(function(pickle.loads(pickle.dumps(job))))
                except GeneratorExit:
                    self.closed += 1
                    raise
                finally:
                    self.left -= FACTOR * (self.now - began - START)

            return call

        return decorate

    def _schedule(self, seconds: float) -> None:
        self.requests.append((seconds, self.left))
        if self.refuse is not None:
            error, self.refuse = self.refuse, None
            raise error
        if seconds > self.left:
            asked = f"({round(seconds)}s requested vs. {int(self.left)}s left)"
            text = f"You have exceeded your free ZeroGPU quota {asked}. Try again in 3:12:00. "
            raise refused("ZeroGPU quota exceeded", text)

    def _crossing(self, items: Iterator[Any]) -> Iterator[Any]:
        while True:
            try:
                item = next(items, None)
            except Exception as error:
                raise refused("ZeroGPU worker error", type(error).__name__) from None
            if self.now > self.ends_at:
                raise refused("ZeroGPU worker error", "GPU task aborted")
            if item is None:
                return
            yield pickle.loads(pickle.dumps(item))


def timed(method: Method, lender: Lender, slower: float = 1.0) -> Method:
    """`method` with its own options, presets and costs, whose steps compute nothing and take the seconds that the table
    has for GPUs, times `slower`."""

    def run(low: Any, options: Any, nets: Any, generator: Any, state: Any = None) -> Iterator[Frame]:
        job = Job(method, low, options)
        seconds = slower * (Speeds("cuda").seconds(job) or 0)
        total = sum(kind.count for kind in job.cost.steps)
        for step in range(1 if state is None else state["done"] + 1, total + 1):
            lender.now += seconds / total
            save = (lambda step=step: {"done": step}) if step < total else None
            yield Frame(low, step, total, save=save)

    return replace(method, run=run, resume=run)


def zerogpu_with(lender: Lender, methods: tuple[Method, ...], monkeypatch: Any) -> Any:
    """gansr.backends.zerogpu as it is on a Space that `lender` serves, with `methods` and no networks."""
    monkeypatch.setitem(sys.modules, "spaces", SimpleNamespace(GPU=lender.GPU))
    name = "gansr.backends.zerogpu"
    monkeypatch.delitem(sys.modules, name, raising=False)
    module = importlib.import_module(name)
    monkeypatch.setitem(sys.modules, name, module)  # so that it is removed again
    monkeypatch.setattr(papers, "METHODS", methods)
    monkeypatch.setattr(memory, "free_on", lambda device: None)
    monkeypatch.setattr(module, "ENGINE", Engine("cpu", load=lambda name: None, clock=lender.clock))
    quota = Quota(lender.clock, ask=lambda token: lender.left)
    sliced = Sliced(module.work, Speeds("cuda"), quota, module.factor(), lender.clock)
    monkeypatch.setattr(module, "SLICED", sliced)
    return module
