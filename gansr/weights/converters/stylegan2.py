"""StyleGAN2 in rosinality's layout (rosinality/stylegan2-pytorch, MIT) → gansr.nets.stylegan2.StyleGAN2.

A file is a dict with the averaged generator under `g_ema`. Run-time scalings are folded: 1/√fan-in into the
weights, 0.01 (the mapping's learning-rate multiplier) into its weights and biases. The FIR kernels, which are
buffers in the file, must be [1,3,3,1]⊗[1,3,3,1]/16 (/64 × 4), which our network has built in; others are refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from gansr.weights import WeightsError
from gansr.weights.authors import torch_file

MAPPING_RATE = 0.01
KERNEL = torch.tensor([1.0, 3.0, 3.0, 1.0])

Fold = Callable[[Tensor], Tensor]


def rosinality(path: Path) -> dict[str, Tensor]:
    """The .pt file → the state dict of StyleGAN2(side). Raises WeightsError naming a wrong key."""
    found = torch_file(path)
    tensors = found.get("g_ema", found)
    if not isinstance(tensors, dict) or "input.input" not in tensors:
        raise WeightsError(f"{path.name} is not a StyleGAN2 in rosinality's layout: input.input is missing")
    return from_rosinality({key: value for key, value in tensors.items() if isinstance(value, Tensor)})


def from_rosinality(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """rosinality's state dict → ours. Raises WeightsError naming an unknown key or another kernel."""
    rules: tuple[tuple[str, str, Fold], ...] = (
        (r"style\.(\d+)\.weight", "mapping.layers.{mapping}.weight", mapping_weight),
        (r"style\.(\d+)\.bias", "mapping.layers.{mapping}.bias", lambda t: t * MAPPING_RATE),
        (r"input\.input", "body.constant", keep),
        (r"noises\.noise_(\d+)", "body.layers.{0}.noise", keep),
        (r"conv1\.(.+)", "body.layers.0.{rest}", keep),
        (r"convs\.(\d+)\.(.+)", "body.layers.{next}.{rest}", keep),
        (r"to_rgb1\.(.+)", "rgbs.0.{rest}", keep),
        (r"to_rgbs\.(\d+)\.(.+)", "rgbs.{next}.{rest}", keep),
    )
    return rename(tensors, rules, ROSINALITY_LEAVES)


def keep(t: Tensor) -> Tensor:
    return t


def mapping_weight(t: Tensor) -> Tensor:
    return t * (MAPPING_RATE / t.shape[1] ** 0.5)


def convolution(t: Tensor) -> Tensor:
    """(1,out,in,k,k) → (out,in,k,k) with 1/√(in·k²) folded in."""
    return t[0] / (t.shape[2] * t.shape[3] * t.shape[4]) ** 0.5


def linear(t: Tensor) -> Tensor:
    return t / t.shape[1] ** 0.5


def one(t: Tensor) -> Tensor:
    return t.reshape(())


def flat(t: Tensor) -> Tensor:
    return t.reshape(-1)


def fir(t: Tensor) -> None:
    """Raises ValueError unless t is the filter that our network has built in."""
    wanted = torch.outer(KERNEL, KERNEL) / 16
    if t.shape != wanted.shape or not torch.allclose(t, wanted, atol=1e-6):
        raise ValueError("the FIR kernel of this file is not [1,3,3,1]⊗[1,3,3,1]/16")


Leaves = Mapping[str, tuple[str, Callable[[Tensor], Tensor | None]]]

ROSINALITY_LEAVES: Leaves = {
    "conv.weight": ("conv.weight", convolution),
    "conv.modulation.weight": ("conv.style.weight", linear),
    "conv.modulation.bias": ("conv.style.bias", keep),
    "noise.weight": ("strength", one),
    "activate.bias": ("bias", keep),
    "bias": ("bias", flat),
    "conv.blur.kernel": ("", fir),
    "upsample.kernel": ("", fir),
}


def rename(
    tensors: Mapping[str, Tensor], rules: tuple[tuple[str, str, Fold], ...], leaves: Leaves
) -> dict[str, Tensor]:
    """Rename keys and fold values. A rule: a pattern for the file's key, our key, the folding.

    In our key, {0} is the number in the file's key; {next} is that plus one; {mapping} minus one (the file's layer 0
    is the pixel norm); {leaf} is the last group as it is; {rest} is the last group renamed and folded by `leaves`.
    Raises WeightsError naming a key without a rule or leaf, or with a value that cannot be folded.
    """
    made = {}
    for key, value in tensors.items():
        name, fold = _renamed(key, rules, leaves)
        try:
            folded = fold(value.float())
        except (ValueError, IndexError, RuntimeError) as error:
            raise WeightsError(f"{key}: {error}") from error
        if folded is not None:
            made[name] = folded.contiguous()
    return made


def _renamed(
    key: str, rules: tuple[tuple[str, str, Fold], ...], leaves: Leaves
) -> tuple[str, Callable[[Tensor], Tensor | None]]:
    for pattern, ours, fold in rules:
        if not (match := re.fullmatch(pattern, key)):
            continue
        number = int(match[1]) if match.groups() and match[1].isdigit() else 0
        leaf = match[match.lastindex] if match.lastindex else ""
        places = {"next": number + 1, "mapping": number - 1, "leaf": leaf, "rest": ""}
        if "{rest}" in ours:
            if leaf not in leaves:
                break
            places["rest"], fold = leaves[leaf]
        return ours.format(number, **places), fold
    raise WeightsError(f"{key} is not a key of StyleGAN2")
