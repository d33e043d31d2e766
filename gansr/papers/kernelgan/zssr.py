"""ZSSR: a small network that learns to enlarge one picture from smaller versions of that picture.

Shocher, Cohen, Irani: "Zero-Shot Super-Resolution using Deep Internal Learning", CVPR 2018, in the form that
KernelGAN (NeurIPS 2019) uses: with a given blur kernel. The authors' code is TensorFlow 1; written from its
description. A crop of the picture is the father; the son is the father shrunk with the kernel. The network
learns to restore the father from the son, which is enlarged by a cubic first. It is then applied to the picture.

How we differ; `paper=True` undoes each (it then gives the authors' numbers, goldens `zssr`):
1. The sons of the whole picture, one for each position of a crop on the coarse grid, are made and enlarged once; a
   step only crops them. Theirs makes the son of each crop, which mirrors the crop at its border although the
   picture goes on there, and costs two resizes a step. Ours does so only where noise is added to the sons.
2. The learning rate falls along half a cosine over the steps that were asked for. Theirs waits until the test
   error stops falling (`PlateauSchedule`), which takes two to three thousand steps: too many for a page.
3. Adam adds its epsilon where torch does. TensorFlow's adds it before the correction of the second moment, which
   stops weights whose gradients are near 1e-8 during the first steps.
4. Weights begin at He's spread, the last layer at a hundredth of it, so the network begins as the cubic and its
   gradients do not vanish. Theirs, N(0, 0.1/(9·c_in)), spend the first hundred steps on a plateau (on one picture
   of Set14 34.8 dB after 100 steps instead of 35.3).
5. The reduction and enlargement mirror on all sides (see ops/resize). Crops, and what the reconstruction error is
   measured on, have sides that are multiples of the factor.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gansr.method import State
from gansr.ops.degrade import mod_crop
from gansr.ops.kernels import downscale_with_kernel
from gansr.ops.plain import copied
from gansr.ops.resize import imresize
from gansr.papers.kernelgan.augment import augmented, transform, transform_back
from gansr.papers.kernelgan.crops import crop_at

CROP = 128  # px, side of the authors' father
TEST_INTERVAL = 50  # steps between two tests
MIN_RATE = 9e-6  # training ends below this learning rate
RADIUS = 8  # px: a pixel of the result depends on the input this far to each side
STRIP_PIXELS = 1 << 19  # computed at once: 64 channels of them are 134 MB


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


# ---------------------------------------------------------------------------------- fathers and sons


def loss_map(picture: Tensor) -> Tensor:
    """(3,H,W) in [0,1] → (1,H,W) of mean 1: the weights of the loss, large where there are edges.

    The gradient magnitude of the grey picture, summed over 5×5 (zeros outside), clipped to 255, zero in the outer
    3 px. A picture without edges gives ones.
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
    """(3,h,w) → (3,*size) by a cubic of factor `scale`: the network's input."""
    return imresize(picture, size, scale=float(scale), paper=paper)


def back_project(large: Tensor, low: Tensor, kernel: Tensor, scale: int, paper: bool = False) -> Tensor:
    """One step towards a large picture that shrinks to `low`: y + ↑(x − ↓y), clipped to [0,1].

    large (3,sH,sW), low (3,H,W), both in [0,1]; the reduction ↓ uses `kernel`, the enlargement ↑ a cubic.
    """
    size = (int(large.shape[-2]), int(large.shape[-1]))
    missing = low - downscale_with_kernel(large, kernel, scale, (int(low.shape[-2]), int(low.shape[-1])))
    return (large + enlarge(missing, scale, size, paper)).clamp(0, 1)


# -------------------------------------------------------------------------------------- learning rate


class PlateauSchedule:
    """The authors' learning rate: a tenth when a line through the last five test errors no longer falls.

    Checked every 60 steps, at least 256 after the last change: if −1.5·slope < its standard deviation. The variance
    of the slope is that of numpy's polyfit: the residuals over n − 4 in the numpy of their time (`numpy115`), over
    n − 2 since. The former is wider by √3 and stops earlier (by a quarter in the golden case) at no loss that we
    could see, so it is the default.
    """

    def __init__(self, numpy115: bool = True, rate: float = 1e-3):
        self.rate, self.lost, self.changed = rate, 4 if numpy115 else 2, 0
        self.steps: list[int] = []
        self.errors: list[float] = []

    def add_test(self, step: int, error: float) -> None:
        """The reconstruction error before step `step` (from 0)."""
        self.steps.append(step)
        self.errors.append(error)

    def update(self, step: int) -> bool:
        """After step `step`: sets `rate`; True when training should end."""
        if (step + 1) % 60 == 0 and step - self.changed > 256:
            slope, deviation = fit_slope(self.steps[-5:], self.errors[-5:], self.lost)
            if -1.5 * slope < deviation:
                self.rate, self.changed = self.rate / 10, step
        return self.rate < MIN_RATE


def fit_slope(x: Sequence[float], y: Sequence[float], lost: int = 2) -> tuple[float, float]:
    """The slope of the straight line through the points, and its standard deviation with n − `lost` degrees of
    freedom."""
    n = len(x)
    mx, my = sum(x) / n, sum(y) / n
    sxx = sum((a - mx) ** 2 for a in x)
    slope = sum((a - mx) * (b - my) for a, b in zip(x, y)) / sxx
    rest = sum((b - my - slope * (a - mx)) ** 2 for a, b in zip(x, y))
    return slope, math.sqrt(rest / (n - lost) / sxx)


def cosine_rate(step: int, steps: int, rate: float = 1e-3, end: float = 0.01) -> float:
    """From `rate` down to `end` times it, along half a cosine."""
    return rate * (end + (1 - end) * 0.5 * (1 + math.cos(math.pi * step / max(1, steps))))


# --------------------------------------------------------------------------------------------- training


class Zssr:
    """The network on one picture and one kernel. `step()` trains once; nothing here yields.

    low: (3,H,W) in [0,1]. kernel: of the factor `scale`, shifting nothing; None: bicubic, of any factor (on the way
    to a larger one). generator: all randomness comes from it. steps: of the training, with `paper` at most. crop:
    the largest side of a father; the authors pad smaller pictures with black, ours takes a smaller crop. noise:
    standard deviation of what is added to the sons. net: weights to go on from (of a smaller factor). dtype: of the
    convolutions, float32 or bfloat16. augment: fathers are also turned, mirrored and warped, see `augmented`. paper:
    see the module's top.
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
        dtype: torch.dtype = torch.float32,
        numpy115: bool = True,
        augment: bool = False,
        paper: bool = False,
    ):
        self.low, self.kernel, self.scale = low, kernel, scale
        self.generator, self.steps, self.noise, self.dtype, self.paper = generator, steps, noise, dtype, paper
        self.augment = augment
        net = ZssrNet(generator, paper).to(low.device) if net is None else net
        for weight in net.parameters():
            weight.data = weight.data.contiguous(memory_format=torch.channels_last)
        self.net = net
        self.loss_weights = loss_map(low)
        self.optimiser = torch.optim.Adam(self.net.parameters(), lr=1e-3)
        self.plateau = PlateauSchedule(numpy115)
        self.done, self.ended, self.error = 0, False, math.nan
        height, width = low.shape[-2:]
        whole = math.ceil(scale)
        # A father of a whole number of cells: otherwise rows are picked unevenly (ops.kernels.downscale_with_kernel).
        largest = min(crop, *(side - side % whole - whole for side in (height, width)))
        self.crop = crop if paper else largest - largest % whole
        self._tested = low if paper or kernel is None else mod_crop(low, int(scale))
        size = (int(self._tested.shape[-2]), int(self._tested.shape[-1]))
        self.son = enlarge(make_son(self._tested, kernel, scale), scale, size, paper)
        self._phases = [] if paper or noise or augment or kernel is None else self._enlarged_sons()
        self._pad_to_crop()

    def state(self) -> State:
        """What `restore` goes on from; the generator's state is not part of it."""
        return copied(
            {
                "net": self.net.state_dict(),
                "optimiser": self.optimiser.state_dict(),
                "plateau": vars(self.plateau),
                "progress": (self.done, self.ended, self.error),
            }
        )

    def restore(self, state: State) -> None:
        """Go on after the steps of a `state` of a training that was made with the same arguments."""
        self.net.load_state_dict(state["net"])
        self.optimiser.load_state_dict(copied(state["optimiser"]))  # torch would keep the caller's tensors
        vars(self.plateau).update(copied(state["plateau"]))
        self.done, self.ended, self.error = state["progress"]

    def _pad_to_crop(self) -> None:
        """What fathers are cropped from: with `paper`, a picture smaller than a father gets black of weight 0 on
        the right and below."""
        short = [max(0, self.crop - side) for side in self.low.shape[-2:]]
        if self.paper and any(short):
            pad = (0, short[1], 0, short[0])
            self._source, self._source_weights = F.pad(self.low, pad), F.pad(self.loss_weights, pad)
        else:
            self._source, self._source_weights = self.low, self.loss_weights

    def _enlarged_sons(self) -> list[Tensor]:
        """The enlarged son for each of the scale² positions of a father's corner on the coarse grid."""
        s, (height, width) = int(self.scale), self.low.shape[-2:]
        size = height // s * s - s, width // s * s - s
        phases: list[Tensor] = []
        for row in range(s):
            for column in range(s):
                father = self.low[:, row : row + size[0], column : column + size[1]]
                phases.append(enlarge(make_son(father, self.kernel, s), s, size))
        return phases

    @property
    def rate(self) -> float:
        """The learning rate of the next step."""
        return self.plateau.rate if self.paper else cosine_rate(self.done, self.steps)

    def step(self) -> float:
        """One training step; returns its loss. Sets `ended` after the last (`paper`: when the rate is at its end)."""
        if self.paper and self.done % TEST_INTERVAL == 0:
            self.plateau.add_test(self.done, self.test())
        father, son, weight = self._sample()
        loss = self.train_on(father, son, weight, self.rate)
        self.ended = (self.paper and self.plateau.update(self.done)) or self.done + 1 >= self.steps
        self.done += 1
        return loss

    @torch.enable_grad()
    def train_on(self, father: Tensor, son: Tensor, weight: Tensor, rate: float) -> float:
        """One Adam step on mean |net(son) − father|·weight; returns that loss.

        father and its enlarged son: (3,h,w) in [0,1]; weight (1,h,w).
        """
        group = self.optimiser.param_groups[0]
        group["lr"] = rate
        if self.paper:  # TensorFlow adds epsilon before the correction of the second moment
            group["eps"] = 1e-8 / math.sqrt(1 - 0.999 ** (self.done + 1))
        loss = ((self._apply(son) - father).abs() * weight).mean()
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        return loss.item()

    def _apply(self, x: Tensor) -> Tensor:
        x = x[None].contiguous(memory_format=torch.channels_last)
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self.dtype == torch.bfloat16):
            return self.net(x)[0].float()

    def _sample(self) -> tuple[Tensor, Tensor, Tensor]:
        """A father (3,c,c), its enlarged son (3,c,c) and the weights of its loss (1,c,c)."""
        row, column = self.corner(torch.rand(2, generator=self.generator).tolist())
        if self._phases:
            s = int(self.scale)
            phase = self._phases[row % s * s + column % s]
            son = crop_at(phase, row - row % s, column - column % s, self.crop)
            return (
                crop_at(self.low, row, column, self.crop),
                son,
                crop_at(self.loss_weights, row, column, self.crop),
            )
        father, weight = (crop_at(x, row, column, self.crop) for x in (self._source, self._source_weights))
        if self.augment:
            father, weight = augmented(self._source, self._source_weights, (father, weight), self.generator)
        noise: Tensor | float = 0.0
        if self.noise:
            side = math.ceil(self.crop / self.scale - 1e-9)
            noise = self.noise * torch.randn(3, side, side, generator=self.generator).to(father)
        son = make_son(father, self.kernel, self.scale, noise)
        son = enlarge(son, self.scale, (self.crop, self.crop), self.paper)
        return father, son, weight

    def corner(self, draw: Sequence[float]) -> tuple[int, int]:
        """Two uniform numbers of [0,1) → the upper left corner (row, column) of a father."""
        if self._phases:  # every corner whose father lies within its phase, equally likely
            s, sides = int(self.scale), self._phases[0].shape[-2:]
            row, column = (int(d * (side - self.crop + s)) for d, side in zip(draw, sides))
        else:
            row, column = (round(d * (side - self.crop)) for d, side in zip(draw, self._source.shape[-2:]))
        return row, column

    def _restore(self, x: Tensor) -> Tensor:
        """`_apply` clipped to [0,1], in strips of rows, which bounds the memory.

        Each strip is computed with the 8 px beside it that the network sees, so the seams do not show.
        """
        height, width = x.shape[-2:]
        rows = max(1, STRIP_PIXELS // width)
        strips: list[Tensor] = []
        for start in range(0, height, rows):
            stop = min(start + rows, height)
            top = max(0, start - RADIUS)
            strip = self._apply(x[:, top : min(stop + RADIUS, height)])
            strips.append(strip[:, start - top : stop - top].clamp(0, 1))
        return torch.cat(strips, 1)

    @torch.no_grad()
    def test(self) -> float:
        """The reconstruction error: the mean squared error of the picture restored from its own son."""
        restored = self._restore(self.son)
        self.error = float((restored - self._tested).square().mean())
        return self.error

    @torch.no_grad()
    def preview(self, scale: int) -> Tensor:
        """(3, scale·H, scale·W) in [0,1]: the picture enlarged with the network as it stands."""
        size = (self.low.shape[-2] * scale, self.low.shape[-1] * scale)
        return self._restore(enlarge(self.low, scale, size, self.paper))

    @torch.no_grad()
    def result(self, back_projections: int = 2, ensemble: bool = False) -> Tensor:
        """(3, sH, sW) in [0,1]. With `ensemble` the median over the eight symmetries of the input.

        Each view is back-projected `back_projections` times, and so is their median (as the authors do).
        """
        assert self.kernel is not None, "a stage without a kernel gives no result"
        s, paper = int(self.scale), self.paper
        views: list[Tensor] = []
        for which in range(8 if ensemble else 1):
            x = transform(self.low, which)
            size = (x.shape[-2] * s, x.shape[-1] * s)
            y = transform_back(self._restore(enlarge(x, s, size, paper)), which)
            for _ in range(back_projections):
                y = back_project(y, self.low, self.kernel, s, paper)
            views.append(y)
        y = _median(views)
        for _ in range(back_projections):
            y = back_project(y, self.low, self.kernel, s, paper)
        return y


def _median(views: Sequence[Tensor]) -> Tensor:
    """The median; of an even number the mean of the middle two, as numpy's."""
    ordered = torch.stack(list(views)).sort(0).values
    return (ordered[(len(views) - 1) // 2] + ordered[len(views) // 2]) / 2
