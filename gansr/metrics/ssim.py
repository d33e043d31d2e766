"""SSIM: local means, variances and covariance compared under a Gaussian window of 11×11 px, σ 1.5:

    SSIM(x, y) = (2 μx μy + C1) (2 σxy + C2) / ( (μx² + μy² + C1) (σx² + σy² + C2) )        in [−1,1], 1 for equals

Wang, Bovik, Sheikh, Simoncelli, "Image Quality Assessment: From Error Visibility to Structural Similarity", 2004,
eq. 13. As MATLAB's and BasicSR's: values in 0…255, float64, only where the window fits wholly (5 px are lost on every
side), C1 = (0.01·255)², C2 = (0.03·255)², biased variances, the mean of the map. RGB: the mean of the three channels.

The window is separable, so it is applied as two 11-tap passes; of the two variances only the sum is needed, so the
passes go over four maps.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from gansr.metric import Metric
from gansr.ops.colour import matlab_y, to8bit
from gansr.ops.crop import cropped, usual_rim
from gansr.ops.window import gaussian_line, local_mean

_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
_LINE = gaussian_line(11, 1.5)


def ssim_map(a: Tensor, b: Tensor) -> Tensor:
    """The SSIM map (N,H−10,W−10), float64, of two stacks of planes (N,H,W) in 0…255.

    Raises ValueError for a side under 11 px.
    """
    if min(a.shape[-2:]) < 11:
        raise ValueError(f"SSIM needs at least 11 px a side, not {a.shape[-2]}×{a.shape[-1]}")
    a, b = a.double(), b.double()
    mean_a, mean_b, squares, ab = local_mean(torch.stack([a, b, a * a + b * b, a * b]), _LINE)
    both, mean_squares = mean_a * mean_b, mean_a**2 + mean_b**2
    structure = (2 * (ab - both) + _C2) / (squares - mean_squares + _C2)
    return (2 * both + _C1) / (mean_squares + _C1) * structure


def ssim_rgb(a: Tensor, b: Tensor, crop: int = 0) -> float:
    """Mean SSIM of the three channels of two pictures (3,H,W) in [0,1], rounded to 8 bits here.

    crop: px left out on every side. Raises ValueError for a remaining side under 11 px.
    """
    a, b = (255 * to8bit(cropped(x.double(), crop)) for x in (a, b))
    return ssim_map(a, b).mean().item()


def ssim_y(a: Tensor, b: Tensor, crop: int = 0) -> float:
    """SSIM on MATLAB's Y of two pictures (3,H,W) in [0,1], rounded to 8 bits here.

    crop: px left out on every side. Raises ValueError for a remaining side under 11 px.
    """
    a, b = (matlab_y(to8bit(cropped(x.double(), crop)))[None] for x in (a, b))
    return ssim_map(a, b).mean().item()


def _measure_y(a: Tensor, b: Tensor, nets: Mapping[str, Any]) -> float:
    return ssim_y(a, b, usual_rim(a))


def _measure_rgb(a: Tensor, b: Tensor, nets: Mapping[str, Any]) -> float:
    return ssim_rgb(a, b, usual_rim(a))


SSIM_Y = Metric(
    name="ssim_y",
    title="SSIM-Y",
    unit="",
    better="higher",
    against="truth",
    explain="How alike the local brightness, contrast and structure are to the original; 1 is equal.",
    measure=_measure_y,
    min_side=11,
    digits=4,
)
SSIM_RGB = Metric(
    name="ssim_rgb",
    title="SSIM-RGB",
    unit="",
    better="higher",
    against="truth",
    explain="As SSIM-Y, measured on red, green and blue and averaged; 1 is equal.",
    measure=_measure_rgb,
    min_side=11,
    digits=4,
)
