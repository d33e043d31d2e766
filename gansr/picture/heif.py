"""HEIC and AVIF: still pictures, as phones and browsers write them.

The container is walked and every size in it checked, in the boxes and in the coded data, before a codec sees a byte.
The codec gets a copy in which films, metadata and every other item that was not checked are renamed, so that it skips
them. HEVC is decoded by libheif (pillow-heif), AV1 by libavif (Pillow). pillow-heif is called directly: it is not
registered with Pillow, so nothing else that Pillow opens can reach it.

How a picture is to be turned stands in the container (irot, imir) and usually in its EXIF as well. Only the
container counts (ISO/IEC 23008-12 §6.5.10); libheif applies it, for libavif it is applied here.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
import pillow_heif
from PIL import Image

from gansr.picture import limits
from gansr.picture.arrays import Samples
from gansr.picture.decoded import Decoded, Prepared, add_profile_notice, add_trailing_notice, opened
from gansr.picture.heif_boxes import (
    Container,
    Contradiction,
    CutShort,
    Item,
    blanked,
    is_sequence,
    read_container,
)
from gansr.picture.heif_codecs import MOST_UNITS, av1_sizes, hevc_sizes
from gansr.picture.limits import DAMAGED, PictureError, damaged, not_a_picture, not_supported
from gansr.picture.rows import Rows, rows_from

_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"mif1", b"mif2", b"miaf", b"avif", b"avio", b"MiHB", b"MiHE")
_HEVC, _AV1, _GRID = b"hvc1", b"av01", b"grid"
_METADATA = (b"Exif", b"mime", b"uri ")
_UNREAD = b"skip"  # a kind that decoders ignore
_ORIENTATION = 274  # the EXIF tag in which Pillow reports irot and imir
_PEAK = 20  # bytes a pixel
_PADDING = 64  # px: coded sizes are multiples of a block, the container's may be less


@dataclass(frozen=True)
class _Grid:
    rows: int
    columns: int
    width: int
    height: int


def is_heif(data: bytes) -> bool:
    """Whether the file's first box names HEIC or AVIF, still or moving."""
    return data[4:8] == b"ftyp" and (data[8:12] in _BRANDS or is_sequence(data))


def read(data: bytes) -> Prepared:
    """Raises PictureError for a HEIC or AVIF that is cut short, changed, moving, too large or of a rare kind."""
    name = "an AVIF" if b"avi" in data[8:40] else "a HEIC"
    if is_sequence(data):
        raise not_supported(f"this is {name} sequence, which moves")
    try:
        container = read_container(data)
    except CutShort:
        raise not_a_picture(f"this is {name} picture cut short", "Save or download it again") from None
    except (Contradiction, struct.error):
        raise not_a_picture(f"it begins like {name}, but its header cannot be read") from None
    try:
        kind = _check_primary(container, data)
        _check_coded(container, data)
        notices = _notices(container, data)
    except Contradiction:
        raise damaged(f"this is {name} picture whose headers contradict each other") from None
    size, exif = _size(container.items[container.primary]), _exif(container, data)
    file = io.BytesIO(_coded_only(data[: container.end], container))

    def decode_it() -> Decoded:
        rows, orientation = _decode_av1(file, size) if kind == _AV1 else (_decode_hevc(file), 1)
        return Decoded(rows, notices, exif, exif_turns=False, orientation=orientation)

    return Prepared(size, _PEAK, file, decode_it)


def without_metadata(data: bytes) -> bytes:
    """The same picture of as many bytes, with zeros in place of metadata, films and names."""
    try:
        return blanked(data, read_container(data), _METADATA)
    except (Contradiction, CutShort, struct.error):
        raise damaged("the headers of this HEIC or AVIF picture cannot be read") from None


# ---------------------------------------------------------------------------------------------- checks


def _check_primary(container: Container, data: bytes) -> bytes:
    """The coding of the picture, _HEVC or _AV1. Raises PictureError or Contradiction."""
    main = container.items[container.primary]
    width, height = _size(main)
    limits.check_not_empty(width, height, "HEIC or AVIF")
    limits.check_size(width, height)
    kinds = {main.kind}
    if main.kind == _GRID:
        grid = _check_grid(container, container.primary, data)
        kinds = {tile.kind for tile in _tiles(container, container.primary)}
        if (grid.width, grid.height) != (width, height):
            raise Contradiction
    if kinds not in ({_HEVC}, {_AV1}):
        found = ", ".join(sorted(kind.decode("latin-1") for kind in kinds))
        raise not_supported(f"this HEIC or AVIF picture is of a rare kind ({found})")
    return kinds.pop()


def _check_coded(container: Container, data: bytes) -> None:
    """No coded item, thumbnails and masks included, may be larger than a picture may be."""
    coded = sum(item.kind in (_HEVC, _AV1) for item in container.items.values())
    most = min(MOST_UNITS, max(64, limits.MAX_PIECES // max(coded, 1)))  # so that they are bounded in all
    for number, item in container.items.items():
        if item.kind == _GRID:
            _check_grid(container, number, data)
        if item.kind not in (_HEVC, _AV1):
            continue
        limits.check_size(*_size(item))
        setup = item.property(b"hvcC" if item.kind == _HEVC else b"av1C")
        if setup is None:
            raise Contradiction
        sizes = (hevc_sizes if item.kind == _HEVC else av1_sizes)(setup, item.data(data), most)
        width, height = _size(item)
        if any(w > width + _PADDING or h > height + _PADDING for w, h in sizes):
            raise Contradiction


def _check_grid(container: Container, number: int, data: bytes) -> _Grid:
    """A grid of as many tiles as it says, which just cover it; ISO/IEC 23008-12 §6.6.2.3.2."""
    body, tiles = container.items[number].data(data), _tiles(container, number)
    if len(body) < 8:
        raise Contradiction
    rows, columns = body[2] + 1, body[3] + 1
    try:
        width, height = struct.unpack_from(">II" if body[1] & 1 else ">HH", body, 4)
    except struct.error:
        raise Contradiction from None
    limits.check_size(width, height)
    if not tiles or len(tiles) != rows * columns or len(tiles) > limits.MAX_TILES:
        raise Contradiction
    for across, down in map(_size, tiles):
        if (columns - 1) * across >= width or (rows - 1) * down >= height:
            raise Contradiction
    return _Grid(rows, columns, width, height)


def _tiles(container: Container, number: int) -> list[Item]:
    numbers = container.references.get((b"dimg", number), [])
    if any(n not in container.items for n in numbers):
        raise Contradiction
    return [container.items[n] for n in numbers]


def _size(item: Item) -> tuple[int, int]:
    """(width, height) of the ispe box, before cropping and turning."""
    body = item.property(b"ispe")
    if body is None or len(body) < 12:
        raise Contradiction
    width, height = struct.unpack_from(">II", body, 4)
    return width, height


# ------------------------------------------------------------------------------- metadata and notices


def _coded_only(data: bytes, container: Container) -> bytes:
    """The file, in which every item but those whose size was checked has a kind that decoders skip."""
    plain = bytearray(data)
    for item in container.items.values():
        if item.kind not in (_HEVC, _AV1, _GRID):
            plain[item.kind_at : item.kind_at + 4] = _UNREAD
    if container.film_at is not None:
        plain[container.film_at : container.film_at + 4] = _UNREAD
    return bytes(plain)


def _exif(container: Container, data: bytes) -> bytes | None:
    """The TIFF block of the first Exif item; its first four bytes say how many follow before it. Annex A.2.1."""
    for item in container.items.values():
        if item.kind == b"Exif":
            body = item.data(data)
            return body[4 + int.from_bytes(body[:4], "big") :]
    return None


def _notices(container: Container, data: bytes) -> list[str]:
    main, notices = container.items[container.primary], list[str]()
    if _bits(container, main) > 8:
        notices.append(f"{_bits(container, main)}-bit colour, read at 8 bits")
    if main.property(b"irot") not in (None, b"\0") or main.property(b"imir") is not None:
        notices.append("turned upright as the file says")
    if main.kind == _AV1 and main.property(b"clap") is not None:
        notices.append("the crop that the file asks for was not applied")
    if container.film_at is not None:
        notices.append("the still picture of a file that also holds a film")
    add_trailing_notice(container.end, data, notices)
    if any(item.kind in _METADATA for item in container.items.values()):
        notices.append("metadata (EXIF, XMP) removed")
    profile = next(
        (p.body[4:] for p in main.properties if p.kind == b"colr" and p.body[:4] in (b"prof", b"rICC")), b""
    )
    if profile:
        add_profile_notice(profile, notices)
    return notices


def _bits(container: Container, main: Item) -> int:
    """Bits of a sample, from the coded item's configuration: hvcC §8.3.3.1, av1C §2.3."""
    coded = _tiles(container, container.primary)[0] if main.kind == _GRID else main
    hevc, av1 = coded.property(b"hvcC"), coded.property(b"av1C")
    if hevc is not None:
        return 8 + (hevc[17] & 7)
    if av1 is not None and av1[2] & 0x40:
        return 12 if av1[2] & 0x20 else 10
    return 8


# --------------------------------------------------------------------------------------------- decoding


def _decode_av1(file: io.BytesIO, size: tuple[int, int]) -> tuple[Rows, int]:
    """(samples, orientation). libavif's decoder keeps its own planes: it is asked directly and dropped before the
    samples are copied, where Pillow would hold one more copy of the pixels."""
    with opened(file, "AVIF", size) as image:
        file.close()
        decoder: Any = vars(image).pop("_decoder")
        channels, orientation = len(image.mode), image.getexif().get(_ORIENTATION, 1)
        pixels = decoder.get_frame(0)[0]
        del decoder
        return rows_from(pixels, size, channels, channels), orientation


def _decode_hevc(file: io.BytesIO) -> Rows:
    """libheif's decoding at 8 bits, cropped and turned as the container says."""
    try:
        heif = pillow_heif.open_heif(file, convert_hdr_to_8bit=True)
        file.close()
        image = heif[heif.primary_index]
        if limits.is_oversized(*image.size):
            raise ValueError("its size is another after all")
        image.load()
        channels = len(image.mode)
        multiplied = image.mode == "RGBa"
        return rows_from(
            image.data or b"", image.size, channels, channels, _undo_alpha if multiplied else None
        )
    except Exception as error:  # libheif raises several types on damaged data
        raise PictureError(f"{DAMAGED}: the HEIC does not decode. Save or download it again.") from error


def _undo_alpha(band: Samples) -> Samples:
    """RGBA of colours that were multiplied by alpha."""
    height, width = band.shape[:2]
    image = Image.frombytes("RGBa", (width, height), band.tobytes())
    return np.asarray(image.convert("RGBA"))
