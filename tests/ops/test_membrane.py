"""The membrane inside a hole."""

from __future__ import annotations

import math

import torch

from gansr.ops.membrane import Membrane


def hole_of(top: int, bottom: int, left: int, right: int) -> torch.Tensor:
    hole = torch.zeros(1, 24, 20, dtype=torch.bool)
    hole[:, top:bottom, left:right] = True
    return hole


def test_a_harmonic_function_is_continued_as_it_is():
    y, x = torch.meshgrid(torch.arange(24.0), torch.arange(20.0), indexing="ij")
    wanted = torch.stack((x + 2 * y, x * y, x**2 - y**2))  # each value is the mean of its neighbours
    hole = hole_of(5, 17, 4, 15)
    torch.testing.assert_close(Membrane(hole)(wanted.masked_fill(hole, 7.0)), wanted)


def test_a_hole_of_two_parts_and_one_at_the_border_is_filled_from_what_is_around_it():
    hole = hole_of(0, 9, 0, 20) | hole_of(14, 18, 3, 6)
    around = torch.full((1, 24, 20), 0.25).masked_fill(hole, 0.0)
    filled = Membrane(hole)(around)
    torch.testing.assert_close(filled, torch.full((1, 24, 20), 0.25))
    assert filled.dtype == torch.float32


def test_with_a_reach_the_values_fall_away_from_the_rim():
    hole, around = torch.zeros(1, 3, 200, dtype=torch.bool), torch.ones(1, 3, 200)
    hole[:, :, 20:] = True  # three rows alike: a line that falls from its left end
    filled = Membrane(hole, reach=10.0)(around)[0]
    torch.testing.assert_close(filled[0], filled[2])
    assert abs(float(filled[1, 30 - 1]) - math.exp(-1)) < 0.01
    assert float(filled[1, 150]) < 1e-4
