"""PGGAN: Karras, Aila, Laine, Lehtinen, "Progressive Growing of GANs", ICLR 2018, arXiv 1710.10196 (figure 2,
table 2, §4): the generator of mGANprior's experiments.

A block is: pixel norm → nearest ×2 if it begins a resolution → convolution × √2/√fan_in → bias → leaky rectifier
0.2; the last is pixel norm → 1×1 convolution × 1/√fan_in → bias, without a tanh. The norm comes first in every
block, the last included, so what lies between two blocks is not normalised: it is what mGANprior weights and sums.

How we differ from running the authors' graph: the constant gains are in the weights (the recipe multiplies them
in), and nearest ×2 followed by 3×3 is one transposed 4×4 convolution of stride 2 whose taps are the sums of the
3×3 taps that meet the same pixel: 16 products a pixel of the input instead of 36, the border included.

Boundaries are open (`shapes`, `first`, `rest`), as multi-code composition needs them: boundary l lies after l
blocks, the paper's composing layer l.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SLOPE = 0.2
WIDTH = 16384  # channels × side, where there are fewer than `style`


def channels_at(side: int, style: int = 512, width: int = WIDTH) -> int:
    """Channels of the features of `side`² px: 512 up to 32², then halved with each doubling."""
    return min(width // side, style)


def shapes_of(size: int, style: int = 512, width: int = WIDTH) -> tuple[tuple[int, int], ...]:
    """(channels, side) after l blocks, l = 0 (the code itself) … 2·log2(size) − 2."""
    sides = [4 << i for i in range((size // 4).bit_length())]
    return ((style, 1), *((channels_at(side, style, width), side) for side in sides for _ in (0, 1)))


def pixel_norm(x: Tensor) -> Tensor:
    """x / √(mean of x² over the channels + 1e-8)."""
    return x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + 1e-8)


def doubling(weight: Tensor) -> Tensor:
    """(out,in,3,3) for nearest ×2 and then 3×3 → (in,out,4,4), the same as a transposed convolution of stride 2."""
    taps = F.pad(weight.flip(2, 3), (1, 1, 1, 1))
    rows = taps[..., 1:, :] + taps[..., :-1, :]
    return (rows[..., 1:] + rows[..., :-1]).transpose(0, 1).contiguous()


class Block(nn.Module):
    """Pixel norm → convolution → leaky rectifier. kind: "code" (1² → 4²), "double" or "keep"."""

    def __init__(self, channels: int, out: int, kind: str):
        super().__init__()
        self.kind = kind
        side = 4 if kind == "code" else 3
        fan_in = channels * (16 if kind == "code" else 9)
        self.weight = nn.Parameter(torch.randn(out, channels, side, side) * (2 / fan_in) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(out))

    def forward(self, x: Tensor) -> Tensor:
        x = pixel_norm(x)
        if self.kind == "double":
            x = F.conv_transpose2d(x, doubling(self.weight), self.bias, stride=2, padding=1)
        else:
            x = F.conv2d(x, self.weight, self.bias, padding=3 if self.kind == "code" else 1)
        return F.leaky_relu(x, SLOPE)


class Picture(nn.Module):
    """Pixel norm → 1×1 convolution to RGB."""

    def __init__(self, channels: int):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3, channels, 1, 1) / channels**0.5)
        self.bias = nn.Parameter(torch.zeros(3))

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(pixel_norm(x), self.weight, self.bias)


class PGGAN(nn.Module):
    """The generator of pictures of size² px. `style`: values of a code; `width`: channels × side above.

    side: of the picture, px. shapes[l]: (channels, side) of the features after l blocks.
    """

    def __init__(self, size: int = 1024, style: int = 512, width: int = WIDTH):
        super().__init__()
        self.style, self.side = style, size
        self.shapes = shapes_of(size, style, width)
        kinds = ["code", "keep", *(["double", "keep"] * ((len(self.shapes) - 3) // 2))]
        pairs = zip(self.shapes, self.shapes[1:], kinds)
        self.blocks = nn.ModuleList(Block(c, out, kind) for (c, _), (out, _), kind in pairs)
        self.picture = Picture(self.shapes[-1][0])

    def forward(self, z: Tensor) -> Tensor:
        """z (B, style), standard normal → pictures (B,3,side,side), about [−1,1]."""
        return self.rest(self.first(z, 0), 0)

    def first(self, z: Tensor, upto: int) -> Tensor:
        """Codes (B, style) → the features (B, *shapes[upto]) after `upto` blocks."""
        x = z[:, :, None, None].to(self.picture.weight.dtype)
        for block in self.blocks[:upto]:
            x = block(x)
        return x

    def rest(self, features: Tensor, start: int) -> Tensor:
        """Features after `start` blocks (as `first` gives them) → pictures (B,3,side,side)."""
        x = features
        for block in self.blocks[start:]:
            x = block(x)
        return self.picture(x)
