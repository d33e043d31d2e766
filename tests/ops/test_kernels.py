"""Blur kernels: correlation, shifts, the ×4 kernel, DIV2KRK's recipe, comparison."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from gansr.ops import kernels as K
from gansr.ops.resize import imresize
from tests.support.golden import Golden


def picture(golden: Golden, name: str = "im") -> torch.Tensor:
    return (golden.tensor(name).double() / 255).permute(2, 0, 1)


@pytest.mark.parametrize(
    ("key", "kernel", "scale"),
    [("numeric_0.5", "k13", 2), ("numeric_0.25", "k13", 4), ("numeric_post_0.5", "kpost", 2)],
)
def test_shrinking_with_a_kernel_is_the_authors(key, kernel, scale):
    golden = Golden("kernelgan_imresize")
    low = K.downscale_with_kernel(picture(golden), golden.tensor(kernel), scale)
    golden.check(key, low.permute(1, 2, 0))


def test_an_asymmetric_kernel_is_correlated_not_convolved():
    kernel = torch.zeros(3, 3)
    kernel[0, 2] = 1  # correlation: each pixel takes its upper right neighbour
    spike = torch.zeros(1, 6, 6)
    spike[0, 2, 4] = 1
    blurred = K.correlate(spike, kernel)
    assert blurred[0, 3, 3] == 1 and blurred.sum() == 1
    assert K.downscale_with_kernel(spike, kernel, 2).count_nonzero() == 0  # (3, 3) is not kept
    assert K.downscale_with_kernel(torch.roll(spike, (1, 1), (1, 2)), kernel, 2)[0].nonzero().tolist() == [
        [2, 2]
    ]


def test_the_picture_is_mirrored_with_its_edge_repeated():
    kernel = torch.zeros(5, 5)
    kernel[2, 0] = 1  # takes the pixel two to the left
    row = torch.tensor([[[1.0, 2.0, 3.0, 4.0]]])
    assert K.correlate(row, kernel).flatten().tolist() == [2, 1, 1, 2]


def test_rows_kept_are_the_authors_rounding():
    assert K.sample_rows(6, 2, 3).tolist() == [0, 2, 4]
    assert K.sample_rows(33, 2, 17).tolist()[:3] == [0, 2, 4]
    assert K.sample_rows(33, 2, 17).tolist()[-2:] == [29, 31]


def test_strided_and_full_shrinking_agree():
    x = torch.rand(3, 12, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    kernel = torch.rand(6, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    torch.testing.assert_close(K.downscale_with_kernel(x, kernel, 2), K.correlate(x, kernel)[:, ::2, ::2])


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_bicubic_kernel_is_the_bicubic_reduction(scale):
    x = torch.rand(3, 48, 60, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    torch.testing.assert_close(
        K.downscale_with_kernel(x, K.bicubic_kernel(scale), scale), imresize(x, 1 / scale), atol=1e-12, rtol=0
    )


@pytest.mark.parametrize("name", ["gauss", "noise"])
def test_post_processing_shift_and_fourfold_kernel_are_the_authors(name):
    golden = Golden("kernelgan_kernels")
    k = golden.tensor(name).double()
    positive = k.abs() if name == "noise" else k
    small = K.drop_small(positive)
    golden.check(f"{name}.zeroized", small)
    post = K.shift_kernel(small, 2, paper=True)
    golden.check(f"{name}.post", post)
    golden.check(f"{name}.shift2", K.shift_kernel(positive, 2, paper=True))
    golden.check(f"{name}.post_again", K.shift_kernel(post, 2, paper=True))
    four = K.quadruple(post)
    golden.check(f"{name}.x4", four)
    golden.check(f"{name}.x4_shift", K.shift_kernel(four, 4, paper=True))


def test_kernels_of_even_side_are_shifted_as_the_authors_do():
    golden = Golden("kernelgan_kernels")
    golden.check("even.shift2", K.shift_kernel(golden.tensor("even"), 2, paper=True))
    golden.check("even.shift4", K.shift_kernel(golden.tensor("even"), 4, paper=True))


def test_small_entries_are_dropped_by_hand():
    k = torch.arange(1.0, 101.0).reshape(10, 10)  # the 41st largest is 60, three quarters of it 45
    small = K.drop_small(k)
    assert (small == 0).sum() == 45
    assert small[9, 9] == pytest.approx(55 / sum(range(1, 56)))


def test_a_shifted_kernel_sits_half_a_pixel_off_and_sums_to_one():
    blob = K.anisotropic_kernel(13, (2.0, 3.0), 0.4, 5.2)
    ours, theirs = K.shift_kernel(blob, 2), K.shift_kernel(blob, 2, paper=True)
    side = ours.shape[0]
    assert K.centre_of_mass(ours) == pytest.approx((side // 2 + 0.5, side // 2 + 0.5), abs=0.02)
    assert float(ours.sum()) == pytest.approx(1, abs=1e-12)
    assert float(theirs.sum()) != 1  # the departure: the spline does not keep the sum
    assert side == 13 + 2 * (math.ceil(1.3) + 1)


def test_the_fourfold_kernel_is_two_shrinkings_by_two():
    k = K.shift_kernel(K.anisotropic_kernel(7, (1.5, 0.8), 0.3, 3.0), 2)
    x = torch.rand(1, 96, 96, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    twice = K.downscale_with_kernel(K.downscale_with_kernel(x, k, 2), k, 2)
    n = k.shape[0]
    full = torch.nn.functional.conv_transpose2d(k[None, None], k[None, None], stride=2)[0, 0]
    assert full.shape[0] == 3 * n - 2
    # entry (n//2)·3 of the uncut kernel is on the kept pixel, n//2 are cut: the rest stands at n − 1
    once = K.downscale_with_kernel(x, K.crop_or_pad(K.quadruple(k), 2 * n - 1), 4)
    assert (twice - once)[:, 8:-8, 8:-8].abs().max() < 3e-3  # only the cut-off tails are missing


@pytest.mark.parametrize(("scale", "widening"), [(3, 8 / 3), (4, 5), (8, 21)])
def test_a_stretched_kernel_has_the_variance_of_its_factor_and_shifts_nothing(scale, widening):
    # s²P = P + v, so v grows with s² − 1: from ×2 by 8/3, 15/3 and 63/3
    two = K.gaussian_kernel(1.6, 1.0, 30.0, side=13)
    ours = K.stretched(two, 2, scale)
    side = ours.shape[0]
    assert K.centre_of_mass(ours) == pytest.approx((side // 2 + 0.5 * (scale - 1),) * 2, abs=5e-3)
    for axis in ("wide axis σ (px)", "narrow axis σ (px)"):
        assert K.describe(ours)[axis] == pytest.approx(K.describe(two)[axis] * math.sqrt(widening), rel=0.01)
    assert K.describe(ours)["angle of the wide axis (°)"] == pytest.approx(30, abs=0.5)
    wide = K.gaussian_kernel(1.6 * math.sqrt(widening), math.sqrt(widening), 30.0, scale, side)
    assert float((ours - wide).abs().sum()) < 0.02


def test_stretching_to_four_is_nearly_two_shrinkings_by_two():
    k = K.shift_kernel(K.anisotropic_kernel(11, (3.0, 1.0), 0.5, 5.0), 2)
    four = K.crop_or_pad(K.quadruple(k), 45)
    assert K.describe(four)["wide axis σ (px)"] == pytest.approx(math.sqrt(15), rel=0.01)  # √(5·3)
    assert float((K.crop_or_pad(K.stretched(k, 2, 4), 45) - four).abs().sum()) < 0.05
    assert K.for_scale(k, 2) is k
    assert torch.equal(K.for_scale(k, 4), K.quadruple(k))


@pytest.mark.parametrize("seed", [0, 7])
def test_the_benchmark_kernels_are_the_notebooks(seed):
    golden = Golden("div2krk_kernels")
    draw = np.random.RandomState(seed)
    first, second, turn = draw.rand(), draw.rand(), draw.rand()
    factors = torch.from_numpy(1 + 0.4 * (2 * draw.rand(21, 21) - 1))
    variances = (0.7 + 9.3 * first, 0.7 + 9.3 * second)
    golden.check(f"kernel_x4_seed{seed}", K.div2krk_kernel(4, variances, math.pi * turn, factors, paper=True))


def test_a_benchmark_picture_is_the_notebooks():
    golden = Golden("div2krk_kernels")
    kernel = torch.from_numpy(golden.stored["kernel_x4_seed7"])
    golden.check("downscaled", K.downscale_with_kernel(picture(golden), kernel, 4).permute(1, 2, 0))


@pytest.mark.parametrize("scale", [2, 4])
def test_random_kernels_repeat_differ_and_shift_nothing(scale):
    one = K.random_kernel(torch.Generator().manual_seed(5), scale)
    again = K.random_kernel(torch.Generator().manual_seed(5), scale)
    other = K.random_kernel(torch.Generator().manual_seed(6), scale)
    assert torch.equal(one, again) and not torch.equal(one, other)
    assert float(one.sum()) == pytest.approx(1) and float(one.min()) >= 0
    slope = torch.arange(160, dtype=torch.float64).expand(1, 160, 160)  # a shift of 1 px changes it by 1
    error = K.downscale_with_kernel(slope, one, scale) - imresize(slope, 1 / scale)
    assert error[:, 10:-10, 10:-10].abs().max() < 0.05 * scale


def test_a_gaussian_has_the_widths_and_the_angle_asked_for():
    said = K.describe(K.gaussian_kernel(2.0, 1.0, 30.0))
    assert said["wide axis σ (px)"] == pytest.approx(2, rel=0.02)
    assert said["narrow axis σ (px)"] == pytest.approx(1, rel=0.02)
    assert said["angle of the wide axis (°)"] == pytest.approx(30, abs=0.5)
    assert said["kernel sum"] == pytest.approx(1)


def test_the_description_of_two_pixels_by_hand():
    k = torch.zeros(3, 5)
    k[1, 1] = k[1, 3] = 0.5
    said = K.describe(k)
    assert said["centre of mass, row (px)"] == 1 and said["centre of mass, column (px)"] == 2
    assert said["wide axis σ (px)"] == 1 and said["narrow axis σ (px)"] == 0
    assert said["angle of the wide axis (°)"] == 0


def test_kernel_psnr_by_hand_and_blind_to_a_shift():
    true = torch.zeros(11, 11, dtype=torch.float64)
    true[5, 5] = 1
    wide = torch.zeros(11, 11, dtype=torch.float64)
    wide[5, 4] = wide[5, 6] = 0.5
    said = K.compare_kernels(true, wide)
    assert said["kernel PSNR (dB)"] == pytest.approx(10 * math.log10(121 / 1.5))
    assert said["kernel difference, absolute"] == pytest.approx(2)
    blob = K.anisotropic_kernel(11, (2.0, 3.0), 0.4, 5.0)
    assert K.compare_kernels(blob, K.shift_kernel(blob, 2))["kernel PSNR (dB)"] > 65
