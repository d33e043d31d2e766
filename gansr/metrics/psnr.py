"""PSNR, on RGB and on MATLAB's Y: 10·log10(255² / mean squared error), in decibel.

The field's convention (BasicSR's calculate_psnr): the result is rounded to 8 bit first, a rim of `crop`
pixels is left out, Y is not rounded, everything in float64. Equal pictures give infinity. A mean over
pictures is the mean of their decibels.
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
    """PSNR in dB over all three channels of two pictures (3,H,W) in [0,1], rounded to 8 bit here."""
    return _decibel(255 * _eight(a, crop), 255 * _eight(b, crop))


def psnr_y(a: Tensor, b: Tensor, crop: int = 0) -> float:
    """PSNR in dB on MATLAB's Y (16…235, peak 255) of two pictures (3,H,W) in [0,1], rounded to 8 bit here."""
    return _decibel(matlab_y(_eight(a, crop)), matlab_y(_eight(b, crop)))


def _eight(x: Tensor, crop: int) -> Tensor:
    return to8bit(cropped(x.double(), crop))


def _decibel(a: Tensor, b: Tensor) -> float:
    error = (a - b).square().mean().item()
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


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
    explain="How close the brightness of each pixel is to the truth; 3 dB more is half the squared error. "
    "It favours blur over invented detail.",
    measure=_measure_y,
)
PSNR_RGB = Metric(
    name="psnr_rgb",
    title="PSNR-RGB",
    unit="dB",
    better="higher",
    against="truth",
    explain="How close each pixel's red, green and blue are to the truth; 3 dB more halves the squared error.",
    measure=_measure_rgb,
)
