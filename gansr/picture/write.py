"""Pictures → files: PNG with text, and its text back; JPEG there and back; WebP, still and animated."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

import numpy as np
import torch
from PIL import Image, PngImagePlugin
from torch import Tensor

from gansr.picture import limits, png
from gansr.picture.arrays import from_array, to_array
from gansr.picture.limits import PictureError, damaged, not_a_picture
from gansr.picture.source import read_bytes

_RUN_LENGTHS = 3  # zlib's Z_RLE: as small as level 6 on photographs, and faster
_REC601 = (0.299, 0.587, 0.114)


def to_png(
    image: Tensor, alpha: Tensor | None = None, grey: bool = False, text: Mapping[str, str] | None = None
) -> bytes:
    """A lossless 8-bit PNG of (3,H,W) in [0,1], rounded to nearest, with alpha (1,H,W) if given.

    `grey` writes one channel (Rec. 601 luma; of equal channels exactly their value). `text` becomes iTXt chunks:
    keys of 1 to 79 Latin-1 characters, 1 MB in all. Raises ValueError for other shapes or texts.
    """
    if image.ndim != 3 or image.shape[0] != 3 or image.numel() == 0:
        raise ValueError(f"a picture has shape (3,H,W), not {tuple(image.shape)}")
    height, width = image.shape[1:]
    if alpha is not None and alpha.shape != (1, height, width):
        raise ValueError(
            f"the alpha of a {width}×{height} picture is (1,{height},{width}), not {tuple(alpha.shape)}"
        )
    if grey:
        weights = torch.tensor([_REC601])
        image = cast(Tensor, torch.tensordot(weights, image.detach().to("cpu", torch.float32), 1))
    pixels = to_array(image)
    if alpha is not None:
        pixels = np.concatenate([pixels, to_array(alpha)], -1)
    packed = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(
        packed, "PNG", pnginfo=_text_chunks(text or {}), compress_level=1, compress_type=_RUN_LENGTHS
    )
    return packed.getvalue()


def _text_chunks(text: Mapping[str, str]) -> PngImagePlugin.PngInfo:
    chunks, total = PngImagePlugin.PngInfo(), 0
    for key, value in text.items():
        name = key.encode("latin-1")  # raises UnicodeEncodeError, which is a ValueError
        if not 1 <= len(key) <= 79 or not key.isprintable() or "\0" in value:
            raise ValueError(f"a PNG's text has keys of 1 to 79 Latin-1 letters and no NUL, not {key[:80]!r}")
        total += len(name) + 5 + len(value.encode())
        chunks.add_itxt(key, value)
    if total > limits.MAX_TEXT:
        raise ValueError(f"the text of a PNG is at most {limits.MAX_TEXT} bytes here")
    return chunks


def read_text(source: str | Path | bytes) -> dict[str, str]:
    """The uncompressed texts of a PNG, key → value, read up to its pixels and at most 1 MB; {} if none.

    Raises PictureError if the source cannot be read, is no PNG, or is cut short before its pixels.
    """
    data = read_bytes(source, 2 * limits.MAX_TEXT)
    if not data.startswith(png.SIGNATURE):
        raise not_a_picture("only a PNG that this program wrote carries its settings")
    found, total = dict[str, str](), 0
    for chunk in png.chunks(data):
        if chunk.kind == b"IDAT":
            return found
        total += len(chunk.body) if chunk.kind in (b"tEXt", b"iTXt") else 0
        if total > limits.MAX_TEXT:
            raise PictureError(
                f"{limits.TOO_LARGE}: the PNG carries over 1 MB of text. "
                "Choose a PNG as this program wrote it."
            )
        if chunk.sound:
            found.update(_text_of(chunk))
    raise damaged("the PNG is cut short before its pixels")


def _text_of(chunk: png.Chunk) -> dict[str, str]:
    key, _, rest = bytes(chunk.body).partition(b"\0")
    if chunk.kind == b"tEXt":
        return {key.decode("latin-1"): rest.decode("latin-1")}
    if chunk.kind == b"iTXt" and rest[:1] == b"\0":
        value = rest[2:].partition(b"\0")[2].partition(b"\0")[2]
        return {key.decode("latin-1"): value.decode("utf-8", "replace")}
    return {}


def jpeg_round_trip(image: Tensor, quality: int) -> Tensor:
    """(3,H,W) in [0,1], rounded to 8 bits, compressed as JPEG of quality 1…95 and decoded: (3,H,W) in [0,1].

    On the device and in the type of `image`. Raises ValueError for another shape.
    """
    packed = io.BytesIO()
    Image.fromarray(to_array(image)).save(packed, "JPEG", quality=quality)
    with Image.open(packed, formats=["JPEG"]) as opened:
        return from_array(np.asarray(opened)).to(image)


def to_webp(image: Tensor, most: int) -> bytes:
    """A lossy WebP of (3,H,W) in [0,1], at most `most` bytes: of the qualities 90, 80, … 10 the best that fits.

    Raises ValueError for another shape, or where none has.
    """
    picture = Image.fromarray(to_array(image))
    for quality in range(90, 0, -10):
        packed = io.BytesIO()
        picture.save(packed, "WEBP", quality=quality, method=6)
        if packed.tell() <= most:
            return packed.getvalue()
    raise ValueError(f"a picture of {picture.width}×{picture.height} px cannot have {most} bytes")


def to_lossless_webp(image: Tensor) -> bytes:
    """A lossless 8-bit WebP of (3,H,W) in [0,1], rounded to nearest, without metadata. Raises ValueError for another
    shape."""
    packed = io.BytesIO()
    Image.fromarray(to_array(image)).save(packed, "WEBP", lossless=True, quality=100, method=6)
    return packed.getvalue()


def animated_webp(pictures: Sequence[Tensor], milliseconds: int = 120, quality: int = 90) -> bytes:
    """An endless lossy animation of (3,H,W) in [0,1], all of one size, each shown for so many milliseconds.

    Raises ValueError for no pictures or another shape.
    """
    if not pictures:
        raise ValueError("an animation needs at least one picture")
    first, *others = [Image.fromarray(to_array(picture)) for picture in pictures]
    packed = io.BytesIO()
    first.save(
        packed,
        "WEBP",
        save_all=True,
        append_images=others,
        duration=milliseconds,
        loop=0,
        quality=quality,
    )
    return packed.getvalue()
