"""The records of the gallery: what its comparisons measured, as they are shown on the page."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from gansr.gallery import COMPARED, Example, read
from gansr.metrics import METRICS
from gansr.results import records
from gansr.results.records import BICUBIC, Record

DATASET = "gallery"


def records_of() -> list[Record]:
    """The records of every comparison that was computed with a known answer. Raises RecordError."""
    return [record for example in COMPARED for record in _of(example)]


def _of(example: Example) -> Iterator[Record]:
    computed = read(example.name)
    if computed is None:
        return
    table = json.loads(computed["table"]["json"])
    receipts = [row["receipt"] for row in table["methods"] if row["receipt"]]
    for row in table["methods"]:
        one = row["receipt"] or receipts[0]
        if one["request"]["task"] == "known answer":
            yield records.parse(
                _plain(example, row, one, table["problem"]["scale"], computed["made"]["date"])
            )


def _plain(
    example: Example, row: Mapping[str, Any], receipt: Mapping[str, Any], factor: int, date: str
) -> dict[str, Any]:
    """A record as plain data. `receipt`: of the row's result; for bicubic of another result of the same problem."""
    request, bicubic = receipt["request"], row["method"] == BICUBIC
    known = [metric.name for metric in METRICS]
    numbers = {name: value for name, value in row["values"].items() if name in known and _is_finite(value)}
    return {
        "schema": records.SCHEMA,
        "method": row["method"],
        "variant": "" if bicubic else str(request.get("model", "")),
        "version": receipt["gansr"],
        "dataset": DATASET,
        "picture": example.name,
        "degradation": records.degradation_of(factor, request),
        "size": [side * factor for side in receipt["input"]["size"]],
        "metrics": numbers,
        "seconds": 0.0 if bicubic else receipt["seconds"]["computed"],
        "weights": {} if bicubic else receipt["weights"],
        "options": {} if bicubic else request,
        "seed": 0 if bicubic else request["seed"],
        "numerics": {**receipt["numerics"], **({"form": "", "dtype": "float32"} if bicubic else {})},
        "date": date,
        "verification": "re-run",
    }


def _is_finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)
