"""The comparison as a table: Markdown, CSV, JSON."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from gansr import receipt
from gansr.compare.plan import Entry, largest
from gansr.metrics import METRICS

ARROWS = {"higher": "↑", "lower": "↓", "": ""}


@dataclass(frozen=True)
class Column:
    name: str
    title: str
    unit: str
    better: Literal["higher", "lower", ""]
    explain: str
    digits: int
    sized: bool = False  # means something else at another size of the result


@dataclass(frozen=True)
class Row:
    name: str
    title: str
    values: Mapping[str, float]
    reasons: Mapping[str, str] = field(default_factory=dict)  # why a value is missing
    receipt: Mapping[str, Any] | None = None
    size: tuple[int, int] | None = None  # width, height of the result, px


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
    *(Column(m.name, m.title, m.unit, m.better, m.explain, m.digits, m.against != "input") for m in METRICS),
    *OWN,
)
SIZES_DIFFER = "The results were measured at different sizes. Compare only columns with a bold value."


def rows(entries: Sequence[Entry], receipts: bool = True) -> list[Row]:
    """A row for each entry that has a result, with its receipt; before them bicubic, as the entry with the largest
    result has measured it."""
    done = [entry for entry in entries if entry.state == "done" and entry.frame is not None]
    reference = largest(done)
    found: list[Row] = []
    if reference is not None and reference.update is not None and reference.update.baseline:
        baseline = dict(reference.update.baseline)
        found.append(Row("bicubic", f"Bicubic ×{reference.request.scale}", baseline, size=_size(reference)))
    return found + [_row(entry, receipts) for entry in done]


def _row(entry: Entry, receipts: bool) -> Row:
    assert entry.update is not None and entry.frame is not None and entry.given is not None
    values = {r.metric.name: r.value for r in entry.update.measured if r.value is not None}
    reasons = {r.metric.name: r.reason for r in entry.update.measured if r.value is None}
    height, width = entry.given.low.shape[-2:]
    estimate = entry.method.cost(height, width, entry.request.options).memory
    measured = entry.frame.memory
    memory = {"estimated_memory": estimate / 1e6} if measured is None else {"memory": measured / 1e6}
    written = receipt.write(entry.request, entry.given, entry.frame) if receipts else None
    own = {"seconds": entry.frame.computed} | memory
    title = f"{entry.method.title} ×{entry.request.scale}"
    return Row(entry.method.name, title, values | own, reasons, written, _size(entry))


def _size(entry: Entry) -> tuple[int, int]:
    assert entry.frame is not None
    height, width = entry.frame.image.shape[-2:]
    return width, height


def sizes_differ(found: Sequence[Row]) -> bool:
    return len({row.size for row in found}) > 1


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
    """The names of the rows that share the best value, as it is written; empty for fewer than two rows, and where
    their sizes make the values another measure."""
    if column.sized and sizes_differ(found):
        return set()
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
    return "\n".join(lines + (["", SIZES_DIFFER] if sizes_differ(found) else [])) + "\n"


def comma_separated(found: Sequence[Row]) -> str:
    """CSV with full precision; missing values are empty."""
    shown, out = columns(found), io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["method", *(column.name for column in shown)])
    for row in found:
        writer.writerow([row.title, *(row.values.get(column.name, "") for column in shown)])
    return out.getvalue()


def as_json(found: Sequence[Row]) -> str:
    """Values, reasons and receipts; infinity is the text "inf"."""

    def plain(value: float) -> float | str:
        return value if math.isfinite(value) else str(value)

    listed = [
        {"method": row.name, "title": row.title, "values": {k: plain(v) for k, v in row.values.items()},
         "unmeasured": dict(row.reasons), "receipt": row.receipt}
        for row in found
    ]  # fmt: skip
    return json.dumps(listed, indent=1, ensure_ascii=False)


def brief(row: Row) -> str:
    """The metrics for a caption: LR-consistency, and those of PSNR-Y, LPIPS, NIQE that were measured."""
    wanted = ("consistency", "psnr_y", "lpips_alex", "niqe")
    shown = [c for c in COLUMNS if c.name in wanted and c.name in row.values]
    return " · ".join(f"{c.title} {written(row, c)} {c.unit}".strip() for c in shown)
