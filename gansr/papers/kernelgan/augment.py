"""Views of a picture: the eight symmetries, and the random views that the ZSSR paper trains on.

Shocher, Cohen, Irani, CVPR 2018, §3.2, with the probabilities of the authors' program. KernelGAN's ZSSR has none of it.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

UPRIGHT, SYMMETRIES = 0.05, 0.45  # shares of the fathers; the others are affine views
SMALLEST = 0.5  # of an affine view: how far the picture is shrunk
SHEAR, APART = 0.1, 0.25  # standard deviations: of the shear, and of the difference of the two axes' scales


def transform(picture: Tensor, which: int) -> Tensor:
    """One of the eight symmetries: `which` quarter turns, from 4 on mirrored left to right after turning."""
    picture = torch.rot90(picture, which % 4, (-2, -1))
    return picture if which < 4 else picture.flip(-1)


def transform_back(picture: Tensor, which: int) -> Tensor:
    """The inverse of `transform`."""
    picture = picture if which < 4 else picture.flip(-1)
    return torch.rot90(picture, -(which % 4), (-2, -1))


def augmented(
    picture: Tensor, weights: Tensor, crop: tuple[Tensor, Tensor], generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """A father (3,c,c) in [0,1] and the weights of its loss (1,c,c), varied.

    picture (3,H,W), weights (1,H,W): what affine views are taken from. crop: an upright father and its weights, which
    stay so, or are turned by quarters and mirrored.
    """
    kind, which = torch.rand(2, generator=generator).tolist()
    if kind < UPRIGHT:
        return crop
    if kind < UPRIGHT + SYMMETRIES:
        father, weight = (transform(x, int(8 * which)).contiguous() for x in crop)
        return father, weight
    matrix = affine(generator)
    axis = torch.arange(crop[0].shape[-1]) - (crop[0].shape[-1] - 1) / 2
    offsets = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), -1) @ matrix.T
    middle = torch.tensor([(picture.shape[-1] - 1) / 2, (picture.shape[-2] - 1) / 2])
    # A view that is larger than the picture is mirrored at the rim.
    room = (middle - offsets.abs().amax((0, 1))).clamp_min(0)
    place = 2 * torch.rand(2, generator=generator) - 1
    grid = ((offsets + room * place) / middle)[None].to(picture)
    father, weight = (
        F.grid_sample(x[None], grid, kernel, "reflection", align_corners=True)[0]
        for x, kernel in ((picture, "bicubic"), (weights, "bilinear"))
    )
    return father.clamp(0, 1), weight


def affine(generator: torch.Generator) -> Tensor:
    """A random view (2,2): offsets (x, y) from the father's middle → in the picture, both in px."""
    angle, size, mirrored = torch.rand(3, generator=generator).tolist()
    apart, down, across = torch.randn(3, generator=generator).tolist()
    scale = SMALLEST + (1 - SMALLEST) * size
    scales = torch.tensor([scale, min(max(scale + APART * apart, SMALLEST / 2), 1.0)])
    mirror = torch.tensor([1.0 if mirrored < 0.5 else -1.0, 1.0])
    shear = torch.tensor([[1.0, SHEAR * across], [SHEAR * down, 1.0]])
    cos, sin = math.cos(2 * math.pi * angle), math.sin(2 * math.pi * angle)
    return torch.tensor([[cos, -sin], [sin, cos]]) @ shear @ torch.diag(mirror / scales)
