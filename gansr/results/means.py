"""Means over pictures, with the 95 % interval."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from scipy import stats

from gansr.results.records import Record


@dataclass(frozen=True)
class Mean:
    """The mean of n values and half of its 95 % interval; the interval is None for a single value."""

    value: float
    interval: float | None
    n: int


@dataclass(frozen=True)
class Series:
    """The results of one method with one set of options, by one version, on the pictures of one dataset."""

    records: tuple[Record, ...]  # by picture; at least one

    @property
    def first(self) -> Record:
        """A record that stands for all: they differ in the picture and the values only."""
        return self.records[0]

    def mean(self, metric: str) -> Mean | None:
        """Of a metric, or of "seconds"; None where no picture has it."""
        values = [value for record in self.records if (value := value_of(record, metric)) is not None]
        return mean_of(values) if values else None


def value_of(record: Record, metric: str) -> float | None:
    """A metric of a record, its "seconds", or "rmse_y": the root of the mean squared error on Y, of 255, which PSNR-Y
    is made of. None where it was not measured."""
    if metric == "seconds":
        return record.seconds
    if metric == "rmse_y":
        psnr = record.metrics.get("psnr_y")
        return None if psnr is None else 255 * 10 ** (-psnr / 20)
    return record.metrics.get(metric)


def series_of(records: Iterable[Record]) -> list[Series]:
    """The records by series, sorted: bicubic, then the methods by name, the newest version first."""
    found: dict[tuple[str, ...], dict[str, Record]] = {}
    for record in records:
        found.setdefault(record.series, {})[record.picture] = record
    made = [
        Series(tuple(pictures[name] for name in sorted(pictures))) for _, pictures in sorted(found.items())
    ]
    made.sort(key=lambda series: series.first.date, reverse=True)
    made.sort(
        key=lambda series: (series.first.method != "bicubic", series.first.method, series.first.variant)
    )
    return made


def mean_of(values: Sequence[float]) -> Mean:
    """Of at least one value."""
    return Mean(statistics.fmean(values), interval(values) if len(values) > 1 else None, len(values))


def interval(values: Sequence[float]) -> float:
    """Half of the 95 % interval of the mean of at least two values, by Student's t."""
    n = len(values)
    return float(stats.t.ppf(0.975, n - 1)) * statistics.stdev(values) / n**0.5
