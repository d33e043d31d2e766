"""The two facts that are read from EXIF: how to turn the picture, and whether it holds the place (GPS)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

from gansr.picture.arrays import Samples

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


def turn_upright(samples: Samples, orientation: int) -> Samples:
    """Undo an EXIF orientation (Exif 3.0 §4.6.5, tag 274); samples (H,W,C). Others than 2…8 change nothing."""
    if orientation in (5, 6, 7, 8):
        samples = np.swapaxes(samples, 0, 1)
    if orientation in (2, 3, 6, 7):
        samples = samples[:, ::-1]
    if orientation in (3, 4, 7, 8):
        samples = samples[::-1]
    return samples
