"""Cropping the border (rim) of a picture before a metric is measured."""

from __future__ import annotations

from torch import Tensor

RIM = 4  # px, SRGAN's convention at ×4


def usual_rim(x: Tensor) -> int:
    """The rim in px that a metric crops from a picture (…,H,W): RIM, or 0 where a side is 18 px or less, because
    SSIM's window of 11 px would not fit then."""
    return RIM if min(x.shape[-2:]) > 18 else 0


def cropped(x: Tensor, rim: int) -> Tensor:
    """(…,H,W) without `rim` px on every side. Raises ValueError if nothing would be left."""
    height, width = x.shape[-2:]
    if min(height, width) <= 2 * rim:
        raise ValueError(f"nothing is left of {height}×{width} px without a rim of {rim}")
    return x[..., rim : height - rim, rim : width - rim]
