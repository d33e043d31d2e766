"""An encoder that finds what it is told."""

from __future__ import annotations

import torch
from torch import Tensor


class Encoder:
    """Stands for a GLEAN that finds these rows."""

    def __init__(self, rows: Tensor):
        self.rows, self.given = rows, torch.empty(0)

    def finest(self, x: Tensor) -> Tensor:
        self.given = x
        return x

    def encode(self, finest: Tensor) -> tuple[list[Tensor], Tensor]:
        return [finest], self.rows
