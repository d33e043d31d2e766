"""python -m gansr results …"""

from __future__ import annotations

from pathlib import Path

import pytest

from gansr.__main__ import main
from gansr.results import records
from tests.support.results_data import record, small_set, written


def test_merge_and_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    records.write(tmp_path / "run.jsonl", small_set())
    folder = str(tmp_path / "results")
    assert main(["results", "merge", str(tmp_path / "run.jsonl"), "-o", folder]) == 0
    assert capsys.readouterr().out == "6 added, 0 were there; 6 in all\n"
    assert main(["results", "check", "--from", folder]) == 0
    assert capsys.readouterr().out == "6 records, all of them valid\n"


def test_a_conflict_is_told_and_the_status_is_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    records.write(tmp_path / "run.jsonl", [record(), record(metrics={"psnr_y": 1.0})])
    assert main(["results", "merge", str(tmp_path / "run.jsonl"), "-o", str(tmp_path)]) == 1
    assert "psnr_y 29.0 and 1.0" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("form", "start"), [("md", "**SRGAN, table 2"), ("csv", "method,pictures,"), ("tex", r"\begin{tabular}")]
)
def test_a_table_in_each_form(tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str, start: str):
    assert main(["results", "table", "srgan", "--format", form, "--from", str(written(tmp_path))]) == 0
    assert capsys.readouterr().out.startswith(start)


def test_an_unknown_table_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["results", "table", "Set6", "--from", str(written(tmp_path))]) == 1
    assert "there is no table 'Set6'" in capsys.readouterr().err


def test_a_plane_and_a_site_are_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    folder, out = str(written(tmp_path)), tmp_path / "plane.svg"
    assert main(["results", "plane", "--from", folder, "--per-picture", "-o", str(out)]) == 0
    assert capsys.readouterr().out == f"{out}: 3 dots\n" and out.read_text().startswith("<svg")
    assert main(["results", "plane", "--from", folder, "--scale", "2", "-o", str(out)]) == 1
    assert "there are no records of Set5 ×2" in capsys.readouterr().err
    assert main(["results", "site", "--from", folder, "-o", str(tmp_path / "site")]) == 0
    assert "index.html" in capsys.readouterr().out
