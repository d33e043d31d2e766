"""Changes to files: of any bytes, and of the parts that each picture format is made of."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable, Sequence

from tests.support.bad_inputs import SIGNATURE, chunk, segment

Change = Callable[[bytes, random.Random], bytes]
ODD_BYTES = (0, 1, 2, 0x7F, 0x80, 0xFE, 0xFF)
ODD_SIZES = (0, 1, 2, 7, 8, 9, 255, 256, 4000, 8192, 8193, 65535)
MOST = 20_000  # bytes of a changed file: repeated parts add up


def any_bytes(data: bytes, chance: random.Random) -> bytes:
    """Bits flipped, bytes set, removed, repeated or put in, numbers replaced, the end cut off."""
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 4, 12))):
        if not changed:
            break
        at, kind = chance.randrange(len(changed)), chance.randrange(8)
        if kind <= 1:
            changed[at] ^= 1 << chance.randrange(8)
        elif kind == 2:
            changed[at] = chance.choice(ODD_BYTES)
        elif kind == 3:
            changed[at] = chance.randrange(256)
        elif kind == 4:
            size = chance.choice((2, 4))
            number = chance.choice(
                (0, 1, 0x7F, 0xFF, chance.randrange(2**16), 2 ** (8 * size - 1), 2 ** (8 * size) - 1)
            )
            changed[at : at + size] = (number % 2 ** (8 * size)).to_bytes(
                size, chance.choice(("big", "little"))
            )
        elif kind == 5:
            del changed[at : at + chance.choice((1, 2, 4, 30, len(changed)))]
        elif kind == 6:
            changed[at:at] = changed[at : at + chance.choice((1, 4, 50, 500))]
        else:
            changed[at:at] = chance.randbytes(chance.randrange(1, 20))
    return bytes(changed[:MOST])


def parts(pieces: list[bytes], chance: random.Random, others: Sequence[bytes] = ()) -> list[bytes]:
    """Pieces of a file repeated, removed, exchanged, changed inside, or taken from another file."""
    pieces = list(pieces)
    for _ in range(chance.choice((1, 1, 2, 3))):
        if not pieces:
            break
        at, kind = chance.randrange(len(pieces)), chance.randrange(6)
        if kind == 0:
            pieces.insert(chance.randrange(len(pieces) + 1), pieces[at])
        elif kind == 1:
            del pieces[at]
        elif kind == 2:
            other = chance.randrange(len(pieces))
            pieces[at], pieces[other] = pieces[other], pieces[at]
        elif kind == 3 and others:
            pieces.insert(at, chance.choice(others))
        elif kind == 4:
            pieces[at:at] = [pieces[at]] * chance.choice((2, 10, 100))
        else:
            pieces[at] = any_bytes(pieces[at], chance)
    return pieces


# ------------------------------------------------------------------------------------------------- PNG


def png_chunks(data: bytes) -> list[bytes]:
    """Each chunk's kind and body."""
    found, at = [], len(SIGNATURE)
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        found.append(data[at + 4 : at + 8 + length])
        at += 12 + length
    return found


def png(data: bytes, chance: random.Random) -> bytes:
    """Chunks changed, and their lengths; the checksums are right again, so that the changes get past them."""
    chunks, kind = png_chunks(data), chance.randrange(5)
    if kind == 0:
        header = bytearray(chunks[0])
        for _ in range(chance.choice((1, 1, 2))):
            field = chance.randrange(6)
            if field <= 1:
                struct.pack_into(
                    ">I", header, 4 + 4 * field, chance.choice((*ODD_SIZES, *range(1, 40), 2**31))
                )
            else:
                header[10 + field] = chance.choice((0, 1, 2, 3, 4, 6, 8, 16, 255))
        chunks[0] = bytes(header)
    elif kind == 1:
        rows = zlib.decompress(b"".join(c[4:] for c in chunks if c[:4] == b"IDAT"))
        packed = zlib.compress(any_bytes(rows, chance), chance.choice((0, 1, 9)))
        step = chance.choice((1, 7, 100, len(packed)))
        split = [b"IDAT" + packed[at : at + step] for at in range(0, len(packed), step)]
        chunks = [c for c in chunks if c[:4] not in (b"IDAT", b"IEND")] + split + [b"IEND"]
    elif kind == 2:
        name = chance.choice(
            (b"zTXt", b"iCCP", b"iTXt", b"tEXt", b"eXIf", b"tRNS", b"PLTE", b"acTL", b"fcTL", b"fdAT")
        )
        body = any_bytes(b"key\0\0" + zlib.compress(chance.randbytes(chance.randrange(60))), chance)
        chunks.insert(chance.randrange(1, len(chunks) + 1), name + body)
    else:
        chunks = parts(chunks, chance)
    made = bytearray(SIGNATURE + b"".join(chunk(c[:4], c[4:]) for c in chunks))
    if chance.random() < 0.1:  # a false length, with a checksum that is right for it
        at = 8
        while at + 12 < len(made) and chance.random() < 0.6:
            at += 12 + int.from_bytes(made[at : at + 4], "big")
        rest = len(made) - at - 12
        if rest > 0:
            length = chance.choice((0, rest, chance.randrange(rest + 1)))
            struct.pack_into(">I", made, at, length)
            struct.pack_into(">I", made, at + 8 + length, zlib.crc32(made[at + 4 : at + 8 + length]))
    return bytes(made[:MOST])


# ------------------------------------------------------------------------------------------------ JPEG


def jpeg_segments(data: bytes) -> list[bytes]:
    """Marker, length and body each; the scan's data belong to its header, and the end of the picture is the last."""
    found, at = [], 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != 0xD9:
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if data[at + 1] == 0xDA:
            while end + 1 < len(data) and not (
                data[end] == 0xFF and data[end + 1] not in (0, *range(0xD0, 0xD8))
            ):
                end += 1
        found.append(data[at:end])
        at = end
    return [*found, data[at:]]


def jpeg(data: bytes, chance: random.Random) -> bytes:
    """Segments changed, lengths and sizes, runs of 0xFF and restarts put in."""
    segments, kind = jpeg_segments(data), chance.randrange(5)
    if kind == 0:
        for i, found in enumerate(segments):
            if found[1] in (0xC0, 0xC1, 0xC2):
                frame = bytearray(found)
                where = chance.choice((5, 7))
                size = chance.choice((*range(1, 60), *range(1, 60), *ODD_SIZES))
                frame[where : where + 2] = size.to_bytes(2, "big")
                if chance.random() < 0.02:  # as large as is read
                    frame[5:9] = struct.pack(">HH", 4000, 4000)
                if chance.random() < 0.3:
                    frame[chance.randrange(4, len(frame))] = chance.choice(ODD_BYTES)
                segments[i] = bytes(frame)
    elif kind == 1:
        fill = chance.choice((b"\xff" * chance.randrange(1, 2000), b"\xff\0" * 50, b"\xff\xd0", b"\xff\xd9"))
        at = chance.randrange(len(segments))
        inside = chance.randrange(len(segments[at]) + 1)
        segments[at] = segments[at][:inside] + fill + segments[at][inside:]
    elif kind == 2:
        marker = chance.choice((*range(0xC0, 0xD0), *range(0xDA, 0xFF)))
        segments.insert(
            chance.randrange(len(segments)), segment(marker, chance.randbytes(chance.randrange(70)))
        )
    else:
        segments = parts(segments, chance)
    return (data[:2] + b"".join(segments))[:MOST]


# ----------------------------------------------------------------------------------------- WebP and GIF


def webp(data: bytes, chance: random.Random) -> bytes:
    """Chunks changed, and the length of the whole put right."""
    chunks, at = [], 12
    while at + 8 <= len(data):
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        chunks.append(data[at : at + 8 + length + (length & 1)])
        at += 8 + length + (length & 1)
    body = b"WEBP" + b"".join(parts(chunks, chance))
    return (b"RIFF" + len(body).to_bytes(4, "little") + body)[:MOST]


def gif(data: bytes, chance: random.Random) -> bytes:
    """The screen's size, the palettes' flags, or any bytes after them."""
    changed = bytearray(data)
    if chance.random() < 0.4:
        at = chance.choice((6, 8))
        changed[at : at + 2] = chance.choice((*range(1, 60), *ODD_SIZES)).to_bytes(2, "little")
    if chance.random() < 0.2:
        changed[10] = chance.randrange(256)
    return bytes(changed[:13]) + any_bytes(bytes(changed[13:]), chance)


# ----------------------------------------------------------------------------------------- HEIC and AVIF

_CONTAINERS = {b"meta": 4, b"iprp": 0, b"ipco": 0, b"iinf": 6, b"iref": 4}  # kind → bytes before its boxes


def boxes(data: bytes, start: int = 0, end: int | None = None) -> list[tuple[int, int]]:
    """(start, end) of every box, those inside others too."""
    found, end = list[tuple[int, int]](), len(data) if end is None else end
    while start + 8 <= end:
        size = int.from_bytes(data[start : start + 4], "big")
        if size < 8 or start + size > end:
            break
        found.append((start, start + size))
        if (kind := data[start + 4 : start + 8]) in _CONTAINERS:
            found += boxes(data, start + 8 + _CONTAINERS[kind], start + size)
        start += size
    return found


def heif(data: bytes, chance: random.Random) -> bytes:
    """A box changed inside, its length or kind; its contents may move, so that places in the file go wrong."""
    for _ in range(chance.choice((1, 1, 2, 3))):
        found = [b for b in boxes(data) if data[b[0] + 4 : b[0] + 8] != b"mdat"] or [(0, len(data))]
        start, end = chance.choice(found)
        kind = chance.randrange(7)
        changed = bytearray(data)
        if kind == 0:
            changed[start : start + 4] = chance.choice((0, 1, 7, 8, end - start + 1, 2**32 - 1)).to_bytes(
                4, "big"
            )
        elif kind == 1:
            other = chance.choice(found)
            changed[start + 4 : start + 8] = data[other[0] + 4 : other[0] + 8]
        elif kind == 2 and (at := data.find(b"ispe", chance.randrange(len(data)))) >= 0:
            where = at + 8 + 4 * chance.randrange(2)
            changed[where : where + 4] = chance.choice((*range(1, 90), *ODD_SIZES)).to_bytes(4, "big")
        elif kind == 3:  # as long as before, so that everything else stays in its place
            for _ in range(chance.choice((1, 1, 3))):
                changed[chance.randrange(min(start + 8, end - 1), end)] = chance.choice(
                    (*ODD_BYTES, *range(16))
                )
        elif kind == 4:
            changed[start:end] = data[start:end] * chance.choice((0, 2, 3))
        elif kind == 5:
            changed[start + 8 : end] = any_bytes(data[start + 8 : end], chance)
        else:
            other = chance.choice(found)
            changed[start:end] = data[other[0] : other[1]]
        data = bytes(changed[:MOST]) or b"\0"
    return data


CHANGES: dict[str, Change] = {"PNG": png, "JPEG": jpeg, "WebP": webp, "GIF": gif, "HEIC": heif, "AVIF": heif}
