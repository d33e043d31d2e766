"""The files that mGANprior's options read."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gansr.ops.files import read_bytes, read_npy
from gansr.ops.resize import imresize
from gansr.options import OptionError
from gansr.picture import PictureError, open_picture

FACE = 1024  # px: a second face is kept at no more
BOUNDARY_BYTES = 1 << 20  # largest boundary file read; the authors' have 4224 bytes


def read_face(path: Path) -> Tensor:
    """Read a square picture, (3,H,W) in [0,1]. Raises OptionError."""
    try:
        rgb = open_picture(path).rgb
    except PictureError as error:
        raise OptionError(f"the second face: {error}") from None
    height, width = rgb.shape[-2:]
    if height != width:
        raise OptionError(f"the second face is {width}×{height} px: give a square picture of an aligned face")
    return imresize(rgb, (FACE, FACE)).clamp(0, 1) if height > FACE else rgb


def read_boundary(path: Path) -> Tensor:
    """Read one of the authors' *_boundary.npy files: a unit normal (1,512), as float32. Raises OptionError."""
    try:
        values = read_npy(read_bytes(path, BOUNDARY_BYTES), _check_boundary_shape)
    except OptionError as error:
        raise OptionError(
            f"the boundary cannot be read: {error}. Give a .npy with an array of shape (1, 512)"
        ) from None
    with np.errstate(over="ignore", invalid="ignore"):  # the length below is then not a number
        values = np.array(values, dtype=np.float64)
        length = float(np.linalg.norm(values))
    if not math.isfinite(length) or abs(length - 1) > 1e-3:
        raise OptionError(f"the boundary has the length {length:.4g}; a unit normal has 1")
    return torch.from_numpy(values.reshape(1, 512).astype(np.float32))


def _check_boundary_shape(shape: tuple[int, ...]) -> None:
    if shape not in ((1, 512), (512,)):
        raise OptionError(f"it has the shape {shape}")
