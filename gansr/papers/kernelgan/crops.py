"""Which crops of the picture KernelGAN learns from: centres drawn in proportion to the strength of edges.

Bell-Kligler et al., NeurIPS 2019, supplementary material; the details are those of the authors' program. The
departures are listed in `trainer`.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from gansr.ops.resize import imresize
from gansr.papers.kernelgan.networks import G_CROP, output_side

BORDER = 10  # px cut off each side of a picture that was shrunk before (not of a real photograph)
LEAST_BORDER = 4  # px cut off each side of a small one
MIN_SIDE = 48  # px, of the picture that a kernel is estimated from


def border_of(height: int, width: int) -> int:
    """px to cut off each side: 10; of a picture under 84 px what G's crop of 64 px leaves, but at least 4."""
    return max(LEAST_BORDER, min(BORDER, (min(height, width) - G_CROP) // 2))


def crop_sides(picture: Tensor) -> tuple[int, int]:
    """(3,H,W), even sides → the sides of G's and of D's crops: 64 and 26, of a smaller picture as large as it is."""
    side = min(G_CROP, *picture.shape[-2:])
    return side, output_side(side)


def trim_border(picture: Tensor, real: bool) -> Tensor:
    """(3,H,W) → the part that the kernel is learned from: without its border unless `real`, sides even."""
    height, width = picture.shape[-2:]
    if not real:
        border = border_of(height, width)
        picture = picture[:, border : height - border, border : width - border]
        height, width = picture.shape[-2:]
    return picture[:, : height - height % 2, : width - width % 2]


def gradient_map(picture: Tensor, paper: bool = False) -> Tensor:
    """(3,H,W) in [0,1] → (H,W) of mean 1: where the strongest 3 % of the edges are, blurred over 5×5.

    The sum of |gx|, |gy| and the magnitude, each without its outer 5 px, each clipped to a practically binary mask
    (not the magnitude, with `paper`), each of sum 1. A picture without edges gives ones.
    """
    grey = torch.tensordot(
        torch.tensor([0.299, 0.587, 0.114], dtype=torch.float64), picture.double().cpu(), 1
    )
    gy, gx = torch.gradient(grey)
    total = torch.zeros_like(grey)
    for g, clipped in ((gx.abs(), True), (gy.abs(), True), ((gx**2 + gy**2).sqrt(), not paper)):
        g = _zero_border(g, 5)
        g = _clip_extreme(g) if clipped else g
        total += g / g.sum() if g.sum() > 0 else g
    if not total.sum() > 0:
        return torch.ones_like(total)
    blurred = _box_blur(total, 5)
    return blurred / blurred.mean()


def _zero_border(x: Tensor, border: int) -> Tensor:
    out = torch.zeros_like(x)
    out[border:-border, border:-border] = x[border:-border, border:-border]
    return out


def _clip_extreme(x: Tensor, share: float = 0.97) -> Tensor:
    """x clipped to [the value at `share` of the sorted values, the next larger value], minus the former."""
    ordered = x.flatten().sort().values
    low = ordered[int(share * len(ordered))]
    above = ordered[ordered > low]
    return x.clamp(low, above[0]) - low if len(above) else torch.zeros_like(x)


def _box_blur(x: Tensor, side: int) -> Tensor:
    """Mean over side×side with zeros outside; of an even side the longer half is on the left and top."""
    before, after = side // 2, (side - 1) // 2
    return F.avg_pool2d(F.pad(x[None, None], (before, after, before, after)), side, stride=1)[0, 0]


def probability_map(gradients: Tensor, crop: int) -> Tensor:
    """(H,W) → the probability of each pixel to be a crop's centre, of sum 1; uniform where nothing would be left."""
    p = _zero_border(_box_blur(gradients, crop // 2), crop // 2)
    return p / p.sum() if p.sum() > 0 else torch.full_like(p, 1 / p.numel())


def probability_maps(picture: Tensor, paper: bool = False) -> tuple[Tensor, Tensor]:
    """(3,H,W), even sides → maps (H,W) for G's crops (from the half-size picture) and for D's."""
    half = imresize(picture.double().cpu(), 0.5, paper=paper)
    small = gradient_map(half, paper).repeat_interleave(2, 0).repeat_interleave(2, 1)
    for_g, for_d = crop_sides(picture)
    return probability_map(small, for_g), probability_map(gradient_map(picture, paper), for_d)


def draw_centres(probability: Tensor, uniform: Tensor) -> Tensor:
    """Uniform numbers of [0,1) → indices into the flattened map, as numpy's choice(p=…) makes them."""
    steps = probability.double().flatten().cumsum(0)
    return torch.searchsorted(steps / steps[-1], uniform.double(), right=True)


def top_left(centres: Tensor, width: int, height: int, crop: int) -> Tensor:
    """Flat indices → (n,2) even upper left corners (row, column) of crops that lie inside."""
    rows = (centres // width - crop // 2).clamp(0, height - crop)
    columns = (centres % width - crop // 2).clamp(0, width - crop)
    corners = torch.stack([rows, columns], 1)
    return corners - corners % 2


def crop_at(x: Tensor, row: int, column: int, side: int) -> Tensor:
    """side×side px of (…,H,W) from (row, column) on."""
    return x[..., row : row + side, column : column + side]
