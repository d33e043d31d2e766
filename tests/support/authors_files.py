"""Generators' files as their authors write them, with random weights: names, shapes and order of the real ones."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import torch
from torch import Tensor

Widths = Callable[[int], int]  # side of features, px → channels
FIR = torch.outer(torch.tensor([1.0, 3, 3, 1]), torch.tensor([1.0, 3, 3, 1])) / 16


def pggan(size: int, seed: int = 0, style: int = 512) -> dict[str, Tensor]:
    """mGANprior's PGGAN of size×size px: `layer{i}.conv.weight`, `layer{i}.wscale.bias`, an `output{j}` for each
    resolution, `lod`."""
    draw = _drawing(seed)
    sides = [4 << k for k in range(size.bit_length() - 2)]
    widths = [style, *(min(16384 // side, style) for side in sides for _ in (0, 1))]
    state = {"lod": torch.zeros(())}
    for i, (below, here) in enumerate(itertools.pairwise(widths)):
        kernel = 4 if i == 0 else 3
        state[f"layer{i}.conv.weight"] = draw(here, below, kernel, kernel)
        state[f"layer{i}.wscale.bias"] = draw(here) / 10
    for j, width in enumerate(widths[1::2]):
        state[f"output{j}.conv.weight"] = draw(3, width, 1, 1)
        state[f"output{j}.wscale.bias"] = draw(3) / 10
    return state


def stylegan2(size: int, widths: Widths, seed: int = 0, style: int = 512) -> dict[str, dict[str, Tensor]]:
    """rosinality's StyleGAN2 of size×size px: the state dict under `g_ema`."""
    draw = _drawing(seed)
    sides = [4 << k for k in range(size.bit_length() - 2)]
    state: dict[str, Tensor] = {}

    def modulated(name: str, below: int, here: int, kernel: int) -> None:
        state[f"{name}.conv.weight"] = draw(1, here, below, kernel, kernel)
        state[f"{name}.conv.modulation.weight"] = draw(below, style)
        state[f"{name}.conv.modulation.bias"] = torch.ones(below)

    def layer(name: str, below: int, here: int, up: bool) -> None:
        modulated(name, below, here, 3)
        if up:
            state[f"{name}.conv.blur.kernel"] = FIR.clone()
        state[f"{name}.noise.weight"] = draw(1) / 10
        state[f"{name}.activate.bias"] = draw(here) / 10

    def to_rgb(name: str, below: int, up: bool) -> None:
        if up:
            state[f"{name}.upsample.kernel"] = FIR.clone()
        modulated(name, below, 3, 1)
        state[f"{name}.bias"] = draw(1, 3, 1, 1) / 10

    for i in range(1, 9):
        state[f"style.{i}.weight"] = draw(style, style) * 100  # its learning rate's multiplier is 0.01
        state[f"style.{i}.bias"] = torch.zeros(style)
    state["input.input"] = draw(1, widths(4), 4, 4)
    layer("conv1", widths(4), widths(4), up=False)
    to_rgb("to_rgb1", widths(4), up=False)
    for k, (below, here) in enumerate(itertools.pairwise(sides)):
        layer(f"convs.{2 * k}", widths(below), widths(here), up=True)
        layer(f"convs.{2 * k + 1}", widths(here), widths(here), up=False)
        to_rgb(f"to_rgbs.{k}", widths(here), up=True)
    for i in range(2 * len(sides) - 1):
        side = 4 << (i + 1) // 2
        state[f"noises.noise_{i}"] = draw(1, 1, side, side)
    return {"g_ema": state}


def _drawing(seed: int) -> Callable[..., Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return lambda *shape: torch.randn(shape, generator=generator)
