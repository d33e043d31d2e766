"""The only place that knows whether this is a ZeroGPU Space.

On ZeroGPU a decorated generator runs in a forked worker that has the GPU for a while: its arguments and what it
yields are pickled, so both are plain CPU data; the nets are put on cuda beforehand, in the main process.
Elsewhere the decorator is the identity. `spaces` must be imported before torch: import this module first.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

ZERO = bool(os.environ.get("SPACES_ZERO_GPU"))
if ZERO:
    import spaces  # pyright: ignore[reportMissingImports]  # only there

import torch
from torch import Tensor

from gansr import weights
from gansr.engine import Engine, Job, Precision
from gansr.method import Frame, Method
from gansr.papers import METHODS

BY_NAME = {method.name: method for method in METHODS}
ENGINE = Engine("cuda" if ZERO else None)
METER = Engine("cpu") if ZERO else ENGINE  # measures outside the worker, which has the GPU
GPU_RATE = 5e12  # operations a second that a shared GPU surely reaches on these nets
WORKER_LIMIT = 120  # seconds, the longest a visitor may ask of ZeroGPU


def duration(name: str, low: Tensor, options: Any, seed: int, precision: Precision) -> int:
    """Seconds of GPU to ask for."""
    cost = BY_NAME[name].cost(low.shape[-2], low.shape[-1], options)
    return min(WORKER_LIMIT, 15 + int(cost.operations / GPU_RATE))


def on_gpu(function: Callable[..., Iterator[Frame]]) -> Callable[..., Iterator[Frame]]:
    return spaces.GPU(duration=duration)(function) if ZERO else function


@on_gpu
def frames(name: str, low: Tensor, options: Any, seed: int, precision: Precision) -> Iterator[Frame]:
    """`Engine.stream` with arguments that survive pickling: the method goes by its name."""
    yield from ENGINE.stream(Job(BY_NAME[name], low, options, seed, precision))


def preload() -> None:
    """Prepare for the first request: on ZeroGPU, put the default nets onto the device; elsewhere, warm up the methods
    whose default weights are cached. GANSR_COMPILE=0 skips the warm-up, which compiles."""
    if ZERO:
        for method in METHODS:
            for names in method.weights.values():
                ENGINE.net(names[0])
    elif os.environ.get("GANSR_COMPILE") != "0":
        os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(weights.cache.folder() / "compiled"))
        for method in METHODS:
            _warm_up(method)


def _warm_up(method: Method) -> None:
    options = method.options()
    if method.warm_up is None or not all(map(weights.ready, method.needs(method, options).values())):
        return
    method.warm_up(ENGINE.nets(Job(method, torch.zeros(3, 1, 1), options)))
