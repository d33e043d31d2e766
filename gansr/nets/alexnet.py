"""LPIPS v0.1 on AlexNet (Zhang et al. 2018, code BSD-2): five ReLU outputs of 64, 192, 384, 256 and 256 channels.

The trunk is the AlexNet of Krizhevsky's "One weird trick for parallelizing convolutional neural networks" (2014), as
torchvision has it. The distance at each level is that of gansr.nets.vgg.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gansr.nets.vgg import check_side, level_distance, standardised

_CHANNELS = (64, 192, 384, 256, 256)


class LpipsAlex(nn.Module):
    """LPIPS v0.1 on AlexNet: the distance of two pictures, 0 for equal ones. Frozen."""

    min_side = 31  # px: the first convolution and two poolings leave one location
    kept_bytes = 42  # a pixel, of what `features` gives

    def __init__(self):
        super().__init__()
        first = nn.Conv2d(3, 64, 11, stride=4, padding=2)
        second = nn.Conv2d(64, 192, 5, padding=2)
        rest = [nn.Conv2d(i, o, 3, padding=1) for i, o in pairwise(_CHANNELS[1:])]
        self.trunk = nn.ModuleList([first, second, *rest])
        self.heads = nn.ParameterList(torch.full((channels,), 1 / channels) for channels in _CHANNELS)
        self.requires_grad_(False).eval()

    def forward(self, a: Tensor, b: Tensor | Sequence[Tensor]) -> Tensor:
        """Two batches of RGB pictures (N,3,H,W) in [0,1] → their distances (N,). Gradients reach both.

        `b` may also be the `features` of such a batch. Raises ValueError for sides under 31 px.
        """
        other = self.features(b) if isinstance(b, Tensor) else b
        levels = zip(self.features(a), other, self.heads)
        return sum(
            (level_distance(x, y, weight).mean((1, 2)) for x, y, weight in levels), a.new_zeros(len(a))
        )

    def features(self, x: Tensor) -> tuple[Tensor, ...]:
        """Pictures (N,3,H,W) in [0,1] → their features at the five levels, for `forward` with several pictures."""
        check_side("LPIPS-Alex", self.min_side, x)
        x, found = standardised(x), list[Tensor]()
        for level, layer in enumerate(self.trunk):
            x = layer(F.max_pool2d(x, 3, 2) if level in (1, 2) else x).relu_()
            found.append(x)
        return tuple(found)
