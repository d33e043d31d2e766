"""How our GLEAN compares with bicubic on pictures whose truth is known: PSNR, LPIPS, LR-consistency."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from torch import Tensor

from gansr.ops.resize import imresize


def downscaled(high: Tensor, factor: int) -> Tensor:
    """A truth (…,H,W) in [0,1] → its low-resolution input: MATLAB's bicubic, rounded to 8 bit as MATLAB does."""
    return imresize(high, 1 / factor, rounded=True)


def psnr(a: Tensor, b: Tensor) -> float:
    """PSNR of two pictures in [0,1] over all their channels, dB; at most 120."""
    return float(-10 * (a - b).square().mean().clamp(min=1e-12).log10())


def report(
    enlarge: Callable[[Tensor], Tensor],
    truths: Tensor,
    factor: int,
    distance: Callable[[Tensor, Tensor], float],
    shrink: Callable[[int, Tensor], Tensor] | None = None,
) -> dict[str, float]:
    """Means over truths (N,3,H,W) in [0,1]: PSNR (dB, RGB), LPIPS and LR-consistency (dB), of `enlarge` and of bicubic.

    enlarge: (1,3,h,w) → (1,3,H,W), 8-bit pictures in [0,1]; distance: LPIPS of two pictures (3,H,W); shrink: number and
    truth (3,H,W) → the input (3,h,w), if not `downscaled`.
    """
    rows = []
    for i, truth in enumerate(truths):
        low = downscaled(truth, factor) if shrink is None else shrink(i, truth)
        bicubic = imresize(low, factor, rounded=True)
        ours = enlarge(low[None])[0]
        rows.append(
            {
                "psnr": psnr(ours, truth),
                "psnr_bicubic": psnr(bicubic, truth),
                "lpips": distance(ours, truth),
                "lpips_bicubic": distance(bicubic, truth),
                "consistency": psnr(downscaled(ours, factor), low),
                "consistency_bicubic": psnr(downscaled(bicubic, factor), low),
            }
        )
    means = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
    means["psnr_gain"] = means["psnr"] - means["psnr_bicubic"]
    means["lpips_drop"] = 1 - means["lpips"] / means["lpips_bicubic"]
    return means
