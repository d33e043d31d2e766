"""Training of our GLEAN (gansr.papers.glean.own): stages, checkpoints that resume bit-exactly, a log.

The paper (arXiv 2012.00739 §3.3) trains 300 k steps with L2, VGG and a StyleGAN2 adversary. Here the same three
terms in a small form (gansr.papers.glean.losses), in stages, each from a fresh optimiser and the averaged weights:
- "plain": no bank, L1 + LPIPS; the encoder and the decoder learn to enlarge;
- "invert": the encoder's trunk and the decoder stand still; pyramid, latent and fusions learn to bring the bank
  to the very features and rows behind a synthetic face, which are known;
- "full": the bank attached, the adversary on.
The control without a bank is the same configuration with `"bank": false` in its last stages.

The lower half of the network sees the whole face, the upper half and the losses a window of it (of 18² px of the
input, judged on the inner 16²), which makes a step three times cheaper. A window flush with the picture's border
is judged up to the border, so borders are learnt too.
"""

from __future__ import annotations

import dataclasses
import json
import math
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gansr.nets.alexnet import LpipsAlex
from gansr.nets.mobilestylegan import MobileStyleGAN
from gansr.nets.vgg import LpipsVgg
from gansr.ops.resize import imresize
from gansr.papers.glean import losses
from gansr.papers.glean.own import GleanOwn, Knowledge, Window
from gansr.papers.glean.synthetic import face, mean_row, rows_of
from gansr.weights.tensors import serialise


@dataclass(frozen=True)
class Stage:
    name: str
    kind: str  # "train" or "invert"
    steps: int
    lr: float
    bank: bool = True
    batch: int = 4
    perceptual: float = 0.5  # weight of LPIPS on VGG16
    alex: float = 0.0  # weight of LPIPS on AlexNet; where it is not 0, LPIPS-Alex is no independent measure
    adversary: float = 0.0  # weight of the adversarial term
    tail: float = 0.3  # the last share of the steps, in which the rate falls to zero along a cosine
    warm: int = 20  # steps in which the rate rises


@dataclass(frozen=True)
class Config:
    """One training. Read from JSON; unknown names are refused."""

    stages: tuple[Stage, ...]
    net: Mapping[str, Any] = field(default_factory=dict)
    faces: int = 4000
    seed: int = 1
    held: int = 50
    held_seed: int = 2
    window: int = 18
    margin: int = 1
    shrunk: float = 0.1  # weight of |D r|: keeps the addition sensible where the projection is switched off
    judge_lr: float = 2e-4
    clip: float = 1.0
    average: float = 0.998
    precision: str = "bfloat16"


def read_config(path: Path) -> Config:
    """A JSON file → Config. Raises TypeError naming a field that does not exist."""
    raw = json.loads(path.read_text())
    return Config(**{**raw, "stages": tuple(Stage(**stage) for stage in raw["stages"])})


def rate(stage: Stage, step: int) -> float:
    """The learning rate at a step of the stage: a short rise, a plateau, a cosine down to zero."""
    left = stage.steps - step
    tail = max(1.0, stage.tail * stage.steps)
    fall = 0.5 - 0.5 * math.cos(math.pi * min(1.0, left / tail))
    return stage.lr * min(1.0, (step + 1) / max(1, stage.warm)) * fall


CPU = torch.device("cpu")


def plain(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function as it is: what stands in for torch.compile."""
    return function


@dataclass
class Kit:
    """What a training works with besides its state. `compiled` turns a function into a faster one."""

    bank: MobileStyleGAN
    lpips: LpipsVgg
    alex: LpipsAlex
    pictures: np.ndarray  # (N,S,S,3) uint8
    whole: np.ndarray  # the indices whose picture is the whole face: `invert` takes these
    device: torch.device = CPU
    compiled: Callable[[Callable[..., Any]], Callable[..., Any]] = plain


class Training:
    """The state of one run: networks, optimisers, average, random draws, where it stands."""

    def __init__(self, config: Config, kit: Kit):
        self.config, self.kit = config, kit
        self.dtype = getattr(torch, config.precision)
        torch_state = torch.Generator().manual_seed(config.seed)
        with torch.random.fork_rng(devices=[]):  # initial weights come from torch's own generator
            torch.manual_seed(config.seed)
            self.net = GleanOwn(**config.net)
            self.judge = losses.Judge()
        self.net.calibrate(kit.bank, torch_state)
        self.draws = torch_state
        form: Any = {"memory_format": torch.channels_last}
        self.net.to(kit.device, **form)
        self.judge.to(kit.device)
        self.average = deepcopy(self.net).requires_grad_(False)
        self.mean = mean_row(kit.bank)
        self.bank = deepcopy(kit.bank).to(kit.device)
        self.bank.body.to(dtype=self.dtype, **form)
        self.lpips = deepcopy(kit.lpips).to(kit.device, self.dtype, **form)
        self.alex = deepcopy(kit.alex).to(kit.device)
        self.near = Knowledge(config.window, self.net.factor).to(kit.device)
        self.far = self.net.known
        self.stage, self.step, self.spent, self.images = 0, 0, 0.0, 0
        self.finest = kit.compiled(self._finest)
        self.lower = kit.compiled(self._lower)
        self.upper = kit.compiled(self._upper)
        self.taps = kit.compiled(self._taps)
        self.begin()

    def _finest(self, x: Tensor) -> Tensor:  # a graph of its own: in one with the bank, layouts go wrong
        return self.net.finest(x)

    def _lower(self, finest: Tensor) -> Any:
        return self.net.lower(finest, self.bank)

    def _upper(self, parts: Any, bank: bool, noises: list[Tensor]) -> Tensor:
        return self.net.upper(parts, self.bank if bank else None, noises)

    def _taps(self, x: Tensor) -> list[Tensor]:
        return losses.taps(self.lpips, x)

    # -------------------------------------------------------------------------------------------- state

    @property
    def now(self) -> Stage:
        return self.config.stages[self.stage]

    @property
    def done(self) -> bool:
        return self.stage >= len(self.config.stages)

    def begin(self) -> None:
        """Fresh optimisers for the stage that begins, which takes up the averaged weights."""
        stage = self.now
        self.net.load_state_dict(self.average.state_dict())
        names = {"invert": ("pyramid", "squeeze", "latent", "fusions")}.get(stage.kind)
        for name, parameter in self.net.named_parameters():
            parameter.requires_grad_(names is None or name.split(".")[0] in names)
        learning = [p for p in self.net.parameters() if p.requires_grad]
        self.optimiser = torch.optim.Adam(learning, lr=stage.lr, betas=(0.9, 0.99), fused=True)
        self.judging = torch.optim.Adam(
            self.judge.parameters(), lr=self.config.judge_lr, betas=(0.9, 0.99), fused=True
        )

    def advance(self) -> None:
        """One step further, into the next stage if this one is over."""
        self.step += 1
        self.images += self.now.batch
        if self.step >= self.now.steps:
            self.stage, self.step = self.stage + 1, 0
            if not self.done:
                self.begin()

    def state(self) -> dict[str, Any]:
        return {
            "at": [self.stage, self.step, self.images],
            "spent": self.spent,
            "draws": self.draws.get_state(),
            **{name: getattr(self, name).state_dict() for name in ("net", "judge", "average")},
            **{name: getattr(self, name).state_dict() for name in ("optimiser", "judging")},
        }

    def restore(self, state: Mapping[str, Any], only_nets: bool = False) -> None:
        """Continue from `state`; only_nets: begin this configuration's first stage from its averaged network and
        its judge. A stage that has no step yet begins as one always does: so a finished run can be lengthened."""
        self.images, self.spent = state["at"][2], state["spent"]
        for name in ("average", "judge"):
            getattr(self, name).load_state_dict(state[name])
        if not only_nets:
            self.stage, self.step = state["at"][:2]
            self.draws.set_state(state["draws"].cpu())
        if self.done:
            self.net.load_state_dict(state["net"])
            return
        self.begin()
        if self.step:
            for name in ("net", "optimiser", "judging"):
                getattr(self, name).load_state_dict(state[name])

    # -------------------------------------------------------------------------------------------- steps

    def precision(self) -> AbstractContextManager[Any]:
        wanted = self.dtype != torch.float32
        return torch.autocast(self.kit.device.type, dtype=self.dtype, enabled=wanted)

    def pick(self, n: int, below: int) -> list[int]:
        return torch.randint(below, (n,), generator=self.draws).tolist()

    def pair(self, chosen: list[int], varied: bool) -> tuple[Tensor, Tensor]:
        """Faces → (input (B,3,side,side), truth), in [−1,1]; `varied`: mirrored, brightened, tinted at random."""
        high = torch.stack([torch.from_numpy(self.kit.pictures[i].copy()) for i in chosen])
        high = high.permute(0, 3, 1, 2).float() / 255
        if varied:
            high = self.vary(high)
        high = high.to(self.kit.device)
        low = (self.far.shrink(high).clamp(0, 1) * 255).round() / 255
        return low * 2 - 1, high * 2 - 1

    def vary(self, high: Tensor) -> Tensor:
        """Mirroring, gain and offset per channel, gamma: (B,3,H,W) in [0,1] → the same, rounded to 8 bit."""
        u = torch.rand(len(high), 8, generator=self.draws)
        high = torch.where((u[:, 0] < 0.5)[:, None, None, None], high.flip(-1), high)
        gamma = (2 * u[:, 1] - 1).mul(0.25).exp()[:, None, None, None]
        gain = (1 + 0.3 * (u[:, 2:3] - 0.5) + 0.16 * (u[:, 3:6] - 0.5))[..., None, None]
        lift = (0.16 * (u[:, 6:7] - 0.5))[..., None, None]
        return ((high.clamp(1e-4) ** gamma * gain + lift).clamp(0, 1) * 255).round() / 255

    def windows(self) -> tuple[Window, Window]:
        """The window worked on and the part of it judged, in px of the input and of the window."""
        side, margin, whole = self.config.window, self.config.margin, self.net.side
        last = whole - side
        top, left = (min(max(i - 2, 0), last) for i in self.pick(2, last + 5))
        t, l = (0 if i == 0 else 2 * margin if i == last else margin for i in (top, left))
        return Window(top, left, side), Window(t, l, side - 2 * margin)

    def train_step(self) -> dict[str, Tensor]:
        """One step on the generator and, where it is on, the judge. Returns the loss terms, not yet moved."""
        stage, config = self.now, self.config
        x, y = self.pair(self.pick(stage.batch, len(self.kit.pictures)), varied=True)
        window, inner = self.windows()
        noises = self.net.noises(self.bank if stage.bank else None, window)
        with self.precision():
            finest = self.finest(x)
            parts = self.lower(finest) if stage.bank else self.net.lower(finest, None)
            parts = self.net.cut(parts, window)
            r = self.upper(parts, stage.bank, noises).float()
        seen = GleanOwn.join(window.cut(x, 1), r, self.near)
        ours, true = (
            inner.cut(seen, self.net.factor),
            inner.cut(window.cut(y, self.net.factor), self.net.factor),
        )
        with torch.no_grad():
            true_taps = self.taps(true.contiguous())
        our_taps = self.taps(ours.contiguous())
        terms = {"l1": (ours - true).abs().mean()}
        terms["lpips"] = losses.perceptual(self.lpips, our_taps, true_taps)
        terms["shrunk"] = self.near.shrink(r).abs().mean()
        total = terms["l1"] + stage.perceptual * terms["lpips"] + config.shrunk * terms["shrunk"]
        if stage.alex:
            terms["alex"] = self.alex(ours / 2 + 0.5, true / 2 + 0.5).mean()
            total = total + stage.alex * terms["alex"]
        if stage.adversary:
            self.judge.requires_grad_(False)
            with self.precision():
                terms["fooling"] = losses.fooling_loss(self.judge(our_taps))
            total = total + stage.adversary * terms["fooling"]
        self.descend(self.optimiser, total, self.net)
        if stage.adversary:
            self.judge.requires_grad_(True)
            with self.precision():
                terms["judge"] = losses.judge_loss(
                    self.judge(true_taps), self.judge([f.detach() for f in our_taps])
                )
            self.descend(self.judging, terms["judge"], self.judge)
        return {**terms, "total": total}

    def invert_step(self) -> dict[str, Tensor]:
        """The bank's features and rows are to be those behind the face."""
        chosen = [int(self.kit.whole[i]) for i in self.pick(self.now.batch, len(self.kit.whole))]
        x, _ = self.pair(chosen, varied=False)
        with torch.no_grad():
            faces = [face(self.config.seed, i, self.bank.style) for i in chosen]
            rows = rows_of(self.kit.bank, faces, self.mean).to(self.kit.device)
        with self.precision():
            feature_loss, row_loss = self.inversion(x, rows)
        total = feature_loss + 0.3 * row_loss
        self.descend(self.optimiser, total, self.net)
        return {"features": feature_loss, "rows": row_loss, "total": total}

    def inversion(self, x: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Relative squared errors of the fused features (4² to 2·side) and of the rows."""
        net = self.net
        found, mine = net.encode(net.finest(x))
        with torch.no_grad():
            true = self.whole_bank(rows)
        ours = net.fill(found, mine, self.bank)[: net.depth + 2]
        terms = [
            ((a - b).float() / net.levels[i]).square().mean() for i, (a, b) in enumerate(zip(ours, true))
        ]
        spread = (rows - self.mean.to(rows.device)).square().mean()
        return torch.stack(terms).mean(), (mine.float() - rows[:, : net.rows]).square().mean() / spread

    def whole_bank(self, rows: Tensor) -> list[Tensor]:
        """The bank's own features from 4² to 2·side."""
        scales = self.bank.scales(rows, 0, self.net.height)
        found = [self.bank.body.dense(scales[0])]
        for i in range(self.net.depth + 1):
            found.append(self.bank.body.blocks[i](found[-1], scales[1 + 2 * i], scales[2 + 2 * i]))
        return found

    def descend(self, optimiser: torch.optim.Optimizer, loss: Tensor, net: nn.Module) -> None:
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_([p for p in net.parameters() if p.grad is not None], self.config.clip)
        optimiser.step()

    def one(self) -> dict[str, Tensor]:
        """One step of whatever the stage asks for; the average follows; the state stands after it."""
        clock = time.process_time if self.kit.device.type == "cpu" else time.monotonic
        began = clock()
        for group in self.optimiser.param_groups:
            group["lr"] = rate(self.now, self.step)
        terms = self.invert_step() if self.now.kind == "invert" else self.train_step()
        self.follow()
        self.advance()
        self.spent += clock() - began
        return {name: term.detach() for name, term in terms.items()}

    @torch.no_grad()
    def follow(self) -> None:
        """The average of the weights: short at a stage's beginning, then `average`."""
        keep = min(self.config.average, (1 + self.step) / (10 + self.step))
        for mean, ours in zip(self.average.parameters(), self.net.parameters()):
            if ours.requires_grad:
                mean.lerp_(ours, 1 - keep)

    # -------------------------------------------------------------------------------------------- looking

    @torch.no_grad()
    def enlarge(self, low: Tensor, bank: bool) -> Tensor:
        """The averaged network on inputs (B,3,side,side) in [0,1] → 8-bit pictures in [0,1], on the CPU."""
        with self.precision():
            y = self.average_forward(low.to(self.kit.device), bank)
        return (y.clamp(0, 1) * 255).round().div(255).cpu()

    def average_forward(self, low: Tensor, bank: bool) -> Tensor:
        net, used = self.average, self.bank if bank else None
        parts = net.lower(net.finest(low * 2 - 1), used)
        r = net.upper(parts, used, net.noises(used)).float()
        with torch.autocast(self.kit.device.type, enabled=False):
            return net.join(low * 2 - 1, r, net.known) / 2 + 0.5


def exported(net: GleanOwn) -> bytes:
    """The network as the safetensors file that is shipped: the trained part alone, float16."""
    return serialise({key: value.detach().cpu().half() for key, value in net.state_dict().items()})


def shrink(high: Tensor, factor: int) -> Tensor:
    """A truth (…,H,W) in [0,1] → its low-resolution input: MATLAB's bicubic, rounded to 8 bit as MATLAB does."""
    return imresize(high, 1 / factor, rounded=True)


def psnr(a: Tensor, b: Tensor) -> float:
    """dB, over all channels of one picture in [0,1]."""
    return float(-10 * (a - b).square().mean().clamp(min=1e-12).log10())


def report(
    enlarge: Callable[[Tensor], Tensor],
    truths: Tensor,
    factor: int,
    distance: Callable[[Tensor, Tensor], float],
) -> dict[str, float]:
    """Means over truths (N,3,H,W) in [0,1]: PSNR (dB, RGB), LPIPS and LR-consistency (dB), ours and bicubic's."""
    rows = []
    for truth in truths:
        low = shrink(truth, factor)
        plain = imresize(low, factor, rounded=True)
        ours = enlarge(low[None])[0]
        rows.append(
            {
                "psnr": psnr(ours, truth),
                "psnr_bicubic": psnr(plain, truth),
                "lpips": distance(ours, truth),
                "lpips_bicubic": distance(plain, truth),
                "consistency": psnr(shrink(ours, factor), low),
                "consistency_bicubic": psnr(shrink(plain, factor), low),
            }
        )
    found = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
    found["psnr_gain"] = found["psnr"] - found["psnr_bicubic"]
    found["lpips_drop"] = 1 - found["lpips"] / found["lpips_bicubic"]
    return found


def described(config: Config) -> dict[str, Any]:
    """The configuration as plain values, for the log."""
    return dataclasses.asdict(config)
