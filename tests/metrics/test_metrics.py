"""The metrics against BasicSR's own numbers and values computed by hand."""

from __future__ import annotations

import math

import pytest
import torch

from gansr.metrics import METRICS
from gansr.metrics.consistency import consistency
from gansr.metrics.niqe import aggd, block_features, mscn, niqe, niqe_of_plane
from gansr.metrics.psnr import psnr_rgb, psnr_y
from gansr.metrics.ssim import ssim_map, ssim_rgb, ssim_y
from gansr.ops.colour import matlab_y, to8bit
from tests.support.golden import Golden, array


def _pair() -> tuple[Golden, torch.Tensor, torch.Tensor]:
    golden = Golden("metrics_basicsr")
    a, b = (golden.tensor(name).permute(2, 0, 1).float() / 255 for name in ("a", "b"))
    return golden, a, b


@pytest.mark.parametrize("crop", [0, 4])
def test_psnr_and_ssim_are_basicsr_s(crop):
    golden, a, b = _pair()
    for key, measure in (
        ("psnr_rgb", psnr_rgb),
        ("psnr_y", psnr_y),
        ("ssim_rgb", ssim_rgb),
        ("ssim_y", ssim_y),
    ):
        golden.check(f"{key}_crop{crop}", measure(a, b, crop))


def test_psnr_of_a_known_error():
    grey = torch.full((3, 20, 20), 100 / 255)
    assert psnr_rgb(grey, grey) == math.inf
    assert psnr_rgb(grey, grey + 5 / 255) == pytest.approx(20 * math.log10(255 / 5))
    assert psnr_y(grey, grey + 5 / 255) == pytest.approx(20 * math.log10(255 / (5 * 219 / 255)))


def test_psnr_rounds_its_pictures_to_8_bit_first():
    grey = torch.full((3, 20, 20), 100 / 255)
    assert psnr_rgb(grey, grey + 0.4 / 255) == math.inf


def test_ssim_is_one_for_equals_and_symmetric():
    a, b = (torch.from_numpy(array(f"ssim/{n}", (3, 24, 31))).sigmoid() for n in "ab")
    assert ssim_rgb(a, a) == pytest.approx(1)
    assert ssim_y(a, b) == pytest.approx(ssim_y(b, a))
    assert ssim_y(a, b) < 0.5


def test_ssim_of_flat_pictures_is_the_luminance_term():
    a, b = torch.full((1, 12, 15), 100.0), torch.full((1, 12, 15), 150.0)
    c1 = 2.55**2
    expected = (2 * 100 * 150 + c1) / (100**2 + 150**2 + c1)
    torch.testing.assert_close(ssim_map(a, b), torch.full((1, 2, 5), expected).double())
    with pytest.raises(ValueError, match="at least 11"):
        ssim_map(a[:, :10], b[:, :10])


def test_to8bit_rounds_and_clips():
    x = torch.tensor([-0.1, 0.49 / 255, 0.51 / 255, 1.7])
    torch.testing.assert_close(to8bit(x) * 255, torch.tensor([0.0, 0.0, 1.0, 255.0]))


def test_every_metric_has_its_own_name_and_a_sentence():
    names = [m.name for m in METRICS]
    assert len(set(names)) == len(names)
    assert all(m.explain.endswith(".") and len(m.explain) > 30 for m in METRICS)


def test_consistency_is_the_psnr_of_the_downscaled_result():
    low = torch.full((3, 8, 8), 100 / 255)
    assert consistency(low, low + 0.3 / 255) == math.inf
    assert consistency(low, low + 2 / 255) == pytest.approx(20 * math.log10(255 / 2))
    pulse_s_limit = torch.full((3, 8, 8), 100 / 255 + math.sqrt(2e-3))
    assert consistency(pulse_s_limit, low) == pytest.approx(26.99, abs=0.4)  # 11.4 steps, rounded to 11


@pytest.mark.parametrize("crop", [0, 4])
def test_niqe_is_basicsr_s(crop):
    golden, a, b = _pair()
    for name, picture in (("a", a), ("b", b)):
        inner = picture[:, crop : picture.shape[1] - crop, crop : picture.shape[2] - crop]
        golden.check(f"niqe_{name}_crop{crop}", niqe(inner))


def test_niqe_of_a_grey_picture_and_of_its_plane():
    golden = Golden("metrics_basicsr")
    plane = golden.tensor("big").double()
    golden.check("niqe_big_crop0", niqe((plane / 255).expand(3, -1, -1)))
    golden.check("niqe_big_gray", niqe_of_plane(plane))


def test_niqe_s_features_of_one_block():
    golden = Golden("metrics_basicsr")
    block = matlab_y((golden.tensor("big")[:96, :96].double() / 255).expand(3, -1, -1)).round()
    block = (block - block.mean()) / (block.std(correction=0) + 1)
    golden.check("niqe.feature", block_features(block[None])[0])
    golden.check("niqe.aggd", torch.stack(aggd(block.flatten())))


def test_aggd_finds_the_shape_it_was_drawn_from():
    half = torch.from_numpy(array("niqe/normal", (300_000,))).double().abs()
    half[::3] *= -1  # two half-Gaussians of σ 1 and 2 that meet at zero: a third of the mass on the left
    alpha, left, right = aggd(torch.where(half < 0, half, 2 * half))
    assert alpha.item() == pytest.approx(2, abs=0.05)
    assert left.item() == pytest.approx(math.sqrt(2), rel=0.02)  # β = σ √(Γ(1/α)/Γ(3/α)) = σ √2
    assert right.item() == pytest.approx(2 * math.sqrt(2), rel=0.02)


def test_contrast_is_zero_where_the_picture_is_flat():
    plane = torch.full((40, 40), 77.0, dtype=torch.float64)
    plane[20:] = 200
    contrast = mscn(plane)
    assert not contrast[:17].any() and not contrast[23:].any() and contrast[17:23].any()


def test_niqe_refuses_pictures_without_a_covariance():
    with pytest.raises(ValueError, match="two blocks of 96"):
        niqe(torch.zeros(3, 191, 100))
    with pytest.raises(ValueError, match="flat"):
        niqe(torch.full((3, 200, 200), 0.5))


def test_niqe_leaves_flat_blocks_out_and_rises_with_noise():
    _, a, b = _pair()
    assert niqe(b) > niqe(a) + 1  # b is a, blurred and noisy
    half_flat = torch.cat([a, torch.full_like(a, 0.5)], dim=1)
    assert math.isfinite(niqe(half_flat))
