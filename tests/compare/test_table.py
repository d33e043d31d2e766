"""The table of a comparison: the best of each column, ties, missing values."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import replace

from gansr.compare import table
from gansr.compare.table import Row

ROWS = [
    Row("bicubic", "Bicubic", {"consistency": 40.0, "lpips_alex": 0.5, "psnr_y": 30.001}),
    Row(
        "a",
        "A",
        {"consistency": math.inf, "lpips_alex": 0.25, "psnr_y": 30.002, "seconds": 1.0},
        {"niqe": "too small"},
    ),
]


def test_the_best_of_each_column_is_bold_in_markdown_and_ties_are_shared():
    lines = table.markdown(ROWS).splitlines()
    assert lines[0].count("|") == lines[1].count("|") == lines[2].count("|")
    assert "LR-consistency (dB) ↑" in lines[0]
    assert "| Bicubic | 40.00 | **30.00** |" in lines[2]
    assert "| A | **∞** | **30.00** |" in lines[3]
    assert table.unmeasured(ROWS) == {"NIQE": "too small"}


def test_results_of_different_sizes_are_not_ranked_where_that_would_mislead():
    rows = [replace(row, size=(64 * factor, 64)) for factor, row in enumerate(ROWS, 1)]
    text = table.markdown(rows)
    assert "**∞**" in text  # agreement with the input is the same measure at every size
    assert "**30.00**" not in text
    assert table.SIZES_DIFFER in text


def test_csv_and_json_hold_full_values():
    rows = list(csv.DictReader(io.StringIO(table.comma_separated(ROWS))))
    assert (rows[1]["method"], rows[0]["psnr_y"], rows[0]["seconds"]) == ("A", "30.001", "")
    read = json.loads(table.as_json(ROWS))
    assert read[1]["values"]["consistency"] == "inf"
    assert read[1]["unmeasured"] == {"niqe": "too small"}
