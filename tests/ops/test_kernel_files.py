"""Kernel files: what is written reads back, and what is no kernel is refused with the reason."""

from __future__ import annotations

import io
import tracemalloc

import numpy as np
import pytest
import torch
from scipy import io as scipy_io

from gansr.ops import kernel_files
from gansr.ops.kernels import random_kernel
from gansr.options import OptionError


@pytest.mark.parametrize("suffix", [".mat", ".npy"])
def test_a_kernel_file_reads_back(tmp_path, suffix):
    kernel = random_kernel(torch.Generator().manual_seed(0))
    (tmp_path / f"k{suffix}").write_bytes(kernel_files.kernel_files("k", kernel)[f"k{suffix}"])
    assert torch.equal(kernel_files.read_kernel(tmp_path / f"k{suffix}"), kernel)


def test_the_mat_file_holds_the_variable_Kernel():
    content = kernel_files.kernel_files("k", torch.eye(4) / 4)["k.mat"]
    np.testing.assert_array_equal(scipy_io.loadmat(io.BytesIO(content))["Kernel"], np.eye(4) / 4)


def test_equal_kernels_give_equal_bytes(monkeypatch):
    kernel, texts = torch.ones(3, 3), iter(("Mon", "Tue"))
    monkeypatch.setattr("scipy.io.matlab._mio5.time.asctime", lambda: next(texts))
    first, again = (kernel_files.kernel_files("k", kernel) for _ in range(2))
    assert next(texts, None) is None  # the time was asked for twice
    assert first == again


def test_a_csv_kernel_of_even_side_reads(tmp_path):
    (tmp_path / "k.csv").write_text("1,2\n3,4\n")
    assert kernel_files.read_kernel(tmp_path / "k.csv").tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (np.full((3, 3), np.nan), "not a number"),
        (np.array([[np.inf, 1.0]]), "infinite"),
        (np.ones((3, 3, 3)), "2 dimensions"),
        (np.ones((66, 3)), "sides from 1 to 65"),
        (np.ones((0, 3)), "sides from 1 to 65"),
        (-np.ones((3, 3)), "sum must be positive"),
        (np.zeros((3, 3)), "sum must be positive"),
        (np.ones((3, 3), dtype=complex), "real numbers"),
    ],
)
def test_a_bad_kernel_file_is_refused_with_the_reason(tmp_path, value, why):
    np.save(tmp_path / "k.npy", value)
    with pytest.raises(OptionError, match=why):
        kernel_files.read_kernel(tmp_path / "k.npy")


def test_files_that_are_no_kernels_are_refused(tmp_path):
    (tmp_path / "k.csv").write_text("one,two\n")
    (tmp_path / "k.mat").write_bytes(b"not a mat file at all, however long it may be")
    scipy_io.savemat(tmp_path / "other.mat", {"Other": np.eye(3)})
    np.save(tmp_path / "object.npy", np.array([{}], dtype=object), allow_pickle=True)
    (tmp_path / "k.txt").write_text("1")
    for name, why in [
        ("k.csv", "cannot be read"),
        ("k.mat", "cannot be read"),
        ("other.mat", "no variable Kernel"),
        ("object.npy", "cannot be read"),
        ("k.txt", "is a .mat, .npy or .csv"),
        ("missing.npy", "cannot be read"),
    ]:
        with pytest.raises(OptionError, match=why):
            kernel_files.read_kernel(tmp_path / name)


def refusal_of(path) -> str:
    with pytest.raises(OptionError) as caught:
        kernel_files.read_kernel(path)
    return str(caught.value)


@pytest.mark.parametrize("suffix", [".mat", ".npy", ".csv"])
def test_file_over_a_megabyte_is_refused_unread(tmp_path, suffix):
    with (tmp_path / f"k{suffix}").open("wb") as file:
        file.truncate(2**40)  # a terabyte that takes no room
    assert "at most 1 MB" in refusal_of(tmp_path / f"k{suffix}")


def bomb(suffix: str) -> bytes:
    """Under a megabyte, but tens or hundreds of megabytes to a reader that believes it."""
    out = io.BytesIO()
    if suffix == ".mat":
        scipy_io.savemat(out, {"Kernel": np.zeros((2000, 4000))}, do_compression=True)
    elif suffix == ".npy":
        np.save(out, np.zeros((3, 3)))
        out = io.BytesIO(out.getvalue().replace(b"(3, 3)", b"(6000, 6000)").replace(b" " * 6 + b"\n", b"\n"))
    else:
        out.write(b"1," * 499_000 + b"1\n")
    return out.getvalue()


@pytest.mark.parametrize("suffix", [".mat", ".npy", ".csv"])
def test_file_that_unpacks_to_much_is_refused_within_little_memory(tmp_path, suffix):
    (tmp_path / f"k{suffix}").write_bytes(bomb(suffix))
    assert (tmp_path / f"k{suffix}").stat().st_size <= kernel_files.MAX_BYTES
    tracemalloc.start()
    text = refusal_of(tmp_path / f"k{suffix}")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "sides from 1 to 65" in text and peak < 8 * 2**20


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"", "same number of numbers"),
        (b"# only a remark\n", "same number of numbers"),
        (b"1,2\n3\n", "same number of numbers"),
        (b"1,2\n" * 66, "sides from 1 to 65"),
        (b"1," * 65 + b"1", "sides from 1 to 65"),
        (b"1,,2\n", "line 1 holds something else"),
        (b"1\n2;3\n", "line 2 holds something else"),
        (b"0." + b"1" * 900_000, "over 40 characters"),
        (b"\xff\xfe1\0,\0", "not a text"),
        (b"1,nan\n", "not a number or infinite"),
        (b"1e308,1e308\n", "positive and finite, not inf"),
    ],
)
def test_a_bad_csv_is_refused_with_the_reason(tmp_path, content, part):
    (tmp_path / "k.csv").write_bytes(content)
    text = refusal_of(tmp_path / "k.csv")
    assert part in text and len(text) < 200


def test_a_csv_with_remarks_empty_lines_and_a_byte_order_mark_reads(tmp_path):
    (tmp_path / "k.csv").write_bytes(b"\xef\xbb\xbf# made by hand\r\n 1 , 2e0\r\n\r\n3,4 # last\r\n")
    assert kernel_files.read_kernel(tmp_path / "k.csv").tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize("kind", ["<f2", "<f8", "<i8", "<u8", np.longdouble])
def test_numbers_too_large_for_a_kernel_are_refused(tmp_path, kind):
    dtype = np.dtype(kind)
    most = (np.finfo if dtype.kind == "f" else np.iinfo)(dtype).max
    np.save(tmp_path / "k.npy", np.full((3, 3), most, dtype))
    if dtype.itemsize in (2, 8) and dtype != np.float64:  # as doubles they have a sum
        assert kernel_files.read_kernel(tmp_path / "k.npy").sum() > 0
    else:
        refusal_of(tmp_path / "k.npy")
