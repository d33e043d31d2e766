"""Untrusted bytes → a checked picture, and pictures → PNG. The one place that opens image files.

Sources: PNG 3rd edition (W3C 2025), ITU-T T.81 (JPEG), RFC 9649 (WebP), GIF89a, Exif 3.0 §4.6.

How we differ from plain `Image.open`, and why: the containers are walked here, and a codec gets only what the
pixels need. So sizes are known before anything is decoded (a 4 kB JPEG of 13,000² would cost 2.9 GB), metadata
cannot reach a parser or a result (EXIF, GPS, XMP, text and profile bombs), no switch of Pillow shared by all
threads is touched, and 16-bit pictures keep all 16 bits. Whole animated GIFs yield their first frame; every
other format is refused by its name. This module imports none of ours.

Pictures are RGB float32 (3,H,W) in [0,1]; sizes in words are width×height in pixels.
"""

from __future__ import annotations

import io
import re
import stat
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import torch
from PIL import Image
from torch import Tensor

MAX_PIXELS = 16_000_000
MAX_SIDE = 8192
MAX_BYTES = 64 * 1024 * 1024
MAX_TEXT = 1024 * 1024  # bytes of one text or profile when unpacked, and of all text that is read back
MAX_UNPACKED = 16 * 1024 * 1024  # bytes of all texts and profiles of one file together
MAX_PIECES = 65_536  # chunks, segments or blocks of one file: no real picture comes near
MAX_SCANS = 100  # of one progressive JPEG: each costs a pass over all pixels, however few bytes it has

NOT_A_PICTURE = "not a PNG, JPEG or WebP picture"
NOT_SUPPORTED = "format not supported"
DAMAGED = "the file is damaged"
TOO_LARGE = "too large"

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


class PictureError(ValueError):
    """A picture cannot be taken. The text says what was found and what to do."""


@dataclass(frozen=True, eq=False)
class Picture:
    """A checked picture. `notices` tell, one short sentence each, what was normalised or left out."""

    rgb: Tensor  # (3,H,W) float32 in [0,1]; under transparency the picture's own colours
    alpha: Tensor | None  # (1,H,W) float32 in [0,1], or None where the picture is fully opaque
    grey: bool  # the three channels are equal everywhere
    notices: tuple[str, ...]


@dataclass
class _Decoded:
    """What a reader found: samples (H,W,C) uint8 or uint16; C: 1 grey, 2 with alpha, 3 RGB, 4 with alpha."""

    samples: np.ndarray
    notices: list[str] = field(default_factory=list)
    exif: bytes | None = None


def open_picture(source: str | Path | bytes) -> Picture:
    """The checked picture of a file's bytes, or of a path that the caller has checked.

    Takes PNG, JPEG and WebP (and a GIF's first frame) of at most 16 megapixels, no side over 8192, at most
    64 MB. Raises PictureError, whose text begins with one of NOT_A_PICTURE, NOT_SUPPORTED, DAMAGED, TOO_LARGE
    where a file was read; URLs, `data:` URLs, folders, missing files and anything else get their own words.
    """
    data = _read(source)
    if data.startswith(PNG_SIGNATURE):
        decoded = _read_png(data)
    elif data.startswith(b"\xff\xd8\xff"):
        decoded = _read_jpeg(data)
    elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        decoded = _read_webp(data)
    elif data[:6] in (b"GIF87a", b"GIF89a"):
        decoded = _read_gif(data)
    else:
        _refuse_other(data)
    return _normalise(decoded)


# ------------------------------------------------------------------------------------------- the source


def _read(source: Any, head: int | None = None) -> bytes:
    """The bytes of a source; with `head` only so many of its first bytes, however large it is."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        if head is None and len(source) > MAX_BYTES:
            _file_too_large(len(source))
        return bytes(source[:head])
    if source is None or source == "":
        raise PictureError("no picture: choose a PNG, JPEG or WebP file first")
    if not isinstance(source, (str, Path)):
        raise PictureError(f"a picture file is needed, not a {type(source).__name__}: choose one file")
    if re.match(r"\s*(data:|[a-z][a-z0-9+.-]*:/)", str(source), re.IGNORECASE):
        raise PictureError("addresses are not opened: save the picture and upload the file itself")
    return _read_file(Path(source), head)


def _read_file(path: Path, head: int | None) -> bytes:
    name = path.name[:80].replace("\0", "")  # never the folder: it is the server's
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):
            raise PictureError(f"{name!r} is a folder or a device, not a file: choose one picture file")
        if head is None and about.st_size > MAX_BYTES:
            _file_too_large(about.st_size)
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1 if head is None else head)
    except PictureError:
        raise
    except (OSError, ValueError):  # missing, unreadable, too long a name, a NUL in it
        raise PictureError(f"{name!r} cannot be read: choose a picture file that is there") from None
    if head is None and len(data) > MAX_BYTES:  # it grew in the meantime
        _file_too_large(len(data))
    return data


# ------------------------------------------------------------------------------------------ the refusals


def _not_a_picture(what: str) -> NoReturn:
    raise PictureError(f"{NOT_A_PICTURE}: {what}. Choose a PNG, JPEG or WebP file.")


def _not_supported(what: str) -> NoReturn:
    raise PictureError(f"{NOT_SUPPORTED}: {what}. Save it as PNG, JPEG or WebP and try again.")


def _damaged(what: str) -> NoReturn:
    raise PictureError(f"{DAMAGED}: {what}. Save or download it again.")


def _file_too_large(size: int) -> NoReturn:
    raise PictureError(
        f"{TOO_LARGE}: the file has {size / 2**20:.0f} MB; at most {MAX_BYTES // 2**20} MB are taken. "
        "Crop or shrink the picture first."
    )


def _oversized(width: int, height: int) -> bool:
    return width > MAX_SIDE or height > MAX_SIDE or width * height > MAX_PIXELS


def _check_size(width: int, height: int) -> None:
    if _oversized(width, height):
        raise PictureError(
            f"{TOO_LARGE}: {width}×{height} px are {width * height / 1e6:.1f} megapixels; at most "
            f"{MAX_PIXELS / 1e6:.0f} megapixels and {MAX_SIDE} px a side are taken. Crop or shrink it first."
        )


# --------------------------------------------------------------------------------------------------- PNG

# (bit depth, colour type) → (Pillow's mode, Pillow's raw mode, channels in the file); PNG §11.2.1
_PNG_KINDS: Mapping[tuple[int, int], tuple[str, str, int]] = {
    (1, 0): ("1", "1", 1),
    (2, 0): ("L", "L;2", 1),
    (4, 0): ("L", "L;4", 1),
    (8, 0): ("L", "L", 1),
    (16, 0): ("I;16", "I;16B", 1),
    (8, 2): ("RGB", "RGB", 3),
    (16, 2): ("RGB", "RGB;16B", 3),
    (1, 3): ("P", "P;1", 1),
    (2, 3): ("P", "P;2", 1),
    (4, 3): ("P", "P;4", 1),
    (8, 3): ("P", "P", 1),
    (8, 4): ("LA", "LA", 2),
    (16, 4): ("RGBA", "RGBA", 2),  # four bytes a pixel either way
    (8, 6): ("RGBA", "RGBA", 4),
    (16, 6): ("RGBA", "RGBA;16B", 4),
}
_GREY, _COLOUR, _INDEXED = 0, 2, 3
_PIXEL_CHUNKS = (b"PLTE", b"tRNS")  # besides IDAT
_METADATA = (b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"tIME")
_SILENT = (b"IHDR", b"IEND", b"gAMA", b"cHRM", b"sRGB", b"cICP", b"mDCV", b"cLLI", b"sBIT", b"bKGD", b"hIST")
_SILENT += (b"pHYs", b"sPLT", b"iCCP", b"acTL", b"fcTL", b"fdAT", *_PIXEL_CHUNKS, *_METADATA)


@dataclass(frozen=True)
class _Header:
    width: int
    height: int
    depth: int
    colour: int
    interlaced: bool


@dataclass(frozen=True)
class _Chunk:
    kind: bytes
    body: memoryview
    whole: bool  # all of it is in the file
    sound: bool  # and its checksum is right
    end: int


def _png_chunks(data: bytes) -> Iterator[_Chunk]:
    """Chunks up to IEND or the first that is not whole. Raises PictureError if they never end."""
    view, at = memoryview(data), len(PNG_SIGNATURE)
    for _ in range(MAX_PIECES):
        if at + 8 > len(data):
            return
        length, kind = struct.unpack_from(">I4s", data, at)
        body, end = view[at + 8 : at + 8 + length], at + 12 + length
        if end > len(data) or not kind.isalpha():
            yield _Chunk(kind, body, False, False, len(data))
            return
        crc = zlib.crc32(body, zlib.crc32(kind))
        yield _Chunk(kind, body, True, crc == struct.unpack_from(">I", data, end - 4)[0], end)
        if kind == b"IEND":
            return
        at = end
    _damaged(f"the PNG has over {MAX_PIECES} chunks")


def _png_header(data: bytes) -> _Header:
    chunk = next(_png_chunks(data), None)
    if chunk is None or chunk.kind != b"IHDR" or not chunk.sound or len(chunk.body) != 13:
        _not_a_picture("it begins like a PNG, but its header is missing or broken")
    width, height, depth, colour, compression, filtering, interlace = struct.unpack(">IIBBBBB", chunk.body)
    if width == 0 or height == 0:
        _not_a_picture(f"a PNG of {width}×{height} px, which has no pixels")
    if (depth, colour) not in _PNG_KINDS or compression or filtering or interlace > 1:
        _not_a_picture(f"a PNG of {depth} bits and colour type {colour}, which PNG does not have")
    _check_size(width, height)
    return _Header(width, height, depth, colour, interlace == 1)


def _read_png(data: bytes) -> _Decoded:
    header = _png_header(data)
    notices: list[str] = []
    idat: list[memoryview] = []
    found: dict[bytes, bytes] = {}
    frames, before, closed, unpacked, end = 0, False, False, 0, len(data)
    for chunk in _png_chunks(data):
        end = chunk.end
        if chunk.kind == b"IDAT" and not closed:
            if not chunk.sound:
                _damaged("the PNG's pixel data is cut short or changed")
            idat.append(chunk.body)
            continue
        closed = bool(idat)
        if not chunk.whole and not closed:
            _damaged("the PNG is cut short, or one of its chunks has a false length")
        if not chunk.sound:
            if chunk.kind in _PIXEL_CHUNKS and not closed:
                _damaged(f"the PNG's {chunk.kind.decode()} chunk is changed")
            continue
        unpacked += _check_bomb(chunk, header, unpacked)
        if chunk.kind == b"acTL" and len(chunk.body) >= 4:
            frames = int.from_bytes(chunk.body[:4], "big")
        before = before or (chunk.kind == b"fcTL" and not closed)
        if chunk.kind not in _SILENT:
            _note(notices, f"an unknown chunk {chunk.kind.decode()} was left out")
        if chunk.kind != b"IHDR" and not (closed and chunk.kind in _PIXEL_CHUNKS):
            found.setdefault(chunk.kind, bytes(chunk.body) if len(chunk.body) <= MAX_TEXT else b"")
    if not idat:
        _not_a_picture("it begins like a PNG, but has no pixel data")
    raw = _inflate_pixels(b"".join(idat), _png_bytes(header), notices)
    samples = _png_colours(_png_samples(raw, header), header, found, notices)
    if b"IEND" not in found:
        notices.append("the file's end is missing; all its pixels are there")
    if frames > 1:
        which = "first frame" if before else "the still picture"
        notices.append(f"{which} of an animation of {frames} frames")
    if end < len(data):
        notices.append(f"{len(data) - end} bytes after the picture's end were left out")
    if set(found) & set(_METADATA):
        notices.append("its metadata (text, EXIF) was left out")
    if b"iCCP" in found:
        _note_profile(found[b"iCCP"].partition(b"\0")[0], notices)
    return _Decoded(samples, notices, found.get(b"eXIf"))


def _check_bomb(chunk: _Chunk, header: _Header, unpacked: int) -> int:
    """The unpacked size, in bytes, of a chunk's compressed text or profile; raises PictureError if absurd."""
    packed = _packed_part(chunk)
    if packed is None:
        return 0
    try:
        size = len(zlib.decompressobj().decompress(packed, MAX_TEXT + 1))
    except zlib.error:  # it is left out anyway
        return 0
    if size > MAX_TEXT or unpacked + size > MAX_UNPACKED:
        raise PictureError(
            f"{TOO_LARGE}: {header.width}×{header.height} px, but the {chunk.kind.decode()} hidden in the PNG "
            f"unpacks to over {MAX_TEXT // 2**20} MB. Save it without metadata and try again."
        )
    return size


def _packed_part(chunk: _Chunk) -> bytes | None:
    if chunk.kind in (b"zTXt", b"iCCP"):  # name, NUL, method, packed
        return bytes(chunk.body).partition(b"\0")[2][1:]
    if chunk.kind == b"iTXt":  # name, NUL, flag, method, language, NUL, translated name, NUL, text
        rest = bytes(chunk.body).partition(b"\0")[2]
        return rest[2:].partition(b"\0")[2].partition(b"\0")[2] if rest[:1] == b"\1" else None
    return None


def _png_bytes(header: _Header) -> int:
    """Bytes of the filtered pixel data, a filter byte a row; seven passes where interlaced. PNG §7.2, §8."""
    bits = header.depth * _PNG_KINDS[header.depth, header.colour][2]
    passes = (
        (0, 0, 8, 8),
        (4, 0, 8, 8),
        (0, 4, 4, 8),
        (2, 0, 4, 4),
        (0, 2, 2, 4),
        (1, 0, 2, 2),
        (0, 1, 1, 2),
    )
    total = 0
    for x, y, dx, dy in passes if header.interlaced else ((0, 0, 1, 1),):
        width, height = -((x - header.width) // dx), -((y - header.height) // dy)
        total += height * (1 + (width * bits + 7) // 8) if width > 0 and height > 0 else 0
    return total


def _inflate_pixels(packed: bytes, need: int, notices: list[str]) -> bytes:
    """Exactly `need` bytes of pixel data: fewer is damage, more is left out with a notice."""
    unzip = zlib.decompressobj()
    try:
        raw = unzip.decompress(packed, need)
        more = unzip.decompress(unzip.unconsumed_tail, 1) if not unzip.eof else b""
    except zlib.error:
        _damaged("the PNG's pixel data does not unpack")
    if len(raw) < need:
        _damaged("the PNG's pixel data ends too early")
    if more or unzip.unused_data:
        notices.append("more pixel data than the picture's size needs was left out")
    return raw


def _png_samples(raw: bytes, header: _Header) -> np.ndarray:
    """Filtered pixel data → samples (H,W,C), uint8 scaled to 0…255 (indices: as they are) or uint16.

    Pillow undoes the filters but keeps only the upper byte of 16-bit colours, so these are read twice, as big
    and as little endian: the filters work on bytes and do not care.
    """
    mode, rawmode, channels = _PNG_KINDS[header.depth, header.colour]
    stored = zlib.compress(raw, 0)
    first = _unfilter(stored, header, mode, rawmode)
    if header.depth < 16 or mode == "I;16":
        return first.reshape(header.height, header.width, channels)
    if channels == 2:
        return first.reshape(header.height, header.width, 2, 2).view(">u2")[..., 0].astype(np.uint16)
    second = _unfilter(stored, header, mode, rawmode.replace("16B", "16L"))
    return first.astype(np.uint16) << 8 | second


def _unfilter(stored: bytes, header: _Header, mode: str, rawmode: str) -> np.ndarray:
    try:
        size = (header.width, header.height)
        image = Image.frombytes(mode, size, stored, "zip", rawmode, int(header.interlaced))
    except (OSError, ValueError, SyntaxError):
        _damaged("the PNG's pixel data has rows of an unknown kind")
    return np.array(image.convert("L") if mode == "1" else image)


def _png_colours(
    samples: np.ndarray, header: _Header, found: Mapping[bytes, bytes], notices: list[str]
) -> np.ndarray:
    """Palette and transparent colour applied: samples (H,W,1…4)."""
    if header.depth == 1 and header.colour == _GREY:
        notices.append("1-bit black and white, expanded")
    if header.depth == 16:
        notices.append("16-bit rescaled, all 16 bits kept")
    key = found.get(b"tRNS")
    if header.colour == _INDEXED:
        return _from_palette(samples[..., 0], header, found.get(b"PLTE"), key, notices)
    count = {_GREY: 1, _COLOUR: 3}.get(header.colour)
    if key is None or count is None or len(key) != 2 * count:
        return samples
    scale = 255 // (2**header.depth - 1) if header.depth < 8 else 1
    wanted = np.frombuffer(key, ">u2").astype(np.int64) * scale
    full = 65535 if header.depth == 16 else 255
    opaque = (samples != wanted).any(-1, keepdims=True)
    return np.concatenate([samples, opaque.astype(samples.dtype) * full], -1)


def _from_palette(
    indices: np.ndarray, header: _Header, palette: bytes | None, key: bytes | None, notices: list[str]
) -> np.ndarray:
    table = np.zeros((256, 4), np.uint8)
    table[:, 3] = 255
    if palette is None or len(palette) < 3:
        notices.append("its palette is missing: the indices are read as grey")
        table[: 2**header.depth, :3] = np.linspace(0, 255, 2**header.depth).round()[:, None]
    else:
        notices.append("palette expanded")
        colours = np.frombuffer(palette[: len(palette) // 3 * 3], np.uint8).reshape(-1, 3)[:256]
        table[: len(colours), :3] = colours
    if key is None:
        return table[:, :3][indices]
    values = np.frombuffer(key, np.uint8)[:256]
    table[: len(values), 3] = values
    return table[indices]


# -------------------------------------------------------------------------------------------------- JPEG

_MARKER = re.compile(rb"\xff+([^\x00\x01\xd0-\xd7\xff])")  # not stuffing, not a restart
_FRAMES_READ = (0xC0, 0xC1, 0xC2, 0xC9, 0xCA)  # baseline, extended, progressive; Huffman or arithmetic
_FRAMES = (0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF, 0xF7)
_SOI, _EOI, _SOS, _DQT, _DHT, _DAC, _DNL, _DRI, _APP0, _EXIF, _ICC, _ADOBE = (
    *(0xD8, 0xD9, 0xDA, 0xDB, 0xC4, 0xCC, 0xDC, 0xDD),
    *(0xE0, 0xE1, 0xE2, 0xEE),
)


def _read_jpeg(data: bytes) -> _Decoded:
    """Only what the pixels need (tables, frame, scans, JFIF and Adobe marks) goes to the decoder."""
    kept, notices, at, scans, segments = [b"\xff\xd8"], [], 2, 0, 0
    size, progressive, exif, metadata, profile = None, False, None, False, b""
    while True:
        match = _MARKER.search(data, at)
        if match is None:
            if segments == 0:
                _not_a_picture("it begins like a JPEG, but nothing follows")
            _damaged("the JPEG is cut short")
        marker = match[1][0]
        if marker == _EOI:
            at = match.end()
            break
        start = match.end()
        length = int.from_bytes(data[start : start + 2], "big")
        end, segments = start + length, segments + 1
        if marker < 0xC0 or marker == _SOI or length < 2 or end > len(data) or segments > MAX_PIECES:
            if size is None and segments == 1:
                _not_a_picture("it begins like a JPEG, but nothing of one follows")
            _damaged("the JPEG is cut short or has false marks in it")
        body = data[start + 2 : end]
        if marker in _FRAMES:
            if size is not None:
                _damaged("the JPEG has two headers")
            size, progressive = _jpeg_size(marker, body), marker in (0xC2, 0xCA)
        if marker == _SOS:
            scans += 1
            follow = _MARKER.search(data, end)
            end = follow.start() if follow else len(data)
        if marker in (*_FRAMES, _SOS, _DQT, _DHT, _DAC, _DNL, _DRI, _APP0, _ADOBE):
            kept.append(b"\xff" + data[match.end() - 1 : end])
        elif marker == _EXIF and body.startswith(b"Exif\0\0"):
            exif, metadata = exif or body[6:], True
        elif marker == _ICC and body.startswith(b"ICC_PROFILE\0"):
            profile = profile or body[14:]
        elif not (marker == _ICC and body.startswith(b"MPF\0")):
            metadata = True
        at = end
    if segments == 0:
        _not_a_picture("a JPEG with nothing in it")
    if size is None or scans == 0:
        _damaged("the JPEG has no pixel data")
    if scans > MAX_SCANS:
        _damaged(f"the JPEG has {scans} scans, which no program writes")
    image = _decode(b"".join([*kept, b"\xff\xd9"]), "JPEG", size)
    if image.mode == "CMYK":
        notices.append("CMYK converted to RGB")
        image = image.convert("RGB")
    if progressive:
        notices.append("progressive JPEG, read to its last scan")
    if at < len(data):
        notices.append(f"{len(data) - at} bytes after the picture's end were left out")
    if metadata:
        notices.append("its metadata (EXIF, comments) was left out")
    if profile:
        _note_profile(profile, notices)
    return _Decoded(_samples(image), notices, exif)


def _jpeg_size(marker: int, frame: bytes) -> tuple[int, int]:
    """(width, height) of a frame header, T.81 §B.2.2; raises PictureError for what is not read here."""
    if len(frame) < 6:
        _damaged("the JPEG's header is too short")
    depth, height, width, parts = struct.unpack(">BHHB", frame[:6])
    if width == 0 or height == 0:
        _not_a_picture(f"a JPEG of {width}×{height} px, which has no pixels")
    _check_size(width, height)
    if marker not in _FRAMES_READ or depth != 8 or parts not in (1, 3, 4):
        _not_supported(f"this is a JPEG of a rare kind (frame {marker:02X}, {depth} bits, {parts} channels)")
    return width, height


# -------------------------------------------------------------------------------------------------- WebP


def _read_webp(data: bytes) -> _Decoded:
    end = 8 + int.from_bytes(data[4:8], "little")
    notices: list[str] = []
    if len(data) < 30:
        _damaged("the WebP is cut short")
    size = _webp_size(data)
    if end > len(data):
        _damaged("the WebP is cut short")
    chunks = list(_webp_chunks(data, end))
    frames = sum(kind == b"ANMF" for kind, _ in chunks)
    if frames > 1:
        notices.append(f"first frame of an animation of {frames} frames")
    found = dict(chunks)
    exif = found.get(b"EXIF")
    if end + (end & 1) < len(data):
        notices.append(f"{len(data) - end} bytes after the picture's end were left out")
    if exif is not None or b"XMP " in found:
        notices.append("its metadata (EXIF, XMP) was left out")
    if b"ICCP" in found:
        _note_profile(found[b"ICCP"], notices)
    image = _decode(data[:end], "WEBP", size)
    return _Decoded(_samples(image), notices, exif.removeprefix(b"Exif\0\0") if exif else None)


def _webp_size(data: bytes) -> tuple[int, int]:
    """(width, height) of the first chunk: the canvas (VP8X), a lossless or a lossy frame. RFC 9649 §2."""
    kind, body = data[12:16], data[20:30]
    if kind == b"VP8X":
        width, height = (int.from_bytes(body[i : i + 3], "little") + 1 for i in (4, 7))
    elif kind == b"VP8L" and body[0] == 0x2F:
        bits = int.from_bytes(body[1:5], "little")
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif kind == b"VP8 " and body[3:6] == b"\x9d\x01\x2a":
        width, height = (v & 0x3FFF for v in struct.unpack("<HH", body[6:10]))
    else:
        _damaged("the WebP's header is changed")
    if width == 0 or height == 0:
        _not_a_picture(f"a WebP of {width}×{height} px, which has no pixels")
    _check_size(width, height)
    return width, height


def _webp_chunks(data: bytes, end: int) -> Iterator[tuple[bytes, bytes]]:
    at = 12
    for _ in range(MAX_PIECES):
        if at + 8 > end:
            return
        kind, length = struct.unpack_from("<4sI", data, at)
        if at + 8 + length > end:
            _damaged("the WebP is cut short, or one of its chunks has a false length")
        yield kind, data[at + 8 : at + 8 + length]
        at += 8 + length + (length & 1)
    _damaged(f"the WebP has over {MAX_PIECES} chunks")


# --------------------------------------------------------------------------------------------------- GIF


def _read_gif(data: bytes) -> _Decoded:
    """The first frame of a whole GIF: only its screen, palettes, control and pixels go to the decoder."""
    try:
        first, size, frames = _walk_gif(data)
    except (IndexError, struct.error):
        _damaged("the GIF is cut short")
    notices = ["GIF: palette expanded"]
    if frames > 1:
        notices.append(f"first frame of an animation of {frames} frames")
    image = _decode(first, "GIF", size)
    return _Decoded(_samples(image.convert("RGBA" if "transparency" in image.info else "RGB")), notices)


def _walk_gif(data: bytes) -> tuple[bytes, tuple[int, int], int]:
    """(a GIF of the first frame alone, its size, frames). Raises IndexError or struct.error where cut."""
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    at = 13 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
    first, control, frames = data[:at], b"", 0
    if _oversized(width, height):
        _not_supported(f"this is a GIF of {width}×{height} px")
    for _ in range(MAX_PIECES):
        start, kind = at, data[at]
        if kind == 0x3B:
            if not frames:
                _damaged("the GIF has no pictures in it")
            return first + b";", (width, height), frames
        if kind == 0x21:
            at = _skip_blocks(data, at + 2)
            control = data[start:at] if data[start + 1] == 0xF9 and not frames else control
        elif kind == 0x2C:
            x, y, w, h, local = struct.unpack_from("<HHHHB", data, at + 1)
            at = _skip_blocks(data, at + 11 + (3 << (local & 7) + 1 if local & 0x80 else 0))
            if not frames:
                width, height = max(width, x + w), max(height, y + h)
                first += control + data[start:at]
            frames += 1
        else:
            _damaged("the GIF has false marks in it")
    _damaged(f"the GIF has over {MAX_PIECES} blocks")


def _skip_blocks(data: bytes, at: int) -> int:
    while data[at]:
        at += 1 + data[at]
    return at + 1


# ----------------------------------------------------------------------------------- decoded → a picture


def _decode(data: bytes, kind: str, size: tuple[int, int]) -> Image.Image:
    """Pillow's decoding of a file that was walked and measured; any failure is damage."""
    try:
        image = Image.open(io.BytesIO(data), formats=[kind])
        if image.size == size and not _oversized(*size):
            image.load()
            return image
    except Exception as error:  # codecs raise nearly every kind on damaged data
        raise PictureError(f"{DAMAGED}: the {kind} does not decode. Save or download it again.") from error
    _damaged(f"the {kind}'s headers contradict each other")


def _samples(image: Image.Image) -> np.ndarray:
    array = np.asarray(image)
    return array if array.ndim == 3 else array[..., None]


def _normalise(decoded: _Decoded) -> Picture:
    notices = list(decoded.notices)
    samples = _upright(decoded, notices)
    colours, alpha = samples, None
    if samples.shape[-1] in (2, 4):
        colours, alpha = samples[..., :-1], _alpha(samples[..., -1:], notices)
    grey = colours.shape[-1] == 1 or _is_grey(colours)
    rgb = _planes(colours).expand(3, -1, -1).contiguous()
    height, width = rgb.shape[1:]
    if grey:
        notices.append("grey: kept grey")
    if min(height, width) < 8:
        notices.append(f"only {width}×{height} px: there is hardly anything to enlarge")
    return Picture(rgb, alpha, grey, tuple(notices))


def _is_grey(colours: np.ndarray) -> bool:
    first = colours[..., 0]
    return bool(np.array_equal(first, colours[..., 1]) and np.array_equal(first, colours[..., 2]))


def _alpha(values: np.ndarray, notices: list[str]) -> Tensor | None:
    if values.min() == np.iinfo(values.dtype).max:
        notices.append("its transparency is opaque everywhere and was left out")
        return None
    notices.append("transparency is kept separately")
    return _planes(values)


def _planes(samples: np.ndarray) -> Tensor:
    """(H,W,C) uint8 or uint16 → (C,H,W) float32 in [0,1], exactly value/255 or value/65535."""
    full = np.float32(np.iinfo(samples.dtype).max)
    height, width, channels = samples.shape
    planes = np.empty((channels, height, width), np.float32)
    for y in range(0, height, 32):  # a strip at a time stays in the cache
        strip = np.moveaxis(samples[y : y + 32], -1, 0)
        np.divide(strip, full, out=planes[:, y : y + 32], dtype=np.float32, casting="same_kind")
    return torch.from_numpy(planes)


def _upright(decoded: _Decoded, notices: list[str]) -> np.ndarray:
    if decoded.exif is None:
        return decoded.samples
    try:
        orientation, gps = _exif(decoded.exif)
    except (KeyError, struct.error):
        notices.append("its EXIF is broken and was left out")
        return decoded.samples
    if gps:
        notices.append("the place where it was taken (GPS) was removed")
    if orientation not in range(1, 9):
        notices.append(f"its EXIF orientation {orientation} does not exist and was ignored")
    elif orientation > 1:
        notices.append("turned upright as its EXIF says")
    return _turn(decoded.samples, orientation)


def _exif(tiff: bytes) -> tuple[int, bool]:
    """(orientation, whether there is a GPS entry) of the first directory. Raises KeyError or struct.error."""
    order = {b"II*\0": "<", b"MM\0*": ">"}[tiff[:4]]
    (at,) = struct.unpack_from(order + "I", tiff, 4)
    (count,) = struct.unpack_from(order + "H", tiff, at)
    orientation, gps = 1, False
    for entry in range(count):
        tag, kind, _, short = struct.unpack_from(order + "HHIH", tiff, at + 2 + 12 * entry)
        if tag == 0x0112 and kind == 3:
            orientation = short
        gps = gps or tag == 0x8825
    return orientation, gps


def _turn(samples: np.ndarray, orientation: int) -> np.ndarray:
    """Undo an EXIF orientation (Exif 3.0 §4.6.5, tag 274); samples (H,W,C), others than 2…8 stay."""
    if orientation in (5, 6, 7, 8):
        samples = samples.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        samples = samples[:, ::-1]
    if orientation in (3, 4, 7, 8):
        samples = samples[::-1]
    return samples


def _note(notices: list[str], text: str) -> None:
    if text not in notices and len(notices) < 10:
        notices.append(text)


def _note_profile(profile: bytes, notices: list[str]) -> None:
    if b"sRGB" not in profile and "sRGB".encode("utf-16-be") not in profile:
        notices.append("its colour profile was not applied: the colours are read as sRGB")


# ------------------------------------------------------------------------------ every other kind of file

_OTHERS: tuple[tuple[re.Pattern[bytes], str], ...] = tuple(
    (re.compile(pattern, re.DOTALL), name)
    for pattern, name in (
        (rb"%!PS|\xc5\xd0\xd3\xc6", "an EPS drawing"),
        (rb"8BPS", "a Photoshop (PSD) file"),
        (rb"SIMPLE  =", "a FITS picture"),
        (rb"DDS ", "a DDS texture"),
        (rb"\xd7\xcd\xc6\x9a|\x01\0\0\0.{36} EMF", "a WMF or EMF drawing"),
        (rb"\s*(/\*.*?\*/\s*)?#define\s+\S+_width\s", "an XBM picture"),
        (rb"P[1-6fF]\s+([-+]?\d|#)|P7\n", "a PPM, PGM or PBM picture"),
        (rb"qoif", "a QOI picture"),
        (rb"\0\0[\1\2]\0(?!\0\0)", "an icon (ICO)"),
        (rb"\x01\xda[\0\1][\1\2]", "an SGI picture"),
        (rb"\x0a[\0\2-\5]\x01[\1\2\4\x08]", "a PCX picture"),
        (rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51", "a JPEG 2000 picture"),
        (rb"II[*+]\0|MM\0[*+]", "a TIFF picture"),
        (rb"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0", "a BMP picture"),
        (rb".\0[\2\3\n\x0b]\0{5}.{4}(?!\0\0)..(?!\0\0)..[\x08\x10\x18\x20][\0-\x3f]", "a TGA picture"),
        (rb".\x01[\1\t].{4}[\x0f\x10\x18\x20].{4}(?!\0\0)..(?!\0\0)..\x08[\0-\x3f]", "a TGA picture"),
    )
)
_STRANGERS: tuple[tuple[re.Pattern[bytes], str], ...] = tuple(
    (re.compile(pattern, re.DOTALL), name)
    for pattern, name in (
        (rb"%PDF", "this is a PDF document"),
        (rb"PK[\3\5\7][\4\6\x08]", "this is a ZIP archive"),
        (rb"\x7fELF|MZ", "this is a program"),
        (rb"\xff\x0a|\0\0\0\x0cJXL ", "this is a JPEG XL picture"),
        (rb"....ftyp(hei[cmsx]|hev[cmsx]|mif1|msf1)", "this is a HEIC picture"),
        (rb"....ftyp", "this is a film"),
        (rb"RIFF", "this is a sound or a film"),
        (rb"\x89PNG", "its first bytes were changed on the way, as text transfer does"),
        (rb"\xff\xd8", "it begins like a JPEG, but nothing follows"),
        (rb"(?i:\s*(<!doctype html|<html))", "this is a web page"),
        (rb"(?i:\s*<[^>]*svg|\s*<\?xml.*<svg)", "this is an SVG drawing"),
    )
)


def _refuse_other(data: bytes) -> NoReturn:
    head = data[:1024].lstrip(b"\xef\xbb\xbf")
    if len(data) < 2:
        _not_a_picture("the file is empty" if not data else "the file has one byte")
    if data[4:8] == b"ftyp" and re.search(rb"avi[fs]", data[8:64]):
        if _whole_boxes(data):
            _not_supported("this is an AVIF picture")
        _not_a_picture("this is an AVIF picture cut short")
    for pattern, name in _OTHERS:
        if pattern.match(head):
            _not_supported(f"this is {name}")
    if data[-18:] == b"TRUEVISION-XFILE.\0":
        _not_supported("this is a TGA picture")
    for pattern, what in _STRANGERS:
        if pattern.match(head):
            _not_a_picture(what)
    text = head.isascii() and not re.search(rb"[\0-\x08\x0e-\x1f]", head)
    _not_a_picture("this is text" if text else "its first bytes are of no kind known here")


def _whole_boxes(data: bytes) -> bool:
    """Whether the boxes of an ISO base media file (ISO 14496-12 §4.2) end where the file does."""
    at = 0
    while at + 8 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        if size == 1:
            size = int.from_bytes(data[at + 8 : at + 16], "big")
        if size == 0:
            return True
        if size < 8:
            return False
        at += size
    return at == len(data)


# ---------------------------------------------------------------------------------------- pictures → PNG


def to_array(image: Tensor) -> np.ndarray:
    """(C,H,W) in [0,1], C 1 or 3 or 4 → (H,W,C) uint8, rounded to nearest; outside [0,1] is clipped.

    Raises ValueError for another shape.
    """
    if image.ndim != 3 or image.shape[0] not in (1, 3, 4):
        raise ValueError(f"a picture has shape (3,H,W), not {tuple(image.shape)}")
    values = image.detach().to("cpu", torch.float32).numpy()
    array = np.empty((*image.shape[1:], image.shape[0]), np.uint8)
    for y in range(0, len(array), 32):  # a strip at a time stays in the cache
        scaled = np.rint(values[:, y : y + 32] * np.float32(255))
        array[y : y + 32] = np.moveaxis(np.clip(scaled, 0, 255, out=scaled), 0, -1)
    return array


def from_array(array: np.ndarray) -> Tensor:
    """(H,W), (H,W,1) or (H,W,3) uint8 → (3,H,W) float32 in [0,1], exactly value/255.

    Raises ValueError for another shape or type.
    """
    if (
        array.dtype != np.uint8
        or array.ndim not in (2, 3)
        or (array.ndim == 3 and array.shape[2] not in (1, 3))
    ):
        raise ValueError(f"uint8 of shape (H,W,3) is needed, not {array.dtype} of {array.shape}")
    planes = _planes(array if array.ndim == 3 else array[..., None])
    return planes.expand(3, -1, -1).contiguous()


def to_png(
    image: Tensor, alpha: Tensor | None = None, grey: bool = False, text: Mapping[str, str] | None = None
) -> bytes:
    """A lossless 8-bit PNG of (3,H,W) in [0,1], rounded to nearest, with alpha (1,H,W) if given.

    `grey` writes one channel (Rec. 601 luma; of equal channels exactly their value). `text` becomes iTXt chunks:
    keys of 1 to 79 Latin-1 characters, 1 MB in all. Raises ValueError for other shapes or texts.

    Every row is filtered by the row above and packed by run lengths and Huffman codes only: on a 4096²
    photograph 3 times faster than Pillow's fastest level, and no larger.
    """
    if image.ndim != 3 or image.shape[0] != 3 or image.numel() == 0:
        raise ValueError(f"a picture has shape (3,H,W), not {tuple(image.shape)}")
    height, width = image.shape[1:]
    if alpha is not None and alpha.shape != (1, height, width):
        raise ValueError(
            f"the alpha of a {width}×{height} picture is (1,{height},{width}), not {alpha.shape}"
        )
    colour = (0 if grey else 2) + (4 if alpha is not None else 0)
    header = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    packed = b"".join(_packed_rows(image, alpha, grey))
    parts = [
        _chunk(b"IHDR", header),
        *_text_chunks(text or {}),
        _chunk(b"IDAT", packed),
        _chunk(b"IEND", b""),
    ]
    return b"".join([PNG_SIGNATURE, *parts])


def _packed_rows(image: Tensor, alpha: Tensor | None, grey: bool) -> Iterator[bytes]:
    pack = zlib.compressobj(1, zlib.DEFLATED, 15, 9, zlib.Z_RLE)
    above = None
    for y in range(0, image.shape[1], 128):  # a strip at a time stays in the cache
        strip = image[:, y : y + 128].detach().to("cpu", torch.float32)
        if grey:
            strip = torch.tensordot(torch.tensor([[0.299, 0.587, 0.114]]), strip, 1)
        pixels = to_array(strip)
        if alpha is not None:
            pixels = np.concatenate([pixels, to_array(alpha[:, y : y + 128])], -1)
        flat = pixels.reshape(len(pixels), -1)
        rows = np.full((len(flat), 1 + flat.shape[1]), 2, np.uint8)  # filter 2: less the row above
        np.subtract(flat[1:], flat[:-1], out=rows[1:, 1:])
        rows[0, 1:] = flat[0] if above is None else flat[0] - above
        above = flat[-1]
        yield pack.compress(rows.data)
    yield pack.flush()


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(body, zlib.crc32(kind)))


def _text_chunks(text: Mapping[str, str]) -> list[bytes]:
    bodies = []
    for key, value in text.items():
        name = key.encode("latin-1")  # raises UnicodeEncodeError, which is a ValueError
        if not 1 <= len(key) <= 79 or not key.isprintable() or "\0" in value:
            raise ValueError(f"a PNG's text has keys of 1 to 79 Latin-1 letters and no NUL, not {key[:80]!r}")
        bodies.append(name + b"\0\0\0\0\0" + value.encode())
    if sum(map(len, bodies)) > MAX_TEXT:
        raise ValueError(f"the text of a PNG is at most {MAX_TEXT} bytes here")
    return [_chunk(b"iTXt", body) for body in bodies]


def read_text(source: str | Path | bytes) -> dict[str, str]:
    """The uncompressed texts of a PNG, key → value, read up to its pixels and at most 1 MB; {} if none.

    Raises PictureError if the source cannot be read, is no PNG, or is cut short before its pixels.
    """
    data = _read(source, 2 * MAX_TEXT)
    if not data.startswith(PNG_SIGNATURE):
        _not_a_picture("only a PNG carries a receipt")
    found: dict[str, str] = {}
    total = 0
    for chunk in _png_chunks(data):
        if chunk.kind == b"IDAT":
            return found
        total += len(chunk.body) if chunk.kind in (b"tEXt", b"iTXt") else 0
        if total > MAX_TEXT:
            raise PictureError(f"{TOO_LARGE}: the PNG carries over 1 MB of text, which no receipt does")
        if chunk.sound:
            found.update(_text_of(chunk))
    _damaged("the PNG is cut short before its pixels")


def _text_of(chunk: _Chunk) -> dict[str, str]:
    key, _, rest = bytes(chunk.body).partition(b"\0")
    if chunk.kind == b"tEXt":
        return {key.decode("latin-1"): rest.decode("latin-1")}
    if chunk.kind == b"iTXt" and rest[:1] == b"\0":
        value = rest[2:].partition(b"\0")[2].partition(b"\0")[2]
        return {key.decode("latin-1"): value.decode("utf-8", "replace")}
    return {}
