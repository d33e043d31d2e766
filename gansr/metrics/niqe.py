"""NIQE (Mittal, Soundararajan, Bovik 2013, "Making a 'Completely Blind' Image Quality Analyzer"): how far the
statistics of a picture's local contrast are from those of pristine photographs. No truth is needed.

As MATLAB's release and BasicSR's niqe.py: MATLAB's Y, rounded; whole blocks of 96×96 px; the picture and its
half (MATLAB bicubic); 18 numbers a block and scale; a Gaussian fitted over the blocks and compared with the
pristine one. Pristine mean and covariance: niqe_pristine.npz, unchanged from BasicSR 1.4.2 (Apache-2.0), which
has them from the authors' release.

How we differ: all blocks at once, float64 throughout, and a contrast below 10⁻⁹ counts as none, where others
let rounding noise decide its sign. Fewer than two textured blocks are refused: they have no covariance.
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
    """NIQE of a picture (3,H,W) in [0,1], rounded to 8 bit here; about 2 (natural) to 20. See `niqe_of_plane`."""
    return niqe_of_plane(matlab_y(to8bit(x.double())))


@torch.no_grad()
def niqe_of_plane(plane: Tensor) -> float:
    """NIQE of a brightness plane (H,W) in 0…255, rounded here.

    Raises ValueError if there are not two textured blocks of 96×96 px.
    """
    height, width = (side // BLOCK * BLOCK for side in plane.shape)
    if height * width < 2 * BLOCK**2:
        raise ValueError(f"NIQE needs two blocks of {BLOCK}×{BLOCK} px; there is no room for them")
    whole = plane[:height, :width].double().round()
    half = imresize(whole / 255, 0.5) * 255
    found = torch.cat([_block_features(whole, BLOCK), _block_features(half, BLOCK // 2)], dim=1)
    textured = found[~found.isnan().any(dim=1)]
    if len(textured) < 2:
        raise ValueError("NIQE needs two blocks with some texture; this picture is flat")
    mean, covariance = (t.to(found) for t in _pristine())
    away = mean - found.nanmean(dim=0)
    spread = torch.linalg.pinv((covariance + torch.cov(textured.T)) / 2)
    return (away @ spread @ away).sqrt().item()


@lru_cache(maxsize=1)
def _pristine() -> tuple[Tensor, Tensor]:
    """The mean (36,) and covariance (36,36) of the features of pristine photographs."""
    with np.load(Path(__file__).with_name("niqe_pristine.npz"), allow_pickle=False) as stored:
        return torch.from_numpy(stored["mean"]), torch.from_numpy(stored["covariance"])


def _block_features(plane: Tensor, side: int) -> Tensor:
    """(blocks, 18): the features of each block of side×side px of a plane in 0…255."""
    contrast = mscn(plane)
    rows, columns = contrast.shape[0] // side, contrast.shape[1] // side
    blocks = contrast.view(rows, side, columns, side).transpose(1, 2).reshape(-1, side, side)
    return torch.cat([features(part) for part in blocks.split(8)])  # 8: stays in the cache


def mscn(plane: Tensor) -> Tensor:
    """Eq. 1, (I−μ)/(σ+1) with the local mean and deviation under a 7×7 Gaussian of σ 7/6, edges replicated."""
    x = F.pad(torch.stack([plane, plane**2])[None], (3, 3, 3, 3), mode="replicate")[0]
    mean, square = local_mean(x, _LINE)
    away = plane - mean
    away = torch.where(away.abs() < 1e-9, 0, away)
    return away / ((square - mean**2).abs().sqrt() + 1)


def features(blocks: Tensor) -> Tensor:
    """The 18 numbers of each block of contrast, (N,n,n) → (N,18): the AGGD's (α, (βₗ+βᵣ)/2) and, for the products
    with the neighbours right, below and on both diagonals (rolled round), (α, mean, βₗ, βᵣ)."""
    products = [blocks * blocks.roll(shift, dims=(1, 2)) for shift in _SHIFTS]
    alpha, left, right = aggd(torch.stack([blocks, *products], dim=1).flatten(2))
    mean = (right - left) * torch.exp(torch.lgamma(2 / alpha) - torch.lgamma(1 / alpha))  # eq. 8
    single = torch.stack([alpha[:, 0], (left[:, 0] + right[:, 0]) / 2], dim=1)
    paired = torch.stack([alpha, mean, left, right], dim=-1)[:, 1:].flatten(1)
    return torch.cat([single, paired], dim=1)


def aggd(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(…,n) → α, βₗ, βᵣ (…) of the asymmetric generalised Gaussian (eq. 7) fitted by moments, α from the grid
    0.2, 0.201 … 10. Not a number where one side is empty."""
    below, above = x.clamp(max=0), x.clamp(min=0)
    left, right = (norm(side, dim=-1) / side.sign().abs().sum(-1).sqrt() for side in (below, above))
    ratio = left / right
    wanted = norm(x, 1, dim=-1) ** 2 / norm(x, dim=-1) ** 2 / x.shape[-1]
    wanted = wanted * (ratio**3 + 1) * (ratio + 1) / (ratio**2 + 1) ** 2
    grid, ratios = _grid(x.dtype, x.device)
    nearest = torch.searchsorted((ratios[1:] + ratios[:-1]) / 2, wanted.contiguous())
    alpha = torch.where(wanted.isnan(), wanted, grid[nearest])
    beta = torch.exp((torch.lgamma(1 / alpha) - torch.lgamma(3 / alpha)) / 2)
    return alpha, left * beta, right * beta


@lru_cache(maxsize=4)
def _grid(dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """The grid of α and the moment ratio Γ(2/α)²/(Γ(1/α)Γ(3/α)) at each, rising."""
    with torch.inference_mode(False):  # kept beyond this call
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
    explain="How natural the picture's texture is, judged without any truth from the statistics of photographs; "
    "good photographs have 2 to 4. It says nothing of whether the content is right.",
    measure=_measure,
    min_side=2 * BLOCK,
)
