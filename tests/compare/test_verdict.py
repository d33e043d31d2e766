"""The verdict: does a result agree with its input, and where does it not?"""

from __future__ import annotations

import pytest
import torch

from gansr.compare.verdict import summary, verdict
from gansr.engine import MetricResult
from gansr.metrics import METRICS
from gansr.metrics.identity import person


def test_the_verdict_says_how_much_and_where():
    low = torch.full((3, 32, 32), 0.5)
    assert verdict(low, low).sentence == "agrees with your picture exactly"
    other = low.clone()
    other[:, 21:25, 12:20] += 0.5
    found = verdict(other, low, face=True)
    assert found.sentence == "agrees with your picture poorly (20 dB), mostly around the mouth".replace(
        "20", f"{found.consistency:.0f}"
    )
    assert found.consistency < 32
    assert float(found.heat.values.max()) == pytest.approx(127, abs=1)
    other = low.clone()
    other[:, :8, :8] += 0.06
    assert "agrees with your picture roughly" in verdict(other, low).sentence
    assert "the upper left" in verdict(other, low).sentence
    even = low + 0.1 * (torch.arange(32) % 2)
    assert verdict(even, low).sentence.endswith("all over it")


def results(**values: float) -> list[MetricResult]:
    return [MetricResult(metric, values.get(metric.name), "") for metric in METRICS]


def test_one_line_says_how_a_result_compares():
    measured = results(
        consistency=31.2, psnr_y=20, psnr_rgb=30, ssim_y=0.5, lpips_alex=0.3, identity=0.2, niqe=3
    )
    bicubic = {
        "consistency": 39.0,
        "psnr_y": 25.0,
        "psnr_rgb": 25.0,
        "ssim_y": 0.6,
        "lpips_alex": 0.5,
        "identity": 0.9,
    }
    assert summary(measured, bicubic) == (
        "closer to the original than bicubic in 2 of 5 measures; agrees with your picture poorly (31 dB); "
        "identity 0.20 (bicubic 0.90): another person"
    )
    assert (
        summary(results(consistency=60.0), {"consistency": 39.0})
        == "agrees with your picture closely (60 dB)"
    )
    assert summary(results(psnr_y=9.0), {"psnr_y": 9.0}, "the input").startswith(
        "closer to the original than the input in 0 of 1"
    )
    assert summary([], {}) == ""


def test_an_identity_in_words():
    assert [person(value) for value in (0.95, 0.6, 0.45)] == [
        "the same person",
        "resembles the person",
        "another person",
    ]
