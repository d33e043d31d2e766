"""SRResNet, the generator of SRGAN (Ledig et al., CVPR 2017, arXiv 1609.04802, figure 4): five layouts.

The paper left no code, and every reimplementation reads it a little differently; a state dict of one gives a
wrong picture in another. The differences are flags (`Layout`), and `LAYOUTS` is the table of the five whose
weights exist: krasserm, Lornatang, leftthomas (the paper's network) and mmagic, BasicSR (ESRGAN's slimmed
"MSRResNet": no batch norm, 3×3 ends, the bilinear enlargement of the input added).

`fast` gives the same function in another form, for inference (`FastSRResNet`):

- batch norm is folded into the convolution before it;
- the last convolution moves in front of the last pixel shuffle. A k×k convolution behind a shuffle by r is a
  K×K one in front of it, K = 2⌈⌊k/2⌋/r⌉ + 1, with r² times the inputs and outputs (`before_shuffle`): three
  outputs leave most lanes of a vector register empty, twelve do not, and the 64-channel picture at full size
  is never written;
- the other shuffles move whole runs of channels, because the convolution before them has its outputs in the
  order (row, column, channel) rather than (channel, row, column);
- channels_last; the trunk in strips and the tail in patches that stay in the cache, written into maps that are
  used again;
- the precision asked for. In bfloat16 the first convolution stays float32: 8 bits of mantissa cannot hold the
  input's 256 steps, which alone costs more (0.05 dB on Set5) than all the rest. Weights and slopes are rounded
  so that their sums stay (`_handed_on`).

Zero padding stays exact: a place outside the large picture is outside the small one too.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Span = tuple[int, int]  # from, to (not included), in rows or columns
Bend = Literal["prelu", "prelu-each", "relu", "leaky", "none"]  # leaky: slope 0.1


@dataclass(frozen=True)
class Layout:
    """How one implementation reads the paper."""

    blocks: int = 16
    kernel: int = 9  # of the first and the last convolution
    norm_eps: float | None = 1e-5  # None: no batch norm
    trunk_bias: bool = True  # biases in the blocks and in the convolution behind them
    block: Bend = "prelu"  # inside a block
    ends: Bend = "prelu"  # behind the first convolution, and behind conv_hr
    shuffle: Bend = "prelu"  # behind every pixel shuffle
    skip: Literal["features", "bilinear"] = "features"  # what goes around the blocks
    output: Literal["tanh", "clamp", "linear"] = "clamp"  # to [0,1] by (tanh+1)/2, by clamping, not at all


LAYOUTS: Mapping[str, Layout] = MappingProxyType(
    {
        "krasserm": Layout(
            norm_eps=1e-3, block="prelu-each", ends="prelu-each", shuffle="prelu-each", output="tanh"
        ),
        "lornatang": Layout(trunk_bias=False),
        "leftthomas": Layout(blocks=5, output="tanh"),
        "mmagic": Layout(
            kernel=3,
            norm_eps=None,
            block="relu",
            ends="leaky",
            shuffle="none",
            skip="bilinear",
            output="linear",
        ),
        "basicsr": Layout(
            kernel=3,
            norm_eps=None,
            block="relu",
            ends="leaky",
            shuffle="leaky",
            skip="bilinear",
            output="linear",
        ),
    }
)

SHUFFLES: Mapping[int, tuple[int, ...]] = MappingProxyType({2: (2,), 3: (3,), 4: (2, 2), 8: (2, 2, 2)})


def _bend(kind: Bend, width: int) -> nn.Module:
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
    """x + norm(conv(bend(norm(conv(x)))))."""

    def __init__(self, layout: Layout, width: int):
        super().__init__()
        self.conv1 = _conv(width, width, 3, layout.trunk_bias)
        self.norm1 = _norm(layout, width)
        self.bend = _bend(layout.block, width)
        self.conv2 = _conv(width, width, 3, layout.trunk_bias)
        self.norm2 = _norm(layout, width)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.norm2(self.conv2(self.bend(self.norm1(self.conv1(x)))))


class Rise(nn.Module):
    """A pixel shuffle by `factor` behind a convolution, and its activation."""

    def __init__(self, layout: Layout, width: int, factor: int):
        super().__init__()
        self.factor = factor
        self.conv = _conv(width, width * factor**2, 3)
        self.bend = _bend(layout.shuffle, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.bend(F.pixel_shuffle(self.conv(x), self.factor))


class SRResNet(nn.Module):
    """(B,3,H,W) RGB in [0,1] → (B,3,sH,sW) RGB in [0,1]; the "linear" layouts may overshoot a little.

    `layout` names a row of LAYOUTS, `scale` is 2, 3, 4 or 8; `blocks` and `width` differ from the published
    networks in tests only. Raises ValueError for another scale or layout.
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
        features = flags.skip == "features"
        self.first = _conv(3, width, flags.kernel)
        self.first_bend = _bend(flags.ends, width)
        self.blocks = nn.ModuleList(Block(flags, width) for _ in range(blocks or flags.blocks))
        self.middle = _conv(width, width, 3, flags.trunk_bias) if features else None
        self.middle_norm = _norm(flags, width) if features else None
        self.rises = nn.ModuleList(Rise(flags, width, factor) for factor in SHUFFLES[scale])
        self.high = None if features else _conv(width, width, 3)
        self.high_bend = None if features else _bend(flags.ends, width)
        self.last = _conv(width, 3, flags.kernel)

    def forward(self, x: Tensor) -> Tensor:
        y = self.tail(self.trunk(x))
        return _finish(self.flags, y, x, self.scale)

    def trunk(self, x: Tensor) -> Tensor:
        """(B,3,H,W) in [0,1] → features (B,width,H,W)."""
        x = self.first_bend(self.first(x))
        y = x
        for block in self.blocks:
            y = block(y)
        if self.middle is None or self.middle_norm is None:
            return y
        return x + self.middle_norm(self.middle(y))

    def tail(self, y: Tensor) -> Tensor:
        """Features (B,width,H,W) → (B,3,sH,sW), before the skip and the output's map."""
        for rise in self.rises:
            y = rise(y)
        if self.high is not None and self.high_bend is not None:
            y = self.high_bend(self.high(y))
        return self.last(y)

    @property
    def halos(self) -> tuple[int, ...]:
        """How many pixels around a pixel its part of the output depends on: before each rise, behind the last.

        krasserm ×4: (3, 3, 4), on the grid of the input, twice and four times as fine.
        """
        reach = [self.flags.kernel // 2 + (self.high is not None)]
        for factor in reversed(SHUFFLES[self.scale]):
            reach.insert(0, -(-reach[0] // factor) + 1)
        return tuple(reach)

    @property
    def radius(self) -> int:
        """How many pixels of the input around a pixel its part of the output depends on (krasserm ×4: 40)."""
        return self.flags.kernel // 2 + 2 * len(self.blocks) + (self.middle is not None) + self.halos[0]


def operations(layout: str, scale: int) -> float:
    """Floating-point operations of the published network per pixel of its input (krasserm ×4: 4.4 million)."""
    with torch.device("meta"):
        net = SRResNet(layout, scale)
    total, grid = 0, 1  # grid: pixels of the map a convolution works on, per pixel of the input
    for name, module in net.named_modules():
        if name in ("high", "last"):
            grid = scale**2
        if isinstance(module, nn.Conv2d):
            total += 2 * module.weight.numel() * grid
        if isinstance(module, nn.Conv2d) and name.startswith("rises."):
            grid *= SHUFFLES[scale][int(name.split(".")[1])] ** 2
    return float(total)


def _finish(
    flags: Layout,
    y: Tensor,
    x: Tensor,
    scale: int,
    rows: Span | None = None,
    columns: Span | None = None,
) -> Tensor:
    """The skip around everything, and the map to [0,1]. `y` belongs to the rows and columns of `x` given."""
    if flags.skip == "bilinear":
        large = F.interpolate(x, scale_factor=scale, mode="bilinear", align_corners=False)
        if rows is not None and columns is not None:
            large = _cut(large, (scale * rows[0], scale * rows[1]), (scale * columns[0], scale * columns[1]))
        y = y + large
    if flags.output == "tanh":
        return y.tanh() * 0.5 + 0.5
    return y.clamp(0, 1) if flags.output == "clamp" else y


def blend(faithful: SRResNet, sharp: SRResNet, share: float) -> SRResNet:
    """The network whose weights lie at `share` of the way from `faithful` (0) to `sharp` (1).

    The interpolation of ESRGAN (Wang et al. 2018, §3.4), batch norm's statistics included.
    Raises ValueError where the two are not the same network.
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


# ------------------------------------------------------------------------------------- the form for inference

STRIP = 8 * 2**20  # bytes of a map of the trunk that are worked on at once: they stay in the cache
PATCH = 16384  # bytes of one channel of the features that go through the tail at once
ACROSS = 128  # columns of the features, at most, that go through the tail at once
LANES = 16  # float32 lanes of a 512-bit register: fewer outputs than a multiple of it cost as much


def fast(net: SRResNet, dtype: torch.dtype = torch.float32) -> FastSRResNet:
    """The same function as `net`, in `dtype` and without batch norm; `net` is left as it is."""
    return FastSRResNet(net, dtype).requires_grad_(False).eval()


class FastSRResNet(nn.Module):
    """(B,3,H,W) float32 RGB in [0,1] → (B,3,sH,sW) float32; in float32 equal to `net` to about 1e-6.

    Computes in `dtype`, returns float32. `region` computes a part of the picture, exactly.
    """

    def __init__(self, net: SRResNet, dtype: torch.dtype):
        super().__init__()
        self.flags, self.scale, self.radius, self.halos = net.flags, net.scale, net.radius, net.halos
        self.factors, self.dtype = SHUFFLES[net.scale], dtype
        self.blocks = nn.ModuleList(_folded_block(block) for block in net.blocks)
        self.middle = None if net.middle is None else _folded(net.middle, net.middle_norm)
        self.high = None if net.high is None else _folded(net.high)
        self.high_bend = None if net.high_bend is None else _in_place(net.high_bend)
        self.rises, self.rise_bends = nn.ModuleList(), nn.ModuleList()
        for rise in net.rises:
            assert isinstance(rise, Rise)
            merged = self.high is None and rise is net.rises[-1]  # its shuffle goes behind `last`
            self.rises.append(_folded(rise.conv) if merged else _rows_first(rise.conv, rise.factor))
            self.rise_bends.append(_in_place(rise.bend, rise.factor**2 if merged else 1, dtype))
        last = _rounded(_folded(net.last), dtype)
        last = last if self.high else before_shuffle(last, self.factors[-1])
        self.last, self.outputs = _padded(last), last.out_channels
        for part in (*self.blocks, self.middle, *self.rises, self.high):
            for conv in () if part is None else part.modules():
                if isinstance(conv, nn.Conv2d):
                    _rounded(conv, dtype)
        self.to(dtype)
        self.first, self.first_bend = _folded(net.first), _in_place(net.first_bend)  # float32, see above
        self.to(net.first.weight.device).to(memory_format=torch.channels_last)  # pyright: ignore

    def forward(self, x: Tensor) -> Tensor:
        return self.region(x, (0, x.shape[-2]), (0, x.shape[-1]))

    @torch.no_grad()
    def region(self, x: Tensor, rows: Span, columns: Span) -> Tensor:
        """The part of forward(x) that belongs to x[:, :, rows, columns], from no more of x than it needs.

        (B,3,H,W) → (B,3,s·(rows' number),s·(columns' number)), equal to the part cut out of the whole: where
        a cut is not the picture's border, `radius` more pixels are taken, and their results dropped.
        """
        height, width = x.shape[-2:]
        outer = _widened(rows, self.radius, height), _widened(columns, self.radius, width)
        inner = _widened(rows, self.halos[0], height), _widened(columns, self.halos[0], width)
        around = _cut(x, *outer).float().contiguous(memory_format=torch.channels_last)
        features = _cut(self.trunk(around), *(_within(i, o) for i, o in zip(inner, outer)))
        y = self.tail(features, _within(rows, inner[0]), _within(columns, inner[1]))
        near = _cut(x, *inner) if self.flags.skip == "bilinear" else x
        return _finish(self.flags, y, near, self.scale, _within(rows, inner[0]), _within(columns, inner[1]))

    def trunk(self, x: Tensor) -> Tensor:
        """(B,3,H,W) float32 in [0,1] → features (B,width,H,W) in `dtype`, every layer in strips of rows.

        The sums are written into maps that are used again: large new ones would cost as much as computing.
        """
        shape = (x.shape[0], self.first.out_channels, *x.shape[-2:])
        start, now, then = (_empty_map(shape, self.dtype, x.device) for _ in range(3))
        _in_strips(lambda part: self.first_bend(self.first(part)), x, self.flags.kernel // 2, start)
        source = start
        for block in self.blocks:
            _in_strips(block, source, 2, then, plus=source)
            source, now, then = then, then, now
        if self.middle is None:
            return source
        return _in_strips(self.middle, source, 1, then, plus=start)

    def tail(self, features: Tensor, rows: Span, columns: Span) -> Tensor:
        """Features → (B,3,s·rows,s·columns) float32, patch by patch."""
        s = self.scale
        shape = (len(features), 3, s * (rows[1] - rows[0]), s * (columns[1] - columns[0]))
        out = torch.empty(shape, device=features.device)
        pixels = PATCH // features.element_size()
        for right in pieces(columns, ACROSS):
            for down in pieces(rows, max(8, pixels // (right[1] - right[0]))):
                place = [_within(span, outer) for span, outer in ((down, rows), (right, columns))]
                _cut(out, *((s * a, s * b) for a, b in place)).copy_(self._patch(features, down, right))
        return out

    def _patch(self, features: Tensor, rows: Span, columns: Span) -> Tensor:
        """The tail for these rows and columns of the features; margins are dropped as soon as they can be."""
        height, width = features.shape[-2:]
        taken = _widened(rows, self.halos[0], height), _widened(columns, self.halos[0], width)
        margins = [abs(a - b) for span, outer in zip((rows, columns), taken) for a, b in zip(span, outer)]
        y = _cut(features, *taken).contiguous(memory_format=torch.channels_last)
        for i, factor in enumerate(self.factors):
            y, large = self.rises[i](y), [m * factor for m in margins]
            if self.high is None and i == len(self.factors) - 1:  # merged: the shuffle comes last of all
                y = self.last(self.rise_bends[i](y))[:, : self.outputs].float()
                return _without(F.pixel_shuffle(y, factor), large)
            y = self.rise_bends[i](_shuffle_rows_first(y, factor))
            margins = [min(m, self.halos[i + 1]) for m in large]
            y = _without(y, [m - kept for m, kept in zip(large, margins)])
        assert self.high is not None and self.high_bend is not None
        y = self.last(self.high_bend(self.high(y)))[:, : self.outputs].float()
        return _without(y, margins)


def _empty_map(shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.empty(shape, dtype=dtype, device=device, memory_format=torch.channels_last)


def _in_strips(
    work: Callable[[Tensor], Tensor], source: Tensor, halo: int, out: Tensor, plus: Tensor | None = None
) -> Tensor:
    """out ← work(source) (+ plus), where `work` keeps the size and sees `halo` rows far; returns `out`."""
    height, row = out.shape[-2], out[:, :, :1].nbytes
    for rows in pieces((0, height), max(16, STRIP // row)):
        taken = _widened(rows, halo, height)
        above = rows[0] - taken[0]
        made = work(source[..., slice(*taken), :])[..., above : above + rows[1] - rows[0], :]
        place = out[..., slice(*rows), :]
        if plus is None:
            place.copy_(made)
        else:
            torch.add(made, plus[..., slice(*rows), :], out=place)
    return out


def pieces(span: Span, most: int) -> list[Span]:
    """A span in the fewest pieces of at most `most`, as equal as can be."""
    size = span[1] - span[0]
    number = -(-size // most)
    edges = [span[0] + size * i // number for i in range(number + 1)]
    return list(itertools.pairwise(edges))


def _widened(span: Span, by: int, size: int) -> Span:
    return max(0, span[0] - by), min(size, span[1] + by)


def _within(span: Span, outer: Span) -> Span:
    return span[0] - outer[0], span[1] - outer[0]


def _cut(x: Tensor, rows: Span, columns: Span) -> Tensor:
    return x[..., slice(*rows), slice(*columns)]


def _without(x: Tensor, margins: list[int]) -> Tensor:
    """x without its margins (above, below, left, right)."""
    above, below, left, right = margins
    return x[..., above : x.shape[-2] - below, left : x.shape[-1] - right]


def _convolution(weight: Tensor, bias: Tensor) -> nn.Conv2d:
    """A convolution of odd kernel that keeps the size, with these weights."""
    outputs, inputs, rows, columns = weight.shape
    with torch.device("meta"):
        conv = nn.Conv2d(inputs, outputs, (rows, columns), padding=(rows // 2, columns // 2))
    conv.weight, conv.bias = nn.Parameter(weight.detach()), nn.Parameter(bias.detach())
    return conv


def _bias(conv: nn.Conv2d) -> Tensor:
    return torch.zeros_like(conv.weight[:, 0, 0, 0]) if conv.bias is None else conv.bias


def _folded(conv: nn.Conv2d, norm: nn.Module | None = None) -> nn.Conv2d:
    """conv, then batch norm with its running statistics, as one convolution (in float64)."""
    if not isinstance(norm, nn.BatchNorm2d):
        return _convolution(conv.weight.clone(), _bias(conv).clone())
    gain, shift, mean, variance = (
        t.double() for t in (norm.weight, norm.bias, norm.running_mean, norm.running_var) if t is not None
    )
    gain = gain / (variance + norm.eps).sqrt()
    weight = conv.weight.double() * gain[:, None, None, None]
    return _convolution(weight.float(), ((_bias(conv).double() - mean) * gain + shift).float())


def _rounded(conv: nn.Conv2d, dtype: torch.dtype) -> nn.Conv2d:
    """The same convolution, its weights (changed in place) values of `dtype`, the sum over the taps kept."""
    weight = conv.weight.data
    weight.copy_(_handed_on(weight.flatten(2), dtype).view_as(weight))
    return conv


def _handed_on(values: Tensor, dtype: torch.dtype) -> Tensor:
    """Values rounded to `dtype`, each one's error handed to the next along the last axis, so that the sum stays.

    Neighbouring taps, and the phases of one channel, see nearly the same values in a flat area, where an
    error shows: there only their sum counts.
    """
    rounded, carry = torch.empty_like(values), torch.zeros_like(values[..., 0])
    for i in range(values.shape[-1]):
        wanted = values[..., i] + carry
        rounded[..., i] = wanted.to(dtype)
        carry = wanted - rounded[..., i]
    return rounded


def _folded_block(block: nn.Module) -> nn.Sequential:
    assert isinstance(block, Block)
    return nn.Sequential(
        _folded(block.conv1, block.norm1), _in_place(block.bend), _folded(block.conv2, block.norm2)
    )


def _in_place(bend: nn.Module, repeat: int = 1, dtype: torch.dtype = torch.float32) -> nn.Module:
    """The activation, written over its input where torch can; each channel `repeat` times."""
    if isinstance(bend, nn.PReLU) and bool((bend.weight == bend.weight[0]).all()):
        return nn.LeakyReLU(float(bend.weight[0]), inplace=True)
    if isinstance(bend, nn.PReLU):
        each = nn.PReLU(bend.num_parameters * repeat)
        slopes = bend.weight.detach()[:, None].repeat(1, repeat)
        each.weight = nn.Parameter(_handed_on(slopes, dtype).flatten())
        return each
    if isinstance(bend, nn.LeakyReLU):
        return nn.LeakyReLU(bend.negative_slope, inplace=True)
    return nn.ReLU(inplace=True) if isinstance(bend, nn.ReLU) else nn.Identity()


def _rows_first(conv: nn.Conv2d, factor: int) -> nn.Conv2d:
    """Outputs (channel, row, column) of a pixel shuffle → (row, column, channel)."""

    def turned(x: Tensor) -> Tensor:
        return x.unflatten(0, (-1, factor**2)).transpose(0, 1).flatten(0, 1)

    return _convolution(turned(conv.weight).clone(), turned(_bias(conv)).clone())


def _shuffle_rows_first(x: Tensor, factor: int) -> Tensor:
    """Pixel shuffle of (B, r·r·C, H, W) whose channels are in the order (row, column, C); stays channels_last."""
    batch, channels, height, width = x.shape
    split = x.permute(0, 2, 3, 1).reshape(batch, height, width, factor, factor, channels // factor**2)
    joined = split.transpose(2, 3).reshape(batch, height * factor, width * factor, channels // factor**2)
    return joined.permute(0, 3, 1, 2)


def before_shuffle(conv: nn.Conv2d, factor: int) -> nn.Conv2d:
    """The convolution C with pixel_shuffle(C(x), r) = conv(pixel_shuffle(x, r)), zero padding included.

    An output at row r·q + i, tap d away, reads row r·q + i + d = r·(q + a) + u: tap a of the small map, phase u.
    So weight[(o,i,j), (c,u,v), a, b] = conv.weight[o, c, r·a + u − i, r·b + v − j], zero outside the kernel.
    """
    outputs, inputs, k, _ = conv.weight.shape
    r, p = factor, k // 2
    reach = -(-p // r)
    margin = r * (reach + 1)
    padded = F.pad(conv.weight.detach(), (margin,) * 4)
    size = 2 * reach + 1
    weight = padded.new_zeros(outputs, r, r, inputs, r, r, size, size)
    for i, j, u, v in itertools.product(range(r), repeat=4):
        y, x = (margin + p - r * reach + d for d in (u - i, v - j))
        weight[:, i, j, :, u, v] = padded[:, :, y : y + r * size : r, x : x + r * size : r]
    return _convolution(
        weight.reshape(outputs * r * r, inputs * r * r, size, size), _bias(conv).repeat_interleave(r * r)
    )


def _padded(conv: nn.Conv2d) -> nn.Conv2d:
    """The same with zero outputs behind, up to a multiple of LANES: twice as fast as with twelve."""
    more = -conv.out_channels % LANES
    return _convolution(F.pad(conv.weight, (0, 0, 0, 0, 0, 0, 0, more)), F.pad(_bias(conv), (0, more)))
