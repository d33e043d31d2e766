"""Untrusted bytes → a checked picture, and pictures → files. Only this package imports Pillow and pillow-heif.

`open_picture` reads PNG, JPEG, WebP, HEIC and AVIF, and the first frame of a GIF. Each format has one module that
walks the container and checks it; a codec then gets only the bytes that the pixels need. So the size is known
before anything is decoded (a 4 kB JPEG of 13,000² would cost 2.9 GB), metadata reaches no parser and no result
(EXIF, GPS, XMP, text and profile bombs), and no setting that Pillow shares between threads is changed. Every other
format is refused by its name. The package imports nothing of gansr but `memory`.

Pictures are RGB float32 (3,H,W) in [0,1]; sizes in messages are width×height in pixels.

Sources: PNG 3rd edition (W3C 2025), ITU-T T.81 (JPEG), RFC 9649 (WebP), GIF89a, ISO/IEC 23008-12 (HEIF),
ISO/IEC 14496-12 (its boxes), ITU-T H.265, the AV1 bitstream specification, Exif 3.0 §4.6.
"""

from gansr.picture.arrays import from_array, to_array
from gansr.picture.core import Picture, open_picture
from gansr.picture.limits import (
    DAMAGED,
    MAX_BYTES,
    MAX_PIXELS,
    MAX_SIDE,
    MAX_TEXT,
    NOT_A_PICTURE,
    NOT_SUPPORTED,
    TOO_LARGE,
    PictureError,
)
from gansr.picture.mask import MAX_MASK_PIXELS, open_mask
from gansr.picture.metadata import clean, replace, without_metadata
from gansr.picture.write import (
    animated_webp,
    jpeg_round_trip,
    read_text,
    to_lossless_webp,
    to_png,
    to_webp,
)

__all__ = [
    "DAMAGED",
    "MAX_BYTES",
    "MAX_MASK_PIXELS",
    "MAX_PIXELS",
    "MAX_SIDE",
    "MAX_TEXT",
    "NOT_A_PICTURE",
    "NOT_SUPPORTED",
    "TOO_LARGE",
    "Picture",
    "PictureError",
    "animated_webp",
    "clean",
    "from_array",
    "jpeg_round_trip",
    "open_mask",
    "open_picture",
    "read_text",
    "replace",
    "to_array",
    "to_lossless_webp",
    "to_png",
    "to_webp",
    "without_metadata",
]
