"""What work costs: seconds, of several pieces in one run, so that a drift of the machine meets all alike; memory."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from gansr import memory
from gansr.bench import BenchError

# The environment of a process that has torch's and glibc's allocators as they are: what a network that is written
# down plainly costs anybody. Ours (gansr.memory) is a part of what is compared with it.
PLAIN = {"GANSR_KEEP_BLOCKS": "0"}


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


def peak_gb() -> float:
    """The largest resident memory of this process so far, 10⁹ bytes. Raises BenchError where it is not told.

    Not getrusage's figure: that one a process inherits from the one that started it.
    """
    if (found := memory.peak()) is None:
        raise BenchError("this system does not tell a process's peak memory: run the bench on Linux")
    return found / 1e9


def in_process(module: str, *arguments: str, **environment: str) -> Any:
    """What `module`, run as a program of its own, prints as JSON in its last line. Raises BenchError."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, **environment},
    )
    if done.returncode:
        raise BenchError(f"the process {module} {' '.join(arguments)} failed: {done.stderr.strip()[-300:]}")
    return json.loads(done.stdout.splitlines()[-1])
