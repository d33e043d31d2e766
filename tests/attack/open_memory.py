"""How much memory the opening of one large picture takes, for every format and mode that is read.

Each picture is opened in a process of its own. Printed is the growth of its peak resident size (VmHWM) over what the
process had before, the result included, and how much of it remains once the picture is dropped. The promise: a growth
below 300 MB for any picture of at most 16 megapixels.

    python -m tests.attack.open_memory --pixels 16000000
"""

from __future__ import annotations

import argparse
import io
import random
import tempfile
import zlib
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
from PIL import Image

from tests.support.bad_inputs import SIGNATURE, adam7, chunk, ihdr
from tests.support.watch import child_figures

MOST = 300e6  # bytes of growth
RATIO = 1.6  # width to height

CHILD = """
import sys, time
from pathlib import Path
from gansr.memory import peak
from gansr.picture import open_picture

def resident():
    rows = Path("/proc/self/status").read_text().split("\\n")
    return next(int(row.split()[1]) * 1024 for row in rows if row.startswith("VmRSS"))

open_picture(Path(sys.argv[2]))  # its codec is loaded
Path("/proc/self/clear_refs").write_text("5")
before = resident()
began = time.perf_counter()
picture = open_picture(Path(sys.argv[1]))
seconds = time.perf_counter() - began
growth = peak() - before
result = sum(t.numel() * 4 for t in (picture.rgb, picture.alpha) if t is not None)
del picture
print(growth, result, resident() - before, seconds)
"""


def _noise(pixels: int, channels: int, seed: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """(H,W,channels): a gradient with noise of two bits, so that a file of 16 megapixels stays below 64 MB."""
    height = max(16, round((pixels / RATIO) ** 0.5) // 16 * 16)
    width = max(16, int(pixels / height) // 16 * 16)
    rng = np.random.default_rng(seed)
    ramp = (np.arange(height)[:, None] // 16 + np.arange(width)[None] // 16).astype(np.uint8)
    return ramp[..., None] + rng.integers(0, 4, (height, width, channels), np.uint8)


def _png16(samples: np.ndarray[Any, np.dtype[np.uint8]], colour: int) -> bytes:
    """A 16-bit PNG, whose samples are the 8-bit ones and a fixed low byte."""
    height, width, channels = samples.shape
    wide = np.full((height, 1 + width * channels * 2), 7, np.uint8)
    wide[:, 0] = 1  # filter Sub
    flat = samples.reshape(height, -1)
    wide[:, 1::2] = flat
    wide[:, 1 + 2 * channels :: 2] -= flat[:, :-channels]
    wide[:, 2 + 2 * channels :: 2] = 0
    packed = chunk(b"IDAT", zlib.compress(wide.tobytes(), 1))
    return SIGNATURE + ihdr(width, height, 16, colour) + packed + chunk(b"IEND", b"")


def _saved(image: Image.Image, format: str, **how: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, format, **how)
    return out.getvalue()


def _heic(image: Image.Image, **how: Any) -> bytes:
    out = io.BytesIO()
    pillow_heif.from_pillow(image).save(out, **{"quality": 50, "chroma": 420, "preset": "ultrafast", **how})
    return out.getvalue()


def makers(pixels: int, seed: int) -> Mapping[str, Callable[[], bytes]]:
    """name → how its file is made."""

    @cache
    def image(channels: int) -> Image.Image:
        samples = _noise(pixels, channels, seed)
        return Image.fromarray(samples[..., 0] if channels == 1 else samples)

    def samples(channels: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
        return _noise(pixels, channels, seed)

    turned = Image.Exif()
    turned[274] = 6
    return {
        "png 1 bit": lambda: _saved(image(1).convert("1"), "PNG"),
        "png grey": lambda: _saved(image(1), "PNG", compress_level=1),
        "png grey alpha": lambda: _saved(image(2), "PNG", compress_level=1),
        "png rgb": lambda: _saved(image(3), "PNG", compress_level=1),
        "png rgba": lambda: _saved(image(4), "PNG", compress_level=1),
        "png rgba turned": lambda: _saved(image(4), "PNG", compress_level=1, exif=turned),
        "png rgba interlaced": lambda: adam7(samples(4), 8, 6),
        "png palette": lambda: _saved(image(3).quantize(64, dither=Image.Dither.NONE), "PNG"),
        "png palette alpha": lambda: _saved(image(3).quantize(64), "PNG", transparency=b"\x10" * 64),
        "png rgb key": lambda: _saved(image(3), "PNG", compress_level=1, transparency=(3, 3, 3)),
        "png 16-bit grey": lambda: _png16(samples(1), 0),
        "png 16-bit grey key": lambda: _keyed(_png16(samples(1), 0)),
        "png 16-bit grey alpha": lambda: _png16(samples(2), 4),
        "png 16-bit rgb": lambda: _png16(samples(3), 2),
        "png 16-bit rgba": lambda: _png16(samples(4), 6),
        "jpeg grey": lambda: _saved(image(1), "JPEG"),
        "jpeg": lambda: _saved(image(3), "JPEG", quality=95),
        "jpeg turned": lambda: _saved(image(3), "JPEG", exif=turned),
        "jpeg progressive": lambda: _saved(image(3), "JPEG", quality=95, subsampling=0, progressive=True),
        "jpeg cmyk": lambda: _saved(image(4).convert("RGB").convert("CMYK"), "JPEG"),
        "webp": lambda: _saved(image(3), "WEBP", method=0),
        "webp alpha": lambda: _saved(image(4), "WEBP", method=0),
        "webp lossless": lambda: _saved(image(3), "WEBP", lossless=True, method=0, quality=0),
        "webp lossless alpha": lambda: _saved(
            image(4), "WEBP", lossless=True, method=0, quality=0, exact=True
        ),
        "gif": lambda: _saved(image(3).quantize(64), "GIF"),
        "gif alpha": lambda: _saved(image(3).quantize(64), "GIF", transparency=5),
        "heic": lambda: _heic(image(3)),
        "heic alpha": lambda: _heic(image(4)),
        "avif": lambda: _saved(image(3), "AVIF", speed=10),
        "avif alpha": lambda: _saved(image(4), "AVIF", speed=10),
        "avif 4:4:4 alpha": lambda: _saved(image(4), "AVIF", speed=10, subsampling="4:4:4"),
    }


def _keyed(png: bytes) -> bytes:
    """With one transparent grey."""
    at = len(SIGNATURE) + 25
    return png[:at] + chunk(b"tRNS", b"\x03\x07") + png[at:]


def measure(large: Path, small: Path) -> tuple[float, float, float, float]:
    """(growth, result, what remains after it was dropped) in bytes, and seconds."""
    growth, result, left, seconds = child_figures(CHILD, large, small)
    return growth, result, left, seconds


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=0, help="so many formats, chosen by the seed; 0: all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pixels", type=int, default=16_000_000)
    parser.add_argument("--only", default="", help="formats whose name holds this")
    parser.add_argument(
        "--files", type=Path, help="a folder in which the pictures are kept for the next time"
    )
    given = parser.parse_args(arguments)
    large, small = makers(given.pixels, given.seed), makers(4096, given.seed)
    names = [name for name in large if given.only in name]
    if given.count:
        names = random.Random(given.seed).sample(names, min(given.count, len(names)))
    worst = 0.0
    print(f"{'format':24}{'file':>8}{'result':>8}{'growth':>8}{'left':>8}  MB{'seconds':>10}")
    with tempfile.TemporaryDirectory() as folder:
        place = given.files or Path(folder)
        for name in names:
            first, second = place / f"{name.replace(':', '')}-{given.pixels}", Path(folder) / "small"
            if not first.exists():
                first.write_bytes(large[name]())
            second.write_bytes(small[name]())
            growth, result, left, seconds = measure(first, second)
            worst = max(worst, growth)
            sizes = "".join(f"{size / 1e6:8.0f}" for size in (first.stat().st_size, result, growth, left))
            print(f"{name:24}{sizes}    {seconds:10.2f}", flush=True)
    print(f"largest growth: {worst / 1e6:.0f} MB of {MOST / 1e6:.0f}")
    return int(worst >= MOST)


if __name__ == "__main__":
    raise SystemExit(main())
