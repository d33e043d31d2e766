"""Decoded samples, and the planes made of them, in memory that goes back to the system as soon as it is done with.

A picture of 16 megapixels has 64 MB of samples (RGBA) and 256 MB of planes. Samples have a map of their own and are
read once, from the first row to the last; a band of rows is given back when its planes are written. So both together
take hardly more than the planes. Neither lies on the heap, which `gansr.memory.keep_blocks` never shrinks.
"""

from __future__ import annotations

import contextlib
import mmap
from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import DTypeLike
from PIL import Image
from torch import Tensor

from gansr import memory
from gansr.picture.arrays import Samples

BAND = 32  # rows handled at a time, which stay in the cache
_OWN_MAP = 2**20  # bytes: a smaller array comes from the heap
_LARGE = 2**23  # bytes of samples
_MODES = {
    "L": (1, np.uint8),
    "LA": (2, np.uint8),
    "RGB": (3, np.uint8),
    "RGBA": (4, np.uint8),
    "I;16": (1, np.uint16),
}
_TURNED = (5, 6, 7, 8)  # orientations that swap width and height


class Rows:
    """Samples (H,W,C) uint8 or uint16, C 1…4, that are written first and then read once."""

    def __init__(self, height: int, width: int, channels: int, dtype: DTypeLike = np.uint8) -> None:
        give_back_heap(height * width * channels)  # what the decoder has freed by now
        self.array, self._map = _mapped((height, width, channels), dtype)
        self._given_back = 0  # bytes

    def bands(self) -> Iterator[tuple[int, Samples]]:
        """(its first row, a band of samples) from the top down. A band is gone once the next is asked for."""
        row = self.array[:1].nbytes
        for y in range(0, len(self.array), BAND):
            yield y, self.array[y : y + BAND]
            self._give_back((y + BAND) * row)

    def _give_back(self, end: int) -> None:
        """Everything before the byte `end`, in whole pages."""
        if self._map is None or not hasattr(mmap, "MADV_DONTNEED"):
            return
        end = min(end, len(self._map)) // mmap.PAGESIZE * mmap.PAGESIZE
        if end > self._given_back:
            self._map.madvise(mmap.MADV_DONTNEED, self._given_back, end - self._given_back)
            self._given_back = end


def rows_of(image: Image.Image, mode: str, key: Samples | None = None) -> Rows:
    """The samples of a loaded image in another mode, or its own; the image is closed. `key` is the one colour that is
    transparent: with it there is an alpha channel."""
    channels, dtype = _MODES[mode]
    width, height = image.size
    rows = Rows(height, width, channels + (key is not None), dtype)
    for y in range(0, height, BAND):
        band = image.crop((0, y, width, min(height, y + BAND)))
        samples = np.asarray(band if band.mode == mode else band.convert(mode)).reshape(-1, width, channels)
        rows.array[y : y + BAND, :, :channels] = samples
        if key is not None:
            opaque = (samples != key).any(-1)
            rows.array[y : y + BAND, :, channels] = opaque * np.iinfo(dtype).max
    image.close()
    return rows


def rows_from(
    buffer: bytes | memoryview,
    size: tuple[int, int],
    channels: int,
    step: int,
    change: Callable[[Samples], Samples] | None = None,
) -> Rows:
    """The first `channels` of the `step` bytes that a codec's buffer has for each pixel. Its rows may be longer."""
    width, height = size
    lines = np.frombuffer(buffer, np.uint8).reshape(height, -1)[:, : width * step]
    rows = Rows(height, width, channels)
    for y in range(0, height, BAND):
        band = lines[y : y + BAND].reshape(-1, width, step)[..., :channels]
        rows.array[y : y + BAND] = band if change is None else change(band)
    return rows


def give_back_heap(size: int) -> None:
    """The heap gives back what a decoder left, where the picture has `size` bytes of samples and that is many."""
    if size >= _LARGE:
        memory.give_back()


def to_picture(rows: Rows, orientation: int = 1) -> tuple[Tensor, Tensor | None, bool]:
    """(rgb (3,H,W), alpha (1,H,W) or None where it is opaque everywhere, whether the picture is grey), read from
    `rows` and turned upright: float32 in [0,1], exactly value/255 or value/65535."""
    height, width, channels = rows.array.shape
    opacity = Rows(height, width, 1, rows.array.dtype) if channels in (2, 4) else None
    opaque, grey = True, True
    full = np.float32(np.iinfo(rows.array.dtype).max)
    rgb, target = _planes(3, rows, orientation)
    for y, band in rows.bands():
        colours = band if opacity is None else band[..., :-1]
        grey = grey and _is_grey(colours)
        _fill(target[:, y : y + BAND], colours, full)
        if opacity is not None:  # set aside: a turned picture's planes take their memory all at once
            opacity.array[y : y + BAND] = band[..., -1:]
            opaque = opaque and bool(band[..., -1].min() == full)
    if opacity is None or opaque:
        return rgb, None, grey
    alpha, target = _planes(1, rows, orientation)
    for y, band in opacity.bands():
        _fill(target[:, y : y + BAND], band, full)
    return rgb, alpha, grey


def _planes(count: int, rows: Rows, orientation: int) -> tuple[Tensor, Samples]:
    """(upright planes (count,H,W), a view of them in the order of `rows`)."""
    height, width, _ = rows.array.shape
    size = (width, height) if orientation in _TURNED else (height, width)
    planes = _mapped((count, *size), np.float32)[0]
    return torch.from_numpy(planes), _as_stored(planes, orientation)


def _fill(target: Samples, band: Samples, full: np.float32) -> None:
    """Planes (C,h,W) of samples (h,W,C), or of (h,W,1) for each of them. Planes in another order of memory (a turned
    picture) get samples in that order: reading whole cache lines takes half the time."""
    turned = abs(target.strides[1]) < abs(target.strides[2])
    for channel in range(min(len(target), band.shape[-1])):
        samples, plane = band[..., channel], target[channel]
        if turned:
            samples, plane = np.ascontiguousarray(samples.T), plane.T
        np.divide(samples, full, out=plane, dtype=np.float32, casting="same_kind")
    if band.shape[-1] == 1:
        target[1:] = target[0]


def _is_grey(colours: Samples) -> bool:
    first = colours[..., 0]
    return all(np.array_equal(first, colours[..., channel]) for channel in range(1, colours.shape[-1]))


def _as_stored(planes: Samples, orientation: int) -> Samples:
    """A view of upright planes (C,H,W) in the order of the file's rows: a picture written into it is turned upright.
    Exif 3.0 §4.6.5, tag 274; others than 2…8 change nothing."""
    if orientation in (3, 4, 7, 8):
        planes = planes[:, ::-1]
    if orientation in (2, 3, 6, 7):
        planes = planes[:, :, ::-1]
    return np.swapaxes(planes, 1, 2) if orientation in _TURNED else planes


def _mapped(shape: tuple[int, ...], dtype: DTypeLike) -> tuple[Samples, mmap.mmap | None]:
    """(an array, its private map of memory, if it is large enough for one). Its pages come as they are written and go
    with the array."""
    kind = np.dtype(dtype)
    size = int(np.prod(shape)) * kind.itemsize
    if size < _OWN_MAP or not hasattr(mmap, "MAP_PRIVATE"):
        return np.empty(shape, kind), None
    map = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):  # a page fault for each 2 MB instead of 4 kB
        with contextlib.suppress(OSError):  # a kernel without them
            map.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(map, kind).reshape(shape), map
