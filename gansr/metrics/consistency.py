"""LR-consistency: does the result, shrunk as the input was made, give the input back?

PSNR in dB over RGB in 8 bit, peak 255, no rim left out. Needs no truth: what is invented must still agree with
what was seen. PULSE accepts a mean squared error on [0,1] of at most 2·10⁻³, which is 26.99 dB; from 45 dB on
a picture counts as consistent (NTIRE's practice).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from gansr.metric import Metric
from gansr.ops.colour import to8bit


def consistency_mse(shrunk: Tensor, low: Tensor) -> float:
    """Mean squared error, on [0,1], of the shrunk result and the input (3,h,w), both rounded to 8 bit here."""
    return (to8bit(shrunk.double()) - to8bit(low.double())).square().mean().item()


def consistency(shrunk: Tensor, low: Tensor) -> float:
    """The same as PSNR in dB; infinity where they are equal."""
    error = consistency_mse(shrunk, low)
    return math.inf if error == 0 else -10 * math.log10(error)


def _measure(a: Tensor, b: Tensor, nets: Mapping[str, Any]) -> float:
    return consistency(a, b)


CONSISTENCY = Metric(
    name="consistency",
    title="LR-consistency",
    unit="dB",
    better="higher",
    against="input",
    explain="The result is made small again and compared with your picture: over 45 dB it agrees, under 27 dB it "
    "shows something else.",
    measure=_measure,
)
