"""WebP: the RIFF container is walked, the canvas measured before libwebp sees it. RFC 9649."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from typing import Any

from gansr.picture import limits
from gansr.picture.decoded import Decoded, Prepared, add_profile_notice, opened
from gansr.picture.exif import orientation_block
from gansr.picture.limits import PictureError, damaged
from gansr.picture.rows import Rows, rows_from

_PEAK = 18  # bytes a pixel
_FRAME = (b"VP8 ", b"VP8L", b"ALPH")
_KEPT = (*_FRAME, b"VP8X", b"ANIM", b"ANMF", b"ICCP")  # what is seen
_HAS_EXIF, _HAS_METADATA = 0x08, 0x0C  # flags of VP8X: EXIF; EXIF or XMP


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


def without_metadata(data: bytes) -> bytes:
    """The same picture with no chunks but those of the pixels and the colours, and how it is to be turned."""
    chunks = list(_chunks(data, 8 + int.from_bytes(data[4:8], "little")))
    exif = dict(chunks).get(b"EXIF")
    block = orientation_block(None if exif is None else exif.removeprefix(b"Exif\0\0"))
    kept = [(kind, body) for kind, body in chunks if kind in _KEPT]
    if block:
        kept.append((b"EXIF", block))
    body = b"WEBP" + b"".join(_chunk(kind, _plain(kind, body, bool(block))) for kind, body in kept)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _plain(kind: bytes, body: bytes, turned: bool) -> bytes:
    if kind == b"VP8X":  # its flags say what follows
        return bytes([body[0] & ~_HAS_METADATA | (_HAS_EXIF if turned else 0)]) + body[1:]
    if kind == b"ANMF":
        try:
            inner = list(_chunks(body, len(body), 16))
        except PictureError:  # a later frame that is never decoded here
            return body
        return body[:16] + b"".join(_chunk(*piece) for piece in inner if piece[0] in _FRAME)
    return body


def _chunk(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("<I", len(body)) + body + b"\0" * (len(body) & 1)


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


def _chunks(data: bytes, end: int, at: int = 12) -> Iterator[tuple[bytes, bytes]]:
    for _ in range(limits.MAX_PIECES):
        if at + 8 > end:
            return
        kind, length = struct.unpack_from("<4sI", data, at)
        if at + 8 + length > end:
            raise damaged("the WebP is cut short, or one of its chunks has a false length")
        yield kind, data[at + 8 : at + 8 + length]
        at += 8 + length + (length & 1)
    raise damaged(f"the WebP has over {limits.MAX_PIECES} chunks")
