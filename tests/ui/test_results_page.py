"""The tab Results, as it is built."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from gansr.results import records
from gansr.ui.results_page import FOLDER, recorded, results_page
from tests.support.results_data import written


def test_the_records_of_the_folder_are_read(tmp_path: Path):
    assert [one["title"] for one in recorded(written(tmp_path))["problems"]] == ["Set5 ×4"]


def test_without_records_there_is_no_problem(tmp_path: Path):
    assert recorded(tmp_path / "none")["problems"] == []


def test_damaged_records_are_left_out_and_the_log_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    (tmp_path / "Set5.jsonl").write_text("{}\n")
    with caplog.at_level(logging.WARNING):
        assert recorded(tmp_path)["problems"] == []
    assert "Set5.jsonl, line 1: a record lacks" in caplog.text


def test_the_component_has_the_value_and_no_handler_in_its_html(tmp_path: Path):
    made = results_page(recorded(written(tmp_path)))
    assert made.value["problems"][0]["dataset"] == "Set5"
    assert "onclick" not in str(made.html_template) and "http" not in str(made.html_template)


def test_the_committed_records_are_valid_and_light_on_the_page():
    """At most 150 kB of JSON are added to the first page, before compression."""
    found = records.read_folder(FOLDER)
    assert found
    assert len(json.dumps(recorded(), ensure_ascii=False)) < 150_000
