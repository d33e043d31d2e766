"""The search for the codes z_n and weights α_n of one picture."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from gansr.method import Nets, State
from gansr.nets.vgg import Vgg16
from gansr.ops.plain import copied
from gansr.papers.mganprior.composition import SplitGenerator, compose, split
from gansr.papers.mganprior.holes import hole_for
from gansr.papers.mganprior.known import Correction, correction_for
from gansr.papers.mganprior.options import OFFSET_JOBS, Options, Plan, plan_of
from gansr.papers.mganprior.tasks import Features, grey, loss_terms, observe, vgg_features

ALPHA_RATE = 4  # Adam: α's rate is this times rate/N; at the default rate a fifth of α's start, 1/N
ALPHA_PULL = 3  # the weight of α's distance from 1/N beside the codes' from their mean
OFFSET_RATE = 32  # the offset's rate is the codes' times this over the layer's side
OFFSET_START = 0.3  # of the iterations: until then the codes alone come as near as they can
ADAM_EPS = 1e-12  # PyTorch's and the authors' is 1e-8


@dataclass(frozen=True)
class Offset:
    """What is added to the composed features: `value` in units of `unit`, so that one rate suits all channels."""

    value: Tensor  # (1,C,s,s)
    unit: Tensor  # (1,C,1,1), the root mean square of each channel of the composed features at the start

    @classmethod
    @torch.no_grad()
    def zero(cls, generator: SplitGenerator, codes: Tensor, alpha: Tensor) -> Offset:
        """None so far, for codes (N, style) and weights (N, C) at their start."""
        composed = compose(generator.f1(codes), alpha, generator.norm_follows)
        unit = composed.square().mean((2, 3), keepdim=True).sqrt()
        return cls(torch.zeros_like(composed).requires_grad_(True), unit)


@dataclass
class Search:
    """The codes and weights of one picture, and the steps of their optimisation."""

    generator: SplitGenerator
    options: Options
    plan: Plan
    side: int  # of the input, px
    target: Tensor  # (1,3,side,side) in [−1,1]: the input, as `observe` would give it
    hole: Tensor | None  # (1,side,side), 1 where nothing is known
    features: Features | None  # VGG16's, where the loss has them
    codes: Tensor  # (N, style)
    alpha: Tensor  # (N, C)
    f2_style: Tensor  # (0 or 1, style)
    offset: Offset | None  # added to the composed features
    correct: Correction | None = None  # of the results, by the input
    optimiser: torch.optim.Optimizer = field(init=False)
    losses: list[float] = field(default_factory=list)  # of the steps so far

    def __post_init__(self) -> None:
        for tensor in self.variables:
            tensor.requires_grad_(True)
        groups, lr = self.groups(), self.plan.lr
        if self.options.optimiser == "gd":
            self.optimiser = torch.optim.SGD(groups, lr=lr)
        elif self.options.optimiser == "adam-authors":
            self.optimiser = torch.optim.Adam(groups, lr=lr)
        else:
            self.optimiser = torch.optim.Adam(groups, lr=lr, eps=ADAM_EPS)
        for group in self.optimiser.param_groups:
            group["start"] = group["lr"]

    def groups(self) -> list[dict[str, Any]]:
        """What is searched and its rates, for the optimiser."""
        lr = self.plan.lr
        codes = [self.codes, *([self.f2_style] if len(self.f2_style) else [])]
        own = self.options.optimiser == "adam"
        groups: list[dict[str, Any]] = [
            {"params": codes, "lr": lr},
            {"params": [self.alpha], "lr": ALPHA_RATE * lr / len(self.alpha) if own else lr},
        ]
        if self.offset is not None:
            value = self.offset.value
            groups.append({"params": [value], "lr": lr * OFFSET_RATE / value.shape[-1], "late": True})
        return groups

    @property
    def variables(self) -> list[Tensor]:
        """What is searched."""
        offset = [] if self.offset is None else [self.offset.value]
        return [self.codes, self.alpha, self.f2_style, *offset]

    def state(self) -> State:
        """What `restore` goes on from."""
        values = {
            "variables": self.variables,
            "optimiser": self.optimiser.state_dict(),
            "losses": self.losses,
        }
        return copied(values)

    @torch.no_grad()
    def restore(self, state: State) -> None:
        """Go on after the steps of a `state` of the same input and options."""
        for variable, value in zip(self.variables, state["variables"], strict=True):
            variable.copy_(value)
        self.optimiser.load_state_dict(copied(state["optimiser"]))  # torch would keep the caller's tensors
        self.losses = [*state["losses"]]

    def picture(self) -> Tensor:
        """x_inv, (1,3,S,S) float32, about [−1,1]."""
        return self.generator.f2(self.composed(self.generator.f1(self.codes)), self.f2_style)

    def composed(self, features: Tensor) -> Tensor:
        """The codes' features (N,C,s,s) → what F2 draws, (1,C,s,s): their weighted sum and the offset."""
        total = compose(features, self.alpha, self.generator.norm_follows)
        return total if self.offset is None else total + self.offset.value * self.offset.unit

    def distance_to_prior(self) -> Tensor:
        """mean(((z_n − z̄)/σ)²), the same of F2's own style, and ALPHA_PULL·mean((N·α − 1)²)."""
        mean, deviation = self.generator.mean, self.generator.deviation
        parts = [((z - mean) / deviation).square().mean() for z in (self.codes, self.f2_style) if len(z)]
        return torch.stack([*parts, ALPHA_PULL * (len(self.alpha) * self.alpha - 1).square().mean()]).sum()

    def step(self, step: int) -> tuple[Tensor, dict[str, float]]:
        """The picture (1,3,S,S) in [−1,1] of step `step` (1 …) and its loss and terms; then an update, except after
        the last step."""
        with torch.enable_grad():
            x = self.picture()
            seen = observe(x, self.options, self.side, self.hole)
            terms = loss_terms(seen, self.target, self.options, self.features)
            if self.plan.pull:
                terms["prior"] = self.plan.pull * self.distance_to_prior()
            loss = torch.stack(list(terms.values())).sum()
            if step < self.plan.iterations:
                self.optimiser.zero_grad(set_to_none=True)
                loss.backward()
                self._set_rates(step)
                self.optimiser.step()
        readings = {name: float(value.detach()) for name, value in {"loss": loss, **terms}.items()}
        self.losses.append(readings["loss"])
        return x.detach(), readings

    def _set_rates(self, step: int) -> None:
        """Our Adam: half a cosine from the full rate at three quarters of the steps to a twentieth at the end. The
        offset stays zero before OFFSET_START."""
        share = 1.0
        if self.options.optimiser == "adam":
            late = max(0.0, 4 * step / self.plan.iterations - 3)
            share = 0.05 + 0.95 * (0.5 + 0.5 * math.cos(math.pi * late))
        for group in self.optimiser.param_groups:
            waits = "late" in group and step <= OFFSET_START * self.plan.iterations
            group["lr"] = 0.0 if waits else group["start"] * share


def start_search(low: Tensor, options: Options, nets: Nets, generator: torch.Generator) -> Search:
    """The search before its first step, for the input `low` (3,side,side) in [0,1]."""
    plan, side = plan_of(options), low.shape[-1]
    parts = split(nets, plan.layer)
    hole = hole_for(options, generator.initial_seed())
    hole = None if hole is None else hole.to(low.device)
    target = low[None] * 2 - 1
    target = grey(target) if options.job == "colour" else target
    target = target * (1 - hole) if hole is not None else target
    codes = parts.initial_codes(plan.codes, generator)
    alpha = torch.full((plan.codes, parts.channels), 1 / plan.codes, device=low.device, dtype=torch.float32)
    features = _TargetFeatures(nets, target) if options.vgg else None
    free = options.offset and options.job in OFFSET_JOBS and options.searched == "codes"
    offset = Offset.zero(parts, codes, alpha) if free else None
    return Search(
        parts,
        options,
        plan,
        side,
        target,
        hole,
        features,
        codes.clone(),
        alpha,
        parts.f2_style.clone(),
        offset,
        correction_for(low, options, hole),
    )


class _TargetFeatures:
    """`vgg_features` in the run's precision; the target's are computed once."""

    def __init__(self, nets: Nets, target: Tensor):
        def narrowed() -> Vgg16:
            return copy.deepcopy(nets["vgg"].trunk).to(nets.dtype)

        self._trunk = nets.optimised("vgg16", ("vgg",), narrowed)
        self._target = target
        with torch.no_grad():
            self._of_target = vgg_features(self._trunk, target)

    def __call__(self, x: Tensor) -> Tensor:
        return self._of_target if x is self._target else vgg_features(self._trunk, x)
