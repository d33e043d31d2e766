"""StyleGAN1 from PULSE's own files, synthesis.pt and mapping.pt (adamian98/pulse) → gansr.nets.stylegan1.

Folded, element by element: the run-time scales (√2/√fan-in of convolutions, 1/√fan-in of styles and RGB, those of
the mapping with its learning-rate multiplier 0.01), and the two forms of the up-convolution into one 4×4 kernel.
The blur kernels in the file must be [1,2,1]⊗[1,2,1]/16, which our network has built in; others are refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from gansr.weights import WeightsError
from gansr.weights.authors import torch_file

MAPPING_RATE = 0.01
FUSED_FROM = 128  # px: from this side on the file's kernel is that of the transposed convolution
BLUR = torch.outer(torch.tensor([1.0, 2.0, 1.0]), torch.tensor([1.0, 2.0, 1.0])) / 16


def pulse(synthesis: Path, mapping: Path) -> dict[str, Tensor]:
    """The two files → the state dict of StyleGAN1(). Raises WeightsError naming a wrong or missing key."""
    return from_pulse(torch_file(synthesis), torch_file(mapping))


def from_pulse(synthesis: Mapping[str, Tensor], mapping: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The authors' two state dicts → ours. Raises WeightsError naming an unknown or missing key."""
    left = dict(synthesis)
    ours = _mapping(dict(mapping)) | {
        "to_rgb.weight": _folded(_take(left, "torgb.weight"), 1.0),
        "to_rgb.bias": _take(left, "torgb.bias"),
    }
    sides = sorted({int(key.split(".")[1].split("x")[0]) for key in left if key.startswith("blocks.")})
    for k, side in enumerate(sides):
        ours |= {
            f"blocks.{k}.{name}": value for name, value in _block(left, side, f"blocks.{side}x{side}").items()
        }
    if left:
        raise WeightsError(f"the synthesis has a key that is not StyleGAN1's: {sorted(left)[0]}")
    return {key: value.float().contiguous() for key, value in ours.items()}


def _take(left: dict[str, Tensor], key: str) -> Tensor:
    if key not in left:
        raise WeightsError(f"this is not PULSE's StyleGAN1: {key} is missing")
    return left.pop(key)


def _folded(weight: Tensor, gain: float) -> Tensor:
    return weight * (gain / weight[0].numel() ** 0.5)


def _mapping(left: dict[str, Tensor]) -> dict[str, Tensor]:
    ours = {}
    for i in range(len(left) // 2):
        weight = _take(left, f"dense{i}.weight")
        ours[f"mapping.layers.{i}.weight"] = _folded(weight, 2**0.5 * MAPPING_RATE)
        ours[f"mapping.layers.{i}.bias"] = _take(left, f"dense{i}.bias") * MAPPING_RATE
    if left or not ours:
        raise WeightsError(
            f"the mapping has a key that is not StyleGAN1's: {next(iter(left), 'it is empty')}"
        )
    return ours


def _block(left: dict[str, Tensor], side: int, at: str) -> dict[str, Tensor]:
    ours = {}
    for i in (1, 2):
        ours[f"epilogue{i}.strength"] = _take(left, f"{at}.epi{i}.noise.weight")
        style = _take(left, f"{at}.epi{i}.style_mod.lin.weight")
        ours[f"epilogue{i}.style.weight"] = _folded(style, 1.0)
        ours[f"epilogue{i}.style.bias"] = _take(left, f"{at}.epi{i}.style_mod.lin.bias")
    if side == 4:
        bias = _take(left, f"{at}.bias")
        ours["constant"] = _take(left, f"{at}.const") + bias[:, None, None]
        return ours | _convolution(left, f"{at}.conv")
    blur = _take(left, f"{at}.conv0_up.intermediate.kernel").reshape(3, 3)
    if not torch.allclose(blur, BLUR, rtol=0, atol=1e-6):
        raise WeightsError(f"{at}.conv0_up.intermediate.kernel is not [1,2,1]⊗[1,2,1]/16")
    ours["up"] = _transposed(_folded(_take(left, f"{at}.conv0_up.weight"), 2**0.5), side)
    ours["up_bias"] = _take(left, f"{at}.conv0_up.bias")
    return ours | _convolution(left, f"{at}.conv1")


def _convolution(left: dict[str, Tensor], at: str) -> dict[str, Tensor]:
    return {"weight": _folded(_take(left, f"{at}.weight"), 2**0.5), "bias": _take(left, f"{at}.bias")}


def _transposed(weight: Tensor, side: int) -> Tensor:
    """(out,in,3,3) → (in,out,4,4) for a transposed convolution of stride 2: the sum of four shifts by one px.

    Below 128 px the file's kernel is that of a plain convolution after doubling: rotated by 180° it is the same.
    """
    rotated = weight if side >= FUSED_FROM else weight.flip(2, 3)
    x = F.pad(rotated.transpose(0, 1), (1, 1, 1, 1))
    return x[..., 1:, 1:] + x[..., :-1, 1:] + x[..., 1:, :-1] + x[..., :-1, :-1]
