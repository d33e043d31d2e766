"""Changed pictures of every format: each must give a picture or a PictureError, quickly and in bounded memory.

python -m tests.attack.fuzz_pictures --count 1000000 --seed 0
"""

from __future__ import annotations

import functools
import random
import struct
import sys
import zlib

import numpy as np
import torch
from PIL import Image

from gansr.picture import Picture, PictureError, open_picture
from tests.attack import fuzzing
from tests.attack.mutations import CHANGES, any_bytes
from tests.support.bad_inputs import adam7, chunk, exif, frames, photo, png, saved, with_segment
from tests.support.heif_files import avif, exif_of, heic, phone_heic, smooth, ten_bit_heic

SHARES = {"PNG": 35, "JPEG": 28, "WebP": 14, "GIF": 10, "HEIC": 8, "AVIF": 5}  # of 100 inputs
UNNAMED = (MemoryError, RecursionError, Warning)  # a refusal for one of these hides a fault


@functools.cache
def seeds() -> dict[str, list[bytes]]:
    """format → small files of it, in every mode that is read."""
    small, rgba = photo(24, 18), photo(24, 18).convert("RGBA").rotate(9)
    grey, indexed = small.convert("L"), small.quantize(7)
    wide = [bytes(range(72))] * 6
    return {
        "PNG": [
            *(saved(image, "PNG") for image in (small, rgba, grey, indexed, rgba.convert("LA"), small.convert("1"))),
            saved(indexed, "PNG", transparency=b"\1\2\3"),
            *(png(wide, 72 * 8 // (depth * count), depth, colour) for depth, colour, count in _DEPTHS),
            png(wide, 24, 8, 2, chunk(b"tRNS", b"\0\0\0\1\0\2"), chunk(b"eXIf", exif(6, gps=True))),
            frames("PNG", 2),
            _interlaced(),
        ],
        "JPEG": [
            saved(small, "JPEG"),
            saved(small, "JPEG", progressive=True),
            saved(small, "JPEG", subsampling=0, quality=95, restart_marker_blocks=1),
            saved(grey, "JPEG"),
            saved(small.convert("CMYK"), "JPEG"),
            with_segment(saved(small, "JPEG"), 0xE1, b"Exif\0\0" + exif(6, gps=True)),
            with_segment(saved(small, "JPEG"), 0xE2, b"ICC_PROFILE\0\1\1" + b"\7" * 40),
        ],
        "WebP": [
            saved(small, "WEBP"),
            saved(small, "WEBP", lossless=True),
            saved(rgba, "WEBP"),
            saved(small, "WEBP", exif=exif_of(6, gps=True), icc_profile=b"\7" * 40),
            saved(small, "WEBP", save_all=True, append_images=[small.rotate(90)]),
        ],
        "GIF": [
            saved(indexed, "GIF"),
            saved(indexed, "GIF", transparency=0, interlace=1),
            frames("GIF", 2),
            saved(Image.new("P", (3, 3)), "GIF", comment=b"a comment"),
        ],
        "HEIC": [heic(small), heic(rgba), heic(grey), phone_heic(smooth(100, 80)), ten_bit_heic()],
        "AVIF": [avif(small), avif(rgba), avif(grey), avif(small, exif=exif_of(6, gps=True))],
    }  # fmt: skip


_DEPTHS = (
    (16, 0, 1),
    (16, 2, 3),
    (16, 4, 2),
    (16, 6, 4),
    (4, 0, 1),
    (2, 3, 1),
)  # (bits, colour type, samples)


def _interlaced() -> bytes:
    return adam7(np.arange(17 * 13 * 3, dtype=np.int64).astype(np.uint8).reshape(17, 13, 3), 8, 2)


def make(chance: random.Random) -> bytes:
    """A changed picture."""
    kind = chance.choices(list(SHARES), list(SHARES.values()))[0]
    files = seeds()[kind]
    data = chance.choice(files)
    for _ in range(chance.choice((1, 1, 1, 2))):
        way = chance.random()
        try:
            if way < 0.55:
                data = CHANGES[kind](data, chance)
            elif way < 0.95:
                data = any_bytes(data, chance)
            else:  # the beginning of one file and the end of another
                other = chance.choice(files)
                data = data[: chance.randrange(len(data) + 1)] + other[chance.randrange(len(other)) :]
        except (IndexError, ValueError, struct.error, zlib.error):  # its parts cannot be found any more
            data = any_bytes(data, chance)
    return data


def feed(data: bytes) -> str:
    try:
        opened = open_picture(data)
    except PictureError as error:
        assert not isinstance(error.__cause__, UNNAMED), repr(error.__cause__)
        text = str(error)
        assert len(text) < 500, "a message without bounds"
        return "refused: " + text.partition(":")[0][:40]
    assert isinstance(opened, Picture)
    assert opened.rgb.dtype == torch.float32 and opened.rgb.ndim == 3 and opened.rgb.shape[0] == 3
    assert opened.alpha is None or opened.alpha.shape == (1, *opened.rgb.shape[1:])
    assert opened.rgb.min() >= 0 and opened.rgb.max() <= 1  # false for NaN
    return "a picture"


ATTACK = fuzzing.Attack("fuzz_pictures", make, feed, bytes, lambda: torch.set_num_threads(1))


def main(arguments: list[str] | None = None) -> int:
    seeds()  # once, and not in every child
    return fuzzing.main(ATTACK, 1_000_000, arguments)


if __name__ == "__main__":
    sys.exit(main())
