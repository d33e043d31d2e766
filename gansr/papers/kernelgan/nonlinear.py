"""KernelGAN with a generator that is not linear: the paper's experiment on why its generator is.

Bell-Kligler et al., NeurIPS 2019, section 3.1: ReLUs between the layers give a generator that can deceive the
discriminator without being a blur kernel. It has no kernel, so the constraints on the kernel do not apply, and each
layer really filters the crop, which takes many times as long. The kernel that is shown and handed on is the linear
filter that comes nearest to what the generator does (least squares).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from gansr.ops.threads import threads
from gansr.papers.kernelgan.losses import centre_crop
from gansr.papers.kernelgan.networks import (
    KERNEL_SIDE,
    Generator,
    PowerIterations,
)
from gansr.papers.kernelgan.trainer import Trainer

RIDGE = (
    1e-4  # of the least squares, as a share of the patches' mean energy: neighbouring pixels are much alike
)

MIDDLE = 256  # px: the patches of a whole photograph would take gigabytes


class NonLinearTrainer(Trainer):
    """As `Trainer`, with ReLUs between G's layers."""

    def _laid_out(self, x: Tensor) -> Tensor:
        return x

    def _fake(self, laid_out: Tensor) -> Tensor:
        return forward(self.g, laid_out)

    def _step_g(
        self, laid_out: Tensor, target: Tensor, iterations: PowerIterations
    ) -> tuple[Tensor, Tensor, Tensor]:
        with torch.enable_grad():
            fake = forward(self.g, laid_out)
        found = fake.detach()
        back, score, missed = self._deceive(found, target, iterations)
        self._update(self.optimisers[0], torch.autograd.grad(fake, list(self.g.layers), back))
        return nearest_kernel(laid_out, found), 1 - score, missed

    @threads(1)
    @torch.no_grad()
    def kernel(self) -> Tensor:
        """The linear filter (13,13) nearest to G in the picture's middle; with `paper`, on the last crop, before the
        last step."""
        if self.paper and self.last is not None:
            return self.last.kernel
        middle = centre_crop(self.picture, min(MIDDLE, *self.picture.shape[-2:]))
        return nearest_kernel(middle, forward(self.g, middle))


def forward(g: Generator, x: Tensor) -> Tensor:
    """(C,H,W) → (C,h,w), every second pixel: the layers one after the other, with a ReLU after each but the last. Each
    channel is filtered alone."""
    y = x[:, None]
    for layer in g.layers[:-1]:
        y = F.conv2d(y, layer).relu()
    return F.conv2d(y, g.layers[-1], stride=2)[:, 0]


def nearest_kernel(x: Tensor, y: Tensor) -> Tensor:
    """x (C,H,W) and what a generator made of it, y (C,h,w) → the kernel (13,13) whose cross-correlation with x at every
    second pixel comes nearest to y, by least squares with a small ridge."""
    patches = F.unfold(x[:, None].double(), KERNEL_SIDE, stride=2)  # (C, 169, h·w)
    energy = torch.einsum("cip,cjp->ij", patches, patches)
    aim = torch.einsum("cip,cp->i", patches, y.flatten(1).double())
    ridge = RIDGE * energy.diagonal().mean()
    eye = torch.eye(len(aim), dtype=aim.dtype, device=aim.device)
    return torch.linalg.solve(energy + ridge * eye, aim).view(KERNEL_SIDE, KERNEL_SIDE).to(x.dtype)
