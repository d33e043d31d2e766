"""The degradations of a quality test, against values derived by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from gansr.ops.degrade import PRESETS, Degradation, degrade, mod_crop, shrink
from gansr.ops.kernels import gaussian_kernel
from gansr.ops.resize import imresize
from gansr.options import OptionError, options_of, parse_options
from tests.support.golden import array


def _truth(height: int = 48, width: int = 64) -> torch.Tensor:
    noise = torch.from_numpy(array("degrade", (3, height, width))).sigmoid()
    return (noise * 255).round() / 255


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_default_is_matlab_s_bicubic_in_8_bit():
    low = degrade(_truth(), 4, Degradation(), _generator())
    assert low.shape == (3, 12, 16)
    assert torch.equal(low, imresize(_truth(), 0.25, rounded=True))


def test_area_is_the_rounded_mean_and_nearest_takes_pixels():
    truth = _truth()
    means = torch.nn.functional.avg_pool2d(truth[None] * 255, 4)[0]
    area = degrade(truth, 4, Degradation(operator="area"), _generator()) * 255
    assert (area - means).abs().max() < 0.501
    assert torch.equal(degrade(truth, 4, Degradation(operator="nearest"), _generator()), truth[:, 2::4, 2::4])


def _spread(low: torch.Tensor, scale: int) -> tuple[float, float, torch.Tensor]:
    """Centre (row, column) and covariance of a blurred dot, in px of the truth."""
    mass = low[0].double() / low[0].sum()
    y, x = ((torch.arange(n) * scale + (scale - 1) / 2).double() for n in mass.shape)
    cy, cx = float((mass.sum(1) * y).sum()), float((mass.sum(0) * x).sum())
    dy, dx = torch.meshgrid(y - cy, x - cx, indexing="ij")
    cov = torch.stack([(mass * a * b).sum() for a in (dy, dx) for b in (dy, dx)]).view(2, 2)
    return cy, cx, cov


def test_gaussian_has_its_widths_its_angle_and_shifts_nothing():
    dot = torch.zeros(3, 96, 96)
    dot[:, 46:50, 42:46] = 1  # a block: centre (47.5, 43.5), variance 1.25 an axis
    wide, narrow, angle = 6.0, 3.0, math.radians(30)
    low = shrink(dot, (48, 48), Degradation(operator="gaussian", width=wide, other=narrow, angle=30.0))
    cy, cx, cov = _spread(low, 2)
    assert (cy, cx) == (pytest.approx(47.5, abs=0.05), pytest.approx(43.5, abs=0.05))
    along = torch.tensor(
        [math.sin(angle), math.cos(angle)], dtype=torch.float64
    )  # clockwise from the horizontal
    across = torch.tensor([math.cos(angle), -math.sin(angle)], dtype=torch.float64)
    # rounding to 8 bit takes the tails, so a little less
    assert float(along @ cov @ along) == pytest.approx(wide**2 + 1.25, rel=0.12)
    assert float(across @ cov @ across) == pytest.approx(narrow**2 + 1.25, rel=0.12)
    assert abs(float(along @ cov @ across)) < 0.5


def test_round_gaussian_of_a_known_profile():
    stripe = torch.zeros(3, 40, 40)
    stripe[:, :, 20:] = 1
    low = shrink(stripe, (20, 20), Degradation(operator="gaussian", width=2.0))
    x = torch.arange(20) * 2 + 0.5  # where the outputs sit; the edge lies at 19.5
    expected = 0.5 * (1 + torch.erf((x - 19.5) / (2 * math.sqrt(2))))
    assert (low - expected).abs().max() < 0.01


def test_noise_has_its_strength_and_comes_from_the_seed():
    flat = torch.full((3, 400, 400), 128 / 255)
    flat[0] = 100 / 255
    noisy = degrade(flat, 2, Degradation(noise=10.0), _generator(3))
    for channel, mean in zip(noisy * 255, (100, 128, 128)):
        assert float(channel.mean()) == pytest.approx(mean, abs=0.2)
        assert float(channel.std()) == pytest.approx(10, rel=0.02)
    assert torch.equal(noisy, degrade(flat, 2, Degradation(noise=10.0), _generator(3)))
    assert not torch.equal(noisy, degrade(flat, 2, Degradation(noise=10.0), _generator(4)))
    torch.testing.assert_close(noisy * 255, (noisy * 255).round(), rtol=0, atol=1e-4)


def test_grey_gets_grey_noise():
    grey = _truth()[:1].expand(3, -1, -1)
    low = degrade(grey, 2, Degradation(noise=20.0), _generator())
    assert torch.equal(low[0], low[1]) and torch.equal(low[0], low[2])


def test_jpeg_loses_more_at_lower_quality_and_100_is_off():
    truth = _truth()
    clean = degrade(truth, 2, Degradation(), _generator())
    error = {
        q: float((degrade(truth, 2, Degradation(jpeg=q), _generator()) - clean).square().mean())
        for q in (20, 90)
    }
    assert 0 < error[90] < error[20]
    flat = torch.full((3, 32, 32), 77 / 255)
    assert (degrade(flat, 2, Degradation(jpeg=50), _generator()) - 77 / 255).abs().max() <= 1.01 / 255


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_allowed_and_its_shrink_is_its_input_without_what_is_random(name):
    degradation = PRESETS[name]
    values = {key: getattr(degradation, key) for key in options_of(Degradation)}
    assert parse_options(Degradation, values) == degradation
    truth = _truth()
    clean = degrade(truth, 4, replace(degradation, noise=0.0, salt=0.0, missing=0.0, jpeg=100), _generator())
    assert torch.equal(shrink(truth, (12, 16), degradation), clean)
    assert degrade(truth, 4, degradation, _generator()).shape == (3, 12, 16)


def test_every_field_has_a_label_a_sentence_and_changes_the_input():
    for name, (described, _) in options_of(Degradation).items():
        assert described.title and described.changes_input, name
        assert 20 < len(described.help) < 160 and not described.help.endswith("."), name


def test_mod_crop_cuts_right_and_below():
    x = _truth(19, 23)
    assert torch.equal(mod_crop(x, 4), x[:, :16, :20])
    with pytest.raises(ValueError, match="needs 32 px"):
        mod_crop(x, 32)


def test_motion_blur_spreads_a_dot_over_its_length_along_its_angle():
    dot = torch.zeros(3, 33, 33)
    dot[:, 16, 16] = 1
    flat = shrink(dot, (33, 33), Degradation(operator="nearest", motion=5))
    assert torch.equal(flat[0, 16, 14:19] * 255, torch.full((5,), 51.0))  # 255 / 5
    assert float(flat.sum()) == pytest.approx(3)
    steep = shrink(dot, (33, 33), Degradation(operator="nearest", motion=5, angle=90.0))
    assert torch.equal(steep, flat.mT)
    slanted = shrink(dot, (33, 33), Degradation(operator="nearest", motion=9, angle=45.0))[0]
    rows, columns = (slanted > 0.05).nonzero(as_tuple=True)
    assert torch.equal(rows, columns) and len(rows) == 7  # 9 px long: 9/√2 = 6.4 rows


def test_salt_and_pepper_are_white_and_black_pixels_of_that_share():
    grey = torch.full((3, 400, 400), 128 / 255)
    low = degrade(grey, 2, Degradation(salt=5.0), _generator(3))
    assert torch.equal(low, low[:1].expand(3, -1, -1))  # in all channels at once
    white, black = (float((low[0] == value).float().mean()) for value in (1.0, 0.0))
    assert white == pytest.approx(0.025, abs=0.003) and black == pytest.approx(0.025, abs=0.003)
    assert float((low[0] == 128 / 255).float().mean()) == pytest.approx(1 - white - black)
    assert torch.equal(low, degrade(grey, 2, Degradation(salt=5.0), _generator(3)))


def test_missing_pixels_are_black():
    grey = torch.full((3, 400, 400), 128 / 255)
    low = degrade(grey, 2, Degradation(missing=10.0), _generator(3))
    assert set(low.unique().tolist()) == {0.0, float(grey[0, 0, 0])}
    assert float((low == 0).float().mean()) == pytest.approx(0.1, abs=0.006)


def test_what_is_random_does_not_change_how_a_result_is_compared():
    random = Degradation(noise=10.0, salt=5.0, missing=10.0, jpeg=50)
    assert torch.equal(shrink(_truth(), (12, 16), random), shrink(_truth(), (12, 16), Degradation()))


def test_a_kernel_of_one_s_own_shrinks_with_it_at_its_factor():
    box = Degradation(operator="kernel", kernel=torch.ones(2, 2))
    area = degrade(_truth(), 2, Degradation(operator="area"), _generator())
    torch.testing.assert_close(degrade(_truth(), 2, box, _generator()), area, atol=1.01 / 255, rtol=0)
    four = Degradation(operator="kernel", kernel=torch.ones(4, 4), kernel_factor=4)
    area = degrade(_truth(), 4, Degradation(operator="area"), _generator())
    torch.testing.assert_close(degrade(_truth(), 4, four, _generator()), area, atol=1.01 / 255, rtol=0)


@pytest.mark.parametrize("scale", [3, 4, 8])
def test_a_kernel_for_two_is_made_one_of_the_method_s_factor(scale):
    # the variance grows with s² − 1 (gansr.ops.kernels.stretched)
    widening = math.sqrt((scale**2 - 1) / 3)
    own = Degradation(operator="kernel", kernel=gaussian_kernel(1.4, 0.9, 20.0, side=17))
    as_gaussian = Degradation(operator="gaussian", width=1.4 * widening, other=0.9 * widening, angle=20.0)
    truth = _truth(48, 96)
    low, expected = (degrade(truth, scale, one, _generator()) for one in (own, as_gaussian))
    torch.testing.assert_close(low, expected, atol=2.01 / 255, rtol=0)


def test_a_kernel_that_is_not_there_is_asked_for():
    with pytest.raises(OptionError, match="shrinking by a kernel needs one"):
        degrade(_truth(), 2, Degradation(operator="kernel"), _generator())


def test_a_kernel_that_would_be_too_large_at_the_factor_is_refused():
    own = Degradation(operator="kernel", kernel=torch.ones(65, 65))
    with pytest.raises(OptionError, match="wider than 2048 px"):
        degrade(torch.zeros(3, 256, 256), 64, own, _generator())


def test_degradations_are_equal_by_value():
    one, same, other = (Degradation(kernel=torch.full((3, 3), value)) for value in (0.1, 0.1, 0.2))
    assert one == same and hash(one) == hash(same) and one != other and one != Degradation()
    assert Degradation(kernel=torch.ones(1, 4)) != Degradation(kernel=torch.ones(2, 2))
