"""A worker, without Ray."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
import time
from collections.abc import AsyncGenerator
from typing import Any

import pytest
import torch

from gansr import papers, weights
from gansr.backends.failures import Failure
from gansr.backends.ray.messages import BEGUN, LEFT, dumps
from gansr.backends.ray.settings import PASSES, SEARCHES, Settings
from gansr.backends.ray.wire import item_of
from gansr.backends.ray.worker import Worker
from gansr.engine import Engine
from gansr.job import Job
from gansr.method import Frame
from tests.support.fakes import FAKE
from tests.support.searches import SEARCH
from tests.support.slicing import differences

STEP = 0.05  # seconds


class Metrics:
    """What a worker counts."""

    def __init__(self) -> None:
        self.ends: list[tuple[str, str, int]] = []

    def ended(self, method: str, end: str, stages: dict[str, float], frames: int) -> None:
        assert set(stages) == {"wait", "compute"} and min(stages.values()) >= 0
        self.ends.append((method, end, frames))


@pytest.fixture(autouse=True)
def methods(monkeypatch):
    monkeypatch.setattr(papers, "METHODS", (SEARCH, FAKE))


def engine() -> Engine:
    return Engine("cpu", load=lambda name: None, pace=0.0)


def made(pool: str = SEARCHES, slice: float = 0.1) -> Worker:
    settings = dataclasses.replace(Settings(), slice=slice)
    return Worker(pool, settings, Metrics(), engine)


def job(method: Any = SEARCH, **options: Any) -> Job:
    low = torch.rand(3, 8, 8, generator=torch.Generator().manual_seed(3))
    return Job(method, low, method.options(**options), seed=5)


def frame_in(item: bytes) -> Frame:
    found = item_of(item)
    assert isinstance(found, Frame)
    return found


async def items(worker: Worker, job: Job, ticket: str = "a") -> list[bytes]:
    return [item async for item in worker.frames(ticket, dumps(job))]


async def opened(worker: Worker, asked: Job, ticket: str = "a") -> AsyncGenerator[bytes, None]:
    """The items after the first frame, of a job that computes."""
    found = worker.frames(ticket, dumps(asked))
    assert await anext(found) == BEGUN
    frame_in(await anext(found))
    return found


def test_a_search_in_slices_gives_the_same_picture_as_in_one_go():
    worker, asked = made(), job(seconds=0.02)
    begun, *found = asyncio.run(items(worker, asked))
    frames = list(map(frame_in, found))
    last = engine().upscale(asked)
    assert begun == BEGUN and all(frame.step for frame in frames)
    assert sum(frame.checkpoint is not None for frame in frames) >= 2
    assert differences(frames[-1], last) == [] and frames[-1].checkpoint is None
    assert worker._metrics.ends == [("search", "done", len(frames))] and worker.tickets == ()


def test_another_worker_goes_on_from_the_last_state():
    asked = job(seconds=0.02)

    async def two() -> Frame:
        first = await opened(made(), asked)
        state = None
        async for item in first:
            if (state := frame_in(item).checkpoint) is not None:
                break
        await first.aclose()
        assert state is not None and 0 < state.step < 20
        *_, last = await items(made(), dataclasses.replace(asked, checkpoint=state))
        return frame_in(last)

    assert differences(asyncio.run(two()), engine().upscale(asked)) == []


def test_who_cancels_has_the_worker_free_after_one_step():
    worker = made()

    async def cancelled() -> float:
        found = await opened(worker, job(steps=10_000, seconds=STEP))
        reading = asyncio.ensure_future(anext(found))
        await asyncio.sleep(0)
        began = time.monotonic()
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await found.aclose()
        assert worker.tickets == ()
        await items(worker, job(steps=1, seconds=0.0), "b")  # at once
        return time.monotonic() - began

    assert asyncio.run(cancelled()) < 2_000 * STEP  # of 10,000 steps
    assert [end for _, end, _ in worker._metrics.ends] == ["cancelled", "done"]


def test_a_job_whose_page_is_gone_is_stopped_by_its_ticket():
    worker = made()

    async def stopped() -> list[bytes]:
        found = await opened(worker, job(steps=10_000, seconds=0.01))
        worker.stop("nobody's")
        worker.stop("a")
        return [item async for item in found]

    assert len(asyncio.run(stopped())) <= 2


def test_a_worker_that_ends_hands_its_search_back_after_the_slice():
    worker = made()

    async def ended() -> list[bytes]:
        found = await opened(worker, job(steps=10_000, seconds=0.01))
        worker.ending = True
        return [item async for item in found]

    *_, state, last = asyncio.run(ended())
    assert last == LEFT and frame_in(state).checkpoint is not None
    assert worker._metrics.ends[0][1] == "left"


def test_one_job_computes_and_the_next_waits():
    worker = made(PASSES)

    async def both() -> list[str]:
        order: list[str] = []

        async def one(ticket: str) -> None:
            async for item in worker.frames(ticket, dumps(job(steps=5))):
                order.append(ticket if item == BEGUN else ticket.lower())

        await asyncio.gather(one("A"), one("B"))
        return order

    assert asyncio.run(both()) == ["A", *"aaaaa", "B", *"bbbbb"]


def test_the_next_step_is_computed_while_an_item_is_on_its_way(monkeypatch):
    computed = threading.Event()

    def run(low, options, nets, generator):
        yield Frame(low.repeat_interleave(2, 1).repeat_interleave(2, 2), 1, 2)
        computed.set()
        yield Frame(low.repeat_interleave(2, 1).repeat_interleave(2, 2), 2, 2)

    asked = job(dataclasses.replace(FAKE, run=run))
    monkeypatch.setattr(papers, "METHODS", (asked.method,))

    async def first() -> bool:
        found = await opened(made(PASSES), asked)
        ahead = await asyncio.to_thread(computed.wait, 60.0)  # nobody has asked for the second frame
        await found.aclose()
        return ahead

    assert asyncio.run(first())


def test_previews_are_of_8_bits_and_the_last_frame_is_exact():
    *_, before, last = (frame_in(item) for item in asyncio.run(items(made(), job(steps=3)))[1:])
    exact = [frame for frame in engine().stream(job(steps=3)) if frame.step]
    assert torch.equal(last.image, exact[-1].image)
    assert not torch.equal(before.image, exact[-2].image)
    assert float((before.image - exact[-2].image).abs().max()) <= 0.5001 / 255


def test_a_run_that_its_deadline_cut_short_is_exact_at_its_end():
    worker = made(slice=5.0)
    worker.engine = Engine("cpu", load=lambda name: None, pace=10.0, deadline=0.1)
    *_, last = asyncio.run(items(worker, job(steps=1000, seconds=0.02)))
    frame = frame_in(last)
    assert 0 < frame.step < 1000 and "best so far" in frame.notices[0]
    assert not torch.equal(frame.image.mul(255).round(), frame.image.mul(255))


def test_an_error_for_the_user_arrives_as_its_text():
    worker = made()
    *_, last = asyncio.run(items(worker, job(fails_at=2)))
    assert item_of(last) == Failure("MethodError", "no good kernel was found: try another seed")
    assert worker._metrics.ends[0][1] == "error"


def test_a_fault_of_the_program_is_raised_and_the_worker_goes_on():
    worker = made()
    with pytest.raises(KeyError):
        asyncio.run(items(worker, job(breaks_at=2)))
    assert worker._metrics.ends[0][1] == "failed"
    assert len(asyncio.run(items(made(), job(steps=1)))) == 2


def test_weights_that_cannot_be_had_mark_their_paper_and_are_tried_again(monkeypatch):
    clean = []
    monkeypatch.setattr(weights.cache, "clean", lambda: clean.append(1))
    worker = made()

    def refuse(method: Any, options: Any, precision: str = "fast") -> None:
        raise weights.WeightsError("the registry does not answer")

    monkeypatch.setattr(worker.engine, "nets_for", refuse)
    asyncio.run(worker.start())
    assert worker.unavailable == {"search": "the registry does not answer"}
    monkeypatch.undo()
    monkeypatch.setattr(papers, "METHODS", (SEARCH, FAKE))
    asyncio.run(worker.retry())
    assert worker.unavailable and len(clean) == 1, "not yet"
    worker._tried -= 1000
    asyncio.run(worker.retry())
    assert not worker.unavailable
