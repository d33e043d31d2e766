"""Kernel files: what is written reads back, and what is no kernel is refused with the reason."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from scipy import io as scipy_io

from gansr.ops.kernels import random_kernel
from gansr.options import OptionError
from gansr.papers.kernelgan import kernel_files


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
