"""Progress of a download or a conversion, reported through a function."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

PACE = 0.25  # seconds between two looks at a thread's reports
Progress = Callable[[str, "float | None"], None]  # (what is happening, share done 0…1 or None)


def silent(text: str, share: float | None) -> None:
    """A progress function that shows nothing."""


def megabytes(count: float) -> str:
    """A number of bytes → "12.3 MB" (millions of bytes)."""
    return f"{count / 1e6:.1f} MB"


class Fetching(NamedTuple):
    """Weights on their way: what is fetched, and the share that is here (0..1) where it is known."""

    text: str
    share: float | None


def in_thread(work: Callable[[Progress], Any]) -> Iterator[Fetching]:
    """Run `work(progress)` in a thread and yield its last report, four times a second; its error is raised here."""
    reports: list[Fetching] = [Fetching("looking for the weights", None)]
    failed: list[BaseException] = []

    def target() -> None:
        try:
            work(lambda text, share=None: reports.append(Fetching(text, share)))
        except BaseException as error:  # handed to the receiver
            failed.append(error)

    thread = threading.Thread(target=target, daemon=True)
    thread.start()
    while thread.is_alive():
        yield reports[-1]
        thread.join(PACE)
    if failed:
        raise failed[0]
