"""A mask: a PNG whose size is checked against a limit of its own before anything is decoded."""

from __future__ import annotations

import struct
from pathlib import Path

from gansr.picture import limits, png
from gansr.picture.core import Picture, open_picture
from gansr.picture.limits import PictureError
from gansr.picture.source import read_bytes

MAX_MASK_PIXELS = 2048 * 2048  # a mask has the size of a method's input: 1024×1024 px at most


def open_mask(source: str | Path | bytes) -> Picture:
    """The checked picture of a mask: a PNG of at most 4 megapixels. Raises PictureError, as `open_picture` does."""
    head = read_bytes(source, first=len(png.SIGNATURE) + 16)  # the size is the first thing in a PNG
    if not head.startswith(png.SIGNATURE) or len(head) < len(png.SIGNATURE) + 16:
        raise PictureError(f"{limits.NOT_SUPPORTED}: a mask must be a PNG. Save it as PNG and try again.")
    width, height = struct.unpack(">II", head[-8:])
    if width * height > MAX_MASK_PIXELS:
        raise PictureError(
            f"{limits.TOO_LARGE}: a mask of {width}×{height} px. It must have the size of the method's input."
        )
    return open_picture(source)
