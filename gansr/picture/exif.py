"""The two facts that are read from EXIF: how to turn the picture, and whether it holds the place (GPS)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

_ORIENTATION, _GPS, _SHORT = 0x0112, 0x8825, 3


@dataclass(frozen=True)
class Exif:
    orientation: int  # 1…8 are defined; 1 where the tag is missing
    gps: bool


def read_exif(tiff: bytes) -> Exif | None:
    """From the first directory of a TIFF block; None where it is broken. Exif 3.0 §4.6."""
    try:
        order = {b"II*\0": "<", b"MM\0*": ">"}[tiff[:4]]
        (at,) = struct.unpack_from(order + "I", tiff, 4)
        (count,) = struct.unpack_from(order + "H", tiff, at)
        orientation, gps = 1, False
        for entry in range(count):
            tag, kind, _, short = struct.unpack_from(order + "HHIH", tiff, at + 2 + 12 * entry)
            if tag == _ORIENTATION and kind == _SHORT:
                orientation = short
            gps = gps or tag == _GPS
    except (KeyError, struct.error):
        return None
    return Exif(orientation, gps)


def orientation_block(tiff: bytes | None) -> bytes:
    """A TIFF block that says only how to turn the picture; empty where `tiff` says nothing about that."""
    exif = None if tiff is None else read_exif(tiff)
    if exif is None or exif.orientation not in range(2, 9):
        return b""
    return struct.pack("<4sIHHHIHHI", b"II*\0", 8, 1, _ORIENTATION, _SHORT, 1, exif.orientation, 0, 0)
