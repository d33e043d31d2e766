"""Records: what is read, and everything that is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gansr.results import records
from gansr.results.records import RecordError, parse
from tests.support.results_data import plain, record


def test_a_record_is_the_same_after_writing_and_reading(tmp_path: Path):
    mask = {"sha256": "b" * 64, "shape": [1, 8, 8], "dtype": "float32"}
    options = plain()["options"] | {"mask": mask}
    found = [record(), record(picture="002", options=options)]
    for one in found:
        records.append(tmp_path / "new" / "some.jsonl", one)
    assert records.read(tmp_path / "new" / "some.jsonl") == found
    assert parse(json.loads(records.line(found[1]))) == found[1]


def test_bicubic_needs_no_options():
    assert record(method="bicubic", variant="", options={}, weights={}).method == "bicubic"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"schema": 2}, "this version reads schema 1"),
        ({"schema": True}, "schema True is not a whole number"),
        ({"method": "edsr"}, "method 'edsr' is not known; there are: bicubic, pulse"),
        ({"method": ["srgan"]}, "is not known"),
        ({"variant": "../../etc"}, "variant '../../etc' is not of the form"),
        ({"variant": "a" * 100}, "variant"),
        ({"version": "latest"}, "version 'latest'"),
        ({"dataset": "/data/Set5"}, "dataset '/data/Set5'"),
        ({"dataset": ".."}, "dataset"),
        ({"picture": "a/001"}, "picture"),
        ({"picture": "C:\\001"}, "picture"),
        ({"picture": 1}, "picture 1"),
        ({"size": [512]}, "size must be [width, height]"),
        ({"size": [512, 0]}, "size 0 is not a whole number between 1 and"),
        ({"size": [512, 10**9]}, "size"),
        ({"metrics": {}}, "at least one measured value"),
        ({"metrics": {"fid": 1.0}}, "metric 'fid' is not known"),
        ({"metrics": {"psnr_y": float("nan")}}, "psnr_y is not a finite number"),
        ({"metrics": {"psnr_y": float("inf")}}, "psnr_y is not a finite number"),
        ({"metrics": {"psnr_y": "29"}}, "psnr_y must be a number"),
        ({"metrics": {"psnr_y": True}}, "psnr_y must be a number"),
        ({"metrics": {"psnr_y": 10**400}}, "psnr_y"),
        ({"metrics": [29.0]}, "metrics must be an object"),
        ({"seconds": -1}, "seconds -1 is not between 0 and"),
        ({"weights": {"srgan": {"name": "srgan", "sha256": "abc"}}}, "weights srgan sha256 'abc'"),
        ({"weights": {"srgan": {"name": "/models/srgan", "sha256": "a" * 64}}}, "weights srgan name"),
        ({"weights": {"srgan": {"name": "srgan"}}}, "weights srgan lacks sha256"),
        ({"options": {"seed": 0, "mask": "/home/user/mask.png"}}, "options mask '/home/user/mask.png'"),
        ({"options": {"seed": 0, "Model": "x"}}, "a name in options 'Model'"),
        ({"options": {"seed": 0, "model": "x" * 300}}, "options model"),
        ({"options": {"seed": 0, "mask": {"sha256": "b" * 64}}}, "options mask lacks shape, dtype"),
        ({"options": {"seed": 0, "steps": [1, 2]}}, "options steps must be a number"),
        ({"options": {"seed": 0} | {f"o{n}": n for n in range(100)}}, "options has more than 64 fields"),
        ({"seed": 1}, "seed 1 is not the seed of the options, 0"),
        ({"seed": -1}, "seed -1 is not a whole number"),
        ({"degradation": {"operator": "bicubic"}}, "degradation lacks factor, width"),
        ({"degradation": plain()["degradation"] | {"factor": 0}}, "degradation factor 0"),
        ({"degradation": plain()["degradation"] | {"path": "x"}}, "degradation has an unknown field 'path'"),
        ({"numerics": plain()["numerics"] | {"threads": 0}}, "numerics threads 0"),
        ({"numerics": plain()["numerics"] | {"host": "me"}}, "numerics has an unknown field 'host'"),
        ({"numerics": plain()["numerics"] | {"device": "CPU\n<script>"}}, "numerics device"),
        ({"numerics": plain()["numerics"] | {"device": "<img src=x>"}}, "numerics device '<img src=x>'"),
        ({"numerics": plain()["numerics"] | {"device": "=HYPERLINK(1)"}}, "numerics device"),
        ({"date": "28.11.2026"}, "date '28.11.2026' is not of the form 2026-11-28"),
        ({"date": "20261128"}, "date"),
        ({"verification": "checked"}, "verification 'checked' is not one of re-run, reported"),
        ({"comment": "hello"}, "unknown field 'comment'"),
        ({"date": None, "seed": None}, "a record lacks seed, date"),
    ],
)  # fmt: skip
def test_a_wrong_record_is_refused(changed: dict[str, Any], said: str):
    with pytest.raises(RecordError) as raised:
        parse(plain(**changed))
    assert said in str(raised.value)


@pytest.mark.parametrize("value", [None, 1, "x", [], [plain()]])
def test_what_is_no_object_is_refused(value: Any):
    with pytest.raises(RecordError, match="a record must be an object"):
        parse(value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "this is not JSON"),
        ('{"schema": 1, "schema": 1}', "a name stands twice"),
        (json.dumps(plain()).replace("29.0", "NaN"), "NaN is not a finite number"),
        (json.dumps(plain()).replace("29.0", "-Infinity"), "-Infinity is not a finite number"),
        (json.dumps(plain()).replace("29.0", "1e999"), "psnr_y is not a finite number"),
        ("[" * 10_000, "this is not JSON"),
        (json.dumps(plain(picture="x" * 20_000)), "more than 16384 characters"),
        ("\n" + json.dumps(plain()), "this is not JSON"),
    ],
)
def test_a_damaged_line_is_refused_with_its_number(tmp_path: Path, text: str, said: str):
    path = tmp_path / "some.jsonl"
    path.write_text(records.line(record()) + "\n" + text + "\n")
    with pytest.raises(RecordError, match=r"^some\.jsonl, line 2: ") as raised:
        records.read(path)
    assert said in str(raised.value)
    assert str(tmp_path) not in str(raised.value)


def test_a_file_that_is_too_large_is_not_opened(tmp_path: Path):
    path = tmp_path / "some.jsonl"
    with path.open("wb") as file:
        file.truncate(records.LARGEST + 1)
    with pytest.raises(RecordError, match="more than 16777216 bytes"):
        records.read(path)


def test_a_file_with_too_many_lines_is_refused(tmp_path: Path):
    path = tmp_path / "some.jsonl"
    path.write_text("\n" * (records.MOST + 1))
    with pytest.raises(RecordError, match="more than 50000 lines"):
        records.read(path)


def test_a_file_that_is_no_text_or_is_not_there_is_refused(tmp_path: Path):
    (tmp_path / "some.jsonl").write_bytes(b"\xff\xfe\x00")
    for name in ("some.jsonl", "none.jsonl"):
        with pytest.raises(RecordError, match="cannot be read"):
            records.read(tmp_path / name)


def test_a_folder_gives_its_files_by_name_and_no_folder_gives_none(tmp_path: Path):
    records.write(tmp_path / "b.jsonl", [record(picture="2")])
    records.write(tmp_path / "a.jsonl", [record(picture="1")])
    assert [one.picture for one in records.read_folder(tmp_path)] == ["1", "2"]
    assert records.read_folder(tmp_path / "none") == []


def test_the_page_of_the_documentation_has_every_field():
    text = (Path(__file__).parents[2] / "docs" / "results.md").read_text("utf-8")
    assert [name for name in records.NAMES if f"| `{name}` |" not in text] == []
