"""Entries run cheap ones first, and a failure stays in its own entry."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

import gansr.metrics
from gansr.compare import table
from gansr.compare.plan import Comparison, plan
from gansr.compare.run import run
from gansr.engine import Engine
from gansr.pipeline import Pipeline
from gansr.problem import Problem
from gansr.turns import Turn
from gansr.ui import compare_view
from tests.support.comparing import BROKEN, EXPENSIVE, LARGE, QUICK, picture, requests

DOUBLE = Problem(0, 2)


def compared(*methods: Any) -> tuple[Comparison, list[str]]:
    """The comparison after its end, and the methods in the order in which they were seen."""
    pipeline, seen = Pipeline(Engine("cpu", pace=0.0)), []
    made = plan(picture(), requests(*methods), DOUBLE, pipeline)
    for entry in run(made, pipeline):
        if entry is not None and (not seen or seen[-1] != entry.method.name):
            seen.append(entry.method.name)
    return made, seen


def test_cheap_methods_run_first_and_a_failure_stays_in_its_entry(plain):
    made, seen = compared(EXPENSIVE, BROKEN, QUICK)
    states = {entry.method.name: entry.state for entry in made}
    assert states == {"expensive": "done", "broken": "error", "quick": "done"}
    assert "no good kernel was found" in made.entries[1].text
    assert seen.index("quick") < seen.index("expensive")
    assert all(len(entry.measured) >= 5 for entry in made if entry.state == "done")
    assert len(made.baseline) >= 5 and made.measurements[0] == made.measurements[1] == 3 * len(made.baseline)


def test_a_result_has_the_size_that_the_problem_asks_for_and_keeps_its_own(plain):
    pipeline = Pipeline(Engine("cpu", pace=0.0))
    eight = replace(QUICK, name="eight", title="Eight", scales=(8,), presets={"p": {"scale": 8}})
    made = plan(picture(64, 64), requests(QUICK, eight), Problem(0, 4), pipeline)
    for _ in run(made, pipeline):
        pass
    shapes = {entry.method.name: (entry.frame.image.shape[-1], entry.native.shape[-1]) for entry in made}  # type: ignore[union-attr]
    assert shapes == {"quick": (64, 32), "eight": (64, 128)}
    for entry in made:
        assert entry.given is not None and entry.frame is not None and entry.native is not None
        assert torch.equal(entry.given.resized(entry.native), entry.frame.image)
        assert {result.metric.name for result in entry.measured if result.value is not None} >= {
            "psnr_y",
            "ssim_y",
        }


def test_a_result_that_is_changed_on_purpose_gets_no_verdict_of_agreement(plain):
    changed = replace(QUICK, departs=lambda options: "changed on purpose")
    made, _ = compared(changed, EXPENSIVE)
    reasons = [{r.metric.name: r.reason for r in e.measured if r.value is None} for e in made]
    assert reasons[0]["consistency"] == "changed on purpose" and "consistency" not in reasons[1]
    found = compare_view.verdicts(made, compare_view.RunFiles())
    assert (
        "Quick</b> changed on purpose<" in found and found.count("agrees") == 2
    )  # the heading's, the other's


def test_expensive_metrics_come_after_all_results_one_metric_after_the_other(plain, monkeypatch):
    cheap, other = gansr.metrics.METRICS[1], gansr.metrics.METRICS[2]
    costly = [
        replace(metric, name=name, weights={"net": "n"}) for metric, name in ((cheap, "one"), (other, "two"))
    ]
    monkeypatch.setattr("gansr.metrics.METRICS", (cheap, *costly))
    pipeline = Pipeline(Engine("cpu", pace=0.0, load=lambda name: None))
    monkeypatch.setattr(pipeline, "fetch_metrics", lambda wanted: ())
    made = plan(picture(), requests(QUICK, EXPENSIVE), DOUBLE, pipeline)
    order = []
    for entry in run(made, pipeline):
        name = "bicubic" if entry is None else entry.method.name
        now = made.baseline if entry is None else entry.measured
        if now and (found := (now[-1].metric.name, name)) not in order:
            order.append(found)
    assert order == [
        (cheap.name, "bicubic"), (cheap.name, "quick"), (cheap.name, "expensive"),
        ("one", "bicubic"), ("one", "quick"), ("one", "expensive"),
        ("two", "bicubic"), ("two", "quick"), ("two", "expensive"),
    ]  # fmt: skip


def test_what_a_method_cannot_take_is_said_before_it_runs(plain):
    made, seen = compared(QUICK, LARGE)
    assert made.entries[1].state == "unsuitable"
    assert "at least 64 px" in made.entries[1].text
    assert "large" not in seen
    assert made.entries[0].state == "done"


def test_a_method_that_waits_to_be_measured_does_not_keep_the_device_from_the_next(plain):
    """Another owner's job comes before every measurement, which then stands in the line for a while."""
    pipeline = Pipeline(Engine("cpu", pace=0.0))
    line, ends = pipeline.engine.turns, []
    joined = line.join

    def behind_another(owner: str = "", urgent: bool = False, **job: Any) -> Turn:
        if not urgent:
            return joined(owner, **job)
        other, turn = joined("another"), joined(owner, urgent)
        if other.wait(0):
            ends.append(other)
        return turn

    line.join = behind_another  # type: ignore[method-assign]
    made = plan(picture(200, 200), requests(EXPENSIVE, QUICK), DOUBLE, pipeline)  # NIQE needs 192 px
    for number, _ in enumerate(run(made, pipeline)):
        assert number < 10_000, "nobody ends the turn that was called"
        if number % 3 == 2 and ends:
            ends.pop().leave()
    assert [entry.state for entry in made] == ["done", "done"]


def test_an_internal_error_in_one_method_leaves_the_others(plain, caplog):
    faulty = replace(QUICK, name="quick", run=lambda *_: (_ for _ in ()).throw(KeyError("oops")))
    made, _ = compared(EXPENSIVE, faulty)
    assert [entry.state for entry in made] == ["done", "error"]
    assert "Internal error (KeyError)" in made.entries[1].text
    assert "oops" in caplog.text


def test_a_truth_of_another_size_is_said_in_the_table(plain):
    small, pipeline = picture(), Pipeline(Engine("cpu", pace=0.0))
    made = plan(small, requests(QUICK, task="enlarge"), DOUBLE, pipeline, small)
    for _ in run(made, pipeline):
        pass
    assert any("sizes differ" in why for why in table.unmeasured(table.rows(made)).values())


def test_memory_is_the_measured_peak_or_is_called_an_estimate(plain):
    made, _ = compared(QUICK)
    (entry,) = made.entries
    for memory, name in ((3e8, "memory"), (None, "estimated_memory")):
        assert entry.frame is not None
        entry.frame = replace(entry.frame, memory=memory)
        (row,) = table.rows(made, receipts=False)[1:]
        (column,) = (c for c in table.columns([row]) if "memory" in c.name)
        assert column.name == name
        assert ("whole process" in column.explain) == (memory is not None)
        assert ("estimate" in table.heading(column)) == (memory is None)
    assert table.written(replace(row, values={"memory": 3e8 / 1e6}), table.OWN[1]) == "300"
