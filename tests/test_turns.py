"""The line before the device: one at a time, owners in rotation, and whoever leaves frees the place."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import pytest

from gansr.method import MethodError
from gansr.turns import GRACE, LEND, SHORT, Ahead, Turn, Turns


@dataclass
class Work:
    """A job for the line."""

    seconds: float | None = None
    room: bool = True

    def left(self) -> float | None:
        return self.seconds

    def fits(self) -> bool:
        return self.room


BRIEF, LONG = Work(1.0), Work(60.0)


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


# ---------------------------------------------------------------------------------------------- lending


def test_a_short_job_of_another_owner_overtakes_between_two_steps_and_gives_the_device_back():
    line = Turns()
    running, long = line.join("a", work=LONG), line.join("b", work=LONG)
    assert running.wait(0) and not running.lend()
    urgent = line.join("b", urgent=True)
    first, second = line.join("c", work=BRIEF), line.join("d", work=BRIEF)
    assert running.lend()
    assert first.wait(0) and not running.wait(0) and not second.wait(0) and not urgent.wait(0)
    assert not first.lend(), "who has borrowed the turn does not lend it again"
    first.leave()
    assert running.wait(0) and not second.wait(0) and not urgent.wait(0) and not long.wait(0)
    running.leave()
    assert served({"urgent": urgent, "long": long, "second": second}) == ["urgent", "long", "second"]


@pytest.mark.parametrize(
    "owner, work",
    [
        ("a", BRIEF),  # the same owner
        ("b", Work(SHORT + 0.1)),
        ("b", Work(None)),
        ("b", None),
        ("b", Work(1.0, room=False)),
    ],
)
def test_only_a_short_job_of_another_owner_whose_memory_is_free_overtakes(owner, work):
    line = Turns()
    running, other = line.join("a", work=LONG), line.join(owner, work=work)
    assert running.wait(0) and not running.lend()
    assert running.wait(0) and not other.wait(0)
    fitting = line.join("c", work=BRIEF)
    assert running.lend() and fitting.wait(0)


def test_an_owners_short_job_does_not_overtake_the_owners_own_long_one():
    line = Turns()
    running, long, short = (
        line.join(owner, work=work) for owner, work in (("a", LONG), ("b", LONG), ("b", BRIEF))
    )
    assert running.wait(0) and not running.lend()
    long.leave()
    assert running.lend() and short.wait(0)


def test_who_has_overtaken_goes_to_the_end_of_the_rotation():
    line = Turns()
    running = line.join("a", work=LONG)
    turns = {name: line.join(name[0], work=BRIEF) for name in ("b1", "b2", "c1")}
    order: list[str] = []
    while turns:
        assert running.wait(0) and running.lend()
        (name,) = (name for name, turn in turns.items() if turn.wait(0))
        order.append(name)
        turns.pop(name).leave()
    assert order == ["b1", "c1", "b2"]


def test_a_turn_that_is_given_up_while_it_is_lent_leaves_the_line_to_the_others():
    line = Turns()
    running, short, long = (
        line.join(owner, work=work) for owner, work in (("a", LONG), ("b", BRIEF), ("c", LONG))
    )
    assert running.wait(0) and running.lend() and short.wait(0)
    running.leave()
    assert short.wait(0) and not long.wait(0)
    short.leave()
    assert long.wait(0) and not running.wait(0)


def test_who_borrows_and_does_not_come_is_passed_over():
    now = [0.0]
    line = Turns(lambda: now[0])
    running, absent = line.join("a", work=LONG), line.join("b", work=BRIEF)
    assert running.wait(0) and running.lend() and not running.wait(0)
    now[0] = GRACE + 1
    assert not running.wait(0) and running.wait(0)
    assert not running.lend(), "it is out of the line until it asks"
    assert not absent.wait(0)
    assert running.lend() and absent.wait(0)
    absent.leave()
    assert running.wait(0)


def test_a_lender_that_does_not_come_back_is_passed_over_and_is_the_first_again():
    now = [0.0]
    line = Turns(lambda: now[0])
    running, short, long = (
        line.join(owner, work=work) for owner, work in (("a", LONG), ("b", BRIEF), ("c", LONG))
    )
    assert running.wait(0) and running.lend() and short.wait(0)
    short.leave()
    now[0] = GRACE + 1
    assert not long.wait(0) and long.wait(0) and not running.wait(0)
    last = line.join("d", work=LONG)
    long.leave()
    assert running.wait(0) and not last.wait(0)


def test_a_lender_gets_its_turn_back_from_a_closed_line():
    line = Turns()
    running, short = line.join("a", work=LONG), line.join("b", work=BRIEF)
    assert running.wait(0) and running.lend() and short.wait(0)
    line.close("closed")
    assert not running.wait(0)
    short.leave()
    assert running.wait(0) and not running.lend()


def test_whoever_waits_knows_how_many_are_ahead_and_how_long_they_take():
    line = Turns()
    works = {"a1": Work(30.0), "b1": Work(20.0), "b2": LONG, "c1": Work(8.0), "c2": LONG}
    turns = {name: line.join(name[0], work=work) for name, work in works.items()}
    ahead = {name: turn.ahead() for name, turn in turns.items()}
    assert ahead == {
        "a1": Ahead(0, 0.0),
        "b1": Ahead(1, 30.0),
        "c1": Ahead(2, 50.0),
        "b2": Ahead(3, 58.0),
        "c2": Ahead(4, 118.0),
    }
    works["a1"].seconds = 2.0
    assert turns["c1"].ahead() == (2, 22.0)
    works["b1"].seconds = None
    assert turns["c1"].ahead() == (2, None) and turns["b1"].ahead() == (1, 2.0)
    line.join("d", urgent=True)
    assert turns["b1"].ahead() == (1, 2.0), "a measurement is no job"


def test_a_short_job_that_will_overtake_says_so():
    line = Turns()
    running, long = line.join("a", work=LONG), line.join("b", work=LONG)
    first, second = line.join("c", work=BRIEF), line.join("d", work=BRIEF)
    assert first.ahead() == (0, LEND) and second.ahead() == (1, 2 * LEND + 1.0)
    assert long.ahead() == (1, 60.0)
    assert running.wait(0) and running.lend()
    assert second.ahead() == (1, 2 * LEND + 1.0) and long.ahead() == (2, 61.0)
    first.leave()
    assert second.ahead() == (0, LEND)


def test_never_two_at_once_with_many_threads_that_lend():
    line, inside, most, loans = Turns(), [0], [0], [0]

    def compute() -> None:
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        inside[0] -= 1

    def visitor(owner: str, work: Work, turn: Turn) -> None:
        for _ in range(30):
            while not turn.wait(1):
                pass
            for _ in range(5):
                compute()
                if turn.lend():
                    loans[0] += 1
                    while not turn.wait(1):
                        pass
            compute()
            again = line.join(owner, work=work)
            turn.leave()
            turn = again
        turn.leave()

    places = [(str(number), work) for number, work in enumerate([LONG] * 4 + [BRIEF] * 4)]
    turns = [line.join(owner, work=work) for owner, work in places]
    threads = [
        threading.Thread(target=visitor, args=(*place, turn))
        for place, turn in zip(places, turns, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (most[0], inside[0], len(line)) == (1, 0, 0)
    assert loans[0] > 0


def test_a_job_that_has_begun_and_is_not_read_on_gives_its_turn_to_who_waits_and_is_the_next_when_it_asks():
    now = [0.0]
    line = Turns(lambda: now[0])
    begun, other, third = (line.join(owner) for owner in "abc")
    assert begun.wait(0)
    begun.stand()
    now[0] += GRACE
    assert not other.wait(0) and begun.go_on(), "it came in time"
    begun.stand()
    now[0] += GRACE + 0.1
    assert not other.wait(0) and other.wait(0)
    assert not begun.go_on() and not begun.wait(0)
    other.leave()
    assert begun.wait(0) and not third.wait(0)
    begun.leave()
    assert third.wait(0)


def test_a_job_that_has_begun_and_is_not_read_on_keeps_its_turn_while_nobody_waits():
    now = [0.0]
    line = Turns(lambda: now[0])
    begun = line.join("a")
    assert begun.wait(0)
    begun.stand()
    now[0] += 1000
    assert begun.go_on() and line.holds(begun)
