"""Pictures → files, and back: PNG with text, JPEG, an animation, the strip."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from gansr.picture import (
    PictureError,
    animated_webp,
    from_array,
    jpeg_round_trip,
    limits,
    open_picture,
    read_text,
    to_array,
    to_png,
)
from gansr.picture.strip import GAP, TEXT, TILE, bare, sheet, strip
from tests.support.bad_inputs import SIGNATURE, chunk, ihdr, photo, png, saved


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
    monkeypatch.setattr(limits, "MAX_TEXT", 3000)
    monkeypatch.setattr(limits, "MAX_BYTES", 4000)
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


def test_jpeg_round_trip_is_what_a_jpeg_file_gives():
    image = from_array(np.asarray(photo()))
    file = io.BytesIO()
    photo().save(file, "JPEG", quality=40)
    assert torch.equal(jpeg_round_trip(image, 40), open_picture(file.getvalue()).rgb)
    assert jpeg_round_trip(image.double(), 40).dtype == torch.float64


def test_animation_has_every_picture_for_its_time():
    pictures = [torch.full((3, 8, 9), value) for value in (0.0, 0.5, 1.0)]
    with Image.open(io.BytesIO(animated_webp(pictures, milliseconds=70))) as moving:
        assert (moving.n_frames, moving.size, moving.info["loop"]) == (3, (9, 8), 0)  # type: ignore[attr-defined]
        moving.seek(2)
        moving.load()
        assert moving.info["duration"] == 70 and np.asarray(moving.convert("L")).min() > 250
    with pytest.raises(ValueError, match="at least one"):
        animated_webp([])


def test_strip_fits_each_picture_into_its_square_and_writes_below():
    red, blue = torch.zeros(3, 20, 40), torch.zeros(3, 900, 450)
    red[0], blue[2] = 1, 1
    sheet = np.asarray(Image.open(io.BytesIO(strip([("Red", "first", red), ("Blue", "second", blue)]))))
    assert sheet.shape == (TILE + TEXT + 2 * GAP, 2 * TILE + 3 * GAP, 3)
    assert (sheet == (255, 0, 0)).all(-1).sum() == TILE * (TILE // 2)  # twice as wide as high
    assert (sheet == (0, 0, 255)).all(-1).sum() == TILE * (TILE // 2)
    words = sheet[GAP + TILE + 1 :]
    assert (words[:, :TILE] < 128).any() and (words[:, TILE + 2 * GAP :] < 128).any()


def test_a_bare_sheet_has_clear_gaps_and_no_words():
    picture = torch.rand(3, TILE, TILE, generator=torch.Generator().manual_seed(0)).mul(255).round() / 255
    low = torch.zeros(3, 90, 180)
    whole = np.asarray(Image.open(io.BytesIO(bare([[low, picture], [picture]]))))
    assert whole.shape == (2 * TILE + GAP, 2 * TILE + GAP, 4)
    assert np.array_equal(whole[:TILE, TILE + GAP :, :3], to_array(picture))
    assert np.array_equal(whole[TILE + GAP :, :TILE, :3], to_array(picture))
    clear = whole[..., 3] == 0
    assert clear[TILE : TILE + GAP].all() and clear[:, TILE : TILE + GAP].all()
    assert clear[TILE:, TILE:].all() and (whole[..., 3] == 255).sum() == 2 * TILE**2 + TILE * TILE // 2


def test_strip_leaves_out_what_does_not_fit_below_a_picture():
    picture = torch.zeros(3, 4, 4)
    long = " · ".join(["a rather long measure 12.34 dB"] * 5)
    kept = " · ".join(["a rather long measure 12.34 dB"])
    assert strip([("A", long, picture)]) == strip([("A", kept, picture)])


def test_a_sheet_has_its_strips_below_each_other_and_keeps_the_pixels_of_a_tile():
    picture = torch.rand(3, TILE, TILE, generator=torch.Generator().manual_seed(0)).mul(255).round() / 255
    whole = np.asarray(Image.open(io.BytesIO(sheet([[("A", "", picture)] * 2, [("B", "", picture)]]))))
    height = TILE + TEXT + 2 * GAP
    assert whole.shape == (2 * height, 2 * TILE + 3 * GAP, 3)
    tile = whole[height + GAP : height + GAP + TILE, GAP : GAP + TILE]
    assert np.array_equal(tile, to_array(picture))
    assert (whole[height:, TILE + 2 * GAP :] == 255).all()  # the second line has one picture
