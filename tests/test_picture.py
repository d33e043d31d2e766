"""The door for pictures: every line of the list of bad inputs, exactness of what is taken, PNG out and back."""

from __future__ import annotations

import io
import os
import random
import struct
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from bad_inputs import BAD, SIGNATURE, Bad, chunk, exif, ihdr, photo, png, saved, with_segment
from PIL import Image, ImageFile

from gansr import picture
from gansr.picture import Picture, PictureError, from_array, open_picture, read_text, to_array, to_png

REFUSED = [bad for bad in BAD if bad.message is not None]
ACCEPTED = [bad for bad in BAD if bad.message is None]


def named(bad: Bad) -> str:
    return bad.name


def refusal_of(source: object) -> str:
    with pytest.raises(PictureError) as caught:
        open_picture(source)  # type: ignore[arg-type]
    return str(caught.value)


@pytest.fixture
def no_pixels(monkeypatch):
    """Any decoding of pixels fails the test."""

    def decoded(*args, **kwargs):
        pytest.fail("pixels were decoded")

    monkeypatch.setattr(Image.Image, "load", decoded)
    monkeypatch.setattr(ImageFile.ImageFile, "load", decoded)
    monkeypatch.setattr(Image, "frombytes", decoded)
    monkeypatch.setattr(picture, "_inflate_pixels", decoded)


# ------------------------------------------------------------------------------------------- the bad list


@pytest.mark.parametrize("bad", REFUSED, ids=named)
def test_bad_file_is_refused_with_its_message(bad):
    assert bad.message is not None
    text = refusal_of(bad.data)
    assert text.startswith(bad.message), text
    assert text.endswith("."), "the message says what to do"


@pytest.mark.parametrize("bad", ACCEPTED, ids=named)
def test_odd_file_is_accepted_and_says_what_was_done(bad):
    opened = open_picture(bad.data)
    assert opened.rgb.dtype == torch.float32 and opened.rgb.ndim == 3 and opened.rgb.shape[0] == 3
    assert opened.rgb.min() >= 0 and opened.rgb.max() <= 1
    if bad.notice is not None:
        assert any(bad.notice in notice for notice in opened.notices), opened.notices


def test_names_of_the_bad_files_are_all_different():
    assert len({bad.name for bad in BAD}) == len(BAD)


@pytest.mark.parametrize("bad", [b for b in REFUSED if b.message.startswith("too large")], ids=named)
def test_too_large_is_refused_before_pixels_are_decoded(bad, no_pixels):
    refusal_of(bad.data)


def test_refusing_a_bomb_takes_no_memory():
    bombs = [bad.data for bad in BAD if bad.name in ("13000x13000.jpg", "13400x13400.png", "zTXt bomb.png")]
    assert len(bombs) == 3
    tracemalloc.start()
    for bomb in bombs:
        refusal_of(bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * 2**20


def test_the_largest_sizes_are_taken_and_one_more_is_not():
    assert picture._oversized(8193, 1) and picture._oversized(1, 8193) and picture._oversized(4001, 4000)
    assert not picture._oversized(8192, 1) and not picture._oversized(4000, 4000)


def test_many_texts_that_unpack_to_much_are_refused():
    packed = chunk(b"zTXt", b"a\0\0" + zlib.compress(b"\0" * 1_000_000))
    assert refusal_of(png([b"\1\2\3"], 1, 8, 2, *[packed] * 17)).startswith("too large: 1×1")


def test_pixel_data_that_goes_on_for_ever_is_not_unpacked():
    pack = zlib.compressobj(9)
    endless = (
        pack.compress(b"\0" * 4) + b"".join(pack.compress(b"\0" * 2**20) for _ in range(64)) + pack.flush()
    )
    tracemalloc.start()
    opened = open_picture(SIGNATURE + ihdr(1, 1) + chunk(b"IDAT", endless) + chunk(b"IEND", b""))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert any("more pixel data" in notice for notice in opened.notices) and peak < 2**21


def test_endless_chunks_and_scans_are_refused():
    assert refusal_of(SIGNATURE + ihdr(1, 1) + chunk(b"abCd", b"") * 70_000).startswith("the file is damaged")
    jpeg = saved(photo(), "JPEG", progressive=True)
    scan = jpeg[jpeg.rindex(b"\xff\xda") : -2]
    assert "scans" in refusal_of(jpeg[:-2] + scan * 101 + b"\xff\xd9")


def test_after_a_bad_file_the_next_one_works():
    for bad in REFUSED[::7]:
        refusal_of(bad.data)
        assert open_picture(saved(photo(), "PNG")).rgb.shape == (3, 30, 40)


def test_pillows_own_switches_are_left_alone():
    before = ImageFile.LOAD_TRUNCATED_IMAGES, Image.MAX_IMAGE_PIXELS
    for bad in ACCEPTED[:3]:
        open_picture(bad.data)
    assert before == (ImageFile.LOAD_TRUNCATED_IMAGES, Image.MAX_IMAGE_PIXELS)


# ---------------------------------------------------------------------------------------------- transport


@pytest.mark.parametrize("name", ["日本語 å.png", "..strange..png", "PNG named.gif", "without an ending"])
def test_file_of_any_name_opens(tmp_path, name):
    (tmp_path / name).write_bytes(saved(photo(), "PNG"))
    assert (
        open_picture(tmp_path / name).rgb.shape == open_picture(str(tmp_path / name)).rgb.shape == (3, 30, 40)
    )


@pytest.mark.parametrize(
    ("source", "part"),
    [
        (None, "no picture"),
        ("", "no picture"),
        (["a.png"], "not a list"),
        (3, "not a int"),
        ("data:image/png;base64,iVBORw0KGgo=", "addresses are not opened"),
        ("DATA:,x", "addresses are not opened"),
        ("https://example.org/a.png", "addresses are not opened"),
        ("file:///etc/passwd", "addresses are not opened"),
        ("http:/one.slash", "addresses are not opened"),
        ("no/such/file.png", "'file.png' cannot be read"),
        ("a\0b.png", "cannot be read"),
        ("x" * 5000, "cannot be read"),
    ],
)
def test_what_is_no_file_is_refused_in_words(source, part):
    assert part in refusal_of(source)


def test_folder_and_device_are_refused_without_naming_where_they_are(tmp_path):
    folder = tmp_path / "secret" / "pictures"
    folder.mkdir(parents=True)
    assert "secret" not in (text := refusal_of(folder)) and "folder or a device" in text
    assert "folder or a device" in refusal_of(os.devnull)


def test_file_of_too_many_bytes_is_refused_unread(tmp_path, monkeypatch):
    monkeypatch.setattr(picture, "MAX_BYTES", 1000)
    (tmp_path / "big.png").write_bytes(b"\0" * 1001)
    assert refusal_of(tmp_path / "big.png").startswith("too large: the file")
    assert refusal_of(b"\0" * 1001).startswith("too large: the file")


# ---------------------------------------------------------------------------------------------- exactness


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


@pytest.mark.parametrize(("colour", "channels"), [(0, 1), (2, 3), (4, 2), (6, 4)])
@pytest.mark.parametrize("interlaced", [False, True])
def test_16_bit_keeps_all_16_bits(colour, channels, interlaced):
    values = np.random.default_rng(0).integers(0, 65536, (11, 13, channels)).astype(">u2")
    rows = [row.tobytes() for row in values]
    opened = open_picture(adam7(values, 16, colour) if interlaced else png(rows, 13, 16, colour))
    wanted = torch.from_numpy(values.astype(np.float32)).div(65535).permute(2, 0, 1)
    colours = wanted[:-1] if channels in (2, 4) else wanted
    assert torch.equal(opened.rgb, colours.expand(3, -1, -1))
    if channels in (2, 4):
        assert opened.alpha is not None and torch.equal(opened.alpha, wanted[-1:])


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (5, 5), (9, 17)])
def test_interlaced_equals_not_interlaced(size):
    values = np.random.default_rng(1).integers(0, 256, (*size, 3)).astype(np.uint8)
    assert torch.equal(open_picture(adam7(values, 8, 2)).rgb, from_array(values))


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_few_bits_fill_the_whole_range(depth):
    opened = open_picture(png([bytes([0b00011011])], 8 // depth, depth, 0))
    samples = [0b00011011 >> shift & (2**depth - 1) for shift in range(8 - depth, -1, -depth)]
    assert opened.grey and opened.rgb[0, 0].mul(2**depth - 1).round().int().tolist() == samples


def test_filtered_16_bit_rows_are_read_exactly():
    values = np.random.default_rng(2).integers(0, 65536, (6, 5, 3)).astype(">u2")
    flat = np.stack([np.frombuffer(row.tobytes(), np.uint8) for row in values])
    less = flat.copy()
    less[:, 6:] -= flat[:, :-6]  # filter 1: less the pixel to the left, which is six bytes away
    packed = zlib.compress(b"".join(b"\1" + row.tobytes() for row in less))
    opened = open_picture(SIGNATURE + ihdr(5, 6, 16, 2) + chunk(b"IDAT", packed) + chunk(b"IEND", b""))
    assert torch.equal(opened.rgb, torch.from_numpy(values.astype(np.float32)).div(65535).permute(2, 0, 1))


def test_8_bit_pictures_are_what_pillow_reads():
    for kind in ("PNG", "JPEG", "WEBP"):
        data = saved(photo(), kind)
        assert torch.equal(open_picture(data).rgb, from_array(np.asarray(Image.open(io.BytesIO(data))))), kind


def test_transparent_pixels_keep_their_own_colours():
    opened = open_picture(png([bytes([10, 20, 30, 0, 40, 50, 60, 255])], 2, 8, 6))
    assert opened.rgb[:, 0, 0].mul(255).round().tolist() == [10, 20, 30]
    assert opened.alpha is not None and opened.alpha.flatten().tolist() == [0, 1]


def test_transparent_colours_of_grey_rgb_and_palette():
    grey = open_picture(png([bytes([0b00011011])], 4, 2, 0, chunk(b"tRNS", struct.pack(">H", 2))))
    assert grey.alpha is not None and grey.alpha.flatten().tolist() == [1, 1, 0, 1]
    key = chunk(b"tRNS", struct.pack(">HHH", 1, 2, 3))
    colour = open_picture(png([bytes([1, 2, 3, 1, 2, 4])], 2, 8, 2, key))
    assert colour.alpha is not None and colour.alpha.flatten().tolist() == [0, 1]
    wide = open_picture(png([struct.pack(">6H", 1, 2, 3, 1, 2, 259)], 2, 16, 2, key))
    assert wide.alpha is not None and wide.alpha.flatten().tolist() == [0, 1]
    table = chunk(b"PLTE", bytes([9, 8, 7, 6, 5, 4])) + chunk(b"tRNS", b"\x33")
    indexed = open_picture(png([b"\0\1\2"], 3, 8, 3, table))
    assert indexed.alpha is not None and indexed.alpha.mul(255).round().flatten().tolist() == [51, 255, 255]
    assert indexed.rgb.mul(255).round()[:, 0].T.tolist() == [[9, 8, 7], [6, 5, 4], [0, 0, 0]]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_turned_upright(orientation):
    data = saved(photo(), "JPEG", quality=95)
    turn = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}  # Pillow's names of the same turns
    with Image.open(io.BytesIO(data)) as image:
        if orientation > 1:
            image = image.transpose(Image.Transpose(turn[orientation]))
        wanted = from_array(np.asarray(image))
    opened = open_picture(with_segment(data, 0xE1, b"Exif\0\0" + exif(orientation)))
    assert torch.equal(opened.rgb, wanted)
    assert any("upright" in notice for notice in opened.notices) == (orientation > 1)


def test_grey_is_told_from_colour():
    assert open_picture(saved(photo().convert("L"), "JPEG")).grey
    assert open_picture(saved(photo().convert("L").convert("RGB"), "PNG")).grey
    assert not open_picture(saved(photo(), "PNG")).grey


def test_an_ordinary_picture_gets_no_notice():
    for kind in ("PNG", "JPEG", "WEBP"):
        assert open_picture(saved(photo(), kind)).notices == ()


def test_gif_takes_its_first_frame_with_transparency():
    image = Image.new("P", (8, 8), 1)
    image.putpalette([0, 0, 0, 200, 100, 50])
    image.putpixel((0, 0), 0)
    opened = open_picture(saved(image, "GIF", transparency=0))
    assert opened.alpha is not None and opened.alpha[0, 0, 0] == 0 and opened.alpha.sum() == 63
    assert opened.rgb[:, 4, 4].mul(255).round().tolist() == [200, 100, 50]


# ------------------------------------------------------------------------------------------------ PNG out


@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize("transparent", [False, True])
@pytest.mark.parametrize("size", [(1, 1), (7, 5), (129, 3), (257, 31)])
def test_png_comes_back_as_it_was(size, grey, transparent):
    random_values = np.random.default_rng(3).integers(0, 256, (*size, 3)).astype(np.uint8)
    image = from_array(random_values[..., :1] if grey else random_values)
    alpha = from_array(random_values[::-1, :, :1].copy())[:1] if transparent else None
    data = to_png(image, alpha, grey)
    opened = open_picture(data)
    assert torch.equal(opened.rgb, image) and Image.open(io.BytesIO(data)).mode == (
        ("L" if grey else "RGB") + ("A" if transparent else "")
    )
    if alpha is not None and size != (1, 1):
        assert opened.alpha is not None and torch.equal(opened.alpha, alpha)
    with Image.open(io.BytesIO(data)) as other:  # and another reader agrees
        assert np.array_equal(to_array(image), np.asarray(other.convert("RGB")))


def test_values_are_rounded_to_nearest_and_clipped():
    image = torch.tensor([0.4, 0.6, 254.4, 254.6, -3, 300]).div(255).expand(3, 1, -1)
    assert to_array(image)[0, :, 0].tolist() == [0, 1, 254, 255, 0, 255]


def test_receipt_comes_back_from_bytes_and_file(tmp_path):
    text = {"gansr": '{"method": "srgan", "α": "日本語"}', "Software": "gansr"}
    data = to_png(torch.rand(3, 4, 5), text=text)
    (tmp_path / "a.png").write_bytes(data)
    assert read_text(data) == read_text(tmp_path / "a.png") == read_text(str(tmp_path / "a.png")) == text
    with Image.open(io.BytesIO(data)) as other:
        other.load()
        assert other.text == text  # type: ignore[attr-defined]
    assert read_text(to_png(torch.rand(3, 4, 5))) == {}


def test_receipt_is_read_from_the_files_head_however_large_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr(picture, "MAX_TEXT", 3000)
    monkeypatch.setattr(picture, "MAX_BYTES", 4000)
    (tmp_path / "a.png").write_bytes(to_png(torch.rand(3, 99, 99), text={"a": "b"}))
    assert read_text(tmp_path / "a.png") == {"a": "b"}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not a PNG"),
        (saved(photo(), "JPEG"), "not a PNG"),
        (SIGNATURE + ihdr(1, 1), "the file is damaged"),
        (png([b"\1\2\3"], 1, 8, 2, chunk(b"tEXt", b"a\0" + b"b" * 2**20)), "too large"),
    ],
)
def test_receipt_of_a_bad_file_is_refused(data, message):
    with pytest.raises(PictureError, match=message):
        read_text(data)


def test_receipts_that_png_cannot_hold_are_refused():
    image = torch.zeros(3, 2, 2)
    for text in ({"": "a"}, {"k" * 80: "a"}, {"日本": "a"}, {"a": "b\0c"}, {"a": "b" * 2**20}, {"a\n": "b"}):
        with pytest.raises(ValueError):
            to_png(image, text=text)


def test_wrong_shapes_are_refused():
    for call in (
        lambda: to_png(torch.zeros(1, 2, 2)),
        lambda: to_png(torch.zeros(3, 0, 2)),
        lambda: to_png(torch.zeros(3, 2, 2), alpha=torch.zeros(1, 2, 3)),
        lambda: to_array(torch.zeros(2, 2)),
        lambda: from_array(np.zeros((2, 2, 3))),
        lambda: from_array(np.zeros((2, 2, 4), np.uint8)),
    ):
        with pytest.raises(ValueError):
            call()


# ------------------------------------------------------------------------------------------------- chance


def mutated(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 3, 10))):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    if chance.random() < 0.3:
        del changed[chance.randrange(len(changed)) :]
    if chance.random() < 0.2:
        at = chance.randrange(len(changed) + 1)
        changed[at:at] = chance.randbytes(chance.randrange(1, 9))
    return bytes(changed)


def resealed(data: bytes) -> bytes:
    """A PNG whose checksums are put right again after a change, so that the change gets past them."""
    out, at = bytearray(data[:8]), 8
    while at + 12 <= len(data):
        length = min(int.from_bytes(data[at : at + 4], "big"), len(data) - at - 12)
        out += chunk(data[at + 4 : at + 8], data[at + 8 : at + 8 + length])
        at += 12 + length
    return bytes(out)


@pytest.mark.parametrize(
    "kind", ["PNG", "sealed PNG", "JPEG", "progressive", "WEBP", "animation", "GIF", "P"]
)
def test_changed_bytes_give_a_picture_or_a_picture_error_and_nothing_else(kind):
    small = photo(24, 18)
    data = {
        "PNG": lambda: saved(small, "PNG"),
        "sealed PNG": lambda: saved(small, "PNG"),
        "JPEG": lambda: with_segment(saved(small, "JPEG"), 0xE1, b"Exif\0\0" + exif(6, gps=True)),
        "progressive": lambda: saved(small, "JPEG", progressive=True),
        "WEBP": lambda: saved(small, "WEBP"),
        "animation": lambda: saved(small, "WEBP", save_all=True, append_images=[small.rotate(90)]),
        "GIF": lambda: saved(small, "GIF", save_all=True, append_images=[small.rotate(90)]),
        "P": lambda: saved(small.quantize(7), "PNG", transparency=b"\1\2\3"),
    }[kind]()
    seal = resealed if kind in ("sealed PNG", "P") else bytes
    for seed in range(300):
        try:
            opened = open_picture(seal(mutated(data, random.Random(seed))))
        except PictureError as error:
            assert not isinstance(error.__cause__, (MemoryError, RecursionError, Warning))
            continue
        assert isinstance(opened, Picture) and opened.rgb.isfinite().all()


def test_every_cut_of_a_file_gives_a_picture_or_a_picture_error(tmp_path: Path):
    for kind in ("PNG", "JPEG", "WEBP", "GIF"):
        data = saved(photo(9, 8), kind)
        for length in range(len(data)):
            if kind != "PNG" or length < len(data) - 12:
                refusal_of(data[:length])
