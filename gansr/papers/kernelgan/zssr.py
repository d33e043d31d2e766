"""ZSSR: a small network that learns to enlarge one picture from smaller versions of that picture.

Shocher, Cohen, Irani: "Zero-Shot Super-Resolution using Deep Internal Learning", CVPR 2018, in the form that
KernelGAN (NeurIPS 2019) uses: with a given blur kernel. The authors' code is TensorFlow 1; written from its
description. A crop of the picture is the father; the son is the father shrunk with the kernel; the network
learns to restore the father from the son enlarged by a cubic, and is then applied to the picture itself.

`paper=True` gives the authors' numbers (goldens `zssr`). Otherwise:
1. The sons of the whole picture, one for each way the crop can lie on the coarse grid, are made and enlarged
   once; a step only cuts. A crop's own son, theirs, has a mirrored rim of half a kernel that the picture has
   not, and costs two resizes a step. With noise added to the sons they are made afresh each step.
2. The learning rate falls along a half cosine over the steps that were asked for. Theirs waits for the test
   error to stop falling (`Patience`), which takes two to three thousand steps; this is for a page.
3. Adam adds its epsilon where torch does. Theirs, TensorFlow's, adds it before the correction of the second
   moment, which stops weights whose gradients are near 1e-8 during the first steps.
4. Weights begin at He's spread, the last layer at a hundredth of it, so that the network begins as the cubic and
   its gradients are alive. Theirs, N(0, 0.1/(9·c_in)), spend the first hundred steps on a plateau (on one picture
   of Set14 35.3 dB after 100 steps instead of 34.8).
5. The reduction and enlargement mirror on all sides (see ops/resize).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gansr.ops.kernels import downscale_with_kernel
from gansr.ops.resize import imresize

CROP = 128  # px, the authors' father
EVERY = 50  # steps between two tests
STOP = 9e-6  # the learning rate below which training ends
REACH = 8  # px a pixel of the result depends on to each side
STRIP = 1 << 19  # px computed at once: 64 channels of them are 134 MB


class ZssrNet(nn.Module):
    """Eight 3×3 convolutions of 64 channels without bias, ReLU between them, zero padding; adds to its input."""

    def __init__(self, generator: torch.Generator | None = None, paper: bool = False):
        super().__init__()
        sizes = [3, *[64] * 7, 3]
        gains = [0.1**0.5] * 8 if paper else [*[2**0.5] * 7, 0.01 * 2**0.5]
        self.layers = nn.ParameterList(
            nn.Parameter(torch.randn(o, i, 3, 3, generator=generator) * (gain / math.sqrt(9 * i)))
            for (i, o), gain in zip(itertools.pairwise(sizes), gains)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(n,3,H,W) in [0,1], the enlarged son → (n,3,H,W), not clipped."""
        y = x
        for i, weight in enumerate(self.layers):
            y = F.conv2d(y if i == 0 else y.relu(), weight, padding=1)
        return x + y


# ----------------------------------------------------------------------------------------- the pieces


def loss_map(picture: Tensor) -> Tensor:
    """(3,H,W) in [0,1] → (1,H,W) of mean 1: where there is something to learn.

    The gradient magnitude of the grey picture, summed over 5×5 (zeros outside), clipped to 255, without its
    outer 3 px. A picture without edges gives ones.
    """
    grey = torch.tensordot(torch.tensor([0.299, 0.587, 0.114], device=picture.device), picture.float(), 1)
    gy, gx = torch.gradient(grey)
    size = (gx**2 + gy**2).sqrt()
    size = (F.avg_pool2d(size[None, None], 5, stride=1, padding=2)[0] * 25).clamp(0, 255)
    inner = torch.zeros_like(size)
    inner[:, 3:-3, 3:-3] = size[:, 3:-3, 3:-3]
    return inner / inner.mean() if inner.sum() > 0 else torch.ones_like(inner)


def make_son(father: Tensor, kernel: Tensor | None, scale: float, noise: Tensor | float = 0.0) -> Tensor:
    """(3,h,w) → the father shrunk with the kernel (None: MATLAB's bicubic, any scale), noise added, clipped."""
    if kernel is None:
        return (imresize(father, 1 / scale) + noise).clamp(0, 1)
    return (downscale_with_kernel(father, kernel, int(scale)) + noise).clamp(0, 1)


def enlarge(picture: Tensor, scale: float, size: tuple[int, int], paper: bool = False) -> Tensor:
    """(3,h,w) → (3,*size) by a cubic of factor `scale`; what the network is given."""
    return imresize(picture, size, scale=float(scale), paper=paper)


def back_project(large: Tensor, low: Tensor, kernel: Tensor, scale: int, paper: bool = False) -> Tensor:
    """One step towards a large picture that shrinks to `low`: y + ↑(x − ↓y), clipped to [0,1]."""
    size = (int(large.shape[-2]), int(large.shape[-1]))
    missing = low - downscale_with_kernel(large, kernel, scale, (int(low.shape[-2]), int(low.shape[-1])))
    return (large + enlarge(missing, scale, size, paper)).clamp(0, 1)


def turned(picture: Tensor, which: int) -> Tensor:
    """One of the eight symmetries: `which` quarter turns, from 4 on mirrored left to right after turning."""
    picture = torch.rot90(picture, which % 4, (-2, -1))
    return picture if which < 4 else picture.flip(-1)


def turned_back(picture: Tensor, which: int) -> Tensor:
    """The inverse of `turned`."""
    picture = picture if which < 4 else picture.flip(-1)
    return torch.rot90(picture, -(which % 4), (-2, -1))


class Patience:
    """The authors' learning rate: a tenth when a line through the last five test errors no longer falls.

    Looked at every 60 steps, at least 256 after the last change: if −1.5·slope < its standard deviation. The
    variance of the slope is that of numpy's polyfit: the residuals over n − 4 in the numpy of their time
    (`numpy115`), over n − 2 since. The former is wider by √3 and stops earlier (by a quarter in the golden
    case) at no loss we could see, so it is the default.
    """

    def __init__(self, numpy115: bool = True, rate: float = 1e-3):
        self.rate, self.freedom, self.changed = rate, 4 if numpy115 else 2, 0
        self.steps: list[int] = []
        self.errors: list[float] = []

    def tested(self, step: int, error: float) -> None:
        """The reconstruction error before step `step` (from 0)."""
        self.steps.append(step)
        self.errors.append(error)

    def update(self, step: int) -> bool:
        """After step `step`: sets `rate`; True when training should end."""
        if (step + 1) % 60 == 0 and step - self.changed > 256:
            slope, deviation = slope_of(self.steps[-5:], self.errors[-5:], self.freedom)
            if -1.5 * slope < deviation:
                self.rate, self.changed = self.rate / 10, step
        return self.rate < STOP


def slope_of(x: Sequence[float], y: Sequence[float], freedom: int = 2) -> tuple[float, float]:
    """Slope of the straight line through the points, and its standard deviation with n − freedom."""
    n = len(x)
    mx, my = sum(x) / n, sum(y) / n
    sxx = sum((a - mx) ** 2 for a in x)
    slope = sum((a - mx) * (b - my) for a, b in zip(x, y)) / sxx
    rest = sum((b - my - slope * (a - mx)) ** 2 for a, b in zip(x, y))
    return slope, math.sqrt(rest / (n - freedom) / sxx)


def cosine(step: int, steps: int, rate: float = 1e-3, end: float = 0.01) -> float:
    """From `rate` down to `end` times it, along half a cosine."""
    return rate * (end + (1 - end) * 0.5 * (1 + math.cos(math.pi * step / max(1, steps))))


# --------------------------------------------------------------------------------------------- training


class Zssr:
    """The network on one picture and one kernel. `step()` trains once; nothing here yields.

    low: (3,H,W) in [0,1]. kernel: of the factor `scale`, shifting nothing; None: bicubic, of any factor (a step
    on the way to a larger one). crop: the father's side, at most; the authors pad smaller pictures with black,
    we take a smaller crop. noise: standard deviation added to the sons. net: weights to go on from (an
    earlier, smaller factor). fast: convolutions in bfloat16.
    All randomness comes from `generator`. paper: see the module's top; `steps` is then the most there will be.
    """

    def __init__(
        self,
        low: Tensor,
        kernel: Tensor | None,
        scale: float,
        generator: torch.Generator,
        *,
        steps: int = 3000,
        crop: int = CROP,
        noise: float = 0.0,
        net: ZssrNet | None = None,
        fast: bool = False,
        numpy115: bool = True,
        paper: bool = False,
    ):
        self.low, self.kernel, self.scale = low, kernel, scale
        self.random, self.steps, self.noise, self.fast, self.paper = generator, steps, noise, fast, paper
        net = ZssrNet(generator, paper).to(low.device) if net is None else net
        for weight in net.parameters():
            weight.data = weight.data.contiguous(memory_format=torch.channels_last)
        self.net = net
        self.map = loss_map(low)
        self.optimiser = torch.optim.Adam(self.net.parameters(), lr=1e-3)
        self.patience = Patience(numpy115)
        self.done, self.ended, self.error = 0, False, math.nan
        height, width = low.shape[-2:]
        whole = math.ceil(scale)
        self.crop = crop if paper else min(crop, *(side - side % whole - whole for side in (height, width)))
        self.son = enlarge(make_son(low, kernel, scale), scale, (height, width), paper)
        self._phases = [] if paper or noise or kernel is None else self._all_phases()
        self._frame()

    def _frame(self) -> None:
        """Under `paper`, a picture smaller than the father gets black beside and below, of weight 0."""
        short = [max(0, self.crop - side) for side in self.low.shape[-2:]]
        if self.paper and any(short):
            pad = (0, short[1], 0, short[0])
            self._field, self._field_map = F.pad(self.low, pad), F.pad(self.map, pad)
        else:
            self._field, self._field_map = self.low, self.map

    def _all_phases(self) -> list[Tensor]:
        """The enlarged son for each of scale² ways that a father's corner can lie on the coarse grid."""
        s, (height, width) = int(self.scale), self.low.shape[-2:]
        size = height // s * s - s, width // s * s - s
        phases = []
        for row in range(s):
            for column in range(s):
                father = self.low[:, row : row + size[0], column : column + size[1]]
                phases.append(enlarge(make_son(father, self.kernel, s), s, size))
        return phases

    @property
    def rate(self) -> float:
        """The learning rate of the next step."""
        return self.patience.rate if self.paper else cosine(self.done, self.steps)

    def step(self) -> float:
        """One step; the loss. With `paper` sets `ended` when the learning rate has run out."""
        if self.paper and self.done % EVERY == 0:
            self.patience.tested(self.done, self.test())
        father, given, weight = self._sample()
        loss = self.train_on(father, given, weight, self.rate)
        self.ended = (self.paper and self.patience.update(self.done)) or self.done + 1 >= self.steps
        self.done += 1
        return loss

    @torch.enable_grad()
    def train_on(self, father: Tensor, given: Tensor, weight: Tensor, rate: float) -> float:
        """One Adam step on mean |net(given) − father|·weight, each (3,h,w), weight (1,h,w)."""
        group = self.optimiser.param_groups[0]
        group["lr"] = rate
        if self.paper:  # TensorFlow's: added before the correction
            group["eps"] = 1e-8 / math.sqrt(1 - 0.999 ** (self.done + 1))
        loss = ((self._apply(given) - father).abs() * weight).mean()
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        return loss.item()

    def _apply(self, x: Tensor) -> Tensor:
        x = x[None].contiguous(memory_format=torch.channels_last)
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self.fast):
            return self.net(x)[0].float()

    def _sample(self) -> tuple[Tensor, Tensor, Tensor]:
        """father (3,c,c), its enlarged son, its weights (1,c,c)."""
        row, column = self.corner(torch.rand(2, generator=self.random).tolist())
        if self._phases:
            s = int(self.scale)
            phase = self._phases[row % s * s + column % s]
            given = _cut(phase, row - row % s, column - column % s, self.crop)
            return _cut(self.low, row, column, self.crop), given, _cut(self.map, row, column, self.crop)
        father = _cut(self._field, row, column, self.crop)
        noise: Tensor | float = 0.0
        if self.noise:
            side = math.ceil(self.crop / self.scale - 1e-9)
            noise = self.noise * torch.randn(3, side, side, generator=self.random).to(father)
        son = make_son(father, self.kernel, self.scale, noise)
        given = enlarge(son, self.scale, (self.crop, self.crop), self.paper)
        return father, given, _cut(self._field_map, row, column, self.crop)

    def corner(self, draw: Sequence[float]) -> tuple[int, int]:
        """Two numbers of [0,1) → the upper left corner (row, column) of a father."""
        if self._phases:  # all that lie in the picture on some phase's grid, equally likely
            s, sides = int(self.scale), self._phases[0].shape[-2:]
            row, column = (int(d * (side - self.crop + s)) for d, side in zip(draw, sides))
        else:
            row, column = (round(d * (side - self.crop)) for d, side in zip(draw, self._field.shape[-2:]))
        return row, column

    def _restore(self, x: Tensor) -> Tensor:
        """`_apply` without gradient, clipped, in strips of rows that fit a cache's worth of memory.

        A strip takes along the 8 px that the network sees beyond it, so the strips show nowhere.
        """
        height, width = x.shape[-2:]
        rows = max(1, STRIP // width)
        strips = []
        for start in range(0, height, rows):
            stop = min(start + rows, height)
            top = max(0, start - REACH)
            strip = self._apply(x[:, top : min(stop + REACH, height)])
            strips.append(strip[:, start - top : stop - top].clamp(0, 1))
        return torch.cat(strips, 1)

    @torch.no_grad()
    def test(self) -> float:
        """The reconstruction error: mean squared, of the picture restored from its own son."""
        restored = self._restore(self.son)
        self.error = float((restored - self.low).square().mean())
        return self.error

    @torch.no_grad()
    def preview(self, scale: int) -> Tensor:
        """(3, scale·H, scale·W): what the network makes of the picture as it stands."""
        size = (self.low.shape[-2] * scale, self.low.shape[-1] * scale)
        return self._restore(enlarge(self.low, scale, size, self.paper))

    @torch.no_grad()
    def result(self, back_projections: int = 2, ensemble: bool = False) -> Tensor:
        """(3, sH, sW) in [0,1]. With `ensemble` the median over the eight symmetries of the input.

        Each view is back-projected, and their median again, `back_projections` times (as the authors do).
        """
        assert self.kernel is not None, "a step on the way gives no result"
        s, paper = int(self.scale), self.paper
        views = []
        for which in range(8 if ensemble else 1):
            x = turned(self.low, which)
            size = (x.shape[-2] * s, x.shape[-1] * s)
            y = turned_back(self._restore(enlarge(x, s, size, paper)), which)
            for _ in range(back_projections):
                y = back_project(y, self.low, self.kernel, s, paper)
            views.append(y)
        y = _median(views)
        for _ in range(back_projections):
            y = back_project(y, self.low, self.kernel, s, paper)
        return y


def _cut(x: Tensor, row: int, column: int, side: int) -> Tensor:
    return x[..., row : row + side, column : column + side]


def _median(views: Sequence[Tensor]) -> Tensor:
    """The median; of an even number the mean of the middle two, as numpy's."""
    ordered = torch.stack(list(views)).sort(0).values
    return (ordered[(len(views) - 1) // 2] + ordered[len(views) // 2]) / 2
