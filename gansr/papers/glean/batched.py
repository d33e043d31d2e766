"""The random inputs of gansr.papers.glean.degraded for a batch at once, on the device: for training on a GPU.

The same model with the same chances. What differs: bicubic is rounded once, not between the axes as MATLAB does; JPEG
is its arithmetic alone (colour, halved chroma, cosine transform, libjpeg's tables; no file), whose picture is within a
few steps of Pillow's. Everything stays on the device: no step waits for the processor.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from gansr.ops.colour import to8bit
from gansr.ops.projection import downscale_matrix
from gansr.papers.glean.degraded import NOISE, QUALITY, WIDTHS

# The tables of the JPEG standard (annex K) at quality 50, by rows.
_LIGHT = """16 11 10 16 24 40 51 61 12 12 14 19 26 58 60 55 14 13 16 24 40 57 69 56 14 17 22 29 51 87 80 62
18 22 37 56 68 109 103 77 24 35 55 64 81 104 113 92 49 64 78 87 103 121 120 101 72 92 95 98 112 100 103 99"""
_COLOUR = """17 18 24 47 99 99 99 99 18 21 26 66 99 99 99 99 24 26 56 99 99 99 99 99 47 66 99 99 99 99 99 99
99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99"""
_YCBCR = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))


def generator_on(device: torch.device, seed: int) -> torch.Generator:
    """A random generator whose numbers are drawn on the device."""
    return torch.Generator(device).manual_seed(seed)


class Degrader:
    """Truths (B,3,S,S) in [0,1] → their inputs (B,3,S/factor,S/factor) in multiples of 1/255.

    side: of the inputs, px. It holds its constants on the device.
    """

    def __init__(self, side: int, factor: int, device: torch.device):
        self.side, self.factor = side, factor
        self.down = downscale_matrix(side, factor).float().to(device)
        self.reach = math.ceil(4 * factor * WIDTHS[1]) + factor // 2
        length = side * factor
        index = torch.arange(-self.reach, length + self.reach) % (2 * length)
        self.mirror = torch.minimum(index, 2 * length - 1 - index).to(device)  # with the edge repeated
        at = torch.arange(2 * self.reach + 1) - self.reach - (factor - 1) / 2  # shifts nothing
        self.at = at.to(device)
        self.jpeg = Jpeg(device)

    def __call__(self, truths: Tensor, share: float, generator: torch.Generator) -> Tensor:
        """share: of the pictures, degraded at random; the others are shrunk by MATLAB's bicubic. generator: on the
        device."""
        u = torch.rand(len(truths), 10, generator=generator, device=truths.device)[..., None, None, None]
        clean = to8bit(self.down @ truths @ self.down.T)
        area = F.avg_pool2d(truths, self.factor)
        kind = u[:, 0]
        low = torch.where(kind < 0.4, clean, torch.where(kind < 0.5, area, self.blurred(truths, u)))
        low = to8bit(low)
        noise = torch.randn(low.shape, generator=generator, device=low.device)
        low = torch.where(u[:, 5] < 0.6, to8bit(low + noise * (u[:, 6] * NOISE / 255)), low)
        quality = (QUALITY[0] + (QUALITY[1] - QUALITY[0]) * u[:, 8]).round()
        low = torch.where(u[:, 7] < 0.6, self.jpeg(low, quality), low)
        return torch.where(u[:, 9] < share, low, clean)

    def blurred(self, truths: Tensor, u: Tensor) -> Tensor:
        """Each picture with a Gaussian of its own, of which every `factor`-th pixel is kept. u (B,10,1,1,1): random
        numbers of [0,1)."""
        least, most = (self.factor * width for width in WIDTHS)
        first = least + (most - least) * u[:, 1]
        second = torch.where(u[:, 3] < 0.5, least + (most - least) * u[:, 2], first)
        angle = math.pi * u[:, 4]
        x, y = self.at, self.at[:, None]
        along, across = x * angle.cos() + y * angle.sin(), y * angle.cos() - x * angle.sin()
        kernels = (-0.5 * ((along / first).square() + (across / second).square())).exp()
        kernels = kernels / kernels.sum((-1, -2), keepdim=True)
        padded = (
            truths.index_select(-2, self.mirror).index_select(-1, self.mirror).transpose(0, 1).contiguous()
        )
        found = F.conv2d(padded, kernels, stride=self.factor, groups=len(truths))
        return found[..., : self.side, : self.side].transpose(0, 1)


class Jpeg:
    """What JPEG of 4:2:0 colour leaves of pictures, each with a quality of its own."""

    def __init__(self, device: torch.device):
        tables = [[float(v) for v in text.split()] for text in (_LIGHT, _COLOUR)]
        self.tables = torch.tensor(tables).view(2, 8, 8).to(device)
        k, n = torch.arange(8.0)[:, None], torch.arange(8.0)
        wave = torch.cos(math.pi * (2 * n + 1) * k / 16) / 2
        wave[0] = 8**-0.5
        self.wave = wave.to(device)
        colours = torch.tensor(_YCBCR)
        self.colours, self.back = colours.to(device), torch.linalg.inv(colours).to(device)

    def __call__(self, pictures: Tensor, quality: Tensor) -> Tensor:
        """pictures (B,3,H,W) in [0,1], quality (B,1,1,1) of 1…100 → the same shape, in multiples of 1/255."""
        height, width = pictures.shape[-2:]
        x = F.pad(pictures, (0, -width % 16, 0, -height % 16), mode="replicate") * 255
        scale = torch.where(quality < 50, 5000 / quality, 200 - 2 * quality)
        tables = ((self.tables * scale + 50) / 100).floor().clamp(1, 255)  # (B,2,8,8)
        x = torch.einsum("ij,bjhw->bihw", self.colours, x)
        light = self.coded(x[:, :1] - 128, tables[:, 0]) + 128
        colour = self.coded(F.avg_pool2d(x[:, 1:], 2).round(), tables[:, 1])
        colour = F.interpolate(colour, scale_factor=2.0, mode="bilinear", align_corners=False)
        y = torch.einsum("ij,bjhw->bihw", self.back, torch.cat((light, colour), 1))
        return to8bit(y[..., :height, :width] / 255)

    def coded(self, x: Tensor, table: Tensor) -> Tensor:
        """x (B,C,H,W), sides multiples of 8, through the quantised transform; table (B,8,8)."""
        blocks = x.unflatten(-1, (-1, 8)).unflatten(-3, (-1, 8)).transpose(-2, -3)  # (B,C,H/8,W/8,8,8)
        steps = table[:, None, None, None]
        levels = ((self.wave @ blocks @ self.wave.T) / steps).round() * steps
        return (self.wave.T @ levels @ self.wave).transpose(-2, -3).flatten(-2).flatten(-3, -2)
