"""Training of our GLEAN (gansr.papers.glean.own): stages, and checkpoints that resume bit by bit.

The paper (arXiv 2012.00739 §3.3) trains 300,000 steps with L2, a VGG loss and a StyleGAN2 discriminator. We use the
same three terms in a small form (gansr.papers.glean.losses), in stages, each with a new optimiser and from the averaged
weights:
- "plain": without the bank, L1 + LPIPS; the encoder and the decoder learn to enlarge;
- "invert": the encoder's trunk and the decoder stay fixed; pyramid, latent and fusions learn to bring the bank to the
  features and rows behind a synthetic face, which are known;
- "full": with the bank and the discriminator.
The control is the same configuration with `"bank": false` in its last stages. The robust model starts from
glean-face-x8 and sees degraded inputs (gansr.papers.glean.degraded). It trains the parts that read the input and draw
the result, and leaves the projection out: its result must not contain the input's noise.

The lower half of the network sees the whole face, the upper half and the losses a window of it (18² px of the input, of
which the losses see the inner 16²), which makes a step three times cheaper. For a window at the picture's border the
losses reach up to the border, so borders are learnt too.

On a GPU the faces lie in its memory, and what is random about a picture is drawn there, for the whole batch at once, so
that no step waits for the processor. The random numbers are others than those of a training on the CPU.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gansr.nets.alexnet import LpipsAlex
from gansr.nets.mobilestylegan import MobileStyleGAN
from gansr.nets.vgg import LpipsVgg
from gansr.ops.projection import DownscaleProjection, downscale_matrix
from gansr.papers.glean import losses
from gansr.papers.glean.batched import Degrader, generator_on
from gansr.papers.glean.config import Config, Stage, learning_rate
from gansr.papers.glean.degraded import degraded
from gansr.papers.glean.own import GleanOwn, Window
from gansr.papers.glean.synthetic import Codes, codes_of, face, mean_row, rows_behind
from gansr.papers.training_loop import move_averages
from gansr.weights.tensors import serialise

CPU = torch.device("cpu")


def uncompiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function unchanged; stands in for torch.compile."""
    return function


@dataclass
class Resources:
    """Frozen networks, pictures and device of a training."""

    bank: MobileStyleGAN
    lpips: LpipsVgg
    alex: LpipsAlex
    pictures: np.ndarray | Tensor  # (N,S,S,3) uint8; a tensor lies on the device
    whole: np.ndarray  # indices of the pictures that are not cropped, for the stages "invert"
    device: torch.device = CPU
    compile: Callable[[Callable[..., Any]], Callable[..., Any]] = uncompiled  # torch.compile, or nothing


class Training:
    """The state of one run: networks, optimisers, averaged weights, random generator, stage and step."""

    def __init__(self, config: Config, resources: Resources):
        self.config, self.resources = config, resources
        self.dtype = getattr(torch, config.precision)
        draws = torch.Generator().manual_seed(config.seed)
        with torch.random.fork_rng(devices=[]):  # initial weights come from torch's own generator
            torch.manual_seed(config.seed)
            self.net = GleanOwn(**config.net)
            self.discriminator = losses.Discriminator()
        self.draws = draws
        self.on_cpu = resources.device.type == "cpu"
        self.dice = draws if self.on_cpu else generator_on(resources.device, config.seed)
        form: Any = {"memory_format": torch.channels_last}
        self.net.to(resources.device, **form)
        self.discriminator.to(resources.device)
        self.bank = deepcopy(resources.bank).to(resources.device)
        self.net.calibrate(self.bank, draws)
        self.mean = mean_row(self.bank)
        self.bank.body.to(dtype=self.dtype, **form)
        self.average = deepcopy(self.net).requires_grad_(False)
        self.lpips = deepcopy(resources.lpips).to(resources.device, self.dtype, **form)
        self.alex = deepcopy(resources.alex).to(resources.device)
        self.window_projection = DownscaleProjection(downscale_matrix(config.window, self.net.factor)).to(
            resources.device
        )
        self.projection = self.net.projection
        self.standard = losses.colours(resources.device)
        self.codes: Codes | None = None  # of all faces, on a GPU
        self.degrader: Degrader | None = None
        if config.degraded and not self.on_cpu:
            self.degrader = Degrader(self.net.side, self.net.factor, resources.device)
        self.stage, self.step, self.spent, self.images = 0, 0, 0.0, 0
        self.finest = resources.compile(self._finest)
        self.lower = resources.compile(self._lower)
        self.upper = resources.compile(self._upper)
        self.taps = resources.compile(self._taps)
        self.begin()

    def _finest(
        self, x: Tensor
    ) -> Tensor:  # compiled by itself: torch.compile mixes up memory layouts where the bank is in one graph
        return self.net.finest(x)

    def _lower(self, finest: Tensor) -> Any:
        return self.net.lower(finest, self.bank)

    def _upper(self, parts: Any, bank: bool, noises: list[Tensor]) -> Tensor:
        return self.net.upper(parts, self.bank if bank else None, noises)

    def _taps(self, x: Tensor) -> list[Tensor]:
        return losses.taps(self.lpips, x, self.standard)

    # -------------------------------------------------------------------------------------------- state

    @property
    def now(self) -> Stage:
        return self.config.stages[self.stage]

    @property
    def done(self) -> bool:
        return self.stage >= len(self.config.stages)

    @property
    def at(self) -> tuple[str, int]:
        return "" if self.done else self.now.name, self.step

    def begin(self) -> None:
        """Start the stage: new optimisers, the averaged weights, the parameters that this kind of stage trains."""
        stage = self.now
        self.net.load_state_dict(self.average.state_dict())
        names = {"invert": ("pyramid", "squeeze", "latent", "fusions")}.get(stage.kind, self.config.parts)
        for name, parameter in self.net.named_parameters():
            parameter.requires_grad_(not names or name.split(".")[0] in names)
        learning = [p for p in self.net.parameters() if p.requires_grad]
        self.optimiser = torch.optim.Adam(learning, lr=stage.lr, betas=(0.9, 0.99), fused=True)
        self.discriminator_optimiser = torch.optim.Adam(
            self.discriminator.parameters(), lr=self.config.discriminator_lr, betas=(0.9, 0.99), fused=True
        )

    def advance(self) -> None:
        """Count a step; start the next stage where this one is over."""
        self.step += 1
        self.images += self.now.batch
        if self.step >= self.now.steps:
            self.stage, self.step = self.stage + 1, 0
            if not self.done:
                self.begin()

    def start_from(self, weights: Mapping[str, Tensor]) -> None:
        """Start the first stage from these weights of the network. Raises RuntimeError where they do not fit."""
        self.average.load_state_dict(weights)
        self.begin()

    def state(self) -> dict[str, Any]:
        """Everything `restore` needs to continue bit by bit; a checkpoint's content."""
        return {
            "at": [self.stage, self.step, self.images],
            "spent": self.spent,
            "draws": self.draws.get_state(),
            "dice": self.dice.get_state(),
            **{name: getattr(self, name).state_dict() for name in ("net", "discriminator", "average")},
            **{name: getattr(self, name).state_dict() for name in ("optimiser", "discriminator_optimiser")},
        }

    def restore(self, state: Mapping[str, Any], only_nets: bool = False) -> None:
        """Continue from `state`; only_nets: start this configuration's first stage from its averaged network and its
        discriminator. A stage without a step yet starts as always, so a finished run can be extended."""
        self.images, self.spent = state["at"][2], state["spent"]
        for name in ("average", "discriminator"):
            getattr(self, name).load_state_dict(state[name])
        if not only_nets:
            self.stage, self.step = state["at"][:2]
            self.draws.set_state(state["draws"].cpu())
            if not self.on_cpu and "dice" in state:
                self.dice.set_state(state["dice"].cpu())
        if self.done:
            self.net.load_state_dict(state["net"])
            return
        self.begin()
        if self.step:
            for name in ("net", "optimiser", "discriminator_optimiser"):
                getattr(self, name).load_state_dict(state[name])

    # -------------------------------------------------------------------------------------------- steps

    def autocast(self) -> AbstractContextManager[Any]:
        reduced = self.dtype != torch.float32
        return torch.autocast(self.resources.device.type, dtype=self.dtype, enabled=reduced)

    def random_integers(self, n: int, below: int) -> list[int]:
        return torch.randint(below, (n,), generator=self.draws).tolist()

    def pair(self, chosen: list[int], varied: bool) -> tuple[Tensor, Tensor]:
        """Indices of faces → (input (B,3,side,side), truth) in [−1,1]; varied: with random changes, see `vary`."""
        high = self.faces(chosen).permute(0, 3, 1, 2).float() / 255
        if varied:
            high = self.vary(high)
        if varied and self.config.degraded:
            low = self.degrade(high)
        else:
            low = (self.projection.downscale(high).clamp(0, 1) * 255).round() / 255
        return low * 2 - 1, high * 2 - 1

    def faces(self, chosen: list[int]) -> Tensor:
        """The pictures of these indices, (B,S,S,3) uint8 on the device."""
        pictures = self.resources.pictures
        if isinstance(pictures, Tensor):
            return torch.stack([pictures[i] for i in chosen])
        return torch.stack([torch.from_numpy(pictures[i].copy()) for i in chosen]).to(self.resources.device)

    def degrade(self, high: Tensor) -> Tensor:
        """Truths (B,3,H,W) in [0,1] → inputs, of which the configuration's share is degraded."""
        share = self.config.degraded
        if self.degrader is not None:
            return self.degrader(high, share, self.dice)
        return torch.stack([degraded(h, self.net.factor, share, self.draws) for h in high])

    def known(self, chosen: list[int]) -> Codes:
        """The codes behind these faces, on the device."""
        seed, style, rows = self.config.seed, self.bank.style, self.bank.style_rows
        if self.on_cpu:
            return codes_of([face(seed, i, style) for i in chosen], rows)
        if self.codes is None:
            every = [face(seed, i, style) for i in range(int(self.resources.whole[-1]) + 1)]
            self.codes = codes_of(every, rows).to(self.resources.device)
        return self.codes.of(chosen)

    def vary(self, high: Tensor) -> Tensor:
        """Random mirroring, gamma, and gain and offset per channel: (B,3,H,W) in [0,1] → the same, rounded to 8 bit."""
        u = torch.rand(len(high), 8, generator=self.dice, device=high.device)
        high = torch.where((u[:, 0] < 0.5)[:, None, None, None], high.flip(-1), high)
        gamma = (2 * u[:, 1] - 1).mul(0.25).exp()[:, None, None, None]
        gain = (1 + 0.3 * (u[:, 2:3] - 0.5) + 0.16 * (u[:, 3:6] - 0.5))[..., None, None]
        lift = (0.16 * (u[:, 6:7] - 0.5))[..., None, None]
        return ((high.clamp(1e-4) ** gamma * gain + lift).clamp(0, 1) * 255).round() / 255

    def windows(self) -> tuple[Window, Window]:
        """A random window, in px of the input, and the part of it that the losses see, in px of the window."""
        side, margin, whole = self.config.window, self.config.margin, self.net.side
        last = whole - side
        top, left = (min(max(i - 2, 0), last) for i in self.random_integers(2, last + 5))
        t, l = (0 if i == 0 else 2 * margin if i == last else margin for i in (top, left))
        return Window(top, left, side), Window(t, l, side - 2 * margin)

    def train_step(self) -> dict[str, Tensor]:
        """One step of the network and, where its weight is not 0, of the discriminator. Returns the loss terms."""
        stage, config = self.now, self.config
        x, y = self.pair(self.random_integers(stage.batch, len(self.resources.pictures)), varied=True)
        window, inner = self.windows()
        noises = self.net.noises(self.bank if stage.bank else None, window)
        with self.autocast():
            finest = self.finest(x)
            parts = self.lower(finest) if stage.bank else self.net.lower(finest, None)
            parts = self.net.cut(parts, window)
            r = self.upper(parts, stage.bank, noises).float()
        seen = GleanOwn.join(window.cut(x, 1), r, self.window_projection, self.net.projected)
        ours, true = (
            inner.cut(seen, self.net.factor),
            inner.cut(window.cut(y, self.net.factor), self.net.factor),
        )
        with torch.no_grad():
            true_taps = self.taps(true.contiguous())
        our_taps = self.taps(ours.contiguous())
        terms = {"l1": (ours - true).abs().mean()}
        terms["lpips"] = losses.perceptual(self.lpips, our_taps, true_taps)
        terms["shrunk"] = self.window_projection.downscale(r).abs().mean()
        total = terms["l1"] + stage.perceptual * terms["lpips"] + config.shrunk * terms["shrunk"]
        if stage.alex:
            terms["alex"] = self.alex(ours / 2 + 0.5, true / 2 + 0.5).mean()
            total = total + stage.alex * terms["alex"]
        if stage.adversary:
            self.discriminator.requires_grad_(False)
            with self.autocast():
                terms["generator"] = losses.generator_loss(self.discriminator(our_taps))
            total = total + stage.adversary * terms["generator"]
        self.descend(self.optimiser, total, self.net)
        if stage.adversary:
            self.discriminator.requires_grad_(True)
            with self.autocast():
                terms["discriminator"] = losses.discriminator_loss(
                    self.discriminator(true_taps), self.discriminator([f.detach() for f in our_taps])
                )
            self.descend(self.discriminator_optimiser, terms["discriminator"], self.discriminator)
        return {**terms, "total": total}

    def invert_step(self) -> dict[str, Tensor]:
        """One step towards the bank's features and latent rows behind known faces. Returns the loss terms."""
        chosen = [
            int(self.resources.whole[i])
            for i in self.random_integers(self.now.batch, len(self.resources.whole))
        ]
        x, _ = self.pair(chosen, varied=False)
        with torch.no_grad():
            rows = rows_behind(self.bank, self.known(chosen), self.mean)
        with self.autocast():
            feature_loss, row_loss = self.inversion(x, rows)
        total = feature_loss + 0.3 * row_loss
        self.descend(self.optimiser, total, self.net)
        return {"features": feature_loss, "rows": row_loss, "total": total}

    def inversion(self, x: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Relative squared errors of the fused features (4² to (2·side)²) and of the rows."""
        net = self.net
        found, mine = net.encode(net.finest(x))
        with torch.no_grad():
            true = self.whole_bank(rows)
        ours = net.bank_features(found, mine, self.bank)[: net.depth + 2]
        terms = [
            ((a - b).float() / net.levels[i]).square().mean() for i, (a, b) in enumerate(zip(ours, true))
        ]
        spread = (rows - self.mean).square().mean()
        return torch.stack(terms).mean(), (mine.float() - rows[:, : net.rows]).square().mean() / spread

    def whole_bank(self, rows: Tensor) -> list[Tensor]:
        """The bank's own features for these rows, from 4² to (2·side)²."""
        scales = self.bank.scales(rows, 0, self.net.height)
        found = [self.bank.body.dense(scales[0])]
        for i in range(self.net.depth + 1):
            found.append(self.bank.body.blocks[i](found[-1], scales[1 + 2 * i], scales[2 + 2 * i]))
        return found

    def descend(self, optimiser: torch.optim.Optimizer, loss: Tensor, net: nn.Module) -> None:
        """One step of the optimiser on `loss`, with the gradient of `net` clipped."""
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_([p for p in net.parameters() if p.grad is not None], self.config.clip)
        optimiser.step()

    def do_step(self) -> dict[str, Tensor]:
        """The next step of the current stage; then the averaged weights are updated. Returns the loss terms."""
        clock = time.process_time if self.resources.device.type == "cpu" else time.monotonic
        began = clock()
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(self.now, self.step)
        terms = self.invert_step() if self.now.kind == "invert" else self.train_step()
        self.update_average()
        self.advance()
        self.spent += clock() - began
        return {name: term.detach() for name, term in terms.items()}

    @torch.no_grad()
    def update_average(self) -> None:
        """Exponential average of the weights; its decay rises to `average` from the stage's start."""
        pairs = zip(self.average.parameters(), self.net.parameters())
        learning = ((mean, ours) for mean, ours in pairs if ours.requires_grad)
        move_averages(learning, self.step, self.config.average)

    # -------------------------------------------------------------------------------------------- evaluation

    @torch.no_grad()
    def enlarge(self, low: Tensor, bank: bool) -> Tensor:
        """The averaged network on inputs (B,3,side,side) in [0,1] → 8-bit pictures (B,3,H,W) in [0,1], on the inputs'
        device."""
        with self.autocast():
            y = self.average_forward(low.to(self.resources.device), bank)
        return (y.clamp(0, 1) * 255).round().div(255).to(low.device)

    def average_forward(self, low: Tensor, bank: bool) -> Tensor:
        """The averaged network in the training's precision: like `enlarge`, not rounded."""
        net, used = self.average, self.bank if bank else None
        parts = net.lower(net.finest(low * 2 - 1), used)
        r = net.upper(parts, used, net.noises(used)).float()
        with torch.autocast(self.resources.device.type, enabled=False):
            return net.join(low * 2 - 1, r, net.projection, net.projected) / 2 + 0.5


def exported(net: GleanOwn) -> bytes:
    """The network as the content of the safetensors file that is shipped: the trained part alone, float16."""
    return serialise({key: value.detach().cpu().half() for key, value in net.state_dict().items()})
