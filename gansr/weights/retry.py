"""How long a download may take, and which failures are tried again.

A connection reset, a stall, a body cut short, 429 and 5xx are tried again after a pause that doubles. A refusal
(404, no access) is final at once. Every number is a field of RetryPolicy, so tests never wait.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from gansr.weights.manifest import Unreachable
from gansr.weights.progress import Progress

T = TypeVar("T")


class TemporaryFailure(Exception):
    """An attempt failed in a way that another attempt may not."""


@dataclass(frozen=True)
class RetryPolicy:
    """The limits of one download."""

    deadline: float = 3600.0  # seconds for one file, all attempts together
    stall: float = 30.0  # seconds without a byte after which an attempt is given up
    tries: int = 4
    pause: float = 1.0  # seconds before the second attempt; doubles
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic


DEFAULT_POLICY = RetryPolicy()


def with_retries(what: str, attempt: Callable[[], T], policy: RetryPolicy, progress: Progress) -> T:
    """The value of `attempt()`, called again after each TemporaryFailure. `what` names the file in messages.

    Raises Unreachable when the tries or the time are used up.
    """
    end = policy.clock() + policy.deadline
    for number in range(1, policy.tries + 1):
        try:
            return attempt()
        except TemporaryFailure as error:
            pause = policy.pause * 2 ** (number - 1)
            if number == policy.tries or policy.clock() + pause >= end:
                tried = "once" if number == 1 else f"{number} times"
                raise Unreachable(f"{what} could not be downloaded: {error} (tried {tried})") from error
            progress(f"{what}: {error}; trying again in {pause:.0f} s", None)
        policy.sleep(pause)
    raise AssertionError("a policy has at least one try")
