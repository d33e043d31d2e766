"""Training pictures: what is taken, what is held out, what is kept, and crops of both at the same place."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gansr.ops.resize import imresize
from gansr.papers.srgan import pairs
from gansr.papers.srgan.pairs import Pairs, Resident, load
from gansr.papers.training_loop import TrainingError


@pytest.fixture
def folder(tmp_path) -> Path:
    place = tmp_path / "pictures"
    place.mkdir()
    draws = np.random.default_rng(0)
    for i in range(6):
        array = draws.integers(0, 256, (50 + i, 70, 3), np.uint8)
        Image.fromarray(array).save(place / f"{i}.png")
    (place / "notes.txt").write_text("not a picture")
    return place


def test_pictures_are_cut_to_the_factor_and_shrunk_by_matlabs_bicubic(folder, tmp_path):
    found, held = load(folder, tmp_path / "kept.npz", 4, 32)
    assert [picture.shape for picture in found.high] == [(48, 68, 3), (48, 68, 3), *[(52, 68, 3)] * 3]
    assert [picture.shape for picture in held.low] == [(52 // 4, 17, 3)]
    high = pairs.tensor(found.high[0][None])[0]
    low = pairs.tensor(found.low[0][None])[0]
    assert torch.equal(low, imresize(high, 0.25, rounded=True))


def test_a_few_pictures_are_all_trained_on(folder, tmp_path):
    for i in range(2, 6):
        (folder / f"{i}.png").unlink()
    found, held = load(folder, tmp_path / "kept.npz", 4, 32)
    assert len(found) == 2 and len(held) == 2


def test_they_are_made_once_and_anew_where_a_picture_changed(folder, tmp_path, monkeypatch):
    first, _ = load(folder, tmp_path / "kept.npz", 4, 32)
    with monkeypatch.context() as patched:
        patched.setattr(pairs, "open_picture", lambda path: pytest.fail("opened again"))
        again, _ = load(folder, tmp_path / "kept.npz", 4, 32)
    assert all(np.array_equal(a, b) for a, b in zip(first.high, again.high))
    os.utime(folder / "0.png", (1, 1))
    opened = []
    monkeypatch.setattr(pairs, "open_picture", lambda path: opened.append(path) or pairs_open(path))
    load(folder, tmp_path / "kept.npz", 4, 32)
    assert len(opened) == 6
    (tmp_path / "kept.npz").write_bytes(b"damaged")
    load(folder, tmp_path / "kept.npz", 4, 32)
    assert len(opened) == 12


pairs_open = pairs.open_picture


def test_crops_of_both_are_of_the_same_place(folder, tmp_path):
    y, x = np.mgrid[:16, :24].astype(np.uint8)
    low = np.stack([y, x, y], -1)
    high = low.repeat(4, 0).repeat(4, 1)
    found = Pairs(4, [high], [low])
    small, large = found.crops(9, 32, torch.Generator().manual_seed(1))
    assert small.shape == (9, 3, 8, 8) and large.shape == (9, 3, 32, 32)
    assert torch.equal(small.repeat_interleave(4, 2).repeat_interleave(4, 3), large)
    rising = (small[:, 1, 0, 1] > small[:, 1, 0, 0]).tolist()
    assert True in rising and False in rising  # some are mirrored
    assert len({float(corner) for corner in small[:, 0, 0, 0]}) > 3


def test_a_small_picture_is_left_out_and_told(folder, tmp_path):
    Image.new("RGB", (20, 20)).save(folder / "small.png")
    told: list[str] = []
    found, held = load(folder, tmp_path / "kept.npz", 4, 32, told.append)
    assert len(found) + len(held) == 6
    assert "1 of 7 pictures are smaller than a crop, 32×32 px, and were left out" in told


def test_folders_that_cannot_be_used_are_refused_in_words(folder, tmp_path):
    with pytest.raises(TrainingError, match="cannot be read: No such file"):
        load(tmp_path / "nowhere", tmp_path / "kept.npz", 4, 32)
    with pytest.raises(TrainingError, match="all 6 pictures are smaller than a crop, 96×96 px"):
        load(folder, tmp_path / "kept.npz", 4, 96)
    (folder / "0.png").write_bytes(b"no picture")
    with pytest.raises(TrainingError, match=r"^“0\.png”: "):
        load(folder, tmp_path / "kept.npz", 4, 32)
    for path in folder.glob("*.png"):
        path.unlink()
    with pytest.raises(TrainingError, match="holds no picture"):
        load(folder, tmp_path / "kept.npz", 4, 32)


def test_crops_cut_on_a_device_are_the_same():
    draws = np.random.default_rng(0)
    low = [draws.integers(0, 256, (*size, 3), dtype=np.uint8) for size in ((9, 14), (12, 8), (8, 8))]
    pairs = Pairs(2, [each.repeat(2, 0).repeat(2, 1) for each in low], low)
    resident = Resident(pairs, torch.device("cpu"))
    assert len(resident) == 3
    first, second = (torch.Generator().manual_seed(1) for _ in range(2))
    for _ in range(4):
        for ours, theirs in zip(resident.crops(16, 16, first), pairs.crops(16, 16, second)):
            assert torch.equal(ours, theirs) and ours.stride() == theirs.stride()
