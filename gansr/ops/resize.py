"""Resizing as MATLAB's `imresize` does, and as torch does, each under its own name.

Source: the behaviour of MATLAB's imresize (bicubic is the usual low-resolution operator of the literature).
For one axis of n samples and a factor s, output x (from 1) sits at u = x/s + ½(1 − 1/s); the taps are the
⌈width⌉+2 samples from ⌊u − width/2⌋ on, their weights h(u − i) are normalised to sum 1, and beyond the border
the picture is mirrored with its edge repeated. Shrinking stretches the kernel: s·h(s·t), width/s. The axis
with the smaller factor comes first. With 8-bit pictures the result of each axis is rounded and saturated.

How we differ: nothing in the numbers. The sum over taps is done as batched small matrix products: blocks of
neighbouring outputs need one short run of inputs, so a block is one dense product, and gradients flow.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

Kernel = Literal["cubic", "lanczos2", "lanczos3", "linear", "box", "nearest"]


def _cubic(t: np.ndarray) -> np.ndarray:
    """Keys' cubic with a = −½."""
    t = np.abs(t)
    near = (1.5 * t - 2.5) * t**2 + 1
    far = ((-0.5 * t + 2.5) * t - 4) * t + 2
    return near * (t <= 1) + far * ((t > 1) & (t <= 2))


def _linear(t: np.ndarray) -> np.ndarray:
    return np.clip(1 - np.abs(t), 0, None)


def _box(t: np.ndarray) -> np.ndarray:
    return ((t >= -0.5) & (t < 0.5)).astype(np.float64)


def _lanczos(lobes: int) -> Callable[[np.ndarray], np.ndarray]:
    return lambda t: np.sinc(t) * np.sinc(t / lobes) * (np.abs(t) < lobes)


_KERNELS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], float]] = {  # h and its width
    "cubic": (_cubic, 4.0),
    "lanczos2": (_lanczos(2), 4.0),
    "lanczos3": (_lanczos(3), 6.0),
    "linear": (_linear, 2.0),
    "box": (_box, 1.0),
    "nearest": (_box, 1.0),
}


def imresize(
    x: Tensor,
    to: tuple[int, int] | float,
    *,
    scale: float | tuple[float, float] | None = None,
    kernel: Kernel = "cubic",
    antialias: bool = True,
    rounded: bool = False,
    paper: bool = False,
) -> Tensor:
    """MATLAB's imresize of `x` (…,H,W) to a size (height, width) or by a factor.

    to: the size of the result, or one factor for both axes (size ⌈n·s⌉). With a size the factors are size/n, unless
    `scale` (one, or one per axis) is given: for example, to enlarge a picture to the size it had before an odd size
    was shrunk.
    kernel: "box" is the mean over an area when shrinking; "nearest" picks one sample (never antialiased).
    rounded: 8-bit in, 8-bit out: values of [0,1] are taken as steps of 1/255, rounded (half away from zero)
    and saturated between the axes and at the end, as MATLAB does with uint8. Has no gradient.
    paper: the variant of KernelGAN's and ZSSR's Python code: taps left of or above the picture are dropped
    and the rest renormalised, and the height's factor decides for both axes whether the kernel is stretched.

    Values keep their range except for the kernel's overshoot (clipped only if `rounded`). Computed in float32
    (float64 when `rounded` or given so), returned in the type of `x`. Raises ValueError for an empty size.
    """
    height, width = x.shape[-2:]
    sizes, scales = _sizes(height, width, to, scale)
    antialias = antialias and kernel != "nearest"
    stretch = [antialias and (scales[0] if paper else s) < 1 for s in scales]
    work = torch.float64 if rounded or x.dtype == torch.float64 else torch.float32
    y = _steps(x.to(work) * 255) if rounded else x.to(work)
    for axis in sorted((0, 1), key=lambda axis: scales[axis]):
        if sizes[axis] == y.shape[axis - 2] and scales[axis] == 1:
            continue
        key = (y.shape[axis - 2], sizes[axis], float(scales[axis]), kernel, stretch[axis], paper)
        y = (
            _along_rows(y, *_blocks(key, work, x.device))
            if axis == 0
            else _along_columns(y, *_blocks(key, work, x.device))
        )
        y = _steps(y) if rounded else y
    return (y / 255 if rounded else y).to(x.dtype)


def resize_antialias_torch(x: Tensor, size: tuple[int, int]) -> Tensor:
    """torch's bicubic with antialias, (…,H,W) → (…, *size): imresize's interior; the border is renormalised
    instead of mirrored. Values keep their range except for the overshoot."""
    flat = x.reshape(-1, 1, *x.shape[-2:])
    y = F.interpolate(flat, size=size, mode="bicubic", antialias=True, align_corners=False)
    return y.reshape(*x.shape[:-2], *size)


def _sizes(
    height: int, width: int, to: tuple[int, int] | float, scale: float | tuple[float, float] | None
) -> tuple[tuple[int, int], tuple[float, float]]:
    """The arguments of imresize → both sizes and both factors."""
    if isinstance(to, (int, float)):
        scale = to if scale is None else scale
        to = (math.ceil(height * to - 1e-9), math.ceil(width * to - 1e-9))  # a rounding error adds no pixel
    if min(height, width, *to) < 1:
        raise ValueError(f"cannot resize {height}×{width} to {to[0]}×{to[1]}")
    if scale is None:
        scale = (to[0] / height, to[1] / width)
    return (int(to[0]), int(to[1])), scale if isinstance(scale, tuple) else (scale, scale)


def _steps(y: Tensor) -> Tensor:
    """Rounded (halves up) and saturated to 0…255."""
    return (y + 0.5).floor().clamp(0, 255)


def taps(
    n: int, out: int, scale: float, kernel: str = "cubic", stretch: bool = True, paper: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """The samples (from 0) and their weights, both (out, P), of each output along an axis of n samples."""
    h, width = _KERNELS[kernel]
    if stretch:
        width /= scale
    x = np.arange(1, out + 1)
    u = x / scale + 0.5 * (1 - 1 / scale)
    index = np.floor(u - width / 2)[:, None] + np.arange(math.ceil(width) + 2)
    t = u[:, None] - index
    weight = scale * h(scale * t) if stretch else h(t)
    index = index.astype(np.int64) - 1
    if paper:
        weight = weight * (index >= 0)
    weight /= weight.sum(1, keepdims=True)
    index = index % (2 * n)
    return np.where(index < n, index, 2 * n - 1 - index), weight


@lru_cache(maxsize=64)
def _blocks(
    key: tuple[int, int, float, str, bool, bool], dtype: torch.dtype, device: torch.device
) -> tuple[Tensor, Tensor, int]:
    """Outputs in blocks of B, each needing a run of L inputs: the runs' samples (blocks·L), the weights
    (blocks, B, L) and the number of outputs. One block of everything where runs would be no shorter."""
    n, out, scale = key[:3]
    index, weight = taps(*key)
    size = max(16, math.ceil(16 * scale))
    index, weight = (np.pad(a, ((0, -out % size), (0, 0)), mode="edge") for a in (index, weight))
    first = index.reshape(-1, size * index.shape[1]).min(1)
    run = int((index.reshape(-1, size * index.shape[1]).max(1) - first).max()) + 1
    if 2 * run >= n:
        size, run, first = out, n, np.zeros(1, np.int64)
        index, weight = index[:out], weight[:out]
    first = np.minimum(first, n - run)
    block = np.arange(len(index)) // size
    dense = np.zeros((len(index), run))
    np.add.at(dense, (np.arange(len(index))[:, None], index - first[block][:, None]), weight)
    samples = (first[:, None] + np.arange(run)).ravel()
    with torch.inference_mode(False):  # kept beyond this call: must serve a call that wants gradients
        return (
            torch.from_numpy(samples).to(device),
            torch.from_numpy(dense.reshape(-1, size, run)).to(device, dtype),
            out,
        )


def _along_rows(x: Tensor, samples: Tensor, weight: Tensor, out: int) -> Tensor:
    """The resizing of axis −2 of x (…,H,W)."""
    blocks, _, run = weight.shape
    if run == x.shape[-2]:
        return weight[0] @ x
    runs = x.index_select(-2, samples).unflatten(-2, (blocks, run))
    return (weight @ runs).flatten(-3, -2)[..., :out, :]


def _along_columns(x: Tensor, samples: Tensor, weight: Tensor, out: int) -> Tensor:
    """The resizing of axis −1 of x (…,H,W)."""
    blocks, size, run = weight.shape
    if run == x.shape[-1]:
        return x @ weight[0].T
    runs = x.reshape(-1, x.shape[-1]).index_select(-1, samples).view(-1, blocks, run)
    y = torch.bmm(runs.transpose(0, 1), weight.transpose(1, 2)).transpose(0, 1)
    return y.reshape(*x.shape[:-1], blocks * size)[..., :out]
