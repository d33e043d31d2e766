"""What a picture file may have at most, and the errors of a file that is refused.

Read a limit as `limits.MAX_BYTES`, so that a test can lower it in one place.
"""

from __future__ import annotations

MAX_PIXELS = 16_000_000
MAX_SIDE = 8192
MAX_BYTES = 64 * 1024 * 1024
MAX_OPENING = (
    400_000_000  # bytes that all pictures being opened at one time take; a larger one is opened alone
)
MAX_TEXT = 1024 * 1024  # bytes of one text or profile when unpacked, and of all text that is read back
MAX_UNPACKED = 16 * 1024 * 1024  # bytes of all texts and profiles of one file together
MAX_PIECES = 65_536  # chunks, segments, blocks or boxes of one file: no real picture comes near
MAX_SCANS = 100  # of one progressive JPEG: each costs a pass over all pixels, however few bytes it has
MAX_ITEMS = 2048  # of one HEIC or AVIF: tiles, masks, thumbnails, metadata
MAX_TILES = 1024  # of one HEIC or AVIF grid: a phone's 48 megapixels have 192

NOT_A_PICTURE = "not a PNG, JPEG, WebP, HEIC or AVIF picture"
NOT_SUPPORTED = "format not supported"
DAMAGED = "the file is damaged"
TOO_LARGE = "too large"


class PictureError(ValueError):
    """A picture file is refused. The text says what was found and what to do."""


# Each of the next four returns the error to raise: what was found, and what to do.


def not_a_picture(found: str, advice: str = "Choose a file of one of these formats") -> PictureError:
    return PictureError(f"{NOT_A_PICTURE}: {found}. {advice}.")


def not_supported(found: str) -> PictureError:
    return PictureError(f"{NOT_SUPPORTED}: {found}. Save it as PNG, JPEG or WebP and try again.")


def damaged(found: str) -> PictureError:
    return PictureError(f"{DAMAGED}: {found}. Save or download it again.")


def file_too_large(size: int) -> PictureError:
    return PictureError(
        f"{TOO_LARGE}: the file has {size / 2**20:.0f} MB; upload at most {MAX_BYTES // 2**20} MB. "
        "Crop or shrink the picture first."
    )


def is_oversized(width: int, height: int) -> bool:
    return width > MAX_SIDE or height > MAX_SIDE or width * height > MAX_PIXELS


def check_size(width: int, height: int) -> None:
    """Raises PictureError for a picture of too many pixels or too long a side."""
    if is_oversized(width, height):
        raise PictureError(
            f"{TOO_LARGE}: {width}×{height} px are {width * height / 1e6:.1f} megapixels; upload at most "
            f"{MAX_PIXELS / 1e6:.0f} megapixels and {MAX_SIDE} px a side. Crop or shrink it first."
        )


def check_not_empty(width: int, height: int, format: str) -> None:
    """Raises PictureError for a picture without pixels."""
    if width == 0 or height == 0:
        raise not_a_picture(f"a {format} of {width}×{height} px, which has no pixels")
