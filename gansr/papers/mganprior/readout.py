"""Pictures of 256² from MobileStyleGAN's features at 128², for a third of the time of a full one.

Every block was distilled to draw: its features hold the Haar coefficients of the picture at twice their side, up to a
linear map. The map is fitted here by least squares on full pictures. Such a picture has 24 to 27 dB against the full
one shrunk to 256²; colours are off, shapes are right. It serves to label samples, never to show or to measure a result.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from gansr.nets.mobilestylegan import inverse_haar
from gansr.papers.mganprior.composition import style_rows

BLOCKS = 5  # of the generator: features (256,128,128)
PIXELS = 1200  # of each picture that enter the fit
RIDGE = 1e-4  # times the mean of the diagonal
SIDE = 256


def haar(pictures: Tensor) -> Tensor:
    """(B,3,2h,2w) → coefficients (B,12,h,w); `inverse_haar` takes them back."""
    a, b = pictures[..., 0::2, 0::2], pictures[..., 0::2, 1::2]
    c, d = pictures[..., 1::2, 0::2], pictures[..., 1::2, 1::2]
    return torch.cat([a + b + c + d, a + b - c - d, a - b + c - d, a - b - c + d], 1) / 4


class Readout:
    """A generator up to its features, and the linear map from there.

    generator: its `first` and `rest`, as MobileStyleGAN and OptimisedMobileStyleGAN's snapshot have them. map:
    (C+1,12), of the features and a constant; `fitted` makes it.
    """

    def __init__(self, generator: Any, map: Tensor):
        self.generator, self.map = generator, map

    def __call__(self, w: Tensor) -> Tensor:
        """w (B,style) → pictures (B,3,SIDE,SIDE), about [0,1]; gradients reach w."""
        features = self.generator.first(style_rows(self.generator, w), BLOCKS).float()
        coefficients = torch.einsum("ck,bchw->bkhw", self.map[:-1], features) + self.map[-1][:, None, None]
        return inverse_haar(coefficients).contiguous() / 2 + 0.5


def fitted(generator: Any, w: Tensor) -> Tensor:
    """The map (C+1,12) of a Readout, by ridge regression on the full pictures of the codes w (n,style)."""
    pairs = [pixels(generator, code, seed) for seed, code in enumerate(w.split(1))]
    x, y = (torch.cat(each, 1).double() for each in zip(*pairs))
    gram = x @ x.T
    ridge = RIDGE * gram.diag().mean() * torch.eye(len(gram), dtype=torch.float64)
    return torch.linalg.solve(gram + ridge, x @ y.T).float()


@torch.no_grad()
def pixels(generator: Any, code: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    """A code (1,style) → features with a constant (C+1,PIXELS), and coefficients (12,PIXELS), at random places."""
    features = generator.first(style_rows(generator, code), BLOCKS)
    full = generator.rest(features, style_rows(generator, code), BLOCKS)
    side = 2 * features.shape[-1]
    target = haar(F.interpolate(full, (side, side), mode="area").clamp(-1, 1)).flatten(2)[0]
    x = F.pad(features.float().flatten(2)[0], (0, 0, 0, 1), value=1.0)
    chosen = torch.randint(0, x.shape[1], (PIXELS,), generator=torch.Generator().manual_seed(seed))
    return x[:, chosen], target[:, chosen]
