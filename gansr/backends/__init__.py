"""Where jobs run, behind one protocol: `frames(job)`.

`local` runs them in this process, `zerogpu` on the GPU that a ZeroGPU Space lends for a while, and `ray`, where
GANSR_BACKEND=ray, on the workers of a cluster. `chosen` is the one of this machine. Import this module before torch: on
ZeroGPU, `spaces` must be imported first.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from gansr.backends.estimate import Estimate
    from gansr.engine import Engine
    from gansr.job import Job
    from gansr.method import Frame

ZERO_GPU = bool(os.environ.get("SPACES_ZERO_GPU"))
if ZERO_GPU:
    import_module("gansr.backends.zerogpu")  # it imports spaces, before anything imports torch


class Backend(Protocol):
    """Runs jobs. What crosses it is plain CPU data: jobs and frames can be pickled."""

    measures: bool  # whether it measures a result where it computes it, see `Job.wanted`

    def frames(self, job: Job) -> Iterator[Frame]:
        """The frames of a job, as `Engine.stream` gives them. Closing the iterator stops the job at its next step."""
        ...

    def device(self) -> str:
        """The device in words, for the page's header."""
        ...

    def start(self) -> None:
        """What is worth doing before the first job: loading, compiling. Raises nothing."""
        ...

    def estimate(self, job: Job, token: str = "") -> Estimate:
        """What the job will cost its owner, whose token of the Hub may be known. Computes nothing."""
        ...

    def unavailable(self, method: str) -> str:
        """Why the method of this name cannot run with its usual settings now; empty where it can, or was not tried."""
        ...


def chosen() -> tuple[Backend, Engine]:
    """The backend of this machine, and the engine that measures results, in this process."""
    from gansr.engine import Engine

    if ZERO_GPU:
        from gansr.backends.zerogpu import ZeroGpu

        return ZeroGpu(), Engine("cpu")
    engine = Engine()
    if os.environ.get("GANSR_BACKEND") == "ray":
        from gansr.backends.ray.backend import Ray

        return Ray(engine), engine
    from gansr.backends.local import Local

    return Local(engine), engine
