"""Rare colours, on pictures whose shares are known."""

from __future__ import annotations

import math

import pytest
import torch

from gansr.bench.chroma import cheeks_of, colour_auc, common_colours, rare_colours, skin_tone, tone_of
from gansr.nets.mobilestylegan import MobileStyleGAN


def test_the_share_is_that_of_pixels_outside_the_common_cells():
    common = torch.zeros(64, 64, dtype=torch.bool)
    common[32, 32] = True  # Cb and Cr of 128 to 131: grey
    picture = torch.full((3, 64, 64), 0.5)
    assert rare_colours(picture, common) == 0
    picture[:, 8:56, 8:20] = torch.tensor([1.0, 0.4, 0.0])[
        :, None, None
    ]  # 12 of the 48 columns in the middle
    assert rare_colours(picture, common) == pytest.approx(0.25)
    picture[:, :, :8] = torch.tensor([0.0, 0.0, 1.0])[:, None, None]  # outside the middle
    assert rare_colours(picture, common) == pytest.approx(0.25)


def test_the_area_under_the_curve_is_one_minus_the_mean_distance():
    """CIELAB of sRGB red: a* 80.09, b* 67.20 (as every converter gives it); grey has neither."""
    red, grey = torch.zeros(3, 4, 4), torch.full((3, 4, 4), 0.5)
    red[0] = 1
    apart = math.hypot(80.09, 67.20)
    assert colour_auc(red, grey) == pytest.approx(1 - apart / 150, abs=1e-4)
    assert colour_auc(red, red) == 1
    half = grey.clone()
    half[:, :2] = red[:, :2]
    assert colour_auc(half, grey) == pytest.approx(1 - apart / 300, abs=1e-4)
    blue, yellow = torch.zeros(3, 1, 1), torch.ones(3, 1, 1)
    blue[2], yellow[2] = 1, 0
    assert colour_auc(blue, yellow) == 0, "farther apart than 150"


def test_the_tone_is_the_angle_of_lightness_and_yellow_on_the_cheeks():
    """CIELAB of sRGB yellow: L* 97.14, b* 94.48, as every converter gives it."""
    face = torch.zeros(3, 200, 200)
    face[2] = 1
    face[:2, 112:132, 60:80] = face[:2, 112:132, 120:140] = 1
    face[2, 112:132, 60:80] = face[2, 112:132, 120:140] = 0
    assert skin_tone(face) == pytest.approx(math.degrees(math.atan((97.14 - 50) / 94.48)), abs=0.02)
    assert skin_tone(torch.zeros(3, 64, 64)) == pytest.approx(-90, abs=1e-3)
    names = [tone_of(angle) for angle in (60, 50, 30, 20, 0, -40)]
    assert names == ["very light", "light", "intermediate", "tan", "brown", "dark"]


def test_the_cheeks_are_where_the_landmarks_are():
    """Eyes 100 px apart: squares of 40 px, 20 px outside the middle between an eye and the corner of the mouth."""
    points = torch.tensor([[100.0, 100], [200, 100], [150, 140], [110, 180], [190, 180]])
    left, right = cheeks_of(points)
    assert left == (slice(120, 160), slice(65, 105)) and right == (slice(120, 160), slice(195, 235))
    face = torch.zeros(3, 300, 300)
    face[2] = 1  # blue, and yellow cheeks
    for rows, columns in (left, right):
        face[:2, rows, columns], face[2, rows, columns] = 1, 0
    assert skin_tone(face, points) == pytest.approx(math.degrees(math.atan((97.14 - 50) / 94.48)), abs=0.02)
    turned = torch.stack((points[:, 1], 300 - points[:, 0]), 1)  # the eyes one above the other
    assert skin_tone(face.flip(2).transpose(1, 2), turned) == pytest.approx(skin_tone(face, points))


def test_the_common_cells_hold_the_samples_colours_and_no_more_than_needed():
    torch.manual_seed(0)
    net = MobileStyleGAN((16, 8, 8), style=10, mapping_layers=1).requires_grad_(False).eval()
    common = common_colours(net, samples=4)
    shares: list[float] = []
    for seed in range(4):
        z = torch.randn(1, 10, generator=torch.Generator().manual_seed(seed))
        face = torch.nn.functional.interpolate((net(z) / 2 + 0.5).clamp(0, 1), (256, 256), mode="area")[0]
        shares.append(rare_colours((face * 255).round() / 255, common))
    assert sum(shares) / 4 <= 0.01
    assert 0 < int(common.sum()) < common.numel()
    assert torch.equal(common, common_colours(net, samples=4))
