"""The problems of `bench faces`: what each method gets of a face, and the trivial baseline that it must beat.

Everything is made of one aligned face of 1024² px by MATLAB's bicubic, rounded to 8 bits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from gansr.ops.colour import luma, to8bit
from gansr.ops.degrade import PRESETS, degrade
from gansr.ops.resize import imresize

SIDE = 1024  # px, of the aligned face
PHOTOGRAPH = PRESETS["blur, noise and JPEG"]
NOISE = 25 / 255  # standard deviation on [0,1], of the picture to be denoised


@dataclass(frozen=True)
class Posed:
    """One problem of one face."""

    low: Tensor  # (3,h,w) in [0,1]: what the method gets
    truth: Tensor  # (3,S,S) in [0,1]
    baseline: Tensor | None  # (3,S,S) in [0,1], of the truth's size; None where the input is the truth
    enlarges: bool  # whether the result, shrunk, is to agree with `low`
    coloured: bool = False  # whether the method chooses the colours
    files: Mapping[str, Tensor] = field(default_factory=dict)  # options that are files: the mask


@dataclass(frozen=True)
class Case:
    """One job of one method."""

    name: str
    method: str
    side: int  # of the truth and the result, px
    pose: Callable[[Tensor], Posed]  # the truth → the problem
    values: Mapping[str, Any] = field(default_factory=dict)  # of its options


def resized(picture: Tensor, side: int) -> Tensor:
    """(3,S,S) in [0,1] → (3,side,side), 8 bit."""
    return to8bit(picture if picture.shape[-1] == side else imresize(picture, (side, side)).clamp(0, 1))


def enlargement(side: int) -> Callable[[Tensor], Posed]:
    """The face at `side` px, to be enlarged; the baseline is bicubic."""

    def pose(truth: Tensor) -> Posed:
        low = resized(truth, side)
        return Posed(low, truth, resized(low, truth.shape[-1]), enlarges=True)

    return pose


def photograph(side: int) -> Callable[[Tensor], Posed]:
    """The face at `side` px with blur, noise and JPEG, the same for every face, to be enlarged; the baseline is
    bicubic."""

    def pose(truth: Tensor) -> Posed:
        factor = truth.shape[-1] // side
        low = degrade(truth, factor, PHOTOGRAPH, torch.Generator().manual_seed(0))
        return Posed(low, truth, resized(low, truth.shape[-1]), enlarges=True)

    return pose


def inversion(truth: Tensor) -> Posed:
    """The face itself, to be drawn by the generator."""
    return Posed(truth, truth, None, enlarges=False)


def colouring(truth: Tensor) -> Posed:
    """The grey face; the baseline is the same."""
    grey = to8bit(luma(truth).expand(3, -1, -1))
    return Posed(grey, truth, grey, enlarges=False, coloured=True)


def inpainting(truth: Tensor) -> Posed:
    """The face with a hole, the middle square of half the side; the baseline fills it with the mean of the rest."""
    side = truth.shape[-1]
    hole = torch.zeros(1, side, side)
    hole[:, side // 4 : side - side // 4, side // 4 : side - side // 4] = 1
    outside = truth[:, hole[0] == 0].mean(1)[:, None, None]
    filled = to8bit(torch.where(hole > 0, outside, truth))
    return Posed(filled, truth, filled, enlarges=False, files={"mask": hole})


def denoising(truth: Tensor) -> Posed:
    """The face with Gaussian noise, σ 25 of 255, the same for every face; the baseline is the noisy picture."""
    noise = torch.randn(truth.shape, generator=torch.Generator().manual_seed(0))
    noisy = to8bit(truth + NOISE * noise)
    return Posed(noisy, truth, noisy, enlarges=False)


CASES = (
    Case("pulse", "pulse", 1024, enlargement(32), {"side": "32"}),
    Case("mganprior-sr", "mganprior", 1024, enlargement(64), {"job": "sr", "factor": 16}),
    Case("mganprior-invert", "mganprior", 256, inversion, {"job": "invert", "side": "256"}),
    Case("mganprior-colour", "mganprior", 256, colouring, {"job": "colour", "side": "256"}),
    Case("mganprior-inpaint", "mganprior", 256, inpainting, {"job": "inpaint", "side": "256"}),
    Case("mganprior-denoise", "mganprior", 256, denoising, {"job": "denoise", "side": "256"}),
    Case("glean", "glean", 256, enlargement(32), {"model": "glean-face-x8"}),
    Case("glean-x16", "glean", 256, enlargement(16), {"model": "glean-face-x16"}),
    Case("glean-robust", "glean", 256, photograph(32), {"model": "glean-robust-x8"}),
    Case("glean-512", "glean", 512, enlargement(64), {"model": "glean-face-512"}),
    Case("glean-robust-512", "glean", 512, photograph(64), {"model": "glean-robust-512"}),
    Case("kernelgan", "kernelgan", 1024, enlargement(256), {"scale": 4}),
    Case("srgan", "srgan", 1024, enlargement(256)),
    Case("esrgan", "esrgan", 1024, enlargement(256)),
    Case("dip", "dip", 512, enlargement(128), {"scale": 4}),
)


def chosen(names: list[str] | None) -> tuple[Case, ...]:
    """The cases of these names; a method's name stands for all of its cases, unless one is called so; None for all
    there are. Raises ValueError for a name that is neither."""
    if names is None:
        return CASES
    for name in names:
        if not any(name in (case.name, case.method) for case in CASES):
            known = ", ".join(case.name for case in CASES)
            raise ValueError(f"there is no case {name!r}; there are: {known}")
    methods = set(names) - {case.name for case in CASES}
    return tuple(case for case in CASES if case.name in names or case.method in methods)


def options_with(options: Any, posed: Posed) -> Any:
    """The options of a case with the files that the problem has."""
    return replace(options, **posed.files) if posed.files else options
