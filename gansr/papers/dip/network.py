"""DIP's network: an hourglass with skip connections (supplement, figure 1 and its table of hyper-parameters).

Down at each of five scales: a 3×3 convolution of stride 2, then one of stride 1. Up: the skip and what comes from
below, enlarged twice, are concatenated and normalised; then a 3×3 and a 1×1 convolution. Each convolution has a bias,
pads by reflection, and has a batch norm and a LeakyReLU of slope 0.2 after it. At the end: 1×1 to RGB, and a sigmoid.
The batch norms always take the statistics of the one picture that goes through.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SCALES = 5
MULTIPLE = 1 << SCALES  # the sides of the input are multiples of this
SMALLEST = 2 * MULTIPLE  # px: at the coarsest scale a reflected border needs two
SLOPE = 0.2  # of the LeakyReLUs


class Block(nn.Module):
    """(1,a,H,W) → (1,b,H/stride,W/stride): convolution, batch norm, LeakyReLU."""

    def __init__(self, a: int, b: int, size: int, generator: torch.Generator, stride: int = 1):
        super().__init__()
        self.convolution = convolution(a, b, size, generator, stride)
        self.norm = Norm(b)
        self.border = size // 2

    def forward(self, x: Tensor) -> Tensor:
        if self.border:
            x = F.pad(x, (self.border,) * 4, mode="reflect")
        return F.leaky_relu(self.norm(self.convolution(x)), SLOPE)


class Norm(nn.Module):
    """Batch norm by the statistics of what goes through, without running means."""

    def __init__(self, channels: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        return F.batch_norm(x, None, None, self.weight, self.bias, training=True)


class Scale(nn.Module):
    """One scale and all below it: (1,a,H,W) → (1,width,H,W)."""

    def __init__(self, a: int, width: int, skip: int, below: int, generator: torch.Generator):
        super().__init__()
        self.skip = Block(a, skip, 1, generator)
        self.down = nn.Sequential(Block(a, width, 3, generator, 2), Block(width, width, 3, generator))
        self.below = Scale(width, width, skip, below - 1, generator) if below else nn.Identity()
        self.norm = Norm(skip + width)
        self.up = nn.Sequential(Block(skip + width, width, 3, generator), Block(width, width, 1, generator))

    def forward(self, x: Tensor) -> Tensor:
        y = F.interpolate(self.below(self.down(x)), scale_factor=2, mode="bilinear", align_corners=False)
        return self.up(self.norm(torch.cat([self.skip(x), y], dim=1)))


class Hourglass(nn.Module):
    """z (1,inputs,H,W) → a picture (1,3,H,W) in (0,1). H and W are multiples of MULTIPLE, at least SMALLEST.

    width: channels of each scale, skip: of each skip connection; the paper has 128 and 4.
    """

    def __init__(self, inputs: int, width: int, skip: int, generator: torch.Generator):
        super().__init__()
        self.body = Scale(inputs, width, skip, SCALES - 1, generator)
        self.colours = convolution(width, 3, 1, generator)

    def forward(self, z: Tensor) -> Tensor:
        return torch.sigmoid(self.colours(self.body(z)).float())


def convolution(a: int, b: int, size: int, generator: torch.Generator, stride: int = 1) -> nn.Conv2d:
    """A convolution without a border, started as PyTorch starts it: uniform up to 1/√(a·size²)."""
    made: nn.Conv2d = nn.utils.skip_init(nn.Conv2d, a, b, size, stride=stride)  # pyright: ignore[reportAssignmentType]
    bound = (a * size**2) ** -0.5
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.copy_((2 * torch.rand(parameter.shape, generator=generator) - 1) * bound)
    return made


def operations(inputs: int, width: int, skip: int) -> float:
    """Floating-point operations of one pass, for each pixel."""
    found, a = 2.0 * 3 * width, inputs
    for scale in range(SCALES):
        down = (9 * a * width + 9 * width**2) / 4
        up = 9 * (skip + width) * width + width**2
        found += 2 * (a * skip + down + up) / 4**scale
        a = width
    return found
