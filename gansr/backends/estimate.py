"""What a job will cost, before it is run."""

from __future__ import annotations

from typing import NamedTuple


class Estimate(NamedTuple):
    """Of one job, for its owner."""

    seconds: float | None  # of computing, as they are counted here; None where that is not known
    waiting: int = 0  # jobs that have begun or wait before it
    left: float | None = (
        None  # seconds of the device that the visitor has left today; None where there is no limit
    )
    told: bool = True  # `left` is what the lender said; otherwise it is assumed
