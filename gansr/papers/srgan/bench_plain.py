"""The training step of SRGAN as it is usually written: what the bench and the tests compare ours with.

Each network in its turn: the discriminator on a result drawn for it, then the generator on another drawing; VGG19 on
both pictures; all in the memory layout and the dtype that the networks have.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gansr.nets.vgg import Vgg19
from gansr.papers.srgan import losses
from gansr.papers.srgan.discriminator import Discriminator
from gansr.papers.srgan.losses import Variant
from gansr.papers.srgan.network import SRResNet


class PlainStep:
    """A training of one variant. `net` and `discriminator` are changed; `optimiser` makes one of a network."""

    def __init__(
        self,
        variant: Variant,
        net: SRResNet,
        discriminator: Discriminator | None,
        vgg: Vgg19 | None,
        optimiser: Any,
    ):
        self.variant, self.net, self.discriminator, self.vgg = variant, net, discriminator, vgg
        self.optimiser = optimiser(net)
        self.discriminator_optimiser = None if discriminator is None else optimiser(discriminator)

    def __call__(self, low: Tensor, true: Tensor) -> Tensor:
        """One step on small pictures in [0,1] and truths in [−1,1]; returns the generator's loss."""
        judge = self.discriminator
        gradients = []
        if judge is not None:
            with torch.no_grad():
                fake = self.net(low) * 2 - 1
            real, other = judge(true), judge(fake)
            apart = F.binary_cross_entropy_with_logits(real, torch.ones_like(real))
            apart = apart + F.binary_cross_entropy_with_logits(other, torch.zeros_like(other))
            gradients = torch.autograd.grad(apart, list(judge.parameters()))
        made = self.net(low) * 2 - 1
        loss = self.content(made, true)
        if self.variant.total_variation:
            loss = loss + self.variant.total_variation * losses.total_variation(made)
        if judge is not None:
            said = judge(made)
            loss = loss + losses.ADVERSARIAL * F.binary_cross_entropy_with_logits(said, torch.ones_like(said))
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()
        if judge is not None and self.discriminator_optimiser is not None:
            for parameter, found in zip(judge.parameters(), gradients):
                parameter.grad = found
            self.discriminator_optimiser.step()
        return loss.detach()

    def content(self, made: Tensor, true: Tensor) -> Tensor:
        if self.variant.content == "mse":
            return F.mse_loss(made, true)
        end, scale = losses.ENDS[self.variant.content], losses.SCALES[self.variant.content]
        assert self.vgg is not None
        ours, theirs = (self.features(self.vgg, end, x) for x in (made, true))
        return F.mse_loss(ours, theirs) * (scale / 12.75) ** 2

    @staticmethod
    def features(vgg: nn.Module, end: int, x: Tensor) -> Tensor:
        return vgg(x / 2 + 0.5, end)
