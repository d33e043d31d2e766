"""Grid energy: how far the power of a picture at the frequencies of a dot grid stands out of the power around them:

    G = mean over f of max(0, 10·log10( P(f) / N(f) ))        in dB, 0 for no grid

P is the power spectrum of the brightness (1…255) in the middle of the picture, which in an aligned face is skin: the
mean over Hann windows of 64×64 px, half a window apart. The frequencies f are those of lattices with a period of 2, 4
and 8 px, what a generator that doubles its features leaves behind. N(f) is the geometric mean of the power 3 to 5 bins
away, plus that of rounding to 8 bits, so a pattern below rounding does not count. P(f) has the same addition.

A ratio of neighbouring frequencies, so blurring, contrast and brightness change both: a blurred grid stays a grid until
rounding hides it. Ours; no paper has it. docs/faces.md has what photographs and the generator's own samples reach.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from gansr.ops.colour import luma, to8bit

WINDOW = 64  # px
PERIODS = (2, 4, 8)  # px
NEAR, FAR = 3, 5  # bins: the Hann window spreads a frequency over 2
ROUNDING = 1 / 12  # variance of rounding to whole numbers


def grid_energy(picture: Tensor) -> float:
    """The grid energy, dB, of a picture (3,H,W) in [0,1], rounded to 8 bits here: of its middle half (a quarter of the
    area). Raises ValueError where that has under 64 px a side."""
    power = spectrum(_middle(255 * luma(to8bit(picture.double())))) + ROUNDING
    levels = [_excess(power, row, column) for row, column in lattice()]
    return sum(levels) / len(levels)


def _middle(plane: Tensor) -> Tensor:
    height, width = plane.shape
    part = plane[height // 4 : height - height // 4, width // 4 : width - width // 4]
    if min(part.shape) < WINDOW:
        raise ValueError(f"grid energy needs {2 * WINDOW}×{2 * WINDOW} px, not {width}×{height}")
    return part


def spectrum(plane: Tensor) -> Tensor:
    """A plane (H,W) → its power (64,64) by frequency (rows, columns; bin k is k/64 of a pixel⁻¹), such that white noise
    has its variance in each bin."""
    hann = torch.hann_window(WINDOW, periodic=True, dtype=plane.dtype)
    window = hann[:, None] * hann
    parts = plane.unfold(0, WINDOW, WINDOW // 2).unfold(1, WINDOW, WINDOW // 2)
    parts = parts - parts.mean(dim=(-2, -1), keepdim=True)
    power = torch.fft.fft2(parts * window).abs().square() / window.square().sum()
    return power.mean(dim=(0, 1))


@lru_cache(maxsize=1)
def lattice() -> tuple[tuple[int, int], ...]:
    """The bins (row, column) of the lattices' frequencies, each once, without the mean and what is its mirror image."""
    found: set[tuple[int, int]] = set()
    for period in PERIODS:
        step = WINDOW // period
        bins = range(0, WINDOW, step)
        for row in bins:
            for column in bins:
                mirrored = (-row % WINDOW, -column % WINDOW)
                if (row, column) != (0, 0) and mirrored not in found:
                    found.add((row, column))
    return tuple(sorted(found))


def _excess(power: Tensor, row: int, column: int) -> float:
    """How far the bin stands out of those 3 to 5 bins away, dB, at least 0."""
    reach = torch.arange(-FAR, FAR + 1)
    around = power[(row + reach)[:, None] % WINDOW, (column + reach)[None] % WINDOW]
    ring = torch.maximum(reach.abs()[:, None], reach.abs()[None]) >= NEAR
    return max(0.0, 10 * float(power[row, column].log10() - around[ring].log10().mean()))
