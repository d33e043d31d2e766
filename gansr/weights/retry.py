"""How long a download may take, and which failures are tried again.

A connection reset, a stall, a body cut short, 429 and 5xx are tried again after a pause that doubles. A refusal
(404, no access) is final at once. An attempt runs on a thread of its own and is given up when no byte has come for a
while, whatever its client is waiting for. Clock, pauses and waits are fields of RetryPolicy, so tests never wait.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

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
    wait: Callable[[threading.Event, float], bool] = threading.Event.wait  # for news, at most so many seconds


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


def watched(work: Callable[[Callable[[], None]], T], policy: RetryPolicy) -> T:
    """The value of `work(moved)` on a thread of its own, where it calls `moved()` whenever something has come.

    Raises its error, and TemporaryFailure where nothing came for `policy.stall` seconds or the deadline passed. Its
    thread then goes on, so it must not write where another attempt does.
    """
    news, ended = threading.Event(), threading.Event()
    outcome: list[Any] = []

    def target() -> None:
        try:
            outcome.append(work(news.set))
        except BaseException as error:  # handed to the caller
            outcome.append(error)
        ended.set()
        news.set()

    threading.Thread(target=target, daemon=True, name="download").start()
    end = policy.clock() + policy.deadline
    while not ended.is_set():
        if not policy.wait(news, min(policy.stall, max(end - policy.clock(), 0.0))):
            late = policy.clock() >= end
            raise TemporaryFailure("the deadline passed" if late else "the server sent nothing for too long")
        news.clear()
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    return outcome[0]
