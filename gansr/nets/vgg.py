"""VGG16's feature layers (Simonyan & Zisserman 2014) and LPIPS v0.1 on them (Zhang, Isola, Efros, Shechtman,
Wang 2018, "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric"; code BSD-2).

Layers are numbered as torchvision numbers `vgg16().features`, which is how papers name them. The authors' LPIPS takes
pictures in [−1,1], subtracts its own mean and divides by its own deviation; on [0,1] these are ImageNet's, which
`standardised` applies.

How we differ: without gradients, LPIPS processes the picture in strips of rows, stage by stage. A stage of n 3×3
convolutions needs n rows of the neighbouring strips, so strips with that overlap give the values of the whole picture,
and full-size feature maps (1 GB each at 2048×2048 px) are never held. The norm at a place where all features are 0 has
gradient 0, where that of the authors' code is undefined (0/0).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_STAGES = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))  # channels, convolutions
_STRIP = 1 << 24  # values of a feature map in one strip (64 MB); smaller strips were slower


def standardised(x: Tensor) -> Tensor:
    """RGB (N,3,H,W) in [0,1] → less ImageNet's mean, divided by its standard deviation."""
    mean, deviation = (x.new_tensor(v).view(1, 3, 1, 1) for v in (MEAN, DEVIATION))
    return ((x - mean) / deviation).contiguous(memory_format=torch.channels_last)  # 1.3× faster on CPUs


def level_distance(a: Tensor, b: Tensor, weight: Tensor) -> Tensor:
    """LPIPS at one level, (N,H,W): at each place of two feature maps (N,C,H,W) the squared difference of their unit
    vectors, summed over the channels with `weight` (C,)."""
    difference = _unit(a) - _unit(b)
    return (difference.square() * weight.view(1, -1, 1, 1)).sum(1)


def _unit(x: Tensor) -> Tensor:
    return x / (torch.linalg.vector_norm(x, dim=1, keepdim=True) + 1e-10)


class Vgg16(nn.Module):
    """VGG16's first `depth` feature layers in torchvision's numbering (31: all), frozen.

    The keys of its state dict are torchvision's: features.{0,2,5,…}.{weight,bias}.
    """

    def __init__(self, depth: int = 31):
        super().__init__()
        layers: list[nn.Module] = []
        inputs = 3
        for channels, count in _STAGES:
            for _ in range(count):
                layers += [nn.Conv2d(inputs, channels, 3, padding=1), nn.ReLU(inplace=True)]
                inputs = channels
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers[:depth])
        self.requires_grad_(False).eval()

    def forward(self, x: Tensor, ends: Sequence[int] = (31,)) -> tuple[Tensor, ...]:
        """RGB (N,3,H,W) in [0,1] → the output of `features[:end]` for each of `ends`. Gradients reach x."""
        x = standardised(x)
        outputs: dict[int, Tensor] = {}
        for end, layer in zip(range(1, max(ends) + 1), self.features):
            x = layer(x)
            if end in ends:
                # the ReLU after a convolution works in place and would change its output
                outputs[end] = x.clone() if isinstance(layer, nn.Conv2d) and end < max(ends) else x
        return tuple(outputs[end] for end in ends)


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
            distance, a, b = _stage(stage, count, weight, a, b, rows)
            total = total + distance
            start += 2 * count + 1
        return total


def _stage(
    stage: nn.Module, overlap: int, weight: Tensor, a: Tensor, b: Tensor, rows: int
) -> tuple[Tensor, Tensor, Tensor]:
    """One stage of both trunks, in strips of `rows` rows (even): its mean distance (N,), and both feature maps after
    pooling. A strip overlaps its neighbours by `overlap` rows, which makes it exact."""
    height = a.shape[-2]
    total, pooled = 0.0, list[list[Tensor]]()
    for top in range(0, height, rows):
        first, last = max(0, top - overlap), min(height, top + rows + overlap)
        fa, fb = (stage(x[..., first:last, :])[..., top - first :, :][..., :rows, :] for x in (a, b))
        total = total + level_distance(fa, fb, weight).sum((1, 2))
        if fa.shape[-2] > 1 and fa.shape[-1] > 1:
            pooled.append([nn.functional.max_pool2d(f, 2) for f in (fa, fb)])
    mean = torch.as_tensor(total) / (height * a.shape[-1])
    if not pooled:
        return mean, a, b
    return mean, torch.cat([p[0] for p in pooled], 2), torch.cat([p[1] for p in pooled], 2)
