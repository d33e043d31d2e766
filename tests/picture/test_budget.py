"""The budget of openings: who does not fit waits in line, nobody for ever."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from gansr.picture import PictureError, core, open_picture, png
from gansr.picture.budget import Budget
from tests.support.bad_inputs import blank_png


def until(true) -> None:
    """Let the other threads go on until `true()`."""
    pause = threading.Event()
    while not true():
        pause.wait(0.001)


def test_the_line_is_first_come_first_served():
    budget, came, threads = Budget(100), [], []
    with budget.hold(60):
        for number, need in enumerate(
            (90, 10, 10)
        ):  # the last two would fit beside the first, but came later

            def wait(number: int = number, need: int = need) -> None:
                with budget.hold(need):
                    came.append(number)

            threads.append(threading.Thread(target=wait))
            threads[-1].start()
            until(lambda number=number: budget.waiting() == number + 1)
        assert came == []
    for thread in threads:
        thread.join()
    assert came[0] == 0
    assert sorted(came) == [0, 1, 2]
    assert budget.held == budget.waiting() == 0


def test_a_need_above_the_budget_is_met_alone():
    budget = Budget(100)
    with budget.hold(500):
        assert budget.held == 500
        done = threading.Event()
        other = threading.Thread(target=lambda: (budget.hold(1).__enter__(), done.set()))
        other.start()
        until(budget.waiting)
        assert not done.is_set()
    other.join()
    assert done.is_set()


def test_growing_never_waits():
    budget = Budget(100)
    with budget.hold(40) as one, budget.hold(40) as other:
        assert one.grow(60)
        assert not other.grow(60)
        assert budget.held == 100
        assert one.grow(10)
        assert other.grow(90)
    assert budget.held == 0
    with budget.hold(1) as alone:
        assert alone.grow(1000)


def test_what_fails_gives_back_what_it_held():
    budget = Budget(100)
    with pytest.raises(ValueError), budget.hold(70):
        raise ValueError
    assert budget.held == 0


@pytest.fixture
def watched(monkeypatch):
    """A budget in place of the real one, and the most bytes that were declared by openings while they decoded."""
    budget, decoding, most = Budget(3_000_000), [], []
    monkeypatch.setattr(core, "OPENING", budget)
    real, lock = core._normalise, threading.Lock()

    def normalise(prepared, digest):
        with lock:
            decoding.append(prepared.peak)
            most.append((sum(decoding), len(decoding)))
        try:
            return real(prepared, digest)
        finally:
            with lock:
                decoding.remove(prepared.peak)

    monkeypatch.setattr(core, "_normalise", normalise)
    return budget, most


def test_pictures_opened_at_once_stay_within_the_budget(watched):
    budget, most = watched
    data = blank_png(256, 256, 6)  # 1.2 MB
    with ThreadPoolExecutor(8) as pool:
        opened = list(pool.map(lambda _: open_picture(data).rgb.shape, range(24)))
    assert opened == [(3, 256, 256)] * 24
    assert max(total for total, _ in most) <= budget.size
    assert max(count for _, count in most) <= 2
    assert budget.held == budget.waiting() == 0


def test_a_picture_above_the_budget_is_opened_alone(watched):
    budget, most = watched
    large, small = blank_png(512, 512, 6), blank_png(64, 64)  # 4.7 MB
    with ThreadPoolExecutor(8) as pool:
        opened = list(pool.map(lambda i: open_picture(small if i % 2 else large).rgb.shape[1], range(16)))
    assert opened == [512, 64] * 8
    assert all(count == 1 for total, count in most if total > budget.size)
    assert budget.held == 0


def test_what_waits_holds_no_copy_of_its_file(watched, monkeypatch):
    budget, _ = watched
    alive = []
    real = png.read

    def read(data):
        prepared = real(data)
        alive.append(prepared.file)
        return prepared

    monkeypatch.setattr(png, "read", read)
    with budget.hold(budget.size - 100_000), ThreadPoolExecutor(1) as pool:
        waits = pool.submit(open_picture, blank_png(256, 256, 6))
        until(budget.waiting)
        assert [file.closed for file in alive] == [True]
        budget_left = budget.held
        assert budget_left == budget.size - 100_000
        with budget._changed:
            budget.size *= 2
            budget._changed.notify_all()
        assert waits.result().rgb.shape == (3, 256, 256)
    assert len(alive) == 2


def test_a_refused_picture_gives_back_what_it_held(watched):
    budget, _ = watched
    for data in (b"no picture", blank_png(64, 64)[:-30], blank_png(9000, 1)):
        with pytest.raises(PictureError):
            open_picture(data)
    assert budget.held == 0
