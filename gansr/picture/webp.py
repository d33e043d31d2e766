"""WebP: the RIFF container is walked, the canvas measured before libwebp sees it. RFC 9649."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from typing import Any

from gansr.picture import limits
from gansr.picture.decoded import Decoded, Prepared, add_profile_notice, opened
from gansr.picture.limits import damaged
from gansr.picture.rows import Rows, rows_from

_PEAK = 18  # bytes a pixel


def read(data: bytes) -> Prepared:
    """Raises PictureError for a WebP that is cut short, changed or too large."""
    end = 8 + int.from_bytes(data[4:8], "little")
    notices = list[str]()
    if len(data) < 30:
        raise damaged("the WebP is cut short")
    size = _size(data)
    if end > len(data):
        raise damaged("the WebP is cut short")
    chunks = list(_chunks(data, end))
    frames = sum(kind == b"ANMF" for kind, _ in chunks)
    if frames > 1:
        notices.append(f"first frame of an animation of {frames} frames")
    found = dict(chunks)
    exif = found.get(b"EXIF")
    if end + (end & 1) < len(data):
        notices.append(f"{len(data) - end} bytes after the picture's end were left out")
    if exif is not None or b"XMP " in found:
        notices.append("metadata (EXIF, XMP) removed")
    if b"ICCP" in found:
        add_profile_notice(found[b"ICCP"], notices)
    file, tiff = io.BytesIO(data[:end]), exif.removeprefix(b"Exif\0\0") if exif else None
    return Prepared(size, _PEAK, file, lambda: Decoded(_decode(file, size), notices, tiff))


def _decode(file: io.BytesIO, size: tuple[int, int]) -> Rows:
    """The first frame. libwebp's animation decoder keeps two canvases and a copy of the file: it is asked directly
    and dropped before the samples are copied, where Pillow would hold two more copies of the pixels."""
    with opened(file, "WEBP", size) as image:
        file.close()
        decoder: Any = vars(image).pop("_decoder")
        channels = len(image.mode)
        pixels = decoder.get_next()[0]  # of four channels; without alpha the last means nothing
    del decoder
    return rows_from(pixels, size, channels, 4)


def _size(data: bytes) -> tuple[int, int]:
    """(width, height) of the first chunk: the canvas (VP8X), a lossless or a lossy frame; §2."""
    kind, body = data[12:16], data[20:30]
    if kind == b"VP8X":
        width, height = (int.from_bytes(body[i : i + 3], "little") + 1 for i in (4, 7))
    elif kind == b"VP8L" and body[0] == 0x2F:
        bits = int.from_bytes(body[1:5], "little")
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif kind == b"VP8 " and body[3:6] == b"\x9d\x01\x2a":
        width, height = (v & 0x3FFF for v in struct.unpack("<HH", body[6:10]))
    else:
        raise damaged("the WebP's header is changed")
    limits.check_not_empty(width, height, "WebP")
    limits.check_size(width, height)
    return width, height


def _chunks(data: bytes, end: int) -> Iterator[tuple[bytes, bytes]]:
    at = 12
    for _ in range(limits.MAX_PIECES):
        if at + 8 > end:
            return
        kind, length = struct.unpack_from("<4sI", data, at)
        if at + 8 + length > end:
            raise damaged("the WebP is cut short, or one of its chunks has a false length")
        yield kind, data[at + 8 : at + 8 + length]
        at += 8 + length + (length & 1)
    raise damaged(f"the WebP has over {limits.MAX_PIECES} chunks")
