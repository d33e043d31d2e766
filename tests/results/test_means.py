"""Means, intervals and series, by hand."""

from __future__ import annotations

import math

import pytest

from gansr.results.means import interval, mean_of, series_of, value_of
from tests.support.results_data import record, small_set


def test_the_interval_is_students():
    """1, 2, 3: s = 1, t(0.975; 2) = 4.3027, over the root of 3."""
    assert interval([1.0, 2.0, 3.0]) == pytest.approx(4.30265 / math.sqrt(3), rel=1e-5)


def test_a_single_value_has_no_interval():
    found = mean_of([2.5])
    assert (found.value, found.interval, found.n) == (2.5, None, 1)


def test_the_interval_of_two_values():
    """28 and 30: s = √2, t(0.975; 1) = 12.7062, over √2."""
    found = mean_of([28.0, 30.0])
    assert (found.value, found.n) == (29.0, 2)
    assert found.interval == pytest.approx(12.7062, rel=1e-5)


def test_the_rmse_is_that_of_psnr():
    """20 dB: a tenth of 255."""
    assert value_of(record(metrics={"psnr_y": 20.0}), "rmse_y") == pytest.approx(25.5)
    assert value_of(record(metrics={"niqe": 5.0}), "rmse_y") is None


def test_a_series_has_one_method_and_its_pictures_in_order():
    found = series_of(reversed(small_set()))
    told = [(one.first.method, one.first.variant, [r.picture for r in one.records]) for one in found]
    assert told == [
        ("bicubic", "", ["001", "002"]),
        ("srgan", "srgan", ["001", "002"]),
        ("srgan", "srresnet", ["001", "002"]),
    ]
    mean = found[0].mean("psnr_y")
    assert mean is not None and mean.value == 29.0


def test_other_versions_are_other_series_the_newest_first():
    old, new = record(), record(version="0.3.0", date="2026-12-24")
    assert [one.first.version for one in series_of([old, new])] == ["0.3.0", "0.2.0+1a2b3c4"]


def test_a_metric_that_no_picture_has_has_no_mean():
    assert series_of([record()])[0].mean("niqe") is None
