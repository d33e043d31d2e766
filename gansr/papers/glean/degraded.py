"""Inputs for the robust model: faces shrunk with blur, noise and JPEG of random strength.

The classical model of the field (gansr.ops.degrade: blur, sub-sampling, noise, JPEG), drawn for each face anew:
- shrinking: MATLAB's bicubic (40 %), the mean of each square (10 %), or a Gaussian, half of the time with another width
  across its angle (50 %); widths of 0.35 to 1.2 px of the small picture;
- Gaussian noise of 0 to 15/255 in 60 % of the faces;
- JPEG of quality 30 to 95 in 60 %.
"""

from __future__ import annotations

import torch
from torch import Tensor

from gansr.ops.degrade import Degradation, degrade

WIDTHS = (0.35, 1.2)  # standard deviations of the blur, px of the small picture
NOISE, QUALITY = 15, (30, 95)


def drawn(factor: int, generator: torch.Generator) -> Degradation:
    """A random degradation for pictures that are shrunk `factor` times."""
    u = torch.rand(9, generator=generator, dtype=torch.float64).tolist()
    least, most = (factor * width for width in WIDTHS)
    return Degradation(
        operator="bicubic" if u[0] < 0.4 else "area" if u[0] < 0.5 else "gaussian",
        width=least + (most - least) * u[1],
        other=least + (most - least) * u[2] if u[3] < 0.5 else 0.0,
        angle=180 * u[4],
        noise=NOISE * u[6] if u[5] < 0.6 else 0.0,
        jpeg=round(QUALITY[0] + (QUALITY[1] - QUALITY[0]) * u[8]) if u[7] < 0.6 else 100,
    )


def degraded(truth: Tensor, factor: int, share: float, generator: torch.Generator) -> Tensor:
    """A truth (3,H,W) in [0,1] → its input (3,H/factor,W/factor) in multiples of 1/255.

    With the probability `share` it is degraded at random, else shrunk by MATLAB's bicubic.
    """
    chosen = torch.rand((), generator=generator) < share
    return degrade(truth, factor, drawn(factor, generator) if chosen else Degradation(), generator)
