"""A face drawn in its place: the thumbnail of a found face, and a result pasted back into its photograph."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gansr.faces.alignment import into
from gansr.faces.detection import Face
from gansr.faces.sampling import inverse, moved, warp


def thumbnail(rgb: Tensor, face: Face, size: int = 128) -> Tensor:
    """A small picture of a face to choose it by, (3,size,size): the square around its box, not rotated."""
    box = face.box.double()
    middle, half = (box[:2] + box[2:]) / 2, 0.75 * float((box[2:] - box[:2]).max().clamp(min=1))
    quad = middle + half * torch.tensor([[-1.0, -1], [-1, 1], [1, 1], [1, -1]], dtype=torch.float64)
    return warp(rgb, into(quad, size), size, size)


def paste_back(photo: Tensor, face: Tensor, quad: Tensor, feather: float = 0.1) -> Tensor:
    """Draw a square face (3,s,s) at the place `quad` (4,2) px of a photograph (3,H,W), both in [0,1] → (3,H,W).

    feather: share of the square's side over which the edge fades in. For an enlarged photograph give
    `scaled(quad, factor)`. The photograph itself is not changed.
    """
    quad = quad.double()
    height, width = photo.shape[1:]
    left, top = (max(0, math.floor(v)) for v in quad.amin(0).tolist())
    right, bottom = (min(n, math.ceil(v) + 1) for v, n in zip(quad.amax(0).tolist(), (width, height)))
    if left >= right or top >= bottom:
        return photo.clone()
    corner = torch.tensor([[0.0, 0.0, left], [0.0, 0.0, top]], dtype=torch.float64)
    matrix = inverse(into(quad - corner[:, 2], face.shape[-1]))
    drawn = warp(face, matrix, bottom - top, right - left, "border")
    weight = _ramp(matrix, face.shape[-1], bottom - top, right - left, feather).to(photo)
    result = photo.clone()
    result[:, top:bottom, left:right] = torch.lerp(result[:, top:bottom, left:right], drawn.to(photo), weight)
    return result


def _ramp(matrix: Tensor, size: int, height: int, width: int, feather: float) -> Tensor:
    """0 outside the square, rising smoothly (3t² − 2t³) to 1 over `feather` of its side."""
    y, x = torch.meshgrid(torch.arange(height).double(), torch.arange(width).double(), indexing="ij")
    u, v = (moved(torch.stack([x, y], -1), matrix) + 0.5).div(size).unbind(-1)
    edge = torch.minimum(torch.minimum(u, 1 - u), torch.minimum(v, 1 - v))
    t = (edge / max(feather, 1e-6)).clamp(0, 1)
    return t * t * (3 - 2 * t)
