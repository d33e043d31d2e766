"""The cluster itself, with workers of one thread on this machine, and real weights: `make check-cluster` runs it."""

from __future__ import annotations

import importlib.util
import os
import re
import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from gansr import papers
from gansr.backends.ray.backend import MOVED, Busy
from gansr.engine import Engine
from tests.conftest import missing
from tests.support.ray_cluster import SMALL, Cluster, cluster, job_of, last_of
from tests.support.slicing import differences

pytestmark = [
    pytest.mark.weights,
    pytest.mark.skipif(
        "GANSR_TEST_CLUSTER" not in os.environ, reason="minutes: `make check-cluster` runs it"
    ),
]
SETTINGS = """
searches: {cpus: 1, max_workers: 1, queued: 1}
passes: {cpus: 1, max_workers: 1, at_once: 2}
slice: 0.3
"""
LONG: dict[str, Any] = {
    "iterations": 6000,
    "seeds": 10,
    "zssr_iterations": 6000,
}  # of KernelGAN: many minutes


@pytest.fixture(scope="module")
def ray(tmp_path_factory: pytest.TempPathFactory, weights_of) -> Iterator[Cluster]:
    if importlib.util.find_spec("ray") is None:
        missing("the package ray is not installed (locks/ray.txt)")
    for method in papers.METHODS:
        for name in method.needs(method, method.options()).values():
            weights_of(name)
    with cluster(tmp_path_factory.mktemp("cluster"), SETTINGS) as made:
        yield made


@pytest.mark.parametrize("name", SMALL)
def test_the_same_request_gives_the_same_picture_as_in_one_process(ray, name):
    asked = job_of(name)
    there, here = last_of(ray.backend, asked), Engine("cpu").upscale(asked)
    assert differences(there, here) == [] and there.numerics == here.numerics


def test_who_stops_has_the_worker_free_within_a_step(ray):
    frames = ray.backend.frames(job_of("kernelgan", **LONG))
    assert any(frame.step > 2 for frame in frames)
    ray.until(lambda: ray.pool()["running"] == 1)
    frames.close()
    last_of(
        ray.backend, job_of("kernelgan", iterations=1, zssr_iterations=1)
    )  # the only worker is free for it
    ray.until(ray.is_idle)


def test_a_search_whose_worker_is_killed_goes_on_with_the_next(ray):
    asked = job_of("kernelgan", iterations=150, zssr_iterations=200)
    here = Engine("cpu").upscale(asked)
    killed, last = 0, None
    for last in ray.backend.frames(asked):
        if last.computed > 0.7 and not killed:
            (killed,) = ray.workers()
            os.kill(killed, signal.SIGKILL)
    assert killed and last is not None and last.notices == (*here.notices, MOVED)
    assert differences(last, here) == ["notices"], "bit for bit from the last slice on"
    assert killed not in ray.workers()


def test_a_full_line_is_said_with_the_time_to_try_again(ray):
    runs = [ray.backend.frames(job_of("kernelgan", owner=f"{number}", **LONG)) for number in range(3)]
    try:
        assert any(frame.step > 2 for frame in runs[0])
        reading = threading.Thread(target=lambda: list(zip(range(20), runs[0], strict=False)), daemon=True)
        reading.start()
        waiting = (frame for frame in runs[1] if frame.ahead is not None)
        assert next(waiting).ahead == 1
        with pytest.raises(Busy, match=r"busy: try again in about \d+ "):
            list(runs[2])
        assert ray.backend.estimate(job_of("kernelgan")).waiting >= 1
        reading.join()
    finally:
        for run in runs:
            run.close()
    ray.until(ray.is_idle)


def test_a_page_that_is_killed_leaves_no_worker_busy_and_its_driver_is_started_again(ray):
    frames = ray.backend.frames(job_of("kernelgan", **LONG))
    assert any(frame.step > 2 for frame in frames)
    driver = ray.backend._link._process
    driver.kill()
    *_, last = frames
    assert "best so far" in last.notices[-1], "the page says that the cluster is lost"
    ray.until(lambda: ray.backend._link._process is not driver and ray.pool()["workers"] == 1)
    ray.until(ray.is_idle)  # the place of the job is given up when nobody renews it
    last_of(ray.backend, job_of("kernelgan", iterations=1, zssr_iterations=1))


def test_the_metrics_count_jobs_by_method_and_stage(ray):
    last_of(ray.backend, job_of("srgan"))

    def counted() -> bool:
        text = ray.metrics()
        return all(
            re.search(rf"^ray_gansr_{name}\b", text, re.MULTILINE)
            for name in ("requests_total", "seconds_bucket", "frames_total", "cancelled_total", "memory_bytes",
                         "waiting", "running", "workers", "busy_total", "queue_seconds_bucket")
        )  # fmt: skip

    ray.until(counted)


def test_sigterm_ends_all_of_it_within_20_s_and_hands_the_search_back(ray):
    """The last one: the cluster is gone after it."""
    frames = ray.backend.frames(job_of("kernelgan", **LONG))
    assert any(frame.step > 2 for frame in frames)
    took: list[float] = []
    ending = threading.Thread(target=lambda: took.append(ray.stop()))
    ending.start()
    *_, last = frames
    ending.join()
    assert 0 < last.step < last.steps and "best so far" in last.notices[-1]
    assert took and ray.process.returncode == 0, "it ended by itself: what does not is killed after its time"
