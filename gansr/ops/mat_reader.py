"""One real matrix of a MATLAB file (.mat of version 5 to 7); everything else in the file is passed over unread.

A file may come from a stranger, so nothing is allocated for what it only claims: every element must lie within the
file, and a compressed one is unpacked only as far as the wanted matrix can reach. Structures, cells, objects, texts
and functions are never read. The format: "MAT-File Format", level 5 (MathWorks).
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gansr.options import OptionError

MAX_VARIABLES = 256  # of one file: each is unpacked as far as its name
_HEAD = 2048  # bytes that a variable's flags, shape and name fit in
_MOST = 64 * 1024  # bytes that the wanted variable fits in when unpacked: 65×65 numbers of 8 bytes have 34 kB

_MATRIX, _COMPRESSED = 14, 15  # types of an element
_INT8, _INT32, _UINT32 = 1, 5, 6
_NUMBERS: Mapping[int, str] = dict(  # type → as numpy calls it
    zip((1, 2, 3, 4, 5, 6, 7, 9, 12, 13), ("i1", "u1", "i2", "u2", "i4", "u4", "f4", "f8", "i8", "u8"))
)
_NUMERIC = range(6, 16)  # classes of a matrix: double, single, int8 … uint64
_COMPLEX = 0x0800  # a flag beside the class

_CUT_SHORT = "it is damaged or cut short"


class _Variable(NamedTuple):
    name: str
    shape: tuple[int, ...]
    real: bool
    numbers_at: int
    unpacked: bytes  # at most _MOST bytes from its tag on


def read_matrix(
    data: bytes, names: Sequence[str], check_shape: Callable[[tuple[int, ...]], None]
) -> NDArray[Any] | None:
    """The real matrix (rows, columns) of the first of `names` that the file has; None where it has none.

    `check_shape` raises OptionError for a shape that is not wanted. Raises OptionError.
    """
    order = _byte_order(data)
    try:
        found: dict[str, _Variable] = {}
        for variable in _variables(data, order):
            if variable.name in names:
                found.setdefault(variable.name, variable)
        name = next((name for name in names if name in found), None)
        return None if name is None else _numbers(found[name], order, check_shape)
    except (struct.error, zlib.error, UnicodeDecodeError):
        raise OptionError(_CUT_SHORT) from None


def _byte_order(data: bytes) -> str:
    """As struct and numpy write it, from the file's header of 128 bytes."""
    if data[:8] == b"\x89HDF\r\n\x1a\n" or data.startswith(b"MATLAB 7.3"):
        raise OptionError("it is of MATLAB's version 7.3 (HDF5), which is not read here: save it with -v7")
    order = {b"IM": "<", b"MI": ">"}.get(data[126:128])
    if order is None or len(data) < 128 or 0 in data[:4]:
        raise OptionError("it is not a MATLAB file of version 5 to 7: save it with -v7")
    return order


def _variables(data: bytes, order: str) -> Iterator[_Variable]:
    at, count = 128, 0
    while at < len(data):
        kind, start, end, at = _element(data, at, order)
        count += 1
        if count > MAX_VARIABLES:
            raise OptionError(f"it has over {MAX_VARIABLES} variables")
        if kind == _COMPRESSED:
            at = end  # which is not padded
            packed = memoryview(data)[start:end]
            variable = _variable(zlib.decompressobj().decompress(packed, _HEAD), order)
            unpacked = zlib.decompressobj().decompress(packed, _MOST) if variable.real else b""
            yield variable._replace(unpacked=unpacked)
        elif kind == _MATRIX:
            yield _variable(data[start - 8 : min(end, start + _MOST)], order)
        else:
            raise OptionError(_CUT_SHORT)


def _element(data: bytes, at: int, order: str, whole: bool = True) -> tuple[int, int, int, int]:
    """(type, start and end of its body, where the next one begins). Raises OptionError where it is not `whole`."""
    kind, length = struct.unpack_from(order + "II", data, at)
    if kind >> 16:  # up to four bytes stand in the tag itself
        kind, length, start, following = kind & 0xFFFF, kind >> 16, at + 4, at + 8
        if length > 4:
            raise OptionError(_CUT_SHORT)
    else:
        start, following = at + 8, at + 8 + length + -length % 8
    if whole and start + length > len(data):
        raise OptionError(_CUT_SHORT)
    return kind, start, start + length, following


def _variable(unpacked: bytes, order: str) -> _Variable:
    """What a matrix says before its numbers: class and flags, shape, name."""
    kind, at, _, _ = _element(unpacked, 0, order, whole=False)
    if kind != _MATRIX:
        raise OptionError(_CUT_SHORT)
    flags_kind, flags_at, flags_end, shape_at = _element(unpacked, at, order)
    shape_kind, sides_at, sides_end, name_at = _element(unpacked, shape_at, order)
    name_kind, letters_at, letters_end, numbers_at = _element(unpacked, name_at, order)
    if (flags_kind, shape_kind, name_kind) != (_UINT32, _INT32, _INT8) or flags_end - flags_at != 8:
        raise OptionError(_CUT_SHORT)
    (flags,) = struct.unpack_from(order + "I", unpacked, flags_at)
    shape = struct.unpack_from(f"{order}{(sides_end - sides_at) // 4}i", unpacked, sides_at)
    name = unpacked[letters_at:letters_end].decode("ascii")
    real = flags & 0xFF in _NUMERIC and not flags & _COMPLEX
    return _Variable(name, shape, real, numbers_at, unpacked)


def _numbers(variable: _Variable, order: str, check_shape: Callable[[tuple[int, ...]], None]) -> NDArray[Any]:
    if not variable.real:
        raise OptionError(f"{variable.name} must hold real numbers")
    if any(n < 0 for n in variable.shape):
        raise OptionError(_CUT_SHORT)
    check_shape(variable.shape)
    kind, start, end, _ = _element(variable.unpacked, variable.numbers_at, order)
    dtype = np.dtype(order + _NUMBERS.get(kind, "V1"))
    if dtype.kind not in "fiu" or end - start != math.prod(variable.shape) * dtype.itemsize:
        raise OptionError(_CUT_SHORT)
    return np.frombuffer(variable.unpacked[start:end], dtype).reshape(variable.shape, order="F")
