"""KernelGAN layer by layer, as one would write it down: what the fast version is measured and tested against.

Not part of the app. Equal in every number to gansr/nets/kernelgan with `paper=True` (tests), biases before
the batch norms, running statistics and eval mode included.
"""

from __future__ import annotations

import warnings

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gansr.papers.kernelgan.networks import (
    SIDE,
    WIDTH,
    Discriminator,
    Generator,
    Schedule,
    bicubic_target,
    penalty_mask,
    shave,
)


def sum_loss(k: Tensor) -> Tensor:
    """|1 − Σk|"""
    return (1 - k.sum()).abs()


def boundary_loss(k: Tensor) -> Tensor:
    """mean |k·M|"""
    return (k * penalty_mask()).abs().mean()


def centre_loss(k: Tensor) -> Tensor:
    """Mean squared distance of the centre of mass, row and column, to 6.5."""
    axis = torch.arange(SIDE, dtype=k.dtype)
    mass = torch.stack([k.sum(1) @ axis, k.sum(0) @ axis]) / k.sum()
    return (mass - 6.5).square().mean()


def sparse_loss(k: Tensor) -> Tensor:
    """mean |k|^0.2"""
    return k.abs().pow(0.2).mean()


def gan_loss(judged: Tensor, real: bool) -> Tensor:
    """mean |D − 1| or mean |D − 0|, over everything."""
    return (judged - float(real)).abs().mean()


class PlainGenerator(nn.Module):
    """The six convolutions one after the other; colour channels are batch items."""

    def __init__(self):
        super().__init__()
        self.first_layer = nn.Conv2d(1, WIDTH, 7, bias=False)
        middle = [nn.Conv2d(WIDTH, WIDTH, side, bias=False) for side in (5, 3, 1, 1)]
        self.feature_block = nn.Sequential(*middle)
        self.final_layer = nn.Conv2d(WIDTH, 1, 1, stride=2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(1,3,H,W) → (1,3,H',W')."""
        y = self.final_layer(self.feature_block(self.first_layer(x.transpose(0, 1))))
        return y.transpose(0, 1)

    def kernel(self) -> Tensor:
        """The (13,13) kernel: the answer to a single bright pixel, flipped."""
        y = F.pad(torch.ones(1, 1, 1, 1, dtype=self.first_layer.weight.dtype), [SIDE - 1] * 4)
        for weight in self.parameters():
            y = F.conv2d(y, weight)
        return y[0, 0].flip([0, 1])


class PlainDiscriminator(nn.Module):
    def __init__(self):
        super().__init__()
        self.first_layer = _normed(nn.Conv2d(3, WIDTH, 7))
        block: list[nn.Module] = []
        for _ in range(5):
            block += [_normed(nn.Conv2d(WIDTH, WIDTH, 1)), nn.BatchNorm2d(WIDTH), nn.ReLU(True)]
        self.feature_block = nn.Sequential(*block)
        self.final_layer = nn.Sequential(_normed(nn.Conv2d(WIDTH, 1, 1)), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        return self.final_layer(self.feature_block(self.first_layer(x)))


def _normed(layer: nn.Module) -> nn.Module:
    with warnings.catch_warnings():  # the successor does 15 turns at the start, which the authors' has not
        warnings.simplefilter("ignore", FutureWarning)
        return nn.utils.spectral_norm(layer)


class PlainTrainer:
    """One whole iteration of the authors' recipe per `iterate`."""

    def __init__(self, steps: int = 3000):
        self.for_g, self.for_d = PlainGenerator(), PlainDiscriminator().train()
        self.schedule, self.done = Schedule(steps), 0
        nets = (self.for_g, self.for_d)
        self.optimisers = [torch.optim.Adam(net.parameters(), lr=2e-4, betas=(0.5, 0.999)) for net in nets]

    def iterate(self, x: Tensor, real: Tensor, noise: Tensor) -> tuple[Tensor, float]:
        """x (1,3,64,64), real (1,3,26,26), noise of the fake (1,3,26,26) → (kernel, bicubic loss)."""
        s = self.schedule
        self.optimisers[0].zero_grad()
        fake, k = self.for_g(x), self.for_g.kernel()
        bicubic = (fake[0] - shave(bicubic_target(x[0], paper=True))).square().mean()
        loss = gan_loss(self.for_d(fake), True) + s.bicubic * bicubic + s.sum_to_one * sum_loss(k)
        loss = loss + s.boundaries * boundary_loss(k)
        loss = loss + s.centralised * centre_loss(k) + s.sparse * sparse_loss(k)
        loss.backward()
        self.optimisers[0].step()
        self.optimisers[1].zero_grad()
        judged = self.for_d(real)
        fake = self.for_g(x)
        loss = (gan_loss(judged, True) + gan_loss(self.for_d((fake + noise).detach()), False)) / 2
        loss.backward()
        self.optimisers[1].step()
        s.update(self.done, bicubic.item())
        self.done += 1
        return k.detach(), bicubic.item()


def generator_from(state: dict[str, Tensor]) -> Generator:
    """Our generator with weights under the authors' names."""
    net = Generator()
    for mine, theirs in zip(net.layers, state.values()):
        mine.data.copy_(theirs)
    return net


def discriminator_from(state: dict[str, Tensor]) -> Discriminator:
    """Our discriminator with weights under the authors' names."""
    net = Discriminator()
    blocks = [f"feature_block.{3 * i}" for i in range(5)]
    norms = [f"feature_block.{3 * i + 1}" for i in range(5)]
    rows = {
        "first": state["first_layer.weight_orig"].flatten(1),
        "first_bias": state["first_layer.bias"],
        "u_first": state["first_layer.weight_u"],
        "hidden": torch.stack([state[f"{b}.weight_orig"].flatten(1) for b in blocks]),
        "hidden_bias": torch.stack([state[f"{b}.bias"] for b in blocks]),
        "u_hidden": torch.stack([state[f"{b}.weight_u"] for b in blocks]),
        "gain": torch.stack([state[f"{b}.weight"] for b in norms]),
        "shift": torch.stack([state[f"{b}.bias"] for b in norms]),
        "last": state["final_layer.0.weight_orig"].flatten(1),
        "last_bias": state["final_layer.0.bias"],
    }
    net.load_state_dict(rows, strict=True)
    return net
