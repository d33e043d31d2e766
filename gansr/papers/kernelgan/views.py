"""What is shown beside the result: kernels as maps, curves over the steps, the implied small picture."""

from __future__ import annotations

import torch
from torch import Tensor

from gansr.method import Curve, Heat, State, View
from gansr.ops.kernels import downscale_with_kernel
from gansr.ops.plain import copied
from gansr.ops.resize import imresize
from gansr.ops.threads import threads
from gansr.papers.kernelgan.losses import centre_crop
from gansr.papers.kernelgan.networks import Discriminator
from gansr.papers.kernelgan.trainer import Step

MAX_POINTS = 200  # of a curve
SEEN = 96  # px: side of what D is shown for its map


class History:
    """Values over the steps, as curves of at most MAX_POINTS points: when full, every second point is dropped."""

    def __init__(self, *names: str):
        self.lines: dict[str, list[float]] = {name: [] for name in names}
        self.stride, self.seen = 1, 0

    def state(self) -> State:
        """What `restore` goes on from."""
        return copied(vars(self))

    def restore(self, state: State) -> None:
        """Go on after the values of a `state`."""
        vars(self).update(copied(state))

    def add(self, *values: float) -> None:
        """One value for each name; only every `stride`-th call is kept."""
        if self.seen % self.stride == 0:
            for line, value in zip(self.lines.values(), values):
                line.append(value)
                if len(line) > MAX_POINTS:
                    del line[1::2]
            short = len(next(iter(self.lines.values()))) <= MAX_POINTS // 2 + 1
            if short and self.seen >= MAX_POINTS * self.stride:
                self.stride *= 2
        self.seen += 1

    def curve(self, log: bool = False) -> Curve:
        return Curve({name: tuple(line) for name, line in self.lines.items()}, log=log)


def kernel_map(kernel: Tensor, largest: float | None = None) -> Heat:
    """The kernel as a map of cells; `largest` fixes the scale from 0, to compare kernels."""
    return Heat(kernel.float(), min=None if largest is None else 0.0, max=largest, cells=True)


def kernel_views(kernel: Tensor) -> dict[str, View]:
    """The estimated kernel as a map, and the row and the column through its largest entry."""
    row, column = divmod(int(kernel.argmax()), kernel.shape[1])
    across, down = tuple(kernel[row].tolist()), tuple(kernel[:, column].tolist())
    return {
        "Estimated kernel": kernel_map(kernel),
        "Cross-sections": Curve({"row through the peak": across, "column through the peak": down}),
    }


def loss_readings(step: Step) -> dict[str, float]:
    return {
        "generator loss": step.generator_loss,
        "discriminator loss": step.discriminator_loss,
        "bicubic loss": step.bicubic_loss,
        "kernel sum": float(step.kernel.sum()),
    }


@torch.no_grad()
@threads(1)
def taken_for_real(d: Discriminator, small: Tensor) -> Heat:
    """How much D takes each 7×7 neighbourhood of the implied small picture for one of the picture itself: ½ where it
    cannot tell, 0 where it sees the blur. Of the middle, at most SEEN px: D takes 30,000 operations a pixel."""
    middle = centre_crop(small, min(SEEN, *small.shape[1:]))
    return Heat(d.opinion(middle * 2 - 1), min=0.0, max=1.0)


@torch.no_grad()
def implied_small_picture(low: Tensor, kernel: Tensor) -> Tensor:
    """The picture shrunk by 2 with the kernel learned so far, scaled to sum 1.

    With the right kernel it looks as natural as the picture itself.
    """
    total = kernel.sum()
    k = kernel / total if total > 0 else kernel
    return downscale_with_kernel(low, k, 2).clamp(0, 1)


@torch.no_grad()
def bicubic(low: Tensor, scale: int) -> Tensor:
    """(3,H,W) → (3,sH,sW) in [0,1], enlarged by MATLAB's bicubic."""
    return imresize(low, scale).clamp(0, 1)
