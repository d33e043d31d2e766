"""Entries run cheap ones first, and a failure stays in its own entry."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gansr.compare import table
from gansr.compare.plan import Entry, plan
from gansr.compare.run import run
from gansr.engine import Engine
from gansr.pipeline import Pipeline
from gansr.turns import Turn
from tests.support.comparing import BROKEN, EXPENSIVE, LARGE, QUICK, picture, requests


def compared(*methods: Any, **settings: Any) -> tuple[list[Entry], list[str]]:
    """The entries after a comparison, and the methods in the order in which they were seen."""
    pipeline, seen = Pipeline(Engine("cpu", pace=0.0)), []
    entries = plan(picture(), requests(*methods), pipeline, **settings)
    for entry in run(entries, pipeline):
        if not seen or seen[-1] != entry.method.name:
            seen.append(entry.method.name)
    return entries, seen


def test_cheap_methods_run_first_and_a_failure_stays_in_its_entry(plain):
    made, seen = compared(EXPENSIVE, BROKEN, QUICK)
    states = {entry.method.name: entry.state for entry in made}
    assert states == {"expensive": "done", "broken": "error", "quick": "done"}
    assert "no good kernel was found" in made[1].text
    assert seen.index("quick") < seen.index("expensive")
    assert all(entry.update and len(entry.update.measured) >= 5 for entry in made if entry.state == "done")


def test_what_a_method_cannot_take_is_said_before_it_runs(plain):
    made, seen = compared(QUICK, LARGE)
    assert made[1].state == "blocked"
    assert "at least 64 px" in made[1].text
    assert "large" not in seen
    assert made[0].state == "done"


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
    entries = plan(picture(200, 200), requests(EXPENSIVE, QUICK), pipeline)  # NIQE needs 192 px
    for number, _ in enumerate(run(entries, pipeline)):
        assert number < 10_000, "nobody ends the turn that was called"
        if number % 3 == 2 and ends:
            ends.pop().leave()
    assert [entry.state for entry in entries] == ["done", "done"]


def test_an_internal_error_in_one_method_leaves_the_others(plain, caplog):
    faulty = replace(QUICK, name="quick", run=lambda *_: (_ for _ in ()).throw(KeyError("oops")))
    made, _ = compared(EXPENSIVE, faulty)
    assert [entry.state for entry in made] == ["done", "error"]
    assert "Internal error (KeyError)" in made[1].text
    assert "oops" in caplog.text


def test_a_truth_of_another_size_is_said_in_the_table(plain):
    small, pipeline = picture(), Pipeline(Engine("cpu", pace=0.0))
    made = plan(small, requests(QUICK, task="enlarge"), pipeline)
    made[0].truth = small
    for _ in run(made, pipeline):
        pass
    assert any("sizes differ" in why for why in table.unmeasured(table.rows(made)).values())


def test_memory_is_the_measured_peak_or_is_called_an_estimate(plain):
    made, _ = compared(QUICK)
    entry = made[0]
    for memory, name in ((3e8, "memory"), (None, "estimated_memory")):
        assert entry.update is not None and entry.frame is not None
        entry.update = replace(entry.update, frame=replace(entry.frame, memory=memory))
        (row,) = table.rows(made, receipts=False)[1:]
        (column,) = (c for c in table.columns([row]) if "memory" in c.name)
        assert column.name == name
        assert ("whole process" in column.explain) == (memory is not None)
        assert ("estimate" in table.heading(column)) == (memory is None)
    assert table.written(replace(row, values={"memory": 3e8 / 1e6}), table.OWN[1]) == "300"
