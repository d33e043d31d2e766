"""Timing of several pieces of work in one run, so that a drift of the machine meets all of them alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch


@torch.no_grad()
def in_turn(device: torch.device, *works: Callable[[], Any], rounds: int) -> list[float]:
    """The median seconds of each work; the first round, which allocates, is not counted."""
    times: list[list[float]] = [[] for _ in works]
    for _ in range(rounds + 1):
        for work, taken in zip(works, times):
            start = time.perf_counter()
            work()
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            taken.append(time.perf_counter() - start)
    return [statistics.median(taken[1:]) for taken in times]
