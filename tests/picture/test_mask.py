"""A mask is a PNG of at most 4 megapixels, refused by its header."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from gansr.picture import MAX_MASK_PIXELS, PictureError, mask, open_mask


def saved(format: str, width: int, height: int) -> bytes:
    file = io.BytesIO()
    Image.new("L", (width, height)).save(file, format)
    return file.getvalue()


def test_a_mask_of_a_methods_input_is_opened(tmp_path):
    path = tmp_path / "mask.png"
    path.write_bytes(saved("PNG", 1024, 1024))
    for source in (path, str(path), path.read_bytes()):
        assert open_mask(source).rgb.shape == (3, 1024, 1024)


def test_a_larger_mask_is_refused_before_it_is_decoded(monkeypatch):
    monkeypatch.setattr(mask, "open_picture", None)
    data = saved("PNG", 2049, 2048)
    assert MAX_MASK_PIXELS < 2049 * 2048
    with pytest.raises(PictureError, match="too large: a mask of 2049×2048 px"):
        open_mask(data)


@pytest.mark.parametrize("data", [b"", b"\x89PNG\r\n\x1a\n", saved("JPEG", 8, 8), saved("WebP", 8, 8)])
def test_another_format_is_refused(data):
    with pytest.raises(PictureError, match="a mask must be a PNG"):
        open_mask(data)


def test_a_damaged_png_is_refused():
    with pytest.raises(PictureError, match="damaged"):
        open_mask(saved("PNG", 64, 64)[:60])
