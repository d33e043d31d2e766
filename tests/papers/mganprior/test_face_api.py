"""The labelling networks: how their weights are read, padding, and where the face is cut."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from gansr.papers.mganprior.face_api import MEAN, SIDE, FaceApi, cut, padded, read_weights, separable


def test_weights_are_unpacked_in_the_order_of_pytorchs_axes(tmp_path: Path):
    packed = np.arange(3 * 3 * 2 * 1, dtype=np.uint8).reshape(3, 3, 2, 1)
    plain = np.arange(3 * 4, dtype=np.float32).reshape(1, 1, 3, 4)
    bias = np.array([1.5, -2], dtype=np.float32)
    entries = [
        {
            "name": "a/depthwise_filter",
            "shape": [3, 3, 2, 1],
            "dtype": "float32",
            "quantization": {"dtype": "uint8", "scale": 0.5, "min": -1.0},
        },
        {"name": "a/pointwise_filter", "shape": [1, 1, 3, 4], "dtype": "float32"},
        {"name": "a/bias", "shape": [2], "dtype": "float32"},
    ]
    (tmp_path / "toy_model-weights_manifest.json").write_text(
        json.dumps([{"weights": entries, "paths": ["x"]}])
    )
    (tmp_path / "toy_model.bin").write_bytes(packed.tobytes() + plain.tobytes() + bias.tobytes())
    found = read_weights(tmp_path, "toy")
    assert found["a/depthwise_filter"].shape == (2, 1, 3, 3)
    assert float(found["a/depthwise_filter"][1, 0, 2, 1]) == packed[2, 1, 1, 0] * 0.5 - 1
    assert found["a/pointwise_filter"].shape == (4, 3, 1, 1)
    assert float(found["a/pointwise_filter"][2, 1, 0, 0]) == plain[0, 0, 1, 2]
    assert found["a/bias"].tolist() == [1.5, -2]


def test_a_missing_folder_is_an_os_error(tmp_path: Path):
    with pytest.raises(OSError, match="age_gender_model"):
        FaceApi(tmp_path)


def test_a_stride_of_two_is_padded_at_the_end_only():
    x = torch.ones(1, 1, 4, 4)
    assert padded(x, 1).shape == (1, 1, 6, 6) and padded(x, 2).shape == (1, 1, 5, 5)
    assert float(padded(x, 2)[0, 0, 0, 0]) == 1 and float(padded(x, 2)[0, 0, 4, 4]) == 0
    weights = {
        "k/depthwise_filter": torch.ones(1, 1, 3, 3),
        "k/pointwise_filter": torch.full((1, 1, 1, 1), 2.0),
        "k/bias": torch.tensor([0.5]),
    }
    assert separable(x, weights, "k", stride=2)[0, 0].tolist() == [[18.5, 12.5], [12.5, 8.5]]


def test_a_face_is_cut_at_its_pixels_and_its_mean_colour_taken_off():
    picture = torch.rand(1, 3, 2 * SIDE, 2 * SIDE, generator=torch.Generator().manual_seed(0))
    face = cut(picture, torch.tensor([[10.0, 20.0, SIDE]]))
    wanted = picture[:, :, 20 : 20 + SIDE, 10 : 10 + SIDE] - torch.tensor(MEAN)[:, None, None] / 255
    torch.testing.assert_close(face, wanted, atol=1e-4, rtol=0)
