"""StyleGAN2 (Karras et al., CVPR 2020, arXiv 1912.04958), the generator, and its body alone as GLEAN's bank.

Source: paper §2–3; names and order of rosinality/stylegan2-pytorch (MIT), whose files the converter
gansr.weights.converters.stylegan2 reads. The same function, optimised for the processor:
- modulation scales activations and demodulation the result (paper §2.2, the form before "baking"), so a batch of
  different styles is one convolution instead of one per picture;
- Σ w² of demodulation is a matrix product of s² with a table of Σₖ w², made once;
- run-time scalings of weights (1/√fan-in, the learning-rate multiplier of the mapping) are folded by the converter;
- the FIR filter after the transposed convolution, [1,3,3,1]⊗[1,3,3,1]/16, is applied along one axis at a time.

Pictures are RGB, about [−1,1]. The noise maps are those of the weights file, unless others are passed.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gansr.nets.mobilestylegan import GAIN, SLOPE, Mapping  # distilled from StyleGAN2, with the same mapping

FIR = (0.25, 0.75, 0.75, 0.25)  # [1,3,3,1]/8, times 2 for each doubled axis


def channels_at(side: int, multiplier: int = 2) -> int:
    """C(r) of config-f: 512 up to 64 px, then halved with every doubling."""
    return min(512, 16384 * multiplier // side)


def blur(x: Tensor, pad: tuple[int, int]) -> Tensor:
    """x (B,C,H,W) filtered by FIR along both axes → (B,C,H+Σpad−3,W+Σpad−3); pad: zeros before and after."""
    channels = x.shape[1]
    taps = x.new_tensor(FIR).expand(channels, 1, 4)
    x = F.pad(x, (*pad, *pad))
    x = F.conv2d(x, taps[:, :, None, :], groups=channels)
    return F.conv2d(x, taps[:, :, :, None], groups=channels)


def upsample(x: Tensor) -> Tensor:
    """x (B,C,H,W) → (B,C,2H,2W): zeros in between, then the FIR filter; used by the RGB path."""
    batch, channels, height, width = x.shape
    wide = x.new_zeros(batch, channels, height, 2, width, 2)
    wide[:, :, :, 0, :, 0] = x
    return blur(wide.view(batch, channels, 2 * height, 2 * width), (2, 1))


class Modulated(nn.Module):
    """A convolution whose input channels are scaled by a style; `up` doubles the side, `demodulate` normalises the
    output channels.

    weight (out, channels, k, k) with 1/√fan-in folded in; style → channels by `style`.
    """

    def __init__(
        self, channels: int, out: int, kernel: int, style: int, *, up: bool, demodulate: bool = True
    ):
        super().__init__()
        self.up, self.demodulate = up, demodulate
        self.weight = nn.Parameter(torch.randn(out, channels, kernel, kernel) / (channels * kernel**2) ** 0.5)
        self.style = nn.Linear(style, channels)

    def forward(self, x: Tensor, row: Tensor) -> Tensor:
        s = self.style(row)
        x = x * s[:, :, None, None].to(x.dtype)
        if self.up:
            x = blur(F.conv_transpose2d(x, self.weight.transpose(0, 1), stride=2), (1, 1))
        else:
            x = F.conv2d(x, self.weight, padding=self.weight.shape[-1] // 2)
        if not self.demodulate:
            return x
        power = s.float().square() @ self.weight.float().square().sum((2, 3)).T
        return x * torch.rsqrt(power + 1e-8)[:, :, None, None].to(x.dtype)


class Layer(nn.Module):
    """Modulated convolution → noise × strength → bias → LeakyReLU × √2."""

    noise: Tensor

    def __init__(self, channels: int, out: int, side: int, style: int, *, up: bool):
        super().__init__()
        self.conv = Modulated(channels, out, 3, style, up=up)
        self.strength = nn.Parameter(torch.zeros(()))
        self.bias = nn.Parameter(torch.zeros(out))
        self.register_buffer("noise", torch.randn(1, 1, side, side))

    def forward(self, x: Tensor, row: Tensor, noise: Tensor | None = None) -> Tensor:
        x = self.conv(x, row)
        x = x + (self.noise if noise is None else noise) * self.strength + self.bias[:, None, None]
        return F.leaky_relu(x, SLOPE) * GAIN


class ToRgb(nn.Module):
    """Features → RGB by a 1×1 modulated convolution without demodulation."""

    def __init__(self, channels: int, style: int):
        super().__init__()
        self.conv = Modulated(channels, 3, 1, style, up=False, demodulate=False)
        self.bias = nn.Parameter(torch.zeros(3))

    def forward(self, x: Tensor, row: Tensor) -> Tensor:
        return self.conv(x, row) + self.bias[:, None, None]


class Body(nn.Module):
    """Constant 4² and the layers: layers[0] at 4², then an up-sampling one and a plain one for each side.

    Raises ValueError if `side` is not a power of two from 4 on.
    """

    def __init__(self, side: int, style: int = 512, multiplier: int = 2):
        super().__init__()
        sides = [4 << k for k in range(side.bit_length() - 2)]
        if sides[-1] != side:
            raise ValueError(f"the side of a StyleGAN2 is a power of two from 4, not {side}")
        widths = [channels_at(s, multiplier) for s in sides]
        self.constant = nn.Parameter(torch.randn(1, widths[0], 4, 4))
        layers = [Layer(widths[0], widths[0], 4, style, up=False)]
        for s, below, here in zip(sides[1:], widths[:-1], widths[1:]):
            layers.append(Layer(below, here, s, style, up=True))
            layers.append(Layer(here, here, s, style, up=False))
        self.layers = nn.ModuleList(layers)


class StyleGAN2(nn.Module):
    """The generator with skips to RGB. Rows: 2·log₂(side) − 2; the RGB of a side uses the row after its layers'.

    shapes[k]: (channels, side) at the boundary after k doublings: the features and, as three further channels, the
    RGB summed so far, because both continue there. noise_sides: the side of each layer's noise map.
    row_sides: of the features whose convolution each row scales; the RGB one doubling before shares the row.
    """

    gain = GAIN

    def __init__(self, size: int = 1024, style: int = 512, mapping_layers: int = 8, multiplier: int = 2):
        super().__init__()
        self.side, self.style = size, style
        self.mapping = Mapping(style, mapping_layers)
        self.body = Body(size, style, multiplier)
        blocks = len(self.body.layers) // 2
        self.style_rows = 2 * blocks + 2
        widths = [channels_at(4 << k, multiplier) for k in range(blocks + 1)]
        self.rgbs = nn.ModuleList(ToRgb(width, style) for width in widths)
        self.shapes = tuple((width + 3, 4 << k) for k, width in enumerate(widths))
        self.noise_sides = tuple(4 << (k + 1) // 2 for k in range(len(self.body.layers)))
        self.row_sides = (*self.noise_sides, size)

    def forward(self, z: Tensor) -> Tensor:
        """z (B, style), standard normal → pictures (B,3,side,side), about [−1,1]."""
        return self.synthesis(self.mapping(z)[:, None].expand(-1, self.style_rows, -1))

    def synthesis(self, rows: Tensor, noise: Sequence[Tensor] | None = None) -> Tensor:
        """Style rows (B, style_rows, style) → pictures; noise: one map (B or 1,1,s,s) per layer, else the file's."""
        return self.rest(self.first(rows, 0, noise), rows, 0, noise)

    def first(self, rows: Tensor, upto: int, noise: Sequence[Tensor] | None = None) -> Tensor:
        """The boundary (B, *shapes[upto]) after `upto` doublings; the first 2 + 2·upto rows are used."""
        x = self.body.constant.expand(len(rows), -1, -1, -1)
        x = self.body.layers[0](x, rows[:, 0], noise[0] if noise else None)
        return self._between(x, self.rgbs[0](x, rows[:, 1]), rows, 0, upto, noise)

    def rest(
        self, features: Tensor, rows: Tensor, start: int, noise: Sequence[Tensor] | None = None
    ) -> Tensor:
        """What `first` gives after `start` doublings → pictures; the rows from 1 + 2·start on are used."""
        x, rgb = features[:, :-3], features[:, -3:]
        return self._between(x, rgb, rows, start, len(self.rgbs) - 1, noise)[:, -3:]

    def _between(
        self, x: Tensor, rgb: Tensor, rows: Tensor, start: int, stop: int, noise: Sequence[Tensor] | None
    ) -> Tensor:
        for k in range(start, stop):
            for i in (2 * k + 1, 2 * k + 2):
                x = self.body.layers[i](x, rows[:, i], noise[i] if noise else None)
            rgb = upsample(rgb) + self.rgbs[k + 1](x, rows[:, 2 * k + 3])
        return torch.cat((x, rgb), dim=1)
