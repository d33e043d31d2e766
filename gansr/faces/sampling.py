"""Affine maps of a picture, and their sampling.

A map is a (2,3) tensor: (x, y, 1) → (x, y), in pixels, with the centre of the first pixel at (0, 0).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def warp(rgb: Tensor, matrix: Tensor, height: int, width: int, border: str = "zeros") -> Tensor:
    """(3,H,W) → (3,height,width): the value at `matrix`·(x, y, 1), bilinear, antialiased when it shrinks.

    matrix: (2,3), pixel of the result → pixel of `rgb`. border: "zeros" or "border", as grid_sample has it.
    """
    scale = math.sqrt(abs(float(torch.linalg.det(matrix[:, :2].double()))))
    if scale > 1.25:  # beyond it bilinear weights alias, so an antialiased filter shrinks first
        h, w = (max(1, round(side / scale)) for side in rgb.shape[1:])
        ratio = torch.tensor([w / rgb.shape[2], h / rgb.shape[1]], dtype=torch.float64)[:, None]
        matrix = torch.cat([matrix[:, :2].double() * ratio, (matrix[:, 2:].double() + 0.5) * ratio - 0.5], 1)
        rgb = F.interpolate(rgb[None], (h, w), mode="bilinear", antialias=True)[0]
    theta = _normalised(matrix.double(), rgb.shape[1:], (height, width)).to(rgb)
    return F.grid_sample(rgb[None], _grid(theta, height, width), "bilinear", border, align_corners=False)[0]


def _grid(theta: Tensor, height: int, width: int) -> Tensor:
    """What affine_grid gives, (1,height,width,2), as sums of rows and columns: 30 times quicker than its product."""
    x = (torch.arange(width, device=theta.device) * 2 + 1).to(theta) / width - 1
    y = (torch.arange(height, device=theta.device) * 2 + 1).to(theta) / height - 1
    return (x[:, None] * theta[:, 0] + (y[:, None] * theta[:, 1] + theta[:, 2])[:, None])[None]


def _normalised(matrix: Tensor, source: Sequence[int], target: Sequence[int]) -> Tensor:
    """Pixel coordinates → the [-1,1] coordinates of grid_sample, whose ±1 are the outer edges."""

    def square(height: int, width: int) -> Tensor:  # [-1,1] → pixels
        return torch.tensor(
            [[width / 2, 0, (width - 1) / 2], [0, height / 2, (height - 1) / 2], [0, 0, 1]],
            dtype=torch.float64,
        )

    whole = torch.cat([matrix, torch.tensor([[0.0, 0.0, 1.0]], dtype=torch.float64)])
    return (torch.linalg.inv(square(*source)) @ whole @ square(*target))[:2]


def inverse(matrix: Tensor) -> Tensor:
    """The inverse of a (2,3) affine map, (2,3)."""
    turn = torch.linalg.inv(matrix[:, :2])
    return torch.cat([turn, -turn @ matrix[:, 2:]], 1)


def moved(points: Tensor, matrix: Tensor) -> Tensor:
    """Points (…,2) through a (2,3) affine map."""
    return points @ matrix[:, :2].T + matrix[:, 2]


def scaled(points: Tensor, factor: float) -> Tensor:
    """Points of a picture → of the same picture enlarged by `factor`. Pixel centres: (x + ½)·factor − ½."""
    return (points + 0.5) * factor - 0.5
