"""GLEAN on MobileStyleGAN: encoder – bank – decoder, small enough to be trained and run on a processor.

Paper: GLEAN (Chan, Wang, Xu, Gu, Loy; CVPR 2021, arXiv 2012.00739), §3: an RRDB encoder gives features of several
resolutions and one latent row per modulation; convolutions fuse the features into the blocks of a frozen face
generator, the latent bank; a decoder made of pixel shuffles takes in the bank's features.

How we differ, and why:
- The bank is MobileStyleGAN, the prior whose weights a package registry carries. It is no part of this module's state:
  it is passed in, so our weight file holds the trained part alone.
- Fusion is x + ρ·conv₁ₓ₁[x/ρ, f], not conv₃ₓ₃[x, f]: it starts as the identity, so at first the bank is the generator
  unchanged (ρ: the root mean square of the bank's features there, measured once by `calibrate`).
- The latent rows are the generator's mean row plus the encoder's output.
- The decoder adds to the input instead of drawing the picture: y = D⁺x + (I − D⁺D) r, where D is MATLAB's bicubic
  downscaling and D⁺ its pseudo-inverse. So y downscales to exactly the input and the network cannot spend capacity on
  what is known; and as the truth lies in the same affine space, the projection can only bring y nearer to it.
- Everything is narrow (4 RRDB; decoder of 96, 64, 48 channels), and the upper part can work on a window, which made
  training on two processor cores possible.

Pictures are RGB in [0,1] at the module's interface, [−1,1] inside. The names of the submodules are the keys of the
weight file.
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
from gansr.ops.projection import DownscaleProjection, downscale_matrix

SLOPE = 0.2


class Parts(NamedTuple):
    """The output of the lower half, which sees the whole picture; the input of the upper half."""

    features: Tensor  # (B, wide, in, in), the encoder's finest
    bank: Tensor | None  # (B, C, 2·in, 2·in), the bank's features there
    scales: tuple[Tensor, ...]  # the bank's modulation from there on, two a block
    rows: Tensor  # (B, rows, style), the latent rows; empty without a bank


class Window(NamedTuple):
    """A square part of the input: `side`² at (top, left), px of the input."""

    top: int
    left: int
    side: int

    def cut(self, x: Tensor, factor: int) -> Tensor:
        """The window's part of x (…,H,W), whose side is `factor` × the input's."""
        t, l, s = self.top * factor, self.left * factor, self.side * factor
        return x[..., t : t + s, l : l + s]


def leaky(x: Tensor) -> Tensor:
    """Leaky ReLU of x; without gradients it overwrites x, which saves a pass over memory. x must not be used again."""
    return F.leaky_relu(x, SLOPE, inplace=not torch.is_grad_enabled())


def added(x: Tensor, y: Tensor) -> Tensor:
    """x + y; without gradients it overwrites x, which must not be used again."""
    return x + y if torch.is_grad_enabled() else x.add_(y)


class Fusion(nn.Module):
    """x + ρ·conv₁ₓ₁[x/ρ, f], where f is the encoder's features after a 3×3 convolution of their own.

    x (B,bank,H,W), features (B,features,H,W) → the shape of x. Zero-initialised: at first it returns x unchanged.
    """

    def __init__(self, bank: int, features: int, width: int):
        super().__init__()
        self.adapt = nn.Conv2d(features, width, 3, padding=1)
        self.mix = nn.Conv2d(bank + width, bank, 1)
        for parameter in self.mix.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor, features: Tensor, level: Tensor) -> Tensor:
        f = leaky(self.adapt(features))
        return torch.addcmul(x, self.mix(torch.cat((x / level, f), dim=1)), level)


class DecoderStage(nn.Module):
    """One scale of the decoder: (B,channels,H,W) → the same shape.

    The bank's features, reduced to `tap` channels and divided by their root mean square `level`, are added to the
    decoder's own after its first convolution.
    """

    def __init__(self, channels: int, bank: int, tap: int, second: bool):
        super().__init__()
        self.own = nn.Conv2d(channels, channels, 3, padding=1)
        self.project = nn.Conv2d(bank, tap, 1, bias=False)
        self.tap = nn.Conv2d(tap, channels, 3, padding=1, bias=False)
        self.second = nn.Conv2d(channels, channels, 3, padding=1) if second else nn.Identity()
        nn.init.zeros_(self.tap.weight)  # zero-initialised: no contribution at first

    def forward(self, h: Tensor, bank: Tensor | None, level: Tensor) -> Tensor:
        h = self.own(h)
        if bank is not None:
            h = added(h, self.tap(self.project(bank) / level))
        h = leaky(h)
        return h if isinstance(self.second, nn.Identity) else leaky(self.second(h))


class GleanOwn(nn.Module):
    """`side`² → (factor·side)². The bank is passed to `forward`; without it the decoder works alone.

    bank: channels of the bank's features after each of its blocks, from 4² to the output's side. style: length of a
    latent row. decoder, taps: channels per scale, from 2·side up. projected: trained with the projection; an input with
    noise must not come back in the result. Raises ValueError where these do not fit together.
    """

    mean: Tensor  # (style,), the bank's mean latent row
    levels: Tensor  # (height + 1,), root mean squares of the bank's features, from 4² up

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
        projected: bool = True,
    ):
        super().__init__()
        self.side, self.factor, self.projected = side, factor, projected
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
            DecoderStage(c, b, t, second=i < len(decoder) - 1)
            for i, (c, b, t) in enumerate(zip(decoder, bank[self.depth + 1 :], taps))
        )
        self.out = nn.Conv2d(decoder[-1], 3, 3, padding=1)
        self.register_buffer("mean", torch.zeros(style))
        self.register_buffer("levels", torch.ones(self.height + 1))
        self.projection = DownscaleProjection(downscale_matrix(side, factor))
        with torch.no_grad():
            for parameter in (*self.latent.parameters(), *self.out.parameters()):
                parameter.mul_(0.1 if parameter.ndim > 1 else 0)

    # ------------------------------------------------------------------------------------------ use

    def forward(
        self,
        low: Tensor,
        bank: MobileStyleGAN | None = None,
        *,
        features: bool = True,
        fused: int | None = None,
        project: bool | None = None,
    ) -> Tensor:
        """low (B,3,side,side) in [0,1] → (B,3,factor·side,factor·side) float32, about [0,1], not clamped.

        bank None: the decoder alone. features False: the bank gets the latent rows only, and the decoder gets the bank
        only. fused: the bank gets features at so many of its coarsest scales, 4² first, and the decoder all as ever;
        None: at all of them. project False: the decoder's output is added without the projection; None: as trained.
        Raises ValueError for another size.
        """
        return self.enlarge(low, bank, features=features, fused=fused, project=project)[0]

    def enlarge(
        self,
        low: Tensor,
        bank: MobileStyleGAN | None,
        *,
        features: bool = True,
        fused: int | None = None,
        project: bool | None = None,
    ) -> tuple[Tensor, Tensor]:
        """The result of `forward`, and the latent rows (B, rows, style); they are empty without a bank."""
        if low.shape[-2:] != (self.side, self.side):
            raise ValueError(f"this model takes {self.side}×{self.side} px, not {tuple(low.shape[-2:])}")
        x = low * 2 - 1
        parts = self.lower(self.finest(x.to(self.widen.weight.dtype)), bank, features, fused)
        r = self.upper(parts, bank, self.noises(bank)).float()
        project = self.projected if project is None else project
        return self.join(x.float(), r, self.projection, project) / 2 + 0.5, parts.rows

    def optimised(self, dtype: torch.dtype) -> GleanOwn:
        """A copy that computes in `dtype` with channels last; D and D⁺ stay in float32.

        The filters are channels_last; each convolution takes its layout from them. A pass in bfloat16 is then 37 GFLOP
        at about the full 1 TFLOP/s of two Zen 5 cores, and 20 ms of passes over memory; its picture differs by 59 to
        69 dB from float32's. What else was tried: filters kept in oneDNN's order, 3 % (through operators that are not
        public); the last block in strips, nothing; torch.compile with frozen weights, 12 % after 25 s of compiling.
        """
        copied = deepcopy(self).to(dtype).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        copied.projection = self.projection
        return copied

    @staticmethod
    def join(x: Tensor, r: Tensor, projection: DownscaleProjection, project: bool = True) -> Tensor:
        """Input x and decoder's output r → D⁺x + (I − D⁺D) r; with project False, D⁺x + r."""
        return projection.project(r, x) if project else projection.back_project(x) + r

    # ------------------------------------------------------------------- the lower half: the whole picture

    def finest(self, x: Tensor) -> Tensor:
        """x (B,3,side,side) in [−1,1] → the encoder's features (B, wide, side, side)."""
        return leaky(self.widen(self.trunk(x)))

    def encode(self, finest: Tensor) -> tuple[list[Tensor], Tensor]:
        """The finest features → those of each scale, from `side`² down to 4², and the latent rows (B, rows, style)."""
        features = [finest]
        for layer in self.pyramid:
            features.append(leaky(layer(features[-1])))
        code = leaky(self.squeeze(features[-1].flatten(1)))
        return features, self.latent(code).float().unflatten(1, (self.rows, -1)) + self.mean.float()

    def lower(
        self, finest: Tensor, bank: MobileStyleGAN | None, features: bool = True, fused: int | None = None
    ) -> Parts:
        """The rest of the encoder and the bank up to (2·side)²; features False: only the latent rows are used. fused:
        see `forward`."""
        if bank is None:
            return Parts(finest, None, (), finest.new_empty(0))
        encoded, rows = self.encode(finest)
        *_, bank_features, scales = self.bank_features(encoded, rows, bank, fused if features else 0)
        return Parts(finest if features else torch.zeros_like(finest), bank_features, scales, rows)

    def bank_features(
        self, encoded: list[Tensor], rows: Tensor, bank: MobileStyleGAN, fused: int | None = None
    ) -> list[Any]:
        """The bank's features before each fused block and at (2·side)², smallest first; the last element is a tuple of
        the modulations of the remaining blocks. Only the first `fused` blocks take the encoder's features in; None:
        all."""
        scales = bank.scales(rows, 0, self.height)
        x = bank.body.dense(scales[0])
        seen: list[Any] = []
        for i, fusion in enumerate(self.fusions):
            if fused is None or i < fused:
                x = fusion(x, encoded[self.depth - i], self.level(i, x))
            seen.append(x)
            block = blocks_of(bank)[i]
            x = apply_block(block, x, scales[1 + 2 * i : 3 + 2 * i], (block.conv1.noise, block.conv2.noise))
        return [*seen, x, tuple(scales[3 + 2 * self.depth : 1 + 2 * self.height])]

    def level(self, i: int, like: Tensor) -> Tensor:
        return self.levels[i].to(like.dtype)

    # ----------------------------------------------------------------- the upper half: the whole or a window

    def noises(self, bank: MobileStyleGAN | None, window: Window | None = None) -> list[Tensor]:
        """The noise maps of the bank's blocks above (2·side)², whole or the window's part, two per block."""
        if bank is None:
            return []
        blocks = blocks_of(bank)[self.depth + 1 : self.height]
        maps = [conv.noise for block in blocks for conv in (block.conv1, block.conv2)]
        return maps if window is None else [window.cut(m, m.shape[-1] // self.side) for m in maps]

    def cut(self, parts: Parts, window: Window) -> Parts:
        """The window's part of the lower half's output."""
        bank = None if parts.bank is None else window.cut(parts.bank, 2)
        return Parts(window.cut(parts.features, 1), bank, parts.scales, parts.rows)

    def upper(self, parts: Parts, bank: MobileStyleGAN | None, noises: Sequence[Tensor]) -> Tensor:
        """The decoder and the bank above (2·side)² → r, what is added to the input: (B,3,H,W) in units of [−1,1]."""
        h, b = parts.features, parts.bank
        for i, (raising, stage) in enumerate(zip(self.raises, self.stages)):
            if i and b is not None and bank is not None:
                two = slice(2 * i - 2, 2 * i)
                b = apply_block(blocks_of(bank)[self.depth + i], b, parts.scales[two], noises[two])
            h = stage(F.pixel_shuffle(raising(h), 2), b, self.level(self.depth + 1 + i, h))
        return self.out(h)

    # ----------------------------------------------------------------------------------- initialisation

    @torch.no_grad()
    def calibrate(self, bank: MobileStyleGAN, generator: torch.Generator, codes: int = 4096) -> None:
        """Set `mean`, the bank's mean row, and `levels`, the root mean squares of its features, from random codes.
        The bank is on this module's device, the generator on the CPU."""
        z = torch.randn(codes, bank.style, generator=generator)
        w = bank.mapping(z.to(self.mean.device))
        self.mean.copy_(w.mean(0))
        rows = self.mean + 0.7 * (w[:8, None] - self.mean).expand(-1, self.rows, -1)
        scales = bank.scales(rows, 0, self.height)
        x = bank.body.dense(scales[0])
        for i in range(self.height + 1):
            if i:
                x = bank.body.between(x, scales, i - 1, i)
            self.levels[i] = x.float().square().mean().sqrt()


def blocks_of(bank: MobileStyleGAN) -> list[Block]:
    return cast("list[Block]", list(bank.body.blocks))


def apply_block(block: Block, x: Tensor, scales: Sequence[Tensor], noises: Sequence[Tensor]) -> Tensor:
    """A block of the bank on x (B,C,H,W), with its two modulations (B,C) and noise maps, for a window their parts."""
    x = apply_separable(block.conv1, inverse_haar(x * scales[0][:, :, None, None]), noises[0])
    return apply_separable(block.conv2, x, noises[1], scales[1])


def apply_separable(conv: Separable, x: Tensor, noise: Tensor, scale: Tensor | None = None) -> Tensor:
    """A separable convolution of the bank on x (B,C,H,W), its input modulated by `scale` (B,C), with this noise map.

    A channel's modulation commutes with its depthwise filter: for a single picture it goes into the filter instead.
    """
    filters = conv.depthwise
    if not torch.is_grad_enabled():
        x = x.contiguous(memory_format=torch.channels_last)  # the wavelet leaves another layout
    if scale is not None and len(x) == 1 and not torch.is_grad_enabled():
        filters = filters * scale.view(-1, 1, 1, 1)
    elif scale is not None:
        x = x * scale[:, :, None, None]
    x = F.conv2d(x, filters, padding=1, groups=x.shape[1])
    return leaky(added(F.conv2d(x, conv.pointwise, conv.bias), noise))
