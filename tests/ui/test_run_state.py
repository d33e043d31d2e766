"""The runs of one user in one tab: Stop ends a run, and a preview never overwrites one."""

from __future__ import annotations

from dataclasses import replace

import torch

from gansr.method import Frame
from gansr.pipeline import Update
from gansr.ui.run_state import RunState, news


def test_a_preview_never_overwrites_a_run():
    state = RunState()
    assert state.unless_running(lambda: "ready") == "ready"
    run = state.until_stopped(i for i in range(3))
    assert next(run) == 0
    assert state.unless_running(lambda: "ready") is None
    assert state.unless_running(lambda: list(run)) is None  # the run ended while it looked
    assert state.unless_running(lambda: "ready") == "ready"


def test_a_run_that_is_asked_to_stop_ends_after_its_step_and_frees_what_it_holds():
    state, closed = RunState(), []

    def steps():
        try:
            yield from range(10)
        finally:
            closed.append(True)

    assert "Nothing is running" in state.stop()
    state.request()
    run = state.until_stopped(steps())
    assert [next(run), next(run)] == [0, 1]
    assert "Stopping" in state.stop()
    assert list(run) == []
    assert closed == [True]
    state.request()
    assert len(list(state.until_stopped(steps()))) == 10
    assert "Nothing is running" in state.stop()


def test_the_end_of_a_run_gives_memory_back_after_all_that_it_held_is_gone(monkeypatch):
    order = []
    monkeypatch.setattr("gansr.memory.give_back", lambda: order.append("given back"))

    def steps():
        try:
            yield 1
        finally:
            order.append("closed")

    assert list(RunState().until_stopped(steps())) == [1]
    assert order == ["closed", "given back"]


def test_what_tells_nothing_new_is_left_out():
    start = Frame(torch.zeros(3, 2, 2), 0, 9)
    frames = [
        replace(start, ahead=1, wait=60.0, waited=0.2),
        replace(start, ahead=1, wait=60.2, waited=0.4),
        replace(start, ahead=1, wait=59.0, waited=1.1),
        replace(start, ahead=0, wait=2.0, waited=1.2),
        start,
        replace(start, step=1),
        replace(start, step=1),
        replace(start, step=1, lent=True),
        replace(start, step=1, lent=True),
        replace(start, step=2),
    ]
    told = [update is not None for update in news(Update(frame=frame) for frame in frames)]
    assert told == [True, False, True, True, True, True, True, True, False, True]
