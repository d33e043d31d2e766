"""What is left out at a picture's rim before it is measured."""

from __future__ import annotations

from torch import Tensor

RIM = 4  # px, SRGAN's convention at ×4


def usual_rim(x: Tensor) -> int:
    """The rim a metric leaves out of a picture (…,H,W): RIM, or nothing where a side is 18 px or less (then
    SSIM's window of 11 px would not fit)."""
    return RIM if min(x.shape[-2:]) > 18 else 0


def cropped(x: Tensor, rim: int) -> Tensor:
    """(…,H,W) without `rim` px on every side. Raises ValueError if nothing would be left."""
    height, width = x.shape[-2:]
    if min(height, width) <= 2 * rim:
        raise ValueError(f"nothing is left of {height}×{width} px without a rim of {rim}")
    return x[..., rim : height - rim, rim : width - rim]
