"""The comparison as a table: Markdown, CSV, JSON."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from gansr import receipt
from gansr.compare.plan import Comparison, Entry
from gansr.engine import MetricResult
from gansr.metric import ARROWS
from gansr.metrics import METRICS
from gansr.problem import name_of


@dataclass(frozen=True)
class Column:
    name: str
    title: str
    unit: str
    better: Literal["higher", "lower", ""]
    explain: str
    digits: int


@dataclass(frozen=True)
class Row:
    name: str
    title: str
    values: Mapping[str, float]
    reasons: Mapping[str, str] = field(default_factory=dict)  # why a value is missing
    how: str = ""  # how the method solved the problem where it does not so by itself
    receipt: Mapping[str, Any] | None = None


OWN = (
    Column("seconds", "Time", "s", "lower", "Seconds of computing here, without waiting.", 2),
    Column(
        "memory",
        "Peak memory",
        "MB",
        "",
        "Peak memory of the whole process during the run, with everything loaded before; on a GPU, of the device.",
        0,
    ),
    Column(
        "estimated_memory",
        "Memory (estimate)",
        "MB",
        "lower",
        "Estimated peak memory, from the sizes; this system does not report it.",
        0,
    ),
)
COLUMNS = (
    *(Column(m.name, m.title, m.unit, m.better, m.explain, m.digits) for m in METRICS),
    *OWN,
)


def rows(comparison: Comparison, receipts: bool = True) -> list[Row]:
    """A row for each entry that has a result, with its receipt; before them the bicubic enlargement."""
    found: list[Row] = []
    if comparison.baseline:
        found.append(_row("bicubic", f"Bicubic ×{comparison.problem.scale}", comparison.baseline))
    return found + [_entry_row(entry, receipts) for entry in comparison if entry.state == "done"]


def _row(name: str, title: str, measured: Sequence[MetricResult], **more: Any) -> Row:
    values = {result.metric.name: result.value for result in measured if result.value is not None}
    reasons = {result.metric.name: result.reason for result in measured if result.value is None}
    return Row(name, title, values | more.pop("own", {}), reasons, **more)


def _entry_row(entry: Entry, receipts: bool) -> Row:
    assert entry.frame is not None and entry.given is not None
    height, width = entry.given.for_method.shape[-2:]
    estimate = entry.method.cost(height, width, entry.request.options).memory
    peak = entry.frame.memory
    memory = {"estimated_memory": estimate / 1e6} if peak is None else {"memory": peak / 1e6}
    written = receipt.write(entry.request, entry.given, entry.frame) if receipts else None
    own = {"seconds": entry.frame.computed} | memory
    return _row(entry.name, entry.title, entry.measured, own=own, how=entry.how, receipt=written)


def columns(found: Sequence[Row]) -> list[Column]:
    """Those columns in which something was measured."""
    return [column for column in COLUMNS if any(column.name in row.values for row in found)]


def unmeasured(found: Sequence[Row]) -> dict[str, str]:
    """Titles of the metrics that no row has → the reason."""
    shown = {column.name for column in columns(found)}
    reasons = {name: why for row in found for name, why in row.reasons.items() if name not in shown}
    titles: dict[str, list[str]] = {}
    for column in COLUMNS:
        if column.name in reasons:
            titles.setdefault(reasons[column.name], []).append(column.title)
    return {", ".join(names): why for why, names in titles.items()}


def best(found: Sequence[Row], column: Column) -> set[str]:
    """The names of the rows that share the best value, as it is written; empty for fewer than two rows."""
    texts = {row.name: written(row, column) for row in found if column.name in row.values}
    if len(texts) < 2 or not column.better:
        return set()
    pick = max if column.better == "higher" else min
    top = pick(row.values[column.name] for row in found if column.name in row.values)
    winner = next(row for row in found if row.values.get(column.name) == top)
    return {name for name, text in texts.items() if text == texts[winner.name]}


def written(row: Row, column: Column) -> str:
    value = row.values.get(column.name)
    if value is None:
        return "–"
    return "∞" if math.isinf(value) else f"{value:.{column.digits}f}"


def heading(column: Column) -> str:
    unit = f" ({column.unit})" if column.unit else ""
    return f"{column.title}{unit} {ARROWS[column.better]}".strip()


def markdown(found: Sequence[Row]) -> str:
    """A Markdown table, the best in bold."""
    shown = columns(found)
    lines = ["| Method | " + " | ".join(map(heading, shown)) + " |", "|---|" + "---:|" * len(shown)]
    winners = {column.name: best(found, column) for column in shown}
    for row in found:
        cells = [f"**{written(row, c)}**" if row.name in winners[c.name] else written(row, c) for c in shown]
        lines.append(f"| {row.title} | " + " | ".join(cells) + " |")
    notes = [f"{row.title}: {row.how}." for row in found if row.how]
    return "\n".join(lines + ([""] if notes else []) + notes) + "\n"


def comma_separated(found: Sequence[Row]) -> str:
    """CSV with full precision; missing values are empty."""
    shown, out = columns(found), io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["method", *(column.name for column in shown)])
    for row in found:
        writer.writerow([row.title, *(row.values.get(column.name, "") for column in shown)])
    return out.getvalue()


def as_json(comparison: Comparison, found: Sequence[Row]) -> str:
    """The problem; of each row its values, reasons and receipt. Infinity is the text "inf"."""

    def plain(value: float) -> float | str:
        return value if math.isfinite(value) else str(value)

    listed = [
        {"method": row.name, "title": row.title, "values": {k: plain(v) for k, v in row.values.items()},
         "unmeasured": dict(row.reasons), "how": row.how, "receipt": row.receipt}
        for row in found
    ]  # fmt: skip
    unsuitable = {entry.name: entry.text for entry in comparison if entry.state == "unsuitable"}
    problem = {"name": name_of(comparison.problem), **asdict(comparison.problem)}
    document = {"problem": problem, "methods": listed, "unsuitable": unsuitable}
    return json.dumps(document, indent=1, ensure_ascii=False)


def brief(row: Row) -> str:
    """The metrics for a caption: LR-consistency, and those of PSNR-Y, LPIPS, NIQE that were measured."""
    wanted = ("consistency", "psnr_y", "lpips_alex", "niqe")
    shown = [c for c in COLUMNS if c.name in wanted and c.name in row.values]
    return " · ".join(f"{c.title} {written(row, c)} {c.unit}".strip() for c in shown)
