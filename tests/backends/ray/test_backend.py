"""The backend of the page, with workers of this process."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import pytest
import torch

from gansr import papers
from gansr.backends import Backend
from gansr.backends.estimate import Estimate
from gansr.backends.ray import backend as module
from gansr.backends.ray.backend import CUT_OFF, LOST, MOVED, Busy, Ray
from gansr.backends.ray.messages import Told
from gansr.backends.ray.settings import SEARCHES
from gansr.engine import Engine
from gansr.method import Frame, Heat, MethodError
from tests.backends.ray.test_worker import engine, job, made
from tests.support.fake_driver import FakeLink
from tests.support.fakes import FAKE
from tests.support.searches import SEARCH
from tests.support.slicing import differences

POOL = {
    "workers": 2,
    "running": 3,
    "waiting": 4,
    "device": "CPU, 1 thread",
    "speed": "cpu",
    "unavailable": {},
}


@pytest.fixture(autouse=True)
def methods(monkeypatch):
    monkeypatch.setattr(papers, "METHODS", (SEARCH, FAKE))


@pytest.fixture
def link() -> FakeLink:
    return FakeLink(made)


def ray(link: FakeLink, pages: Engine | None = None) -> Ray:
    return Ray(pages or engine(), link=link)


def test_the_frames_are_those_of_the_engine_and_the_last_is_exact(link):
    backend: Backend = ray(link)
    asked = job()
    first, *frames = backend.frames(asked)
    local = list(engine().stream(asked))
    assert torch.equal(first.image, local[0].image) and first.step == 0
    assert differences(frames[-1], local[-1]) == [] and frames[-1].checkpoint is None
    (ask,) = link.asked
    assert (ask.pool, ask.method, ask.first) == (SEARCHES, "search", False)


def test_a_single_pass_goes_to_the_other_pool(link):
    low = torch.rand(3, 8, 8)
    *_, last = ray(link).frames(dataclasses.replace(job(), method=FAKE, low=low, options=FAKE.options()))
    assert last.step == last.steps == 5 and link.asked[0].pool == "passes"
    seen = last.views["map"]
    assert (
        last.files["map.csv"] == b"a table" and isinstance(seen, Heat) and seen.values.dtype == torch.float32
    )


def test_who_waits_sees_how_many_are_ahead(link):
    link.before = [[Told("waits", 3, 20.0), Told("waits", 1, 5.0)]]
    frames = list(ray(link).frames(job(steps=2)))
    waiting = [(frame.ahead, frame.wait) for frame in frames if frame.ahead is not None]
    assert (1, 5.0) in waiting and frames[-1].ahead is None
    assert frames[-1].waited >= 0


@pytest.mark.parametrize("deaths", [1, 2])
def test_a_search_whose_worker_dies_goes_on_with_another_and_says_so(link, deaths):
    link.dies_after = [1] * deaths
    asked = job(seconds=0.02)
    *frames, last = ray(link).frames(asked)
    assert last.step == last.steps and last.notices == (MOVED,)
    assert torch.equal(last.image, engine().upscale(asked).image), "bit for bit"
    assert [ask.first for ask in link.asked] == [False] + [True] * deaths
    steps = [frame.step for frame in frames]
    assert steps.count(0) == 1 and steps == sorted(steps), (
        "nothing is computed again but what came after the state"
    )


def test_after_three_deaths_the_best_so_far_is_the_result(link):
    link.dies_after = [1] * 3
    *_, last = ray(link).frames(job(steps=200, seconds=0.02))
    assert 0 < last.step < last.steps and last.notices == (MOVED, CUT_OFF) and len(link.asked) == 3


def test_a_job_whose_workers_die_before_its_first_step_says_what_to_do(link):
    link.before = [[Told("moved")]] * 3
    with pytest.raises(MethodError, match="Press Run again"):
        list(ray(link).frames(job()))


def test_a_full_line_says_when_to_try_again(link):
    link.before = [[Told("busy", 9, 42.0)]]
    with pytest.raises(Busy, match="busy: try again in about 40 s"):
        list(ray(link).frames(job()))


def test_a_cluster_that_does_not_answer_says_so(link):
    link.gone = True
    with pytest.raises(MethodError, match=LOST):
        list(ray(link).frames(job()))


def test_a_cluster_that_is_lost_in_mid_search_leaves_the_best_so_far(link):
    link.dies_after = [1]
    shown: Frame | None = None
    for shown in ray(link).frames(job(steps=200, seconds=0.02)):
        link.gone = shown.step > 0
    assert shown is not None and 0 < shown.step < 200 and shown.notices[-1] == CUT_OFF


def test_an_error_for_the_user_keeps_its_text_and_a_fault_of_ours_does_not(link):
    with pytest.raises(MethodError, match="no good kernel was found"):
        list(ray(link).frames(job(fails_at=2)))
    link.before = [[], [Told("failed", text="KeyError: 'secret'")]]
    with pytest.raises(RuntimeError, match="the worker broke down: KeyError") as caught:
        list(ray(link).frames(job()))
    assert not isinstance(caught.value, MethodError)


def test_closing_the_frames_closes_the_connection(link):
    frames = ray(link).frames(job(steps=10_000, seconds=0.01))
    for _ in range(4):
        next(frames)
    frames.close()
    end = time.monotonic() + 180  # then it hangs
    while not link.closed and time.monotonic() < end:
        time.sleep(0.01)
    assert link.closed == [0]


def test_a_page_that_ends_lets_no_job_begin(link):
    pages = engine()
    link.before = [[Told("waits", 1, 5.0)] * 200]
    frames = ray(link, pages).frames(job())
    next(frames)
    pages.turns.close("The server restarts.")
    with pytest.raises(MethodError, match="restarts"):
        list(frames)


def test_a_run_that_is_not_read_gives_its_worker_back_and_goes_on_later(link, monkeypatch):
    monkeypatch.setattr(module, "UNREAD", 0.3)
    asked = job(steps=100, seconds=0.02)
    frames = ray(link).frames(asked)
    for frame in frames:
        if frame.step > 10:
            break
    end = time.monotonic() + 180  # then it hangs
    while not link.closed and time.monotonic() < end:
        time.sleep(0.05)  # the visitor is away
    assert link.closed == [0], "the worker is free"
    *_, last = frames
    assert torch.equal(last.image, engine().upscale(asked).image) and not last.notices
    assert link.asked[1].first


def test_an_estimate_counts_what_must_end_before(link):
    assert ray(link).estimate(job()) == Estimate(None)
    link.known = {"pools": {"searches": POOL}}
    assert ray(link).estimate(job()).waiting == 6


def test_a_paper_is_unavailable_without_a_cluster_without_workers_or_without_its_weights(link):
    backend = ray(link)
    assert backend.unavailable("search") == "the cluster does not answer"
    pool: dict[str, Any] = {**POOL, "workers": 0}
    link.known = {"pools": {"searches": pool}}
    assert backend.unavailable("search") == "no worker is there"
    pool |= {"workers": 1, "unavailable": {"search": "no weights"}}
    assert backend.unavailable("search") == "no weights"
    pool["unavailable"] = {}
    assert backend.unavailable("search") == ""
    link.started = False
    assert backend.unavailable("search") == "", "the page is built before the driver starts"
