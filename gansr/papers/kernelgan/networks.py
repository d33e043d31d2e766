"""KernelGAN: the blur of one picture, learned from that picture alone.

Bell-Kligler, Shocher, Irani: "Blind Super-Resolution Kernel Estimation using an Internal-GAN", NeurIPS 2019.
A deep *linear* generator G shrinks crops of the picture by 2; a discriminator D with a view of 7×7 px tells
its output from crops of the picture itself. G then is the kernel with which the picture's patches recur in
smaller versions of it. No weights exist: both are trained on each picture. Written from the description.

Fast, and equal to the layers one by one (tests, to 1e-10 in float64):
- G is linear, so the picture passes through its equivalent 13×13 kernel, which is computed from the right
  (a row through the three 1×1 layers, then two transposed convolutions); all 150 656 weights are still what
  is optimised, which is the paper's point. The crop's rows are laid out once for both players.
- D's 1×1 convolutions are matrix products, and its first two layers have nothing between them: one product.
- D runs three times an iteration because spectral norm and batch norm move with each: on G's output for G, on
  the real crop, and on the output of the *updated* G. The last two share one batched pass, forwards and
  back; each picture keeps its own statistics and its own σ. In G's step D's weights take no gradient. The
  weights do not change between the three, so the power iterations are taken in one go.
- Biases before a batch norm cancel: their gradient is zero. They are kept (they are D's parameters) and
  neither added nor updated. Running statistics are never read, and not kept.

Departures, each undone by `paper=True` (then the authors' numbers come out, tests/goldens/kernelgan_*):
1. The bicubic loss compares channel with channel; theirs sums the three into a grey target three times too
   bright. G counts as near once it misses less than a quarter of the aim's energy; theirs, an absolute 0.4 tuned
   with that sum, corrected for it (0.4/9) is met in a mid-grey picture by a G that is still zero, which then
   stays zero. Three times the brightness is also nine times the loss: where G has not followed by the first
   fifteenth of the iterations, ours gets that weight too (without it about one start in ten never leaves zero).
2. The noise on the real crops is not written back; theirs accumulates in the picture, which G sees too.
3. The kernel handed out is the one after the last step; theirs is that of the last forward pass.
4. The gradient's magnitude is clipped as |gx| and |gy| are; theirs is not, so single edges dominate the map.
5. The learning rate stays until four fifths of the iterations; theirs is a tenth from the first quarter on, when
   the kernel is still wide. With 1500 iterations ours then restores Set14 nearly as well as theirs with 3000
   (`bench kernelgan`: 28.63 and 28.74 dB, three seeds of ours and one of theirs; ours spread by 0.07): worse
   where the blur is wide (011: 30.8 and 32.0), better where there is little (010: 29.8 and 28.8; 006: 33.5 and
   31.2, where the bicubic kernel, with 35.0, is better than either).
6. The reduction that the crops' map is taken from mirrors on all sides (see ops/resize).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gansr.ops.resize import imresize

SIDE = 13  # of the kernel
CROP = 64  # of G's input
SMALL = 26  # of G's output and of D's input
WIDTH = 64  # channels
SLOW = 45.0  # the bicubic loss's weight from the first fifteenth on, for a G that is not near by then
NEAR = 0.25  # of the bicubic aim's energy that G may still miss when the constraints come in
RIM = 10  # px cut off each side of a picture that was shrunk before (not of a `real` one)
# Half of MATLAB's bicubic taps at ×½, times −1 as the authors have them: the outer product is the same.
BICUBIC = (0.01171875, 0.03515625, -0.11328125, -0.43359375)


# --------------------------------------------------------------------------------------------- networks


class Generator(nn.Module):
    """Six linear convolutions 7, 5, 3, 1, 1, 1 without bias or activation, the last with stride 2."""

    def __init__(self, generator: torch.Generator | None = None):
        super().__init__()
        shapes = [(WIDTH, 1, 7, 7), (WIDTH, WIDTH, 5, 5), (WIDTH, WIDTH, 3, 3)]
        shapes += [(WIDTH, WIDTH, 1, 1), (WIDTH, WIDTH, 1, 1), (1, WIDTH, 1, 1)]
        self.layers = nn.ParameterList(nn.Parameter(_xavier(shape, generator)) for shape in shapes)

    def kernel(self) -> Tensor:
        """The (13,13) kernel K with G(x) = x cross-correlated with K, every second pixel."""
        return _Kernel.apply(*self.layers)

    def forward(self, x: Tensor) -> Tensor:
        """(C,64,64) → (C,26,26); each channel alone."""
        return _Shrink.apply(self.kernel(), rows_of(x))


class _Kernel(torch.autograd.Function):
    """The six weights of G → the one kernel they are, from the right; and the way back, by hand.

    Composing two correlations convolves their kernels: a product, its overlapping blocks added (fold).
    """

    @staticmethod
    def forward(ctx: Any, *weights: Tensor) -> Tensor:
        first, second, third, fourth, fifth, last = (w.flatten(1) for w in weights)
        r1 = last @ fifth
        r2 = r1 @ fourth
        t3 = (r2 @ third).view(WIDTH, 9)
        t2 = F.fold((t3.T @ second).T[None], 7, 5).view(WIDTH, 49)  # this way round: four times faster
        ctx.save_for_backward(*weights, r1, r2, t3, t2)
        return F.fold((first.T @ t2)[None], SIDE, 7)[0, 0]

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, ...]:
        *weights, r1, r2, t3, t2 = ctx.saved_tensors
        first, second, third, fourth, fifth, last = (w.flatten(1) for w in weights)
        back = F.unfold(grad[None, None], 7)[0]
        g_first = t2 @ back.T
        back = F.unfold((first @ back).view(1, WIDTH, 7, 7), 5)[0]
        g_second = t3 @ back.T
        back = (back.T @ second.T).T.reshape(1, -1)
        g_third = r2.T @ back
        back = back @ third.T
        g_fourth = r1.T @ back
        back = back @ fourth.T
        grads = (g_first, g_second, g_third, g_fourth, last.T @ back, back @ fifth.T)
        return tuple(g.view_as(w) for g, w in zip(grads, weights))


def rows_of(x: Tensor) -> Tensor:
    """(C,64,64) → (C·26, 13·64): the 13 whole rows each output row is made from."""
    x = x.contiguous()
    side, out = x.shape[-1], (x.shape[-2] - SIDE) // 2 + 1
    stride = (x.stride(0), 2 * side, 1)
    return x.as_strided((x.shape[0], out, SIDE * side), stride).reshape(-1, SIDE * side)


class _Shrink(torch.autograd.Function):
    """Every second pixel of the correlation, as one product of whole rows with the kernel spread out.

    Five times less to copy than an unrolled crop; the zeros multiplied cost less than that.
    """

    @staticmethod
    def forward(ctx: Any, kernel: Tensor, rows: Tensor) -> Tensor:
        side = rows.shape[1] // SIDE
        out = (side - SIDE) // 2 + 1
        spread = rows.new_zeros(SIDE * side * out)
        ctx.layout = (SIDE, SIDE, out), (side * out, out, 2 * out + 1)
        spread.as_strided(*ctx.layout).copy_(kernel[:, :, None])
        ctx.save_for_backward(rows)
        return (rows @ spread.view(-1, out)).view(-1, out, out)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (rows,) = ctx.saved_tensors
        spread = rows.T @ grad.reshape(rows.shape[0], -1)
        return spread.as_strided(*ctx.layout).sum(2), None


class Discriminator(nn.Module):
    """7×7, then five of [1×1, batch norm, ReLU], then 1×1 and a sigmoid; spectral norm on every weight.

    Always in training mode; each picture is a batch of its own, as it is for the authors.
    """

    def __init__(self, generator: torch.Generator | None = None):
        super().__init__()
        first, hidden, last = (WIDTH, 3, 7, 7), (WIDTH, WIDTH, 1, 1), (1, WIDTH, 1, 1)
        self.first = nn.Parameter(_xavier(first, generator).flatten(1))
        self.hidden = nn.Parameter(torch.stack([_xavier(hidden, generator).flatten(1) for _ in range(5)]))
        self.last = nn.Parameter(_xavier(last, generator).flatten(1))
        self.last_bias = nn.Parameter(torch.zeros(1))
        self.gain = nn.Parameter(1 + 0.02 * torch.randn(5, WIDTH, generator=generator))
        self.shift = nn.Parameter(torch.zeros(5, WIDTH))
        self.first_bias = nn.Parameter(torch.zeros(WIDTH), requires_grad=False)  # cancels, see above
        self.hidden_bias = nn.Parameter(torch.zeros(5, WIDTH), requires_grad=False)
        self.register_buffer("u_first", F.normalize(torch.randn(WIDTH, generator=generator), dim=0))
        self.register_buffer("u_hidden", F.normalize(torch.randn(5, WIDTH, generator=generator), dim=1))

    @torch.no_grad()
    def norms(self, turns: int) -> Norms:
        """The next `turns` power iterations, all with the weights as they are now. Advances u."""
        u, w = self.u_first, self.first
        uh, wh = self.u_hidden[:, :, None], self.hidden
        us, vs, uhs, vhs = [], [], [], []
        for _ in range(turns):
            v = _unit(u @ w, 0)
            u = _unit(w @ v, 0)
            vh = _unit(wh.transpose(1, 2) @ uh, 1)
            uh = _unit(wh @ vh, 1)
            for kept, value in zip((us, vs, uhs, vhs), (u, v, uh, vh)):
                kept.append(value)
        self.u_first, self.u_hidden = u, uh[:, :, 0]
        hidden = [torch.cat(values, 2).transpose(1, 2) for values in (uhs, vhs)]
        return Norms(torch.stack(us), torch.stack(vs), *hidden)

    def forward(self, x: Tensor, norms: Norms | None = None, frozen: bool = False) -> Tensor:
        """n pictures (n,3,H,W) in [−1,1] → (n, H−6, W−6), how real each 7×7 neighbourhood looks.

        Picture i is normalised by its own statistics and by the i-th of `norms` (default: n new turns).
        frozen: no gradient for D's own weights.
        """
        norms = self.norms(len(x)) if norms is None else norms
        return _Judge.apply(x, norms, *(p.detach() if frozen else p for p in self.parts()))

    def parts(self) -> tuple[Tensor, ...]:
        """What is trained, in the order of `_Judge`."""
        return (self.first, self.hidden, self.last, self.last_bias, self.gain, self.shift)


@dataclass(frozen=True)
class Norms:
    """Power iterations of D's spectral norm, one a row: u (n,64), v (n,147); of the 1×1 layers (5,n,64)."""

    u: Tensor
    v: Tensor
    u_hidden: Tensor
    v_hidden: Tensor

    def rows(self, start: int, stop: int) -> Norms:
        hidden = self.u_hidden[:, start:stop], self.v_hidden[:, start:stop]
        return Norms(self.u[start:stop], self.v[start:stop], *hidden)


class _Tape:
    """Stands in for autograd's context where a step calls forward and backward itself: a fifth of the time."""

    def __init__(self, x: bool = False, own: bool = False):
        self.needs_input_grad = (x, False, own)
        self.saved_tensors: tuple[Tensor, ...] = ()

    def save_for_backward(self, *tensors: Tensor) -> None:
        self.saved_tensors = tensors


class _Judge(torch.autograd.Function):
    """D on n pictures, each with its own statistics and σ; and the way back, by hand (half autograd's calls).

    With a weight W/σ, σ = uᵀWv: the gradient is (Ḡ − ⟨Ḡ, W/σ⟩ u vᵀ)/σ.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, norms: Norms, *parts: Tensor) -> Tensor:
        first, hidden, last, last_bias, gain, shift = parts
        n, _, height, width = x.shape
        sigma = (norms.u * (norms.v @ first.T)).sum(1)
        sigmas = (norms.u_hidden * (norms.v_hidden @ hidden.transpose(1, 2))).sum(2)  # (5, n)
        weights = list((hidden[:, None] / sigmas[:, :, None, None]).unbind(0))
        weights[0] = (hidden[0] @ first) / (sigma * sigmas[0])[:, None, None]
        gains, shifts = gain.repeat(1, n), shift.repeat(1, n)
        h = _patches(x)
        inputs, sums, statistics = [], [], []
        for i in range(5):
            z = torch.bmm(weights[i], h).view(1, n * WIDTH, -1)
            channels, pixels = z.shape[1:]  # a group norm of as many groups: batch norm of one, in a quarter
            y, *moments = torch.native_group_norm(z, gains[i], shifts[i], 1, channels, pixels, channels, 1e-5)
            inputs.append(h)
            sums.append(z)
            statistics.append(moments)
            h = y.relu_().view(n, WIDTH, -1)
        length = last.norm()
        judged = ((last / length) @ h).add_(last_bias).sigmoid_()
        ctx.save_for_backward(*parts)
        ctx.size = height, width
        ctx.kept = norms, sigma, sigmas, weights, gains, [*inputs, h], sums, statistics, length, judged
        return judged.view(n, height - 6, width - 6)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        first, hidden, last = ctx.saved_tensors[:3]
        norms, sigma, sigmas, weights, gains, outputs, sums, statistics, length, judged = ctx.kept
        n, own = len(judged), ctx.needs_input_grad[2]
        grad = torch.ops.aten.sigmoid_backward(grad.reshape_as(judged), judged)
        unit = last / length
        back = unit.T * grad
        g_weights, g_gain, g_shift = [], [], []
        for i in range(4, -1, -1):
            back = torch.ops.aten.threshold_backward(back, outputs[i + 1], 0).view(1, n * WIDTH, -1)
            back, g, b = torch.ops.aten.native_batch_norm_backward(
                back,
                sums[i],
                gains[i],
                None,
                None,
                *(m[0] for m in statistics[i]),
                True,
                1e-5,
                (True, own, own),
            )
            back = back.view(n, WIDTH, -1)
            if own:
                g_weights.insert(0, torch.bmm(back, outputs[i].transpose(1, 2)))
                g_gain.insert(0, g)
                g_shift.insert(0, b)
            if i or ctx.needs_input_grad[0]:
                back = torch.bmm(weights[i].transpose(1, 2), back)
        g_x = None
        if ctx.needs_input_grad[0]:
            g_x = F.fold(back, ctx.size, 7)
        if not own:
            return (g_x, *[None] * 7)
        g_unit = (grad @ outputs[5].transpose(1, 2)).sum(0)
        g_last = (g_unit - (g_unit * unit).sum() * unit) / length
        joined = g_weights[0]
        c = (joined * weights[0]).sum((1, 2))
        joined = (joined / (sigma * sigmas[0])[:, None, None]).sum(0)
        g_first = hidden[0].T @ joined - (norms.u.T * (c / sigma)) @ norms.v
        later = torch.stack(g_weights[1:])
        cs = torch.cat([c[None], (later * torch.stack(weights[1:])).sum((2, 3))]) / sigmas
        g_hidden = torch.cat([(joined @ first.T)[None], (later / sigmas[1:, :, None, None]).sum(1)])
        g_hidden -= (norms.u_hidden.transpose(1, 2) * cs[:, None]) @ norms.v_hidden
        sums_of = [torch.stack(g).view(5, n, WIDTH).sum(1) for g in (g_gain, g_shift)]
        return (g_x, None, g_first, g_hidden, g_last, grad.sum().view(1), *sums_of)


def _patches(x: Tensor) -> Tensor:
    """F.unfold(x, 7), (n,3,H,W) → (n, 147, (H−6)(W−6)), in a fifth of its time."""
    n, channels = x.shape[:2]
    windows = x.unfold(2, 7, 1).unfold(3, 7, 1).permute(0, 1, 4, 5, 2, 3)
    return windows.reshape(n, channels * 49, -1)


def _xavier(shape: tuple[int, ...], generator: torch.Generator | None, gain: float = 0.1) -> Tensor:
    fan_in, fan_out = math.prod(shape[1:]), shape[0] * math.prod(shape[2:])
    return torch.randn(shape, generator=generator) * (gain * math.sqrt(2 / (fan_in + fan_out)))


def _unit(x: Tensor, dim: int) -> Tensor:
    return x / torch.linalg.vector_norm(x, dim=dim, keepdim=True)


# ----------------------------------------------------------------------------------------------- losses


def penalty_mask(device: torch.device | None = None) -> Tensor:
    """M (13,13) = 30·(1 − g/max g), g a Gaussian of σ 13, and 0 inside the outermost two rows and columns."""
    axis = torch.arange(SIDE, dtype=torch.float64) - (SIDE - 1) / 2
    g = torch.exp(-(axis**2) / (2 * SIDE**2))
    mask = 30 * (1 - torch.outer(g, g))
    mask[2:-2, 2:-2] = 0
    return mask.float().to(device)


def constraints(k: Tensor, mask: Tensor, weights: Schedule) -> tuple[Tensor, Tensor]:
    """The weighted constraints on a kernel (13,13) and their gradient (13,13), in closed form.

    sum to one: |1 − Σk|; boundaries: mean |k·M|; centralised: mean squared distance of the centre of mass, row
    and column, to 6.5, what sub-sampling by 2 wants; sparse: mean |k|^0.2 (the paper's text says ½).
    """
    total, size, sign = k.sum(), k.abs(), k.sign()
    per = weights.boundaries / k.numel()
    value = weights.sum_to_one * (1 - total).abs() + per * (size * mask).sum()
    grad = per * sign * mask - weights.sum_to_one * (1 - total).sign()
    if weights.centralised:
        axis = torch.arange(SIDE, dtype=k.dtype, device=k.device)
        row, column = k.sum(1) @ axis / total, k.sum(0) @ axis / total
        down, across = row - (SIDE // 2 + 0.5), column - (SIDE // 2 + 0.5)
        value = value + weights.centralised * (down**2 + across**2) / 2
        moved = (down * (axis - row))[:, None] + across * (axis - column)
        grad = grad + weights.centralised / total * moved
    if weights.sparse:
        root = size.pow(0.2)
        value = value + weights.sparse * root.mean()
        grad = grad + 0.2 * weights.sparse / k.numel() * sign * root / size
    return value, grad


def bicubic_target(x: Tensor, paper: bool = False) -> Tensor:
    """(3,H,W) → (3, H/2, W/2), MATLAB's bicubic at ×½ with zeros outside; `paper`: the sum of the channels
    in each of the three."""
    taps = torch.tensor(BICUBIC, dtype=x.dtype, device=x.device)
    taps = torch.cat([taps, taps.flip(0)])
    taps = torch.outer(taps, taps)[None, None]
    if paper:
        return F.conv2d(x.sum(0)[None, None], taps, stride=2, padding=3)[0].expand(3, -1, -1)
    return F.conv2d(x[:, None], taps, stride=2, padding=3)[:, 0]


def shave(x: Tensor, side: int = SMALL) -> Tensor:
    """The central side×side of (C,H,W)."""
    top, left = (x.shape[-2] - side) // 2, (x.shape[-1] - side) // 2
    return x[..., top : top + side, left : left + side]


# --------------------------------------------------------------------------------------------- schedule


@dataclass
class Schedule:
    """Learning rate and weights of the losses over `steps` iterations (authors: 3000).

    Once the bicubic loss was below `near` three times running, its weight falls a hundredfold at every
    fifteenth of the steps; the first time it is below 5e-3 the constraints of centre and sparsity come in. Fewer
    steps squeeze this, in the same order. A G that is not near at a fifteenth gets the weight 45 (not with
    `paper`). The rate falls tenfold at every quarter (`paper`), or once, at four
    fifths.
    """

    steps: int = 3000
    near: float = 0.4
    rate: float = 2e-4
    bicubic: float = 5.0
    sum_to_one: float = 0.5
    boundaries: float = 0.5
    centralised: float = 0.0
    sparse: float = 0.0
    running: int = 0
    is_near: bool = False
    paper: bool = True

    def update(self, step: int, bicubic_loss: float) -> None:
        """Call after iteration `step` (from 0; 0 changes nothing) with its unweighted bicubic loss, in the unit of
        `near`: absolute, or ours as a share of the aim's mean square."""
        if step == 0:
            return
        falls = step % max(1, round(self.steps / 4)) == 0 if self.paper else step == round(0.8 * self.steps)
        if falls:
            self.rate /= 10
        if not self.is_near:
            self.running = self.running + 1 if bicubic_loss < self.near else 0
            self.is_near = self.running >= 3
        if step % max(1, round(self.steps / 15)) != 0:
            return
        if not self.is_near and not self.paper:
            self.bicubic = SLOW
        if self.is_near and self.bicubic > 5e-6:
            self.bicubic = max(self.bicubic / 100, 5e-6)
            if self.bicubic < 5e-3 and self.centralised == 0:
                self.centralised, self.sparse = 1.0, 5.0


# ------------------------------------------------------------------------------------- choosing the crops


def prepare(picture: Tensor, real: bool) -> Tensor:
    """(3,H,W) → what the kernel is learned from: 10 px off each side unless `real`; both sides even."""
    if not real:
        picture = picture[:, RIM:-RIM, RIM:-RIM]
    height, width = picture.shape[-2:]
    return picture[:, : height - height % 2, : width - width % 2]


def gradient_map(picture: Tensor, paper: bool = False) -> Tensor:
    """(3,H,W) in [0,1] → (H,W) of mean 1: where the strongest 3 % of the edges are, blurred over 5×5.

    |gx|, |gy| and the magnitude, each without its outer 5 px, each clipped to a practically binary mask (the
    magnitude not, with `paper`), each of sum 1, added. A picture without edges gives ones.
    """
    grey = torch.tensordot(
        torch.tensor([0.299, 0.587, 0.114], dtype=torch.float64), picture.double().cpu(), 1
    )
    gy, gx = torch.gradient(grey)
    total = torch.zeros_like(grey)
    for g, clipped in ((gx.abs(), True), (gy.abs(), True), ((gx**2 + gy**2).sqrt(), not paper)):
        g = _without_rim(g, 5)
        g = _clip_extreme(g) if clipped else g
        total += g / g.sum() if g.sum() > 0 else g
    if not total.sum() > 0:
        return torch.ones_like(total)
    blurred = _box_blur(total, 5)
    return blurred / blurred.mean()


def _without_rim(x: Tensor, rim: int) -> Tensor:
    out = torch.zeros_like(x)
    out[rim:-rim, rim:-rim] = x[rim:-rim, rim:-rim]
    return out


def _clip_extreme(x: Tensor, share: float = 0.97) -> Tensor:
    """Clipped to [the value at `share`, the next larger one], less the lower."""
    ordered = x.flatten().sort().values
    low = ordered[int(share * len(ordered))]
    above = ordered[ordered > low]
    return x.clamp(low, above[0]) - low if len(above) else torch.zeros_like(x)


def _box_blur(x: Tensor, side: int) -> Tensor:
    """Mean over side×side with zeros outside; of an even side the longer half is on the left and top."""
    before, after = side // 2, (side - 1) // 2
    return F.avg_pool2d(F.pad(x[None, None], (before, after, before, after)), side, stride=1)[0, 0]


def probability_map(gradients: Tensor, crop: int) -> Tensor:
    """(H,W) → how likely each pixel is a crop's centre, of sum 1; uniform where nothing would be left."""
    p = _without_rim(_box_blur(gradients, crop // 2), crop // 2)
    return p / p.sum() if p.sum() > 0 else torch.full_like(p, 1 / p.numel())


def probability_maps(picture: Tensor, paper: bool = False) -> tuple[Tensor, Tensor]:
    """(3,H,W), even sides → maps (H,W) for G's crops (from the half-size picture) and for D's."""
    half = imresize(picture.double().cpu(), 0.5, paper=paper)
    small = gradient_map(half, paper).repeat_interleave(2, 0).repeat_interleave(2, 1)
    return probability_map(small, CROP), probability_map(gradient_map(picture, paper), SMALL)


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


# --------------------------------------------------------------------------------------------- training


@dataclass(frozen=True)
class Step:
    """What one iteration gave: the unweighted losses, and the kernel G had while making them (13,13)."""

    kernel: Tensor
    generator: float
    discriminator: float
    bicubic: float


class Trainer:
    """Both networks on one picture. `step()` is one iteration of the paper; nothing here yields.

    picture: (3,H,W) in [0,1], already through `prepare`, sides even and at least 64. All randomness comes from
    `generator`. paper: see the module's top.
    """

    def __init__(self, picture: Tensor, generator: torch.Generator, steps: int = 3000, paper: bool = False):
        self.paper, self.random = paper, generator
        self.picture = (picture * 2 - 1).clone()  # scaled once: crops are views
        height, width = picture.shape[-2:]
        self.for_g, self.for_d = Generator(generator), Discriminator(generator)
        maps = probability_maps(picture, paper)
        self.corners = [
            top_left(
                draw_centres(p, torch.rand(steps, generator=generator, dtype=torch.float64)), width, height, s
            ).tolist()
            for p, s in zip(maps, (CROP, SMALL))
        ]
        self._begin(steps)

    def _begin(self, steps: int) -> None:
        device = self.picture.device
        torch.empty(
            1 << 22
        )  # freed at once: glibc then keeps 32 MB, instead of giving 2 MB back each iteration
        self.for_g.to(device)
        self.for_d.to(device)
        self.schedule = Schedule(steps, 0.4 if self.paper else NEAR, paper=self.paper)
        trained = list(self.for_d.parts())
        settings = {"lr": self.schedule.rate, "betas": (0.5, 0.999), "fused": True}
        self.optimisers = [torch.optim.Adam(list(self.for_g.parameters()), **settings)]
        self.optimisers.append(torch.optim.Adam(trained, **settings))
        self.mask = penalty_mask(device)
        self.half = None if self.paper else bicubic_target(self.picture)  # G's aim, of every crop at once
        self._kernel: tuple[Tensor, _Tape] | None = None  # of G as it stands: for D now, for G next time
        self.done = 0
        self.last: Step | None = None

    def step(self) -> Step:
        """One iteration with the crops drawn for it."""
        (gt, gl), (dt, dl) = self.corners[0][self.done], self.corners[1][self.done]
        x = self.picture[:, gt : gt + CROP, gl : gl + CROP]
        if self.half is None:
            target = shave(bicubic_target(x, paper=True))
            x = x.clone()  # drawn before the noise below is written into the picture
        else:
            target = shave(self.half[:, gt // 2 : (gt + CROP) // 2, gl // 2 : (gl + CROP) // 2])
        real = self.picture[:, dt : dt + SMALL, dl : dl + SMALL]
        noise = self._noise() * (2 / 255)
        real = real.add_(noise) if self.paper else real + noise
        return self.iterate(x, target, real, self._noise() / 255)

    def _noise(self) -> Tensor:
        return torch.randn(3, SMALL, SMALL, generator=self.random).to(self.picture.device)

    def iterate(self, x: Tensor, target: Tensor, real: Tensor, noise: Tensor) -> Step:
        """One iteration: G's crop (3,64,64) and its bicubic aim (3,26,26), D's (3,26,26), all in [−1,1]; the
        noise is what is added to the fake that D learns from."""
        rows = rows_of(x)  # for both players
        norms = self.for_d.norms(3)
        k, g_loss, bicubic = self._step_g(rows, target, norms.rows(0, 1))
        d_loss = self._step_d(rows, real, noise, norms.rows(1, 3))
        energy = target.square().mean()
        g_value, d_value, near, energy = torch.stack([g_loss, d_loss, bicubic, energy]).tolist()
        self.schedule.update(self.done, near if self.paper or not energy else near / energy)
        self.done += 1
        self.last = Step(k, g_value, d_value, near)
        return self.last

    @torch.no_grad()
    def _step_g(self, rows: Tensor, target: Tensor, norms: Norms) -> tuple[Tensor, Tensor, Tensor]:
        k, composed = self._kernel or self._compose()
        shrunk, judge = _Tape(), _Tape(x=True)
        fake = _Shrink.forward(shrunk, k, rows)
        judged = _Judge.forward(judge, fake[None], norms, *self.for_d.parts())
        missed = fake - target
        _, pull = constraints(k, self.mask, self.schedule)
        slope = torch.full_like(judged, -1 / judged.numel())  # of mean |D − 1|, D a sigmoid
        back = _Judge.backward(judge, slope)[0]
        assert back is not None
        back = back[0].add_(missed, alpha=2 * self.schedule.bicubic / missed.numel())
        back = _Shrink.backward(shrunk, back)[0] + pull
        self._update(self.optimisers[0], _Kernel.backward(composed, back))
        self._kernel = self._compose()
        return k, 1 - judged.mean(), missed.square().mean()

    @torch.no_grad()
    def _step_d(self, rows: Tensor, real: Tensor, noise: Tensor, norms: Norms) -> Tensor:
        k, _ = self._kernel or self._compose()
        fake, judge = _Shrink.forward(_Tape(), k, rows) + noise, _Tape(own=True)
        judged = _Judge.forward(judge, torch.stack([real, fake]), norms, *self.for_d.parts())
        slope = torch.full_like(judged, 0.5 / judged[0].numel())
        slope[0] *= -1
        self._update(self.optimisers[1], _Judge.backward(judge, slope)[2:])
        looks_real, looks_fake = judged.mean((1, 2)).unbind()
        return (1 - looks_real + looks_fake) / 2

    def _compose(self) -> tuple[Tensor, _Tape]:
        """G's kernel as it stands, and the way back to its weights."""
        tape = _Tape()
        return _Kernel.forward(tape, *self.for_g.layers), tape

    def _update(self, optimiser: torch.optim.Optimizer, grads: Sequence[Tensor | None]) -> None:
        group = optimiser.param_groups[0]
        group["lr"] = self.schedule.rate
        for p, grad in zip(group["params"], grads):
            p.grad = grad
        optimiser.step()

    @torch.no_grad()
    def kernel(self) -> Tensor:
        """The (13,13) kernel learned so far: of G as it stands, or of the last forward pass (`paper`)."""
        if self.paper and self.last is not None:
            return self.last.kernel
        return self.for_g.kernel()
