"""Holes of a picture, which mGANprior and DIP fill: a mask of the user, or a hole that is made here, as in the table of
mGANprior on inpainting. A hole is 1 where nothing is known."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from gansr.ops.colour import luma
from gansr.options import OptionError
from gansr.picture import PictureError, open_mask

PAINTED, PIECES = "painted", 8  # a kind of hole; how many rectangles "pieces" has at most
EMPTY = 0.5  # the grey that is shown in a hole


def read_mask(path: Path) -> Tensor:
    """Read a PNG as a mask (1,H,W): 1 where it is white, which is the hole. Raises OptionError."""
    try:
        picture = open_mask(path)
    except PictureError as error:
        raise OptionError(f"the mask: {error}") from None
    return (luma(picture.rgb) > 0.5).float()[None]


def check_mask(mask: Tensor, height: int, width: int) -> None:
    """Raise OptionError unless the mask has the picture's size, a hole, and something around it."""
    hole = hole_of(mask)
    if hole.shape[-2:] != (height, width):
        raise OptionError(
            f"the mask is {hole.shape[-1]}×{hole.shape[-2]} px, the picture it covers {width}×{height}: give one of "
            "that size"
        )
    if not bool(hole.any()):
        raise OptionError("the mask is empty: nothing in it is white, so there is nothing to fill")
    if bool(hole.all()):
        raise OptionError("the mask covers everything: leave some of the picture as it is")


def hole_of(mask: Tensor) -> Tensor:
    """A mask (H,W), (1,H,W) or (3,H,W) in [0,1] → (1,H,W) of 0 and 1."""
    flat = mask.float().reshape(-1, *mask.shape[-2:])[:3]
    return (flat.amax(0, keepdim=True) > 0.5).float()


def made_hole(kind: str, height: int, width: int, seed: int) -> Tensor:
    """(1,height,width): the middle, or a random place, half as high and half as wide; up to PIECES small rectangles; or
    "dots", each pixel with probability ½. seed: places what is random."""
    generator = torch.Generator().manual_seed(seed)
    if kind == "dots":
        return (torch.rand(1, height, width, generator=generator) < 0.5).float()
    part, count = (8, PIECES) if kind == "pieces" else (2, 1)
    rows, columns = max(1, height // part), max(1, width // part)
    hole = torch.zeros(1, height, width)
    for _ in range(count):
        top = int(torch.randint(height - rows + 1, (1,), generator=generator))
        left = int(torch.randint(width - columns + 1, (1,), generator=generator))
        if kind == "middle":
            top, left = (height - rows) // 2, (width - columns) // 2
        hole[:, top : top + rows, left : left + columns] = 1
    return hole


def emptied(picture: Tensor, hole: Tensor) -> Tensor:
    """(3,H,W) in [0,1] → the same with EMPTY in the hole."""
    return torch.where(hole.to(picture.device) > 0, torch.full_like(picture, EMPTY), picture)
