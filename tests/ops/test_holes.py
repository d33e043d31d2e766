"""Holes that several papers fill."""

from __future__ import annotations

import torch

from gansr.ops.holes import emptied, made_hole


def test_the_middle_is_half_as_high_and_half_as_wide():
    expected = torch.zeros(1, 20, 31)
    expected[:, 5:15, 8:23] = 1
    assert torch.equal(made_hole("middle", 20, 31, 3), expected)


def test_random_holes_have_the_seeds_place_and_lie_inside():
    for seed in range(8):
        rows, columns = made_hole("random", 20, 30, seed)[0].nonzero(as_tuple=True)
        assert len(rows) == 10 * 15 == (rows.max() - rows.min() + 1) * (columns.max() - columns.min() + 1)
        pieces = made_hole("pieces", 80, 40, seed)
        assert 4 * 50 < int(pieces.sum()) <= 8 * 50  # of 10×5
    assert torch.equal(made_hole("random", 20, 30, 1), made_hole("random", 20, 30, 1))
    assert not torch.equal(made_hole("random", 20, 30, 1), made_hole("random", 20, 30, 2))


def test_dots_are_half_of_the_pixels():
    dots = made_hole("dots", 100, 100, 0)
    assert set(dots.unique().tolist()) == {0.0, 1.0}
    assert abs(float(dots.mean()) - 0.5) < 0.02  # four standard deviations


def test_a_hole_is_shown_in_grey():
    picture = torch.zeros(3, 1, 2)
    expected = torch.tensor([[[0.5, 0.0]]] * 3)
    assert torch.equal(emptied(picture, torch.tensor([[[1.0, 0.0]]])), expected)
