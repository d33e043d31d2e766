"""KernelGAN's bench: what its rows mean."""

from __future__ import annotations

import json
import math

import pytest
import torch

from gansr.bench import BenchError
from gansr.metrics.niqe import niqe
from gansr.ops.resize import imresize
from gansr.papers.kernelgan import bench as B
from gansr.picture import to_png
from tests.papers.kernelgan.pictures import discs

pytestmark = pytest.mark.usefixtures("one_thread")


def test_gain_distance_and_spread_by_hand():
    found = {
        "zssr-bicubic-kernel": [20.0, 30.0],
        "zssr-true-kernel": [24.0, 33.0],
        "zssr-estimate-0": [22.0, 31.0],
        "zssr-estimate-1": [23.0, 32.0],
        "zssr-page": [25.0, 32.0],
        "zssr-estimate-paper": [21.0, 30.0],
    }
    rows = {row.model: row.value for row in B.means(found, 2)}
    assert rows["gain-over-bicubic-kernel"] == 2.0
    assert rows["left-to-true-kernel"] == 1.5
    assert rows["spread-of-seeds"] == rows["spread-of-seeds-a-picture"] == pytest.approx(math.sqrt(0.5))
    assert rows["gain-over-bicubic-kernel, page"] == 3.5
    assert rows["gain-over-bicubic-kernel, paper"] == 0.5


def test_the_speed_is_printed_with_its_ratio():
    rows = {(row.model, row.metric): row.value for row in B.speed(rounds=1)}
    optimised, plain = (
        rows[f"iteration, {name}", "milliseconds"] for name in ("optimised", "layer by layer")
    )
    assert rows["iteration", "ratio"] == pytest.approx(plain / optimised) and plain > optimised
    assert rows["3000 iterations", "seconds"] == pytest.approx(3 * optimised)


def test_a_folder_without_pictures_is_refused(tmp_path):
    with pytest.raises(BenchError, match="no pictures"):
        list(B.recovery(tmp_path))


def test_every_model_restores_a_picture_and_is_remembered(tmp_path, monkeypatch):
    picture = torch.rand(3, 44, 44, generator=torch.Generator().manual_seed(0))
    picture = torch.nn.functional.interpolate(picture[None], scale_factor=4, mode="bicubic")[0].clamp(0, 1)
    (tmp_path / "001_HR.png").write_bytes(to_png(picture))
    monkeypatch.setenv("GANSR_BENCH_CACHE", str(tmp_path / "cache.json"))
    monkeypatch.setenv("GANSR_BENCH_SEEDS", "1")
    monkeypatch.setenv("GANSR_BENCH_PAPER", "0")
    monkeypatch.setattr(B, "QUICK", B.Options(iterations=30, zssr_iterations=5, crop=32))
    first = list(B.recovery(tmp_path))
    assert {row.model for row in first if row.case == "Set14 001"} == {
        "bicubic",
        "zssr-bicubic-kernel",
        "zssr-true-kernel",
        "zssr-true-kernel-varied",
        "zssr-estimate-0",
        "zssr-matched",
        "zssr-page",
        "zssr-fitted-gaussian",
    }
    assert len(json.loads((tmp_path / "cache.json").read_text())) == 8
    monkeypatch.setattr(B, "restored", lambda *given: pytest.fail("measured again"))
    assert list(B.recovery(tmp_path)) == first


def test_the_worst_of_the_sharp_pictures_by_hand():
    found = {
        ("kernelgan", "share_of_estimate"): [0.0, 0.5],
        ("bicubic", "psnr_y"): [30.0, 31.0],
        ("kernelgan", "psnr_y"): [31.0, 30.5],
        ("bicubic", "niqe"): [4.0, 5.0],
        ("kernelgan", "niqe"): [4.4, 4.0],
    }
    rows = {(row.case, row.model, row.metric): row.value for row in B.against_bicubic("sharp", found)}
    assert rows["sharp, mean", "kernelgan", "share_of_estimate"] == 0.25
    assert rows["sharp, mean", "bicubic", "psnr_y"] == 30.5
    assert rows["sharp, worst", "kernelgan - bicubic", "psnr_y"] == -0.5
    assert rows["sharp, worst", "kernelgan / bicubic", "niqe"] == pytest.approx(1.1)


def test_sharp_pictures_are_measured_beside_bicubic(tmp_path, monkeypatch):
    picture = discs(384)
    (tmp_path / "001_HR.png").write_bytes(to_png(picture))
    monkeypatch.setattr(B, "QUICK", B.Options(iterations=30, zssr_iterations=5, crop=32))
    monkeypatch.setattr(B, "estimate", lambda low, which: pytest.fail("estimated for a sharp picture"))
    rows = {
        (row.model, row.metric): row.value
        for row in B.sharp_pictures("sharp Set14", [tmp_path / "001_HR.png"])
    }
    assert rows["kernelgan", "share_of_estimate"] == 0
    assert 20 < rows["bicubic", "psnr_y"] < 60 and 0 < rows["bicubic", "ringing"] < 2
    low = imresize(picture, 0.5, rounded=True)
    assert rows["bicubic", "niqe"] == pytest.approx(niqe(imresize(low, 2).clamp(0, 1)))
    assert rows["kernelgan - bicubic", "psnr_y"] == pytest.approx(
        rows["kernelgan", "psnr_y"] - rows["bicubic", "psnr_y"]
    )
