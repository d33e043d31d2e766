"""The feature layers of VGG16 and VGG19 (Simonyan & Zisserman 2014), and LPIPS v0.1 on VGG16 (Zhang, Isola, Efros,
Shechtman, Wang 2018, "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric"; code BSD-2).

Layers are numbered as torchvision numbers `vgg16().features` and `vgg19().features`, which is how papers name them. The
authors' LPIPS takes pictures in [−1,1], subtracts its own mean and divides by its own deviation; on [0,1] these are
ImageNet's, which `standardised` applies.

How we differ: without gradients, LPIPS processes the picture in strips of rows, stage by stage. A stage of n 3×3
convolutions needs n rows of the neighbouring strips, so strips with that overlap give the values of the whole picture,
and full-size feature maps (1 GB each at 2048×2048 px) are never held. The norm at a place where all features are 0 has
gradient 0, where that of the authors' code is undefined (0/0).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_STAGES = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))  # VGG16: channels, convolutions
_STAGES_19 = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4))
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
    x = x.float()  # features may be bfloat16
    return x / (torch.linalg.vector_norm(x, dim=1, keepdim=True) + 1e-10)


class Vgg16(nn.Module):
    """VGG16's first `depth` feature layers in torchvision's numbering (31: all), frozen.

    The keys of its state dict are torchvision's: features.{0,2,5,…}.{weight,bias}.
    """

    def __init__(self, depth: int = 31):
        super().__init__()
        self.features = _features(_STAGES, depth)
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


class Vgg19(nn.Module):
    """VGG19's first `depth` feature layers in torchvision's numbering (36: up to the ReLU after conv5_4), frozen.

    `colours` is the colour transform in front of them, a 1×1 convolution: files have the one that belongs to their
    first layer. The keys of the rest are torchvision's: features.{0,2,5,…}.{weight,bias}.
    """

    def __init__(self, depth: int = 36):
        super().__init__()
        self.colours = nn.Conv2d(3, 3, 1)
        self.features = _features(_STAGES_19, depth)
        self.requires_grad_(False).eval()

    def forward(self, x: Tensor, end: int = 36) -> Tensor:
        """RGB (N,3,H,W) in [0,1] → the output of `features[:end]`. Gradients reach x."""
        return self.features[:end](self.colours(x))


def _features(stages: Sequence[tuple[int, int]], depth: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    inputs = 3
    for channels, count in stages:
        for _ in range(count):
            layers += [nn.Conv2d(inputs, channels, 3, padding=1), nn.ReLU(inplace=True)]
            inputs = channels
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers[:depth])


class LpipsVgg(nn.Module):
    """LPIPS v0.1 on VGG16 (relu1_2, 2_2, 3_3, 4_3, 5_3): the distance of two pictures, 0 for equal ones."""

    min_side = 16  # px: four halvings
    kept_bytes = 488  # a pixel, of what `features` gives, in float32

    def __init__(self):
        super().__init__()
        self.trunk = Vgg16(30)
        self.heads = nn.ParameterList(torch.full((channels,), 1 / channels) for channels, _ in _STAGES)
        self.requires_grad_(False).eval()

    def forward(self, a: Tensor, b: Tensor | Sequence[Tensor]) -> Tensor:
        """Two batches of RGB pictures (N,3,H,W) in [0,1] → their distances (N,). Gradients reach both.

        `b` may also be the `features` of such a batch. Raises ValueError for sides under 16 px.
        """
        check_side("LPIPS-VGG", self.min_side, a)
        kept = None if isinstance(b, Tensor) else b
        pictures = [a, b] if isinstance(b, Tensor) else [a]
        whole = torch.is_grad_enabled() and any(x.requires_grad for x in pictures)
        total = a.new_zeros(len(a))
        maps = [standardised(x) for x in pictures]
        for level, (weight, stage, (channels, count)) in enumerate(zip(self.heads, self._stages(), _STAGES)):
            height, width = maps[0].shape[-2:]
            rows = height if whole else _strip_rows(channels, maps[0])
            distance, pooled = 0.0, list[list[Tensor]]()
            for top in range(0, height, rows):
                strips = [_strip(stage, count, x, top, rows) for x in maps]
                other = strips[1] if kept is None else kept[level][..., top : top + rows, :]
                distance = distance + level_distance(strips[0], other, weight).sum((1, 2))
                pooled.append([_pooled(x) for x in strips])
            total = total + distance / (height * width)
            maps = [torch.cat(parts, 2) for parts in zip(*pooled)]
        return total

    @torch.no_grad()
    def features(self, b: Tensor) -> tuple[Tensor, ...]:
        """Pictures (N,3,H,W) in [0,1] → their features at the five levels, for `forward` with several pictures."""
        check_side("LPIPS-VGG", self.min_side, b)
        x, kept = standardised(b), list[Tensor]()
        for stage, (channels, count) in zip(self._stages(), _STAGES):
            rows = _strip_rows(channels, x)
            strips = [_strip(stage, count, x, top, rows) for top in range(0, x.shape[-2], rows)]
            kept.append(strips[0] if len(strips) == 1 else torch.cat(strips, 2))
            x = _pooled(kept[-1])
        return tuple(kept)

    def _stages(self) -> Iterator[nn.Module]:
        start = 0
        for _, count in _STAGES:
            yield self.trunk.features[start : start + 2 * count]
            start += 2 * count + 1


def check_side(name: str, least: int, x: Tensor) -> None:
    if min(x.shape[-2:]) < least:
        raise ValueError(f"{name} needs {least} px a side, not {x.shape[-2]}×{x.shape[-1]}")


def _strip_rows(channels: int, x: Tensor) -> int:
    """The rows (even) of a strip of a stage with `channels` channels, for its input (N,C,H,W)."""
    return max(16, _STRIP // (channels * x.shape[-1] * len(x)) // 2 * 2)


def _strip(stage: nn.Module, overlap: int, x: Tensor, top: int, rows: int) -> Tensor:
    """`rows` rows from `top` on of a stage's output. The strip of the input is larger by `overlap` rows above and
    below, which makes it exact."""
    first, last = max(0, top - overlap), min(x.shape[-2], top + rows + overlap)
    return stage(x[..., first:last, :])[..., top - first :, :][..., :rows, :]


def _pooled(x: Tensor) -> Tensor:
    """Half the size, rounded down, also to nothing."""
    return nn.functional.max_pool2d(x, 2) if min(x.shape[-2:]) > 1 else x[..., :0, : x.shape[-1] // 2]
