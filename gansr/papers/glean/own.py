"""GLEAN on MobileStyleGAN: encoder – bank – decoder, small enough to be trained and run on a processor.

Paper: GLEAN (Chan, Wang, Xu, Gu, Loy; CVPR 2021, arXiv 2012.00739), §3: an RRDB encoder gives features of
several resolutions and one latent row per modulation; the features are fused by convolutions into the blocks of
a frozen face generator, the latent bank; a decoder made of pixel shuffles takes the bank's features in.

How we differ, and why:
- The bank is MobileStyleGAN, the prior whose weights can be had from a package registry. It is no part of this
  module's state: it is passed in, so a file of ours holds the trained part alone.
- Fusion is x + ρ·conv₁ₓ₁[x/ρ, f], not conv₃ₓ₃[x, f]: it starts as the identity, so the bank starts as the
  generator it is (ρ: the root mean square of the bank's features there, measured once by `calibrate`).
- The latent rows are the generator's mean row plus what the encoder says.
- The decoder adds to the input instead of drawing the picture: y = D⁺x + (I − D⁺D) r, where D is MATLAB's bicubic
  shrinking and D⁺ its pseudo-inverse. So y shrinks to exactly the input, the network cannot spend itself on
  what is known, and, as the truth lies in the same affine space, the projection only ever brings y nearer.
- All is narrow (4 RRDB; decoder of 96, 64, 48 channels), and the upper part can work on a window, which is
  what made training on two cores possible.

Pictures are RGB in [0,1] at the module's border, [−1,1] inside.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from itertools import pairwise
from typing import Any, NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gansr.nets.mobilestylegan import Block, MobileStyleGAN, Separable, inverse_haar
from gansr.nets.rrdb import Trunk
from gansr.ops.resize import taps

SLOPE = 0.2


class Parts(NamedTuple):
    """What the lower half hands to the upper: everything that has seen the whole picture."""

    features: Tensor  # (B, wide, in, in), the encoder's finest
    bank: Tensor | None  # (B, C, 2·in, 2·in), the bank's features there
    scales: tuple[Tensor, ...]  # the bank's modulation from there on, two a block
    rows: Tensor  # (B, rows, style), the latent rows; empty without a bank


class Window(NamedTuple):
    """A square of the input, px of the input: `side`² at (top, left)."""

    top: int
    left: int
    side: int

    def cut(self, x: Tensor, factor: int) -> Tensor:
        """The window's part of x (…,H,W), whose side is `factor` × the input's."""
        t, l, s = self.top * factor, self.left * factor, self.side * factor
        return x[..., t : t + s, l : l + s]


def shrink_matrix(side: int, factor: int) -> Tensor:
    """D of one axis: (side, side·factor) float64, MATLAB's bicubic shrinking with antialiasing."""
    index, weight = taps(side * factor, side, 1 / factor)
    matrix = torch.zeros(side, side * factor, dtype=torch.float64)
    return matrix.scatter_add_(1, torch.from_numpy(index), torch.from_numpy(weight))


class Knowledge(nn.Module):
    """D and D⁺, separable: a = (side, side·factor) and its pseudo-inverse, in float32.

    Their condition number is 1.4 for a factor of 8, so D⁺ hardly raises the rounding noise of an 8-bit input.
    """

    down: Tensor
    up: Tensor

    def __init__(self, side: int, factor: int):
        super().__init__()
        a = shrink_matrix(side, factor)
        self.register_buffer("down", a.float(), persistent=False)
        self.register_buffer("up", torch.linalg.pinv(a).float(), persistent=False)

    def shrink(self, y: Tensor) -> Tensor:
        return self.down @ y @ self.down.T

    def grow(self, x: Tensor) -> Tensor:
        return self.up @ x @ self.up.T


def bend(x: Tensor) -> Tensor:
    """The leaky rectifier of a fresh x: in place where no gradient is wanted, which saves a pass over memory."""
    return F.leaky_relu(x, SLOPE, inplace=not torch.is_grad_enabled())


def added(x: Tensor, y: Tensor) -> Tensor:
    """x + y into a fresh x, in place likewise."""
    return x + y if torch.is_grad_enabled() else x.add_(y)


class Fusion(nn.Module):
    """x + ρ·conv₁ₓ₁[x/ρ, f]; zero at first, so x passes unchanged. f comes through its own 3×3 convolution."""

    def __init__(self, bank: int, features: int, width: int):
        super().__init__()
        self.adapt = nn.Conv2d(features, width, 3, padding=1)
        self.mix = nn.Conv2d(bank + width, bank, 1)
        for parameter in self.mix.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor, features: Tensor, level: Tensor) -> Tensor:
        f = bend(self.adapt(features))
        return torch.addcmul(x, self.mix(torch.cat((x / level, f), dim=1)), level)


class Stage(nn.Module):
    """One scale of the decoder: its own features and, projected and levelled, the bank's → `channels`."""

    def __init__(self, channels: int, bank: int, tap: int, second: bool):
        super().__init__()
        self.own = nn.Conv2d(channels, channels, 3, padding=1)
        self.project = nn.Conv2d(bank, tap, 1, bias=False)
        self.tap = nn.Conv2d(tap, channels, 3, padding=1, bias=False)
        self.second = nn.Conv2d(channels, channels, 3, padding=1) if second else nn.Identity()
        nn.init.zeros_(self.tap.weight)  # the bank is silent until it has learnt to help

    def forward(self, h: Tensor, bank: Tensor | None, level: Tensor) -> Tensor:
        h = self.own(h)
        if bank is not None:
            h = added(h, self.tap(self.project(bank) / level))
        h = bend(h)
        return h if isinstance(self.second, nn.Identity) else bend(self.second(h))


class GleanOwn(nn.Module):
    """`side`² → (factor·side)². Give the bank to `forward`; without it the decoder works alone.

    bank: (channels, side) of the bank's features after each of its blocks, from 4² to the output's side.
    style: the width of a latent row. decoder, taps: channels a scale from 2·side up.
    """

    mean: Tensor  # the bank's mean row
    levels: Tensor  # root mean squares of the bank's features, from 4² up

    def __init__(
        self,
        side: int = 32,
        factor: int = 8,
        bank: Sequence[int] = (512, 512, 512, 512, 512, 256, 128),
        style: int = 512,
        channels: int = 64,
        growth: int = 32,
        blocks: int = 4,
        wide: int = 128,
        pyramid: int = 256,
        latent: int = 256,
        decoder: Sequence[int] = (96, 64, 48),
        taps: Sequence[int] = (64, 64, 32),
    ):
        super().__init__()
        self.side, self.factor = side, factor
        self.depth = side.bit_length() - 3  # bank blocks up to the input's side
        self.height = self.depth + len(decoder)  # … and up to the output's
        if 4 << self.depth != side or 1 << len(decoder) != factor or len(bank) != self.height + 1:
            raise ValueError(
                f"{side}→{side * factor} px does not fit {len(bank)} bank and {len(decoder)} scales"
            )
        self.rows = 1 + 3 * self.height
        self.trunk = Trunk(channels, growth, blocks)
        self.widen = nn.Conv2d(channels, wide, 3, padding=1)
        inside = [wide] + [pyramid] * self.depth
        self.pyramid = nn.ModuleList(nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in pairwise(inside))
        self.squeeze = nn.Linear(inside[-1] * 16, latent)
        self.latent = nn.Linear(latent, self.rows * style)
        self.fusions = nn.ModuleList(Fusion(c, f, pyramid) for c, f in zip(bank, reversed(inside)))
        wide_in = [wide, *decoder[:-1]]
        self.raises = nn.ModuleList(nn.Conv2d(a, 4 * b, 3, padding=1) for a, b in zip(wide_in, decoder))
        self.stages = nn.ModuleList(
            Stage(c, b, t, second=i < len(decoder) - 1)
            for i, (c, b, t) in enumerate(zip(decoder, bank[self.depth + 1 :], taps))
        )
        self.out = nn.Conv2d(decoder[-1], 3, 3, padding=1)
        self.register_buffer("mean", torch.zeros(style))
        self.register_buffer("levels", torch.ones(self.height + 1))
        self.known = Knowledge(side, factor)
        with torch.no_grad():
            for parameter in (*self.latent.parameters(), *self.out.parameters()):
                parameter.mul_(0.1 if parameter.ndim > 1 else 0)

    # ------------------------------------------------------------------------------------------ use

    def forward(
        self, low: Tensor, bank: MobileStyleGAN | None = None, *, features: bool = True, project: bool = True
    ) -> Tensor:
        """low (B,3,side,side) in [0,1] → (B,3,factor·side, …) in about [0,1], in float32, not clamped.

        bank None: the decoder alone. features False: the bank gets the latent rows only and the decoder only
        the bank. project False: the decoder's addition is taken as it is. Raises ValueError for another size.
        """
        return self.enlarge(low, bank, features=features, project=project)[0]

    def enlarge(
        self, low: Tensor, bank: MobileStyleGAN | None, *, features: bool = True, project: bool = True
    ) -> tuple[Tensor, Tensor]:
        """`forward`, and the latent rows (B, rows, style), which are empty without a bank."""
        if low.shape[-2:] != (self.side, self.side):
            raise ValueError(f"this model takes {self.side}×{self.side} px, not {tuple(low.shape[-2:])}")
        x = low * 2 - 1
        parts = self.lower(self.finest(x.to(self.widen.weight.dtype)), bank, features)
        r = self.upper(parts, bank, self.noises(bank)).float()
        return self.join(x.float(), r, self.known, project) / 2 + 0.5, parts.rows

    def quick(self, dtype: torch.dtype) -> GleanOwn:
        """A copy that computes in `dtype` with channels last; D and D⁺ stay in float32.

        Channels last are the filters; each convolution takes its layout from them. A pass in bfloat16 is then
        37 GFLOP at about all that two Zen 5 cores have, 1 TFLOP/s, and 20 ms of passes over memory; its picture
        is 59 to 69 dB from float32's. What more there would be: filters kept in oneDNN's order, 3 % (through
        operators that are not public); the last block in strips, nothing; torch.compile with frozen weights,
        12 % after 25 s of compiling.
        """
        made = deepcopy(self).to(dtype).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        made.known = self.known
        return made

    @staticmethod
    def join(x: Tensor, r: Tensor, known: Knowledge, project: bool = True) -> Tensor:
        """D⁺x + (I − D⁺D) r; with project False, D⁺x + r."""
        return known.grow(x - known.shrink(r) if project else x) + r

    # ------------------------------------------------------------------- the half that sees everything

    def finest(self, x: Tensor) -> Tensor:
        """x (B,3,side,side) in [−1,1] → the encoder's features (B, wide, side, side)."""
        return bend(self.widen(self.trunk(x)))

    def encode(self, finest: Tensor) -> tuple[list[Tensor], Tensor]:
        """The finest features → all, from `side` down to 4², and the latent rows (B, rows, style)."""
        found = [finest]
        for layer in self.pyramid:
            found.append(bend(layer(found[-1])))
        code = bend(self.squeeze(found[-1].flatten(1)))
        return found, self.latent(code).float().unflatten(1, (self.rows, -1)) + self.mean.float()

    def lower(self, finest: Tensor, bank: MobileStyleGAN | None, features: bool = True) -> Parts:
        """The rest of the encoder and the bank up to 2·side."""
        if bank is None:
            return Parts(finest, None, (), finest.new_empty(0))
        found, rows = self.encode(finest)
        *_, bank_features, scales = self.fill(found, rows, bank, features)
        return Parts(finest if features else torch.zeros_like(finest), bank_features, scales, rows)

    def fill(
        self, found: list[Tensor], rows: Tensor, bank: MobileStyleGAN, features: bool = True
    ) -> list[Any]:
        """The bank's features before each fused block and at 2·side, then the remaining scales."""
        scales = bank.scales(rows, 0, self.height)
        x = bank.body.dense(scales[0])
        seen: list[Any] = []
        for i, fusion in enumerate(self.fusions):
            if features:
                x = fusion(x, found[self.depth - i], self.level(i, x))
            seen.append(x)
            block = blocks_of(bank)[i]
            x = raised(block, x, scales[1 + 2 * i : 3 + 2 * i], (block.conv1.noise, block.conv2.noise))
        return [*seen, x, tuple(scales[3 + 2 * self.depth : 1 + 2 * self.height])]

    def level(self, i: int, like: Tensor) -> Tensor:
        return self.levels[i].to(like.dtype)

    # ----------------------------------------------------------------- the half that can work on a window

    def noises(self, bank: MobileStyleGAN | None, window: Window | None = None) -> list[Tensor]:
        """The noise maps of the bank's blocks above 2·side, whole or the window's part, two a block."""
        if bank is None:
            return []
        blocks = blocks_of(bank)[self.depth + 1 : self.height]
        maps = [conv.noise for block in blocks for conv in (block.conv1, block.conv2)]
        return maps if window is None else [window.cut(m, m.shape[-1] // self.side) for m in maps]

    def cut(self, parts: Parts, window: Window) -> Parts:
        """The window's part of what the lower half gives."""
        bank = None if parts.bank is None else window.cut(parts.bank, 2)
        return Parts(window.cut(parts.features, 1), bank, parts.scales, parts.rows)

    def upper(self, parts: Parts, bank: MobileStyleGAN | None, noises: Sequence[Tensor]) -> Tensor:
        """Decoder and the bank above 2·side → what is added to the input, (B,3,…) in units of [−1,1]."""
        h, b = parts.features, parts.bank
        for i, (raising, stage) in enumerate(zip(self.raises, self.stages)):
            if i and b is not None and bank is not None:
                two = slice(2 * i - 2, 2 * i)
                b = raised(blocks_of(bank)[self.depth + i], b, parts.scales[two], noises[two])
            h = stage(F.pixel_shuffle(raising(h), 2), b, self.level(self.depth + 1 + i, h))
        return self.out(h)

    # ----------------------------------------------------------------------------------- before training

    @torch.no_grad()
    def calibrate(self, bank: MobileStyleGAN, generator: torch.Generator, codes: int = 4096) -> None:
        """The bank's mean row, and the root mean square of its features at each side, from seeded codes."""
        w = bank.mapping(torch.randn(codes, bank.style, generator=generator))
        self.mean.copy_(w.mean(0))
        rows = self.mean + 0.7 * (w[:8, None] - self.mean).expand(-1, self.rows, -1)
        for i in range(self.height + 1):
            self.levels[i] = bank.first(rows, i).float().square().mean().sqrt()


def blocks_of(bank: MobileStyleGAN) -> list[Block]:
    return cast("list[Block]", list(bank.body.blocks))


def raised(block: Block, x: Tensor, scales: Sequence[Tensor], noises: Sequence[Tensor]) -> Tensor:
    """The block on x, its two scales (B,C) and its noise maps given: of a window they are parts."""
    x = separable(block.conv1, inverse_haar(x * scales[0][:, :, None, None]), noises[0])
    return separable(block.conv2, x, noises[1], scales[1])


def separable(conv: Separable, x: Tensor, noise: Tensor, scale: Tensor | None = None) -> Tensor:
    """A separable convolution of the bank, its input scaled by `scale` (B,C), with the noise map given.

    A channel's scale commutes with its depthwise filter: for one picture it goes into the filter instead.
    """
    filters = conv.depthwise
    if not torch.is_grad_enabled():
        x = x.contiguous(memory_format=torch.channels_last)  # the wavelet leaves another order
    if scale is not None and len(x) == 1 and not torch.is_grad_enabled():
        filters = filters * scale.view(-1, 1, 1, 1)
    elif scale is not None:
        x = x * scale[:, :, None, None]
    x = F.conv2d(x, filters, padding=1, groups=x.shape[1])
    return bend(added(F.conv2d(x, conv.pointwise, conv.bias), noise))
