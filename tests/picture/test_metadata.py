"""Without metadata: the same pixels, and none of the marks that were planted."""

from __future__ import annotations

import io
import struct

import numpy as np
import pillow_heif
import pytest
from PIL import Image, PngImagePlugin

from gansr.picture import PictureError, open_picture, read_text, to_png, without_metadata
from tests.support.bad_inputs import BAD, chunk, photo
from tests.support.heif_files import avif, heic, phone_heic, smooth

MARK = b"Marker-of-a-visitor"
TEXT = MARK.decode()


def exif(orientation: int) -> bytes:
    made = Image.Exif()
    made[274] = orientation
    made[270] = TEXT  # its description
    made.get_ifd(0x8825)[1] = "N"
    made.get_ifd(0x8825)[29] = TEXT
    return made.tobytes()


def saved(format: str, image: Image.Image | None = None, **how) -> bytes:
    out = io.BytesIO()
    (photo() if image is None else image).save(out, format, **how)
    return out.getvalue()


def marked_jpeg(orientation: int, **how) -> bytes:
    data = saved("JPEG", exif=exif(orientation), comment=MARK, xmp=MARK, **how)
    more = b"".join(
        b"\xff" + bytes([code]) + struct.pack(">H", len(body) + 2) + body
        for code, body in (
            *((0xED, b"Photoshop 3.0\0" + MARK), (0xE0, b"JFXX\0\x10" + MARK), (0xEF, MARK)),
            *((0xEE, b"Other" + MARK), (0xE2, b"MPF\0" + MARK), (0xE1, b"Exif\0\0" + exif(3)[6:])),
        )
    )
    at = data.index(b"\xff\xdb")
    return data[:at] + more + b" " + MARK + data[at:] + MARK


def marked_png(orientation: int) -> bytes:
    info = PngImagePlugin.PngInfo()
    for add in (info.add_text, info.add_itxt):
        add("Comment", TEXT)
    info.add_text("packed", TEXT, zip=True)
    data = saved("PNG", pnginfo=info, exif=exif(orientation))
    at = data.index(b"IDAT") - 4
    return data[:at] + chunk(b"prVt", MARK) + chunk(b"tIME", MARK[:7]) + data[at:] + MARK


def marked_gif() -> bytes:
    frames = [photo().quantize(), photo().rotate(90).quantize()]
    data = saved("GIF", frames[0], save_all=True, append_images=frames[1:], loop=0, comment=MARK)
    xmp = b"\x21\xff\x0bXMP DataXMP" + bytes([len(MARK)]) + MARK + b"\0"
    plain = b"\x21\x01\x0c" + bytes(12) + bytes([len(MARK)]) + MARK + b"\0"
    at = data.index(b"\x21\xf9")
    return data[:at] + xmp + plain + data[at:] + MARK


def marked_webp(orientation: int, **how) -> bytes:
    data = saved("WEBP", exif=exif(orientation), xmp=MARK, **how)
    more = b"unkn" + struct.pack("<I", len(MARK)) + MARK + b"\0" * (len(MARK) & 1)
    body = data[8:] + more
    return b"RIFF" + struct.pack("<I", len(body)) + body + MARK


def boxed(data: bytes) -> bytes:
    """With marks in a box of its own, in free bytes and after the end."""
    return (
        data
        + struct.pack(">I4s", 8 + len(MARK), b"uuid")
        + MARK
        + struct.pack(">I4s", 8 + len(MARK), b"free")
        + MARK
    )


FILES = {
    **{f"jpeg {o}": marked_jpeg(o) for o in (1, 2, 6, 8, 99)},
    "jpeg progressive": marked_jpeg(6, progressive=True),
    "jpeg profile": marked_jpeg(3, icc_profile=b"profile " * 20_000),
    **{f"png {o}": marked_png(o) for o in (1, 6)},
    "gif": marked_gif(),
    **{f"webp {o}": marked_webp(o) for o in (1, 6)},
    "webp lossless": marked_webp(3, lossless=True),
    "webp moving": marked_webp(1, save_all=True, append_images=[photo().rotate(90)]),
    "heic": boxed(heic(smooth(), exif=exif(6), xmp=MARK)),
    "heic alpha": boxed(heic(smooth().convert("RGBA"), exif=exif(1))),
    "heic phone": boxed(phone_heic(smooth(130, 70))),
    "avif": boxed(avif(smooth(), exif=exif(6), xmp=MARK)),
    "avif alpha": boxed(avif(smooth().convert("LA"), exif=exif(1))),
}


@pytest.mark.parametrize("name", FILES)
def test_pixels_stay_and_marks_go(name):
    data = FILES[name]
    plain = without_metadata(data)
    before, after = open_picture(data), open_picture(plain)
    assert after.rgb.equal(before.rgb)
    assert (before.alpha is None) == (after.alpha is None)
    assert before.alpha is None or after.alpha is None or after.alpha.equal(before.alpha)
    assert name == "heic phone" or MARK in data
    assert MARK not in plain
    assert not any("GPS" in notice or "EXIF is broken" in notice for notice in after.notices)
    assert without_metadata(plain) == plain


@pytest.mark.filterwarnings("ignore:Image appears to be a malformed MPO")
@pytest.mark.parametrize("name", FILES)
def test_other_programs_show_the_same(name):
    data = FILES[name]
    plain = without_metadata(data)
    opened = []
    for content in (data, plain):
        if name.startswith("heic"):
            opened.append(np.asarray(pillow_heif.open_heif(content).to_pillow()))
            continue
        image = Image.open(io.BytesIO(content))
        frames = []
        for i in range(getattr(image, "n_frames", 1) if "jpeg" not in name else 1):
            image.seek(i)
            frames.append(np.asarray(image.convert("RGBA")))
        opened.append(np.stack(frames))
    assert np.array_equal(*opened)


@pytest.mark.parametrize("bad", [bad for bad in BAD if bad.message is None], ids=lambda bad: bad.name)
def test_every_odd_file_that_is_accepted_keeps_its_pixels(bad):
    plain = without_metadata(bad.data)
    before, after = open_picture(bad.data), open_picture(plain)
    assert after.rgb.equal(before.rgb)
    assert before.alpha is None or (after.alpha is not None and after.alpha.equal(before.alpha))
    assert without_metadata(plain) == plain


@pytest.mark.parametrize("name", ["jpeg 6", "png 6", "webp 6"])
def test_how_to_turn_is_all_that_exif_still_says(name):
    exif = Image.open(io.BytesIO(without_metadata(FILES[name]))).getexif()
    assert dict(exif) == {274: 6}


def test_a_profile_stays():
    image = Image.open(io.BytesIO(without_metadata(FILES["jpeg profile"])))
    assert image.info["icc_profile"] == b"profile " * 20_000


def test_our_own_receipt_stays_and_other_texts_go():
    data = to_png(open_picture(FILES["png 1"]).rgb, text={"gansr": '{"a": 1}', "Author": TEXT})
    plain = without_metadata(data)
    assert read_text(plain) == {"gansr": '{"a": 1}'}


def test_a_file_without_metadata_stays_byte_for_byte():
    for data in (
        saved("PNG"),
        to_png(open_picture(saved("PNG")).rgb),
        saved("WEBP"),
        saved("JPEG"),
        saved("GIF"),
    ):
        assert without_metadata(data) == data


@pytest.mark.parametrize("data", [b"", b"text", saved("JPEG")[:60], saved("GIF")[:-9], heic(smooth())[:200]])
def test_what_is_no_picture_is_refused(data):
    with pytest.raises(PictureError):
        without_metadata(data)
