"""Training of SRGAN's five networks (gansr.papers.srgan.losses.VARIANTS), with checkpoints that resume bit by bit.

The paper (section 3.2): crops of 96 px, batch 16, Adam with β1 0.9; SRResNet-MSE 10⁶ steps at 1e-4; the others start
from it and take 10⁵ steps at 1e-4 and 10⁵ at 1e-5, one step of the discriminator for each of the generator. Here the
number of steps is chosen, the first half is at `lr` and the second at a tenth of it; of a training that ends after some
minutes, the second half of the minutes is too.

How we differ:
- The result is the exponential average of the weights and of batch norm's statistics; the paper has none.
- The generator's result goes through the discriminator once a step: the losses of both networks are functions of the
  same logits. Both networks therefore step from the same weights; alternating steps, as the paper has them, would draw
  a second result. The gradients are those of the plain losses.
- Crops are mirrored at random.
- Of fine-tuning: batch norm may keep the statistics of its start (`Config.norm`), the discriminator may start from a
  trained one (gansr.papers.srgan.patches.whole) and learn alone at first (`Config.warm_up`).
- VGG22 takes averages instead of maxima, and the total variation beside it has another weight
  (gansr.papers.srgan.losses).
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from gansr.metrics.psnr import psnr_y
from gansr.nets.vgg import Vgg19
from gansr.papers.recorded import Recorded
from gansr.papers.srgan import losses
from gansr.papers.srgan.discriminator import Discriminator
from gansr.papers.srgan.losses import VARIANTS
from gansr.papers.srgan.network import SRResNet
from gansr.papers.srgan.pairs import Pairs, Resident
from gansr.papers.training_loop import move_averages
from gansr.weights.tensors import serialise

CPU = torch.device("cpu")
WARM_UP = 1e-4  # the rate of a discriminator that learns alone
Net = TypeVar("Net", bound=nn.Module)


@dataclass(frozen=True)
class Config:
    """One training."""

    variant: str  # a key of VARIANTS
    steps: int = 3000
    lr: float = 1e-4  # of the first half; a tenth of it in the second
    batch: int = 16
    side: int = 96  # px of a crop of the truth
    average: float = 0.999  # decay of the averaged weights
    seed: int = 0
    precision: str = "float32"  # a dtype's name in torch, of the convolutions
    total_variation: float = losses.TOTAL_VARIATION  # its weight beside VGG22
    maxima: bool = False  # whether VGG22 takes maxima, as in the paper, or averages
    minutes: float = math.inf  # after which it ends
    wall_clock: bool = False  # they are counted by the clock, not as processor time
    norm: str = "batch"  # of batch norm: the statistics of the "batch", or the "stored" ones of the start
    warm_up: int = 0  # steps that the discriminator learns alone, at first

    def rate(self, step: int, spent: float = 0.0) -> float:
        """The learning rate of a step that begins after `spent` seconds."""
        first = 2 * step < self.steps and 2 * spent < 60 * self.minutes
        return self.lr if first else self.lr / 10


class Training:
    """The state of a training: networks, optimisers, averaged weights, random generator, step."""

    def __init__(
        self,
        config: Config,
        net: SRResNet,
        pairs: Pairs | Resident,
        vgg: Vgg19 | None = None,
        device: torch.device = CPU,
        discriminator: Discriminator | None = None,
    ):
        """`net` is not changed. vgg: of the content losses vgg22 and vgg54. discriminator: what it starts from,
        the paper's with new weights unless given; it is not changed either."""
        self.config, self.pairs, self.device = config, pairs, device
        self.variant = VARIANTS[config.variant]
        self.dtype = getattr(torch, config.precision)
        self.draws = torch.Generator().manual_seed(config.seed)
        form: Any = {"memory_format": torch.channels_last}
        self.net = deepcopy(net).requires_grad_(True).train(config.norm == "batch")
        self.net.to(device, **form)
        self.average = deepcopy(self.net).requires_grad_(False).eval()
        copied = losses.averaging if self.variant.content == "vgg22" and not config.maxima else deepcopy
        self.vgg = None if vgg is None else copied(vgg).to(device, **form)
        self.optimiser = adam(self.net, config.lr)
        self.discriminator = self.discriminator_optimiser = None
        if self.variant.adversarial:
            with torch.random.fork_rng(devices=[]):  # initial weights come from torch's own generator
                torch.manual_seed(config.seed)
                made = deepcopy(discriminator) or initialised(Discriminator(config.side))
            self.discriminator = made.requires_grad_(True).train().to(device, **form)
            self.discriminator_optimiser = adam(self.discriminator, config.lr)
        self.step, self.images, self.spent = 0, 0, 0.0
        on_gpu = device.type == "cuda"
        self.learn, self.learn_alone = (
            Recorded(step) if on_gpu else step for step in (self.descend, self.warm_up)
        )

    # -------------------------------------------------------------------------------------------- state

    @property
    def done(self) -> bool:
        return self.step >= self.config.steps

    @property
    def optimisers(self) -> tuple[torch.optim.Adam, ...]:
        judging = self.discriminator_optimiser
        return (self.optimiser,) if judging is None else (self.optimiser, judging)

    @property
    def rate(self) -> float:
        """The learning rate of the next step."""
        return self.config.rate(self.step, self.spent)

    @property
    def warming(self) -> bool:
        """Whether the discriminator learns alone in the next step."""
        return self.discriminator is not None and self.step < self.config.warm_up

    @property
    def at(self) -> tuple[str, int]:
        return "the discriminator alone" if self.warming else f"lr {self.rate:g}", self.step

    def _parts(self) -> dict[str, Any]:
        parts = {"net": self.net, "average": self.average, "optimiser": self.optimiser}
        if self.discriminator is not None:
            parts |= {"discriminator": self.discriminator}
            parts |= {"discriminator_optimiser": self.discriminator_optimiser}
        return parts

    def state(self) -> dict[str, Any]:
        """Everything `restore` needs to continue bit by bit; a checkpoint's content."""
        plain = {"variant": self.config.variant, "at": [self.step, self.images], "spent": self.spent}
        parts = {name: part.state_dict() for name, part in self._parts().items()}
        return {**plain, "draws": self.draws.get_state(), **parts}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from `state`. Raises ValueError for that of another variant or network."""
        if state.get("variant") != self.config.variant:
            raise ValueError(f"it is a training of {state.get('variant')}, not of {self.config.variant}")
        try:
            for name, part in self._parts().items():
                part.load_state_dict(state[name])
        except (RuntimeError, KeyError) as error:
            raise ValueError(f"it is a training of another network ({type(error).__name__})") from error
        for optimiser in self.optimisers:
            ready(optimiser)
        (self.step, self.images), self.spent = state["at"], state["spent"]
        self.draws.set_state(state["draws"].cpu())

    # -------------------------------------------------------------------------------------------- steps

    def autocast(self) -> AbstractContextManager[Any]:
        return torch.autocast(self.device.type, dtype=self.dtype, enabled=self.dtype != torch.float32)

    def do_step(self) -> Mapping[str, Tensor]:
        """The next step of the generator and, where there is one, of the discriminator. Returns the loss terms."""
        began = self.clock()
        low, high = self.pairs.crops(self.config.batch, self.config.side, self.draws)
        warming = self.warming
        for optimiser in self.optimisers:
            set_rate(optimiser, WARM_UP if warming else self.rate)
        learn = self.learn_alone if warming else self.learn
        terms = learn(low.to(self.device), high.to(self.device) * 2 - 1)
        if not warming:
            self.update_average()
        self.step += 1
        self.images += self.config.batch
        self.spent += self.clock() - began
        return terms

    def clock(self) -> float:
        """Seconds by which `spent` is counted."""
        computing = self.device.type == "cpu" and not self.config.wall_clock
        return time.process_time() if computing else time.monotonic()

    def descend(self, low: Tensor, true: Tensor) -> dict[str, Tensor]:
        """One step of both optimisers on small pictures in [0,1] and their truths in [−1,1]."""
        with self.autocast():
            ours = self.net(low) * 2 - 1
        terms = {"content": losses.content_loss(self.features(ours), self.wanted(true))}
        total = terms["content"]
        if self.variant.total_variation:
            terms["variation"] = losses.total_variation(ours.float())
            total = total + self.config.total_variation * terms["variation"]
        if self.discriminator is not None and self.discriminator_optimiser is not None:
            with self.autocast():
                logits, theirs = self.discriminator(ours), self.discriminator(true)
            terms["adversarial"] = losses.adversarial_loss(logits.float())
            terms["discriminator"] = losses.discriminator_loss(theirs.float(), logits.float())
            total = total + losses.ADVERSARIAL * terms["adversarial"]
            gradients(terms["discriminator"], self.discriminator, retain=True)
        gradients(total, self.net)
        self.optimiser.step()
        if self.discriminator_optimiser is not None:
            self.discriminator_optimiser.step()
        return {name: term.detach() for name, term in {**terms, "total": total}.items()}

    def warm_up(self, low: Tensor, true: Tensor) -> dict[str, Tensor]:
        """One step of the discriminator alone; pictures as in `descend`."""
        assert self.discriminator is not None and self.discriminator_optimiser is not None
        with self.autocast():
            with torch.no_grad():
                ours = self.net(low) * 2 - 1
            logits, theirs = self.discriminator(ours), self.discriminator(true)
        loss = losses.discriminator_loss(theirs.float(), logits.float())
        gradients(loss, self.discriminator)
        self.discriminator_optimiser.step()
        return {"discriminator": loss.detach()}

    def features(self, x: Tensor) -> Tensor:
        if self.variant.content == "mse":
            return x
        assert self.vgg is not None, "this content loss needs VGG19"
        with self.autocast():
            return losses.features(self.vgg, self.variant.content, x).to(x.dtype)

    @torch.no_grad()
    def wanted(self, true: Tensor) -> Tensor:
        """The features of the truth."""
        return self.features(true)

    @torch.no_grad()
    def update_average(self) -> None:
        """Exponential average of the weights and of batch norm's statistics; its decay rises to `average`."""
        pairs = [*zip(self.average.state_dict().values(), self.net.state_dict().values())]
        floats = (pair for pair in pairs if pair[0].is_floating_point())
        move_averages(floats, self.step, self.config.average)
        for mean, ours in pairs:
            if not mean.is_floating_point():
                mean.copy_(ours)

    # --------------------------------------------------------------------------------------- evaluation

    @torch.no_grad()
    def enlarge(self, low: Tensor) -> Tensor:
        """The averaged network on small pictures (N,3,H,W) in [0,1], on the CPU, as pictures in [0,1]."""
        with self.autocast():
            return self.average(low.to(self.device)).float().clamp(0, 1).cpu()


def adam(net: nn.Module, lr: float) -> torch.optim.Adam:
    """The paper's optimiser."""
    made = torch.optim.Adam(net.parameters(), lr=lr, betas=(0.9, 0.999), fused=True)
    ready(made)
    return made


def ready(optimiser: torch.optim.Optimizer) -> None:
    """On a GPU the rate is a tensor, which a recorded step reads. A checkpoint may come from the other device."""
    for group in optimiser.param_groups:
        on_gpu = group["params"][0].is_cuda
        group["capturable"], rate = on_gpu, float(group["lr"])
        group["lr"] = torch.tensor(rate, device=group["params"][0].device) if on_gpu else rate


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """The learning rate of the next step."""
    for group in optimiser.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


def gradients(loss: Tensor, net: nn.Module, retain: bool = False) -> None:
    """Put the gradient of `loss` into the parameters of `net`, and of no other network."""
    parameters = list(net.parameters())
    for parameter, found in zip(
        parameters, torch.autograd.grad(loss, parameters, retain_graph=retain), strict=True
    ):
        parameter.grad = found


def initialised(net: Net) -> Net:
    """He's initialisation (Kaiming normal, fan in, zero biases), as Lornatang's; the paper has none."""
    for module in net.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return net


def mean_psnr(ours: Tensor, true: Tensor, rim: int = 4) -> float:
    """The mean PSNR on Y of pictures (N,3,H,W) in [0,1], `rim` px left out on each side, dB."""
    return sum(psnr_y(a, b, rim) for a, b in zip(ours, true)) / len(true)


def exported(net: nn.Module) -> bytes:
    """The network as the content of a safetensors file, float16."""
    state = net.state_dict().items()
    return serialise({key: value.half() if value.is_floating_point() else value for key, value in state})
