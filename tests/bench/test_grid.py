"""Grid energy: a drawn dot grid raises it, and neither blurring nor contrast is a way to hide one."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from gansr.bench.grid import WINDOW, grid_energy, lattice, spectrum


def smooth(side: int = 256, seed: int = 0) -> Tensor:
    """A photograph's spectrum: noise whose amplitude falls with the frequency, (3,side,side) in [0,1]."""
    noise = torch.randn(side, side, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    f = torch.fft.fftfreq(side, dtype=torch.float64)
    falling = (f[:, None].square() + f.square() + (2 / side) ** 2) ** -0.6
    plane = torch.fft.ifft2(torch.fft.fft2(noise) * falling).real
    plane = (plane - plane.mean()) / plane.std()
    return (0.5 + 0.1 * plane).clamp(0, 1).float().expand(3, -1, -1)


def with_dots(picture: Tensor, period: int, strength: float = 0.02) -> Tensor:
    dots = torch.zeros_like(picture)
    dots[:, ::period, ::period] = strength
    return (picture + dots).clamp(0, 1)


def blurred(picture: Tensor, sigma: float) -> Tensor:
    x = torch.arange(-8, 9.0)
    line = torch.exp(-x.square() / (2 * sigma**2))
    kernel = (line[:, None] * line / line.sum() ** 2).expand(3, 1, 17, 17)
    padded = F.pad(picture[None], (8, 8, 8, 8), mode="reflect")
    return F.conv2d(padded, kernel, groups=3)[0]


@pytest.mark.parametrize("period", [2, 4, 8])
def test_a_drawn_dot_grid_raises_it(period: int):
    plain = grid_energy(smooth())
    assert plain < 1.5
    weak, strong = (grid_energy(with_dots(smooth(), period, strength)) for strength in (0.02, 0.08))
    assert plain + 0.3 < weak < strong


def test_dots_at_a_period_of_no_lattice_do_not_count_as_a_grid():
    assert grid_energy(with_dots(smooth(), 7, 0.04)) < grid_energy(with_dots(smooth(), 4, 0.04)) / 2


@pytest.mark.parametrize("sigma", [0.5, 0.7])
def test_blurring_is_no_way_to_pass(sigma: float):
    gridded = with_dots(smooth(), 4, 0.08)
    assert grid_energy(blurred(gridded, sigma)) > 0.75 * grid_energy(gridded)
    assert grid_energy(blurred(smooth(), sigma)) < 1.5  # and alone it makes no grid


def test_less_contrast_is_no_way_to_pass():
    gridded = with_dots(smooth(), 4, 0.08)
    assert grid_energy(0.25 + 0.5 * gridded) == pytest.approx(grid_energy(gridded), abs=1)


def test_white_noise_is_no_grid():
    noise = torch.rand(3, 512, 512, generator=torch.Generator().manual_seed(1))
    assert grid_energy(noise) < 0.5


def test_a_flat_picture_has_none():
    assert grid_energy(torch.full((3, 128, 128), 0.4)) == 0


def test_the_spectrum_of_white_noise_is_its_variance():
    noise = 3 * torch.randn(512, 512, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert spectrum(noise).mean() == pytest.approx(9, rel=0.02)


def test_every_frequency_of_the_lattices_counts_once():
    found = lattice()
    assert len(found) == len(set(found)) == 33  # of the 63 without the mean, 30 are mirror images
    assert (WINDOW // 2, WINDOW // 2) in found and (0, WINDOW // 4) in found and (0, 0) not in found


def test_a_small_picture_is_refused():
    with pytest.raises(ValueError, match="128×128"):
        grid_energy(torch.zeros(3, 100, 200))
