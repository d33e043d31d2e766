"""The check whether a picture is blurred: its measure by hand, what follows from it, and what a run says."""

from __future__ import annotations

import importlib
import io
import math

import numpy as np
import pytest
import torch

from gansr.method import Heat
from gansr.ops.kernels import (
    bicubic_kernel,
    centre_of_mass,
    crop_or_pad,
    degrade_with_kernel,
    gaussian_kernel,
)
from gansr.ops.resize import imresize
from gansr.papers.kernelgan import estimate
from gansr.papers.kernelgan import sharpness as S
from gansr.papers.kernelgan.options import Options
from tests.papers.kernelgan.pictures import discs, frames

pytestmark = pytest.mark.usefixtures("one_thread")


def test_the_edge_strength_of_one_step_by_hand():
    """The Laplacian of a step of ½ is ±½ beside it: two of 20 − 2·4 − 2 = 10 columns."""
    y = torch.zeros(24, 20, dtype=torch.float64)
    y[:, 10:] = 0.5
    assert S.edge_strength(y) == pytest.approx(0.5 * (2 / 10) ** 0.25)
    assert S.edge_strength(y.T) == pytest.approx(0.5 * (2 / 10) ** 0.25)


def test_the_softness_of_a_wide_edge_is_the_logarithm_of_four():
    """Half the width: four times the second derivative, in the same share of the pixels."""
    profile = 0.5 * (1 + torch.erf((torch.arange(200.0) - 99.5) / (6 * math.sqrt(2))))
    assert S.softness_of(profile.expand(3, 200, 200)) == pytest.approx(math.log(4), abs=0.1)


def test_a_flat_picture_has_no_softness_and_counts_as_sharp():
    assert S.check(torch.full((3, 48, 48), 0.5)) == (0.0, 0.0)


@pytest.mark.parametrize("seed", range(4))
def test_shrunk_with_bicubic_is_sharp_and_blurred_with_a_wide_gaussian_is_blurred(seed):
    truth = discs(320, seed)
    assert S.check(imresize(truth, 0.5, rounded=True)).share == 0
    assert S.check(degrade_with_kernel(truth, gaussian_kernel(2.0, 1.6, 30), 2)).share == 1


def test_the_share_rises_between_the_bounds(monkeypatch):
    low, found = torch.zeros(3, 48, 48), []
    for softness in (S.SHARP - 1, S.SHARP, (S.SHARP + S.BLURRED) / 2, S.BLURRED, S.BLURRED + 1):
        monkeypatch.setattr(S, "softness_of", lambda low, value=softness: value)
        found.append(S.check(low))
    assert [check.share for check in found] == pytest.approx([0, 0, 0.5, 1, 1])
    assert "already sharp: nothing to gain" in found[1].notices[0]
    assert "50 % the estimate and 50 % the bicubic" in found[2].notices[0]
    assert found[4].notices == ()


def test_a_mixed_kernel_shifts_nothing_and_ends_at_either_kernel():
    estimate = gaussian_kernel(2.0, 1.0, 30)
    for share in (0.0, 0.3, 1.0):
        mixed = S.mixed_kernel(estimate, share)
        assert float(mixed.sum()) == pytest.approx(1)
        middle = mixed.shape[0] // 2 + 0.5
        assert centre_of_mass(mixed) == pytest.approx((middle, middle), abs=0.02)
    torch.testing.assert_close(S.mixed_kernel(estimate, 1.0), estimate)
    torch.testing.assert_close(S.mixed_kernel(estimate, 0.0), crop_or_pad(bicubic_kernel(2), 15))


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_sharp_picture_is_enlarged_with_the_bicubic_kernel_and_told_so(scale):
    low = imresize(discs(192), 0.5, rounded=True)
    last = frames(low, scale=scale)[-1]
    used = last.views["Kernel used"]
    assert isinstance(used, Heat)
    torch.testing.assert_close(used.values, bicubic_kernel(scale).float())
    assert last.readings["share of the estimated kernel"] == 0
    assert any("already sharp: nothing to gain" in notice for notice in last.notices)
    assert not any("stretched" in notice for notice in last.notices)  # that kernel is not used
    estimate = np.load(io.BytesIO(last.files["kernel_x2.npy"]))  # what KernelGAN found is still handed out
    assert estimate.shape != (9, 9) or not np.allclose(estimate, bicubic_kernel(2), atol=1e-3)


@pytest.mark.parametrize("values", [{"check": False}, {"paper": True, "zssr_iterations": 1}])
def test_without_the_check_and_as_the_authors_the_estimate_is_used(values, monkeypatch):
    restore = importlib.import_module(
        "gansr.papers.kernelgan.restore"
    )  # the package has a function of that name
    monkeypatch.setattr(restore, "check", lambda low: pytest.fail("checked"))
    monkeypatch.setattr(estimate, "is_learned", lambda kernel: True)  # 20 iterations learn nothing
    last = frames(imresize(discs(192), 0.5, rounded=True), **{"iterations": 20, **values})[-1]
    assert "Kernel used" not in last.views and "share of the estimated kernel" not in last.readings


def test_a_blurred_picture_gives_the_same_with_and_without_the_check():
    low = degrade_with_kernel(discs(192), gaussian_kernel(2.0, 1.6, 30), 2)
    checked, plain = frames(low)[-1], frames(low, check=False)[-1]
    assert checked.readings["share of the estimated kernel"] == 1
    assert torch.equal(checked.image, plain.image)


def test_overshoot_beside_a_step_is_limited_by_hand():
    """A step from 0.25 to 0.75 between columns 3 and 4: a quarter of ½ beside it, nothing further away."""
    low = torch.full((3, 6, 8), 0.25)
    low[:, :, 4:] = 0.75
    ringing = torch.full((3, 12, 16), 0.25)
    ringing[:, :, :8], ringing[:, :, 8:] = -1.0, 2.0
    limited = S.limit_overshoot(ringing, low, 2, 0.25)
    expected = torch.tensor([*[0.25] * 6, 0.125, 0.125, 0.875, 0.875, *[0.75] * 6])
    torch.testing.assert_close(limited, expected.expand(3, 12, 16))
    inside = S.limit_overshoot(imresize(low, 2), low, 2, 0.25)
    torch.testing.assert_close(inside, imresize(low, 2), atol=0.02, rtol=0)


def test_a_calmed_result_is_the_cubics_in_flat_areas_and_zssrs_at_edges():
    low = torch.full((3, 16, 40), 0.2)
    low[:, :, 20:] = 0.8
    image = (imresize(low, 2) + 0.05).clamp(0, 1)
    calmed, cubic = S.calm(image, low, 2), imresize(low, 2).clamp(0, 1)
    flat = (slice(None), slice(None), slice(0, 32))
    torch.testing.assert_close(calmed[flat], cubic[flat])
    torch.testing.assert_close(calmed[:, :, 39:41], image[:, :, 39:41])
    assert S.mixed_result(image, low, 2, 1.0) is image
    torch.testing.assert_close(S.mixed_result(image, low, 2, 0.5), (image + calmed) / 2)


def test_a_step_edge_of_a_sharp_picture_gets_no_halo_beyond_the_bound():
    """A step of 0.2 may be overshot by 0.1 beside it, and by nothing 5 px away."""
    truth = torch.full((3, 160, 160), 0.4)
    truth[:, :, 80:] = 0.6
    result = frames(imresize(truth, 0.5, rounded=True), zssr_iterations=20)[-1].image
    assert float(result.min()) >= 0.295 and float(result.max()) <= 0.705
    away = (slice(None), slice(None), slice(0, 70))
    torch.testing.assert_close(result[away], truth[away], atol=0.003, rtol=0)


def test_the_check_is_on_by_default():
    assert Options().check
