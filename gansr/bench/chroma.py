"""Colours: how far they are from the true ones (`colour_auc`), the tone of skin (`skin_tone`), and how many are rare.

Rare colours: the share of a picture's pixels whose colour hardly occurs in faces that the generator draws.

The plane of Cb and Cr (Pillow's, 8 bit) is divided into cells of 4×4. Common are the fewest cells that together hold
99 % of the pixels of 64 samples of the generator; all others are rare. Only the middle of a picture counts, three
quarters of its side: in an aligned face that is skin, hair and little background. A colourised face with orange skin
or blue hair has many rare pixels; one without colours has none. Ours; docs/faces.md has what photographs reach.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from gansr.nets.mobilestylegan import MobileStyleGAN
from gansr.ops.colour import pillow_ycbcr, to8bit

CELL = 4  # of 256
SAMPLES = 64
SIDE = 256  # px of a sample
COMMON = 0.99  # share of the samples' pixels

CHEEKS = (
    (0.56, 0.66),
    (0.30, 0.40),
    (0.60, 0.70),
)  # of the side: rows, and columns of the left and the right
TONES = (
    (55, "very light"), (41, "light"), (28, "intermediate"), (10, "tan"), (-30, "brown"), (-math.inf, "dark"),
)  # fmt: skip
Region = tuple[slice, slice]  # rows and columns of a picture
FARTHEST = 150.0  # of the distances in a*b* that count
# CIE 1931 of sRGB's primaries, over its white (D65): rows X, Y, Z
XYZ = (
    (0.4124564 / 0.95047, 0.3575761 / 0.95047, 0.1804375 / 0.95047),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339 / 1.08883, 0.1191920 / 1.08883, 0.9503041 / 1.08883),
)


def colour_auc(picture: Tensor, truth: Tensor) -> float:
    """AuC of colourisation (Zhang, Isola, Efros, ECCV 2016, §3.1): the area under the curve of the share of pixels
    whose a*b* (CIELAB) is within t of the truth's, t from 0 to 150, divided by 150: 1 where all colours are true.

    picture, truth: (3,H,W) sRGB in [0,1]. The area is exact, not a sum over whole t.
    """
    apart = (_lab(picture) - _lab(truth))[1:].square().sum(0).sqrt()
    return 1 - float(apart.clamp_max(FARTHEST).mean()) / FARTHEST


def skin_tone(face: Tensor, points: Tensor | None = None) -> float:
    """The individual typology angle of the cheeks of a face (3,H,W) in [0,1], in degrees: arctan((L* − 50)/b*), of the
    medians of CIELAB over both cheeks (Chardon et al. 1991).

    The cheeks are where the landmarks `points` (5,2) say (`cheeks_of`), or else where they are in FFHQ's faces.
    55 and more is very light skin, −30 and less dark: `TONES`. Light and camera change it as well.
    """
    regions = _usual_cheeks(face.shape[-1]) if points is None else cheeks_of(points)
    cheeks = torch.cat([face[:, rows, columns].flatten(1) for rows, columns in regions], 1)
    lightness, _, b = _lab(cheeks[..., None]).flatten(1).median(1).values.tolist()
    return math.degrees(math.atan2(lightness - 50, b))


def _usual_cheeks(side: int) -> list[Region]:
    rows, *columns = (slice(int(a * side), int(b * side)) for a, b in CHEEKS)
    return [(rows, one) for one in columns]


def cheeks_of(points: Tensor) -> list[Region]:
    """The cheeks of a face, by its landmarks (5,2), (x, y) px: left and right eye, nose, left and right corner of the
    mouth. With d the distance between the eyes: squares of 0.4 d a side; their middle lies halfway between an eye and
    the corner of the mouth below it, and 0.2 d outwards, away from the other eye.
    """
    left, right, _, *mouth = points.double()
    outwards = 0.2 * (left - right)
    half = float((left - right).norm()) / 5
    regions: list[Region] = []
    for eye, corner, away in ((left, mouth[0], outwards), (right, mouth[1], -outwards)):
        x, y = ((eye + corner) / 2 + away).tolist()
        rows, columns = (slice(max(0, round(c - half)), max(1, round(c + half))) for c in (y, x))
        regions.append((rows, columns))
    return regions


def tone_of(angle: float) -> str:
    """The name of a `skin_tone` (Chardon et al. 1991; Del Bino and Bernerd 2013)."""
    return next(name for above, name in TONES if angle > above)


def _lab(rgb: Tensor) -> Tensor:
    """CIELAB (3,H,W) float64 of sRGB (3,H,W) in [0,1]."""
    rgb = rgb.double()
    linear = torch.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = torch.einsum("ij,jhw->ihw", torch.tensor(XYZ, dtype=torch.float64), linear)
    f = torch.where(xyz > (6 / 29) ** 3, xyz.clamp_min(0) ** (1 / 3), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return torch.stack((116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])))


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
