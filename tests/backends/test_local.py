"""The start of the backend in this process."""

from __future__ import annotations

import os

import pytest
import torch

from gansr import papers, weights
from gansr.backends.estimate import Estimate
from gansr.backends.local import Local
from gansr.engine import Engine
from gansr.job import Job
from gansr.weights import cache
from tests.support.fakes import FAKE


@pytest.mark.parametrize("storable", [True, False])
def test_compiled_networks_are_kept_beside_the_weights_where_these_can_be_written(
    tmp_path, monkeypatch, storable
):
    monkeypatch.setenv("GANSR_CACHE", str(tmp_path))
    monkeypatch.delenv("GANSR_COMPILE", raising=False)
    monkeypatch.setattr(papers, "METHODS", ())
    monkeypatch.setattr(weights, "storable", lambda: storable)
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "")  # so that it is put back
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR")
    Local(Engine("cpu")).start()
    expected = str(tmp_path / "compiled") if storable else None
    assert os.environ.get("TORCHINDUCTOR_CACHE_DIR") == expected


def test_the_start_deletes_what_a_killed_download_left(tmp_path, monkeypatch):
    monkeypatch.setenv("GANSR_CACHE", str(tmp_path))
    monkeypatch.setenv("GANSR_COMPILE", "0")
    (cache.folder() / ".work-left").mkdir()
    Local(Engine("cpu")).start()
    assert not (tmp_path / ".work-left").exists()


def test_an_estimate_has_the_table_s_seconds_and_counts_the_jobs_before(monkeypatch):
    monkeypatch.setattr(Engine, "fast_bf16", True)  # the table is README's
    engine = Engine("cpu", load=lambda name: None)
    job = Job(FAKE, torch.zeros(3, 8, 8), FAKE.options(steps=1000))
    assert Local(engine).estimate(job) == Estimate(None, 0)
    running = engine.stream(job)
    for _ in range(2):
        next(running)
    assert Local(engine).estimate(job).waiting == 1
    running.close()
    pulse = papers.METHODS[0]
    low = torch.zeros(3, 32, 32)
    assert Local(engine).estimate(Job(pulse, low, pulse.options())).seconds == pytest.approx(95 * 0.15)


def test_a_damaged_file_of_weights_does_not_end_the_start(tmp_path, monkeypatch):
    monkeypatch.setenv("GANSR_CACHE", str(tmp_path))
    monkeypatch.delenv("GANSR_COMPILE", raising=False)
    monkeypatch.setattr(weights, "ready", lambda name: True)
    monkeypatch.setattr(weights, "storable", lambda: False)

    def damaged(name):
        raise weights.WeightsError("it is damaged")

    Local(Engine("cpu", load=damaged)).start()
    assert not Local(Engine("cpu", load=damaged)).unavailable("pulse")


def test_times_are_kept_beside_the_weights_from_the_start_on(tmp_path, monkeypatch):
    monkeypatch.setenv("GANSR_CACHE", str(tmp_path))
    monkeypatch.setenv("GANSR_COMPILE", "0")
    job = Job(FAKE, torch.zeros(3, 8, 8), FAKE.options())
    for started in (False, True):
        backend = Local(Engine("cpu", load=lambda name: None))
        if started:
            backend.start()
        list(backend.frames(job))
        assert (tmp_path / "speeds.json").exists() == started
