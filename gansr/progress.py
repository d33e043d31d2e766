"""How far a job is: the time it has computed, the time it still needs, and both in words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from gansr.method import Frame


@dataclass
class Timing:
    """The seconds that a job computes, and what the line before the device asks of it (`turns.Work`). `expected` gives
    its estimate before it has begun, or None; `fits` whether its memory is free now."""

    expected: Callable[[], float | None]
    fits: Callable[[], bool]
    spent: float = 0.0
    returned: float = 0.0  # `spent` when the job last got the device
    _steps: tuple[int, int] = (0, 1)  # the last step, and how many there are
    _first: tuple[int, float] | None = field(
        default=None, repr=False
    )  # the first step, and `spent` at its end

    def begin_again(self, spent: float = 0.0) -> None:
        """Forget what was computed after the first `spent` seconds: it is computed again in another way."""
        self.spent, self.returned, self._steps, self._first = spent, spent, (0, 1), None

    def add(self, seconds: float, step: int, steps: int) -> None:
        """A step was computed in `seconds`."""
        self.spent += seconds
        self._steps = step, steps
        self._first = self._first or (step, self.spent)

    def left(self) -> float | None:
        """Seconds still to compute; None where that is not known. The first step also loads and compiles, so the rate
        is that of the steps after it."""
        step, steps = self._steps
        if self._first is not None and step > self._first[0]:
            rate = (self.spent - self._first[1]) / (step - self._first[0])
            return rate * (steps - step)
        expected = self.expected()
        return None if expected is None else max(0.0, expected - self.spent)


def progress_text(frame: Frame) -> str:
    """Where a job is, in plain text: "Waiting: 2 jobs ahead, about 40 s", "Starting", or
    "Step 12 of 80 · 15 % · about 9 s left"."""
    if frame.ahead is not None:
        jobs = f"{frame.ahead} job{'s' * (frame.ahead > 1)} ahead" if frame.ahead else "next in line"
        return f"Waiting: {jobs}" + ("" if frame.wait is None else f", {duration_text(frame.wait)}")
    head = "Starting"
    if frame.step:
        head = f"Step {frame.step} of {frame.steps} · {100 * frame.step // max(frame.steps, 1)} %"
    if frame.lent:
        return f"{head} · another job goes first"
    known = frame.left is not None and frame.step < frame.steps
    return f"{head} · {duration_text(frame.left or 0.0)} left" if known else head


def duration_text(seconds: float) -> str:
    """An estimate of a time: "about 9 s", "about 40 s", "about 3 min"."""
    if seconds < 9.5:
        return f"about {max(1, round(seconds))} s"
    return f"about {5 * round(seconds / 5)} s" if seconds < 90 else f"about {round(seconds / 60)} min"
