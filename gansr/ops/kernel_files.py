"""Kernel files: .mat, .npy and .csv are read, .mat and .npy written, and a kernel is drawn as a PNG.

The .mat files hold the variable `Kernel`, as those of KernelGAN's authors do; `ker` is that of their benchmark
DIV2KRK. Nothing is unpickled, and a file that claims or unpacks to more than a kernel is refused before it is read.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import io as scipy_io
from torch import Tensor

from gansr.ops.files import read_bytes, read_npy
from gansr.ops.kernels import MAX_SIDE
from gansr.ops.mat_reader import read_matrix
from gansr.options import OptionError
from gansr.picture import to_png

MAX_BYTES = 1_000_000  # of a kernel file: 65×65 numbers have 34 kB, or 106 kB as text
KERNEL_SUFFIXES = (".mat", ".npy", ".csv")  # of the files that are read
MAX_DIGITS = 40  # characters of one number in a .csv
# A MATLAB 5 file begins with 116 bytes of text. SciPy writes the time there, so that no two files would be equal.
MAT_TEXT = b"MATLAB 5.0 MAT-file, written by gansr".ljust(116)


def read_kernel(path: Path) -> Tensor:
    """A kernel from .mat (variable `Kernel` or `ker`), .npy or .csv: float64 (h, w), as it stands in the file.

    Raises OptionError with the reason unless the file has at most MAX_BYTES and holds a finite real 2-D array with
    sides from 1 to 65 px and a positive sum. No more memory is taken than such an array needs.
    """
    suffix = path.suffix.lower()
    if suffix not in _READERS:
        raise OptionError(
            f"a kernel is a .mat, .npy or .csv file, not {suffix[:20] or 'a file without a suffix'}"
        )
    try:
        value = _READERS[suffix](read_bytes(path, MAX_BYTES))
    except OptionError as error:
        raise OptionError(f"the kernel file cannot be read as {suffix}: {error}") from None
    return check_kernel(value)


def check_kernel(value: NDArray[Any]) -> Tensor:
    """What was read from a file → the kernel, float64 (h, w). Raises OptionError with the reason if it is none."""
    if value.dtype.kind not in "fiu":
        raise OptionError("the kernel must hold real numbers")
    check_shape(value.shape)
    with np.errstate(over="ignore", invalid="ignore"):
        numbers = np.array(value, dtype=np.float64, order="C")
        total = float(numbers.sum())
    if not np.isfinite(numbers).all():
        raise OptionError("the kernel holds a value that is not a number or infinite")
    if not 0 < total < math.inf:
        raise OptionError(f"the kernel's sum must be positive and finite, not {total:g}")
    return torch.from_numpy(numbers)


def check_shape(shape: tuple[int, ...]) -> None:
    """Raises OptionError unless there are two sides from 1 to 65."""
    if len(shape) != 2:
        raise OptionError(f"the kernel must have 2 dimensions, not {len(shape)}")
    if not (min(shape) >= 1 and max(shape) <= MAX_SIDE):
        raise OptionError(f"the kernel is {shape[1]}×{shape[0]}; sides from 1 to {MAX_SIDE} are accepted")


def _read_npy(data: bytes) -> NDArray[Any]:
    return read_npy(data, check_shape)


def _read_mat(data: bytes) -> NDArray[Any]:
    found = read_matrix(data, ("Kernel", "ker"), check_shape)
    if found is None:
        raise OptionError("the .mat file has no variable Kernel (nor ker)")
    return found


def _read_csv(data: bytes) -> NDArray[Any]:
    """Numbers between commas, a line a row; empty lines are passed over, and what follows a #."""
    rows: list[list[float]] = []
    try:
        for line in io.StringIO(data.decode("utf-8-sig"), newline=None):
            entries = line.partition("#")[0].strip().split(",", MAX_SIDE)
            if entries == [""]:
                continue
            check_shape((len(rows) + 1, len(entries)))
            if max(map(len, entries)) > MAX_DIGITS:
                raise OptionError(f"it holds a number of over {MAX_DIGITS} characters")
            rows.append([float(entry) for entry in entries])
    except UnicodeDecodeError:
        raise OptionError("it is not a text") from None
    except ValueError as error:
        if isinstance(error, OptionError):
            raise
        raise OptionError(f"line {len(rows) + 1} holds something else than numbers between commas") from None
    if not rows or any(len(row) != len(rows[0]) for row in rows):
        raise OptionError("its lines must have the same number of numbers, at least one")
    return np.array(rows)


_READERS: Mapping[str, Callable[[bytes], NDArray[Any]]] = {
    ".mat": _read_mat,
    ".npy": _read_npy,
    ".csv": _read_csv,
}


def kernel_files(name: str, kernel: Tensor) -> Mapping[str, bytes]:
    """The kernel as `<name>.mat` (variable `Kernel`) and `<name>.npy`. Equal kernels give equal bytes."""
    k = kernel.double().cpu().numpy()
    mat, npy = io.BytesIO(), io.BytesIO()
    scipy_io.savemat(mat, {"Kernel": k})
    np.save(npy, k)
    return {f"{name}.mat": MAT_TEXT + mat.getvalue()[len(MAT_TEXT) :], f"{name}.npy": npy.getvalue()}


def kernel_png(kernel: Tensor, cell: int = 16) -> bytes:
    """The kernel as a grey PNG: its largest entry white, each entry `cell` px wide."""
    grey = (kernel.float() / kernel.max().float()).clamp(0, 1)
    grey = grey.repeat_interleave(cell, 0).repeat_interleave(cell, 1)
    return to_png(grey.expand(3, -1, -1), grey=True)
