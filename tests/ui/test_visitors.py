"""Admission: how many runs of a session, of an address, and in all may wait or run."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack

import gradio as gr
import pytest
from gradio.helpers import special_args

from gansr.papers import METHODS
from gansr.ui import page, service
from gansr.ui.tab import RUNS
from gansr.ui.visitors import IN_ALL, PER_ADDRESS, Refused, Visitor, Visitors, runs_per_address, visitor_of


def admit(visitors: Visitors, stack: ExitStack, session: str, address: str) -> None:
    stack.enter_context(visitors.admitted(Visitor(session, address)))


def test_a_session_has_two_runs_and_may_start_one_when_one_has_ended():
    visitors = Visitors()
    with ExitStack() as first:
        with ExitStack() as second:
            admit(visitors, first, "s", "1.1.1.1")
            admit(visitors, second, "s", "1.1.1.1")
            with pytest.raises(Refused, match="You have 2 runs already: stop one, or wait until it"):
                admit(visitors, second, "s", "1.1.1.1")
        admit(visitors, first, "s", "1.1.1.1")
    assert visitors.runs == 0


def test_an_address_has_four_runs_whatever_sessions_it_names():
    visitors = Visitors()
    with ExitStack() as stack:
        for number in range(4):
            admit(visitors, stack, str(number), "1.1.1.1")
        with pytest.raises(Refused, match="4 runs from your network address"):
            admit(visitors, stack, "another", "1.1.1.1")
        admit(visitors, stack, "another", "2.2.2.2")


def test_there_are_64_runs_in_all():
    visitors = Visitors()
    with ExitStack() as stack:
        for number in range(64):
            admit(visitors, stack, str(number), str(number))
        with pytest.raises(Refused, match="The server is busy: 64 runs wait already"):
            admit(visitors, stack, "s", "a")
    assert visitors.runs == 0


def test_a_refused_run_takes_no_place_and_nothing_is_kept_of_those_that_ended():
    visitors = Visitors(per_session=1)
    with visitors.admitted(Visitor("s", "a")):
        for _ in range(3):
            with pytest.raises(Refused), visitors.admitted(Visitor("s", "a")):
                pass
        assert visitors.runs == 1
    assert not visitors._sessions and not visitors._addresses


def test_a_server_that_ends_admits_nobody_and_waits_for_those_who_run():
    visitors = Visitors()
    with visitors.admitted(Visitor("s", "a")):
        visitors.close("The server restarts.")
        with pytest.raises(Refused, match="The server restarts"), visitors.admitted(Visitor("t", "b")):
            pass
        assert not visitors.wait_until_idle(0)
    assert visitors.wait_until_idle(0)


@pytest.mark.parametrize(("given", "limit"), [("", 4), ("20", 20), ("0", 4), ("-1", 4), ("many", 4)])
def test_the_limit_of_an_address_is_a_variable(monkeypatch, given, limit):
    monkeypatch.setenv("GANSR_RUNS_PER_ADDRESS", given)
    assert runs_per_address() == limit
    assert PER_ADDRESS == 4


def test_without_a_request_there_is_no_limit_but_that_of_all():
    visitors = Visitors()
    with ExitStack() as stack:
        for _ in range(10):
            stack.enter_context(visitors.admitted(visitor_of(None)))
        assert visitors.runs == 10


def test_every_run_of_the_page_the_api_and_the_comparison_is_admitted(monkeypatch):
    async def draw():
        return page.build()

    app = asyncio.run(draw())
    monkeypatch.setattr(service, "VISITORS", Visitors(in_all=0))
    runs = [event for event in app.fns.values() if event.concurrency_id == "run"]
    others = (
        "rejoin",
        "train",
    )  # which begin none; a training is admitted when its pictures have been checked
    begins = [event for event in runs if event.name not in others]
    assert len(begins) == 2 * len(METHODS) + 1 and len(runs) - len(begins) == len(METHODS) + 2
    for event in begins:
        assert event.fn is not None
        given = [getattr(block, "value", None) for block in event.inputs]
        values, *_ = special_args(event.fn, given, gr.Request())
        with pytest.raises(gr.Error, match="The server is busy: 0 runs wait already"):
            list(event.fn(*values))
    for event in (event for event in runs if event.name == "rejoin"):
        assert event.fn is not None
        given = [getattr(block, "value", None) for block in event.inputs]
        values, *_ = special_args(event.fn, given, gr.Request())
        assert list(event.fn(*values)) == [], "without a token there is no run to show"


def test_no_run_waits_in_gradios_queue_and_all_that_wait_leave_threads_for_the_rest():
    assert RUNS["concurrency_limit"] is None
    assert page.LAUNCH["max_threads"] - IN_ALL >= 40  # what Gradio has for all
