"""The line before the device: one at a time, owners in rotation, and whoever leaves frees the place."""

from __future__ import annotations

import threading

import pytest

from gansr.method import MethodError
from gansr.turns import GRACE, Turn, Turns


def served(turns: dict[str, Turn]) -> list[str]:
    """The order in which the turns come, each left as soon as it has come."""
    order: list[str] = []
    while turns:
        (name,) = (name for name, turn in turns.items() if turn.wait(0))
        order.append(name)
        turns.pop(name).leave()
    return order


def test_one_at_a_time():
    line = Turns()
    first, second = line.join("a"), line.join("b")
    assert first.wait(0) and not second.wait(0)
    first.leave()
    assert second.wait(0)
    assert len(line) == 0


def test_owners_are_served_in_rotation_and_each_ones_own_in_their_order():
    line = Turns()
    running = line.join("x")
    places = ("a1", "a2", "a3", "b1", "b2", "c1")
    turns = {name: line.join(name[0]) for name in places}
    running.leave()
    assert served(turns) == ["a1", "b1", "c1", "a2", "b2", "a3"]


def test_new_owners_never_overtake_one_who_waits_for_a_second_turn():
    line = Turns()
    first, again = line.join("a"), line.join("a")
    strangers = {str(number): line.join(f"stranger {number}") for number in range(3)}
    first.leave()
    assert served({"again": again, **strangers}) == ["again", "0", "1", "2"]


def test_an_urgent_turn_goes_before_all_who_wait():
    line = Turns()
    running = line.join("a")
    turns = {"job": line.join("b"), "measure": line.join("a", urgent=True)}
    running.leave()
    assert served(turns) == ["measure", "job"]


@pytest.mark.parametrize("urgent", [False, True])
def test_one_who_was_called_and_does_not_come_is_passed_over_and_is_the_first_when_it_asks_again(urgent):
    now = [0.0]
    line = Turns(lambda: now[0])
    running, absent = line.join("a"), line.join("b", urgent)
    second, third = line.join("c"), line.join("d")
    assert running.wait(0)
    running.leave()
    assert not second.wait(0), "the first is called and has time to come"
    now[0] = GRACE + 1
    assert not third.wait(0)
    assert second.wait(0)
    assert not absent.wait(0) and not third.wait(0)
    second.leave()
    assert absent.wait(0)
    absent.leave()
    assert third.wait(0)
    now[0] = 1000.0
    fourth = line.join("e")
    assert not fourth.wait(0), "who has come keeps the turn"


def test_one_who_was_passed_over_may_leave_or_be_told_that_the_line_is_closed():
    now = [0.0]
    line = Turns(lambda: now[0])
    absent, other = line.join("a"), line.join("b")
    now[0] = GRACE + 1
    assert not other.wait(0) and other.wait(0)
    absent.leave()
    another = line.join("c")
    other.leave()
    now[0] = 100.0
    last = line.join("d")
    assert not last.wait(0) and last.wait(0), "the one before did not come either"
    line.close("closed")
    with pytest.raises(MethodError, match="closed"):
        another.wait(0)


@pytest.mark.parametrize("urgent", [False, True])
def test_whoever_leaves_while_waiting_is_not_served(urgent):
    line = Turns()
    running, gone, waiting = line.join("a"), line.join("b", urgent), line.join("c")
    gone.leave()
    gone.leave()
    assert len(line) == 1
    running.leave()
    assert waiting.wait(0) and not gone.wait(0)
    running.leave()  # a second call does nothing
    assert waiting.wait(0)


def test_a_closed_line_tells_all_who_wait_or_join_and_lets_the_running_one_end():
    line = Turns()
    running, waiting, urgent = line.join("a"), line.join("b"), line.join("c", urgent=True)
    line.close("the server restarts")
    for turn in (waiting, urgent):
        with pytest.raises(MethodError, match="the server restarts"):
            turn.wait(0)
    with pytest.raises(MethodError, match="the server restarts"):
        line.join("d")
    assert running.wait(0)
    running.leave()
    waiting.leave()
    assert len(line) == 0


def test_never_two_at_once_with_many_threads():
    line, inside, most = Turns(), [0], [0]

    def visitor(owner: str) -> None:
        for _ in range(50):
            turn = line.join(owner)
            while not turn.wait(1):
                pass
            inside[0] += 1
            most[0] = max(most[0], inside[0])
            inside[0] -= 1
            turn.leave()

    threads = [threading.Thread(target=visitor, args=(str(number % 3),)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (most[0], inside[0], len(line)) == (1, 0, 0)
