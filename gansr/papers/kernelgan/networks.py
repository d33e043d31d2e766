"""KernelGAN's two networks: the linear generator G, which is a blur kernel, and the discriminator D.

Bell-Kligler, Shocher, Irani: "Blind Super-Resolution Kernel Estimation using an Internal-GAN", NeurIPS 2019,
arXiv 1909.06581, section 3. Written from the description, not from the authors' code. `bench_plain` has both
networks layer by layer; the tests compare the two forms to 1e-10 in float64.

Both networks are computed in a faster form that gives the same numbers:
- G is linear, so the picture is filtered with G's equivalent 13×13 kernel. The kernel is composed from the last
  layer backwards: a row through the three 1×1 layers, then two transposed convolutions. All 150 656 weights are
  still what is optimised; this over-parametrisation is the paper's point.
- D's 1×1 convolutions are matrix products. Its first two layers have no activation between them: one product.
- The gradients are written by hand, which halves the calls that autograd would make. A training step calls
  `forward` and `backward` itself and builds no graph.
- Biases before a batch norm cancel, and their gradient is zero. D keeps them as parameters, but neither adds nor
  updates them. Running statistics are never read, so they are not kept.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

KERNEL_SIDE = 13  # px
G_CROP = 64  # px, side of G's input; of small pictures less, see `crops`
D_CROP = 26  # px, side of G's output and of D's input
WIDTH = 64  # channels
PATCH = 7  # px, side of what one output of D sees


class SavedTensors:
    """Replaces autograd's context where a training step calls forward and backward itself.

    `x` and `own` say whether `Discriminate.backward` computes the gradient of its input and of D's weights.
    """

    def __init__(self, x: bool = False, own: bool = False):
        self.needs_input_grad = (x, False, own)
        self.saved_tensors: tuple[Tensor, ...] = ()

    def save_for_backward(self, *tensors: Tensor) -> None:
        self.saved_tensors = tensors


# ------------------------------------------------------------------------------------------- generator


class Generator(nn.Module):
    """G: six linear convolutions 7, 5, 3, 1, 1, 1 without bias or activation, the last with stride 2. deep=False: one
    13×13 convolution, which can be the same kernels; the paper has it to show what the depth is for."""

    def __init__(self, generator: torch.Generator | None = None, deep: bool = True):
        super().__init__()
        shapes = [(WIDTH, 1, 7, 7), (WIDTH, WIDTH, 5, 5), (WIDTH, WIDTH, 3, 3)]
        shapes += [(WIDTH, WIDTH, 1, 1), (WIDTH, WIDTH, 1, 1), (1, WIDTH, 1, 1)]
        shapes = shapes if deep else [(1, 1, KERNEL_SIDE, KERNEL_SIDE)]
        self.layers = nn.ParameterList(nn.Parameter(_xavier(shape, generator)) for shape in shapes)

    def kernel(self) -> Tensor:
        """The (13,13) kernel K such that G(x) is x cross-correlated with K at every second pixel."""
        if len(self.layers) == 1:
            return self.layers[0][0, 0]
        return ComposeKernel.apply(*self.layers)

    def compose(self) -> tuple[Tensor, SavedTensors]:
        """The kernel as it stands, without a graph, and what `gradients` needs."""
        saved = SavedTensors()
        if len(self.layers) == 1:
            return self.layers[0][0, 0].detach().clone(), saved
        return ComposeKernel.forward(saved, *self.layers), saved

    def gradients(self, composed: SavedTensors, back: Tensor) -> tuple[Tensor, ...]:
        """The gradients of the layers from that of the kernel (13,13)."""
        return (back[None, None],) if len(self.layers) == 1 else ComposeKernel.backward(composed, back)

    def forward(self, x: Tensor) -> Tensor:
        """(C,n,n) → (C,m,m), m of `output_side`: 64 px give 26. Each channel is filtered alone."""
        return Downscale.apply(self.kernel(), kernel_rows(x))


def output_side(side: int) -> int:
    """The side of G's output for an input of `side` px."""
    return (side - KERNEL_SIDE) // 2 + 1


class ComposeKernel(torch.autograd.Function):
    """The six weights of G → the (13,13) kernel that they are together, composed from the last layer backwards.

    Composing two correlations convolves their kernels: a matrix product whose overlapping blocks are added (fold).
    """

    @staticmethod
    def forward(ctx: Any, *weights: Tensor) -> Tensor:
        first, second, third, fourth, fifth, last = (w.flatten(1) for w in weights)
        r1 = last @ fifth
        r2 = r1 @ fourth
        t3 = (r2 @ third).view(WIDTH, 9)
        t2 = F.fold((t3.T @ second).T[None], 7, 5).view(WIDTH, 49)  # in this order: four times faster
        ctx.save_for_backward(*weights, r1, r2, t3, t2)
        return F.fold((first.T @ t2)[None], KERNEL_SIDE, 7)[0, 0]

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, ...]:
        (grad,) = grad_outputs
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


def kernel_rows(x: Tensor) -> Tensor:
    """(C,n,n) → (C·m, 13·n): the 13 whole rows of x that each row of G's output depends on."""
    x = x.contiguous()
    side, out = x.shape[-1], output_side(x.shape[-2])
    stride = (x.stride(0), 2 * side, 1)
    return x.as_strided((x.shape[0], out, KERNEL_SIDE * side), stride).reshape(-1, KERNEL_SIDE * side)


class Downscale(torch.autograd.Function):
    """(13,13) kernel and `kernel_rows` → (C,m,m), every second pixel of the correlation.

    One product of whole rows with the kernel spread out over a band matrix. It copies a fifth of what unrolled
    13×13 windows would; the products with the band's zeros cost less than that.
    """

    @staticmethod
    def forward(ctx: Any, kernel: Tensor, rows: Tensor) -> Tensor:
        side = rows.shape[1] // KERNEL_SIDE
        out = output_side(side)
        band = rows.new_zeros(KERNEL_SIDE * side * out)
        ctx.layout = (KERNEL_SIDE, KERNEL_SIDE, out), (side * out, out, 2 * out + 1)
        band.as_strided(*ctx.layout).copy_(kernel[:, :, None])
        ctx.save_for_backward(rows)
        return (rows @ band.view(-1, out)).view(-1, out, out)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, None]:
        (grad,) = grad_outputs
        (rows,) = ctx.saved_tensors
        band = rows.T @ grad.reshape(rows.shape[0], -1)
        return band.as_strided(*ctx.layout).sum(2), None


# --------------------------------------------------------------------------------------- discriminator


@dataclass(frozen=True)
class PowerIterations:
    """n power iterations of D's spectral norm, one a row: u (n,64), v (n,147); of the 1×1 layers (5,n,64)."""

    u: Tensor
    v: Tensor
    u_hidden: Tensor
    v_hidden: Tensor

    def rows(self, start: int, stop: int) -> PowerIterations:
        hidden = self.u_hidden[:, start:stop], self.v_hidden[:, start:stop]
        return PowerIterations(self.u[start:stop], self.v[start:stop], *hidden)


class Discriminator(nn.Module):
    """D: 7×7, then five of [1×1, batch norm, ReLU], then 1×1 and a sigmoid; spectral norm on every weight.

    Always in training mode. Each picture is a batch of its own, as in the authors' program.
    """

    u_first: Tensor
    u_hidden: Tensor

    def __init__(self, generator: torch.Generator | None = None):
        super().__init__()
        first, hidden, last = (WIDTH, 3, PATCH, PATCH), (WIDTH, WIDTH, 1, 1), (1, WIDTH, 1, 1)
        self.first = nn.Parameter(_xavier(first, generator).flatten(1))
        self.hidden = nn.Parameter(torch.stack([_xavier(hidden, generator).flatten(1) for _ in range(5)]))
        self.last = nn.Parameter(_xavier(last, generator).flatten(1))
        self.last_bias = nn.Parameter(torch.zeros(1))
        self.gain = nn.Parameter(1 + 0.02 * torch.randn(5, WIDTH, generator=generator))
        self.shift = nn.Parameter(torch.zeros(5, WIDTH))
        self.first_bias = nn.Parameter(
            torch.zeros(WIDTH), requires_grad=False
        )  # cancels, see the module's top
        self.hidden_bias = nn.Parameter(torch.zeros(5, WIDTH), requires_grad=False)
        self.register_buffer("u_first", F.normalize(torch.randn(WIDTH, generator=generator), dim=0))
        self.register_buffer("u_hidden", F.normalize(torch.randn(5, WIDTH, generator=generator), dim=1))

    @torch.no_grad()
    def power_iterations(self, count: int) -> PowerIterations:
        """The next `count` power iterations, all with the weights as they are now. Advances u."""
        u, w = self.u_first, self.first
        uh, wh = self.u_hidden[:, :, None], self.hidden
        us: list[Tensor] = []
        vs: list[Tensor] = []
        uhs: list[Tensor] = []
        vhs: list[Tensor] = []
        for _ in range(count):
            v = _normalized(u @ w, 0)
            u = _normalized(w @ v, 0)
            vh = _normalized(wh.transpose(1, 2) @ uh, 1)
            uh = _normalized(wh @ vh, 1)
            for values, value in zip((us, vs, uhs, vhs), (u, v, uh, vh)):
                values.append(value)
        self.u_first, self.u_hidden = u, uh[:, :, 0]
        hidden = [torch.cat(values, 2).transpose(1, 2) for values in (uhs, vhs)]
        return PowerIterations(torch.stack(us), torch.stack(vs), *hidden)

    def forward(self, x: Tensor, iterations: PowerIterations | None = None) -> Tensor:
        """n pictures (n,3,H,W) in [−1,1] → (n, H−6, W−6) in (0,1): how real each 7×7 neighbourhood looks.

        Picture i is normalised by its own statistics and by power iteration i (default: n new ones).
        """
        iterations = self.power_iterations(len(x)) if iterations is None else iterations
        return Discriminate.apply(x, iterations, *self.trained())

    @torch.no_grad()
    def opinion(self, x: Tensor) -> Tensor:
        """(3,H,W) in [−1,1] → (H−6, W−6) as `forward`, leaving u as it is: for looking on."""
        before = self.u_first, self.u_hidden
        found = self(x[None])[0]
        self.u_first, self.u_hidden = before
        return found

    def trained(self) -> tuple[Tensor, ...]:
        """The trained parameters, in the order that `Discriminate` takes them."""
        return (self.first, self.hidden, self.last, self.last_bias, self.gain, self.shift)


class Discriminate(torch.autograd.Function):
    """D on n pictures, each with its own batch statistics and its own σ of the spectral norm.

    With a weight W/σ, σ = uᵀWv, the gradient is (Ḡ − ⟨Ḡ, W/σ⟩ u vᵀ)/σ.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, iterations: PowerIterations, *trained: Tensor) -> Tensor:
        first, hidden, last, last_bias, gain, shift = trained
        n, _, height, width = x.shape
        sigma = (iterations.u * (iterations.v @ first.T)).sum(1)
        sigmas = (iterations.u_hidden * (iterations.v_hidden @ hidden.transpose(1, 2))).sum(2)  # (5, n)
        weights = list((hidden[:, None] / sigmas[:, :, None, None]).unbind(0))
        weights[0] = (hidden[0] @ first) / (sigma * sigmas[0])[:, None, None]
        gains, shifts = gain.repeat(1, n), shift.repeat(1, n)
        h = _patches(x)
        inputs: list[Tensor] = []
        sums: list[Tensor] = []
        statistics: list[list[Tensor]] = []
        for i in range(5):
            z = torch.bmm(weights[i], h).view(1, n * WIDTH, -1)
            channels, pixels = z.shape[1:]
            # A group norm with one channel a group is batch norm of one picture, in a quarter of its time.
            y, *moments = torch.native_group_norm(z, gains[i], shifts[i], 1, channels, pixels, channels, 1e-5)
            inputs.append(h)
            sums.append(z)
            statistics.append(moments)
            h = y.relu_().view(n, WIDTH, -1)
        length = last.norm()
        scores = ((last / length) @ h).add_(last_bias).sigmoid_()
        ctx.save_for_backward(*trained)
        ctx.size = height, width
        ctx.saved = iterations, sigma, sigmas, weights, gains, [*inputs, h], sums, statistics, length, scores
        return scores.view(n, height - (PATCH - 1), width - (PATCH - 1))

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        (grad,) = grad_outputs
        first, hidden, last = ctx.saved_tensors[:3]
        iterations, sigma, sigmas, weights, gains, outputs, sums, statistics, length, scores = ctx.saved
        n, own = len(scores), ctx.needs_input_grad[2]
        grad = torch.ops.aten.sigmoid_backward(grad.reshape_as(scores), scores)
        unit = last / length
        back = unit.T * grad
        g_weights: list[Tensor] = []
        g_gain: list[Tensor] = []
        g_shift: list[Tensor] = []
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
        g_x = F.fold(back, ctx.size, PATCH) if ctx.needs_input_grad[0] else None
        if not own:
            return (g_x, *[None] * 7)
        g_unit = (grad @ outputs[5].transpose(1, 2)).sum(0)
        g_last = (g_unit - (g_unit * unit).sum() * unit) / length
        joined = g_weights[0]
        c = (joined * weights[0]).sum((1, 2))
        joined = (joined / (sigma * sigmas[0])[:, None, None]).sum(0)
        g_first = hidden[0].T @ joined - (iterations.u.T * (c / sigma)) @ iterations.v
        later = torch.stack(g_weights[1:])
        cs = torch.cat([c[None], (later * torch.stack(weights[1:])).sum((2, 3))]) / sigmas
        g_hidden = torch.cat([(joined @ first.T)[None], (later / sigmas[1:, :, None, None]).sum(1)])
        g_hidden -= (iterations.u_hidden.transpose(1, 2) * cs[:, None]) @ iterations.v_hidden
        summed = [torch.stack(g).view(5, n, WIDTH).sum(1) for g in (g_gain, g_shift)]
        return (g_x, None, g_first, g_hidden, g_last, grad.sum().view(1), *summed)


def _patches(x: Tensor) -> Tensor:
    """F.unfold(x, 7) in a fifth of its time: (n,3,H,W) → (n, 147, (H−6)(W−6))."""
    n, channels = x.shape[:2]
    windows = x.unfold(2, PATCH, 1).unfold(3, PATCH, 1).permute(0, 1, 4, 5, 2, 3)
    return windows.reshape(n, channels * PATCH**2, -1)


def _xavier(shape: tuple[int, ...], generator: torch.Generator | None, gain: float = 0.1) -> Tensor:
    fan_in, fan_out = math.prod(shape[1:]), shape[0] * math.prod(shape[2:])
    return torch.randn(shape, generator=generator) * (gain * math.sqrt(2 / (fan_in + fan_out)))


def _normalized(x: Tensor, dim: int) -> Tensor:
    return x / torch.linalg.vector_norm(x, dim=dim, keepdim=True)
