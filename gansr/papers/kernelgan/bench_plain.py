"""KernelGAN layer by layer, as the paper describes it: what the optimised form is measured and tested against.

Not part of the app. It gives the same numbers as `trainer` with `paper=True` (tests), and it also has the biases
before the batch norms, the running statistics and the eval mode.
"""

from __future__ import annotations

import warnings

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gansr.papers.kernelgan.losses import bicubic_target, centre_crop, penalty_mask
from gansr.papers.kernelgan.networks import KERNEL_SIDE, WIDTH, Discriminator, Generator
from gansr.papers.kernelgan.schedule import Schedule


def sum_loss(k: Tensor) -> Tensor:
    """|1 − Σk|"""
    return (1 - k.sum()).abs()


def boundary_loss(k: Tensor) -> Tensor:
    """mean |k·M|"""
    return (k * penalty_mask()).abs().mean()


def centre_loss(k: Tensor) -> Tensor:
    """Mean squared distance of the centre of mass, row and column, to 6.5."""
    axis = torch.arange(KERNEL_SIDE, dtype=k.dtype)
    mass = torch.stack([k.sum(1) @ axis, k.sum(0) @ axis]) / k.sum()
    return (mass - 6.5).square().mean()


def sparse_loss(k: Tensor) -> Tensor:
    """mean |k|^0.2"""
    return k.abs().pow(0.2).mean()


def gan_loss(scores: Tensor, real: bool) -> Tensor:
    """mean |D − 1| for a real input, mean |D| for a fake one."""
    return (scores - float(real)).abs().mean()


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
        """The (13,13) kernel: the response to a single bright pixel, flipped."""
        y = F.pad(torch.ones(1, 1, 1, 1, dtype=self.first_layer.weight.dtype), [KERNEL_SIDE - 1] * 4)
        for weight in self.parameters():
            y = F.conv2d(y, weight)
        return y[0, 0].flip([0, 1])


class PlainDiscriminator(nn.Module):
    """D as layers: (1,3,H,W) in [−1,1] → (1,1,H−6,W−6) in (0,1)."""

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
    with (
        warnings.catch_warnings()
    ):  # torch's successor does 15 power iterations first, the authors' function none
        warnings.simplefilter("ignore", FutureWarning)
        return nn.utils.spectral_norm(layer)


class PlainTrainer:
    """The authors' training; `iterate` is one whole iteration."""

    def __init__(self, steps: int = 3000):
        self.g, self.d = PlainGenerator(), PlainDiscriminator().train()
        self.schedule, self.done = Schedule(steps), 0
        nets = (self.g, self.d)
        self.optimisers = [torch.optim.Adam(net.parameters(), lr=2e-4, betas=(0.5, 0.999)) for net in nets]

    def iterate(self, x: Tensor, real: Tensor, noise: Tensor) -> tuple[Tensor, float]:
        """x (1,3,64,64), real (1,3,26,26), noise of the fake (1,3,26,26), all in [−1,1] → (kernel, bicubic loss)."""
        s = self.schedule
        self.optimisers[0].zero_grad()
        fake, k = self.g(x), self.g.kernel()
        bicubic = (fake[0] - centre_crop(bicubic_target(x[0], paper=True), fake.shape[-1])).square().mean()
        loss = gan_loss(self.d(fake), True) + s.bicubic * bicubic + s.sum_to_one * sum_loss(k)
        loss = loss + s.boundaries * boundary_loss(k)
        loss = loss + s.centralised * centre_loss(k) + s.sparse * sparse_loss(k)
        loss.backward()
        self.optimisers[0].step()
        self.optimisers[1].zero_grad()
        scores = self.d(real)
        fake = self.g(x)
        loss = (gan_loss(scores, True) + gan_loss(self.d((fake + noise).detach()), False)) / 2
        loss.backward()
        self.optimisers[1].step()
        s.update(self.done, bicubic.item())
        self.done += 1
        return k.detach(), bicubic.item()


def generator_from(state: dict[str, Tensor]) -> Generator:
    """Our generator with the authors' weights, by layer name."""
    net = Generator()
    for mine, theirs in zip(net.layers, state.values()):
        mine.data.copy_(theirs)
    return net


def discriminator_from(state: dict[str, Tensor]) -> Discriminator:
    """Our discriminator with the authors' state, by entry name."""
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
