"""Samples and planes: right values for every orientation, and memory that goes back to the system."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gansr import memory
from gansr.picture import rows
from gansr.picture.rows import BAND, Rows, rows_from, rows_of, to_picture
from tests.attack import open_memory

HEIGHT, WIDTH = 2 * BAND + 3, 21


def filled(channels: int, dtype: type = np.uint8) -> tuple[Rows, np.ndarray]:
    made = Rows(HEIGHT, WIDTH, channels, dtype)
    values = np.random.default_rng(channels).integers(0, np.iinfo(dtype).max, made.array.shape, dtype)
    made.array[:] = values
    return made, values


@pytest.fixture(params=[2**20, 1], ids=["on the heap", "on maps of their own"])
def places(request, monkeypatch):
    monkeypatch.setattr(rows, "_OWN_MAP", request.param)


@pytest.mark.usefixtures("places")
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_planes_have_the_samples_values(channels, dtype):
    made, values = filled(channels, dtype)
    rgb, alpha, grey = to_picture(made)
    exact = torch.from_numpy(values.astype(np.float32) / np.float32(np.iinfo(dtype).max)).movedim(-1, 0)
    colours = exact[:-1] if channels in (2, 4) else exact
    assert torch.equal(rgb, colours.expand(3, -1, -1))
    assert grey == (channels < 3)
    assert (alpha is None) == (channels in (1, 3))
    if alpha is not None:
        assert torch.equal(alpha, exact[-1:])


@pytest.mark.usefixtures("places")
@pytest.mark.parametrize("orientation", range(10))
def test_planes_are_turned_upright(orientation):
    made, values = filled(4)
    transposed = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }
    image = Image.fromarray(values)
    upright = np.asarray(image.transpose(transposed[orientation]) if orientation in transposed else image)
    rgb, alpha, _ = to_picture(made, orientation)
    assert alpha is not None
    assert np.array_equal(torch.cat([rgb, alpha]).mul(255).round().byte().numpy(), upright.transpose(2, 0, 1))


def test_an_alpha_that_begins_late_is_opaque_before():
    made = Rows(HEIGHT, WIDTH, 2)
    made.array[:] = 255
    made.array[-1, -1, 1] = 7
    _, alpha, _ = to_picture(made)
    assert alpha is not None
    assert alpha[0, -1, -1] == np.float32(7) / np.float32(255)
    assert alpha.eq(1).sum() == HEIGHT * WIDTH - 1


def test_an_opaque_alpha_is_none_and_equal_channels_are_grey():
    made = Rows(HEIGHT, WIDTH, 4)
    made.array[:] = 255
    made.array[..., :3] = np.arange(WIDTH)[:, None]
    assert to_picture(made)[1:] == (None, True)
    made.array[-1, -1, 2] = 200
    assert to_picture(made)[1:] == (None, False)


def test_one_colour_is_transparent():
    image = Image.fromarray(np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    image.putpixel((3, 40), (1, 2, 3))
    made = rows_of(image, "RGB", np.array([1, 2, 3]))
    assert made.array.shape == (HEIGHT, WIDTH, 4)
    assert np.argwhere(made.array[..., 3] == 0).tolist() == [[40, 3]]


def test_a_buffer_may_have_more_than_is_wanted():
    buffer = np.arange(5 * (4 * 4 + 3), dtype=np.uint8).reshape(
        5, -1
    )  # 4 pixels of 4 bytes, 3 bytes a row more
    made = rows_from(buffer.tobytes(), (4, 5), 3, 4)
    assert np.array_equal(made.array, buffer[:, :16].reshape(5, 4, 4)[..., :3])


def resident() -> int:
    rows = Path("/proc/self/status").read_text().split("\n")
    return next(int(row.split()[1]) * 1024 for row in rows if row.startswith("VmRSS"))


@pytest.mark.skipif(sys.platform != "linux", reason="resident bytes are read from /proc")
def test_what_was_read_is_given_back():
    memory.give_back()
    before = resident()
    made = Rows(8192, 2048, 4)  # 64 MB
    made.array[:] = 1
    full = resident() - before
    for y, band in made.bands():
        assert band.min() == 1
        if y == 4096:
            half = resident() - before
    assert full > 60e6
    assert half < 40e6
    assert resident() - before < 5e6


MODES = [
    "png 16-bit rgba",
    "png rgba turned",
    "png rgb key",
    "webp lossless alpha",
    "avif 4:4:4 alpha",
    "jpeg progressive",
]


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
@pytest.mark.parametrize("name", MODES)
def test_opening_takes_hardly_more_than_the_planes(name, tmp_path):
    """4 megapixels: 64 MB of planes. With samples, copies and planes held at once it was 100 to 125."""
    for size, file in ((4_000_000, "large"), (4096, "small")):
        (tmp_path / file).write_bytes(open_memory.makers(size, 0)[name]())
    growth, result, left, _ = open_memory.measure(tmp_path / "large", tmp_path / "small")
    assert growth < 80e6 and growth < result + 25e6
    assert left < 10e6
