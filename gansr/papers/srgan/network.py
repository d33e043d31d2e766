"""SRResNet, the generator of SRGAN (Ledig et al., CVPR 2017, arXiv 1609.04802, figure 4), in five layouts.

The authors published no code, and each reimplementation reads the paper differently: the weights of one give a wrong
picture in another. `Layout` names the differences; `LAYOUTS` lists the five layouts for which weights exist:
krasserm, Lornatang and leftthomas (the paper's network), mmagic and BasicSR (ESRGAN's reduced "MSRResNet": no batch
norm, 3×3 first and last convolutions, the bilinear enlargement of the input added to the output).

The names of the submodules are the keys of the weight files. `gansr.papers.srgan.optimised` computes the same function
faster.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gansr.ops.spans import Span, cut

Activation = Literal[
    "prelu", "prelu-each", "relu", "leaky", "none"
]  # prelu-each: a slope per channel; leaky: 0.1


@dataclass(frozen=True)
class Layout:
    """How one implementation reads the paper."""

    blocks: int = 16
    kernel: int = 9  # side of the first and the last convolution, px
    norm_eps: float | None = 1e-5  # None: no batch norm
    trunk_bias: bool = True  # biases in the blocks and in the convolution after them
    block_activation: Activation = "prelu"
    end_activation: Activation = "prelu"  # after the first convolution, and after `high`
    upsample_activation: Activation = "prelu"  # after each pixel shuffle
    skip: Literal["features", "bilinear"] = (
        "features"  # what bypasses the blocks: features, or the enlarged input
    )
    output: Literal["tanh", "clamp", "linear"] = "clamp"  # the map to [0,1]: (tanh+1)/2, clamping, none


LAYOUTS: Mapping[str, Layout] = MappingProxyType(
    {
        "krasserm": Layout(
            norm_eps=1e-3,
            block_activation="prelu-each",
            end_activation="prelu-each",
            upsample_activation="prelu-each",
            output="tanh",
        ),
        "lornatang": Layout(trunk_bias=False),
        "leftthomas": Layout(blocks=5, output="tanh"),
        "mmagic": Layout(
            kernel=3,
            norm_eps=None,
            block_activation="relu",
            end_activation="leaky",
            upsample_activation="none",
            skip="bilinear",
            output="linear",
        ),
        "basicsr": Layout(
            kernel=3,
            norm_eps=None,
            block_activation="relu",
            end_activation="leaky",
            upsample_activation="leaky",
            skip="bilinear",
            output="linear",
        ),
    }
)

# scale → the factors of the pixel shuffles, in order
SHUFFLES: Mapping[int, tuple[int, ...]] = MappingProxyType({2: (2,), 3: (3,), 4: (2, 2), 8: (2, 2, 2)})


def _activation(kind: Activation, width: int) -> nn.Module:
    match kind:
        case "prelu":
            return nn.PReLU(1)
        case "prelu-each":
            return nn.PReLU(width)
        case "relu":
            return nn.ReLU()
        case "leaky":
            return nn.LeakyReLU(0.1)
        case "none":
            return nn.Identity()


def _conv(inputs: int, outputs: int, kernel: int, bias: bool = True) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=bias)


def _norm(layout: Layout, width: int) -> nn.Module:
    return nn.Identity() if layout.norm_eps is None else nn.BatchNorm2d(width, eps=layout.norm_eps)


class Block(nn.Module):
    """A residual block, (B,width,H,W) → the same shape: x + norm(conv(activation(norm(conv(x)))))."""

    def __init__(self, layout: Layout, width: int):
        super().__init__()
        self.conv1 = _conv(width, width, 3, layout.trunk_bias)
        self.norm1 = _norm(layout, width)
        self.activation = _activation(layout.block_activation, width)
        self.conv2 = _conv(width, width, 3, layout.trunk_bias)
        self.norm2 = _norm(layout, width)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.norm2(self.conv2(self.activation(self.norm1(self.conv1(x)))))


class Upsample(nn.Module):
    """A convolution, a pixel shuffle by `factor`, an activation: (B,width,H,W) → (B,width,factor·H,factor·W)."""

    def __init__(self, layout: Layout, width: int, factor: int):
        super().__init__()
        self.factor = factor
        self.conv = _conv(width, width * factor**2, 3)
        self.activation = _activation(layout.upsample_activation, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(F.pixel_shuffle(self.conv(x), self.factor))


class SRResNet(nn.Module):
    """(B,3,H,W) RGB in [0,1] → (B,3,scale·H,scale·W) RGB in [0,1]; layouts with "linear" output may overshoot slightly.

    layout: a key of LAYOUTS; scale: 2, 3, 4 or 8. `blocks` and `width` differ from the published networks in
    tests only. Raises ValueError for another layout or scale.
    """

    def __init__(
        self, layout: str = "krasserm", scale: int = 4, blocks: int | None = None, width: int = 64
    ) -> None:
        super().__init__()
        if layout not in LAYOUTS:
            raise ValueError(f"no SRResNet layout is called {layout!r}; there are {', '.join(LAYOUTS)}")
        if scale not in SHUFFLES:
            raise ValueError(f"SRResNet enlarges 2, 3, 4 or 8 times, not {scale}")
        flags = LAYOUTS[layout]
        self.layout, self.flags, self.scale, self.width = layout, flags, scale, width
        skips_features = flags.skip == "features"
        self.first = _conv(3, width, flags.kernel)
        self.first_activation = _activation(flags.end_activation, width)
        self.blocks = nn.ModuleList(Block(flags, width) for _ in range(blocks or flags.blocks))
        self.middle = _conv(width, width, 3, flags.trunk_bias) if skips_features else None
        self.middle_norm = _norm(flags, width) if skips_features else None
        self.upsamples = nn.ModuleList(Upsample(flags, width, factor) for factor in SHUFFLES[scale])
        self.high = None if skips_features else _conv(width, width, 3)
        self.high_activation = None if skips_features else _activation(flags.end_activation, width)
        self.last = _conv(width, 3, flags.kernel)

    def forward(self, x: Tensor) -> Tensor:
        return finish(self.flags, self.tail(self.trunk(x)), x, self.scale)

    def trunk(self, x: Tensor) -> Tensor:
        """(B,3,H,W) in [0,1] → features (B,width,H,W)."""
        x = self.first_activation(self.first(x))
        y = x
        for block in self.blocks:
            y = block(y)
        if self.middle is None or self.middle_norm is None:
            return y
        return x + self.middle_norm(self.middle(y))

    def tail(self, y: Tensor) -> Tensor:
        """Features (B,width,H,W) → (B,3,scale·H,scale·W), before `finish`."""
        for upsample in self.upsamples:
            y = upsample(y)
        if self.high is not None and self.high_activation is not None:
            y = self.high_activation(self.high(y))
        return self.last(y)

    @property
    def halos(self) -> tuple[int, ...]:
        """How far an output pixel's dependence reaches on each grid of the tail, px: before each upsampling, then at
        the output's resolution. krasserm ×4: (3, 3, 4), on the grids ×1, ×2, ×4."""
        reach = [self.flags.kernel // 2 + (self.high is not None)]
        for factor in reversed(SHUFFLES[self.scale]):
            reach.insert(0, -(-reach[0] // factor) + 1)
        return tuple(reach)

    @property
    def radius(self) -> int:
        """How far an output pixel's dependence reaches in the input, px of the input (krasserm ×4: 40)."""
        return self.flags.kernel // 2 + 2 * len(self.blocks) + (self.middle is not None) + self.halos[0]


def operations(layout: str, scale: int) -> float:
    """Floating-point operations of the published network per pixel of its input (krasserm ×4: 4.4 million)."""
    with torch.device("meta"):
        net = SRResNet(layout, scale)
    total, grid = 0, 1  # grid: pixels a convolution works on, per pixel of the input
    for name, module in net.named_modules():
        if name in ("high", "last"):
            grid = scale**2
        if isinstance(module, nn.Conv2d):
            total += 2 * module.weight.numel() * grid
        if isinstance(module, nn.Conv2d) and name.startswith("upsamples."):
            grid *= SHUFFLES[scale][int(name.split(".")[1])] ** 2
    return float(total)


def finish(
    flags: Layout,
    y: Tensor,
    x: Tensor,
    scale: int,
    rows: Span | None = None,
    columns: Span | None = None,
) -> Tensor:
    """The tail's output `y` → the picture: the bilinear skip and the map to [0,1], as the layout has them.

    x: the input (B,3,H,W) in [0,1]. Where `y` is only a part of the picture, `rows` and `columns` say which part of
    `x` it belongs to.
    """
    if flags.skip == "bilinear":
        large = F.interpolate(x, scale_factor=scale, mode="bilinear", align_corners=False)
        if rows is not None and columns is not None:
            large = cut(large, (scale * rows[0], scale * rows[1]), (scale * columns[0], scale * columns[1]))
        y = y + large
    if flags.output == "tanh":
        return y.tanh() * 0.5 + 0.5
    return y.clamp(0, 1) if flags.output == "clamp" else y


def blend(faithful: SRResNet, sharp: SRResNet, share: float) -> SRResNet:
    """The network whose weights lie at `share` of the way from `faithful` (0) to `sharp` (1).

    Network interpolation of ESRGAN (Wang et al. 2018, §3.4); batch norm's statistics are interpolated as well.
    Raises ValueError where the two have different layouts or scales.
    """
    ours, theirs = faithful.state_dict(), sharp.state_dict()
    shapes = {k: v.shape for k, v in ours.items()} == {k: v.shape for k, v in theirs.items()}
    if (faithful.layout, faithful.scale) != (sharp.layout, sharp.scale) or not shapes:
        raise ValueError(
            f"only two networks of the same layout and scale can be blended, not "
            f"{faithful.layout} ×{faithful.scale} with {sharp.layout} ×{sharp.scale}"
        )
    mixed = SRResNet(faithful.layout, faithful.scale, len(faithful.blocks), faithful.width)
    mixed.load_state_dict(
        {k: torch.lerp(v, theirs[k], share) if v.is_floating_point() else v for k, v in ours.items()}
    )
    return mixed.to(faithful.first.weight.device).requires_grad_(False).eval()
