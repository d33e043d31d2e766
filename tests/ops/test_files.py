"""Files of numbers: what numpy wrote reads back, and what a header claims is checked before anything is allocated."""

from __future__ import annotations

import io
import tracemalloc

import numpy as np
import pytest
from numpy.lib import format

from gansr.ops.files import read_bytes, read_npy
from gansr.options import OptionError


def npy(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def with_header(header: str, version: tuple[int, int] = (1, 0)) -> bytes:
    length = len(header).to_bytes(2 if version == (1, 0) else 4, "little")
    return format.magic(*version) + length + header.encode()


def claiming(shape: str, kind: str = "<f8") -> bytes:
    return with_header(f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n") + b"\0" * 64


def any_shape(shape: tuple[int, ...]) -> None:
    pass


def refusal_of(data: bytes) -> str:
    with pytest.raises(OptionError) as caught:
        read_npy(data, any_shape)
    return str(caught.value)


@pytest.mark.parametrize("kind", ["<f8", ">f8", "<f4", "<f2", "u1", "<i8", ">u2"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_what_numpy_wrote_reads_back(kind, order):
    array = np.arange(12).reshape(3, 4).astype(kind, order=order)
    np.testing.assert_array_equal(read_npy(npy(array), any_shape), array)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x93NUMPY",
        b"PK\3\4" + b"\0" * 60,
        b"\x80\x04N.",
        claiming("(3, 3)")[:40],
        claiming("(3, 3"),
        claiming("(-1, 3)"),
        claiming("('a', 3)"),
        claiming("(1,)" + "," * 5000),
        with_header("-" * 5000 + "1"),
        with_header("(" * 5000),
        with_header("{'descr': '<f8', 'fortran_order': False, 'shape': (1, 1), }\n", (3, 0)) + b"\0" * 8,
        claiming("(" + "1," * 40 + ")"),
    ],
)
def test_damaged_header_is_refused(data):
    assert "header is damaged" in refusal_of(data)


@pytest.mark.parametrize("kind", ["O", "<U9", "<c16", "<M8[s]", "|V8", "8f8"])
def test_what_holds_no_real_numbers_is_refused(kind):
    assert "real numbers" in refusal_of(claiming("(1,)", kind))


@pytest.mark.parametrize("shape", ["(100000, 100000)", "(10000000000000, 10000000000000)", "(9,)"])
def test_more_numbers_than_there_are_bytes_are_refused_without_allocating_them(shape):
    tracemalloc.start()
    assert "cut short" in refusal_of(claiming(shape))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20


def test_shape_is_checked_before_the_numbers_are_looked_at():
    def refuse(shape: tuple[int, ...]) -> None:
        raise OptionError(f"not {shape}")

    with pytest.raises(OptionError, match=r"not \(100000, 100000\)"):
        read_npy(claiming("(100000, 100000)"), refuse)


def test_file_is_read_up_to_the_limit_only(tmp_path):
    (tmp_path / "a").write_bytes(b"12345")
    assert read_bytes(tmp_path / "a", 5) == b"12345"
    with pytest.raises(OptionError, match="too large"):
        read_bytes(tmp_path / "a", 4)
    with (tmp_path / "large").open("wb") as file:
        file.truncate(2**40)  # a terabyte that takes no room
    with pytest.raises(OptionError, match="too large: at most 1 MB"):
        read_bytes(tmp_path / "large", 1_000_000)


def test_what_is_no_file_is_refused_without_naming_its_folder(tmp_path):
    for path in (tmp_path, tmp_path / "missing", tmp_path / ("x" * 5000), tmp_path / "a\0b"):
        with pytest.raises(OptionError) as caught:
            read_bytes(path, 5)
        assert tmp_path.name not in str(caught.value)
