"""The table of a comparison: the best of each column, ties, missing values."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import replace

from gansr.compare import table
from gansr.compare.plan import Comparison, Entry
from gansr.compare.table import Row
from gansr.problem import PROBLEMS
from gansr.request import decode
from tests.support.comparing import picture
from tests.support.fakes import FAKE

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


def test_how_a_method_solved_the_problem_stands_below_the_table():
    rows = [ROWS[0], replace(ROWS[1], how="its result of 32×32 px enlarged by bicubic to 64×64")]
    assert "A: its result of 32×32 px enlarged by bicubic to 64×64." in table.markdown(rows)


def test_csv_and_json_hold_full_values():
    rows = list(csv.DictReader(io.StringIO(table.comma_separated(ROWS))))
    assert (rows[1]["method"], rows[0]["psnr_y"], rows[0]["seconds"]) == ("A", "30.001", "")
    cannot = Entry(decode(FAKE, {}), state="unsuitable", text="works on faces only")
    comparison = Comparison(PROBLEMS["photo-x4"], picture(), [cannot])
    read = json.loads(table.as_json(comparison, ROWS))
    assert read["methods"][1]["values"]["consistency"] == "inf"
    assert read["methods"][1]["unmeasured"] == {"niqe": "too small"}
    assert read["problem"] == {"name": "photo-x4", "side": 0, "scale": 4}
    assert read["unsuitable"] == {"fake": "works on faces only"}
