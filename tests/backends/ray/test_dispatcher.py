"""The dispatcher, without Ray."""

from __future__ import annotations

import asyncio
import dataclasses
import time

import pytest

from gansr.backends.ray.dispatcher import SILENT, Dispatcher, Report, Standing
from gansr.backends.ray.line import LEASE
from gansr.backends.ray.settings import PASSES, SEARCHES, Settings
from tests.backends.ray.test_line import Clock


class NoMetrics:
    def __getattr__(self, name: str):
        return lambda *given: None


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def dispatcher(clock) -> Dispatcher:
    settings = Settings()
    settings = dataclasses.replace(settings, searches=dataclasses.replace(settings.searches, queued=2))
    return Dispatcher(settings, clock, NoMetrics())


def worker(name: str, pool: str = SEARCHES, **changes) -> Report:
    return dataclasses.replace(Report(name, pool, "CPU, 1 thread", "cpu", ready=True), **changes)


def place(dispatcher: Dispatcher, ticket: str, owner: str = "", first: bool = False) -> Standing:
    return asyncio.run(dispatcher.place(SEARCHES, ticket, owner or ticket, 10.0, first, 0.0))


def test_a_job_goes_at_once_where_a_worker_is_free_and_one_more_waits_in_serve(dispatcher):
    asyncio.run(dispatcher.report(worker("one")))
    assert place(dispatcher, "a") == Standing("go", 0, 0.0)
    asyncio.run(dispatcher.begin(SEARCHES, "a", 0.1))
    assert place(dispatcher, "b") == Standing("go", 1, 10.0)
    assert place(dispatcher, "c") == Standing("waits", 2, 20.0)
    asyncio.run(dispatcher.leave(SEARCHES, "a"))
    assert place(dispatcher, "c").kind == "go"


def test_a_full_line_says_when_to_try_again(dispatcher):
    asyncio.run(dispatcher.report(worker("one")))
    for ticket in "abc":
        place(dispatcher, ticket)
        if ticket == "a":
            asyncio.run(dispatcher.begin(SEARCHES, "a", 0.0))
    assert place(dispatcher, "d") == Standing("busy", 2, 10.0)
    assert place(dispatcher, "moved", first=True).kind == "waits", "a job that has begun is not refused"


def test_who_waits_long_is_asked_again_only_after_its_patience_or_when_it_may_go(dispatcher):
    dispatcher._clock = time.monotonic

    async def waits() -> Standing:
        await dispatcher.report(worker("one"))
        for ticket in "ab":
            await dispatcher.place(SEARCHES, ticket, ticket, None, False, 0.0)
        await dispatcher.begin(SEARCHES, "a", 0.0)
        asked = asyncio.create_task(dispatcher.place(SEARCHES, "c", "c", None, False, 5.0))
        await asyncio.sleep(0.05)
        assert not asked.done()
        await dispatcher.leave(SEARCHES, "a")
        return await asked

    assert asyncio.run(waits()).kind == "go"


def test_a_worker_that_is_silent_counts_no_more(dispatcher, clock):
    asyncio.run(dispatcher.report(worker("one")))
    asyncio.run(dispatcher.report(worker("two", PASSES)))
    asyncio.run(dispatcher.report(worker("starts", ready=False)))
    state = asyncio.run(dispatcher.state())
    assert {pool: found["workers"] for pool, found in state["pools"].items()} == {SEARCHES: 1, PASSES: 1}
    clock.now = SILENT + 1
    assert asyncio.run(dispatcher.state())["pools"][SEARCHES]["workers"] == 0


def test_a_paper_is_unavailable_where_no_worker_can_run_it(dispatcher):
    asyncio.run(dispatcher.report(worker("one", unavailable={"pulse": "no weights"})))
    asyncio.run(dispatcher.report(worker("two", unavailable={"pulse": "no disk", "kernelgan": "a fault"})))
    pool = asyncio.run(dispatcher.state())["pools"][SEARCHES]
    assert pool["unavailable"] == {"pulse": "no weights"} and pool["device"] == "CPU, 1 thread"


def test_a_worker_is_told_which_of_its_jobs_nobody_wants(dispatcher, clock):
    asyncio.run(dispatcher.report(worker("one")))
    place(dispatcher, "a")
    clock.now = 2 * LEASE
    assert asyncio.run(dispatcher.report(worker("one", tickets=("a", "unknown")))) == (False, ["a"])


def test_a_new_dispatcher_hears_of_the_jobs_that_compute_before_it_ends_any(dispatcher, clock):
    asyncio.run(dispatcher.renew([(SEARCHES, "a", "owner", 30.0)]))
    assert asyncio.run(dispatcher.report(worker("one", tickets=("a", "b")))) == (False, [])
    assert asyncio.run(dispatcher.state())["pools"][SEARCHES]["running"] == 1
    clock.now = LEASE - 1
    asyncio.run(dispatcher.renew([(SEARCHES, "a", "owner", 30.0)]))
    clock.now = LEASE + 2
    assert asyncio.run(dispatcher.report(worker("one", tickets=("a",)))) == (False, [])


def test_a_closed_dispatcher_takes_no_jobs_and_lets_workers_hand_back_theirs(dispatcher):
    asyncio.run(dispatcher.report(worker("one")))
    place(dispatcher, "a")
    place(dispatcher, "b")
    place(dispatcher, "c")
    asyncio.run(dispatcher.close())
    assert place(dispatcher, "a").kind == "go", "it has begun"
    assert place(dispatcher, "c").kind == place(dispatcher, "d").kind == "closed"
    assert asyncio.run(dispatcher.report(worker("one"))) == (True, [])
