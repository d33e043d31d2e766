"""Residual-in-residual dense blocks: the trunk of ESRGAN (arXiv 1809.00219) and of GLEAN's encoder E₀.

Source: ESRGAN §3.1. The names of the submodules are the keys of BasicSR and mmagic (Apache-2.0); as in mmagic's GLEAN,
ESRGAN's upsampling is left out. The same function as theirs.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SLOPE = 0.2  # of the leaky ReLU
RESIDUAL = 0.2  # factor of both residuals, inner and outer


class DenseBlock(nn.Module):
    """Five 3×3 convolutions, each of which takes the outputs of all before it: (B,channels,H,W) → the same shape."""

    def __init__(self, channels: int, growth: int):
        super().__init__()
        self.conv1, self.conv2, self.conv3, self.conv4, self.conv5 = (
            nn.Conv2d(channels + i * growth, growth if i < 4 else channels, 3, padding=1) for i in range(5)
        )

    def forward(self, x: Tensor) -> Tensor:
        dense, in_place = x, not torch.is_grad_enabled()
        for conv in (self.conv1, self.conv2, self.conv3, self.conv4):
            dense = torch.cat((dense, F.leaky_relu(conv(dense), SLOPE, inplace=in_place)), dim=1)
        return torch.add(x, self.conv5(dense), alpha=RESIDUAL)


class RRDB(nn.Module):
    """Three dense blocks with a residual around them: (B,channels,H,W) → the same shape."""

    def __init__(self, channels: int, growth: int):
        super().__init__()
        self.rdb1 = DenseBlock(channels, growth)
        self.rdb2 = DenseBlock(channels, growth)
        self.rdb3 = DenseBlock(channels, growth)

    def forward(self, x: Tensor) -> Tensor:
        return torch.add(x, self.rdb3(self.rdb2(self.rdb1(x))), alpha=RESIDUAL)


class Trunk(nn.Module):
    """conv → `blocks` × RRDB → conv, with a skip around the blocks; (B,3,H,W) → (B,channels,H,W)."""

    def __init__(self, channels: int = 64, growth: int = 32, blocks: int = 23):
        super().__init__()
        self.conv_first = nn.Conv2d(3, channels, 3, padding=1)
        self.body = nn.Sequential(*(RRDB(channels, growth) for _ in range(blocks)))
        self.conv_body = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        first = self.conv_first(x)
        return first + self.conv_body(self.body(first))
