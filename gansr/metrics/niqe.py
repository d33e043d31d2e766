"""NIQE: how far the statistics of a picture's local contrast are from those of pristine photographs:

    NIQE(x) = √( (ν − ν_p)ᵀ ((Σ + Σ_p)/2)⁻¹ (ν − ν_p) )        about 2 (natural) to 20, lower is better

ν, Σ: mean and covariance of the features of the picture's blocks; ν_p, Σ_p: those of pristine photographs. It needs no
truth. Mittal, Soundararajan, Bovik, "Making a 'Completely Blind' Image Quality Analyzer", 2013.

As MATLAB's release and BasicSR's niqe.py: MATLAB's Y, rounded; whole blocks of 96×96 px; the picture and its copy of
half the size (MATLAB's bicubic); 18 features per block and scale. niqe_pristine.npz holds the pristine mean and
covariance, unchanged from BasicSR 1.4.2 (Apache-2.0), which has them from the authors' release.

How we differ: all blocks at once, float64 throughout, and a contrast below 10⁻⁹ counts as 0, where others let rounding
errors decide its sign. Fewer than two textured blocks raise an error: they have no covariance.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.linalg import vector_norm as norm

from gansr.metric import Metric
from gansr.ops.colour import matlab_y, to8bit
from gansr.ops.resize import imresize
from gansr.ops.window import gaussian_line, local_mean

BLOCK = 96  # px, as the pristine statistics were taken
_LINE = gaussian_line(7, 7 / 6)
_SHIFTS = ((0, 1), (1, 0), (1, 1), (1, -1))


def niqe(x: Tensor) -> float:
    """NIQE of a picture (3,H,W) in [0,1], rounded to 8 bits here.

    Raises ValueError if there are not two textured blocks of 96×96 px.
    """
    return niqe_of_plane(matlab_y(to8bit(x.double())))


@torch.no_grad()
def niqe_of_plane(plane: Tensor) -> float:
    """NIQE of a plane (H,W) of luma in 0…255, rounded here.

    Raises ValueError if there are not two textured blocks of 96×96 px.
    """
    height, width = (side // BLOCK * BLOCK for side in plane.shape)
    if height * width < 2 * BLOCK**2:
        raise ValueError(f"NIQE needs two blocks of {BLOCK}×{BLOCK} px; there is no room for them")
    full = plane[:height, :width].double().round()
    half = imresize(full / 255, 0.5) * 255
    features = torch.cat([_blocks_of(full, BLOCK), _blocks_of(half, BLOCK // 2)], dim=1)
    textured = features[~features.isnan().any(dim=1)]
    if len(textured) < 2:
        raise ValueError("NIQE needs two blocks with some texture; this picture is flat")
    mean, covariance = (t.to(features) for t in _pristine())
    difference = mean - features.nanmean(dim=0)
    precision = torch.linalg.pinv((covariance + torch.cov(textured.T)) / 2)
    return (difference @ precision @ difference).sqrt().item()


@lru_cache(maxsize=1)
def _pristine() -> tuple[Tensor, Tensor]:
    """The mean (36,) and covariance (36,36) of the features of pristine photographs."""
    with np.load(Path(__file__).with_name("niqe_pristine.npz"), allow_pickle=False) as stored:
        return torch.from_numpy(stored["mean"]), torch.from_numpy(stored["covariance"])


def _blocks_of(plane: Tensor, side: int) -> Tensor:
    """The features (blocks,18) of the blocks of side×side px of a plane (H,W) in 0…255."""
    contrast = mscn(plane)
    rows, columns = contrast.shape[0] // side, contrast.shape[1] // side
    blocks = contrast.view(rows, side, columns, side).transpose(1, 2).reshape(-1, side, side)
    return torch.cat([block_features(part) for part in blocks.split(8)])  # 8 fit in the processor's cache


def mscn(plane: Tensor) -> Tensor:
    """The mean-subtracted, contrast-normalised plane (I−μ)/(σ+1) (eq. 1), (H,W) → (H,W).

    μ, σ: local mean and standard deviation under a 7×7 Gaussian window of σ 7/6, edges replicated.
    """
    x = F.pad(torch.stack([plane, plane**2])[None], (3, 3, 3, 3), mode="replicate")[0]
    mean, square = local_mean(x, _LINE)
    contrast = plane - mean
    contrast = torch.where(contrast.abs() < 1e-9, 0, contrast)
    return contrast / ((square - mean**2).abs().sqrt() + 1)


def block_features(blocks: Tensor) -> Tensor:
    """The 18 features of each block of normalised contrast, (N,n,n) → (N,18).

    (α, (βₗ+βᵣ)/2) of the block's AGGD; then (α, mean, βₗ, βᵣ) for its products with the neighbours right, below and on
    both diagonals, wrapping around at the edges.
    """
    products = [blocks * blocks.roll(shift, dims=(1, 2)) for shift in _SHIFTS]
    alpha, left, right = aggd(torch.stack([blocks, *products], dim=1).flatten(2))
    mean = (right - left) * torch.exp(torch.lgamma(2 / alpha) - torch.lgamma(1 / alpha))  # eq. 8
    single = torch.stack([alpha[:, 0], (left[:, 0] + right[:, 0]) / 2], dim=1)
    paired = torch.stack([alpha, mean, left, right], dim=-1)[:, 1:].flatten(1)
    return torch.cat([single, paired], dim=1)


def aggd(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The asymmetric generalised Gaussian distribution (eq. 7) fitted by moments: (…,n) → α, βₗ, βᵣ, each (…).

    α is taken from the grid 0.2, 0.201 … 10. NaN where there are no values on one side of 0.
    """
    below, above = x.clamp(max=0), x.clamp(min=0)
    left, right = (norm(side, dim=-1) / side.sign().abs().sum(-1).sqrt() for side in (below, above))
    ratio = left / right
    moments = norm(x, 1, dim=-1) ** 2 / norm(x, dim=-1) ** 2 / x.shape[-1]
    moments = moments * (ratio**3 + 1) * (ratio + 1) / (ratio**2 + 1) ** 2
    grid, ratios = _alpha_grid(x.dtype, x.device)
    nearest = torch.searchsorted((ratios[1:] + ratios[:-1]) / 2, moments.contiguous())
    alpha = torch.where(moments.isnan(), moments, grid[nearest])
    beta = torch.exp((torch.lgamma(1 / alpha) - torch.lgamma(3 / alpha)) / 2)
    return alpha, left * beta, right * beta


@lru_cache(maxsize=4)
def _alpha_grid(dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """The grid of α, (9801,), and the moment ratio Γ(2/α)²/(Γ(1/α)Γ(3/α)) at each, rising."""
    with torch.inference_mode(False):  # the tensors outlive this call
        grid = 0.2 + 0.001 * torch.arange(9801, dtype=dtype, device=device)
        first, second, third = (torch.lgamma(n / grid) for n in (1, 2, 3))
        return grid, torch.exp(2 * second - first - third)


def _measure(a: Tensor, b: Tensor, nets: Mapping[str, Any]) -> float:
    return niqe(a)


NIQE = Metric(
    name="niqe",
    title="NIQE",
    unit="",
    better="lower",
    against="",
    explain="How natural the texture looks, judged by the statistics of photographs and without the original; good "
    "photographs have 2 to 4. It does not tell whether the content is right.",
    measure=_measure,
    min_side=2 * BLOCK,
)
