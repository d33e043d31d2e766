"""PNG: what is read of it is exact, and what it hides is counted before it is unpacked."""

from __future__ import annotations

import random
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
import torch
from torch import Tensor

from gansr.picture import PictureError, from_array, open_picture
from gansr.picture import png as png_reader
from tests.support.bad_inputs import SIGNATURE, adam7, chunk, ihdr, png


def refusal_of(data: bytes) -> str:
    with pytest.raises(PictureError) as caught:
        open_picture(data)
    return str(caught.value)


def of_16_bits(values: np.ndarray) -> Tensor:
    return torch.from_numpy(values.astype(np.float32)).div(65535).permute(2, 0, 1)


def upper_8_bits(values: np.ndarray) -> Tensor:
    return torch.from_numpy((values >> 8).astype(np.float32)).div(255).permute(2, 0, 1)


@pytest.mark.parametrize(("colour", "channels"), [(0, 1), (2, 3), (4, 2), (6, 4)])
@pytest.mark.parametrize("interlaced", [False, True])
def test_16_bit_grey_keeps_all_its_bits_and_16_bit_colour_its_upper_8(colour, channels, interlaced):
    values = np.random.default_rng(0).integers(0, 65536, (11, 13, channels)).astype(">u2")
    rows = [row.tobytes() for row in values]
    opened = open_picture(adam7(values, 16, colour) if interlaced else png(rows, 13, 16, colour))
    wanted = of_16_bits(values) if colour == 0 else upper_8_bits(values)
    colours = wanted[:-1] if channels in (2, 4) else wanted
    assert torch.equal(opened.rgb, colours.expand(3, -1, -1))
    if channels in (2, 4):
        assert opened.alpha is not None and torch.equal(opened.alpha, wanted[-1:])


def test_16_bit_grey_spans_the_whole_range():
    opened = open_picture(png([struct.pack(">4H", 0, 256, 32768, 65535)], 4, 16, 0))
    assert opened.rgb[0, 0].mul(65535).round().int().tolist() == [0, 256, 32768, 65535]


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
    assert torch.equal(opened.rgb, upper_8_bits(values))


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


def damaged_text(size: int) -> bytes:
    """A compressed text of `size` zeros that ends in a wrong checksum."""
    return chunk(b"zTXt", b"a\0\0" + zlib.compress(b"\0" * size)[:-4] + b"nope")


def test_text_with_a_wrong_checksum_counts_as_much_as_a_sound_one():
    pixel = [b"\1\2\3"]
    assert refusal_of(png(pixel, 1, 8, 2, damaged_text(2**20 + 1))).startswith("too large: 1×1")
    assert refusal_of(png(pixel, 1, 8, 2, *[damaged_text(1_000_000)] * 17)).startswith("too large: 1×1")
    assert open_picture(png(pixel, 1, 8, 2, *[damaged_text(1_000_000)] * 16)).rgb.shape == (3, 1, 1)


def test_chunk_with_a_wrong_checksum_is_not_unpacked():
    bomb = chunk(b"zTXt", b"a\0\0" + zlib.compress(b"\0" * (20 * 2**20)), crc=1)
    assert open_picture(png([b"\1\2\3"], 1, 8, 2, bomb)).notices == open_picture(png([b"\1\2\3"], 1)).notices


def test_pixel_data_in_many_chunks_is_counted_to_its_last_byte():
    rows = random.Random(4).randbytes(30 * 121)
    packed = zlib.compress(b"".join(b"\0" + rows[y * 120 : y * 120 + 120] for y in range(30)))
    pieces = b"".join(chunk(b"IDAT", packed[at : at + 7]) for at in range(0, len(packed), 7))
    assert not open_picture(SIGNATURE + ihdr(40, 30) + pieces + chunk(b"IEND", b"")).notices
    short = b"".join(chunk(b"IDAT", packed[at : at + 7]) for at in range(0, len(packed) - 140, 7))
    assert "ends too early" in refusal_of(SIGNATURE + ihdr(40, 30) + short + chunk(b"IEND", b""))


class CountingUnzip:
    """zlib.decompressobj, with a count of the bytes that it takes, gives and hands back unread."""

    bytes = 0

    def __init__(self) -> None:
        self._unzip = UNZIP()

    def decompress(self, packed, most: int):
        found = self._unzip.decompress(packed, most)
        CountingUnzip.bytes += len(packed) + len(found) + len(self._unzip.unconsumed_tail)
        return found

    def __getattr__(self, name: str):
        return getattr(self._unzip, name)


UNZIP = zlib.decompressobj


@pytest.mark.parametrize("place", ["pixels", "text"])
def test_unpacking_takes_work_in_proportion_to_what_is_packed_and_unpacked(monkeypatch, place):
    noise = random.Random(0).randbytes(4 * 2**20)
    monkeypatch.setattr(png_reader.zlib, "decompressobj", CountingUnzip)
    monkeypatch.setattr(CountingUnzip, "bytes", 0)
    if place == "pixels":
        rows = b"".join(b"\0" + noise[at : at + 4096] for at in range(0, len(noise), 4096))
        data = (
            SIGNATURE + ihdr(4096, 1024, 8, 0) + chunk(b"IDAT", zlib.compress(rows, 0)) + chunk(b"IEND", b"")
        )
    else:
        stored = zlib.compress(noise[: 2**20 - 1], 0) + noise
        data = png([b"\1\2\3"], 1, 8, 2, chunk(b"zTXt", b"a\0\0" + stored))
    open_picture(data)
    assert 2**20 < CountingUnzip.bytes < 4 * len(data)
