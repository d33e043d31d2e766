"""Seconds and memory of a piece of work, as the benches measure them."""

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

# The environment of a process that leaves torch's and glibc's allocators as they are. A plain network is measured with
# it, because gansr.memory's settings are a part of what it is compared with.
PLAIN = {"GANSR_KEEP_BLOCKS": "0"}

ROOT = Path(__file__).resolve().parents[2]  # the folder that holds the package gansr


@torch.no_grad()
def in_turn(device: torch.device, *works: Callable[[], Any], rounds: int) -> list[float]:
    """The median seconds of each work. They alternate, so that a change in the machine's speed affects all alike; the
    first round, which allocates memory, is not counted."""
    times: list[list[float]] = [[] for _ in works]
    for _ in range(rounds + 1):
        for work, seconds in zip(works, times):
            start = time.perf_counter()
            work()
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            seconds.append(time.perf_counter() - start)
    return [statistics.median(seconds[1:]) for seconds in times]


def peak_gb() -> float:
    """The largest resident memory of this process so far, 10⁹ bytes. Raises BenchError where the system has no such
    figure.

    Not getrusage's figure: a process inherits that one from the process that started it.
    """
    if (found := memory.peak()) is None:
        raise BenchError("this system does not report a process's peak memory: run the bench on Linux")
    return found / 1e9


def in_process(module: str, *arguments: str, **environment: str) -> Any:
    """Run `python -m module arguments…` in a process of its own; returns the JSON value in the last line it prints.

    environment: variables set besides this process's own. This package is found there wherever it is installed; the
    working directory stays. Raises BenchError where the process fails or prints no JSON.
    """
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), **environment},
    )
    called = " ".join((module, *arguments))
    if done.returncode:
        raise BenchError(f"the process {called} failed: {done.stderr.strip()[-300:]}")
    try:
        return json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        raise BenchError(f"the process {called} printed no JSON: {done.stdout.strip()[-300:]}") from None
