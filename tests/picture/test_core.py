"""open_picture: every line of the list of bad inputs, every format's pixels, every kind of source."""

from __future__ import annotations

import hashlib
import io
import os
import random
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
import torch
from PIL import Image, ImageFile

from gansr.picture import Picture, PictureError, from_array, limits, open_picture, png
from tests.support.bad_inputs import BAD, SIGNATURE, Bad, chunk, exif, ihdr, photo, saved, with_segment
from tests.support.heif_files import avif, heic, phone_heic, smooth

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
    monkeypatch.setattr(png, "_check_pixel_data", decoded)
    monkeypatch.setattr(pillow_heif, "open_heif", decoded)


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


@pytest.mark.parametrize("bad", [b for b in REFUSED if (b.message or "").startswith("too large")], ids=named)
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
    assert limits.is_oversized(8193, 1) and limits.is_oversized(1, 8193) and limits.is_oversized(4001, 4000)
    assert not limits.is_oversized(8192, 1) and not limits.is_oversized(4000, 4000)


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
    monkeypatch.setattr(limits, "MAX_BYTES", 1000)
    (tmp_path / "big.png").write_bytes(b"\0" * 1001)
    assert refusal_of(tmp_path / "big.png").startswith("too large: the file")
    assert refusal_of(b"\0" * 1001).startswith("too large: the file")


def test_8_bit_pictures_are_what_pillow_reads():
    for kind in ("PNG", "JPEG", "WEBP"):
        data = saved(photo(), kind)
        assert torch.equal(open_picture(data).rgb, from_array(np.asarray(Image.open(io.BytesIO(data))))), kind


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
    "kind",
    ["PNG", "sealed PNG", "JPEG", "progressive", "WEBP", "animation", "GIF", "P", "HEIC", "phone", "AVIF"],
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
        "HEIC": lambda: heic(small.convert("RGBA").rotate(9)),
        "phone": lambda: phone_heic(smooth(100, 80)),
        "AVIF": lambda: avif(small.convert("RGBA").rotate(9), exif=exif(6, gps=True)),
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


def test_digest_is_that_of_the_file_or_else_of_the_pixels(tmp_path: Path):
    data = saved(photo(), "PNG")
    (tmp_path / "a.png").write_bytes(data)
    opened = open_picture(tmp_path / "a.png")
    assert opened.sha256 == open_picture(data).sha256 == hashlib.sha256(data).hexdigest()
    made = Picture(opened.rgb, None, False, ())
    assert len(made.sha256) == 64 and made.sha256 == replace(opened, sha256="").sha256 != opened.sha256
    others = (
        replace(made, rgb=1 - made.rgb, sha256=""),
        replace(made, rgb=made.rgb.reshape(3, 40, 30), sha256=""),
        replace(made, alpha=torch.ones(1, 30, 40), sha256=""),
    )
    assert len({made.sha256, *(other.sha256 for other in others)}) == 4
