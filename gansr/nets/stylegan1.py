"""StyleGAN (Karras et al., CVPR 2019, arXiv 1812.04948), the generator that PULSE searched: FFHQ at 1024².

Source: paper §2 and figure 1, and the keys of the authors' PULSE files (adamian98/pulse: synthesis.pt,
mapping.pt); code written from a description. Equal to the authors' numbers (goldens pulse_synthesis).

The same function, optimised for the processor (the converter does the folding):
- the run-time scales of the weights are folded into them;
- "nearest ×2, then 3×3" is a transposed convolution of stride 2 with a 4×4 kernel: 4 products an output, not 9;
- instance norm and style are one batch norm over the pictures' channels, whose weight and bias are the style.
InstanceNorm's eps is 1e-5, as in PULSE's port; NVIDIA's is 1e-8.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SLOPE = 0.2
FFHQ_CHANNELS = (512, 512, 512, 512, 256, 128, 64, 32, 16)


class Mapping(nn.Module):
    """z (B, style) → w (B, style): pixel norm, then `layers` × (linear, LeakyReLU)."""

    def __init__(self, style: int, layers: int):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(style, style) for _ in range(layers))

    def forward(self, z: Tensor) -> Tensor:
        x = z * torch.rsqrt(z.square().mean(dim=1, keepdim=True) + 1e-8)
        for layer in self.layers:
            x = F.leaky_relu(layer(x), SLOPE)
        return x


class Epilogue(nn.Module):
    """+ noise × strength per channel → LeakyReLU → instance norm → × (s₀+1) + s₁."""

    def __init__(self, channels: int, style: int):
        super().__init__()
        self.strength = nn.Parameter(torch.zeros(channels))
        self.style = nn.Linear(style, 2 * channels)

    def forward(self, x: Tensor, row: Tensor, noise: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        x = F.leaky_relu(x + noise * self.strength[:, None, None], SLOPE)
        scale, shift = self.style(row).chunk(2, dim=1)
        flat = x.reshape(1, batch * channels, height, width)
        flat = F.batch_norm(flat, None, None, (scale + 1).flatten(), shift.flatten(), training=True, eps=1e-5)
        return flat.view(batch, channels, height, width)


class First(nn.Module):
    """The 4² block: a constant instead of a convolution."""

    def __init__(self, channels: int, style: int):
        super().__init__()
        self.constant = nn.Parameter(torch.ones(1, channels, 4, 4))
        self.weight = nn.Parameter(torch.randn(channels, channels, 3, 3) * (2 / (9 * channels)) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(channels))
        self.epilogue1, self.epilogue2 = Epilogue(channels, style), Epilogue(channels, style)

    def forward(self, rows: Tensor, noises: Sequence[Tensor]) -> Tensor:
        x = self.epilogue1(self.constant.expand(len(rows), -1, -1, -1), rows[:, 0], noises[0])
        x = F.conv2d(x, self.weight, self.bias, padding=1)
        return self.epilogue2(x, rows[:, 1], noises[1])


class Block(nn.Module):
    """One doubling: up-convolution → blur → bias → epilogue; convolution → epilogue."""

    blur: Tensor

    def __init__(self, channels: int, out: int, style: int):
        super().__init__()
        self.up = nn.Parameter(torch.randn(channels, out, 4, 4) * (2 / (9 * channels)) ** 0.5)
        self.up_bias = nn.Parameter(torch.zeros(out))
        self.weight = nn.Parameter(torch.randn(out, out, 3, 3) * (2 / (9 * out)) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(out))
        self.epilogue1, self.epilogue2 = Epilogue(out, style), Epilogue(out, style)
        line = torch.tensor([1.0, 2.0, 1.0]) / 4
        self.register_buffer("blur", line[:, None] * line, persistent=False)

    def forward(self, x: Tensor, rows: Tensor, noises: Sequence[Tensor]) -> Tensor:
        x = F.conv_transpose2d(x, self.up, stride=2, padding=1)
        kernel = self.blur.expand(x.shape[1], 1, 3, 3)
        x = F.conv2d(x, kernel, self.up_bias, padding=1, groups=x.shape[1])
        x = self.epilogue1(x, rows[:, 0], noises[0])
        x = F.conv2d(x, self.weight, self.bias, padding=1)
        return self.epilogue2(x, rows[:, 1], noises[1])


class StyleGAN1(nn.Module):
    """The generator. `channels`: at 4² and at every doubling.

    style_rows: two a block. side: of the picture, px. shapes[k]: (channels, side) after k doublings.
    noise_sides: of the noise maps, one a row. row_sides: of the features that each row scales. gain: 1, the factor
    after the mapping's last LeakyReLU.
    """

    gain = 1.0

    def __init__(self, channels: Sequence[int] = FFHQ_CHANNELS, style: int = 512, mapping_layers: int = 8):
        super().__init__()
        self.style, self.style_rows, self.side = style, 2 * len(channels), 4 << (len(channels) - 1)
        self.noise_sides = tuple(4 << k // 2 for k in range(self.style_rows))
        self.row_sides = self.noise_sides
        self.shapes = tuple((c, 4 << k) for k, c in enumerate(channels))
        self.mapping = Mapping(style, mapping_layers)
        widths = itertools.pairwise(channels)
        self.blocks = nn.ModuleList([First(channels[0], style), *(Block(c, o, style) for c, o in widths)])
        self.to_rgb = nn.Conv2d(channels[-1], 3, 1)

    def synthesis(self, rows: Tensor, noises: Sequence[Tensor] | None = None) -> Tensor:
        """Style rows (B, style_rows, style) and noise maps (1 or B,1,side,side), one a row (None: no noise)
        → pictures (B,3,side,side), about [−1,1]."""
        return self.rest(self.first(rows, 0, noises), rows, 0, noises)

    def first(self, rows: Tensor, upto: int, noises: Sequence[Tensor] | None = None) -> Tensor:
        """The features (B, *shapes[upto]) after `upto` doublings; the first 2 + 2·upto rows are used."""
        noises = self._noises(rows, noises)
        return self._between(self.blocks[0](rows[:, :2], noises[:2]), rows, 0, upto, noises)

    def rest(
        self, features: Tensor, rows: Tensor, start: int, noises: Sequence[Tensor] | None = None
    ) -> Tensor:
        """Features after `start` doublings → pictures; the rows from 2 + 2·start on are used."""
        noises = self._noises(rows, noises)
        return self.to_rgb(self._between(features, rows, start, len(self.blocks) - 1, noises))

    def _noises(self, rows: Tensor, noises: Sequence[Tensor] | None) -> Sequence[Tensor]:
        return noises if noises is not None else [rows.new_zeros(1, 1, 1, 1)] * self.style_rows

    def _between(self, x: Tensor, rows: Tensor, start: int, stop: int, noises: Sequence[Tensor]) -> Tensor:
        for k in range(start + 1, stop + 1):
            x = self.blocks[k](x, rows[:, 2 * k : 2 * k + 2], noises[2 * k : 2 * k + 2])
        return x
