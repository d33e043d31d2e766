"""PGGAN: Karras, Aila, Laine, Lehtinen, "Progressive Growing of GANs", ICLR 2018, arXiv 1710.10196 (figure 2,
table 2, §4): the generator of mGANprior's experiments.

A block is: pixel norm → nearest ×2 if it begins a resolution → convolution × √2/√fan_in → bias → leaky ReLU of slope
0.2; the last is pixel norm → 1×1 convolution × 1/√fan_in → bias, without a tanh. The norm comes first in every block,
the last included, so the features between two blocks are not normalised: these are what mGANprior weights and sums.

How we differ from the authors' graph: the constant gains are in the weights (the converter multiplies them in), and
nearest ×2 followed by a 3×3 convolution is one transposed 4×4 convolution of stride 2, whose taps are the sums of the
3×3 taps that meet the same pixel: 16 products per input pixel instead of 36, exact at the border too.

The generator can be run in two parts (`first`, `rest`), as multi-code composition needs it: boundary l lies after l
blocks, which is the paper's composing layer l; `shapes` lists the features there.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SLOPE = 0.2  # of the leaky ReLU below 0
WIDTH = 16384  # channels × side, where there are fewer channels than `style`


def channels_at(side: int, style: int = 512, width: int = WIDTH) -> int:
    """Channels of the features of side×side px: `style` up to 32 px, then half as many at each resolution."""
    return min(width // side, style)


def shapes_of(size: int, style: int = 512, width: int = WIDTH) -> tuple[tuple[int, int], ...]:
    """(channels, side in px) after l blocks, l = 0 (the code itself) … 2·log2(size) − 2."""
    sides = [4 << i for i in range((size // 4).bit_length())]
    return ((style, 1), *((channels_at(side, style, width), side) for side in sides for _ in (0, 1)))


def pixel_norm(x: Tensor) -> Tensor:
    """x / √(mean of x² over the channels + 1e-8), (B,C,H,W) → the same."""
    return x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + 1e-8)


def upsampling_kernel(weight: Tensor) -> Tensor:
    """The kernel (in,out,4,4) of the transposed convolution of stride 2 that equals nearest ×2 followed by the 3×3
    convolution `weight` (out,in,3,3)."""
    taps = F.pad(weight.flip(2, 3), (1, 1, 1, 1))
    rows = taps[..., 1:, :] + taps[..., :-1, :]
    return (rows[..., 1:] + rows[..., :-1]).transpose(0, 1).contiguous()


class Block(nn.Module):
    """Pixel norm → convolution → leaky ReLU. kind: "code" (1×1 → 4×4 px), "up" (doubles the side) or "keep"."""

    def __init__(self, channels: int, out: int, kind: str):
        super().__init__()
        self.kind = kind
        side = 4 if kind == "code" else 3
        fan_in = channels * (16 if kind == "code" else 9)
        self.weight = nn.Parameter(torch.randn(out, channels, side, side) * (2 / fan_in) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(out))

    def forward(self, x: Tensor) -> Tensor:
        x = pixel_norm(x)
        if self.kind == "up":
            x = F.conv_transpose2d(x, upsampling_kernel(self.weight), self.bias, stride=2, padding=1)
        else:
            x = F.conv2d(x, self.weight, self.bias, padding=3 if self.kind == "code" else 1)
        return F.leaky_relu(x, SLOPE)


class ToRGB(nn.Module):
    """Pixel norm → 1×1 convolution to RGB."""

    def __init__(self, channels: int):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3, channels, 1, 1) / channels**0.5)
        self.bias = nn.Parameter(torch.zeros(3))

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(pixel_norm(x), self.weight, self.bias)


class PGGAN(nn.Module):
    """The generator of pictures of size×size px.

    style: values of a code; width: channels × side where there are fewer channels than `style`. The attribute `side`
    is the picture's, in px; `shapes[l]` is (channels, side) of the features after l blocks.
    """

    def __init__(self, size: int = 1024, style: int = 512, width: int = WIDTH):
        super().__init__()
        self.style, self.side = style, size
        self.shapes = shapes_of(size, style, width)
        kinds = ["code", "keep", *(["up", "keep"] * ((len(self.shapes) - 3) // 2))]
        pairs = zip(self.shapes, self.shapes[1:], kinds)
        self.blocks = nn.ModuleList(Block(c, out, kind) for (c, _), (out, _), kind in pairs)
        self.picture = ToRGB(self.shapes[-1][0])

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
