"""A file's bytes → a checked Picture: which format it is, its reader, and the same form for all of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from gansr.picture import gif, heif, jpeg, png, webp
from gansr.picture.arrays import Samples, to_planes
from gansr.picture.decoded import Decoded
from gansr.picture.exif import read_exif, turn_upright
from gansr.picture.refused import refusal_of
from gansr.picture.source import read_bytes


@dataclass(frozen=True, eq=False)
class Picture:
    """A checked picture. `notices` tell, one short sentence each, what was changed or left out."""

    rgb: Tensor  # (3,H,W) float32 in [0,1]; under transparency the picture's own colours
    alpha: Tensor | None  # (1,H,W) float32 in [0,1], or None where the picture is fully opaque
    grey: bool  # the three channels are equal everywhere
    notices: tuple[str, ...]
    sha256: str = ""
    """Hex digest of the file's bytes; left empty, it becomes that of the pixels. A copy with other pixels
    (`dataclasses.replace`) needs sha256="" too, or it keeps the file's."""

    def __post_init__(self) -> None:
        if not self.sha256:
            object.__setattr__(self, "sha256", _digest_of_pixels(self.rgb, self.alpha))


def open_picture(source: str | Path | bytes) -> Picture:
    """The checked picture of a file's bytes, or of a path that the caller has checked.

    Takes PNG, JPEG, WebP, HEIC and AVIF (and a GIF's first frame) of at most 16 megapixels, no side over 8192, at
    most 64 MB. Raises PictureError, whose text begins with NOT_A_PICTURE, NOT_SUPPORTED, DAMAGED or TOO_LARGE
    where a file was read; URLs, `data:` URLs, folders, missing files and anything else have texts of their own.
    """
    data = read_bytes(source)
    return _normalise(_reader_of(data)(data), hashlib.sha256(data).hexdigest)


def _reader_of(data: bytes) -> Callable[[bytes], Decoded]:
    if data.startswith(png.SIGNATURE):
        return png.read
    if data.startswith(b"\xff\xd8\xff"):
        return jpeg.read
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return webp.read
    if data[:6] in (b"GIF87a", b"GIF89a"):
        return gif.read
    if heif.is_heif(data):
        return heif.read
    raise refusal_of(data)


def _normalise(decoded: Decoded, digest: Callable[[], str]) -> Picture:
    """Upright, RGB and alpha apart, float32."""
    notices = list(decoded.notices)
    samples = _upright(decoded, notices)
    colours, alpha = samples, None
    if samples.shape[-1] in (2, 4):
        colours, alpha = samples[..., :-1], _alpha(samples[..., -1:], notices)
    grey = colours.shape[-1] == 1 or _is_grey(colours)
    rgb = to_planes(colours).expand(3, -1, -1).contiguous()
    height, width = rgb.shape[1:]
    if grey:
        notices.append("grey: kept grey")
    if min(height, width) < 8:
        notices.append(f"only {width}×{height} px: there is hardly anything to enlarge")
    return Picture(rgb, alpha, grey, tuple(notices), digest())


def _upright(decoded: Decoded, notices: list[str]) -> Samples:
    if decoded.exif is None:
        return decoded.samples
    exif = read_exif(decoded.exif)
    if exif is None:
        notices.append("its EXIF is broken and was left out")
        return decoded.samples
    if exif.gps:
        notices.append("the place where it was taken (GPS) was removed")
    if not decoded.exif_turns:
        return decoded.samples
    if exif.orientation not in range(1, 9):
        notices.append(f"its EXIF orientation {exif.orientation} does not exist and was ignored")
    elif exif.orientation > 1:
        notices.append("turned upright as its EXIF says")
    return turn_upright(decoded.samples, exif.orientation)


def _is_grey(colours: Samples) -> bool:
    first = colours[..., 0]
    return bool(np.array_equal(first, colours[..., 1]) and np.array_equal(first, colours[..., 2]))


def _alpha(values: Samples, notices: list[str]) -> Tensor | None:
    if values.min() == np.iinfo(values.dtype).max:
        notices.append("its transparency is opaque everywhere and was left out")
        return None
    notices.append("transparency is kept separately")
    return to_planes(values)


def _digest_of_pixels(rgb: Tensor, alpha: Tensor | None) -> str:
    digest = hashlib.sha256()
    for planes in (rgb, alpha):
        if planes is None:
            continue
        array = planes.detach().cpu().contiguous().numpy()
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(array.data)
    return digest.hexdigest()
