"""The contract of a measurement. This module imports nothing of gansr.

A metric compares two pictures, or judges one. What `measure` gets depends on `against`:

- "truth": (result, truth), both full size, (3,H,W) float32 in [0,1], already rounded to 8 bit;
- "input": (the result shrunk as the input was made, the input), both of the input's size;
- "": (result, result) — a judgement without reference.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from torch import Tensor


@dataclass(frozen=True)
class Metric:
    name: str  # "psnr_y"
    title: str  # "PSNR-Y"
    unit: str  # "dB" or ""
    better: Literal["higher", "lower"]
    against: Literal["truth", "input", ""]
    explain: str  # one plain sentence: what a newcomer learns from the number
    measure: Callable[[Tensor, Tensor, Mapping[str, Any]], float]  # (a, b, nets by role)
    weights: Mapping[str, str] = field(default_factory=dict)  # role → manifest name
    min_side: int = 1  # smallest side it is defined for, px
    faces: bool = False  # defined for faces only
    digits: int = 2
