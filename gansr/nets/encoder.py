"""Latent rows that an encoder finds in a small face, at which searches in the same generator may begin: our GLEAN's."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

ENCODER = "glean-face-x8"  # its weights
GENERATOR = "mobilestylegan-ffhq-1024"  # that draws its rows
SIDE = 32  # px, of what it reads
MEMORY = 0.1e9  # bytes that it takes: its weights in float32 are half of them


@torch.no_grad()
def encoded_rows(encoder: Any, low: Tensor, count: int) -> Tensor:
    """The latent rows (1, count, style) that `encoder` (gansr.papers.glean.own) finds in low (3,SIDE,SIDE) in [0,1]:
    those that it has, and for the finer layers above, which it does not draw, the mean of them."""
    _, rows = encoder.encode(encoder.finest(low[None] * 2 - 1))
    rest = count - rows.shape[1]
    return torch.cat([rows, rows.mean(1, keepdim=True).expand(-1, rest, -1)], 1)
