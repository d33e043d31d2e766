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

ARROWS = {"higher": "↑", "lower": "↓", "": ""}  # beside a title: in which direction values are better


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
    # For several pictures against one truth: what can be kept of the truth, (b, nets) → kept, and `measure` with it,
    # (a, kept, nets). Both or none.
    prepare: Callable[[Tensor, Mapping[str, Any]], Any] | None = None
    measure_prepared: Callable[[Tensor, Any, Mapping[str, Any]], float] | None = None
    half: bool = False  # its network may compute in bfloat16 where nobody asked for exactness

    def value(
        self, a: Tensor, b: Tensor, nets: Mapping[str, Any], prepared: dict[str, Any] | None = None
    ) -> float:
        """`measure`. prepared: a cache that the caller owns, for one truth and one precision; what `prepare` makes of
        the truth is kept in it under the metric's name, and serves the next picture."""
        if prepared is None or self.prepare is None or self.measure_prepared is None:
            return float(self.measure(a, b, nets))
        if self.name not in prepared:
            prepared[self.name] = self.prepare(b, nets)
        return float(self.measure_prepared(a, prepared[self.name], nets))

    def hindrance(self, a: Tensor, b: Tensor, truth: Tensor | None) -> str:
        """Why it cannot be measured on `a` against `b`; empty if it can. truth: None where there is none."""
        if self.against == "truth" and truth is None:
            return "needs the true picture: use the quality test"
        if a.shape != b.shape:
            return f"sizes differ: {tuple(a.shape[1:])} and {tuple(b.shape[1:])}"
        if min(a.shape[-2:]) < self.min_side:
            return f"needs at least {self.min_side} px on the shorter side"
        return ""
