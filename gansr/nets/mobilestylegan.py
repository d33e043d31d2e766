"""MobileStyleGAN (Belousov, arXiv 2104.04767), distilled from StyleGAN2-FFHQ: the default prior of faces.

Mapping z → w, then a synthesis of depthwise-separable convolutions whose up-sampling is an inverse Haar wavelet
transform. The available weights are an OpenVINO graph for inference: demodulation and the noise maps are built in,
so there are no noise inputs.

The same function, optimised for the processor (the weights are folded once, by the converter):
- modulation scales activations, never weights, so a batch of different styles is one convolution;
- every constant factor (1/√fan_in, the wavelet's ½) is part of the affine maps of the styles;
- the scales before and after the wavelet are one multiplication before it: both act per channel;
- wavelet channels are stored as the four blocks LL, LH, HL, HH, so the transform is eight additions;
- the last wavelet is folded into the 1×1 convolution to the picture; a pixel shuffle remains.

Compared once with the registry's graph run by OpenVINO 2026.4 in float32, seeds of torch.Generator 0, rows 0–4 of
randn(5, 512): mapping, largest difference 5.4e-6; synthesis of the same w at truncation 0.6, largest difference
5.5e-5 (others ≤ 2.5e-5), mean 4e-7. Untruncated 4.3e-5 to 7.9e-5 in four of five; the fifth reaches 5.9e-4 in a
few pixels, because of float32 rounding: there this net in float64 differs by 4.0e-4 from itself in float32.

Features can be read and replaced at the block boundaries (`shapes`, `first`, `rest`), for multi-code composition.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SLOPE = 0.2
GAIN = 2**0.5  # the mapping's activations are scaled by √2, the synthesis' are not
FFHQ_CHANNELS = (512, 512, 512, 512, 512, 256, 128, 64)


class Mapping(nn.Module):
    """z (B, style) → w (B, style): pixel norm, then `layers` × (linear, LeakyReLU, ×√2)."""

    def __init__(self, style: int, layers: int):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(style, style) for _ in range(layers))

    def forward(self, z: Tensor) -> Tensor:
        x = z * torch.rsqrt(z.square().mean(dim=1, keepdim=True) + 1e-8)
        for layer in self.layers:
            x = F.leaky_relu(layer(x), SLOPE) * GAIN
        return x


class Dense(nn.Module):
    """The 4² stage: constant → scaled → 3×3 convolution → noise → bias → LeakyReLU."""

    noise: Tensor

    def __init__(self, channels: int):
        super().__init__()
        self.constant = nn.Parameter(torch.randn(1, channels, 4, 4))
        self.weight = nn.Parameter(torch.randn(channels, channels, 3, 3) / (9 * channels) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("noise", torch.zeros(1, 1, 4, 4))

    def forward(self, scale: Tensor) -> Tensor:
        x = self.constant * scale[:, :, None, None]
        return F.leaky_relu(F.conv2d(x, self.weight, self.bias, padding=1) + self.noise, SLOPE)


class Separable(nn.Module):
    """Depthwise 3×3 → pointwise → noise → bias → LeakyReLU; (B,C,side,side) → (B,out,side,side)."""

    noise: Tensor

    def __init__(self, channels: int, out: int, side: int):
        super().__init__()
        self.depthwise = nn.Parameter(torch.randn(channels, 1, 3, 3) / 3)
        self.pointwise = nn.Parameter(torch.randn(out, channels, 1, 1) / channels**0.5)
        self.bias = nn.Parameter(torch.zeros(out))
        self.register_buffer("noise", torch.zeros(1, 1, side, side))

    def forward(self, x: Tensor) -> Tensor:
        x = F.conv2d(x, self.depthwise, padding=1, groups=x.shape[1])
        x = F.conv2d(x, self.pointwise, self.bias).add_(self.noise)
        return F.leaky_relu_(x, SLOPE)


class Block(nn.Module):
    """One doubling: (B,channels,side/2,side/2) → (B,out,side,side); the scales are per image and channel."""

    def __init__(self, channels: int, out: int, side: int):
        super().__init__()
        self.conv1 = Separable(channels // 4, out, side)
        self.conv2 = Separable(out, out, side)

    def forward(self, x: Tensor, enter: Tensor, middle: Tensor) -> Tensor:
        x = self.conv1(inverse_haar(x * enter[:, :, None, None]))
        return self.conv2(x * middle[:, :, None, None])


class Picture(nn.Module):
    """Features → RGB of twice the side: a 1×1 convolution (wavelet folded in) and a pixel shuffle."""

    def __init__(self, channels: int):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(12, channels, 1, 1) / channels**0.5)
        self.bias = nn.Parameter(torch.zeros(12))

    def forward(self, x: Tensor, scale: Tensor) -> Tensor:
        return F.pixel_shuffle(F.conv2d(x * scale[:, :, None, None], self.weight, self.bias), 2)


def inverse_haar(x: Tensor) -> Tensor:
    """(B,4C,h,w), channels as blocks LL, LH, HL, HH → (B,C,2h,2w) in channels_last, without the factor ½.

    Stacked with the channels innermost, so that every load and store covers C consecutive values.
    """
    low, vertical, horizontal, both = x.permute(0, 2, 3, 1).chunk(4, dim=3)
    a, b, c, d = low + vertical, low - vertical, horizontal + both, horizontal - both
    upper, lower = torch.stack((a + c, a - c), dim=3), torch.stack((b + d, b - d), dim=3)
    batch, height, width, _, channels = upper.shape
    pixels = torch.stack((upper, lower), dim=2).view(batch, 2 * height, 2 * width, channels)
    return pixels.permute(0, 3, 1, 2)


class Body(nn.Module):
    """The layers that work on feature maps. They receive the scales, so only they need to change precision."""

    def __init__(self, channels: Sequence[int]):
        super().__init__()
        self.dense = Dense(channels[0])
        pairs = enumerate(itertools.pairwise(channels))
        self.blocks = nn.ModuleList(Block(c, out, 8 << i) for i, (c, out) in pairs)
        self.picture = Picture(channels[-1])

    def first(self, scales: Sequence[Tensor], upto: int) -> Tensor:
        """The features after `upto` blocks, from the scales of `MobileStyleGAN.scales`."""
        return self.between(self.dense(scales[0]), scales, 0, upto)

    def between(self, x: Tensor, scales: Sequence[Tensor], start: int, stop: int) -> Tensor:
        """Features after `start` blocks → features after `stop` blocks."""
        for i in range(start, stop):
            x = self.blocks[i](x, scales[1 + 2 * i], scales[2 + 2 * i])
        return x

    def rest(self, x: Tensor, scales: Sequence[Tensor], start: int) -> Tensor:
        """Features after `start` blocks → the picture."""
        return self.picture(self.between(x, scales, start, len(self.blocks)), scales[-1])


class MobileStyleGAN(nn.Module):
    """The generator. `channels`: at 4² and after each block; all but the last must be multiples of 4.

    style_rows: how many style rows it takes, in the order: 4² convolution; per block up, conv1, conv2; picture.
    side: of the picture, px. row_sides: of the features that each row scales. shapes[k]: (channels, side) of the
    features after k blocks.
    noise_sides: empty, the noise is built in. gain: the factor after the mapping's last LeakyReLU.
    """

    noise_sides: tuple[int, ...] = ()
    gain = GAIN

    def __init__(self, channels: Sequence[int] = FFHQ_CHANNELS, style: int = 512, mapping_layers: int = 8):
        super().__init__()
        blocks = len(channels) - 1
        self.style = style
        self.style_rows = 3 * blocks + 2
        self.side = 8 << blocks
        self.row_sides = (4, *(8 << i for i in range(blocks) for _ in range(3)), self.side)
        self.shapes = tuple((c, 4 << k) for k, c in enumerate(channels))
        self.mapping = Mapping(style, mapping_layers)
        inside = [width for c, out in itertools.pairwise(channels) for width in (c, c // 4, out)]
        self.styles = nn.ModuleList(nn.Linear(style, c) for c in (channels[0], *inside, channels[-1]))
        for layer in self.styles:
            nn.init.ones_(layer.bias)  # type: ignore[arg-type]  # as StyleGAN2 starts: a scale of one
        self.body = Body(channels)

    def forward(self, z: Tensor) -> Tensor:
        """z (B, style), standard normal → pictures (B,3,side,side), about [−1,1]."""
        return self.synthesis(self.mapping(z)[:, None].expand(-1, self.style_rows, -1))

    def scales(self, rows: Tensor, start: int = 0, stop: int | None = None) -> list[Tensor]:
        """Style rows (B, style_rows, style) → the scales of the stages between two boundaries.

        The list is of full length (4² stage; per block before the wavelet and before conv2; picture) in the
        precision of the body; entries outside [start, stop] are empty. `stop` None: to the picture.
        """
        blocks = len(self.body.blocks)
        last = blocks if stop is None else stop
        dtype = self.body.picture.weight.dtype
        found = [rows.new_empty(0)] * (2 * blocks + 2)
        if start == 0:
            found[0] = self.styles[0](rows[:, 0]).to(dtype)
        for i in range(start, last):
            up, conv1, conv2 = (self.styles[r](rows[:, r]) for r in range(1 + 3 * i, 4 + 3 * i))
            found[1 + 2 * i] = (up * conv1.repeat(1, 4)).to(dtype)
            found[2 + 2 * i] = conv2.to(dtype)
        if stop is None:
            found[-1] = self.styles[-1](rows[:, -1]).to(dtype)
        return found

    def synthesis(self, rows: Tensor) -> Tensor:
        """Style rows (B, style_rows, style) → pictures (B,3,side,side), about [−1,1]."""
        return self.rest(self.first(rows, 0), rows, 0)

    def first(self, rows: Tensor, upto: int) -> Tensor:
        """Style rows (B, style_rows, style) → the features (B, *shapes[upto]) after `upto` blocks.

        Only the first 1 + 3·upto rows are used; the others may be left out.
        """
        return self.body.first(self.scales(rows, 0, upto), upto)

    def rest(self, features: Tensor, rows: Tensor, start: int) -> Tensor:
        """Features after `start` blocks (as `first` gives them) → pictures (B,3,side,side).

        rows: (B, style_rows, style); those from 1 + 3·start on are used.
        """
        return self.body.rest(features, self.scales(rows, start), start)
