"""The simulation of many visitors."""

from __future__ import annotations

import pytest

from gansr import papers
from gansr.bench import scale
from gansr.bench.scale import needed, seconds_of, simulated


def test_more_workers_shorten_the_wait_and_are_less_busy():
    few, many = (simulated({"pulse": 20.0}, workers, visitors=100, hours=1.0) for workers in (4, 8))
    assert few.p95 > many.p95 and few.busy > many.busy
    assert few.median <= few.p95 <= few.p99


def test_the_work_that_is_done_is_the_work_that_came():
    """Far below its limit: jobs come as often as visitors press Run, and keep the workers busy for their seconds."""
    found = simulated({"pulse": 10.0}, 100, visitors=300, shares={"pulse": 1.0}, hours=4.0)
    hourly = 300 * 3600 / (scale.THINKS + 10.0 + scale.LOAD)
    assert found.jobs == pytest.approx(hourly, rel=0.03) and found.p99 == 0
    assert found.busy * 100 == pytest.approx(found.jobs / 3600 * (10.0 + scale.LOAD), rel=0.05)


def test_the_fewest_workers_keep_the_goal_and_one_less_does_not():
    found = needed({"pulse": 20.0}, visitors=200)
    assert found.p95 <= scale.GOAL < simulated({"pulse": 20.0}, found.workers - 1, visitors=200).p95


def test_every_method_has_a_share_and_a_time_on_each_device():
    assert set(scale.SHARES) == {method.name for method in papers.METHODS}
    assert sum(scale.SHARES.values()) == pytest.approx(1)
    for method in papers.METHODS:
        assert seconds_of(method, "cuda") > 0 and 0 < seconds_of(method, "cpu") < 600


def test_the_bench_lists_costs_and_workers():
    rows = list(scale.rows(30))
    workers = {(row.case, row.model): row.value for row in rows if row.metric == "workers"}
    assert len(workers) == 4 and all(value >= 1 for value in workers.values())
