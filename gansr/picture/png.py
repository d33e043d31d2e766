"""PNG: chunks are walked and checked, and Pillow decodes a copy that holds only what the pixels need.

Chunk names, colour types and section numbers: PNG 3rd edition (W3C 2025).
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gansr.picture import limits
from gansr.picture.arrays import Samples
from gansr.picture.decoded import (
    Decoded,
    Prepared,
    add_notice,
    add_profile_notice,
    add_trailing_notice,
    decode,
)
from gansr.picture.exif import orientation_block
from gansr.picture.limits import PictureError, damaged, not_a_picture
from gansr.picture.rows import Rows, rows_of

SIGNATURE = b"\x89PNG\r\n\x1a\n"

_GREY, _COLOUR, _INDEXED = 0, 2, 3
_CHANNELS: Mapping[tuple[int, int], int] = {  # (bit depth, colour type) → samples a pixel; §11.2.1
    **{(depth, _GREY): 1 for depth in (1, 2, 4, 8, 16)},
    **{(depth, _INDEXED): 1 for depth in (1, 2, 4, 8)},
    **{(depth, colour): count for depth in (8, 16) for colour, count in ((_COLOUR, 3), (4, 2), (6, 4))},
}
_ADAM7 = (  # first column, first row, step across, step down of the seven interlaced passes; §8.1
    *((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4)),
    *((0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)),
)
_PIXEL_CHUNKS = (b"PLTE", b"tRNS")  # besides IDAT
_METADATA = (b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"tIME")
_SILENT = (  # chunks that are left out, or used, without a notice of their own
    *(b"IHDR", b"IEND", b"gAMA", b"cHRM", b"sRGB", b"cICP", b"mDCV", b"cLLI", b"sBIT", b"bKGD", b"hIST"),
    *(b"pHYs", b"sPLT", b"iCCP", b"acTL", b"fcTL", b"fdAT", *_PIXEL_CHUNKS, *_METADATA),
)
_PEAK = 18  # bytes a pixel: the planes of RGBA, and a band
_READ = (*_PIXEL_CHUNKS, b"eXIf", b"iCCP")  # what is in these is kept; of the others only that they are there
RECEIPT = b"gansr"  # the key of the text in which a result carries its settings
_TEXTS = (b"tEXt", b"iTXt")
_SEEN = (  # what changes how the picture looks
    *(b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"acTL", b"fcTL", b"fdAT", b"pHYs", b"bKGD", b"sBIT"),
    *(b"iCCP", b"sRGB", b"gAMA", b"cHRM", b"cICP", b"mDCV", b"cLLI"),
)
_SEVERAL = (b"IDAT", b"fcTL", b"fdAT", *_TEXTS)  # kinds that may come more than once
_BLOCK = 64 * 1024  # bytes that zlib takes and gives at a time where they are only counted


@dataclass(frozen=True)
class Header:
    width: int
    height: int
    depth: int
    colour: int
    interlaced: bool


@dataclass(frozen=True)
class Chunk:
    kind: bytes
    body: memoryview
    whole: bool  # all of it is in the file
    sound: bool  # and its checksum is right
    end: int


@dataclass
class _Contents:
    """What was found between the signature and the end."""

    pixel_data: list[memoryview] = field(default_factory=list[memoryview])
    found: dict[bytes, bytes] = field(
        default_factory=dict[bytes, bytes]
    )  # the first chunk of each other kind
    frames: int = 0
    still_is_first_frame: bool = False
    end: int = 0


def chunks(data: bytes) -> Iterator[Chunk]:
    """Chunks up to IEND or the first that is not whole. Raises PictureError for more than MAX_PIECES."""
    view, at = memoryview(data), len(SIGNATURE)
    for _ in range(limits.MAX_PIECES):
        if at + 8 > len(data):
            return
        length, kind = struct.unpack_from(">I4s", data, at)
        body, end = view[at + 8 : at + 8 + length], at + 12 + length
        if end > len(data) or not kind.isalpha():
            yield Chunk(kind, body, False, False, len(data))
            return
        crc = zlib.crc32(body, zlib.crc32(kind))
        yield Chunk(kind, body, True, crc == struct.unpack_from(">I", data, end - 4)[0], end)
        if kind == b"IEND":
            return
        at = end
    raise damaged(f"the PNG has over {limits.MAX_PIECES} chunks")


def chunk(kind: bytes, body: bytes) -> bytes:
    """The bytes of one chunk, with its length and checksum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(body, zlib.crc32(kind)))


def read(data: bytes) -> Prepared:
    """Raises PictureError for a PNG that is cut short, changed, too large or not one."""
    header = _read_header(data)
    contents, notices = _Contents(end=len(data)), list[str]()
    _walk(data, header, contents, notices)
    if not contents.pixel_data:
        raise not_a_picture("it begins like a PNG, but has no pixel data")
    after, exif = list[str](), contents.found.get(b"eXIf")
    _describe(data, contents, after)
    file, packed = _rewritten(header, contents, colours := list[str]())
    key = _key(header, contents.found.get(b"tRNS"))

    def decode_it() -> Decoded:
        with file.getbuffer() as view:
            _check_pixel_data(view[packed], _pixel_bytes(header), notices)
        rows = _decode(file, header, key, colours)
        return Decoded(rows, notices + colours + after, exif)

    return Prepared((header.width, header.height), _PEAK, file, decode_it)


def without_metadata(data: bytes) -> bytes:
    """The same picture with no chunks but those of the pixels and the colours, how it is to be turned, and the
    receipt of a result. What `read` leaves out goes as well."""
    made, seen, closed = [SIGNATURE], set[bytes](), False
    for piece in chunks(data):
        kind, body = piece.kind, bytes(piece.body)
        closed = closed or (b"IDAT" in seen and kind != b"IDAT")
        again = kind in seen and kind not in _SEVERAL
        if not piece.sound or again or (closed and kind in (b"IDAT", *_PIXEL_CHUNKS)):
            continue
        seen.add(kind)
        if kind == b"eXIf":
            body = orientation_block(body)
        elif kind in _TEXTS:
            body = body if body.startswith(RECEIPT + b"\0") else b""
        elif kind not in _SEEN:
            body = b""
        if body:
            made.append(chunk(kind, body))
    return b"".join([*made, chunk(b"IEND", b"")])


def _read_header(data: bytes) -> Header:
    first = next(chunks(data), None)
    if first is None or first.kind != b"IHDR" or not first.sound or len(first.body) != 13:
        raise not_a_picture("it begins like a PNG, but its header is missing or broken")
    width, height, depth, colour, compression, filtering, interlace = struct.unpack(">IIBBBBB", first.body)
    limits.check_not_empty(width, height, "PNG")
    if (depth, colour) not in _CHANNELS or compression or filtering or interlace > 1:
        raise not_a_picture(f"a PNG of {depth} bits and colour type {colour}, which PNG does not have")
    limits.check_size(width, height)
    return Header(width, height, depth, colour, interlace == 1)


def _walk(data: bytes, header: Header, contents: _Contents, notices: list[str]) -> None:
    """Fill `contents`: the first run of IDAT chunks is the picture; later ones and broken extras are left out."""
    closed, unpacked = False, 0  # closed: the run of IDAT chunks has ended
    for piece in chunks(data):
        contents.end = piece.end
        if piece.kind == b"IDAT" and not closed:
            if not piece.sound:
                raise damaged("the PNG's pixel data is cut short or changed")
            contents.pixel_data.append(piece.body)
            continue
        closed = bool(contents.pixel_data)
        if not piece.whole and not closed:
            raise damaged("the PNG is cut short, or one of its chunks has a false length")
        if not piece.sound:
            if piece.kind in _PIXEL_CHUNKS and not closed:
                raise damaged(f"the PNG's {piece.kind.decode()} chunk is changed")
            continue
        unpacked += _unpacked_bytes(piece, header, unpacked)
        if piece.kind == b"acTL" and len(piece.body) >= 4:
            contents.frames = int.from_bytes(piece.body[:4], "big")
        if piece.kind == b"fcTL" and not closed:
            contents.still_is_first_frame = True
        if piece.kind not in _SILENT:
            add_notice(notices, f"an unknown chunk {piece.kind.decode()} was left out")
        if piece.kind != b"IHDR" and not (closed and piece.kind in _PIXEL_CHUNKS):
            keep = piece.kind in _READ and len(piece.body) <= limits.MAX_TEXT
            kept = bytes(piece.body) if keep else b""
            contents.found.setdefault(piece.kind, kept)


def _describe(data: bytes, contents: _Contents, notices: list[str]) -> None:
    if b"IEND" not in contents.found:
        notices.append("the file's end is missing; all its pixels are there")
    if contents.frames > 1:
        which = "first frame" if contents.still_is_first_frame else "the still picture"
        notices.append(f"{which} of an animation of {contents.frames} frames")
    add_trailing_notice(contents.end, data, notices)
    if set(contents.found) & set(_METADATA):
        notices.append("metadata (text, EXIF) removed")
    if b"iCCP" in contents.found:
        add_profile_notice(contents.found[b"iCCP"].partition(b"\0")[0], notices)


# ------------------------------------------------------------------------------------ compressed texts


def _unpacked_bytes(piece: Chunk, header: Header, before: int) -> int:
    """The unpacked size of a chunk's compressed text or profile. Raises PictureError over the limits.

    It is unpacked block by block and only counted, so that data which ends in a wrong checksum counts as well.
    """
    packed = _packed_part(piece)
    if packed is None:
        return 0
    unzip, size, most = zlib.decompressobj(), 0, min(limits.MAX_TEXT, limits.MAX_UNPACKED - before)
    try:
        for count in _unpacked_blocks(unzip, _blocks(packed)):
            size += count
            if size > most:
                break
    except zlib.error:  # not packed, or a wrong checksum after at most a block: the chunk is left out anyway
        size += _BLOCK
    if size > most:
        raise PictureError(
            f"{limits.TOO_LARGE}: {header.width}×{header.height} px, but the {piece.kind.decode()} hidden in the "
            f"PNG unpacks to over {limits.MAX_TEXT // 2**20} MB. Save it without metadata and try again."
        )
    return size


def _blocks(packed: bytes | memoryview) -> Iterator[bytes | memoryview]:
    """At most _BLOCK bytes at a time. What zlib has not read when its output is full it copies, every time: given a
    large chunk at once it would take time with the square of its size."""
    for at in range(0, len(packed), _BLOCK):
        yield packed[at : at + _BLOCK]


def _unpacked_blocks(unzip: Any, packed: Iterator[bytes | memoryview]) -> Iterator[int]:
    """How many bytes come out, at most _BLOCK at a time, until the packed data end. Raises zlib.error."""
    for rest in packed:
        while rest and not unzip.eof:
            yield len(unzip.decompress(rest, _BLOCK))
            rest = unzip.unconsumed_tail
        if unzip.eof:
            return


def _packed_part(piece: Chunk) -> bytes | None:
    if piece.kind in (b"zTXt", b"iCCP"):  # name, NUL, method, packed
        return bytes(piece.body).partition(b"\0")[2][1:]
    if piece.kind == b"iTXt":  # name, NUL, flag, method, language, NUL, translated name, NUL, text
        rest = bytes(piece.body).partition(b"\0")[2]
        return rest[2:].partition(b"\0")[2].partition(b"\0")[2] if rest[:1] == b"\1" else None
    return None


# ---------------------------------------------------------------------------------------------- pixels


def _pixel_bytes(header: Header) -> int:
    """Bytes of the filtered pixel data, a filter byte a row; seven passes where interlaced. §7.2, §8."""
    bits = header.depth * _CHANNELS[header.depth, header.colour]
    total = 0
    for x, y, across, down in _ADAM7 if header.interlaced else ((0, 0, 1, 1),):
        width, height = -((x - header.width) // across), -((y - header.height) // down)
        total += height * (1 + (width * bits + 7) // 8) if width > 0 and height > 0 else 0
    return total


def _check_pixel_data(packed: memoryview, need: int, notices: list[str]) -> None:
    """Unpack the pixel data once, only to count it: Pillow draws black rows where it ends too early."""
    unzip, size, blocks = zlib.decompressobj(), 0, _blocks(packed)
    try:
        for count in _unpacked_blocks(unzip, blocks):
            size += count
            if size > need:
                break
        if size < need:
            size += len(unzip.flush())  # what zlib holds back of input that it has read
    except zlib.error:
        raise damaged("the PNG's pixel data does not unpack") from None
    if size < need:
        raise damaged("the PNG's pixel data ends too early")
    if size > need or unzip.unused_data or next(blocks, None) is not None:
        notices.append("more pixel data than the picture's size needs was left out")


def _rewritten(header: Header, contents: _Contents, notices: list[str]) -> tuple[io.BytesIO, slice]:
    """(a PNG of what the pixels need, their data in one chunk; where these data are)."""
    between = _palette_chunks(header, contents.found, notices) if header.colour == _INDEXED else []
    head = b"".join([SIGNATURE, chunk(b"IHDR", _packed_header(header)), *between])
    parts, length, checksum = contents.pixel_data, 0, zlib.crc32(b"IDAT")
    for part in parts:
        length, checksum = length + len(part), zlib.crc32(part, checksum)
    opening, closing = struct.pack(">I4s", length, b"IDAT"), struct.pack(">I", checksum)
    file = io.BytesIO(b"".join([head, opening, *parts, closing, chunk(b"IEND", b"")]))
    parts.clear()
    return file, slice(len(head) + 8, len(head) + 8 + length)


def _decode(file: io.BytesIO, header: Header, key: Samples | None, notices: list[str]) -> Rows:
    """Decoded by Pillow: uint8, or uint16 where one grey channel has 16 bits."""
    image = decode(file, "PNG", (header.width, header.height))
    mode = image.mode
    if header.colour == _INDEXED:
        mode = "RGBA" if "transparency" in image.info else "RGB"
    if mode == "1":
        notices.append("1-bit black and white, expanded")
        mode = "L"
    if header.depth == 16:
        notices.append(
            "16-bit rescaled, all 16 bits kept" if header.colour == _GREY else "16-bit colour, read at 8 bits"
        )
    return rows_of(image, mode, key)


def _packed_header(header: Header) -> bytes:
    return struct.pack(
        ">IIBBBBB", header.width, header.height, header.depth, header.colour, 0, 0, header.interlaced
    )


def _palette_chunks(header: Header, found: Mapping[bytes, bytes], notices: list[str]) -> list[bytes]:
    """PLTE, and tRNS if there is one, filled up to every index that the bit depth allows.

    A missing palette becomes a grey ramp; colours beyond a short one are black, alphas beyond are opaque.
    """
    count, palette, alphas = 2**header.depth, found.get(b"PLTE"), found.get(b"tRNS")
    if palette is None or len(palette) < 3:
        notices.append("its palette is missing: the indices are read as grey")
        palette = bytes(round(255 * i / (count - 1)) for i in range(count) for _ in range(3))
    else:
        notices.append("palette expanded")
    made = [chunk(b"PLTE", palette[: min(len(palette) // 3, count) * 3].ljust(3 * count, b"\0"))]
    if alphas is not None:
        made.append(chunk(b"tRNS", alphas[:count].ljust(count, b"\xff")))
    return made


def _key(header: Header, key: bytes | None) -> Samples | None:
    """The one transparent grey or colour that tRNS names, as Pillow reads it; §11.3.1.1."""
    count = {_GREY: 1, _COLOUR: 3}.get(header.colour)
    if key is None or count is None or len(key) != 2 * count:
        return None
    wanted = np.frombuffer(key, ">u2").astype(np.int64)
    if header.depth < 8:
        return wanted * (255 // (2**header.depth - 1))
    return wanted >> 8 if header.depth == 16 and header.colour == _COLOUR else wanted
