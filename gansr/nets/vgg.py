"""VGG16's feature layers (Simonyan & Zisserman 2014) and LPIPS v0.1 on them (Zhang, Isola, Efros, Shechtman,
Wang 2018, "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric"; code BSD-2).

Layers are numbered as torchvision numbers `vgg16().features`, which is how every paper names its slices.
LPIPS takes pictures in [−1,1] and moves and divides by its own constants; on [0,1] those are ImageNet's
mean and deviation, which is what `standardised` applies.

How we differ: without gradients LPIPS goes through the picture in strips of rows, stage by stage. A stage
of n 3×3 convolutions needs n rows of its neighbours, so strips with that rim give the same numbers as the
whole picture while full-size feature maps (1 GB each at 2048²) are never held. And the norm at a location
without any feature has gradient 0, where the authors' code has none (0/0).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_STAGES = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))  # channels, convolutions
_STRIP = 1 << 24  # values of a feature map in one strip: 64 MB; smaller ones were slower


def standardised(x: Tensor) -> Tensor:
    """RGB (N,3,H,W) in [0,1] → ImageNet's zero mean and unit deviation."""
    mean, deviation = (x.new_tensor(v).view(1, 3, 1, 1) for v in (MEAN, DEVIATION))
    return ((x - mean) / deviation).contiguous(memory_format=torch.channels_last)  # 1.3× faster on CPUs


def level_distance(a: Tensor, b: Tensor, weight: Tensor) -> Tensor:
    """LPIPS's inner sum, (N,H,W): at each location of two feature maps (N,C,H,W) the squared difference of
    their unit vectors, channels weighted by `weight` (C,)."""
    difference = _unit(a) - _unit(b)
    return (difference.square() * weight.view(1, -1, 1, 1)).sum(1)


def _unit(x: Tensor) -> Tensor:
    return x / (torch.linalg.vector_norm(x, dim=1, keepdim=True) + 1e-10)


class Vgg16(nn.Module):
    """VGG16's first `depth` feature layers in torchvision's numbering (31: all), frozen.

    Keys as torchvision's: features.{0,2,5,…}.{weight,bias}.
    """

    def __init__(self, depth: int = 31):
        super().__init__()
        layers: list[nn.Module] = []
        below = 3
        for channels, count in _STAGES:
            for _ in range(count):
                layers += [nn.Conv2d(below, channels, 3, padding=1), nn.ReLU(inplace=True)]
                below = channels
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers[:depth])
        self.requires_grad_(False).eval()

    def forward(self, x: Tensor, ends: Sequence[int] = (31,)) -> tuple[Tensor, ...]:
        """RGB (N,3,H,W) in [0,1] → what `features[:end]` gives, for each end. Gradients reach x."""
        x = standardised(x)
        kept = {}
        for end, layer in zip(range(1, max(ends) + 1), self.features):
            x = layer(x)
            if end in ends:
                # the ReLU that follows a convolution would overwrite what was kept
                kept[end] = x.clone() if isinstance(layer, nn.Conv2d) and end < max(ends) else x
        return tuple(kept[end] for end in ends)


class LpipsVgg(nn.Module):
    """LPIPS v0.1 on VGG16 (relu1_2, 2_2, 3_3, 4_3, 5_3): the distance of two pictures, 0 for equal ones."""

    min_side = 16  # px: four halvings

    def __init__(self):
        super().__init__()
        self.trunk = Vgg16(30)
        self.heads = nn.ParameterList(torch.full((channels,), 1 / channels) for channels, _ in _STAGES)
        self.requires_grad_(False).eval()

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Two batches of RGB pictures (N,3,H,W) in [0,1] → their distances (N,). Gradients reach both.

        Raises ValueError for sides under 16 px.
        """
        if min(a.shape[-2:]) < self.min_side:
            raise ValueError(f"LPIPS-VGG needs {self.min_side} px a side, not {a.shape[-2]}×{a.shape[-1]}")
        whole = torch.is_grad_enabled() and (a.requires_grad or b.requires_grad)
        a, b = standardised(a), standardised(b)
        total = a.new_zeros(len(a))
        start = 0
        for weight, (channels, count) in zip(self.heads, _STAGES):
            rows = a.shape[-2] if whole else max(16, _STRIP // (channels * a.shape[-1] * len(a)) // 2 * 2)
            stage = self.trunk.features[start : start + 2 * count]
            summed, a, b = _stage(stage, count, weight, a, b, rows)
            total = total + summed
            start += 2 * count + 1
        return total


def _stage(
    stage: nn.Module, rim: int, weight: Tensor, a: Tensor, b: Tensor, rows: int
) -> tuple[Tensor, Tensor, Tensor]:
    """One stage of both trunks, in strips of `rows` rows (even): its mean distance (N,) and the halved
    feature maps. `rim` rows of neighbours make a strip exact."""
    height = a.shape[-2]
    summed, halves = 0.0, []
    for top in range(0, height, rows):
        first, last = max(0, top - rim), min(height, top + rows + rim)
        fa, fb = (stage(x[..., first:last, :])[..., top - first :, :][..., :rows, :] for x in (a, b))
        summed = summed + level_distance(fa, fb, weight).sum((1, 2))
        if fa.shape[-2] > 1 and fa.shape[-1] > 1:
            halves.append([nn.functional.max_pool2d(f, 2) for f in (fa, fb)])
    mean = torch.as_tensor(summed) / (height * a.shape[-1])
    if not halves:
        return mean, a, b
    return mean, torch.cat([h[0] for h in halves], 2), torch.cat([h[1] for h in halves], 2)
