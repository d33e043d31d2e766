"""KernelGAN: the blur of one picture, learned from that picture alone.

Bell-Kligler, Shocher, Irani: "Blind Super-Resolution Kernel Estimation using an Internal-GAN", NeurIPS 2019.
A deep *linear* generator G shrinks crops of the picture by 2; a discriminator D with a view of 7×7 px tells
its output from crops of the picture itself. G then is the kernel with which the picture's patches recur in
smaller versions of it. No weights exist: both are trained on each picture. Written from the description.

Fast, and equal to the layers one by one (tests, to 1e-10 in float64):
- G is linear, so the picture passes through its equivalent 13×13 kernel, which is computed from the right
  (a row through the three 1×1 layers, then two transposed convolutions); all 150 656 weights are still what
  is optimised, which is the paper's point. The crop is unrolled once for both players.
- D's 1×1 convolutions are matrix products, and its first two layers have nothing between them: one product.
- D runs three times an iteration because spectral norm and batch norm move with each: on G's output for G, on
  the real crop, and on the output of the *updated* G. The last two share one batched pass, forwards and
  back; each picture keeps its own statistics and its own σ. In G's step D's weights take no gradient. The
  weights do not change between the three, so the power iterations are taken in one go.
- Biases before a batch norm cancel: their gradient is zero. They are kept (they are D's parameters) and
  neither added nor updated. Running statistics are never read, and not kept.

Departures, each undone by `paper=True` (then the authors' numbers come out, tests/goldens/kernelgan_*):
1. The bicubic loss compares channel with channel; theirs sums the three into a grey target three times too
   bright. The threshold of 0.4, tuned with that, becomes 0.4/9: three times the brightness is nine times the
   squared error.
2. The noise on the real crops is not written back; theirs accumulates in the picture, which G sees too.
3. The kernel handed out is the one after the last step; theirs is that of the last forward pass.
4. The gradient's magnitude is clipped as |gx| and |gy| are; theirs is not, so single edges dominate the map.
5. The reduction that the crops' map is taken from mirrors on all sides (see ops/resize).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gansr.ops.resize import imresize

SIDE = 13  # of the kernel
CROP = 64  # of G's input
SMALL = 26  # of G's output and of D's input
WIDTH = 64  # channels
RIM = 10  # px cut off each side of a picture that was shrunk before (not of a `real` one)
BICUBIC = (
    0.01171875,
    0.03515625,
    -0.11328125,
    -0.43359375,
)  # half of MATLAB's taps at ×½, times −1 where > ¼


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
        first, second, third, fourth, fifth, last = self.layers
        row = last.flatten(1) @ fifth.flatten(1) @ fourth.flatten(1)
        back = (row @ third.flatten(1)).view(1, *third.shape[1:])
        back = F.conv_transpose2d(back, second)
        return F.conv_transpose2d(back, first)[0, 0]

    def forward(self, x: Tensor) -> Tensor:
        """(C,H,W) → (C, (H−13)//2+1, (W−13)//2+1); each channel alone."""
        return F.conv2d(x[:, None], self.kernel()[None, None], stride=2)[:, 0]


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
        n, _, height, width = x.shape
        norms = self.norms(n) if norms is None else norms
        parts = (self.first, self.hidden, self.last, self.last_bias, self.gain, self.shift)
        first, hidden, last, last_bias, gain, shift = (p.detach() if frozen else p for p in parts)
        sigma = (norms.u * (norms.v @ first.T)).sum(1)
        sigmas = (norms.u_hidden * (norms.v_hidden @ hidden.transpose(1, 2))).sum(2)  # (5, n)
        h = ((hidden[0] @ first) / (sigma * sigmas[0])[:, None, None]) @ F.unfold(x, 7)
        for i in range(5):
            if i:
                h = (hidden[i] / sigmas[i][:, None, None]) @ h
            h = h.reshape(1, n * WIDTH, -1)
            h = F.batch_norm(h, None, None, gain[i].repeat(n), shift[i].repeat(n), training=True).relu()
            h = h.view(n, WIDTH, -1)
        out = (last / last.norm()) @ h + last_bias  # of one row, σ is its length
        return out.sigmoid().view(n, height - 6, width - 6)


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


def _xavier(shape: tuple[int, ...], generator: torch.Generator | None, gain: float = 0.1) -> Tensor:
    fan_in, fan_out = math.prod(shape[1:]), shape[0] * math.prod(shape[2:])
    return torch.randn(shape, generator=generator) * (gain * math.sqrt(2 / (fan_in + fan_out)))


def _unit(x: Tensor, dim: int) -> Tensor:
    return x / x.norm(dim=dim, keepdim=True).clamp_min(1e-12)


# ----------------------------------------------------------------------------------------------- losses


def sum_loss(k: Tensor) -> Tensor:
    """|1 − Σk|"""
    return (1 - k.sum()).abs()


def penalty_mask(device: torch.device | None = None) -> Tensor:
    """M (13,13) = 30·(1 − g/max g), g a Gaussian of σ 13, and 0 inside the outermost two rows and columns."""
    axis = torch.arange(SIDE, dtype=torch.float64) - (SIDE - 1) / 2
    g = torch.exp(-(axis**2) / (2 * SIDE**2))
    mask = 30 * (1 - torch.outer(g, g))
    mask[2:-2, 2:-2] = 0
    return mask.float().to(device)


def boundary_loss(k: Tensor, mask: Tensor) -> Tensor:
    """mean |k·M|"""
    return (k * mask).abs().mean()


def centre_loss(k: Tensor) -> Tensor:
    """Mean squared distance of the centre of mass, (row, column), to 6.5: what sub-sampling by 2 wants."""
    axis = torch.arange(SIDE, dtype=k.dtype, device=k.device)
    mass = torch.stack([k.sum(1) @ axis, k.sum(0) @ axis]) / k.sum()
    return (mass - (SIDE // 2 + 0.5)).square().mean()


def sparse_loss(k: Tensor) -> Tensor:
    """mean |k|^0.2 (the paper's text says ½)"""
    return k.abs().pow(0.2).mean()


def gan_loss(judged: Tensor, real: bool) -> Tensor:
    """mean |D − 1| or mean |D − 0|, over everything."""
    return (judged - float(real)).abs().mean()


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

    The rate falls tenfold at every quarter. Once the bicubic loss was below `near` three times running, its
    weight falls a hundredfold at every fifteenth of the steps; the first time it is below 5e-3 the constraints
    of centre and sparsity come in. Fewer steps squeeze this, in the same order.
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

    def update(self, step: int, bicubic_loss: float) -> None:
        """Call after iteration `step` (from 0; 0 changes nothing) with its unweighted bicubic loss."""
        if step == 0:
            return
        if step % max(1, round(self.steps / 4)) == 0:
            self.rate /= 10
        if not self.is_near:
            self.running = self.running + 1 if bicubic_loss < self.near else 0
            self.is_near = self.running >= 3
        if self.is_near and step % max(1, round(self.steps / 15)) == 0 and self.bicubic > 5e-6:
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
        self.for_g.to(device)
        self.for_d.to(device)
        self.schedule = Schedule(steps, 0.4 if self.paper else 0.4 / 9)
        trained = [p for p in self.for_d.parameters() if p.requires_grad]
        settings = {"lr": self.schedule.rate, "betas": (0.5, 0.999), "fused": True}
        self.optimisers = [torch.optim.Adam(list(self.for_g.parameters()), **settings)]
        self.optimisers.append(torch.optim.Adam(trained, **settings))
        self.mask = penalty_mask(device)
        self.half = None if self.paper else bicubic_target(self.picture)  # G's aim, of every crop at once
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
        patches = F.unfold(x[:, None], SIDE, stride=2)  # (3, 169, 676), for both players
        norms = self.for_d.norms(3)
        k, g_loss, bicubic = self._step_g(patches, target, norms.rows(0, 1))
        d_loss = self._step_d(patches, real, noise, norms.rows(1, 3))
        g_value, d_value, near = torch.stack([g_loss, d_loss, bicubic]).tolist()
        self.schedule.update(self.done, near)
        for optimiser in self.optimisers:
            optimiser.param_groups[0]["lr"] = self.schedule.rate
        self.done += 1
        self.last = Step(k, g_value, d_value, near)
        return self.last

    @torch.enable_grad()
    def _step_g(self, patches: Tensor, target: Tensor, norms: Norms) -> tuple[Tensor, Tensor, Tensor]:
        s = self.schedule
        k = self.for_g.kernel()
        fake = (k.view(1, -1) @ patches).view(1, 3, SMALL, SMALL)
        adversarial = gan_loss(self.for_d(fake, norms, frozen=True), real=True)
        bicubic = (fake[0] - target).square().mean()
        loss = adversarial + s.bicubic * bicubic + s.sum_to_one * sum_loss(k)
        loss = loss + s.boundaries * boundary_loss(k, self.mask)
        if s.centralised or s.sparse:
            loss = loss + s.centralised * centre_loss(k) + s.sparse * sparse_loss(k)
        self.optimisers[0].zero_grad()
        loss.backward()
        self.optimisers[0].step()
        return k.detach(), adversarial.detach(), bicubic.detach()

    @torch.enable_grad()
    def _step_d(self, patches: Tensor, real: Tensor, noise: Tensor, norms: Norms) -> Tensor:
        with torch.no_grad():
            fake = (self.for_g.kernel().view(1, -1) @ patches).view(3, SMALL, SMALL) + noise
        judged = self.for_d(torch.stack([real, fake]), norms)
        loss = (gan_loss(judged[0], real=True) + gan_loss(judged[1], real=False)) / 2
        self.optimisers[1].zero_grad()
        loss.backward()
        self.optimisers[1].step()
        return loss.detach()

    @torch.no_grad()
    def kernel(self) -> Tensor:
        """The (13,13) kernel learned so far: of G as it stands, or of the last forward pass (`paper`)."""
        if self.paper and self.last is not None:
            return self.last.kernel
        return self.for_g.kernel()
