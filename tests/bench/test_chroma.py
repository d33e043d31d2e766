"""Rare colours, on pictures whose shares are known."""

from __future__ import annotations

import pytest
import torch

from gansr.bench.chroma import common_colours, rare_colours
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
