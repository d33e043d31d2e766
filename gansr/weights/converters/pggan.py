"""PGGAN generators as mGANprior, HiGAN, SeFa and GenForce store them → the state dict of gansr.nets.pggan.PGGAN.

One layout under two namings: `layer3.conv.weight`, `layer3.wscale.bias` (mGANprior, HiGAN) and `layer3.weight`,
`layer3.bias` (SeFa, GenForce, huggan's copies). Both hold the weights before their run-time gain, which is multiplied
in here: √2/√fan_in, for the first layer √2/√(512·16), for the RGB output 1/√channels. Of the RGB outputs at every
resolution only the last is used; `lod`, 0 in trained files, is not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gansr.weights import WeightsError
from gansr.weights.authors import torch_file

WRAPPERS = ("generator_smooth", "generator", "state_dict")  # keys under which a file may hold the state dict
KEY = re.compile(r"(?P<kind>layer|output)(?P<n>\d+)\.(?:conv\.|wscale\.)?(?P<leaf>weight|bias)")


def genforce(path: Path) -> dict[str, Tensor]:
    """A file of a PGGAN generator (.pth or .bin, either naming) → our state dict, gains multiplied in.

    Raises WeightsError naming the keys that do not fit.
    """
    file = torch_file(path)
    state: Any = next((file[w] for w in WRAPPERS if isinstance(file.get(w), Mapping)), file)
    return folded(state)


def folded(theirs: Mapping[str, Any]) -> dict[str, Tensor]:
    """The authors' state dict → ours, gains multiplied in. Raises WeightsError naming the keys that do not fit."""
    found = _parsed(theirs)
    layers = {key for key in found if key[0] == "layer"}
    last = max((n for kind, n, _ in found if kind == "output"), default=-1)
    wanted = {("layer", n, leaf) for n in range(2 * last + 2) for leaf in ("weight", "bias")}
    wanted |= {("output", last, leaf) for leaf in ("weight", "bias")}
    if last < 0 or layers - wanted or wanted - set(found):
        odd = sorted(layers ^ {key for key in wanted if key[0] == "layer"} or wanted - set(found))
        raise WeightsError(f"this is not a PGGAN generator: {_named(odd)} missing or unexpected")
    ours = {_our_key(kind, n, leaf): _with_gain(found[kind, n, leaf], kind) for kind, n, leaf in wanted}
    return dict(sorted(ours.items()))


def _parsed(theirs: Mapping[str, Any]) -> dict[tuple[str, int, str], Tensor]:
    """(layer or output, number, weight or bias) → tensor."""
    found: dict[tuple[str, int, str], Tensor] = {}
    strange: list[str] = []
    for key, tensor in theirs.items():
        match = KEY.fullmatch(key)
        if match and isinstance(tensor, Tensor) and tensor.ndim == (4 if match["leaf"] == "weight" else 1):
            found[match["kind"], int(match["n"]), match["leaf"]] = tensor
        elif key != "lod":
            strange.append(key)
    if strange:
        raise WeightsError(f"these keys are not those of a PGGAN generator: {', '.join(strange[:6])}")
    return found


def _our_key(kind: str, n: int, leaf: str) -> str:
    return f"blocks.{n}.{leaf}" if kind == "layer" else f"picture.{leaf}"


def _with_gain(tensor: Tensor, kind: str) -> Tensor:
    if tensor.ndim == 1:  # a bias
        return tensor.float().clone()
    fan_in = tensor[0].numel()
    gain = ((2.0 if kind == "layer" else 1.0) / fan_in) ** 0.5
    return (tensor.double() * gain).to(torch.float32)


def _named(keys: list[tuple[str, int, str]]) -> str:
    return ", ".join(f"{kind}{n}.{leaf}" for kind, n, leaf in keys[:6])
