"""HEIC and AVIF: what pictures of phones and browsers become, and what the header alone is enough to refuse."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable

import numpy as np
import pillow_heif
import pytest
import torch
from PIL import Image, ImageFile, UnidentifiedImageError
from torch import Tensor

from gansr.picture import PictureError, from_array, heif, limits, open_picture
from gansr.picture.heif_boxes import Contradiction, read_container
from gansr.picture.heif_codecs import av1_sizes, hevc_sizes
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

BOTH = [pytest.param(heic, id="HEIC"), pytest.param(avif, id="AVIF")]
Write = Callable[..., bytes]


def pixels(image: Image.Image) -> Tensor:
    return from_array(np.asarray(image.convert("RGB")))


def near(a: Tensor, b: Tensor, most: float = 0.02) -> bool:
    return a.shape == b.shape and (a - b).abs().mean().item() < most


def refusal_of(data: bytes) -> str:
    with pytest.raises(PictureError) as caught:
        open_picture(data)
    return str(caught.value)


@pytest.fixture
def no_pixels(monkeypatch):
    """Any decoding of pixels fails the test."""

    def decoded(*args, **kwargs):
        pytest.fail("pixels were decoded")

    monkeypatch.setattr(ImageFile.ImageFile, "load", decoded)
    monkeypatch.setattr(Image, "open", decoded)
    monkeypatch.setattr(pillow_heif, "open_heif", decoded)


# ------------------------------------------------------------------------------------------- the pixels


@pytest.mark.parametrize("write", BOTH)
@pytest.mark.parametrize("size", [(40, 30), (64, 64), (65, 49)])
def test_picture_comes_back_as_well_as_its_codec_keeps_it(write: Write, size):
    opened = open_picture(write(smooth(*size)))
    assert near(opened.rgb, pixels(smooth(*size)))
    assert opened.alpha is None and not opened.grey and opened.notices == ()


def test_avif_is_exactly_what_pillow_decodes():
    data = avif(smooth())
    assert torch.equal(open_picture(data).rgb, pixels(Image.open(io.BytesIO(data))))


def test_lossless_heic_comes_back_exactly():
    data = heic(smooth(64, 64), quality=-1, chroma=444, matrix_coefficients=0)
    assert torch.equal(open_picture(data).rgb, pixels(smooth(64, 64)))


@pytest.mark.parametrize("write", BOTH)
def test_alpha_is_kept_and_colours_are_not_multiplied_by_it(write: Write):
    image = smooth(64, 48).convert("RGBA")
    mask = np.zeros((48, 64), np.uint8)
    mask[:, 32:] = 255
    image.putalpha(Image.fromarray(mask))
    opened = open_picture(write(image))
    assert opened.alpha is not None and near(opened.alpha, torch.from_numpy(mask / np.float32(255))[None])
    assert "transparency is kept separately" in opened.notices
    assert near(opened.rgb[:, :, 36:], pixels(smooth(64, 48))[:, :, 36:])


@pytest.mark.parametrize("write", BOTH)
def test_grey_is_told_from_colour(write: Write):
    assert open_picture(write(smooth().convert("L"))).grey


def test_10_bit_heic_is_read_at_8_bits_and_says_so():
    opened = open_picture(ten_bit_heic())
    assert opened.notices == ("10-bit colour, read at 8 bits",) and near(opened.rgb, pixels(smooth()))


# -------------------------------------------------------------------------------------------- the turns

# EXIF orientation → Pillow's name of the turn that makes it upright
TURNS = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}


@pytest.mark.parametrize("write", BOTH)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_turned_upright_once(write: Write, orientation):
    upright = smooth()
    if orientation > 1:
        upright = upright.transpose(Image.Transpose(TURNS[orientation]))
    opened = open_picture(write(smooth(), exif=exif_of(orientation)))
    assert near(opened.rgb, pixels(upright))
    assert ("turned upright as the file says" in opened.notices) == (orientation > 1)


def test_phones_heic_with_the_turn_in_both_places_is_turned_once():
    data = phone_heic(smooth(200, 150))
    container = read_container(data)
    assert container.items[container.primary].kind == b"grid", "tiles, as phones write them"
    assert open_exif(data).orientation == 6
    opened = open_picture(data)
    assert near(opened.rgb, pixels(smooth(200, 150).transpose(Image.Transpose.ROTATE_270)))


def open_exif(data: bytes):
    from gansr.picture.exif import read_exif

    found = read_exif(heif._exif(read_container(data), data) or b"")
    assert found is not None
    return found


def test_turn_in_the_exif_alone_is_ignored_as_the_standard_says():
    data = phone_heic(smooth(200, 150))
    container = read_container(data)
    at = data.index(b"irot") + 4
    assert container.items[container.primary].property(b"irot") == data[at : at + 1] != b"\0"
    opened = open_picture(data[:at] + b"\0" + data[at + 1 :])
    assert near(opened.rgb, pixels(smooth(200, 150)))
    assert not any("upright" in notice for notice in opened.notices)


# --------------------------------------------------------------------------------------------- metadata


def test_place_is_removed_and_said_to_be():
    for data in (phone_heic(smooth(200, 150)), avif(smooth(), exif=exif_of(1, gps=True))):
        notices = open_picture(data).notices
        assert "metadata (EXIF, XMP) removed" in notices
        assert "the place where it was taken (GPS) was removed" in notices


@pytest.mark.parametrize("write", BOTH)
def test_decoder_gets_no_metadata(write: Write, monkeypatch):
    data = write(smooth(), exif=exif_of(1, gps=True), xmp=b"<x:xmpmeta/>")
    seen = []
    opener = (pillow_heif, "open_heif") if write is heic else (heif, "opened")
    whole = getattr(*opener)

    def watched(file, *args, **kwargs):
        seen.append(file.getvalue())
        return whole(file, *args, **kwargs)

    monkeypatch.setattr(*opener, watched)
    open_picture(data)
    kinds = {item.kind for item in read_container(data).items.values()}
    kept = {item.kind for item in read_container(seen[0]).items.values()}
    assert {b"Exif", b"mime"} <= kinds and not {b"Exif", b"mime"} & kept
    assert len(seen[0]) == len(data)


def test_broken_exif_is_left_out():
    data = avif(smooth(), exif=exif_of(1, gps=True))
    at = data.index(b"Exif\0\0MM") + 6 if b"Exif\0\0MM" in data else data.index(b"MM\0*")
    assert "its EXIF is broken and was left out" in open_picture(data[:at] + b"??" + data[at + 2 :]).notices


def test_profile_that_is_not_srgb_is_named():
    profile = b"\0\0\0\x80" + b"none" * 40
    opened = open_picture(avif(smooth(), icc_profile=profile))
    assert opened.notices == ("its colour profile was not applied: the colours are read as sRGB",)


# --------------------------------------------------------------------------------- refused by its header


@pytest.mark.parametrize("write", BOTH)
@pytest.mark.parametrize("size", [(8193, 10), (10, 8193), (4001, 4000), (2**32 - 1, 2**32 - 1)])
def test_huge_size_is_refused_before_pixels_are_decoded(write: Write, size, no_pixels):
    text = refusal_of(with_size(write(smooth()), *size))
    assert text.startswith(f"too large: {size[0]}×{size[1]} px")


@pytest.mark.parametrize("write", BOTH)
def test_no_size_at_all_is_refused(write: Write, no_pixels):
    assert refusal_of(with_size(write(smooth()), 0, 30)).startswith(limits.NOT_A_PICTURE)


@pytest.mark.parametrize("write", BOTH)
def test_coded_data_larger_than_the_header_says_are_not_decoded(write: Write, no_pixels):
    assert refusal_of(with_size(write(smooth(600, 400)), 64, 64)).startswith("the file is damaged")


@pytest.mark.parametrize("write", BOTH)
def test_coded_data_that_are_none_are_not_decoded(write: Write, no_pixels):
    assert refusal_of(without_pixels(write(smooth()))).startswith("the file is damaged")


def test_sequences_are_refused(no_pixels, monkeypatch):
    monkeypatch.undo()
    moving = avif(smooth(), save_all=True, append_images=[smooth().rotate(90)])
    assert refusal_of(moving).startswith("format not supported: this is an AVIF sequence")
    for brand in (b"hevc", b"hevx", b"msf1"):
        assert "a HEIC sequence" in refusal_of(with_brand(heic(smooth()), brand))


def test_other_codecs_are_refused(no_pixels, monkeypatch):
    monkeypatch.undo()
    data = heic(smooth())
    for kind in (b"jpeg", b"iovl", b"iden", b"unci", b"vvc1"):
        changed = data.replace(b"hvc1", kind)
        assert refusal_of(changed).startswith("format not supported") and kind.decode() in refusal_of(changed)


@pytest.mark.parametrize("write", BOTH)
def test_header_alone_and_every_cut_are_no_picture(write: Write):
    data = write(smooth(9, 8))
    assert refusal_of(data[: data.index(b"meta") - 4]).startswith(limits.NOT_A_PICTURE)
    assert refusal_of(box(b"ftyp", data[8:24])).startswith(limits.NOT_A_PICTURE)
    for length in range(len(data)):
        assert refusal_of(data[:length]).startswith(limits.NOT_A_PICTURE), length


def grid(data: bytes) -> int:
    """Where the description of a HEIC's grid begins: version, flags, rows, columns, width, height."""
    container = read_container(data)
    main = container.items[container.primary]
    assert main.kind == b"grid"
    return main.extents[0][0]


@pytest.mark.parametrize(
    ("at", "changed", "message"),
    [
        (2, b"\xff\xff", "the file is damaged"),  # 65,536 tiles, of which the file has few
        (4, struct.pack(">HH", 8000, 8000), "too large: 8000×8000"),
        (4, struct.pack(">HH", 100, 100), "the file is damaged"),  # not the size in the header
        (4, struct.pack(">HH", 0, 0), "the file is damaged"),
    ],
)
def test_grid_that_contradicts_itself_is_not_decoded(at, changed, message):
    data = phone_heic(smooth(200, 150))
    at += grid(data)
    assert refusal_of(data[:at] + changed + data[at + len(changed) :]).startswith(message)


def test_grid_of_too_many_tiles_is_refused(monkeypatch):
    data = phone_heic(smooth(200, 150))
    open_picture(data)
    monkeypatch.setattr(limits, "MAX_TILES", 11)
    assert refusal_of(data).startswith("the file is damaged")


def test_item_outside_the_file_or_in_another_is_refused():
    data = heic(smooth())
    item = read_container(data).items[read_container(data).primary]
    place = struct.pack(">I", item.extents[0][0])
    at = data.index(place)
    assert "cut short" in refusal_of(data[:at] + b"\xff" * 4 + data[at + 4 :])
    assert data[at - 2 : at] == b"\0\0"  # the number of the file in which the item is: this one
    assert refusal_of(data[: at - 2] + b"\0\1" + data[at:]).startswith(limits.NOT_A_PICTURE)


def test_items_that_share_the_same_bytes_are_refused():
    """Each item's bytes are looked at, and a small table could name the same megabytes thousands of times."""
    data = phone_heic(smooth(200, 150))
    items, first = read_container(data).items, data.index(b"iloc") + 12
    changed = bytearray(data)
    for number in range(2, 14):  # each tile: all bytes of the file
        place = first + 20 * (number - 1)
        assert changed[place : place + 2] == struct.pack(">H", number) and items[number].kind == b"hvc1"
        changed[place + 6 : place + 20] = struct.pack(">IHII", 0, 1, 0, len(data))
    assert refusal_of(bytes(changed)).startswith(limits.NOT_A_PICTURE)
    changed[first + 40 :] = data[first + 40 :]  # a single one is within the limit, but no coded picture
    assert refusal_of(bytes(changed)).startswith("the file is damaged")


def test_too_many_items_are_refused(monkeypatch):
    data = phone_heic(smooth(200, 150))
    monkeypatch.setattr(limits, "MAX_ITEMS", len(read_container(data).items) - 1)
    assert refusal_of(data).startswith(limits.NOT_A_PICTURE)


def test_boxes_that_never_end_are_refused():
    endless = box(b"ftyp", b"heic\0\0\0\0mif1heic") + box(b"free", b"") * (limits.MAX_PIECES + 1)
    assert refusal_of(endless).startswith(limits.NOT_A_PICTURE)


def test_two_headers_are_refused_since_decoders_may_believe_either():
    data = heic(smooth())
    start = data.index(b"meta") - 4
    size = int.from_bytes(data[start : start + 4], "big")
    assert refusal_of(data + data[start : start + size]).startswith(limits.NOT_A_PICTURE)


# ------------------------------------------------------------------------------ what the coded data say


@pytest.mark.parametrize("how", [{}, {"chroma": 444}, {"chroma": 422}, {"quality": -1}])
@pytest.mark.parametrize("size", [(64, 64), (1000, 8), (640, 480)])
def test_size_of_hevc_is_read_from_its_own_header(how, size):
    data = heic(smooth(*size), **how)
    item = read_container(data).items[1]
    width, height = heif._size(item)
    assert hevc_sizes(item.property(b"hvcC") or b"", item.data(data)) == [(width, height)]
    assert size[0] <= width < size[0] + 64 and size[1] <= height < size[1] + 64


@pytest.mark.parametrize("moving", [False, True])
@pytest.mark.parametrize("size", [(1, 1), (40, 30), (640, 481)])
def test_size_of_av1_is_read_from_its_own_header(moving, size):
    """The header of a film is the long one, that of a still the reduced."""
    how = {"save_all": True, "append_images": [smooth(*size).rotate(180)]} if moving else {}
    data = avif(smooth(*size), **how)
    item = read_container(data).items[1]
    assert set(av1_sizes(item.property(b"av1C") or b"", item.data(data))) == {size}


def test_several_pictures_in_one_item_are_refused():
    data = heic(smooth())
    item = read_container(data).items[1]
    with pytest.raises(Contradiction):
        hevc_sizes(item.property(b"hvcC") or b"", item.data(data) * 2)
    data = avif(smooth())
    item = read_container(data).items[1]
    with pytest.raises(Contradiction):
        av1_sizes(item.property(b"av1C") or b"", item.data(data) * 9)


def test_coded_data_of_countless_small_units_are_not_read_through():
    item = read_container(heic(smooth())).items[1]
    units = struct.pack(">I", 3) + b"\x4e\1\x05"  # messages (SEI), which a decoder would read one by one
    with pytest.raises(Contradiction):
        hevc_sizes(item.property(b"hvcC") or b"", item.data(heic(smooth())) + units * 5000)
    item = read_container(avif(smooth())).items[1]
    with pytest.raises(Contradiction):
        av1_sizes(item.property(b"av1C") or b"", item.data(avif(smooth())) + b"\x12\0" * 5000)


def test_pillow_itself_still_does_not_open_heic():
    open_picture(heic(smooth()))
    with pytest.raises(UnidentifiedImageError):
        Image.open(io.BytesIO(heic(smooth())))
