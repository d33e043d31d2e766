"""Small files of numbers from strangers: their bytes up to a limit, and .npy, whose header is checked before anything
is allocated (numpy.lib.format, versions 1.0 and 2.0). Nothing is unpickled."""

from __future__ import annotations

import io
import math
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format
from numpy.typing import NDArray

from gansr.options import OptionError

MAX_HEADER = 256  # bytes of a .npy header; that of a matrix has 118
MAX_DIMENSIONS = 8

Shape = tuple[int, ...]
_READERS: Mapping[tuple[int, int], Callable[..., tuple[Shape, bool, Any]]] = {
    (1, 0): format.read_array_header_1_0,
    (2, 0): format.read_array_header_2_0,
}


def read_bytes(path: Path, most: int) -> bytes:
    """The bytes of a file, at most `most`. Raises OptionError; the text does not name the folder."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise OptionError("it is a folder or a device, not a file")
        if status.st_size <= most:
            with path.open("rb") as file:
                data = file.read(most + 1)
            if len(data) <= most:
                return data
    except OptionError:
        raise
    except (OSError, ValueError):  # missing, unreadable, too long a name, a NUL in it
        raise OptionError("there is no such file, or it cannot be opened") from None
    raise OptionError(f"it is too large: at most {most / 1e6:g} MB are accepted")


def read_npy(data: bytes, check_shape: Callable[[Shape], None]) -> NDArray[Any]:
    """The array of real numbers in the bytes of a .npy file; it shares their memory.

    `check_shape` raises OptionError for a shape that is not wanted. Raises OptionError.
    """
    file = io.BytesIO(data)
    try:
        shape, fortran, dtype = _READERS[format.read_magic(file)](file, max_header_size=MAX_HEADER)
    except Exception:  # numpy parses the header as Python, and that raises almost anything
        raise OptionError("its header is damaged, or not that of a .npy file") from None
    if dtype.kind not in "fiu":
        raise OptionError("it must hold real numbers")
    if len(shape) > MAX_DIMENSIONS or any(n < 0 for n in shape):
        raise OptionError("its header is damaged: no array has that shape")
    check_shape(shape)
    count, start = math.prod(shape), file.tell()
    if start + count * dtype.itemsize > len(data):
        raise OptionError("it is cut short: its header claims more numbers than there are")
    numbers = np.frombuffer(data[start : start + count * dtype.itemsize], dtype)
    return numbers.reshape(shape, order="F" if fortran else "C")
