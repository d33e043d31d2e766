"""Which crops KernelGAN learns from, against the authors' numbers and by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gansr.ops.resize import imresize
from gansr.papers.kernelgan.crops import (
    crop_sides,
    draw_centres,
    gradient_map,
    probability_maps,
    top_left,
    trim_border,
)
from tests.papers.kernelgan.pictures import golden_picture
from tests.support.golden import Golden

pytestmark = pytest.mark.usefixtures("one_thread")


def test_maps_and_crops_are_the_authors():
    golden = Golden("kernelgan_data")
    picture = golden_picture(golden)
    assert list(picture.permute(1, 2, 0).shape) == golden.about["after_cut_shape"]
    golden.check("gradmap", gradient_map(picture, paper=True))
    golden.check("gradmap_small", gradient_map(imresize(picture.double(), 0.5, paper=True), paper=True))
    for_g, for_d = probability_maps(picture, paper=True)
    golden.check("prob_G", for_g)
    golden.check("prob_D", for_d)
    draw = np.random.RandomState(3)
    for letter, probability, side in (("G", for_g, 64), ("D", for_d, 26)):
        centres = draw_centres(probability, torch.from_numpy(draw.random_sample(3000)))
        corners = top_left(centres, 130, 150, side)
        np.testing.assert_array_equal(centres[:50], golden.stored[f"centres_{letter}"])
        np.testing.assert_array_equal(corners[:50], golden.stored[f"topleft_{letter}"])


def test_our_gradient_map_clips_the_magnitude_too():
    picture = torch.linspace(0, 0.5, 80).expand(3, 80, 80).clone()  # a slope, and one strong edge
    picture[:, 30:50, 40] += 0.4
    ours, theirs = gradient_map(picture), gradient_map(picture, paper=True)
    slope = (slice(10, 20), slice(10, 20))  # not among the strongest 3 % of the edges
    assert theirs[slope].min() > 0 and not ours[slope].any()
    assert float(ours.mean()) == pytest.approx(1) and float(theirs.mean()) == pytest.approx(1)


def test_a_flat_picture_is_cropped_uniformly():
    for_g, for_d = probability_maps(torch.full((3, 64, 64), 0.5))
    # A picture as large as the crop has no centre whose crop lies inside.
    torch.testing.assert_close(for_g, torch.full_like(for_g, 1 / 64**2))
    assert float(for_d.sum()) == pytest.approx(1)
    inner = for_d[20:44, 20:44]
    torch.testing.assert_close(inner, inner[0, 0].expand(24, 24))


def test_crops_lie_inside_and_start_at_even_pixels():
    corners = top_left(torch.arange(70 * 90), 90, 70, 64)
    assert int(corners.min()) == 0 and corners.max(0).values.tolist() == [6, 26]
    assert not (corners % 2).any()


@pytest.mark.parametrize(
    ("height", "width", "left", "for_g", "for_d"),
    [
        (48, 48, (40, 40), 40, 14),
        (49, 90, (40, 82), 40, 14),
        (56, 56, (48, 48), 48, 18),
        (64, 64, (56, 56), 56, 22),
        (72, 72, (64, 64), 64, 26),
        (83, 84, (64, 66), 64, 26),
        (84, 84, (64, 64), 64, 26),  # the authors' from here on
        (100, 120, (80, 100), 64, 26),
    ],
)
def test_small_pictures_lose_less_border_and_give_smaller_crops(height, width, left, for_g, for_d):
    picture = trim_border(torch.zeros(3, height, width), real=False)
    assert tuple(picture.shape[-2:]) == left
    assert crop_sides(picture) == (for_g, for_d)


def test_of_a_real_photograph_no_border_is_cut_off():
    assert trim_border(torch.zeros(3, 49, 90), real=True).shape == (3, 48, 90)
