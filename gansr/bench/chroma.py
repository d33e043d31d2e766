"""Rare colours: the share of a picture's pixels whose colour hardly occurs in faces that the generator draws.

The plane of Cb and Cr (Pillow's, 8 bit) is divided into cells of 4×4. Common are the fewest cells that together hold
99 % of the pixels of 64 samples of the generator; all others are rare. Only the middle of a picture counts, three
quarters of its side: in an aligned face that is skin, hair and little background. A colourised face with orange skin
or blue hair has many rare pixels; one without colours has none. Ours; docs/faces.md has what photographs reach.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from gansr.nets.mobilestylegan import MobileStyleGAN
from gansr.ops.colour import pillow_ycbcr, to8bit

CELL = 4  # of 256
SAMPLES = 64
SIDE = 256  # px of a sample
COMMON = 0.99  # share of the samples' pixels


def rare_colours(picture: Tensor, common: Tensor) -> float:
    """The share, 0 to 1, of pixels of (3,H,W) in [0,1] whose cell is not in `common` (64,64) of bool."""
    cells = _cells(picture)
    return float(cells[~common].sum() / cells.sum())


@torch.no_grad()
def common_colours(net: MobileStyleGAN, samples: int = SAMPLES) -> Tensor:
    """The cells (64,64) that hold COMMON of the pixels of `samples` faces of fixed seeds; first index Cb."""
    total = torch.zeros(256 // CELL, 256 // CELL, dtype=torch.float64)
    device = next(net.parameters()).device
    for seed in range(samples):
        z = torch.randn(1, net.style, generator=torch.Generator().manual_seed(seed)).to(device)
        face = F.interpolate((net(z) / 2 + 0.5).clamp(0, 1), (SIDE, SIDE), mode="area")[0]
        total += _cells(to8bit(face.cpu()))
    shares, order = (total.flatten() / total.sum()).sort(descending=True)
    count = int((shares.cumsum(0) < COMMON).sum()) + 1
    common = torch.zeros(total.numel(), dtype=torch.bool)
    common[order[:count]] = True
    return common.reshape(total.shape)


def _cells(picture: Tensor) -> Tensor:
    """How many pixels of the middle of (3,H,W) in [0,1] lie in each cell, (64,64) float64."""
    height, width = picture.shape[-2:]
    middle = picture[:, height // 8 : height - height // 8, width // 8 : width - width // 8]
    _, cb, cr = pillow_ycbcr(middle).long() // CELL
    count = 256 // CELL
    return torch.bincount((cb * count + cr).flatten(), minlength=count**2).reshape(count, count).double()
