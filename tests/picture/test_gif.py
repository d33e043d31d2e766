"""GIF: a file of many small blocks is refused before they are all walked."""

from __future__ import annotations

import struct

import pytest
from PIL import Image

from gansr.picture import PictureError, gif, open_picture
from tests.support.bad_inputs import frames, photo, saved


@pytest.mark.parametrize("place", ["an extension", "pixels"])
def test_millions_of_blocks_are_refused(place):
    whole = saved(Image.new("P", (4, 4)), "GIF")
    blocks = b"\1a" * (gif._MOST_BLOCKS // 2)
    extensions = [b"\x21\xfe" + blocks + b"\0"] * 3
    if place == "pixels":
        extensions = [b"\x2c\0\0\0\0\1\0\1\0\0\2" + blocks + b"\0"] * 3
    assert open_picture(whole[:-1] + extensions[0] + b";").rgb.shape == (3, 4, 4)
    with pytest.raises(PictureError, match="blocks of data"):
        open_picture(whole[:-1] + b"".join(extensions) + b";")


@pytest.mark.parametrize("at", [(0xFFF0, 0), (0, 0xFFF0), (5000, 5000)])
def test_first_frame_far_outside_the_screen_is_refused_before_it_is_decoded(monkeypatch, at):
    whole = saved(Image.new("P", (4, 4)), "GIF")
    frame = whole.index(b"\x2c\0\0\0\0") + 1
    monkeypatch.setattr(Image, "open", lambda *args, **kwargs: pytest.fail("the decoder was asked"))
    with pytest.raises(PictureError, match=r"^too large"):
        open_picture(whole[:frame] + struct.pack("<HH", *at) + whole[frame + 4 :])


def test_largest_gif_has_fewer_blocks_than_are_allowed():
    assert gif._MOST_BLOCKS / 3 > 64 * 2**20 / 256
    assert open_picture(frames("GIF")).rgb.shape == (3, photo().height, photo().width)
