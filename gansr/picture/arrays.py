"""Tensors (C,H,W) in [0,1] ⇄ arrays (H,W,C) of 8 or 16 bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Samples = NDArray[Any]  # (H,W,C) uint8 or uint16; C: 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha
_STRIP = 32  # rows converted at a time, which stay in the cache


def to_planes(samples: Samples) -> Tensor:
    """(H,W,C) uint8 or uint16 → (C,H,W) float32 in [0,1], exactly value/255 or value/65535."""
    full = np.float32(np.iinfo(samples.dtype).max)
    height, width, channels = samples.shape
    planes = np.empty((channels, height, width), np.float32)
    for y in range(0, height, _STRIP):
        strip = np.moveaxis(samples[y : y + _STRIP], -1, 0)
        np.divide(strip, full, out=planes[:, y : y + _STRIP], dtype=np.float32, casting="same_kind")
    return torch.from_numpy(planes)


def to_array(image: Tensor) -> NDArray[np.uint8]:
    """(C,H,W) in [0,1], C 1 or 3 or 4 → (H,W,C) uint8, rounded to nearest; outside [0,1] is clipped.

    Raises ValueError for another shape.
    """
    if image.ndim != 3 or image.shape[0] not in (1, 3, 4):
        raise ValueError(f"a picture has shape (3,H,W), not {tuple(image.shape)}")
    values = image.detach().to("cpu", torch.float32).numpy()
    array = np.empty((*image.shape[1:], image.shape[0]), np.uint8)
    for y in range(0, len(array), _STRIP):
        scaled = np.rint(values[:, y : y + _STRIP] * np.float32(255))
        array[y : y + _STRIP] = np.moveaxis(np.clip(scaled, 0, 255, out=scaled), 0, -1)
    return array


def from_array(array: NDArray[Any]) -> Tensor:
    """(H,W), (H,W,1) or (H,W,3) uint8 → (3,H,W) float32 in [0,1], exactly value/255.

    Raises ValueError for another shape or type.
    """
    if (
        array.dtype != np.uint8
        or array.ndim not in (2, 3)
        or (array.ndim == 3 and array.shape[2] not in (1, 3))
    ):
        raise ValueError(f"uint8 of shape (H,W,3) is needed, not {array.dtype} of {array.shape}")
    planes = to_planes(array if array.ndim == 3 else array[..., None])
    return planes.expand(3, -1, -1).contiguous()
