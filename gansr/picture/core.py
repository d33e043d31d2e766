"""A file's bytes → a checked Picture: which format it is, its reader, and the same form for all of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from torch import Tensor

from gansr.picture import gif, heif, jpeg, limits, png, webp
from gansr.picture.budget import Budget
from gansr.picture.decoded import Decoded, Prepared
from gansr.picture.exif import read_exif
from gansr.picture.refused import refusal_of
from gansr.picture.rows import give_back_heap, to_picture
from gansr.picture.source import read_bytes, size_of

OPENING = Budget(limits.MAX_OPENING)  # shared by all openings of the process


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


def open_picture(source: str | Path | bytes, declared: Callable[[int], None] | None = None) -> Picture:
    """The checked picture of a file's bytes, or of a path that the caller has checked.

    Takes PNG, JPEG, WebP, HEIC and AVIF (and a GIF's first frame) of at most 16 megapixels, no side over 8192, at
    most 64 MB. Raises PictureError, whose text begins with NOT_A_PICTURE, NOT_SUPPORTED, DAMAGED or TOO_LARGE
    where a file was read; URLs, `data:` URLs, folders, missing files and anything else have texts of their own.

    All openings share OPENING: this one waits until what it takes by its header is free. Before it decodes, `declared`
    gets the bytes of the picture's RGB planes.
    """
    need = 3 * size_of(source)  # the file, and its copy without what the pixels do not need
    while True:
        with OPENING.hold(need) as share:
            data = read_bytes(source)
            digest = hashlib.sha256(data).hexdigest()
            prepared = reader_of(data).read(data)
            del data  # its copy without metadata is enough
            need = prepared.peak
            if share.grow(need):
                if declared is not None:
                    declared(12 * prepared.size[0] * prepared.size[1])
                return _normalise(prepared, digest)
            prepared.file.close()  # who waits holds nothing


class Reader(Protocol):
    """What each format's module has."""

    def read(self, data: bytes) -> Prepared: ...

    def without_metadata(self, data: bytes) -> bytes: ...


def reader_of(data: bytes) -> Reader:
    """The module that reads a file. Raises PictureError for a format not read here."""
    if data.startswith(png.SIGNATURE):
        return png
    if data.startswith(b"\xff\xd8\xff"):
        return jpeg
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return webp
    if data[:6] in (b"GIF87a", b"GIF89a"):
        return gif
    if heif.is_heif(data):
        return heif
    raise refusal_of(data)


def _normalise(prepared: Prepared, digest: str) -> Picture:
    """Decoded, upright, RGB and alpha apart, float32."""
    decoded = prepared.decode()
    give_back_heap(decoded.rows.array.nbytes)
    notices = list(decoded.notices)
    orientation = _orientation(decoded, notices)
    has_alpha = decoded.rows.array.shape[-1] in (2, 4)
    rgb, alpha, grey = to_picture(decoded.rows, orientation)
    if has_alpha and alpha is None:
        notices.append("its transparency is opaque everywhere and was left out")
    elif has_alpha:
        notices.append("transparency is kept separately")
    height, width = rgb.shape[1:]
    if grey:
        notices.append("grey: kept grey")
    if min(height, width) < 8:
        notices.append(f"only {width}×{height} px: there is hardly anything to enlarge")
    return Picture(rgb, alpha, grey, tuple(notices), digest)


def _orientation(decoded: Decoded, notices: list[str]) -> int:
    """How the samples are to be turned, in EXIF's numbers."""
    if decoded.exif is None:
        return decoded.orientation
    exif = read_exif(decoded.exif)
    if exif is None:
        notices.append("its EXIF is broken and was left out")
        return decoded.orientation
    if exif.gps:
        notices.append("the place where it was taken (GPS) was removed")
    if not decoded.exif_turns:
        return decoded.orientation
    if exif.orientation not in range(1, 9):
        notices.append(f"its EXIF orientation {exif.orientation} does not exist and was ignored")
    elif exif.orientation > 1:
        notices.append("turned upright as its EXIF says")
    return exif.orientation


def _digest_of_pixels(rgb: Tensor, alpha: Tensor | None) -> str:
    digest = hashlib.sha256()
    for planes in (rgb, alpha):
        if planes is None:
            continue
        array = planes.detach().cpu().contiguous().numpy()
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(array.data)
    return digest.hexdigest()
