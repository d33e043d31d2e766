"""How long runs take: seconds per step, from what was measured on this device, else from a table.

Times are kept by network and by kind of step (`Cost.steps`), not derived from operations: KernelGAN's iterations are
short, so on a GPU their number counts and their operations do not. Methods of a single pass are kept in seconds per
operation, and so is what has no kind of step known.

The table's figures for processors are README's (two Zen 5 cores, bfloat16, compiled), or estimates, marked so. Those
for GPUs are estimates, meant to be too high; the first run replaces them. An H200 took a third of them for PULSE and
mGANprior, and 0.0057 s for KernelGAN's iteration (docs/measured.md).
"""

from __future__ import annotations

import json
import math
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gansr.job import Job
from gansr.method import Steps

SPEEDS = "speeds.json"  # the file's name, in the folder of the weights
OPERATIONS = "operations"  # the kind whose unit is one operation of `Cost.operations`
NEWEST = 0.3  # weight of the newest measurement in the average
SAVED = 4096  # entries of the file at most
FACE = "mobilestylegan-ffhq-1024"

Key = tuple[str, str, str]  # method, network (empty: any), kind of step

# Processors on which bfloat16 does not pay take so many times as long. From whole runs of Quick on two cores with AVX2:
# PULSE 0.9 s a step, mGANprior 1.2 s (20 codes, layer 32²), KernelGAN about 60 s. The others are estimates.
SLOW, SLOWER = (
    "cpu float32",
    {"pulse": 6, "mganprior": 6, "kernelgan": 5, "glean": 3, "srgan": 3, "esrgan": 5, "dip": 4},
)

# Type of device → key → seconds per step.
_SEEDS: dict[str, Mapping[Key, float]] = {
    "cpu": {
        ("pulse", FACE, "step"): 0.15,
        ("pulse", "stylegan1-ffhq-1024", "step"): 0.6,
        ("pulse", "stylegan2-ffhq-1024", "step"): 2.7,
        ("pulse", "stylegan2-cat", "step"): 0.7,
        ("pulse", "stylegan2-church", "step"): 0.7,
        ("pulse", "stylegan2-horse", "step"): 0.7,
        ("pulse", "", OPERATIONS): 9e-12,  # StyleGAN2 at 1024²: 2.7 s for 299e9
        ("kernelgan", "", "kernel"): 0.0038,
        ("kernelgan", "", "relu"): 0.07,  # estimates, from here to the end of KernelGAN's
        ("kernelgan", "", "zssr 32"): 0.015,
        ("kernelgan", "", "zssr 64"): 0.03,
        ("kernelgan", "", "zssr 96"): 0.06,
        ("kernelgan", "", "zssr 128"): 0.1,
        ("mganprior", FACE, "layer 4"): 0.13,  # an estimate
        ("mganprior", FACE, "layer 16"): 0.14,
        ("mganprior", FACE, "layer 32"): 0.19,
        ("mganprior", FACE, "layer 64"): 0.39,
        ("mganprior", "", OPERATIONS): 3e-12,  # composing layer 32²: 0.19 s for 62e9
        ("glean", "", OPERATIONS): 1.5e-12,  # 0.06 s for 40e9
        ("srgan", "", OPERATIONS): 1.4e-12,  # 0.103 s for 73e9
        ("esrgan", "", OPERATIONS): 3e-12,  # an estimate; with AVX2 8.9 s for 590e9
        ("dip", "", "width 32"): 0.06,  # an estimate from processor time, of 256² px; as the next
        ("dip", "", OPERATIONS): 2e-12,
    },
    "cuda": {  # estimates
        ("pulse", FACE, "step"): 0.04,
        ("pulse", "", OPERATIONS): 1e-12,
        ("kernelgan", "", "kernel"): 0.005,
        ("kernelgan", "", "relu"): 0.015,
        ("kernelgan", "", "zssr 32"): 0.005,
        ("kernelgan", "", "zssr 64"): 0.005,
        ("kernelgan", "", "zssr 96"): 0.006,
        ("kernelgan", "", "zssr 128"): 0.008,
        ("mganprior", FACE, "layer 4"): 0.04,
        ("mganprior", FACE, "layer 16"): 0.04,
        ("mganprior", FACE, "layer 32"): 0.05,
        ("mganprior", FACE, "layer 64"): 0.08,
        ("mganprior", "", OPERATIONS): 1e-12,
        ("", "", OPERATIONS): 2e-13,
    },
}


_SEEDS[SLOW] = {key: SLOWER[key[0]] * seconds for key, seconds in _SEEDS["cpu"].items()}
SEEDS: Mapping[str, Mapping[Key, float]] = _SEEDS


class Meter:
    """The steps of one run, and the seconds that they took. The first step it is told of is not timed: it also loads
    and compiles. Nor is a time that spans two kinds of steps."""

    def __init__(self, job: Job):
        self.job, self.took = job, dict[str, tuple[float, float]]()  # kind → work, seconds
        self._last: tuple[int, float] | None = None
        self._was_left = job.checkpoint is not None  # such a run is not timed as a whole

    def add(self, step: int, steps: int, computed: float) -> None:
        """Step `step` of `steps` ended after `computed` seconds of computing."""
        first = self._last or (step, computed)
        self._last = step, computed
        kind = self._kind(first[0], step)
        if kind is not None and step > first[0]:
            work, seconds = self.took.get(kind.kind, (0.0, 0.0))
            self.took[kind.kind] = work + kind.work * (step - first[0]), seconds + computed - first[1]
        if step >= steps and not self._was_left:
            self.took[OPERATIONS] = self.job.cost.operations, computed

    def pause(self) -> None:
        """The next step is on another worker, which loads again."""
        self._last, self._was_left = None, True

    def _kind(self, after: int, step: int) -> Steps | None:
        """The kind of the steps after `after` up to `step`."""
        start = 0
        for kind in self.job.cost.steps:
            if start <= after and step <= start + kind.count:
                return kind
            start += kind.count
        return None


class Speeds:
    """The times of one device. Its methods may be called on any thread.

    type: of the device, a key of SEEDS.
    """

    def __init__(self, type: str):
        self.type, self._name = type, ""
        self._path: Path | None = None
        self._lock = threading.Lock()
        self._measured: dict[Key, float] = {}

    def keep(self, path: Path, name: str) -> None:
        """Go on from the times of the device `name` in the file `path`, and keep them there from now on. A file that
        cannot be read is not used, one that cannot be written is left."""
        with self._lock:
            self._path, self._name = path, name
            self._measured |= {key: value for key, value in _read(path).get(name, {}).items() if value > 0}

    def seconds(self, job: Job, *, measured: bool = False) -> float | None:
        """Seconds that a job will compute, what earlier slices have done included; None where nothing is known. Without
        loading and compiling. measured: only by what was measured here, not by the table."""
        cost, network = job.cost, _network(job)
        name = job.method.name
        each = [self._of(name, network, kind.kind, measured) for kind in cost.steps]
        known = [time * kind.count * kind.work for time, kind in zip(each, cost.steps) if time is not None]
        if known and len(known) == len(each):
            return sum(known)
        rate = self._of(name, network, OPERATIONS, measured)
        return None if rate is None else cost.operations * rate

    def learn(self, meter: Meter) -> None:
        """Take what a run's steps took into the averages."""
        name, network = meter.job.method.name, _network(meter.job)
        with self._lock:
            for kind, (work, seconds) in meter.took.items():
                key, new = (name, network, kind), max(seconds, 1e-6) / work
                before = self._measured.get(key, new)
                self._measured[key] = before + NEWEST * (new - before)
            if self._path is not None and meter.took:
                _write(self._path, self._name, self._measured)

    def forget(self) -> None:
        """Know only the table."""
        with self._lock:
            self._measured.clear()

    def _of(self, method: str, network: str, kind: str, measured: bool) -> float | None:
        keys = ((method, network, kind), (method, "", kind), ("", "", kind))
        with self._lock:
            found = next((self._measured[key] for key in keys if key in self._measured), None)
        table: Mapping[Key, float] = {} if measured else SEEDS.get(self.type, {})
        return found if found is not None else next((table[key] for key in keys if key in table), None)


def _network(job: Job) -> str:
    return "+".join(job.method.needs(job.method, job.options).values())


def _read(path: Path) -> dict[str, dict[Key, float]]:
    """Device → key → seconds, from a file; what is not of that form is left out."""
    found: dict[str, dict[Key, float]] = {}
    try:
        rows: Any = json.loads(path.read_text())
        for device, method, network, kind, seconds in rows[:SAVED]:
            if isinstance(seconds, float) and math.isfinite(seconds):
                found.setdefault(str(device), {})[str(method), str(network), str(kind)] = seconds
    except (OSError, ValueError, TypeError, KeyError):
        return {}
    return found


def _write(path: Path, device: str, measured: Mapping[Key, float]) -> None:
    """Replace the file's times of `device`."""
    all_times = {**_read(path), device: measured}
    rows = [[name, *key, value] for name, times in all_times.items() for key, value in times.items()]
    new = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        new.write_text(json.dumps(rows))
        new.replace(path)
    except OSError:
        new.unlink(missing_ok=True)
