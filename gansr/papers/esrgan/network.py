"""ESRGAN's generator: residual-in-residual dense blocks at the input's size, then two nearest ×2 enlargements.

Source: ESRGAN (arXiv 1809.00219) §3.1, figure 4; Real-ESRGAN (arXiv 2107.10833) uses the same network for ×4. The names
of the submodules are the keys of BasicSR and Real-ESRGAN (Apache-2.0, BSD-3-Clause).
"""

from __future__ import annotations

import copy
import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gansr.nets.rrdb import SLOPE, Trunk
from gansr.ops.spans import Span, cut, pieces, relative, widened

SCALE = 4
PATCH = 64  # px of the input: side of the parts in which the end is computed
HALO = 2  # px of the input that the end sees around a part: 1/2 + 3/4


class RRDBNet(Trunk):
    """(B,3,H,W) float32 RGB in [0,1] → (B,3,4H,4W) float32, not clamped."""

    def __init__(self, channels: int = 64, growth: int = 32, blocks: int = 23):
        super().__init__(channels, growth, blocks)
        self.conv_up1, self.conv_up2, self.conv_hr = (
            nn.Conv2d(channels, channels, 3, padding=1) for _ in range(3)
        )
        self.conv_last = nn.Conv2d(channels, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv_last(self.large(super().forward(x)))

    def large(self, features: Tensor) -> Tensor:
        """The features at the output's size, before the last convolution."""
        in_place = not torch.is_grad_enabled()
        for conv in (self.conv_up1, self.conv_up2):
            features = F.leaky_relu(conv(F.interpolate(features, scale_factor=2.0)), SLOPE, inplace=in_place)
        return F.leaky_relu(self.conv_hr(features), SLOPE, inplace=in_place)


class OptimisedRRDBNet(nn.Module):
    """The same function in parts, with channels last, and with everything but the first and the last convolution in
    `dtype`: the 8 bits of bfloat16's mantissa cannot hold the picture's 256 levels."""

    def __init__(self, net: RRDBNet, dtype: torch.dtype):
        super().__init__()
        self.count, self.dtype = len(net.body), dtype
        self.net = copy.deepcopy(net).requires_grad_(False).eval().to(dtype)
        self.net.conv_first, self.net.conv_last = copy.deepcopy(net.conv_first), copy.deepcopy(net.conv_last)
        self.net.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    @torch.no_grad()
    def begin(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B,3,H,W) float32 in [0,1] → the features before the blocks, twice."""
        first = self.net.conv_first(x.float().contiguous(memory_format=torch.channels_last)).to(self.dtype)
        return first, first

    @torch.no_grad()
    def block(self, index: int, features: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """The features before the blocks, and those after block `index`."""
        return features[0], self.net.body[index](features[1])

    @torch.no_grad()
    def end(self, features: tuple[Tensor, Tensor], rows: Span, columns: Span) -> Tensor:
        """What follows the blocks, for these rows and columns: (B,3,4·rows,4·columns) float32, not clamped.

        It is computed in patches, because its features are 16 times as many; each is equal to that part of the whole.
        """
        first, last = features
        fused, (height, width) = first + self.net.conv_body(last), first.shape[-2:]
        sizes = (SCALE * (rows[1] - rows[0]), SCALE * (columns[1] - columns[0]))
        out = torch.empty((len(first), 3, *sizes), device=first.device)
        for spans in itertools.product(pieces(rows, PATCH), pieces(columns, PATCH)):
            outer = [widened(span, HALO, size) for span, size in zip(spans, (height, width))]
            made = self.net.conv_last(self.net.large(cut(fused, *outer)).float())
            inner = cut(made, *(larger(relative(*both)) for both in zip(spans, outer)))
            cut(out, *(larger(relative(*both)) for both in zip(spans, (rows, columns)))).copy_(inner)
        return out


def larger(span: Span) -> Span:
    """The rows or columns of the output that belong to those of the input."""
    return SCALE * span[0], SCALE * span[1]


def operations(channels: int = 64, growth: int = 32, blocks: int = 23) -> float:
    """Floating-point operations for each pixel of the input: two for each weight, at the size where it is used."""
    dense = sum((channels + i * growth) * (growth if i < 4 else channels) for i in range(5))
    square = channels * channels
    at_input = 3 * channels + blocks * 3 * dense + square
    return 2 * 9.0 * (at_input + 4 * square + 16 * (2 * square + 3 * channels))
