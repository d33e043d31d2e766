"""How long a download is waited for, and what is tried again.

A reset, a stall, a short body, 429 and 5xx are tried again after a pause that doubles; a refusal (404, no
access) is final at once. Everything is a parameter, so that the tests wait for nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from gansr.weights.manifest import WeightsError

T = TypeVar("T")
Progress = Callable[[str, "float | None"], None]  # (what is happening, share 0..1 or None)


class Temporary(Exception):
    """An attempt failed in a way that another may not."""


@dataclass(frozen=True)
class Patience:
    deadline: float = 3600.0  # seconds for one file, all attempts together
    stall: float = 30.0  # seconds without a byte after which an attempt is given up
    tries: int = 4
    pause: float = 1.0  # seconds before the second attempt; doubles
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic


def insist(what: str, attempt: Callable[[], T], patience: Patience, told: Progress) -> T:
    """`attempt()`, again after each Temporary. Raises WeightsError when the tries or the time are used up."""
    end = patience.clock() + patience.deadline
    for turn in range(1, patience.tries + 1):
        try:
            return attempt()
        except Temporary as error:
            pause = patience.pause * 2 ** (turn - 1)
            if turn == patience.tries or patience.clock() + pause >= end:
                tried = "once" if turn == 1 else f"{turn} times"
                raise WeightsError(f"{what} could not be downloaded: {error} (tried {tried})") from error
            told(f"{what}: {error}; trying again in {pause:.0f} s", None)
        patience.sleep(pause)
    raise AssertionError("at least one try is made")


def megabytes(count: float) -> str:
    return f"{count / 1e6:.1f} MB"
