"""The random views that ZSSR may train on."""

from __future__ import annotations

import pytest
import torch

from gansr.ops.kernels import gaussian_kernel
from gansr.papers.kernelgan import augment
from gansr.papers.kernelgan.zssr import Zssr
from tests.papers.kernelgan.pictures import textured


def test_affine_views_turn_shrink_and_mirror():
    generator = torch.Generator().manual_seed(0)
    views = torch.stack([augment.affine(generator) for _ in range(4000)])
    areas = torch.linalg.det(views)  # px of the picture for each px of the father
    assert 0.45 < float((areas < 0).float().mean()) < 0.55, "half of them are mirrored"
    assert 1.7 < float(areas.abs().median()) < 1.9 and float(areas.abs().max()) < 9  # shrunk to 0.75: 1/0.75²
    angles = torch.atan2(views[:, 1, 1], views[:, 0, 1])
    assert torch.histc(angles, 8, -torch.pi, torch.pi).min() > 400, "all directions alike"


def test_a_flat_picture_stays_flat_and_weights_are_taken_from_the_same_place():
    picture, weights = torch.full((3, 50, 70), 0.25), torch.rand(1, 50, 70)
    picture[0] = weights[0]
    crop = picture[:, 5:37, 8:40], weights[:, 5:37, 8:40]
    generator = torch.Generator().manual_seed(1)
    upright = 0
    for _ in range(60):
        father, weight = augment.augmented(picture, weights, crop, generator)
        assert father.shape == (3, 32, 32) and weight.shape == (1, 32, 32)
        torch.testing.assert_close(father[1:], torch.full((2, 32, 32), 0.25))
        assert float((father[0] - weight[0]).abs().mean()) < 0.1  # bicubic beside bilinear
        upright += torch.equal(weight, crop[1])
    assert 1 <= upright < 20


def test_an_affine_view_of_a_slope_is_a_slope_with_its_gradient():
    rows, columns = torch.meshgrid(torch.linspace(0, 1, 80), torch.linspace(0, 1, 90), indexing="ij")
    picture = torch.stack([rows, columns, rows])
    crop = picture[:, :16, :16], rows[None, :16, :16]
    for seed in range(40):
        generator, again = (torch.Generator().manual_seed(seed) for _ in range(2))
        if float(torch.rand(2, generator=again)[0]) < 0.5:
            continue
        matrix = augment.affine(again)
        father, _ = augment.augmented(picture, rows[None], crop, generator)
        steps = torch.stack([father[1].diff(dim=1).mean() * 89, father[0].diff(dim=1).mean() * 79])
        torch.testing.assert_close(steps, matrix[:, 0], atol=0.02, rtol=0)  # one px to the right


@pytest.mark.parametrize("paper", [False, True])
def test_zssr_learns_from_varied_crops(paper):
    low, kernel = textured(64, 64), gaussian_kernel(1.2, 1.2, 0)
    trainer = Zssr(
        low, kernel, 2, torch.Generator().manual_seed(0), steps=60, crop=32, augment=True, paper=paper
    )
    before = float((trainer.son - low).square().mean())
    while not trainer.ended:
        trainer.step()
    assert trainer.test() < before
