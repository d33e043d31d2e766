"""LPIPS v0.1 on AlexNet (Zhang et al. 2018, code BSD-2): five ReLU outputs of 64, 192, 384, 256 and 256 channels.

The trunk is the AlexNet of Krizhevsky's "One weird trick for parallelizing convolutional neural networks" (2014), as
torchvision has it. The distance at each level is that of gansr.nets.vgg.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gansr.nets.vgg import level_distance, standardised

_CHANNELS = (64, 192, 384, 256, 256)


class LpipsAlex(nn.Module):
    """LPIPS v0.1 on AlexNet: the distance of two pictures, 0 for equal ones. Frozen."""

    min_side = 31  # px: the first convolution and two poolings leave one location

    def __init__(self):
        super().__init__()
        first = nn.Conv2d(3, 64, 11, stride=4, padding=2)
        second = nn.Conv2d(64, 192, 5, padding=2)
        rest = [nn.Conv2d(i, o, 3, padding=1) for i, o in pairwise(_CHANNELS[1:])]
        self.trunk = nn.ModuleList([first, second, *rest])
        self.heads = nn.ParameterList(torch.full((channels,), 1 / channels) for channels in _CHANNELS)
        self.requires_grad_(False).eval()

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Two batches of RGB pictures (N,3,H,W) in [0,1] → their distances (N,). Gradients reach both.

        Raises ValueError for sides under 31 px.
        """
        if min(a.shape[-2:]) < self.min_side:
            raise ValueError(f"LPIPS-Alex needs {self.min_side} px a side, not {a.shape[-2]}×{a.shape[-1]}")
        a, b = standardised(a), standardised(b)
        total = a.new_zeros(len(a))
        for level, (layer, weight) in enumerate(zip(self.trunk, self.heads)):
            if level in (1, 2):
                a, b = F.max_pool2d(a, 3, 2), F.max_pool2d(b, 3, 2)
            a, b = layer(a).relu_(), layer(b).relu_()
            total = total + level_distance(a, b, weight).mean((1, 2))
        return total
