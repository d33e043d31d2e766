"""PULSE's latent space: where a sample starts, and the Gaussian that a generator's style rows come from.

`net` is a MobileStyleGAN, StyleGAN1 or StyleGAN2 from gansr.nets.
"""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gansr.method import Nets
from gansr.ops import sphere
from gansr.papers.pulse.options import Options

FITS = Path(__file__).with_name("fits.npz")
FIT_KIND = "pulse gaussian"  # its key among the optimised forms


def random_start(net: Any, options: Options, seed: int) -> tuple[Tensor, list[Tensor], list[int]]:
    """The random start of one sample, on the CPU: the latent (1, rows, style), a map (1,1,s,s) for each of the
    generator's noise inputs, and the numbers of the maps that are searched.

    Drawn in the authors' order: the latent, then the maps from coarse to fine; a zero map draws nothing.
    """
    g = torch.Generator().manual_seed(seed)
    v = torch.randn(1, 1 if options.tile_latent else net.style_rows, net.style, generator=g)
    zero = {int(part) for part in options.zero_maps.split(".") if part}
    if options.noise == "zero":
        zero = set(range(len(net.noise_sides)))
    maps = [
        torch.zeros(1, 1, side, side) if i in zero else torch.randn(1, 1, side, side, generator=g)
        for i, side in enumerate(net.noise_sides)
    ]
    trainable = min(options.trainable_maps, len(maps)) if options.noise == "trainable" else 0
    return v, maps, [i for i in range(trainable) if i not in zero]


def begun_at(given: Tensor, v: Tensor) -> Tensor:
    """Latents given (1,R,S) on the spheres of the random start v (1,R,S): their directions, its radii."""
    return given * (sphere.radius(v) / sphere.radius(given))


def latent_gaussian(nets: Nets) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation, (style,) each, of the latent space of the role "generator", on its device.

    From FITS where the mapping is known (fitted there on 2^20 draws), else computed in some seconds. Kept with the
    network; it does not depend on the run's precision.
    """
    net = nets["generator"]
    return nets.forms.get(FIT_KIND, (net,), torch.float32, partial(_gaussian_of, net))


def _gaussian_of(net: Any) -> tuple[Tensor, Tensor]:
    device = next(net.parameters()).device
    known = stored_gaussians().get(fingerprint(net.mapping))
    mean, std = known or sphere.gaussian_fit(net.mapping, net.style, device, net.gain)
    return mean.to(device), std.to(device)


def fingerprint(mapping: nn.Module) -> str:
    """The sha256 of a mapping's parameters: the key of its Gaussian in FITS."""
    found = hashlib.sha256()
    for value in mapping.state_dict().values():
        found.update(value.detach().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()


def stored_gaussians() -> dict[str, tuple[Tensor, Tensor]]:
    """fingerprint → mean and standard deviation, (style,) each, from FITS."""
    with np.load(FITS, allow_pickle=False) as stored:
        return {
            key: (torch.from_numpy(stored[key][0]), torch.from_numpy(stored[key][1])) for key in stored.files
        }
