"""Every bad and every odd picture file, made on the spot, and what each must get.

`BAD` is the one list for the tests of `open_picture`, of the page, of the API and of the command line. A file
with a `message` is refused, and the message begins with it; one without is accepted, and one of the picture's
notices contains `notice`. Formats that Pillow may not write here are made of their first bytes.
"""

from __future__ import annotations

import functools
import io
import random
import struct
import zlib
from typing import NamedTuple

import numpy as np
from PIL import Image

from tests.support.heif_files import (
    avif,
    box,
    exif_of,
    heic,
    phone_heic,
    smooth,
    ten_bit_heic,
    with_brand,
    with_size,
    without_pixels,
)

NOT_A_PICTURE = "not a PNG, JPEG, WebP, HEIC or AVIF picture"
NOT_SUPPORTED = "format not supported"
DAMAGED = "the file is damaged"
TOO_LARGE = "too large: "

SIGNATURE = b"\x89PNG\r\n\x1a\n"


class Bad(NamedTuple):
    name: str  # a file name; its ending is what people would send it with
    data: bytes
    message: str | None  # what the refusal begins with; None: it is accepted
    notice: str | None = None  # part of a notice of an accepted one


def chunk(kind: bytes, body: bytes, crc: int | None = None) -> bytes:
    checksum = zlib.crc32(kind + body) if crc is None else crc
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", checksum)


def ihdr(width: int, height: int, depth: int = 8, colour: int = 2, interlace: int = 0) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace))


def png(rows: list[bytes], width: int, depth: int = 8, colour: int = 2, *between: bytes) -> bytes:
    """A PNG of raw rows without filters; `between` are chunks between IHDR and IDAT."""
    packed = zlib.compress(b"".join(b"\0" + row for row in rows))
    head = SIGNATURE + ihdr(width, len(rows), depth, colour) + b"".join(between)
    return head + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def blank_png(width: int, height: int, colour: int = 2) -> bytes:
    """A PNG of zeros, packed without holding it in memory."""
    channels = {0: 1, 2: 3, 6: 4}[colour]
    pack = zlib.compressobj(9)
    row = b"\0" * (1 + width * channels)
    packed = b"".join(pack.compress(row) for _ in range(height)) + pack.flush()
    return SIGNATURE + ihdr(width, height, 8, colour) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def adam7(array: np.ndarray, depth: int, colour: int) -> bytes:
    """An interlaced PNG of (H,W,C) uint8 or big-endian uint16."""
    height, width = array.shape[:2]
    passes = (
        (0, 0, 8, 8),
        (4, 0, 8, 8),
        (0, 4, 4, 8),
        (2, 0, 4, 4),
        (0, 2, 2, 4),
        (1, 0, 2, 2),
        (0, 1, 1, 2),
    )
    rows = [b"\0" + row.tobytes() for x, y, dx, dy in passes for row in array[y::dy, x::dx] if row.size]
    return (
        SIGNATURE
        + ihdr(width, height, depth, colour, 1)
        + chunk(b"IDAT", zlib.compress(b"".join(rows)))
        + chunk(b"IEND", b"")
    )


@functools.cache
def photo(width: int = 40, height: int = 30) -> Image.Image:
    """A small coloured picture with structure; the upper left corner is red, so that turns show."""
    y, x = np.mgrid[0:height, 0:width]
    planes = [(x * 6) % 256, (y * 8) % 256, (x * y) % 256]
    array = np.stack(planes, -1).astype(np.uint8)
    array[: height // 3, : width // 3] = (255, 0, 0)
    return Image.fromarray(array)


def saved(image: Image.Image, kind: str, **how) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **how)
    return out.getvalue()


def exif(orientation: int, gps: bool = False) -> bytes:
    """A TIFF block with one orientation and, if wanted, a pointer to a GPS directory."""
    entries = [struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0)]
    if gps:
        entries.append(struct.pack("<HHII", 0x8825, 4, 1, 38))
    directory = struct.pack("<H", len(entries)) + b"".join(entries) + b"\0\0\0\0"
    return b"II*\0" + struct.pack("<I", 8) + directory + b"\0" * 8


def segment(marker: int, body: bytes) -> bytes:
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(body) + 2) + body


def with_segment(jpeg: bytes, marker: int, body: bytes) -> bytes:
    return jpeg[:2] + segment(marker, body) + jpeg[2:]


def jpeg_of_size(jpeg: bytes, width: int, height: int) -> bytes:
    """The same JPEG whose header claims another size."""
    at = jpeg.index(b"\xff\xc0") + 5
    return jpeg[:at] + struct.pack(">HH", height, width) + jpeg[at + 4 :]


def tiny_jpeg(side: int) -> bytes:
    """A few kB that a decoder would unfold to side² grey pixels: one progressive scan of hardly any bits."""
    base = saved(Image.new("L", (8, 8), 128), "JPEG", progressive=True)
    at = base.index(b"\xff\xc2") + 5
    return base[:at] + struct.pack(">HH", side, side) + base[at + 4 :]


def tiff(width: int, height: int, bits: int, kind: int, pixels: bytes, following: int = 0) -> bytes:
    """A grey TIFF; kind 1 unsigned, 3 floating point; `following`: where the next directory is said to be."""
    values = ((256, 4, width), (257, 4, height), (258, 3, bits), (259, 3, 1), (262, 3, 1))
    values += ((273, 4, 8), (277, 3, 1), (278, 4, height), (279, 4, len(pixels)), (339, 3, kind))
    entries = b"".join(struct.pack("<HHII", tag, form, 1, value) for tag, form, value in values)
    directory = struct.pack("<H", len(values)) + entries + struct.pack("<I", following)
    return b"II*\0" + struct.pack("<I", 8 + len(pixels)) + pixels + directory


def bmp_header(width: int, height: int) -> bytes:
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 2835, 2835, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54 + 6, 0, 0, 54) + header + b"\0" * 6


def gif_of_size(width: int, height: int) -> bytes:
    whole = saved(Image.new("P", (4, 4)), "GIF")
    return whole[:6] + struct.pack("<HH", width, height) + whole[10:]


def frames(kind: str, count: int = 3) -> bytes:
    pictures = [photo().point([v // (k + 1) for v in range(256)] * 3) for k in range(count)]
    return saved(pictures[0], kind, save_all=True, append_images=pictures[1:], duration=50)


def _not_pictures() -> list[Bad]:
    whole = saved(photo(), "PNG")
    jpeg = saved(photo(), "JPEG")
    svg = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>'
    entities = (
        b'<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><svg>&b;</svg>'
    )
    no_meta = (
        box(b"ftyp", b"avif\0\0\0\0avifmif1miaf") + box(b"meta", b"\0" * 100) + box(b"mdat", b"\1" * 400)
    )
    whole_avif, whole_heic = avif(smooth()), heic(smooth())
    files = {
        "zero bytes.png": b"",
        "one byte.png": b"\x89",
        "random bytes.png": random.Random(1).randbytes(4000),
        "text.png": b"Dear sir, the picture is attached.\n",
        "html.png": b"<!DOCTYPE html>\n<html><body>Not found</body></html>",
        "drawing.svg": svg,
        "entities.svg": entities,
        "document.pdf": b"%PDF-1.7\n1 0 obj << /Type /Catalog >> endobj\n%%EOF",
        "archive.zip": b"PK\x03\x04\x14\0\0\0\0\0" + b"\0" * 40,
        "program": b"\x7fELF\x02\x01\x01" + b"\0" * 60,
        "PNG signature only.png": SIGNATURE,
        "PNG header only.png": SIGNATURE + ihdr(8, 8),
        "half a header.png": whole[:20],
        "bad IHDR checksum.png": whole[:29] + bytes(b ^ 255 for b in whole[29:33]) + whole[33:],
        "0x0.png": SIGNATURE + ihdr(0, 0) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b""),
        "0x10.png": SIGNATURE + ihdr(0, 10) + chunk(b"IDAT", zlib.compress(b"\0" * 10)) + chunk(b"IEND", b""),
        "bit depth 3.png": png([b"\0" * 24] * 8, 8, 3, 2),
        "start of a JPEG only.jpg": b"\xff\xd8\xff",
        "two bytes of a JPEG.jpg": b"\xff\xd8",
        "JPEG of height 0.jpg": jpeg_of_size(jpeg, 40, 0),
        "header only.heic": box(b"ftyp", b"heic\0\0\0\0mif1heic") + box(b"meta", b"\0" * 100),
        "picture.jxl": b"\xff\x0a" + b"\x7f\x10" * 30,
        "container.jxl": b"\0\0\0\x0cJXL \r\n\x87\n" + b"\0" * 40,
        "empty header.avif": no_meta,
        "half an AVIF.avif": whole_avif[: len(whole_avif) // 2],
        "half a HEIC.heic": whole_heic[: len(whole_heic) // 2],
        "AVIF less 1 byte.avif": whole_avif[:-1],
        "film.mp4": box(b"ftyp", b"isom\0\0\0\0isomiso2") + box(b"mdat", b"\1" * 400),
        "sound.webp": b"RIFF" + struct.pack("<I", 36) + b"WAVEfmt " + b"\0" * 28,
    }
    return [Bad(name, data, NOT_A_PICTURE) for name, data in files.items()]


def _not_supported() -> list[Bad]:
    jp2 = (
        box(b"jP  ", b"\r\n\x87\n")
        + box(b"ftyp", b"jp2 \0\0\0\0jp2 ")
        + box(b"jp2c", b"\xff\x4f\xff\x51" * 30)
    )
    page = tiff(4, 4, 8, 1, b"\x80" * 16)
    unit = np.linspace(0, 1, 16, dtype="<f4")
    holes = np.where(np.arange(16) == 5, np.float32("nan"), unit).astype("<f4")
    tga = struct.pack("<BBBHHBHHHHBB", 0, 0, 2, 0, 0, 0, 0, 0, 4, 4, 24, 32) + b"\x40" * 48
    files = {
        "drawing.eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) (r) file\nshowpage\n",
        "bomb.psd": b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, 30000, 30000, 8, 3) + b"\0" * 14,
        "sky.fits": b"SIMPLE  =                    T".ljust(80) + b"END".ljust(2800),
        "texture.dds": b"DDS " + struct.pack("<II", 124, 0x1007) + b"\0" * 116,
        "drawing.wmf": b"\xd7\xcd\xc6\x9a\0\0" + b"\0" * 30,
        "drawing.emf": b"\1\0\0\0" + b"\0" * 36 + b" EMF" + b"\0" * 40,
        "bitmap.xbm": b"#define a_width 8\n#define a_height 1\nstatic char a_bits[] = { 0x55 };\n",
        "huge.ppm": b"P6\n100000 100000\n255\n" + b"\0" * 30,
        "negative.ppm": b"P6\n-5 -5\n255\n" + b"\0" * 30,
        "picture.qoi": b"qoif" + struct.pack(">IIBB", 2, 2, 3, 0) + b"\xc3" + b"\0" * 7 + b"\1",
        "picture.tga": tga,
        "icon.ico": struct.pack("<HHH", 0, 1, 1) + b"\x10\x10\0\0\1\0\x20\0" + struct.pack("<II", 40, 22),
        "picture.sgi": struct.pack(">HBBHHHH", 474, 0, 1, 3, 4, 4, 3).ljust(512, b"\0") + b"\x40" * 48,
        "picture.pcx": b"\x0a\5\1\x08" + struct.pack("<HHHH", 0, 0, 3, 3).ljust(124, b"\0") + b"\x40" * 16,
        "picture.jp2": jp2,
        "half.jp2": jp2[: len(jp2) // 2],
        "codestream.j2k": b"\xff\x4f\xff\x51" + b"\0" * 60,
        "sequence.avif": avif(smooth(), save_all=True, append_images=[smooth().rotate(90)]),
        "sequence.heic": with_brand(heic(smooth()), b"hevc"),
        "sequence of any codec.heic": with_brand(heic(smooth()), b"msf1"),
        "pages.tif": page[:-4] + struct.pack("<I", len(page)) + page[24:],
        "loop.tif": tiff(4, 4, 8, 1, b"\x80" * 16, following=24),
        "nan.tif": tiff(4, 4, 32, 3, holes.tobytes()),
        "unit.tif": tiff(4, 4, 32, 3, unit.tobytes()),
        "wide.bmp": bmp_header(2**30, 1),
        "65535.gif": gif_of_size(65535, 65535),
    }
    return [Bad(name, data, NOT_SUPPORTED) for name, data in files.items()]


def _damaged() -> list[Bad]:
    noise = Image.frombytes("RGB", (40, 30), random.Random(2).randbytes(3600))
    whole, jpeg, webp = saved(noise, "PNG"), saved(noise, "JPEG"), saved(noise, "WEBP")
    inside = whole.index(b"IDAT") + 1000
    head, rest = whole[:33], whole[33:]
    short = zlib.compress(b"\0" * 90)
    files = {
        "half.png": whole[: len(whole) // 2],
        "flipped IDAT byte.png": whole[:inside] + bytes([whole[inside] ^ 1]) + whole[inside + 1 :],
        "huge chunk.png": head + struct.pack(">I", 2**31 - 1) + b"abCd" + rest,
        "huge IDAT.png": head + struct.pack(">I", 2**31 - 1) + rest[4:],
        "broken chunk name.png": head + struct.pack(">I", 0) + b"\0\1\2\3" + rest,
        "too few pixels.png": SIGNATURE + ihdr(40, 30) + chunk(b"IDAT", short) + chunk(b"IEND", b""),
        "not packed.png": SIGNATURE + ihdr(40, 30) + chunk(b"IDAT", b"nothing packed") + chunk(b"IEND", b""),
        "unknown filter.png": SIGNATURE + ihdr(1, 1) + chunk(b"IDAT", zlib.compress(b"\x09\1\2\3")),
        "half.jpg": jpeg[: len(jpeg) // 2],
        "JPEG less 2 bytes.jpg": jpeg[:-2],
        "JPEG without pixels.jpg": jpeg[: jpeg.index(b"\xff\xda")] + b"\xff\xd9",
        "half.webp": webp[: len(webp) // 2],
        "half.gif": frames("GIF")[: len(frames("GIF")) // 2],
        "no pixels.heic": without_pixels(heic(smooth())),
        "no pixels.avif": without_pixels(avif(smooth())),
        "coded larger than it says.heic": with_size(heic(smooth(400, 300)), 64, 64),
        "coded larger than it says.avif": with_size(avif(smooth(400, 300)), 64, 64),
    }
    return [Bad(name, data, DAMAGED) for name, data in files.items()]


def _too_large() -> list[Bad]:
    jpeg = saved(photo(), "JPEG")
    bomb = zlib.compress(b"\0" * (20 * 2**20), 9)
    row = [b"\x80" * 24] * 8
    open_end = bomb[:-4] + b"nope"  # it ends in a wrong checksum
    most = 2**31 - 1
    header = SIGNATURE + ihdr(most, most) + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")
    vp8x = b"VP8X" + struct.pack("<II", 10, 0) + (19_999).to_bytes(3, "little") * 2
    webp = b"RIFF" + struct.pack("<I", 4 + len(vp8x)) + b"WEBP" + vp8x
    files = {
        f"{most}x{most}.png": (header, f"{most}×{most}"),
        "50000x50000.png": (SIGNATURE + ihdr(50_000, 50_000) + chunk(b"IDAT", bomb), "50000×50000"),
        "13400x13400.png": (blank_png(13_400, 13_400, 0), "13400×13400"),
        "13000x13000.png": (blank_png(13_000, 13_000, 0), "13000×13000"),
        "13000x13000.jpg": (tiny_jpeg(13_000), "13000×13000"),
        "9400x9400.png": (SIGNATURE + ihdr(9_400, 9_400, 1, 0) + chunk(b"IDAT", bomb), "9400×9400"),
        "65535x65535.jpg": (jpeg_of_size(jpeg, 65535, 65535), "65535×65535"),
        "zTXt bomb.png": (png(row, 8, 8, 2, chunk(b"zTXt", b"a\0\0" + bomb)), "8×8"),
        "zTXt bomb with a wrong checksum.png": (
            png(row, 8, 8, 2, chunk(b"zTXt", b"a\0\0" + open_end)),
            "8×8",
        ),
        "iTXt bomb.png": (png(row, 8, 8, 2, chunk(b"iTXt", b"a\0\1\0\0\0" + bomb)), "8×8"),
        "iCCP bomb.png": (png(row, 8, 8, 2, chunk(b"iCCP", b"a\0\0" + bomb)), "8×8"),
        "5000000x1.png": (blank_png(5_000_000, 1, 0), "5000000×1"),
        "30000x1.png": (blank_png(30_000, 1), "30000×1"),
        "1x30000.png": (blank_png(1, 30_000), "1×30000"),
        "4001x4000.png": (SIGNATURE + ihdr(4001, 4000) + chunk(b"IDAT", bomb), "4001×4000"),
        "20000x20000.webp": (webp, "20000×20000"),
        "4001x4000.heic": (with_size(heic(smooth()), 4001, 4000), "4001×4000"),
        "4294967295x1.heic": (with_size(heic(smooth()), 2**32 - 1, 1), f"{2**32 - 1}×1"),
        "13000x13000.avif": (with_size(avif(smooth()), 13_000, 13_000), "13000×13000"),
    }
    return [Bad(name, data, TOO_LARGE + size) for name, (data, size) in files.items()]


def _accepted() -> list[Bad]:
    rgb = photo()
    whole, jpeg = saved(rgb, "PNG"), saved(rgb, "JPEG", quality=95)
    alpha = rgb.convert("RGBA")
    alpha.putalpha(rgb.getchannel("R"))
    wide = (np.arange(64, dtype=np.uint32).reshape(8, 8) * 1031 % 65536).astype(">u2")
    rows = [row.tobytes() for row in wide]
    wide_rgb = [np.stack([row, row[::-1], row // 2], -1).astype(">u2").tobytes() for row in wide]
    grey_rows, key = [bytes(range(0, 80, 10))] * 8, struct.pack(">H", 30)
    extra = chunk(b"IDAT", zlib.compress((b"\0" + b"\x55" * 24) * 8 + b"more" * 1000)) + chunk(b"IEND", b"")
    no_palette = png([bytes(range(0, 240, 30))] * 8, 8, 8, 3)
    broken_icc = with_segment(jpeg, 0xE2, b"ICC_PROFILE\0\1\1" + b"\7" * 40)
    orientation = b"Exif\0\0" + exif(6)
    files = {
        "PNG less 1 byte.png": (whole[:-1], "the file's end is missing"),
        "no IEND.png": (whole[:-12], "the file's end is missing"),
        "1x1.png": (png([b"\1\2\3"], 1), "only 1×1 px"),
        "2x1.png": (png([b"\1\2\3\4\5\6"], 2), "only 2×1 px"),
        "1-bit.png": (saved(rgb.convert("1"), "PNG"), "1-bit"),
        "L.png": (saved(rgb.convert("L"), "PNG"), "grey"),
        "LA.png": (saved(alpha.convert("LA"), "PNG"), "transparency is kept separately"),
        "P.png": (saved(rgb.quantize(16), "PNG"), "palette expanded"),
        "P without palette.png": (no_palette, "palette is missing"),
        "tRNS.png": (png(grey_rows, 8, 8, 0, chunk(b"tRNS", key)), "transparency is kept separately"),
        "RGBA.png": (saved(alpha, "PNG"), "transparency is kept separately"),
        "opaque RGBA.png": (saved(rgb.convert("RGBA"), "PNG"), "opaque everywhere"),
        "16-bit RGB.png": (png(wide_rgb, 8, 16, 2), "16-bit colour, read at 8 bits"),
        "I;16.png": (png(rows, 8, 16, 0), "16-bit rescaled"),
        "CMYK.jpg": (saved(rgb.convert("CMYK"), "JPEG"), "CMYK converted"),
        "grey.jpg": (saved(rgb.convert("L"), "JPEG"), "grey"),
        "EXIF orientation 6.jpg": (with_segment(jpeg, 0xE1, orientation), "turned upright as its EXIF says"),
        "EXIF orientation 6.png": (whole[:33] + chunk(b"eXIf", exif(6)) + whole[33:], "turned upright"),
        "EXIF orientation 99.jpg": (with_segment(jpeg, 0xE1, b"Exif\0\0" + exif(99)), "orientation 99"),
        "broken EXIF.jpg": (with_segment(jpeg, 0xE1, b"Exif\0\0II*\0\xff\xff"), "EXIF is broken"),
        "GPS.jpg": (with_segment(jpeg, 0xE1, b"Exif\0\0" + exif(1, gps=True)), "GPS"),
        "broken ICC.jpg": (broken_icc, "colour profile was not applied"),
        "broken ICC.png": (whole[:33] + chunk(b"iCCP", b"a\0\0no") + whole[33:], "colour profile"),
        "progressive.jpg": (saved(rgb, "JPEG", progressive=True), "progressive"),
        "two JPEGs.jpg": (jpeg + jpeg, "after the picture's end were left out"),
        "1 MB of trailing bytes.png": (whole + b"\0" * 2**20, f"{2**20} bytes after the picture's end"),
        "1 MB of trailing bytes.jpg": (jpeg + b"\xff" * 2**20, f"{2**20} bytes after the picture's end"),
        "polyglot.png": (whole + b"PK\x05\x06" + b"\0" * 18, "22 bytes after the picture's end"),
        "oversized IDAT.png": (SIGNATURE + ihdr(8, 8) + extra, "more pixel data"),
        "unknown chunk.png": (whole[:33] + chunk(b"abCd", b"what?") + whole[33:], "unknown chunk abCd"),
        "with text.png": (whole[:33] + chunk(b"tEXt", b"Author\0somebody") + whole[33:], "metadata"),
        "animated GIF.png": (frames("GIF"), "first frame of an animation of 3"),
        "animated.webp": (frames("WEBP"), "first frame of an animation of 3"),
        "animated PNG.png": (frames("PNG"), "first frame of an animation of 3"),
        "PNG named.gif": (whole, None),
        "picture.webp": (saved(rgb, "WEBP"), None),
        "phone.heic": (phone_heic(smooth(200, 150)), "turned upright as the file says"),
        "phone with GPS.heic": (phone_heic(smooth(200, 150)), "GPS"),
        "picture.heic": (heic(smooth()), None),
        "10-bit.heic": (ten_bit_heic(), "10-bit colour, read at 8 bits"),
        "transparent.heic": (heic(alpha), "transparency is kept separately"),
        "picture.avif": (avif(smooth()), None),
        "phone.avif": (avif(smooth(), exif=exif_of(6, gps=True)), "turned upright as the file says"),
        "phone with GPS.avif": (avif(smooth(), exif=exif_of(1, gps=True)), "GPS"),
        "transparent.avif": (avif(alpha), "transparency is kept separately"),
        "1 MB of trailing bytes.heic": (
            heic(smooth()) + b"\0" * 2**20,
            f"{2**20} bytes after the picture's end",
        ),
        "transparent.webp": (saved(alpha, "WEBP", lossless=True), "transparency is kept separately"),
    }
    return [Bad(name, data, None, notice) for name, (data, notice) in files.items()]


BAD: tuple[Bad, ...] = (*_not_pictures(), *_not_supported(), *_damaged(), *_too_large(), *_accepted())
