"""What the reader of one format hands on, and the steps that all of them share."""

from __future__ import annotations

import io
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from PIL import Image

from gansr.picture import limits
from gansr.picture.limits import DAMAGED, PictureError
from gansr.picture.rows import Rows

MAX_NOTICES = 10


@dataclass
class Decoded:
    """Samples, and what the reader has to tell about them."""

    rows: Rows
    notices: list[str] = field(default_factory=list[str])
    exif: bytes | None = None
    exif_turns: bool = True  # False where the container itself says how to turn, as in HEIC and AVIF
    orientation: int = 1  # as the container says, in EXIF's numbers


@dataclass
class Prepared:
    """A file that was walked and checked. Its pixels take no memory yet; of the file there is a copy, without what
    the pixels do not need."""

    size: tuple[int, int]  # width, height
    per_pixel: (
        int  # bytes that decoder, samples and planes take at most together, by `tests.attack.open_memory`
    )
    file: io.BytesIO
    decode: Callable[[], Decoded]  # once; the file is closed on the way
    peak: int = field(init=False)  # bytes that decoding takes at most, the resulting planes included

    def __post_init__(self) -> None:
        self.peak = self.size[0] * self.size[1] * self.per_pixel + 2 * len(self.file.getbuffer())


def decode(file: io.BytesIO, format: str, size: tuple[int, int]) -> Image.Image:
    """Pillow's decoding of a file that was walked and measured; any failure is damage. The file is closed."""
    with opened(file, format, size) as image:
        image.load()
    file.close()
    return image


@contextmanager
def opened(file: io.BytesIO, format: str, size: tuple[int, int]) -> Generator[Image.Image]:
    """Pillow's reader of a file that was walked and measured, not decoded yet; any failure within is damage."""
    try:
        image = Image.open(file, formats=[format])
        if image.size == size and not limits.is_oversized(*size):
            # All at once: a codec that needs more than it was given gets all that it did not use again.
            image.decodermaxblock = len(file.getbuffer())
            yield image
            return
    except Exception as error:  # codecs raise nearly every type on damaged data
        raise PictureError(f"{DAMAGED}: the {format} does not decode. Save or download it again.") from error
    raise limits.damaged(f"the {format}'s headers contradict each other")


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
