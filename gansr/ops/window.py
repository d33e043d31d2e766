"""Local means under a Gaussian window, as SSIM and NIQE need them."""

from __future__ import annotations

import math

from torch import Tensor


def gaussian_line(side: int, deviation: float) -> tuple[float, ...]:
    """`side` weights (odd) of sum 1, `deviation` in px. Their outer product is MATLAB's fspecial("gaussian")."""
    line = [math.exp(-((i - side // 2) ** 2) / (2 * deviation**2)) for i in range(side)]
    return tuple(weight / sum(line) for weight in line)


def local_mean(x: Tensor, line: tuple[float, ...]) -> Tensor:
    """(…,H,W) → (…,H−n+1,W−n+1): the mean weighted by the n of `line` along both axes, without padding."""
    return _along(_along(x, line, -2), line, -1)


def _along(x: Tensor, line: tuple[float, ...], axis: int) -> Tensor:
    """The sum of shifted views: four times faster than a one-channel convolution in float64 on a CPU."""
    length = x.shape[axis] - len(line) + 1
    total = x.narrow(axis, 0, length) * line[0]
    for shift, weight in enumerate(line[1:], 1):
        total.add_(x.narrow(axis, shift, length), alpha=weight)
    return total
