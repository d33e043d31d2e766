"""Pictures and short runs that several of KernelGAN's tests use."""

from __future__ import annotations

from typing import Any

import torch

from gansr.method import Frame, Nets
from gansr.ops.resize import imresize
from gansr.options import parse_options
from gansr.papers.kernelgan import Options, run
from gansr.papers.kernelgan.crops import trim_border
from tests.support.golden import Golden

SHORT: dict[str, Any] = {"iterations": 60, "zssr_iterations": 10, "crop": 32}


def noise_picture(height: int, width: int, seed: int = 0) -> torch.Tensor:
    """(3,H,W) of uniform noise in [0,1)."""
    return torch.rand(3, height, width, generator=torch.Generator().manual_seed(seed))


def golden_picture(golden: Golden) -> torch.Tensor:
    """The golden's picture as the kernel is learned from it, in [0,1]."""
    return trim_border(golden.tensor("picture").permute(2, 0, 1).float() / 255, real=False)


def textured(height: int, width: int, seed: int = 0) -> torch.Tensor:
    """(3,H,W) in [0,1]: noise enlarged three times, so that there is something to learn."""
    noise = torch.rand(3, height // 3 + 1, width // 3 + 1, generator=torch.Generator().manual_seed(seed))
    return imresize(noise, 3.0)[:, :height, :width].clamp(0, 1)


def discs(side: int, seed: int = 0) -> torch.Tensor:
    """(3,side,side) in [0,1]: grey discs of many sizes over each other, with edges alike at any scale."""
    generator = torch.Generator().manual_seed(seed)
    axis = torch.arange(side)
    picture = torch.zeros(3, side, side)
    for _ in range(120):
        row, column, size, grey = torch.rand(4, generator=generator).tolist()
        radius = 0.03 * side / (1 - 0.85 * size)
        inside = (axis[:, None] - row * side) ** 2 + (axis[None] - column * side) ** 2 < radius**2
        picture[:, inside] = grey
    return picture


def frames(low: torch.Tensor, seed: int = 0, **values: Any) -> list[Frame]:
    """All frames of a short run; `values` are further options."""
    options = parse_options(Options, {**SHORT, **values})
    return list(run(low, options, Nets(), torch.Generator().manual_seed(seed)))
