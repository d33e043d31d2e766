"""The comparison's table: sorted by a click on a heading, copied as Markdown or CSV, downloaded as JSON.

`gansr.compare.table` formats the numbers, for the page and the command line; the script only sorts and copies them.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import gradio as gr

from gansr.compare import table
from gansr.compare.plan import Comparison
from gansr.metric import ARROWS
from gansr.ui.component import component

HERE = Path(__file__).parent


def contents(comparison: Comparison | None = None, note: str = "") -> dict[str, Any]:
    """The value of the component. `note` is shown below the table, for example while metrics are being computed."""
    found = table.rows(comparison) if comparison is not None else []
    if comparison is None or not found:
        return {"columns": [], "rows": [], "missing": {}, "note": note}
    shown = table.columns(found)
    winners = {column.name: table.best(found, column) for column in shown}
    heads = [
        {"title": c.title, "unit": c.unit, "arrow": ARROWS[c.better], "better": c.better, "explain": c.explain}
        for c in shown
    ]  # fmt: skip
    rows = [
        {
            "title": row.title,
            "how": row.how,
            "texts": [table.written(row, c) for c in shown],
            "values": [_plain(row.values.get(c.name)) for c in shown],
            "best": [row.name in winners[c.name] for c in shown],
            "reasons": [row.reasons.get(c.name, "") for c in shown],
        }
        for row in found
    ]
    texts = {
        "markdown": table.markdown(found),
        "csv": table.comma_separated(found),
        "json": table.as_json(comparison, found),
    }
    return {"columns": heads, "rows": rows, "missing": table.unmeasured(found), "note": note, **texts}


def _plain(value: float | None) -> float | None:
    """A value to sort by, in JSON: NaN becomes None, infinity a large number."""
    return None if value is None or math.isnan(value) else max(-1e300, min(1e300, value))


def metrics_table(value: dict[str, Any] | None = None, *, elem_id: str) -> gr.HTML:
    """The component: a sortable table whose value comes from `contents`."""
    return component(value or contents(), HERE / "table", ("table.js",), elem_id)
