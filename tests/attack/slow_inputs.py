"""The time of every parser on its worst known inputs of n, 2n and 4n bytes: it must grow in proportion.

    python -m tests.attack.slow_inputs

Seconds are of the thread's CPU time, the least of several times. Inputs that are refused by a count, before all of
them is looked at, take less than in proportion.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import gc
import json
import random
import struct
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr
import torch
from PIL import Image

from gansr import receipt
from gansr.ops.kernel_files import read_kernel
from gansr.options import OptionError
from gansr.picture import PictureError, open_picture
from gansr.ui import address, controls
from tests.support.bad_inputs import SIGNATURE, chunk, ihdr, photo, png, saved, segment, with_segment
from tests.support.heif_files import box, heic, made_heic, smooth

RATIO = 2.3  # the most that twice the bytes may take
TIMES = 5  # how often each is measured
MB = 2**20

Make = Callable[[int], bytes]  # so many bytes, nearly


@functools.cache
def noise(size: int) -> bytes:
    return random.Random(1).randbytes(size)


@functools.cache
def jpeg() -> bytes:
    return saved(photo(), "JPEG")


@functools.cache
def scan_at() -> int:
    at = jpeg().index(b"\xff\xda")
    return at + 2 + int.from_bytes(jpeg()[at + 2 : at + 4], "big")


def _in_jpeg(middle: bytes, at: int) -> bytes:
    return jpeg()[:at] + middle + jpeg()[at:]


def _with_chunks(*chunks: bytes) -> bytes:
    return png([b"\1\2\3"], 1, 8, 2, *chunks)


def _noisy_png(size: int) -> bytes:
    rows = size // 4097
    data = noise(rows * 4096)
    packed = b"".join(b"\0" + data[at : at + 4096] for at in range(0, len(data), 4096))
    return SIGNATURE + ihdr(4096, rows, 8, 0) + chunk(b"IDAT", zlib.compress(packed, 0)) + chunk(b"IEND", b"")


def _split_png(size: int) -> bytes:
    """Pixel data in chunks of a byte: 13 bytes of file each, and never more than MAX_PIECES."""
    whole = _noisy_png(4097 * 20)
    packed = whole[whole.index(b"IDAT") + 4 :][: size // 13]
    pieces = b"".join(chunk(b"IDAT", packed[at : at + 1]) for at in range(len(packed)))
    return SIGNATURE + ihdr(4096, 20, 8, 0) + pieces + chunk(b"IEND", b"")


def _gif() -> bytes:
    return saved(Image.new("P", (4, 4)), "GIF")


def _webp(size: int) -> bytes:
    body = saved(photo(), "WEBP", lossless=True)[12:]
    vp8x = b"VP8X" + struct.pack("<II", 10, 0) + (39).to_bytes(3, "little") + (29).to_bytes(3, "little")
    body = b"WEBP" + vp8x + body + b"junk\0\0\0\0" * (size // 8)
    return b"RIFF" + len(body).to_bytes(4, "little") + body


def _broken_exif(size: int) -> bytes:
    count = min(size // 12, 5000)
    tiff = b"II*\0\x08\0\0\0" + struct.pack("<H", count) + struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0) * count
    return with_segment(jpeg(), 0xE1, b"Exif\0\0" + tiff)


def _properties(size: int) -> bytes:
    items = dict.fromkeys(range(1, 20), b"hvc1")
    numbers = size // 16
    return made_heic(items, [box(b"free", b"12345678")] * numbers, {n: [1] * 200 for n in items})


def _grids(size: int) -> bytes:
    """Grids that share their tiles, each tile with its size behind many other properties."""
    tiles, grids = range(1000, 1064), range(1, 1 + size // 200)
    body = bytes([0, 0, 7, 7]) + struct.pack(">HH", 64, 64)
    sizes = [*[box(b"free", b"")] * 100, box(b"ispe", struct.pack(">III", 0, 64, 64))]
    sizes.append(box(b"ispe", struct.pack(">III", 0, 8, 8)))
    return made_heic(
        dict.fromkeys(grids, b"grid") | dict.fromkeys(tiles, b"hvc1"),
        sizes,
        {n: [*range(1, 101), 101] for n in grids} | {n: [*range(1, 101), 102] for n in tiles},
        dict.fromkeys(grids, body),
        [(grid, list(tiles)) for grid in grids],
    )


def _after(whole: bytes) -> Make:
    return lambda size: whole + noise(size)


def _receipt(middle: Callable[[int], str]) -> Make:
    def made(size: int) -> bytes:
        return _with_chunks(chunk(b"iTXt", b"gansr\0\0\0\0\0" + middle(size).encode()))

    return made


def _mat(size: int) -> bytes:
    """Variables that are not wanted, compressed; there may be no more than MAX_VARIABLES."""
    name = struct.pack("<IIIIIIIIII", 6, 8, 6, 0, 5, 8, 1, 2**20, 1 | 1 << 16, 97)
    one = zlib.compress(struct.pack("<II", 14, 10**6) + name + noise(size // 200))
    element = struct.pack("<II", 15, len(one)) + one
    return b"MATLAB 5.0".ljust(124) + b"\0\1IM" + element * (size // len(element))


CASES: dict[str, tuple[str, int, Make]] = {  # what → (parser, n bytes, the input)
    "JPEG: a run of 0xFF before a segment": ("picture", 8 * MB, lambda n: _in_jpeg(b"\xff" * n, 2)),
    "JPEG: a run of 0xFF in a scan": ("picture", 8 * MB, lambda n: _in_jpeg(b"\xff" * n + b"\0", scan_at())),
    "JPEG: a run of 0xFF at the end": ("picture", 8 * MB, lambda n: jpeg()[:-2] + b"\xff" * n),
    "JPEG: 0xFF 0x00 in a scan": ("picture", MB, lambda n: _in_jpeg(b"\xff\0" * (n // 2), scan_at())),
    "JPEG: restarts in a scan": ("picture", MB, lambda n: _in_jpeg(b"\xff\xd0" * (n // 2), scan_at())),
    "JPEG: empty segments": ("picture", 50_000, lambda n: _in_jpeg(segment(0xFE, b"") * (n // 4), 2)),
    "JPEG: tables": ("picture", MB, lambda n: _in_jpeg(segment(0xDB, b"\1" + b"\1" * 64) * (n // 69), 2)),
    "JPEG: EXIF entries": ("picture", 12_000, _broken_exif),
    "PNG: noise in one chunk": ("picture", 3 * MB, _noisy_png),
    "PNG: pixel data in chunks of a byte": ("picture", 200_000, _split_png),
    "PNG: empty chunks": ("picture", 180_000, lambda n: _with_chunks(*[chunk(b"teSt", b"")] * (n // 12))),
    "PNG: a text with a wrong checksum": (
        "picture",
        4 * MB,
        lambda n: _with_chunks(chunk(b"zTXt", b"a\0\0" + zlib.compress(noise(n), 0)[:-4] + b"nope")),
    ),
    "PNG: texts with wrong checksums": (
        "picture",
        MB,
        lambda n: _with_chunks(*[chunk(b"zTXt", b"a\0\0" + zlib.compress(b"ab" * 20)[:-1] + b"x")] * (n // 40)),
    ),
    "PNG: a text packed into empty blocks": (
        "picture",
        MB,
        lambda n: _with_chunks(chunk(b"zTXt", b"a\0\0\x78\x01" + b"\0\0\0\xff\xff" * (n // 5))),
    ),
    "GIF: blocks of a byte": ("picture", 400_000, lambda n: _gif()[:-1] + b"\x21\xfe" + b"\1a" * (n // 2) + b"\0;"),
    "GIF: extensions": ("picture", 60_000, lambda n: _gif()[:-1] + b"\x21\xfe\0" * (n // 4) + b";"),
    "WebP: empty chunks": ("picture", 120_000, _webp),
    "HEIC: boxes": ("picture", 100_000, lambda n: heic(smooth()) + box(b"free", b"") * (n // 8)),
    "HEIC: properties": ("picture", 100_000, _properties),
    "HEIC: grids of the same tiles": ("picture", 4_000, _grids),
    "bytes after the picture": ("picture", 4 * MB, _after(saved(photo(), "PNG"))),
    "no picture: blanks": ("picture", 8 * MB, lambda n: b" " * n),
    "kernel .csv: one number": ("csv", 200_000, lambda n: b"1" * n),
    "kernel .csv: empty lines": ("csv", 200_000, lambda n: b"\n" * n),
    "kernel .csv: commas": ("csv", 200_000, lambda n: b"," * n),
    "kernel .mat: compressed variables": ("mat", 200_000, _mat),
    "kernel .npy: an endless header": ("npy", 200_000, lambda n: b"\x93NUMPY\2\0" + struct.pack("<I", n) + b"(" * n),
    "receipt: numbers": ("receipt", 200_000, _receipt(lambda n: "1" * n)),
    "receipt: open lists": ("receipt", 200_000, _receipt(lambda n: "[" * n)),
    "receipt: lists in a list": ("receipt", 200_000, _receipt(lambda n: "[" + "[]," * (n // 3) + "[]]")),
    "receipt: numbers in a list": ("receipt", 200_000, _receipt(lambda n: "[" + "1," * (n // 2) + "1]")),
    "receipt: escapes in a text": ("receipt", 200_000, _receipt(lambda n: json.dumps("\n" * (n // 2)))),
    "link: a long value": ("link", 2 * MB, lambda n: b"1" * n),
    "data URL: wrong at its end": ("data URL", 2 * MB, lambda n: b"data:;base64," + b"A" * n + b"!"),
}  # fmt: skip


def _kernel(suffix: str) -> Callable[[bytes], Any]:
    folder = tempfile.TemporaryDirectory()

    def read(data: bytes) -> Any:
        path = Path(folder.name) / f"k{suffix}"
        if not path.exists() or path.stat().st_size != len(data):
            path.write_bytes(data)
        return read_kernel(path)

    return read


PARSERS: dict[str, Callable[[bytes], Any]] = {
    "picture": open_picture,
    "csv": _kernel(".csv"),
    "mat": _kernel(".mat"),
    "npy": _kernel(".npy"),
    "receipt": receipt.read,
    "link": lambda data: address.values_of("compare", {"seed": data.decode(), "example": data.decode()}),
    "data URL": lambda data: controls.bytes_of_data_url(data.decode()),
}


def seconds(parse: Callable[[bytes], Any], data: bytes, times: int) -> float:
    """The least CPU time of several."""
    least = float("inf")
    for _ in range(times):
        began = time.thread_time()
        with contextlib.suppress(PictureError, OptionError, gr.Error):
            parse(data)
        least = min(least, time.thread_time() - began)
    return least


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.attack.slow_inputs")
    parser.add_argument("--count", type=int, default=TIMES, help="how often each is measured")
    parser.add_argument("--share", type=float, default=1.0, help="of the sizes, to try it out")
    parser.add_argument("--only", default="", help="cases whose name holds this")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    gc.disable()  # what the whole program holds is looked through for every so many new objects
    broken = 0
    print("| input | n, bytes | n, ms | 2n, ms | 4n, ms | 2n/n | 4n/2n |\n|---|---|---|---|---|---|---|")
    for name, (kind, size, make) in CASES.items():
        if given.only not in name:
            continue
        size = int(size * given.share)
        inputs = [make(size * times) for times in (1, 2, 4)]
        for _ in range(3):  # a ratio too high by chance is not so three times
            took = [seconds(PARSERS[kind], data, given.count) for data in inputs]
            ratios = took[1] / took[0], took[2] / took[1]
            if max(ratios) <= RATIO:
                break
        broken += max(ratios) > RATIO
        times = " | ".join(f"{1000 * t:.2f}" for t in took)
        print(f"| {name} | {len(inputs[0])} | {times} | {ratios[0]:.2f} | {ratios[1]:.2f} |", flush=True)
    print(f"\nratios over {RATIO}: {broken}")
    return int(broken > 0)


if __name__ == "__main__":
    sys.exit(main())
