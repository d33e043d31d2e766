"""MATLAB files: what SciPy wrote reads back, and neither claims nor compressed zeros take memory or time."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from scipy import io as scipy_io

from gansr.ops import mat_reader
from gansr.ops.kernel_files import MAT_TEXT, check_shape
from gansr.ops.mat_reader import read_matrix
from gansr.options import OptionError


def saved(packed: bool = False, **variables) -> bytes:
    out = io.BytesIO()
    scipy_io.savemat(out, variables, do_compression=packed)
    return out.getvalue()


def element(kind: int, body: bytes) -> bytes:
    return struct.pack("<II", kind, len(body)) + body + b"\0" * (-len(body) % 8)


def matrix(name: bytes, shape: tuple[int, ...], numbers: bytes, flags: int = 6) -> bytes:
    shape_element = element(5, struct.pack(f"<{len(shape)}i", *shape))
    return element(14, element(6, struct.pack("<II", flags, 0)) + shape_element + element(1, name) + numbers)


def packed(content: bytes) -> bytes:
    """A compressed element, which is not padded."""
    body = zlib.compress(content, 9)
    return struct.pack("<II", 15, len(body)) + body


def mat(*elements: bytes) -> bytes:
    return MAT_TEXT + b"\0" * 8 + b"\0\1IM" + b"".join(elements)


def kernel_of(data: bytes):
    return read_matrix(data, ("Kernel", "ker"), check_shape)


def entries_of(data: bytes) -> list[list[float]]:
    found = kernel_of(data)
    assert found is not None
    return found.tolist()


def refusal_of(data: bytes) -> str:
    with pytest.raises(OptionError) as caught:
        kernel_of(data)
    return str(caught.value)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("kind", ["f8", "f4", "u1", "i2", "i8", "u4"])
def test_what_scipy_wrote_reads_back(compressed, kind):
    array = np.arange(1, 13).reshape(3, 4).astype(kind)
    others = {"notes": "a text", "extra": np.ones((300, 300)), "cells": np.array([[1, "a"]], dtype=object)}
    np.testing.assert_array_equal(kernel_of(saved(compressed, **others, Kernel=array)), array)


def test_one_number_that_stands_in_its_tag():
    np.testing.assert_array_equal(kernel_of(saved(Kernel=np.array([[7]], np.uint8))), [[7]])


def test_numbers_written_from_the_highest_byte_first():
    order = ">"
    body = b"".join(
        struct.pack(">II", kind, len(part)) + part
        for kind, part in (
            (6, struct.pack(">II", 6, 0)),
            (5, struct.pack(">ii", 1, 2)),
            (1, b"Kernel\0\0"),
            (9, struct.pack(">dd", 1.5, 2.5)),
        )
    ).replace(struct.pack(">II", 1, 8), struct.pack(">II", 1, 6))
    data = MAT_TEXT + b"\0" * 8 + b"\1\0MI" + struct.pack(order + "II", 14, len(body)) + body
    np.testing.assert_array_equal(kernel_of(data), [[1.5, 2.5]])


def test_Kernel_goes_before_ker_and_the_first_of_two():
    both = saved(ker=np.eye(2), Kernel=np.eye(3))
    assert entries_of(both) == np.eye(3).tolist()
    first, second = matrix(b"ker", (1, 1), element(2, b"\1")), matrix(b"ker", (1, 1), element(2, b"\2"))
    assert entries_of(mat(first, second)) == [[1]]
    assert kernel_of(saved(other=np.eye(2))) is None and kernel_of(mat()) is None


@pytest.mark.parametrize("name", [b"Kernel", b"other"])
@pytest.mark.parametrize("shape", [(65, 65), (8192, 16384), (2**31 - 1, 2**31 - 1), (1, 1)])
def test_variable_that_unpacks_to_much_takes_hardly_any_memory(name, shape):
    zeros = element(9, b"\0" * (32 * 2**20))  # 32 MB in 32 kB
    data = mat(packed(matrix(name, shape, zeros)))
    del zeros
    assert len(data) < 50_000
    tracemalloc.start()
    try:
        kernel_of(data)
    except OptionError:
        assert name == b"Kernel"
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20


def test_many_variables_that_unpack_to_much_are_refused():
    bomb = packed(matrix(b"a", (1, 2**20), element(9, b"\0" * 2**20)))
    assert "over 256 variables" in refusal_of(mat(*[bomb] * 257))
    assert entries_of(mat(*[bomb] * 255, matrix(b"ker", (1, 1), element(2, b"\1")))) == [[1]]


@pytest.mark.parametrize("of_class", [1, 2, 3, 4, 5, 16, 17, 6 | 0x0800])
def test_only_real_matrices_are_read(of_class):
    assert "real numbers" in refusal_of(mat(matrix(b"Kernel", (1, 1), element(9, b"\0" * 8), of_class)))


@pytest.mark.parametrize(
    ("data", "part"),
    [
        (b"", "not a MATLAB file of version 5 to 7"),
        (b"\0" * 500, "not a MATLAB file of version 5 to 7"),
        (b"\x89HDF\r\n\x1a\n" + b"\0" * 500, "version 7.3"),
        (b"MATLAB 7.3 MAT-file".ljust(126) + b"IM", "version 7.3"),
        (mat(b"\0"), "damaged or cut short"),
        (mat(element(14, b"")), "damaged or cut short"),
        (mat(struct.pack("<II", 14, 2**32 - 1)), "damaged or cut short"),
        (mat(struct.pack("<II", 15, 9) + b"not packed"), "damaged or cut short"),
        (mat(struct.pack("<II", 14 | 5 << 16, 0)), "damaged or cut short"),
        (mat(matrix(b"Kernel", (2, 2), element(9, b"\0" * 8))), "damaged or cut short"),
        (mat(matrix(b"Kernel", (-1, 2), element(9, b""))), "damaged or cut short"),
        (mat(matrix(b"Kernel", (1, 1), element(99, b"\0" * 8))), "damaged or cut short"),
        (mat(matrix(b"\xff", (1, 1), element(9, b"\0" * 8))), "damaged or cut short"),
        (mat(packed(matrix(b"ker", (1, 1), element(9, b"\0" * 8)))[:-4] + b"nope"), "damaged or cut short"),
        (mat(matrix(b"Kernel", (66, 1), element(9, b"\0" * 528))), "1×66; sides from 1 to 65"),
        (mat(matrix(b"Kernel", (1, 1, 1), element(9, b"\0" * 8))), "2 dimensions, not 3"),
    ],
)
def test_what_cannot_be_read_is_refused_in_words(data, part):
    assert part in refusal_of(data)


def test_every_cut_is_refused():
    for data in (saved(Kernel=np.eye(3)), saved(True, Kernel=np.eye(3))):
        for length in range(129, len(data)):
            refusal_of(data[:length])


def test_largest_kernel_fits_into_what_is_unpacked():
    array = np.random.default_rng(0).random((65, 65))
    np.testing.assert_array_equal(kernel_of(saved(True, Kernel=array)), array)
    assert array.nbytes + mat_reader._HEAD < mat_reader._MOST
