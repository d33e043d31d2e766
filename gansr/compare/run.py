"""Run the entries of a comparison one after the other, cheap ones first.

A failure stays in its own entry. The expensive metrics of every result are measured once all results are there.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Generator, Iterator, Sequence

from gansr import metrics
from gansr.compare.plan import Entry
from gansr.pipeline import USER_ERRORS, Pipeline, Update

Updates = Generator[Update, None, None]


def run(entries: Sequence[Entry], pipeline: Pipeline, owner: str = "") -> Iterator[Entry]:
    """Run every entry that is not blocked, as jobs of `owner`; yields an entry whenever something in it is new, and
    about four times a second while it waits for the device.

    Closing the iterator stops the running method at its next step. Raises nothing of a method's own.
    """
    cheap = len(list(itertools.takewhile(lambda metric: not metric.weights, metrics.METRICS)))
    begun: list[tuple[Entry, Updates]] = []
    try:
        for entry in sorted(
            (one for one in entries if one.state != "blocked"), key=lambda one: one.operations
        ):
            updates = pipeline.run(entry.picture, entry.request, entry.truth, owner=owner)
            begun.append((entry, updates))
            yield from _advance(
                entry, updates, lambda update: update.finished and len(update.measured) >= cheap
            )
        for entry, updates in begun:
            if entry.state == "done":
                yield from _advance(entry, updates, lambda update: False)
    finally:
        for _, updates in begun:
            updates.close()


def _advance(entry: Entry, updates: Updates, enough: Callable[[Update], bool]) -> Iterator[Entry]:
    measured = 0
    try:
        for update in updates:
            _take(entry, update)
            yield entry
            fresh, measured = len(update.measured) > measured, len(update.measured)
            if fresh and enough(update):  # at any other update it may stand in the line before the device
                return
    except USER_ERRORS as error:
        entry.state, entry.text = "error", str(error)
        yield entry
    except Exception as error:
        logging.getLogger(__name__).exception("%s broke down", entry.method.name)
        entry.state, entry.text = "error", f"Internal error ({type(error).__name__}); the others continue"
        yield entry


def _take(entry: Entry, update: Update) -> None:
    if update.frame is None:
        entry.state, entry.text = "running", update.text
        return
    entry.update, entry.given = update, update.given
    frame = update.frame
    entry.state = "done" if update.finished else "running"
    if update.finished:
        height, width = frame.image.shape[-2:]
        before = "" if entry.given is None else "{1}×{0} → ".format(*entry.given.low.shape[-2:])
        entry.text = f"{before}{width}×{height} · {frame.computed:.1f} s"
    elif frame.step == 0:
        entry.text = "waiting for the device" if frame.waited > 0.5 else "starting"
    else:
        entry.text = f"step {frame.step} of {frame.steps} · {frame.computed:.1f} s"
