"""One request, when the server ends meanwhile."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from gansr import metrics
from gansr.engine import Engine
from gansr.method import MethodError
from gansr.picture import Picture
from gansr.pipeline import CUT_SHORT, RESTARTS, Pipeline, Update
from gansr.request import decode
from tests.support.fakes import FAKE

PICTURE = Picture(torch.rand(3, 24, 32, generator=torch.Generator().manual_seed(1)), None, False, ())


@pytest.fixture(autouse=True)
def _no_weights(monkeypatch):
    monkeypatch.setattr(metrics, "METRICS", tuple(each for each in metrics.METRICS if not each.weights))


def updates(pipeline: Pipeline, steps: int = 1000) -> Iterator[Update]:
    return pipeline.run(PICTURE, decode(FAKE, {"steps": steps, "task": "enlarge"}))


def pipeline() -> Pipeline:
    return Pipeline(Engine("cpu", load=lambda name: None, pace=0.0))


def test_a_drained_run_ends_after_its_step_with_its_best_so_far_and_is_not_measured():
    made = pipeline()
    run = updates(made)
    for update in run:
        if update.frame is not None and update.frame.step == 7:
            break
    made.drain()
    rest = list(run)
    assert [update.finished for update in rest] == [True, True]
    last = rest[-1]
    assert last.done and last.measured == () and last.frame is not None
    assert last.frame.step == 8 and CUT_SHORT in last.frame.notices and last.frame.numerics is not None


def test_a_run_that_waits_or_comes_while_the_server_ends_is_told():
    made = pipeline()
    running, waiting = updates(made), updates(made)
    for run in (running, running, waiting, waiting):
        next(run)
    made.drain()
    with pytest.raises(MethodError, match=RESTARTS):
        list(waiting)
    with pytest.raises(MethodError, match=RESTARTS):
        next(updates(made))


def test_a_result_that_waits_to_be_measured_when_the_server_ends_is_kept():
    made = pipeline()
    first, second = updates(made, steps=1), updates(made)
    result = next(update for update in first if update.finished)
    for _ in range(2):
        next(second)
    assert next(first).text == "measuring"  # it waits for the second run
    made.drain()
    rest = list(first)
    assert rest[-1].done and rest[-1].frame is result.frame
    assert all(row.value is None for row in rest[-1].measured)
    assert RESTARTS in {row.reason for row in rest[-1].measured}
