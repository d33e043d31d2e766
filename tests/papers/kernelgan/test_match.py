"""The learned kernel is stretched until the picture keeps its edges when it is shrunk by it."""

from __future__ import annotations

import pytest
import torch

from gansr.ops.kernels import (
    bicubic_kernel,
    centre_of_mass,
    compare_kernels,
    degrade_with_kernel,
    describe,
    gaussian_kernel,
)
from gansr.papers.kernelgan.enlarge import gives_back
from gansr.papers.kernelgan.match import edge_strengths, fitted_gaussian, match, noise_level
from gansr.papers.kernelgan.options import Options
from tests.papers.kernelgan.pictures import discs, frames, noise_picture

pytestmark = pytest.mark.usefixtures("one_thread")
CALM = torch.zeros(4)  # no noise


@pytest.fixture(scope="module")
def blurred():
    """Discs of all sizes, shrunk by 2 with a Gaussian of 2.2 by 1.3 px along 30°; and that Gaussian."""
    true = gaussian_kernel(2.2, 1.3, 30)
    return degrade_with_kernel(discs(512), true, 2), true


def test_second_differences_of_a_parabola_by_hand():
    rows = torch.arange(20.0)[:, None].expand(20, 20)
    assert edge_strengths(rows**2, CALM).tolist() == pytest.approx([0, 2, 2, 2])  # 0°, 90°, 45°, 135°
    assert edge_strengths(rows.T**2, CALM).tolist() == pytest.approx([2, 0, 2, 2])
    assert edge_strengths(rows * rows.T, CALM).tolist() == pytest.approx([0, 0, 2, 2])


@pytest.mark.parametrize("width", [0.8, 1.2, 3.0])
def test_a_kernel_of_any_width_is_stretched_to_the_true_one(blurred, width):
    low, true = blurred
    start = gaussian_kernel(width, width, 0)
    found = match(start, low)
    assert found is not None
    before, after = (compare_kernels(true, k)["kernel PSNR (dB)"] for k in (start, found.kernel))
    assert after > max(48, before + 6)
    numbers = describe(found.kernel)
    assert numbers["wide axis σ (px)"] == pytest.approx(2.2, rel=0.15)
    assert numbers["narrow axis σ (px)"] == pytest.approx(1.3, rel=0.15)
    assert numbers["angle of the wide axis (°)"] == pytest.approx(30, abs=10)
    assert float(found.kernel.sum()) == pytest.approx(1) and found.kernel.dtype == torch.float64
    middle = found.kernel.shape[0] // 2 + 0.5
    assert centre_of_mass(found.kernel) == pytest.approx((middle, middle), abs=0.02)  # it shifts nothing
    assert found.least < found.most and f"{found.least:.2f} to {found.most:.2f} times" in found.notice


def test_the_true_kernel_stays_nearly_as_it_is(blurred):
    low, true = blurred
    found = match(true, low)
    assert found is not None and 0.9 < found.least < found.most < 1.1


def test_a_picture_without_edges_in_some_direction_leaves_the_kernel():
    stripes = torch.arange(64).div(8, rounding_mode="floor").remainder(2).float().expand(3, 64, 64)
    for picture in (stripes, torch.full((3, 64, 64), 0.5)):
        assert match(gaussian_kernel(1.2, 1.2, 0), picture) is None
        assert torch.equal(fitted_gaussian(picture), bicubic_kernel(2))


def test_noise_is_measured_and_does_not_count_as_edges(blurred):
    low, true = blurred
    noise = 0.03 * torch.randn(low.shape[1:], generator=torch.Generator().manual_seed(0))
    assert noise_level(noise) == pytest.approx(0.03, rel=0.03)
    clean, noisy = edge_strengths(low[0], CALM), edge_strengths(low[0] + noise, CALM + 0.03 * 6**0.5)
    assert noisy.tolist() == pytest.approx(clean.tolist(), rel=0.03)
    found = match(gaussian_kernel(1.2, 1.2, 0), low + noise)
    assert found is not None and compare_kernels(true, found.kernel)["kernel PSNR (dB)"] > 45


def test_a_run_stretches_its_kernel_unless_it_is_told_not_to_or_follows_the_authors(blurred, monkeypatch):
    monkeypatch.setattr("gansr.papers.kernelgan.estimate.is_learned", lambda kernel: True)
    low = blurred[0][:, :96, :96]
    plain, left, theirs = (
        frames(low, mode="kernel only", **values)[-1]
        for values in ({}, {"match_edges": False}, {"paper": True})
    )
    assert "match your picture's edges" in "".join(plain.notices)
    assert not any("edges" in "".join(frame.notices) for frame in (left, theirs))
    assert plain.readings["wide axis σ (px)"] != left.readings["wide axis σ (px)"]


def test_a_fitted_gaussian_enlarges_without_learning(blurred):
    *_, last = frames(blurred[0][:, :96, :96], mode="ZSSR only", kernel="fitted", scale=4)
    assert last.image.shape == (3, 384, 384) and last.steps == 10
    assert last.readings["reconstruction error"] < 0.2


@pytest.mark.parametrize("scale", [2, 3])
def test_the_result_shrunk_with_its_kernel_gives_the_input_back_by_hand(scale):
    """A result of one grey shrinks to itself: 0.1 off everywhere, which is 26/255 in 8 bits and 20 dB."""
    image, low = torch.full((3, 12 * scale, 12 * scale), 0.5), torch.full((3, 12, 12), 0.4)
    options = Options(scale=scale)
    (said,) = gives_back(image, low, gaussian_kernel(1.5, 1.0, 20, scale), options)
    assert "back to 20 dB" in said
    assert gives_back(image, low, bicubic_kernel(scale), options) == ()


def test_noise_alone_gives_a_finite_kernel():
    found = match(gaussian_kernel(1.2, 1.2, 0), noise_picture(64, 64))
    assert found is None or bool(torch.isfinite(found.kernel).all())
