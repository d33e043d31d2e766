"""LR-consistency: does the result, downscaled as the input was made, give the input back?

    consistency(D(x), y) = −10 · log10( mean (D(x) − y)² ),        D: the degradation, x: the result, y: the input

in dB, over RGB in 8 bits, no border left out. It needs no truth: details may be invented, but must agree with what the
input shows. PULSE accepts a mean squared error of at most 2·10⁻³ on [0,1], which is 26.99 dB; from 45 dB on a result
counts as consistent (the practice of the NTIRE challenges).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from gansr.metric import Metric
from gansr.ops.colour import to8bit

CLOSELY, ROUGHLY = 45.0, 32.0  # dB


def consistency_mse(downscaled: Tensor, low: Tensor) -> float:
    """Mean squared error of the downscaled result and the input, both (3,h,w) in [0,1], rounded to 8 bits here."""
    return (to8bit(downscaled.double()) - to8bit(low.double())).square().mean().item()


def consistency(downscaled: Tensor, low: Tensor) -> float:
    """PSNR in dB of the downscaled result and the input, both (3,h,w) in [0,1]; infinity where they are equal."""
    mse = consistency_mse(downscaled, low)
    return math.inf if mse == 0 else -10 * math.log10(mse)


def agreement(psnr: float) -> str:
    """An LR-consistency in words, with its value in dB: the only scale for it on the page."""
    if math.isinf(psnr):
        return "agrees with your picture exactly"
    grade = "closely" if psnr >= CLOSELY else "roughly" if psnr >= ROUGHLY else "poorly"
    return f"agrees with your picture {grade} ({psnr:.0f} dB)"


def _measure(a: Tensor, b: Tensor, nets: Mapping[str, Any]) -> float:
    return consistency(a, b)


CONSISTENCY = Metric(
    name="consistency",
    title="LR-consistency",
    unit="dB",
    better="higher",
    against="input",
    explain="The result is shrunk again and compared with your picture: from 45 dB on it agrees closely, from 32 dB on "
    "roughly.",
    measure=_measure,
)
