"""JPEG: segments are walked and checked; the decoder gets tables, frame and scans only. ITU-T T.81."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from gansr.picture import limits
from gansr.picture.decoded import Decoded, Prepared, add_profile_notice, add_trailing_notice, decode
from gansr.picture.exif import orientation_block
from gansr.picture.limits import damaged, not_a_picture, not_supported
from gansr.picture.rows import rows_of

_FRAMES_READ = (0xC0, 0xC1, 0xC2, 0xC9, 0xCA)  # baseline, extended, progressive; Huffman or arithmetic
_FRAMES = (0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF, 0xF7)
_PROGRESSIVE = (0xC2, 0xCA)
_SOI, _EOI, _SOS, _DQT, _DHT, _DAC, _DNL, _DRI = 0xD8, 0xD9, 0xDA, 0xDB, 0xC4, 0xCC, 0xDC, 0xDD
_APP0, _APP1, _APP2, _ADOBE = 0xE0, 0xE1, 0xE2, 0xEE
_KEPT = (*_FRAMES, _SOS, _DQT, _DHT, _DAC, _DNL, _DRI, _APP0, _ADOBE)  # what the pixels need
_NO_MARKERS = (0x00, 0x01, *range(0xD0, 0xD8))  # after 0xFF: a stuffed byte, TEM, a restart within a scan
_PEAK = 14  # bytes a pixel
_MARKS = ~np.isin(np.arange(256), (*_NO_MARKERS, 0xFF))  # whether a byte after 0xFF makes a marker
_FILL = b"\xff" * 4096
_MOST_BLOCK = 2**20  # bytes searched at a time


class _Marker(NamedTuple):
    start: int  # of the first 0xFF before it
    code: int
    after: int


@dataclass
class _Contents:
    kept: list[bytes] = field(default_factory=lambda: [b"\xff\xd8"])
    size: tuple[int, int] | None = None
    progressive: bool = False
    scans: int = 0
    exif: bytes | None = None
    metadata: bool = False
    profile: bytes = b""
    profile_segments: list[bytes] = field(default_factory=list[bytes])
    end: int = 0


def read(data: bytes) -> Prepared:
    """Raises PictureError for a JPEG that is cut short, changed, too large or of a rare kind."""
    contents = _walk(data)
    if contents.size is None or contents.scans == 0:
        raise damaged("the JPEG has no pixel data")
    if contents.scans > limits.MAX_SCANS:
        raise damaged(f"the JPEG has {contents.scans} scans, which no program writes")
    size, file = contents.size, io.BytesIO(b"".join([*contents.kept, b"\xff\xd9"]))
    contents.kept.clear()
    notices = list[str]()
    if contents.progressive:
        notices.append("progressive JPEG, read to its last scan")
    add_trailing_notice(contents.end, data, notices)
    if contents.metadata:
        notices.append("metadata (EXIF, comments) removed")
    if contents.profile:
        add_profile_notice(contents.profile, notices)
    return Prepared(size, _PEAK, file, lambda: _decode(file, size, notices, contents.exif))


def _decode(file: io.BytesIO, size: tuple[int, int], notices: list[str], exif: bytes | None) -> Decoded:
    image = decode(file, "JPEG", size)
    if image.mode == "CMYK":
        notices.insert(0, "CMYK converted to RGB")
    return Decoded(rows_of(image, "L" if image.mode == "L" else "RGB"), notices, exif)


def without_metadata(data: bytes) -> bytes:
    """The same picture with no segments but those of the pixels and the colours, and how it is to be turned."""
    contents = _walk(data)
    block, begin = orientation_block(contents.exif), b""
    kept = contents.kept[1:]
    for segment in [segment for segment in kept if segment[1] == _APP0]:
        if segment[4:9] == b"JFIF\0" and len(segment) >= 18 and not begin:
            begin = b"\xff\xe0\0\x10" + segment[4:16] + b"\0\0"  # without its thumbnail
        kept.remove(segment)
    if block:
        begin += b"\xff\xe1" + struct.pack(">H", 8 + len(block)) + b"Exif\0\0" + block
    return b"".join([b"\xff\xd8", begin, *contents.profile_segments, *map(_plain_adobe, kept), b"\xff\xd9"])


def _plain_adobe(segment: bytes) -> bytes:
    """An Adobe segment has 12 bytes, which say how the colours are coded; any other of its kind says nothing."""
    if segment[1] != _ADOBE:
        return segment
    known = segment[4:9] == b"Adobe" and len(segment) >= 16
    return b"\xff\xee\0\x0e" + segment[4:16] if known else b""


def _next_marker(data: bytes, at: int) -> _Marker | None:
    """The first marker from `at` on; None where there is none. Looks at no byte more than a few times.

    Any number of 0xFF may stand before a marker (§B.1.1.2); within a scan, 0xFF 0x00 is a byte of the data.
    """
    if at + 1 < len(data) and data[at] == 0xFF and _MARKS[data[at + 1]]:  # as between segments
        return _Marker(at, data[at + 1], at + 2)
    begin, block = at, 64
    while at + 1 < len(data):
        codes = np.frombuffer(data, np.uint8, min(block, len(data) - at), at)
        found = np.flatnonzero((codes[:-1] == 0xFF) & _MARKS[codes[1:]])
        if len(found):
            after = at + int(found[0]) + 2
            return _Marker(_run_start(data, begin, after - 1), data[after - 1], after)
        at += len(codes) - 1  # its last byte may begin a marker
        block = min(8 * block, _MOST_BLOCK)
    return None


def _run_start(data: bytes, begin: int, end: int) -> int:
    """Where the run of 0xFF that ends at `end` begins, at `begin` at the earliest."""
    while data.endswith(_FILL, begin, end):
        end -= len(_FILL)
    while end > begin and data[end - 1] == 0xFF:
        end -= 1
    return end


def _walk(data: bytes) -> _Contents:
    """Every segment up to the end of the picture (EOI)."""
    contents, at, segments = _Contents(), 2, 0
    while True:
        marker = _next_marker(data, at)
        if marker is None:
            if segments == 0:
                raise not_a_picture("it begins like a JPEG, but nothing follows")
            raise damaged("the JPEG is cut short")
        if marker.code == _EOI:
            contents.end = marker.after
            break
        end = marker.after + int.from_bytes(data[marker.after : marker.after + 2], "big")
        segments += 1
        if (
            marker.code < 0xC0
            or marker.code == _SOI
            or not marker.after + 2 <= end <= len(data)
            or segments > limits.MAX_PIECES
        ):
            if contents.size is None and segments == 1:
                raise not_a_picture("it begins like a JPEG, but nothing of one follows")
            raise damaged("the JPEG is cut short or has false marks in it")
        at = _take(data, marker, end, contents)
    if segments == 0:
        raise not_a_picture("a JPEG with nothing in it")
    return contents


def _take(data: bytes, marker: _Marker, end: int, contents: _Contents) -> int:
    """Note what one segment says, keep it if the pixels need it, and return where the next may begin."""
    body = data[marker.after + 2 : end]
    if marker.code in _FRAMES:
        if contents.size is not None:
            raise damaged("the JPEG has two headers")
        contents.size = _frame_size(marker.code, body)
        contents.progressive = marker.code in _PROGRESSIVE
    if marker.code == _SOS:  # its compressed data follow, up to the next marker
        contents.scans += 1
        following = _next_marker(data, end)
        end = following.start if following else len(data)
    if marker.code in _KEPT:
        contents.kept.append(b"\xff" + data[marker.after - 1 : end])
    elif marker.code == _APP1 and body.startswith(b"Exif\0\0"):
        contents.exif, contents.metadata = contents.exif or body[6:], True
    elif marker.code == _APP2 and body.startswith(b"ICC_PROFILE\0"):
        contents.profile = contents.profile or body[14:]
        contents.profile_segments.append(b"\xff" + data[marker.after - 1 : end])
    elif not (
        marker.code == _APP2 and body.startswith(b"MPF\0")
    ):  # MPF: only where a phone's other pictures lie
        contents.metadata = True
    return end


def _frame_size(marker: int, frame: bytes) -> tuple[int, int]:
    """(width, height) of a frame header, §B.2.2. Raises PictureError for what is not read here."""
    if len(frame) < 6:
        raise damaged("the JPEG's header is too short")
    depth, height, width, channels = struct.unpack(">BHHB", frame[:6])
    limits.check_not_empty(width, height, "JPEG")
    limits.check_size(width, height)
    if marker not in _FRAMES_READ or depth != 8 or channels not in (1, 3, 4):
        raise not_supported(
            f"this is a JPEG of a rare kind (frame {marker:02X}, {depth} bits, {channels} channels)"
        )
    return width, height
