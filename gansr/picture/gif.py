"""GIF: the first frame of a whole file. Its screen, palettes, control block and pixels go to the decoder."""

from __future__ import annotations

import io
import struct

from gansr.picture import limits
from gansr.picture.decoded import Decoded, Prepared, decode
from gansr.picture.limits import damaged, not_supported
from gansr.picture.rows import rows_of

_PEAK = 18  # bytes a pixel
_MOST_BLOCKS = 1_000_000  # blocks of data: 64 MB have 263,000, unless they are made small
_TRAILER, _EXTENSION, _IMAGE, _CONTROL, _APPLICATION = 0x3B, 0x21, 0x2C, 0xF9, 0xFF
_LOOPS = (b"NETSCAPE2.0", b"ANIMEXTS1.0")


def read(data: bytes) -> Prepared:
    """Raises PictureError for a GIF that is cut short, changed or too large."""
    try:
        first, size, frames = _first_frame(data)
    except (IndexError, struct.error):
        raise damaged("the GIF is cut short") from None
    notices = ["GIF: palette expanded"]
    if frames > 1:
        notices.append(f"first frame of an animation of {frames} frames")
    file = io.BytesIO(first)
    return Prepared(size, _PEAK, file, lambda: _decode(file, size, notices))


def _decode(file: io.BytesIO, size: tuple[int, int], notices: list[str]) -> Decoded:
    image = decode(file, "GIF", size)
    return Decoded(rows_of(image, "RGBA" if "transparency" in image.info else "RGB"), notices)


def _first_frame(data: bytes) -> tuple[bytes, tuple[int, int], int]:
    """(a GIF of the first frame alone, its size, frames). Raises IndexError or struct.error where cut."""
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    at = 13 + _palette_bytes(flags)
    first, control, frames, blocks = data[:at], b"", 0, 0
    if limits.is_oversized(width, height):
        raise not_supported(f"this is a GIF of {width}×{height} px")
    for _ in range(limits.MAX_PIECES):
        start, kind = at, data[at]
        if kind == _TRAILER:
            if not frames:
                raise damaged("the GIF has no pictures in it")
            return first + b";", (width, height), frames
        if kind == _EXTENSION:
            at, blocks = _skip_blocks(data, at + 2, blocks)
            control = data[start:at] if data[start + 1] == _CONTROL and not frames else control
        elif kind == _IMAGE:
            x, y, w, h, local = struct.unpack_from("<HHHHB", data, at + 1)
            at, blocks = _skip_blocks(data, at + 11 + _palette_bytes(local), blocks)
            if not frames:
                width, height = max(width, x + w), max(height, y + h)  # the decoder enlarges the screen
                limits.check_size(width, height)
                first += control + data[start:at]
            frames += 1
        else:
            raise damaged("the GIF has false marks in it")
    raise damaged(f"the GIF has over {limits.MAX_PIECES} blocks")


def without_metadata(data: bytes) -> bytes:
    """The same picture, still or moving, without comments and other texts. Raises PictureError where it is cut."""
    at = 13 + _palette_bytes(data[10])
    pieces, blocks = [data[:at]], 0
    try:
        for _ in range(limits.MAX_PIECES):
            start, kind = at, data[at]
            if kind == _TRAILER:
                return b"".join([*pieces, b";"])
            if kind == _EXTENSION:
                at, blocks = _skip_blocks(data, at + 2, blocks)
                pieces.append(_plain(data[start:at]))
            elif kind == _IMAGE:
                at, blocks = _skip_blocks(data, at + 11 + _palette_bytes(data[at + 9]), blocks)
                pieces.append(data[start:at])
            else:
                break
    except IndexError:
        pass
    raise damaged("the GIF is cut short or has false marks in it")


def _plain(extension: bytes) -> bytes:
    """How the next frame is drawn, and how often an animation is shown; empty for any other extension."""
    if extension[1] == _CONTROL and extension[2] == 4:
        return extension[:7] + b"\0"
    if extension[1] == _APPLICATION and extension[3:14] in _LOOPS and extension[14:16] == b"\3\1":
        return extension[:18] + b"\0"
    return b""


def _palette_bytes(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _skip_blocks(data: bytes, at: int, before: int) -> tuple[int, int]:
    """(where the blocks of data end, how many there were up to here)."""
    while data[at]:
        at += 1 + data[at]
        before += 1
        if before > _MOST_BLOCKS:
            raise damaged(f"the GIF has over {_MOST_BLOCKS} blocks of data")
    return at + 1, before
