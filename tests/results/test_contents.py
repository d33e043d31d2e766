"""What the script of the page gets."""

from __future__ import annotations

import json

import pytest

from gansr.results.contents import contents
from tests.support.results_data import record, small_set


def test_without_records_there_is_no_problem():
    assert contents(())["problems"] == []


def test_a_problem_has_its_rows_its_pictures_and_its_fronts():
    (problem,) = contents(small_set())["problems"]
    assert (problem["title"], problem["dataset"], problem["pictures"]) == ("Set5 ×4", "Set5", ["001", "002"])
    row = next(row for row in problem["rows"] if row["variant"] == "srgan")
    assert row["axes"]["psnr_y"] == [29.5, pytest.approx(6.353)]
    assert row["each"]["lpips_alex"] == [0.08, 0.1] and row["each"]["niqe"] == [None, None]
    assert row["axes"]["niqe"] is None
    assert problem["fronts"]["psnr_y lpips_alex"] == ["SRGAN (srgan)", "SRGAN (srresnet)"]
    assert "psnr_y niqe" not in problem["fronts"]
    assert problem["texts"]["md"].startswith("**Set5 ×4**")


def test_a_picture_that_a_method_lacks_keeps_its_place():
    (problem,) = contents([record(), record(variant="srresnet", picture="002")])["problems"]
    assert [row["each"]["psnr_y"] for row in problem["rows"]] == [[29.0, None], [None, 29.0]]


def test_datasets_and_degradations_are_problems_of_their_own():
    noisy = record(degradation=dict(record().degradation) | {"noise": 5.0})
    found = contents([record(), noisy, record(dataset="Set14")])["problems"]
    assert [one["title"] for one in found] == ["Set5 ×4", "Set5 ×4, MATLAB bicubic, noise 5.0", "Set14 ×4"]


def test_it_is_json_and_light():
    """Of three methods and two pictures; the plain JSON, before compression."""
    text = json.dumps(contents(small_set()), allow_nan=False)
    assert len(text) < 10_000
