"""Golden numbers: what the authors' own code computed on deterministic random weights.

The small ones lie in tests/goldens, the others are read from ../shared/goldens (a test that needs one skips,
with the reason, where there is none). The rule: `array(name, shape)` is standard normal noise seeded by the
name's crc32; inputs and weights are scaled and shifted copies of it; outputs are stored whole or in parts.
"""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

HERE = Path(__file__).parent
FOLDERS = (HERE.parent / "goldens", HERE.parents[2] / "shared" / "goldens")


def array(name: str, shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(zlib.crc32(name.encode())).standard_normal(shape, dtype=np.float32)


class Golden:
    def __init__(self, name: str):
        folder = next((f for f in FOLDERS if (f / f"{name}.json").exists()), None)
        if folder is None:
            pytest.skip(f"the golden file {name} is not in tests/goldens and there is no ../shared/goldens")
        self.about: dict[str, Any] = json.loads((folder / f"{name}.json").read_text())
        self.stored = np.load(folder / f"{name}.npz", allow_pickle=False)

    def input(self, name: str) -> np.ndarray:
        row = self.about["inputs"][name]
        if row["made_by"] == "stored":
            return self.stored[row["npz"]]
        value = array(name, tuple(row["shape"]))
        if row["made_by"] == "array/L2 norm":
            return value / np.linalg.norm(value)
        assert row["made_by"] == "array", row["made_by"]
        value = value * np.float32(row["scale"])
        if row.get("add") is not None:
            value = value + np.float32(row["add"])
        if row.get("clip") is not None:
            value = np.clip(value, *row["clip"])
        np.testing.assert_allclose(value.ravel()[:3], row["first"], rtol=1e-6)  # numpy's generator unchanged
        return value

    def tensor(self, name: str) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(self.input(name)))

    def state(self, label: str) -> dict[str, Tensor]:
        """The official state dict of one network, in official key order."""
        state = {}
        for row in self.about["networks"][label]["tensors"]:
            key, shape = row["key"], tuple(row["shape"])
            if row.get("fixed"):
                state[key] = _fixed(row, shape)
                continue
            value = array(key, shape)
            if row.get("unit"):
                value = value / np.linalg.norm(value)
            else:
                value = np.abs(value) if row.get("absolute") else value
                value = np.float32(row["offset"]) + np.float32(row["scale"]) * value
            state[key] = torch.from_numpy(np.asarray(value, dtype=np.float32))
        return state

    def check(self, key: str, value: Tensor | np.ndarray | float) -> None:
        """Assert that `value` is the stored output within its stored tolerance."""
        row = self.about["outputs"][key]
        got = value.detach().cpu().numpy() if isinstance(value, Tensor) else np.asarray(value)
        assert tuple(got.shape) == tuple(row["shape"]), f"{key}: shape {got.shape}, expected {row['shape']}"
        allowed = row["atol"] + row.get("rtol", 0) * max(abs(row["min"]), abs(row["max"]))
        for part, mine in _parts(row, key, got):
            error = np.abs(mine.astype(np.float64) - self.stored[part].astype(np.float64))
            assert error.max(initial=0) <= allowed, f"{part}: off by {error.max():.3g}, allowed {allowed:.3g}"
            if row.get("mean_abs_tol") is not None:
                assert error.mean() <= row["mean_abs_tol"], f"{part}: mean error {error.mean():.3g}"


def _fixed(row: dict[str, Any], shape: tuple[int, ...]) -> Tensor:
    value = next(row[k] for k in ("value", "values") if k in row)
    dtype = torch.int64 if str(row.get("dtype", "")).startswith("int") else torch.float32
    value = torch.as_tensor(value, dtype=dtype)
    return value.reshape(shape) if value.numel() == np.prod(shape, dtype=int) else value.expand(shape).clone()


def _parts(row: dict[str, Any], key: str, got: np.ndarray) -> list[tuple[str, np.ndarray]]:
    if row["stored"] == "full":
        return [(key, got)]
    flat = np.moveaxis(got, row["axes"], (-2, -1))
    flat = flat.reshape(-1, *flat.shape[-2:])[:: row["lead_stride"]]
    n, stride, (top, left) = row["n"], row["sub_stride"], row["centre_at"]
    height, width = flat.shape[-2:]
    return [
        (f"{key}.corner", flat[:, :n, :n]),
        (f"{key}.end", flat[:, height - n :, width - n :]),
        (f"{key}.centre", flat[:, top : top + n, left : left + n]),
        (f"{key}.sub", flat[:, ::stride, ::stride]),
    ]
