"""One request, when the server ends meanwhile."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

import pytest
import torch

from gansr import metrics
from gansr.engine import Engine
from gansr.method import MethodError
from gansr.ops.resize import imresize
from gansr.papers.mganprior import MGANPRIOR
from gansr.picture import Picture
from gansr.pipeline import CUT_SHORT, RESTARTS, Pipeline, Update
from gansr.request import decode
from tests.support.fakes import FAKE

PICTURE = Picture(torch.rand(3, 24, 32, generator=torch.Generator().manual_seed(1)), None, False, ())


@pytest.fixture(autouse=True)
def _no_weights(monkeypatch):
    monkeypatch.setattr(metrics, "METRICS", tuple(each for each in metrics.METRICS if not each.weights))


def updates(pipeline: Pipeline, steps: int = 1000) -> Iterator[Update]:
    return pipeline.run(PICTURE, decode(FAKE, {"steps": steps, "task": "enlarge"}))


def pipeline() -> Pipeline:
    return Pipeline(Engine("cpu", load=lambda name: None, pace=0.0))


def test_a_drained_run_ends_after_its_step_with_its_best_so_far_and_is_not_measured():
    made = pipeline()
    run = updates(made)
    for update in run:
        if update.frame is not None and update.frame.step == 7:
            break
    made.drain()
    rest = list(run)
    assert [update.finished for update in rest] == [True, True]
    last = rest[-1]
    assert last.done and last.measured == () and last.frame is not None
    assert last.frame.step == 8 and CUT_SHORT in last.frame.notices and last.frame.numerics is not None


def test_a_run_that_waits_or_comes_while_the_server_ends_is_told():
    made = pipeline()
    running, waiting = updates(made), updates(made)
    for run in (running, running, waiting, waiting):
        next(run)
    made.drain()
    with pytest.raises(MethodError, match=RESTARTS):
        list(waiting)
    with pytest.raises(MethodError, match=RESTARTS):
        next(updates(made))


def test_a_result_that_waits_to_be_measured_when_the_server_ends_is_kept():
    made = pipeline()
    first, second = updates(made, steps=1), updates(made)
    result = next(update for update in first if update.finished)
    for _ in range(2):
        next(second)
    assert next(first).text == "measuring"  # it waits for the second run
    made.drain()
    rest = list(first)
    assert rest[-1].done and rest[-1].frame is result.frame
    assert all(row.value is None for row in rest[-1].measured)
    assert RESTARTS in {row.reason for row in rest[-1].measured}


# ------------------------------------------------------------------------------------------- the baseline


def half_read(options: object, picture: torch.Tensor, seed: int) -> tuple[str, torch.Tensor]:
    return "Left half", torch.where(torch.arange(picture.shape[-1]) < picture.shape[-1] // 2, picture, 0.5)


def test_a_result_is_compared_with_what_the_method_reads():
    method = dataclasses.replace(FAKE, reads=half_read, scale=lambda method, options: 1)
    request = decode(method, {"scale": 1, "steps": 1, "task": "known answer"})
    first, *_, last = pipeline().run(PICTURE, request)
    assert first.frame is not None and first.given is not None and first.given.truth is not None
    expected = half_read(None, first.given.low, 0)[1]
    assert torch.equal(first.frame.image, expected)
    assert last.baseline_title == "Left half" and last.baseline is not None
    error = float((expected - first.given.truth).square().mean())
    assert last.baseline["psnr_rgb"] == pytest.approx(-10 * math.log10(error), abs=0.1)


def test_a_comparison_of_a_picture_with_itself_is_left_out_with_its_reason():
    method = dataclasses.replace(
        FAKE, reads=lambda options, picture, seed: ("Input", picture), scale=lambda method, options: 1
    )
    request = decode(method, {"scale": 1, "steps": 1, "task": "known answer"})
    *_, last = pipeline().run(PICTURE, request)
    assert last.baseline is not None and not {"psnr_y", "ssim_rgb", "consistency"} & set(last.baseline)
    assert set(last.baseline_reasons.values()) == {"it would be compared with itself"}
    assert {row.metric.name: row.value for row in last.measured}["psnr_y"] is not None


def test_a_result_that_is_changed_on_purpose_is_not_measured_against_its_input():
    changed = dataclasses.replace(FAKE, departs=lambda options: f"changed in {options.steps} steps")
    last = list(pipeline().run(PICTURE, decode(changed, {"steps": 2, "task": "enlarge"})))[-1]
    reasons = {row.metric.name: row.reason for row in last.measured if row.value is None}
    assert reasons["consistency"] == "changed in 2 steps"
    assert MGANPRIOR.departs is not None
    said = {job: MGANPRIOR.departs(MGANPRIOR.options(job=job)) for job in ("mix", "edit", "sr", "invert")}
    assert said == dict.fromkeys(("mix", "edit"), "the face is changed on purpose") | {"sr": "", "invert": ""}


def test_a_picture_that_the_method_shrinks_itself_is_the_truth():
    method = dataclasses.replace(
        FAKE,
        reads=lambda options, picture, seed: ("Bicubic", imresize(picture, 0.5).clamp(0, 1)),
        scale=lambda method, options: 1,
    )
    odd = Picture(PICTURE.rgb[:, :23, :31], None, False, ())
    for task in ("enlarge", "known answer"):
        *_, last = pipeline().run(odd, decode(method, {"scale": 1, "steps": 1, "task": task}))
        assert last.baseline is not None and last.given is not None and last.given.truth is not None
        assert 5 < last.baseline["psnr_y"] < 40
        assert set(last.baseline) == {row.metric.name for row in last.measured if row.value is not None}
