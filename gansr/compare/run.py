"""Run the entries of a comparison one after the other, cheap ones first, and measure them.

A failure stays in its own entry. The metrics without a network are measured after each result; those with one, when all
results are there: each metric on all results, which share the part of it that depends on the truth alone.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from torch import Tensor

from gansr import metrics
from gansr.compare.plan import Comparison, Entry
from gansr.engine import MetricResult
from gansr.metric import Metric
from gansr.pipeline import EXPENSIVE_PIXELS, USER_ERRORS, Pipeline, Update
from gansr.progress import progress_text


def run(comparison: Comparison, pipeline: Pipeline, owner: str = "") -> Iterator[Entry | None]:
    """Run every entry that can run, as jobs of `owner`. Yields an entry whenever something in it is new, and None while
    it waits or when the bicubic enlargement was measured, about four times a second.

    Closing the iterator stops the running method at its next step. Raises nothing of a method's own.
    """
    runs = sorted((entry for entry in comparison if entry.runs), key=lambda entry: entry.operations)
    given = comparison.given
    if not runs or given is None:
        return
    wanted = [m for m in metrics.METRICS if given.aligned or not m.faces]
    cheap, expensive = [m for m in wanted if not m.weights], [m for m in wanted if m.weights]
    comparison.measurements = (0, (len(runs) + 1) * len(wanted))
    measure = _Measure(comparison, pipeline, owner)
    for metric in cheap:
        yield from measure(metric, None)
    for entry in runs:
        yield from _computed(entry, comparison, pipeline, owner)
        if entry.state == "done":
            for metric in cheap:
                yield from measure(metric, entry)
    done = [entry for entry in runs if entry.state == "done"]
    comparison.measurements = (comparison.measurements[0], (len(done) + 1) * len(wanted))
    for _ in pipeline.fetch_metrics(expensive):
        yield None
    for metric in expensive:
        for entry in (None, *done):
            yield from measure(metric, entry)


def _computed(entry: Entry, comparison: Comparison, pipeline: Pipeline, owner: str) -> Iterator[Entry]:
    try:
        for update in pipeline.run(comparison.picture, entry.request, owner=owner, measure=False):
            _take(entry, update)
            yield entry
    except USER_ERRORS as error:
        entry.state, entry.text = "error", str(error)
        yield entry
    except Exception as error:
        logging.getLogger(__name__).exception("%s broke down", entry.name)
        entry.state, entry.text = "error", f"Internal error ({type(error).__name__}); the others continue"
        yield entry


def _take(entry: Entry, update: Update) -> None:
    if update.frame is None:
        entry.state, entry.text = "running", update.text
        return
    entry.frame, entry.given, entry.native, frame = update.frame, update.given, update.native, update.frame
    if update.finished:
        height, width = frame.image.shape[-2:]
        entry.state, entry.text = "done", f"{width}×{height} px · {frame.computed:.1f} s"
    else:
        entry.state = "running" if frame.ahead is None else "waiting"
        entry.text = progress_text(frame)


class _Measure:
    """Measures one metric of one result, or of the bicubic enlargement, and keeps the value in its place."""

    def __init__(self, comparison: Comparison, pipeline: Pipeline, owner: str) -> None:
        self.comparison, self.pipeline, self.owner = comparison, pipeline, owner
        self.prepared: dict[str, Any] = {}  # of the truth, by metric

    def __call__(self, metric: Metric, entry: Entry | None) -> Iterator[Entry | None]:
        comparison = self.comparison
        image = comparison.bicubic if entry is None else entry.frame and entry.frame.image
        assert image is not None
        departs = entry.request.departs if entry is not None else ""
        for found in self._values(metric, image, departs):
            if found is None:
                yield None
            elif entry is None:
                comparison.baseline = (*comparison.baseline, found)
            else:
                entry.measured = (*entry.measured, found)
        there, of = comparison.measurements
        comparison.measurements = (there + 1, of)
        yield entry

    def _values(self, metric: Metric, image: Tensor, departs: str) -> Iterator[MetricResult | None]:
        """departs: why the result is not to agree with the input, as `Request.departs`."""
        given = self.comparison.given
        assert given is not None
        if metric.against == "input" and departs:
            yield MetricResult(metric, None, departs)
            return
        if metric.weights and image.shape[-2] * image.shape[-1] > EXPENSIVE_PIXELS:
            limit = f"{EXPENSIVE_PIXELS / 1e6:.1f} megapixels"
            yield MetricResult(metric, None, f"the pictures have more than {limit}, which would take minutes")
            return
        yield from self.pipeline.engine.measuring(
            image,
            given.low,
            given.shrink,
            given.truth,
            metric,
            self.owner,
            self.prepared,
            self.comparison.entries[0].request.precision,
        )
