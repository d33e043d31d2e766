"""HEIC and AVIF files, made on the spot, and changes to their boxes."""

from __future__ import annotations

import functools
import io
import struct

import numpy as np
import pillow_heif
from PIL import Image

ORIENTATION = 274


@functools.cache
def smooth(width: int = 40, height: int = 30) -> Image.Image:
    """A picture that a lossy codec keeps well; its upper left is red, so that turns show."""
    y, x = np.mgrid[0:height, 0:width]
    array = np.stack([200 * x / width, 200 * y / height, 0 * x + 90], -1).astype(np.uint8)
    array[: height // 2, : width // 2] = (255, 0, 0)
    return Image.fromarray(array)


def exif_of(orientation: int, gps: bool = False) -> bytes:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    if gps:
        exif.get_ifd(0x8825)[1] = "N"
    return exif.tobytes()


def heic(image: Image.Image, **how) -> bytes:
    out = io.BytesIO()
    pillow_heif.from_pillow(image).save(out, **{"quality": 95, **how})
    return out.getvalue()


def avif(image: Image.Image, **how) -> bytes:
    out = io.BytesIO()
    image.save(out, "AVIF", **{"quality": 95, **how})
    return out.getvalue()


def ten_bit_heic(width: int = 40, height: int = 30) -> bytes:
    values = np.asarray(smooth(width, height)).astype("<u2") * 257
    out = io.BytesIO()
    pillow_heif.from_bytes("RGB;16", (width, height), values.tobytes()).save(out, quality=95)
    return out.getvalue()


def phone_heic(image: Image.Image, orientation: int = 6) -> bytes:
    """As a phone writes it: tiles, and the turn both in the container (irot) and in the EXIF, with a place."""
    data = heic(image, exif=exif_of(orientation, gps=True), tile_size=64)
    entry = struct.pack("<HHI", ORIENTATION, 3, 1)  # pillow-heif moves the turn out of the EXIF: put it back
    at = data.index(entry if entry in data else struct.pack(">HHI", ORIENTATION, 3, 1))
    order = "<" if data[at] == 0x12 else ">"
    return data[: at + 8] + struct.pack(order + "H", orientation) + data[at + 10 :]


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", 8 + len(body)) + kind + body


def full_box(kind: bytes, body: bytes, version: int = 0) -> bytes:
    return box(kind, bytes([version, 0, 0, 0]) + body)


def made_heic(
    items: dict[int, bytes],
    properties: list[bytes],
    applied: dict[int, list[int]],
    data: dict[int, bytes] | None = None,
    references: list[tuple[int, list[int]]] | None = None,
) -> bytes:
    """A HEIC of boxes that need not make sense; the first item is the picture.

    items: number → kind; properties: whole boxes; applied: item → the numbers, from 1, of its properties; data: item →
    its bytes; references: (grid, its tiles).
    """
    data, references = data or {}, references or []
    kinds = b"".join(
        full_box(b"infe", struct.pack(">HH", n, 0) + kind + b"\0", 2) for n, kind in items.items()
    )
    places, held = b"", b""
    for n, body in data.items():
        places += struct.pack(">HHHHII", n, 1, 0, 1, len(held), len(body))
        held += body
    tables = b"".join(struct.pack(">HB", n, len(p)) + bytes(p) for n, p in applied.items())
    tiles = b"".join(
        box(b"dimg", struct.pack(f">HH{len(to)}H", grid, len(to), *to)) for grid, to in references
    )
    meta = (
        full_box(b"pitm", struct.pack(">H", next(iter(items))))
        + full_box(b"iinf", struct.pack(">H", len(items)) + kinds)
        + full_box(b"iloc", b"\x44\0" + struct.pack(">H", len(data)) + places, 1)
        + box(
            b"iprp",
            box(b"ipco", b"".join(properties)) + full_box(b"ipma", struct.pack(">I", len(applied)) + tables),
        )
        + (full_box(b"iref", tiles) if tiles else b"")
        + box(b"idat", held)
    )
    return box(b"ftyp", b"heic\0\0\0\0mif1heic") + full_box(b"meta", meta)


def ispe(width: int, height: int) -> bytes:
    return full_box(b"ispe", struct.pack(">II", width, height))


def with_size(data: bytes, width: int, height: int) -> bytes:
    """The same file, all of whose ispe boxes claim another size."""
    changed = bytearray(data)
    at = data.find(b"ispe")
    while at >= 0:
        changed[at + 8 : at + 16] = struct.pack(">II", width, height)
        at = data.find(b"ispe", at + 1)
    return bytes(changed)


def with_brand(data: bytes, brand: bytes) -> bytes:
    return data[:8] + brand + data[12:]


def without_pixels(data: bytes) -> bytes:
    """The same file, whose media data are zeros."""
    at = data.index(b"mdat") + 4
    return data[:at] + b"\0" * (len(data) - at)
