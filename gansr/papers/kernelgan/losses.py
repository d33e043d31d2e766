"""KernelGAN's losses besides the adversarial one: the bicubic target and the constraints on the kernel.

Bell-Kligler et al., NeurIPS 2019, section 3.2; the bicubic loss is in the authors' program only. The departures
are listed in `trainer`.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from gansr.papers.kernelgan.networks import D_CROP, KERNEL_SIDE
from gansr.papers.kernelgan.schedule import Schedule

# Half of MATLAB's bicubic taps at ×½, times −1 as the authors have them: the outer product is the same.
BICUBIC_TAPS = (0.01171875, 0.03515625, -0.11328125, -0.43359375)


def penalty_mask(device: torch.device | None = None) -> Tensor:
    """M (13,13) = 30·(1 − g/max g), g a Gaussian of σ 13; 0 except in the outermost two rows and columns."""
    axis = torch.arange(KERNEL_SIDE, dtype=torch.float64) - (KERNEL_SIDE - 1) / 2
    g = torch.exp(-(axis**2) / (2 * KERNEL_SIDE**2))
    mask = 30 * (1 - torch.outer(g, g))
    mask[2:-2, 2:-2] = 0
    return mask.float().to(device)


def constraints(k: Tensor, mask: Tensor, weights: Schedule) -> tuple[Tensor, Tensor]:
    """The weighted constraints on a kernel (13,13): their sum, and its gradient (13,13) in closed form.

    sum to one: |1 − Σk|; boundaries: mean |k·M|; centralised: mean squared distance of the centre of mass, row
    and column, to 6.5, which shifts nothing at ×½; sparse: mean |k|^0.2 (the authors' program; the paper's text
    says ½).
    """
    total, size, sign = k.sum(), k.abs(), k.sign()
    per = weights.boundaries / k.numel()
    value = weights.sum_to_one * (1 - total).abs() + per * (size * mask).sum()
    grad = per * sign * mask - weights.sum_to_one * (1 - total).sign()
    if weights.centralised:
        axis = torch.arange(KERNEL_SIDE, dtype=k.dtype, device=k.device)
        row, column = k.sum(1) @ axis / total, k.sum(0) @ axis / total
        down, across = row - (KERNEL_SIDE // 2 + 0.5), column - (KERNEL_SIDE // 2 + 0.5)
        value = value + weights.centralised * (down**2 + across**2) / 2
        moved = (down * (axis - row))[:, None] + across * (axis - column)
        grad = grad + weights.centralised / total * moved
    if weights.sparse:
        root = size.pow(0.2)
        value = value + weights.sparse * root.mean()
        grad = grad + 0.2 * weights.sparse / k.numel() * sign * root / size
    return value, grad


def bicubic_target(x: Tensor, paper: bool = False) -> Tensor:
    """(3,H,W) → (3, H/2, W/2): MATLAB's bicubic at ×½ with zeros outside.

    With `paper` each of the three channels is the sum of all channels, as in the authors' program.
    """
    taps = torch.tensor(BICUBIC_TAPS, dtype=x.dtype, device=x.device)
    taps = torch.cat([taps, taps.flip(0)])
    taps = torch.outer(taps, taps)[None, None]
    if paper:
        return F.conv2d(x.sum(0)[None, None], taps, stride=2, padding=3)[0].expand(3, -1, -1)
    return F.conv2d(x[:, None], taps, stride=2, padding=3)[:, 0]


def centre_crop(x: Tensor, side: int = D_CROP) -> Tensor:
    """The central side×side px of (C,H,W)."""
    top, left = (x.shape[-2] - side) // 2, (x.shape[-1] - side) // 2
    return x[..., top : top + side, left : left + side]
