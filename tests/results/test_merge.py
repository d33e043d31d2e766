"""Merging: duplicates are dropped, conflicts are refused, verification stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from gansr.results import merge, records
from gansr.results.records import RecordError
from tests.support.results_data import plain, record, small_set


def test_what_differs_in_seconds_and_date_alone_is_a_duplicate_and_the_first_is_kept():
    first, again = record(), record(seconds=9.0, date="2026-12-01")
    made = merge.merged([first], [again, again])
    assert (made.records, made.added, made.duplicates) == ((first,), 0, 2)


def test_another_value_is_a_conflict_that_names_it():
    other = record(metrics=plain()["metrics"] | {"psnr_y": 29.5})
    with pytest.raises(RecordError) as raised:
        merge.merged([record()], [other])
    assert "srgan srgan on Set5 001, version 0.2.0+1a2b3c4" in str(raised.value)
    assert "psnr_y 29.0 and 29.5" in str(raised.value)


def test_a_conflict_inside_of_one_file_is_found():
    with pytest.raises(RecordError, match=r"size \(512, 512\) and \(512, 256\)"):
        merge.check([record(), record(size=[512, 256])])


@pytest.mark.parametrize(
    "changed",
    [
        {"version": "0.3.0"},
        {"picture": "002"},
        {"verification": "reported"},
        {"numerics": plain()["numerics"] | {"device": "NVIDIA H100"}},
        {"options": plain()["options"] | {"blend": 0.7}},
        {"seed": 1, "options": plain()["options"] | {"seed": 1}},
        {"degradation": plain()["degradation"] | {"noise": 5.0}},
    ],
)
def test_results_of_other_settings_stand_beside_each_other(changed):
    other = record(**changed, metrics={"psnr_y": 1.0})
    made = merge.merged([record()], [other])
    assert made.added == 1
    assert set(map(id, made.records)) == {id(made.records[0]), id(made.records[1])}
    assert other in made.records


def test_reported_stays_reported(tmp_path: Path):
    records.write(tmp_path / "theirs.jsonl", [record(verification="reported")])
    made = merge.into(tmp_path / "results", [tmp_path / "theirs.jsonl"])
    assert made.records[0].verification == "reported"
    assert records.read(tmp_path / "results" / "Set5.jsonl")[0].verification == "reported"


def test_each_dataset_has_a_file_and_a_second_merge_adds_nothing(tmp_path: Path):
    source = tmp_path / "run.jsonl"
    records.write(source, [*small_set("Set5"), *small_set("Set14")])
    first = merge.into(tmp_path / "results", [source])
    texts = {path.name: path.read_text() for path in (tmp_path / "results").iterdir()}
    again = merge.into(tmp_path / "results", [source, source])
    assert (first.added, again.added, again.duplicates) == (12, 0, 24)
    assert sorted(texts) == ["Set14.jsonl", "Set5.jsonl"]
    assert texts == {path.name: path.read_text() for path in (tmp_path / "results").iterdir()}


def test_nothing_is_written_where_a_file_is_refused(tmp_path: Path):
    records.write(tmp_path / "good.jsonl", [record()])
    (tmp_path / "bad.jsonl").write_text("{}\n")
    with pytest.raises(RecordError, match=r"bad\.jsonl, line 1"):
        merge.into(tmp_path / "results", [tmp_path / "good.jsonl", tmp_path / "bad.jsonl"])
    assert not (tmp_path / "results").exists()
