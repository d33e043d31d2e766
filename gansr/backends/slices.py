"""A job in slices: short pieces of work, each of which hands its state back, so that what is done is never lost.

Who lends a device for a while (ZeroGPU) is asked for one slice at a time, never for more than the visitor has left.
When a slice is refused or breaks off, the best so far is the result, with a notice. A method that cannot be left asks
for all of its time at once.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass

from gansr.backends.quota import Quota
from gansr.backends.refusals import GpuRefused
from gansr.job import Job
from gansr.method import Frame
from gansr.speeds import Meter, Speeds

SLICE = 25.0  # seconds of computing
SHORTEST = 5.0  # seconds: less is not worth the worker's start
MARGIN = 1.3  # on the estimated seconds
START = 15.0  # seconds for the worker's start and for moving data
STEP = 3.0  # seconds that a slice may go on for, because its last step has begun
LONGEST = 120.0  # seconds, the most that is asked for at once
UNKNOWN = 60.0  # seconds of a job of which nothing is known


@dataclass
class Sliced:
    """Runs jobs by `work`, which computes one slice and raises GpuRefused. factor: seconds that the lender counts for a
    second that is asked for or used."""

    work: Callable[[Job], Generator[Frame, None, None]]
    speeds: Speeds
    quota: Quota
    factor: float = 1.0
    clock: Callable[[], float] = time.monotonic

    def frames(self, job: Job) -> Generator[Frame, None, None]:
        """The frames of a job, as `Engine.stream` gives them in one go. Raises GpuRefused if nothing was computed."""
        best: Frame | None = None
        meter, again = Meter(job), False
        try:
            while True:
                part = self._part(job)
                if part is None:
                    raise GpuRefused("quota")
                last: Frame | None = None
                try:
                    for frame in self._slice(part, meter):
                        if frame.step:
                            best = last = frame
                            again = False
                        if frame.checkpoint is None and (frame.step or job.checkpoint is None):
                            yield frame
                except GpuRefused as error:
                    if error.left is not None:
                        self.quota.tell(job.owner, error.left)
                    if error.kind == "quota" and error.left and not again:
                        again = True  # with what is left, if that is enough
                        continue
                    raise
                if last is None or last.checkpoint is None:
                    return
                job = dataclasses.replace(job, checkpoint=last.checkpoint)
                meter.pause()
                yield dataclasses.replace(last, checkpoint=None)
        except GpuRefused as error:
            if best is None:
                raise
            yield dataclasses.replace(best, checkpoint=None, notices=(*best.notices, best_so_far(error)))
        finally:
            self.speeds.learn(meter)

    def seconds(self, job: Job) -> float:
        """Seconds of GPU that a job will take in all, as the lender counts them, without the worker's starts."""
        return self.factor * self._computing(job)

    def asked(self, job: Job) -> int:
        """Whole seconds to ask for, for one part of a job."""
        computing = min(job.slice, LONGEST) + STEP if job.slice is not None else MARGIN * self._computing(job)
        return math.ceil(min(LONGEST, computing + START))

    def _computing(self, job: Job) -> float:
        expected = self.speeds.seconds(job)
        return max(0.5, UNKNOWN if expected is None else expected - job.computed)

    def _part(self, job: Job) -> Job | None:
        """The next part of a job, as long as the visitor's time allows; None where not even the shortest fits into what
        the lender has told."""
        left = self.quota.left(job.owner) / self.factor
        told = self.quota.is_told(job.owner)
        if job.method.resume is None:
            return None if told and self.asked(job) > left else job
        wanted = min(SLICE, max(SHORTEST, MARGIN * self._computing(job)))
        fits = math.floor(left) - START - STEP
        if fits < SHORTEST:
            if told:
                return None
            fits = SHORTEST  # what is left is an assumption only: the lender decides
        return dataclasses.replace(job, slice=min(wanted, fits))

    def _slice(self, part: Job, meter: Meter) -> Iterator[Frame]:
        """The frames of one part; what it uses is counted."""
        began: float | None = None
        try:
            with closing(self.work(part)) as frames:
                for frame in frames:
                    began = self.clock() if began is None else began
                    if frame.step:
                        meter.add(frame.step, frame.steps, frame.computed)
                    yield frame
        finally:
            if began is not None:
                self.quota.use(part.owner, self.factor * (self.clock() - began))


def best_so_far(error: GpuRefused) -> str:
    """What a result says that a refusal has cut short."""
    return f"stopped before the end; this is the best so far. {error}"
