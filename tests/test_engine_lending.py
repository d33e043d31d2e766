"""The engine between the steps of a long job: it lends the device to a short one, and neither result changes."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from gansr import papers
from gansr.engine import Engine, Job
from gansr.method import Frame, MethodError
from gansr.nets.mobilestylegan import MobileStyleGAN
from gansr.options import parse_options
from gansr.turns import GRACE, LEND, Turns
from tests.papers.srgan.random_nets import random_net
from tests.support.fakes import FAKE, Options

LONG = dataclasses.replace(FAKE, name="long")


def low(height: int = 8, width: int = 8) -> torch.Tensor:
    return torch.rand(3, height, width, generator=torch.Generator().manual_seed(1))


def join(machine: Engine, job: Job) -> Any:
    """The frames of a job that has joined the line."""
    stream = machine.stream(job)
    for _ in range(2):
        next(stream)
    return stream


def lending(**given: Any) -> tuple[Engine, Any, Any]:
    """An engine, a long job that computes and a short one of another owner that waits, whose estimate is known. The
    clock moves on by 0.1 s at every look."""
    ticks = itertools.count()
    machine = Engine("cpu", load=lambda name: None, pace=0.0, clock=lambda: next(ticks) * 0.1, **given)
    machine.upscale(Job(FAKE, low(), Options()))
    running = join(machine, Job(LONG, low(), Options(steps=1000), owner="a"))
    return machine, running, join(machine, Job(FAKE, low(), Options(), owner="b"))


def until_lent(running: Iterator[Frame]) -> tuple[Frame, Frame]:
    """The frame before a job lends its turn, and the first after."""
    before = next(running)
    while not (frame := next(running)).lent:
        before = frame
    return before, frame


def test_a_long_job_lends_its_turn_after_two_seconds_of_its_own_computing():
    _, running, short = lending()
    before, frame = until_lent(running)
    assert LEND <= before.computed < LEND + 0.2 and frame.step == before.step
    result = list(short)[-1]
    assert result.step == 5
    assert not (after := next(running)).lent
    assert after.step == before.step + 1 and after.computed < before.computed + 0.2, (
        "the lent time is not its own"
    )


def test_never_more_than_one_overtakes_in_two_seconds():
    machine, running, short = lending()
    second = join(machine, Job(FAKE, low(), Options(), owner="c"))
    first, _ = until_lent(running)
    assert list(short)[-1].step == 5
    then, _ = until_lent(running)
    assert then.computed - first.computed >= LEND
    assert list(second)[-1].step == 5


def test_a_job_whose_estimate_is_not_known_does_not_overtake():
    machine, running, short = lending()
    machine.speeds.forget()
    assert not any(next(running).lent for _ in range(100))
    short.close()


def test_a_job_whose_memory_is_not_free_does_not_overtake(monkeypatch):
    _, running, short = lending()
    monkeypatch.setattr("gansr.memory.free_on", lambda device: 100.0)
    assert not any(next(running).lent for _ in range(100))
    monkeypatch.setattr("gansr.memory.free_on", lambda device: None)
    assert next(running).step and any(next(running).lent for _ in range(2))
    short.close()


def test_a_job_that_is_closed_while_its_turn_is_lent_leaves_the_line_to_the_others():
    machine, running, short = lending()
    until_lent(running)
    assert next(short).step == 0  # it begins
    running.close()
    assert list(short)[-1].step == 5
    assert machine.upscale(Job(FAKE, low(), Options())).step == 5


def test_a_short_job_that_fails_or_is_closed_gives_the_turn_back():
    machine, running, short = lending()
    for _ in range(2):
        until_lent(running)
        next(short)
        short.close()
        assert not next(running).lent
        short = join(machine, Job(FAKE, low(), Options(break_at=1), owner="b"))
    until_lent(running)
    with pytest.raises(MethodError, match="broke down"):
        list(short)
    assert not next(running).lent


def test_the_deadline_does_not_count_the_lent_time():
    _, running, short = lending(deadline=6.0)
    until_lent(running)
    for _ in range(100):  # 10 s
        assert next(running).lent
    list(short)
    frames = list(running)
    assert any("stopped after 6 s" in note for note in frames[-1].notices)
    assert frames[-1].computed == pytest.approx(6.0, abs=0.2)


def test_the_peak_of_a_job_that_lent_its_turn_is_its_own(monkeypatch):
    peak = [0.0]
    monkeypatch.setattr("gansr.memory.forget_peak", lambda device: peak.__setitem__(0, 1.0))
    monkeypatch.setattr("gansr.memory.peak_on", lambda device: peak[0])
    _, running, short = lending()
    peak[0] = 7.0
    until_lent(running)
    next(short)
    next(short)
    peak[0] = 9.0
    assert list(short)[-1].memory == 9.0
    assert next(running).memory == 7.0


def test_waiting_frames_tell_what_is_ahead_and_running_ones_what_is_left():
    machine, running, short = lending()
    frame = next(running)
    assert frame.left == pytest.approx((frame.steps - frame.step) * frame.computed / frame.step, rel=0.1)
    waiting = next(short)
    assert (waiting.ahead, waiting.wait) == (0, LEND)
    another = machine.stream(Job(LONG, low(), Options(steps=1000), owner="c"))
    next(another)
    told = next(another)
    assert told.ahead == 2 and told.wait is not None and told.wait > 90
    running.close()
    short.close()
    begins = next(another)
    assert (begins.ahead, begins.wait, begins.step) == (None, None, 0)


# ---------------------------------------------------------------------------------- with the real methods

SETTINGS: dict[str, dict[str, Any]] = {
    "pulse": {"side": "16", "steps": 5, "rate": 0.2},
    "kernelgan": {"iterations": 20, "zssr_iterations": 4, "crop": 32},
    "srgan": {"tile": 32},
}
SIZES = {"pulse": (16, 16), "kernelgan": (96, 88), "srgan": (60, 50)}


def tiny(name: str) -> Any:
    if name.startswith("srgan"):
        return random_net("krasserm")
    torch.manual_seed(0)
    return MobileStyleGAN((16, 16, 16, 8), style=16, mapping_layers=2).requires_grad_(False).eval()  # 64²


def job(name: str, seed: int = 0) -> Job:
    method = papers.by_name(name)
    return Job(
        method, low(*SIZES[name]), parse_options(method.options, SETTINGS[name]), seed, owner=f"{name} {seed}"
    )


@pytest.mark.parametrize(
    "long, short",
    [
        ("pulse", "srgan"),
        ("kernelgan", "srgan"),
        ("srgan", "pulse"),
        ("pulse", "pulse"),
        ("kernelgan", "kernelgan"),
        ("srgan", "srgan"),
    ],
)
def test_a_result_is_the_same_bit_for_bit_whether_its_turn_was_lent_or_not(
    one_thread, monkeypatch, long, short
):
    """Every look at the clock takes 2 s, so the turn is lent after each step; every other job is short."""
    machine = Engine("cpu", load=tiny, pace=0.0, clock=itertools.count(0, LEND).__next__)
    alone, other = machine.upscale(job(long)), machine.upscale(job(short, 9))
    monkeypatch.setattr(machine, "seconds", lambda job: 1.0)
    running = machine.stream(job(long))
    frames, loans = [next(running), next(running)], 0
    overtaking = join(machine, job(short, 9))
    for frame in running:
        frames.append(frame)
        if frame.lent:
            *_, result = overtaking
            assert torch.equal(result.image, other.image)
            loans += 1
            overtaking = join(machine, job(short, 9))
    overtaking.close()
    assert loans > 1 and frames[-1].step == frames[-1].steps
    assert torch.equal(frames[-1].image, alone.image)
    assert frames[-1].readings == alone.readings
    assert all(torch.equal(answer, alone.answers[title]) for title, answer in frames[-1].answers.items())


def test_a_long_job_that_is_not_read_on_gives_its_turn_away_and_its_result_is_the_same():
    wanted = Engine("cpu", load=lambda name: None, pace=0.0).upscale(Job(LONG, low(), Options(steps=20)))
    now = [0.0]
    machine = Engine("cpu", load=lambda name: None, pace=0.0, clock=lambda: now[0])
    machine.turns = Turns(lambda: now[0])
    running = join(machine, Job(LONG, low(), Options(steps=20), owner="a"))
    before = next(running)
    others = machine.stream(Job(LONG, low(), Options(steps=3), owner="b"))
    assert [next(others).step for _ in range(2)] == [0, 0]
    now[0] += GRACE + 1
    assert [next(others).step, next(others).step, next(others).step] == [0, 0, 1], "it has the turn now"
    again = next(running)
    assert again.lent and again.step == before.step
    assert [frame.step for frame in others] == [2, 3]
    *_, last = running
    assert last.step == 20 and last.computed == 0.0 and torch.equal(last.image, wanted.image)
    assert len(machine.turns) == 0
