"""Downscaling as a matrix, and the projection on the pictures that downscale to a given one.

D, a separable linear downscaling, acts on each axis. With its pseudo-inverse D⁺ the picture nearest to y among those
that downscale to exactly x is y + D⁺(x − D y) = D⁺x + (I − D⁺D) y. It changes the low frequencies of y alone.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gansr.ops.resize import taps


def downscale_matrix(side: int, factor: int) -> Tensor:
    """D of one axis: (side, side·factor) float64, MATLAB's bicubic downscaling with antialiasing."""
    index, weight = taps(side * factor, side, 1 / factor)
    matrix = torch.zeros(side, side * factor, dtype=torch.float64)
    return matrix.scatter_add_(1, torch.from_numpy(index), torch.from_numpy(weight))


class DownscaleProjection(nn.Module):
    """D and its pseudo-inverse D⁺, both separable, float32. down: D of one axis, (small, large), for example
    `downscale_matrix`; across: D of the other axis, the columns', where the picture is not square.

    The condition number of MATLAB's bicubic is 1.4 for a factor of 8, so D⁺ hardly amplifies the rounding noise of an
    8-bit input.
    """

    down: Tensor  # D of the rows' axis: (small, large)
    up: Tensor  # D⁺ of it: (large, small)
    down_across: Tensor  # the same of the columns' axis
    up_across: Tensor

    def __init__(self, down: Tensor, across: Tensor | None = None):
        super().__init__()
        for name, matrix in (("", down), ("_across", down if across is None else across)):
            self.register_buffer("down" + name, matrix.float(), persistent=False)
            self.register_buffer("up" + name, torch.linalg.pinv(matrix.double()).float(), persistent=False)

    def downscale(self, y: Tensor) -> Tensor:
        """D y: (…,large,large) → (…,small,small)."""
        return self.down @ y @ self.down_across.T

    def back_project(self, x: Tensor) -> Tensor:
        """D⁺x: (…,small,small) → (…,large,large)."""
        return self.up @ x @ self.up_across.T

    def project(self, y: Tensor, x: Tensor) -> Tensor:
        """The picture nearest to y that downscales to exactly x: D⁺x + (I − D⁺D) y."""
        return self.back_project(x - self.downscale(y)) + y
