"""One run as plain CPU data: what is computed, and, where it is computed in slices, how far it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from gansr import papers
from gansr.method import Checkpoint, Cost, Method, Precision


@dataclass(frozen=True)
class Wanted:
    """What a result is to be measured against where it is computed, (3,H,W) in [0,1] each."""

    truth: Tensor
    baseline: Tensor  # is measured as well


@dataclass(frozen=True)
class Job:
    """One run. It pickles with its method by name, so it can cross a process boundary."""

    method: Method
    low: Tensor  # (3,H,W) float32 in [0,1]
    options: Any
    seed: int = 0
    precision: Precision = "fast"
    threads: int | None = None  # CPU threads to compute with (a replay restores them); None: as they are
    owner: str = ""  # whose job it is: the owners of waiting jobs are served in rotation
    slice: float | None = (
        None  # seconds of computing after which the run is left at its next step; None: never
    )
    checkpoint: Checkpoint | None = None  # where an earlier slice was left; None: from the start
    wanted: Wanted | None = None  # what a backend with a faster device may measure the result against

    def __reduce__(self) -> tuple[Any, ...]:
        plain = (self.low, self.options, self.seed, self.precision, self.threads, self.owner)
        return _job, (self.method.name, *plain, self.slice, self.checkpoint, self.wanted)

    @property
    def cost(self) -> Cost:
        """The method's estimate for this input."""
        return self.method.cost(self.low.shape[-2], self.low.shape[-1], self.options)

    @property
    def scale(self) -> int:
        """How many times larger the result is."""
        return self.method.scale(self.method, self.options)

    @property
    def computed(self) -> float:
        """Seconds of computing in earlier slices."""
        return 0.0 if self.checkpoint is None else self.checkpoint.computed


def _job(method: str, *plain: Any) -> Job:
    return Job(papers.by_name(method), *plain)
