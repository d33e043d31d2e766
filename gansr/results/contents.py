"""What the results page shows, as plain data for JSON: the page and the static site give it to the same script.

Means have four significant digits and the values of single pictures too, so that the first page stays light; the
downloads of the table have all digits.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from gansr.results import plane
from gansr.results.means import value_of
from gansr.results.protocol import MEASURED, protocol
from gansr.results.records import Record
from gansr.results.tables import FORMATS, Column, Row, Table, table, unit_of, written

AXES = (*plane.DISTORTION, *plane.PERCEPTION)


def contents(records: Iterable[Record]) -> dict[str, Any]:
    """{"problems": […], "x": …, "y": …, "higher": …}. A problem is a dataset with its factor; none without records."""
    found = list(records)
    problems = [
        _problem(title, rows)
        for dataset in sorted({record.dataset for record in found}, key=lambda name: (len(name), name))
        for title, rows in _by_problem(table(dataset, found)).items()
    ]
    return {
        "problems": problems,
        "x": [[name, plane.AXES[name]] for name in plane.DISTORTION],
        "y": [[name, plane.AXES[name]] for name in plane.PERCEPTION],
        "higher": list(plane.HIGHER),
    }


def _by_problem(made: Table) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in made.rows:
        found.setdefault(row.dataset, []).append(row)
    return found


def _problem(title: str, rows: Sequence[Row]) -> dict[str, Any]:
    shown = Table(title, title, tuple(rows))
    names = sorted({record.picture for row in rows if row.series for record in row.series.records})
    first = next(row.series.first for row in rows if row.series)
    return {
        "title": title,
        "dataset": first.dataset,
        "pictures": names,
        "columns": [[column.title, unit_of(column)] for column in shown.columns],
        "rows": [_row(row, shown.columns, names) for row in rows],
        "fronts": _fronts(title, rows),
        "measured": [[column.title, MEASURED[column.name]] for column in shown.columns],
        "texts": {name: write(shown) for name, write in FORMATS.items()},
    }


def _row(row: Row, columns: Sequence[Column], names: Sequence[str]) -> dict[str, Any]:
    assert row.series is not None  # rows of a dataset are made of records
    first = row.series.first
    consistency, seconds = row.mean("consistency"), row.mean("seconds")
    found: dict[str, Any] = {
        "title": row.title,
        "method": first.method,
        "variant": first.variant,
        "n": len(row.series.records),
        "cells": [written(row, column) for column in columns],
        "axes": {name: _mean(row, name) for name in AXES},
        "consistency": None if consistency is None else _short(consistency.value),
        "seconds": 0 if seconds is None else _short(seconds.value),
        "each": {name: _each(row, name, names) for name in AXES},
        "protocol": protocol(row.series),
    }
    told = row.published
    return found | ({"published": [told.source, told.protocol]} if told is not None else {})


def _mean(row: Row, name: str) -> list[float] | None:
    """[mean, half of the interval]; 0 for the interval of a single picture."""
    mean = row.mean(name)
    return None if mean is None else [_short(mean.value), _short(mean.interval or 0.0)]


def _each(row: Row, name: str, names: Sequence[str]) -> list[float | None]:
    """The value of each picture, None where there is none."""
    assert row.series is not None
    values = {record.picture: value_of(record, name) for record in row.series.records}
    return [None if (value := values.get(picture)) is None else _short(value) for picture in names]


def _fronts(title: str, rows: Sequence[Row]) -> dict[str, list[str]]:
    """ "x y" → the titles of the rows on the Pareto front, by x."""
    found: dict[str, list[str]] = {}
    for x in plane.DISTORTION:
        for y in plane.PERCEPTION:
            if (made := plane.of_rows(title, rows, x, y)) is not None:
                on_front = sorted((p for p in made.points if p.on_front), key=lambda p: p.x.value)
                found[f"{x} {y}"] = [point.name for point in on_front]
    return found


def _short(value: float) -> float:
    return float(f"{value:.4g}")
