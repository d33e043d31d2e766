"""The line before the workers of one pool."""

from __future__ import annotations

import pytest

from gansr.backends.ray.line import LEASE, Line


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def line() -> Line:
    return Line(Clock(), slots=1, beyond=0)


def served_in_order(line: Line) -> list[str]:
    """The tickets in the order in which the line serves them, each ending at once."""
    order: list[str] = []
    while line.served:
        (ticket,) = line.served
        order.append(ticket)
        line.leave(ticket)
    return order


def test_a_visitor_s_second_job_does_not_overtake_another_s_first(line):
    for ticket, owner in (("a1", "a"), ("a2", "a"), ("a3", "a"), ("b1", "b"), ("c1", "c"), ("b2", "b")):
        line.join(ticket, owner, None)
    assert served_in_order(line) == ["a1", "a2", "b1", "c1", "a3", "b2"]


def test_as_many_are_served_as_there_is_room_for_and_one_more(line):
    line.slots, line.beyond = 2, 1
    for number in range(5):
        line.join(f"{number}", f"{number}", None)
    assert list(line.served) == ["0", "1", "2"] and line.waiting == 5
    line.begin("0")
    line.begin("1")
    assert (line.running, line.waiting) == (2, 3)
    line.leave("1")
    assert list(line.served) == ["0", "2", "3"]


def test_a_job_that_lost_its_worker_is_the_next(line):
    for ticket in ("a", "b", "c"):
        line.join(ticket, ticket, None)
    line.join("moved", "d", None, first=True)
    assert served_in_order(line) == ["a", "moved", "b", "c"]


def test_who_waits_is_told_what_is_ahead_and_for_how_long(line):
    line.slots = 2
    for ticket, seconds in (("a", 10.0), ("b", 30.0), ("c", 7.0), ("d", 1.0)):
        line.join(ticket, ticket, seconds)
    for ticket in ("a", "b"):
        line.begin(ticket)
    line.clock.now = 4.0
    assert line.ahead("c") == (2, 6.0), "after a, which still computes 6 s"
    assert line.ahead("d") == (3, 13.0), "after c, which follows a"
    assert line.until_room() == 6.0


def test_a_job_that_was_let_through_and_has_not_begun_knows_what_is_ahead(line):
    line.beyond = 1
    for ticket in ("a", "b"):
        line.join(ticket, ticket, 5.0)
    line.begin("a")
    assert line.is_served("b") and line.ahead("b") == (1, 5.0)


def test_a_time_that_is_not_known_makes_the_wait_unknown(line):
    for ticket, seconds in (("a", None), ("b", 5.0)):
        line.join(ticket, ticket, seconds)
    line.begin("a")
    assert line.ahead("b") == (1, None)
    line.slots = 0
    assert line.ahead("b") == (1, None) and line.until_room() is None


def test_an_estimate_that_was_too_short_is_no_negative_wait(line):
    line.join("a", "a", 5.0)
    line.join("b", "b", 5.0)
    line.begin("a")
    line.clock.now = 60.0
    assert line.ahead("b") == (1, 0.0)


def test_a_page_that_was_killed_leaves_no_place_behind(line):
    for ticket in ("a", "b", "c"):
        line.join(ticket, ticket, None)
    line.clock.now = LEASE
    assert line.knows("c") and line.expire() == []
    line.clock.now = LEASE + 1
    assert line.expire() == ["a", "b"] and list(line.served) == ["c"]


def test_a_new_line_takes_the_jobs_that_compute_already(line):
    line.adopt("a", "a", 10.0)
    line.join("b", "b", 5.0)
    assert line.running == 1 and not line.is_served("b") and line.ahead("b") == (1, 10.0)


def test_leaving_twice_or_unknown_is_no_error(line):
    line.join("a", "a", None)
    line.join("b", "b", None)
    line.leave("b")
    line.leave("b")
    line.leave("nobody")
    line.leave("a")
    assert not line.served and not line.waiting and not line.knows("a")
