"""The records of the gallery are those of what the page shows."""

from __future__ import annotations

import json

from gansr.gallery import COMPARED, read
from gansr.results import records
from gansr.results.of_gallery import DATASET, records_of
from tests.conftest import ROOT


def test_the_committed_records_are_those_of_the_committed_gallery():
    assert records.read(ROOT / "results" / f"{DATASET}.jsonl") == records_of()


def test_every_method_that_ran_has_a_record_with_the_values_of_the_table():
    found = {(record.picture, record.method): record for record in records_of()}
    for example in COMPARED:
        computed = read(example.name)
        assert computed is not None
        for row in json.loads(computed["table"]["json"])["methods"]:
            record = found[example.name, row["method"]]
            assert record.metrics["psnr_y"] == row["values"]["psnr_y"]
            assert (record.weights != {}) == bool(row["receipt"] and row["receipt"]["weights"])


def test_a_blurred_example_is_a_problem_of_its_own():
    problems = {record.problem for record in records_of()}
    blurred = [record for record in records_of() if record.degradation["operator"] == "gaussian"]
    assert {record.picture for record in blurred} == {"rocket-blurred"}
    assert len(problems) == 4  # faces ×8, the old photograph, photographs ×4, blurred ×2
