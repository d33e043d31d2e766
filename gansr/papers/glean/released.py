"""GLEAN (Chan, Wang, Xu, Gu, Loy; CVPR 2021, arXiv 2012.00739; TPAMI 2023): the networks the authors released.

Source: paper §3, and open-mmlab/mmagic (Apache-2.0), GLEANStyleGANv2(in_size, out_size), whose files
gansr.papers.glean.convert reads. Encoder (RRDB, then strided convolutions down to 4², one latent row per layer of the
bank) – bank (StyleGAN2's synthesis network, whose input is fused with the encoder's feature at each side up to
in_size) – decoder (pixel shuffles, each taking in the bank's features of its side).

It computes the same function. Left out is what never reaches the picture: the bank's RGB path with its fusions, the
bank's mapping, the discriminator. The noise maps are those of the file: others change the picture. The order matters:
the fusion comes before the two layers of the next side, at every side ≤ in_size; latent row 0 modulates the 4² layer,
rows (1,2), (3,4) … the next; pixel shuffles have no activation; the output is linear.
"""

from __future__ import annotations

from copy import deepcopy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gansr.nets.rrdb import Trunk
from gansr.nets.stylegan2 import Body, channels_at

SLOPE = 0.2


def leaky(x: Tensor) -> Tensor:
    return F.leaky_relu(x, SLOPE)


class Encoder(nn.Module):
    """The input, in_size² → features from in_size² down to 4², and the latent rows."""

    def __init__(self, in_size: int, rows: int, style: int, multiplier: int, channels: int, blocks: int):
        super().__init__()
        self.trunk = Trunk(channels, 32, blocks)
        self.widen = nn.Conv2d(channels, channels_at(in_size, multiplier), 3, padding=1)
        sides = [in_size >> k for k in range(in_size.bit_length() - 3)]  # in_size … 8
        pairs = [(channels_at(s, multiplier), channels_at(s // 2, multiplier)) for s in sides]
        self.shrink = nn.ModuleList(nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in pairs)
        self.refine = nn.ModuleList(nn.Conv2d(b, b, 3, padding=1) for _, b in pairs)
        last = channels_at(4, multiplier)
        self.last = nn.Conv2d(last, last, 3, padding=1)
        self.latent = nn.Linear(16 * last, rows * style)
        self.rows = rows

    def forward(self, x: Tensor) -> tuple[list[Tensor], Tensor]:
        """x (B,3,in,in) in [−1,1] → features, finest first (B,C(r),r,r), and rows (B, rows, style)."""
        features = [leaky(self.widen(self.trunk(x)))]
        for shrink, refine in zip(self.shrink, self.refine):
            features.append(leaky(refine(leaky(shrink(features[-1])))))
        rows = self.latent(leaky(self.last(features[-1])).flatten(1))
        return features, rows.unflatten(1, (self.rows, -1))


class GLEAN(nn.Module):
    """in_size² → out_size². The other arguments differ from the published networks in tests only.

    Raises ValueError for sizes below 8 px or without enlargement.
    """

    def __init__(
        self,
        in_size: int = 32,
        out_size: int = 256,
        *,
        style: int = 512,
        multiplier: int = 2,
        channels: int = 64,
        blocks: int = 23,
    ):
        super().__init__()
        if not 8 <= in_size < out_size:
            raise ValueError(
                f"GLEAN enlarges inputs of 8 px or more; {in_size}→{out_size} px is not possible"
            )
        self.side, self.out_size = in_size, out_size
        self.bank = Body(out_size, style, multiplier)
        rows = len(self.bank.layers)
        self.encoder = Encoder(in_size, rows + 1, style, multiplier, channels, blocks)
        widths = [channels_at(4 << k, multiplier) for k in range(in_size.bit_length() - 2)]  # at 4² … in_size
        self.fusions = nn.ModuleList(nn.Conv2d(2 * c, c, 3, padding=1) for c in widths)
        sides = [in_size << k for k in range(out_size.bit_length() - in_size.bit_length())]
        self.raises = nn.ModuleList(
            nn.Conv2d(
                channels_at(s, multiplier) * (1 if k == 0 else 2), 4 * channels_at(2 * s, multiplier), 3, 1, 1
            )
            for k, s in enumerate(sides)
        )
        self.end = nn.Conv2d(2 * channels_at(out_size, multiplier), 64, 3, padding=1)
        self.out = nn.Conv2d(64, 3, 3, padding=1)

    def optimised(self, dtype: torch.dtype) -> GLEAN:
        """A copy that computes in `dtype` with channels last."""
        return deepcopy(self).to(dtype).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    def forward(self, low: Tensor) -> Tensor:
        """low (B,3,in_size,in_size) in [0,1] → (B,3,out_size,out_size), about [0,1], not clamped.

        Raises ValueError for another size.
        """
        if low.shape[-2:] != (self.side, self.side):
            raise ValueError(f"this model takes {self.side}×{self.side} px, not {tuple(low.shape[-2:])}")
        x = (low * 2 - 1).to(self.out.weight.dtype)
        features, rows = self.encoder(x)
        return self.decode(features[0], self.bank_features(features, rows)).float() / 2 + 0.5

    def bank_features(self, encoded: list[Tensor], rows: Tensor) -> list[Tensor]:
        """The encoder's features and rows → the bank's features at every side above in_size, smallest first."""
        layers = self.bank.layers
        x = layers[0](self.bank.constant.expand(len(rows), -1, -1, -1), rows[:, 0])
        kept = []
        for k in range(len(layers) // 2):
            if k < len(self.fusions):
                x = self.fusions[k](torch.cat((x, encoded[-1 - k]), dim=1))
            x = layers[2 * k + 1](x, rows[:, 2 * k + 1])
            x = layers[2 * k + 2](x, rows[:, 2 * k + 2])
            if x.shape[-1] > self.side:
                kept.append(x)
        return kept

    def decode(self, h: Tensor, bank: list[Tensor]) -> Tensor:
        """The encoder's finest features and the bank's → the picture (B,3,out_size,out_size) in [−1,1]."""
        for raising, features in zip(self.raises, bank):
            h = torch.cat((F.pixel_shuffle(raising(h), 2), features), dim=1)
        return self.out(leaky(self.end(h)))
