"""What the reader of one format hands on, and the steps that all of them share."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from gansr.picture import limits
from gansr.picture.arrays import Samples
from gansr.picture.limits import DAMAGED, PictureError

MAX_NOTICES = 10


@dataclass
class Decoded:
    """Samples (H,W,C) uint8 or uint16, C 1…4, and what the reader has to tell about them."""

    samples: Samples
    notices: list[str] = field(default_factory=list[str])
    exif: bytes | None = None
    exif_turns: bool = True  # False where the container itself says how to turn, as in HEIC and AVIF


def decode(data: bytes, format: str, size: tuple[int, int]) -> Image.Image:
    """Pillow's decoding of a file that was walked and measured; any failure is damage."""
    try:
        image = Image.open(io.BytesIO(data), formats=[format])
        if image.size == size and not limits.is_oversized(*size):
            image.load()
            return image
    except Exception as error:  # codecs raise nearly every type on damaged data
        raise PictureError(f"{DAMAGED}: the {format} does not decode. Save or download it again.") from error
    raise limits.damaged(f"the {format}'s headers contradict each other")


def samples_of(image: Image.Image) -> Samples:
    """(H,W,C), as the image's mode has them."""
    array = np.asarray(image)
    return array if array.ndim == 3 else array[..., None]


def add_notice(notices: list[str], text: str) -> None:
    """Each notice once, and no more than MAX_NOTICES."""
    if text not in notices and len(notices) < MAX_NOTICES:
        notices.append(text)


def add_profile_notice(profile: bytes, notices: list[str]) -> None:
    """Say that a colour profile was ignored, unless it is sRGB itself."""
    if b"sRGB" not in profile and "sRGB".encode("utf-16-be") not in profile:
        notices.append("its colour profile was not applied: the colours are read as sRGB")


def add_trailing_notice(end: int, data: Sequence[int], notices: list[str]) -> None:
    if end < len(data):
        notices.append(f"{len(data) - end} bytes after the picture's end were left out")
