"""JPEG: the search for markers takes work in proportion to the file, whatever its bytes are."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import JpegImagePlugin

from gansr.picture import PictureError, open_picture
from gansr.picture.jpeg import _next_marker, _walk
from tests.support.bad_inputs import photo, saved, segment

MB = 2**20
JPEG = saved(photo(), "JPEG")


class CountedBytes(bytes):
    """Bytes that count how many of them were looked at or copied."""

    seen = 0

    def endswith(self, suffix, start, end):  # type: ignore[override]
        compared = super().__getitem__(slice(max(start, end - len(suffix)), end))
        self.seen += min(
            len(compared), len(compared) - len(compared.rstrip(suffix)) + 1
        )  # up to a difference
        return super().endswith(suffix, start, end)

    def __getitem__(self, key):
        found = super().__getitem__(key)
        self.seen += 1 if isinstance(found, int) else len(found)
        return found


@pytest.mark.parametrize(
    "middle",
    [
        pytest.param(b"\xff" * MB, id="one run of 0xFF"),
        pytest.param((b"\xff" * 5000 + b"\0") * 50, id="long runs"),
        pytest.param((b"\xff" * 50 + b"\0") * 5000, id="short runs"),
        pytest.param(b"\xff\0" * (MB // 8), id="stuffed bytes"),
        pytest.param(b"\0" * MB, id="no 0xFF"),
    ],
)
@pytest.mark.parametrize("place", ["before a segment", "in a scan", "at the end of the file"])
def test_work_is_linear_in_the_files_size(monkeypatch, middle, place):
    if place == "before a segment":
        data = JPEG[:2] + middle + JPEG[2:]
    elif place == "in a scan":
        data = JPEG[:-2] + middle + JPEG[-2:]
    else:
        data = JPEG[:-2] + middle
    counted = CountedBytes(data)
    read = np.frombuffer

    def counting(buffer, kind, count, offset):
        counted.seen += count
        return read(buffer, kind, count, offset)

    monkeypatch.setattr("gansr.picture.jpeg.np.frombuffer", counting)
    try:
        _walk(counted)
    except PictureError as error:
        assert place != "in a scan", error
    assert counted.seen <= 5 * len(data)


def test_picture_with_a_megabyte_of_fill_bytes_opens():
    assert open_picture(JPEG[:2] + b"\xff" * MB + JPEG[2:]).rgb.equal(open_picture(JPEG).rgb)
    assert open_picture(JPEG[:-2] + b"\xff" * MB + JPEG[-2:]).rgb.equal(open_picture(JPEG).rgb)


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (b"\xff\xd9", (0, 0xD9, 2)),
        (b"..\xff\xff\xff\xda.", (2, 0xDA, 6)),
        (b"\xff\0\xff\xd0\xff\xff\0\xff\xc0", (7, 0xC0, 9)),
        (b"\xff\x01\xff", None),
        (b"\xff" * 9000 + b"\xdb", (0, 0xDB, 9001)),
        (b"\xff" * 9000, None),
        (b"", None),
    ],
)
def test_next_marker(data, wanted):
    assert _next_marker(data, 0) == wanted


def test_second_marker_is_found_from_where_the_first_ended():
    data = segment(0xFE, b"a comment with \xff in it") + b"\xff\xd9"
    first = _next_marker(data, 0)
    assert first is not None and first.code == 0xFE
    assert _next_marker(data, len(data) - 2) == (len(data) - 2, 0xD9, len(data))


@pytest.mark.parametrize("code", [b"\0", b"\xd0"])
def test_decoder_is_given_no_byte_twice(monkeypatch, code):
    given, load = [], JpegImagePlugin.JpegImageFile.load_read

    def load_read(image, size: int) -> bytes:
        given.append(load(image, size))
        return given[-1]

    monkeypatch.setattr(JpegImagePlugin.JpegImageFile, "load_read", load_read)
    scan = JPEG.index(b"\xff\xda")
    scan += 2 + int.from_bytes(JPEG[scan + 2 : scan + 4], "big")
    open_picture(JPEG[:scan] + b"\xff" * MB + code + JPEG[scan:])
    assert len(given) == 1, "the decoder asked again, and got all that it had not used once more"
