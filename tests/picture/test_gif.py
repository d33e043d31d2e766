"""GIF: a file of many small blocks is refused before they are all walked."""

from __future__ import annotations

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


def test_largest_gif_has_fewer_blocks_than_are_allowed():
    assert gif._MOST_BLOCKS / 3 > 64 * 2**20 / 256
    assert open_picture(frames("GIF")).rgb.shape == (3, photo().height, photo().width)
