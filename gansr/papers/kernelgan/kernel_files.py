"""Kernel files: .mat, .npy and .csv are read, .mat and .npy written, and a kernel is drawn as a PNG.

The .mat files hold the variable `Kernel`, as those of KernelGAN's authors do; `ker` is that of their benchmark
DIV2KRK. Nothing is unpickled.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import io as scipy_io
from torch import Tensor

from gansr.ops.kernels import MAX_SIDE
from gansr.options import OptionError
from gansr.picture import to_png

# A MATLAB 5 file begins with 116 bytes of text. SciPy writes the time there, so that no two files would be equal.
MAT_TEXT = b"MATLAB 5.0 MAT-file, written by gansr".ljust(116)


def read_kernel(path: Path) -> Tensor:
    """A kernel from .mat (variable `Kernel` or `ker`), .npy or .csv: float64 (h, w), as it stands in the file.

    Raises OptionError with the reason unless it is a finite real 2-D array with sides from 1 to 65 px and a
    positive sum.
    """
    try:
        value = _read_array(path)
    except OptionError:
        raise
    except Exception as error:  # the readers raise almost anything on a damaged file
        raise OptionError(
            f"the kernel file cannot be read as {path.suffix or 'a kernel'}: {error}"
        ) from error
    return check_kernel(value)


def _read_array(path: Path) -> Any:
    suffix = path.suffix.lower()
    if suffix == ".npy":
        return np.load(path, allow_pickle=False)
    if suffix == ".csv":
        return np.loadtxt(path, delimiter=",", ndmin=2)
    if suffix == ".mat":
        found = scipy_io.loadmat(str(path), variable_names=["Kernel", "ker"])
        name = next((n for n in ("Kernel", "ker") if n in found), None)
        if name is None:
            raise OptionError("the .mat file has no variable Kernel (nor ker)")
        return found[name]
    raise OptionError(f"a kernel is a .mat, .npy or .csv file, not {suffix or 'a file without a suffix'}")


def check_kernel(value: Any) -> Tensor:
    """What was read from a file → the kernel, float64 (h, w). Raises OptionError with the reason if it is none."""
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "fiu":
        raise OptionError("the kernel must hold real numbers")
    if value.ndim != 2:
        raise OptionError(f"the kernel must have 2 dimensions, not {value.ndim}")
    if not (min(value.shape) >= 1 and max(value.shape) <= MAX_SIDE):
        raise OptionError(
            f"the kernel is {value.shape[1]}×{value.shape[0]}; sides from 1 to {MAX_SIDE} are accepted"
        )
    if not np.isfinite(value).all():
        raise OptionError("the kernel holds a value that is not a number or infinite")
    if not value.sum() > 0:
        raise OptionError(f"the kernel's sum must be positive, not {float(value.sum()):g}")
    return torch.from_numpy(np.ascontiguousarray(value, dtype=np.float64))


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
