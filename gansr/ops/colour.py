"""Brightness and colour spaces: MATLAB's, plain luma and Pillow's; and rounding to 8 bits.

Three "Y" are in use in this field and differ by up to 1.3 dB in PSNR: MATLAB's rgb2ycbcr (16…235, the papers'
PSNR-Y), the plain luma .299/.587/.114 (0…1), and Pillow's 8-bit full-range YCbCr (what mGANprior's
colourisation converts with). Each has its own name here.
"""

from __future__ import annotations

import torch
from torch import Tensor

_MATLAB_Y = (65.481, 128.553, 24.966)
_LUMA = (0.299, 0.587, 0.114)


def to8bit(x: Tensor) -> Tensor:
    """Values of [0,1] → the nearest of the 256 steps k/255, clipped; same type. Has no gradient."""
    return (x * 255).round().clamp(0, 255) / 255


def matlab_y(x: Tensor) -> Tensor:
    """RGB (…,3,H,W) in [0,1] → MATLAB's Y (…,H,W) in 16…235, not rounded (ITU-R BT.601, studio range)."""
    return _weighted(x, _MATLAB_Y) + 16


def luma(x: Tensor) -> Tensor:
    """RGB (…,3,H,W) in [0,1] → brightness .299 R + .587 G + .114 B (…,H,W) in [0,1]."""
    return _weighted(x, _LUMA)


def pillow_ycbcr(x: Tensor) -> Tensor:
    """RGB (…,3,H,W) in [0,1] → Pillow's YCbCr (…,3,H,W), whole numbers 0…255 as float: bit for bit what
    `Image.convert("YCbCr")` gives for the 8-bit picture (JPEG's full range, 6 fixed binary places).

    Source: the fixed-point tables of Pillow's ConvertYCbCr.c: each product rounded to 1/64, the sum shifted.
    """
    r, g, b = ((x * 255).round().clamp(0, 255).double()).unbind(-3)
    y = _fixed(0.29900, r) + _fixed(0.58700, g) + _fixed(0.11400, b)
    cb = _fixed(-0.16874, r) + _fixed(-0.33126, g) + _fixed(0.50000, b)
    cr = _fixed(0.50000, r) + _fixed(-0.41869, g) + _fixed(-0.08131, b)
    planes = torch.stack([y, cb + 128 * 64, cr + 128 * 64], dim=-3)
    return (planes / 64).floor().clamp(0, 255).to(x.dtype)


def _fixed(weight: float, values: Tensor) -> Tensor:
    return (weight * 64 * values + 0.5).trunc()  # a C cast: towards zero, also where negative


def _weighted(x: Tensor, weights: tuple[float, float, float]) -> Tensor:
    r, g, b = x.unbind(-3)
    return weights[0] * r + weights[1] * g + weights[2] * b
