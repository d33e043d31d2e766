"""How far a job is, in seconds and in words."""

from __future__ import annotations

import pytest
import torch

from gansr.method import Frame
from gansr.progress import Timing, duration_text, progress_text


def frame(step: int, steps: int = 80, **changed) -> Frame:
    return Frame(torch.zeros(3, 2, 2), step, steps, **changed)


@pytest.mark.parametrize(
    "given, text",
    [
        (frame(0), "Starting"),
        (frame(0, left=6.2), "Starting · about 6 s left"),
        (frame(0, ahead=2, wait=41.0, waited=3.0), "Waiting: 2 jobs ahead, about 40 s"),
        (frame(0, ahead=1, wait=200.0), "Waiting: 1 job ahead, about 3 min"),
        (frame(0, ahead=1), "Waiting: 1 job ahead"),
        (frame(0, ahead=0, wait=2.0), "Waiting: next in line, about 2 s"),
        (frame(12, left=9.3), "Step 12 of 80 · 15 % · about 9 s left"),
        (frame(12), "Step 12 of 80 · 15 %"),
        (frame(12, left=9.3, lent=True), "Step 12 of 80 · 15 % · another job goes first"),
        (frame(80, left=0.0), "Step 80 of 80 · 100 %"),
    ],
)
def test_progress_in_words(given, text):
    assert progress_text(given) == text


@pytest.mark.parametrize(
    "seconds, text",
    [
        (0.1, "1 s"),
        (9.4, "9 s"),
        (9.6, "10 s"),
        (12.0, "10 s"),
        (88.0, "90 s"),
        (91.0, "2 min"),
        (3600.0, "60 min"),
    ],
)
def test_an_estimate_is_as_coarse_as_it_is_known(seconds, text):
    assert duration_text(seconds) == f"about {text}"


def timing(expected: float | None) -> Timing:
    return Timing(lambda: expected, lambda: True)


def test_the_time_left_is_the_estimate_until_two_steps_are_done():
    job = timing(30.0)
    assert job.left() == 30.0
    job.add(12.0, 1, 10)  # it compiled
    assert job.left() == 18.0
    job.add(1.0, 2, 10)
    assert job.left() == 8.0
    job.add(3.0, 4, 10)
    assert job.left() == 8.0
    job.begin_again()
    assert (job.left(), job.spent) == (30.0, 0.0)


def test_the_time_left_is_not_known_without_an_estimate():
    job = timing(None)
    job.add(12.0, 1, 10)
    assert job.left() is None
    job.add(1.0, 2, 10)
    assert job.left() == 8.0


def test_a_job_that_takes_longer_than_expected_has_nothing_left_rather_than_less():
    job = timing(2.0)
    job.add(12.0, 1, 10)
    assert job.left() == 0.0
