"""PSNR, on RGB and on MATLAB's Y:

    PSNR(x, y) = 10 · log10( 255² / mean (x − y)² )        in dB, infinity for equal pictures

As BasicSR's calculate_psnr, the field's convention: the result is rounded to 8 bits first, a border of `crop` pixels is
left out, Y is not rounded, all in float64. A mean over pictures is the mean of their values in dB.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from gansr.metric import Metric
from gansr.ops.colour import matlab_y, to8bit
from gansr.ops.crop import cropped, usual_rim


def psnr_rgb(a: Tensor, b: Tensor, crop: int = 0) -> float:
    """PSNR in dB over the three channels of two pictures (3,H,W) in [0,1], rounded to 8 bits here.

    crop: px left out on every side. Raises ValueError if nothing is left.
    """
    return _psnr(255 * _rounded(a, crop), 255 * _rounded(b, crop))


def psnr_y(a: Tensor, b: Tensor, crop: int = 0) -> float:
    """PSNR in dB, peak 255, on MATLAB's Y (16…235) of two pictures (3,H,W) in [0,1], rounded to 8 bits here.

    crop: px left out on every side. Raises ValueError if nothing is left.
    """
    return _psnr(matlab_y(_rounded(a, crop)), matlab_y(_rounded(b, crop)))


def _rounded(x: Tensor, crop: int) -> Tensor:
    return to8bit(cropped(x.double(), crop))


def _psnr(a: Tensor, b: Tensor) -> float:
    mse = (a - b).square().mean().item()
    return math.inf if mse == 0 else 10 * math.log10(255**2 / mse)


def _measure_y(a: Tensor, b: Tensor, nets: Mapping[str, Any]) -> float:
    return psnr_y(a, b, usual_rim(a))


def _measure_rgb(a: Tensor, b: Tensor, nets: Mapping[str, Any]) -> float:
    return psnr_rgb(a, b, usual_rim(a))


PSNR_Y = Metric(
    name="psnr_y",
    title="PSNR-Y",
    unit="dB",
    better="higher",
    against="truth",
    explain="How close the brightness of each pixel is to the original; 3 dB more is half the squared error. "
    "It favours blur over invented detail.",
    measure=_measure_y,
)
PSNR_RGB = Metric(
    name="psnr_rgb",
    title="PSNR-RGB",
    unit="dB",
    better="higher",
    against="truth",
    explain="How close each pixel's red, green and blue are to the original; 3 dB more is half the squared error.",
    measure=_measure_rgb,
)
