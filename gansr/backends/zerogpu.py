"""Jobs on a ZeroGPU Space.

A decorated generator runs in a forked worker that has the GPU for a while: its arguments and what it yields are
pickled, so both are plain CPU data (a job pickles with its method by name). The networks are put on cuda beforehand, in
the main process. `spaces` must be imported before torch.
"""

# ruff: noqa: I001 — spaces first

from __future__ import annotations

import spaces  # pyright: ignore[reportMissingImports]  # only on ZeroGPU Spaces

from collections.abc import Iterator

from gansr import papers
from gansr.engine import Engine
from gansr.job import Job
from gansr.method import Frame

GPU_RATE = 5e12  # operations a second that the shared GPU surely reaches on these networks
WORKER_LIMIT = 120  # seconds, the longest that a job may ask for
START = 15  # seconds for moving data and the worker's start

ENGINE = Engine("cuda")


def duration(job: Job) -> int:
    """Seconds of GPU to ask for."""
    return min(WORKER_LIMIT, START + int(job.cost.operations / GPU_RATE))


@spaces.GPU(duration=duration)  # pyright: ignore[reportUntypedFunctionDecorator]
def stream(job: Job) -> Iterator[Frame]:
    """`Engine.stream` in the worker."""
    yield from ENGINE.stream(job)


class ZeroGpu:
    """Runs jobs in ZeroGPU's workers."""

    def frames(self, job: Job) -> Iterator[Frame]:
        """The frames of a job, from the worker."""
        return stream(job)

    def device(self) -> str:
        """The lent GPU in words."""
        return ENGINE.describe()

    def start(self) -> None:
        """Put the default networks onto the device, before the first visitor."""
        for method in papers.METHODS:
            for names in method.weights.values():
                ENGINE.net(names[0])
