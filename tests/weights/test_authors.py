"""The authors' file formats, opened without running anything in them."""

from __future__ import annotations

import os
import pickle
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
import torch

from gansr import weights
from gansr.weights import authors


class Evil:
    def __init__(self, command: str):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


@pytest.mark.parametrize("opened", [authors.pickled_arrays, authors.torch_file])
def test_a_malicious_pickle_is_refused_and_not_run(tmp_path, opened):
    mark = tmp_path / "ran"
    evil = {"a": np.zeros(2), "b": Evil(f"touch {mark}")}
    if opened is authors.pickled_arrays:
        (tmp_path / "evil.ckpt").write_bytes(pickle.dumps(evil))
    else:
        torch.save(evil, tmp_path / "evil.ckpt")
    with pytest.raises(
        weights.WeightsError, match=r"(?s)evil.ckpt was not opened.*system.*Nothing in it was run"
    ):
        opened(tmp_path / "evil.ckpt")
    assert not mark.exists()


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("module", ["numpy.core.multiarray", "numpy._core.multiarray"])
def test_pickled_arrays_of_either_numpy_are_read(tmp_path, protocol, module):
    tree = {"Conv_0": {"kernel": np.arange(6, dtype=np.float32).reshape(2, 3)}, "scale": np.float32(3)}
    data = pickle.dumps(tree, protocol)
    if protocol == 2:  # in text, so the other numpy's name can be put in
        data = data.replace(b"numpy._core.multiarray", module.encode())
    (tmp_path / "a.ckpt").write_bytes(data)
    found = authors.pickled_arrays(tmp_path / "a.ckpt")
    np.testing.assert_array_equal(found["Conv_0"]["kernel"], tree["Conv_0"]["kernel"])
    assert found["scale"] == 3


@pytest.mark.parametrize("content", [{"a": "text"}, {"a": np.array([None])}, [1, 2], {"a": {"b": 3}}])
def test_a_pickle_of_anything_but_numbers_is_refused(tmp_path, content):
    (tmp_path / "a.ckpt").write_bytes(pickle.dumps(content))
    with pytest.raises(weights.WeightsError, match="was not opened"):
        authors.pickled_arrays(tmp_path / "a.ckpt")


@pytest.mark.parametrize("opened", [authors.pickled_arrays, authors.torch_file, authors.h5_arrays])
@pytest.mark.parametrize("content", [b"", b"\x80\x02garbage", b"<html>not found</html>" * 50])
def test_a_damaged_file_is_refused_in_words(tmp_path, opened, content):
    (tmp_path / "a.bin").write_bytes(content)
    with pytest.raises(weights.WeightsError, match=r"a\.bin was not opened"):
        opened(tmp_path / "a.bin")


@pytest.mark.parametrize("zipped", [True, False])
def test_a_training_checkpoint_is_read_with_its_numpy_numbers(tmp_path, zipped):
    saved = {"state_dict": OrderedDict(a=torch.ones(2)), "best": np.float64(31.5), "epoch": 3}
    torch.save(saved, tmp_path / "a.pth.tar", _use_new_zipfile_serialization=zipped)
    found = authors.torch_file(tmp_path / "a.pth.tar")
    assert found["state_dict"]["a"].tolist() == [1, 1] and found["best"] == 31.5 and found["epoch"] == 3


def test_hdf5_gives_arrays_by_path_and_refuses_what_lies_outside(tmp_path):
    import h5py

    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["model/conv/kernel"] = np.ones((2, 3), np.float32)
        file["elsewhere"] = h5py.ExternalLink("/etc/passwd", "/")
    assert {k: v.shape for k, v in authors.h5_arrays(tmp_path / "a.h5").items()} == {
        "model/conv/kernel": (2, 3)
    }
    (tmp_path / "secret").write_bytes(b"01234567")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file.create_dataset("stolen", (8,), "u1", external=[(str(tmp_path / "secret"), 0, 8)])
    with pytest.raises(weights.WeightsError, match="stolen is stored in another file"):
        authors.h5_arrays(tmp_path / "b.h5")


def test_a_file_whose_tensors_would_be_far_larger_than_the_file_is_refused(tmp_path):
    """A value repeated by a stride of 0 is copied out by a converter; a compressed archive is unpacked."""
    torch.save({"a": torch.zeros(1).expand(2_000_000)}, tmp_path / "repeated.pt")
    torch.save({"a": torch.zeros(2_000_000)}, tmp_path / "stored.pt")
    with (
        zipfile.ZipFile(tmp_path / "stored.pt") as stored,
        zipfile.ZipFile(tmp_path / "packed.pt", "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for name in stored.namelist():
            packed.writestr(name, stored.read(name))
    for name in ("repeated.pt", "packed.pt"):
        with pytest.raises(weights.WeightsError, match=rf"{name} was not opened.*would take 8\d+"):
            authors.torch_file(tmp_path / name)
    shared = torch.zeros(1_000_000)
    torch.save({"a": shared, "b": {"same": shared}}, tmp_path / "shared.pt")
    assert authors.torch_file(tmp_path / "shared.pt")["b"]["same"].shape == (1_000_000,)
