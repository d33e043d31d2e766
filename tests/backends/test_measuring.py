"""Measurements where a job was computed: which, of what, and that a result never waits for them or is lost by them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch

from gansr.backends import measuring
from gansr.backends.local import Local
from gansr.backends.measuring import NETWORKS, measured
from gansr.engine import Engine
from gansr.job import Job, Wanted
from gansr.method import Frame, Measured
from gansr.metric import Metric
from gansr.metrics import LPIPS_VGG, PSNR_Y
from gansr.ops.colour import to8bit
from gansr.picture import Picture
from gansr.pipeline import Pipeline
from gansr.request import decode
from tests.support.fakes import FAKE, Options
from tests.support.lender import Lender, zerogpu_with

APART = Metric(
    "apart", "Apart", "", "lower", "truth", "A test.",
    measure=lambda a, b, nets: float((a - b).abs().mean()), weights={"net": "a-net"},
)  # fmt: skip
TRUTH, BASELINE = torch.full((3, 16, 16), 0.2), torch.full((3, 16, 16), 0.6)
WANTED = Wanted(TRUTH, BASELINE)
LOW = torch.full((3, 8, 8), 0.4)


@pytest.fixture(autouse=True)
def one_metric(monkeypatch: Any) -> None:
    monkeypatch.setattr(measuring, "NETWORKS", (APART,))


def engine() -> Engine:
    return Engine("cpu", load=lambda name: None)


def test_the_metrics_are_those_of_a_network_that_runs_on_the_device():
    assert [metric.name for metric in NETWORKS] == ["lpips_alex", "lpips_vgg"]


def test_result_and_baseline_are_measured_against_the_truth_in_8_bit():
    found = measured(engine(), torch.full((3, 16, 16), 0.5), WANTED)
    assert found is not None
    assert found.result["apart"] == pytest.approx(128 / 255 - 0.2, abs=1e-6)  # 0.5 is rounded to 128/255
    assert found.baseline["apart"] == pytest.approx(0.4, abs=1e-6)


def test_a_result_of_another_size_and_a_metric_that_breaks_down_leave_the_measurement_to_others(monkeypatch):
    assert measured(engine(), torch.zeros(3, 15, 16), WANTED) is None

    def full(*_: Any) -> float:
        raise torch.OutOfMemoryError("full")

    monkeypatch.setattr(measuring, "NETWORKS", (replace(APART, measure=full),))
    assert measured(engine(), torch.zeros(3, 16, 16), WANTED) is None


def test_a_worker_hands_out_the_result_first_and_then_with_its_measurements(monkeypatch):
    backend = zerogpu_with(Lender(), (FAKE,), monkeypatch).ZeroGpu()
    frames = list(backend.frames(Job(FAKE, LOW, Options(steps=3), wanted=WANTED)))
    assert [frame.measured is None for frame in frames] == [True] * (len(frames) - 1) + [False]
    last, before = frames[-1], frames[-2]
    assert last.step == before.step == 3 and torch.equal(last.image, before.image)
    expected = (torch.round(last.image * 255) / 255 - TRUTH).abs().mean().item()
    assert last.measured.result["apart"] == pytest.approx(expected, abs=1e-6)
    assert all(frame.measured is None for frame in backend.frames(Job(FAKE, LOW, Options(steps=3))))


class Measuring(Local):
    """A backend whose last frame is measured; it keeps the job."""

    measures = True
    job: Job | None = None

    def frames(self, job: Job) -> Iterator[Frame]:
        self.job = job
        *before, last = super().frames(job)
        yield from before
        yield replace(last, measured=Measured({"lpips_vgg": 0.125}, {"lpips_vgg": 0.5}))


@pytest.mark.parametrize("grey", [False, True])
def test_the_pipeline_takes_what_was_measured_and_measures_the_rest(grey, monkeypatch):
    """Not of a grey picture: the page shows the result's luma, not what the method gave."""
    monkeypatch.setattr("gansr.metrics.METRICS", (PSNR_Y, replace(LPIPS_VGG, measure=lambda a, b, nets: 9.0)))
    here = engine()
    backend = Measuring(here)
    truth = torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(0))
    truth = to8bit(truth[:1].expand(3, -1, -1).contiguous() if grey else truth)
    picture = Picture(truth, None, grey, ())
    *_, last = Pipeline(here, backend).run(picture, decode(FAKE, {"task": "known answer"}))
    assert backend.job is not None
    found = {row.metric.name: row for row in last.measured}
    assert found["psnr_y"].value is not None
    if grey:
        assert backend.job.wanted is None
    else:
        assert backend.job.wanted is not None and torch.equal(backend.job.wanted.truth, truth)
        assert found[LPIPS_VGG.name].value == 0.125 and last.baseline is not None
        assert last.baseline["lpips_vgg"] == 0.5
