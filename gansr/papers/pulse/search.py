"""PULSE's search: projected gradient descent on spheres, for pictures whose downscaled form is the input (§3)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from gansr.method import MethodError, Nets, State
from gansr.nets.compiled import KIND, OptimisedMobileStyleGAN, Snapshot
from gansr.nets.encoder import encoded_rows
from gansr.nets.mobilestylegan import MobileStyleGAN
from gansr.ops import sphere
from gansr.ops.plain import copied
from gansr.papers.pulse.latent import begun_at, latent_gaussian, random_start
from gansr.papers.pulse.options import GLEAN_ROWS, Options

BF16_EPS = 0.95  # of eps: the threshold of a bfloat16 search, so that the result is within eps in float32 too


SO_FAR = ("picture", "small", "best", "mse", "kept")  # of a Sample: what its steps have set


@dataclass
class Sample:
    """One search: its variables, and the best result so far."""

    v: Tensor  # (1, rows or 1, style)
    maps: list[Tensor]  # noise maps (1,1,s,s), some of which are searched
    optimiser: sphere.SphericalOptimiser
    picture: Tensor = field(default_factory=lambda: torch.empty(0))  # the best so far, (3,S,S) about [−1,1]
    small: Tensor = field(default_factory=lambda: torch.empty(0))  # D of it, in [0,1] but not clamped
    best: tuple[bool, float] = (True, math.inf)  # of the best: whether above eps, weighted loss
    mse: float = math.inf  # of the best, not clamped at eps
    kept: list[Tensor] = field(default_factory=list)  # the variables of the best, or of the last step

    def state(self) -> dict[str, Any]:
        so_far = copied({name: getattr(self, name) for name in SO_FAR})
        return {"so_far": so_far, "optimiser": self.optimiser.state()}

    def restore(self, state: State) -> None:
        vars(self).update(copied(state["so_far"], self.v.device))
        self.optimiser.restore(state["optimiser"])

    def within(self, eps: float) -> bool:
        """Whether the best picture is consistent with the input."""
        return self.mse <= eps * (1 + 1e-6)  # eps as float32 may be a little above eps


class Search:
    """The searches of one run. `step(j)` moves every sample once; `finish()` redraws the results in float32.

    low: the input (3,s,s) in [0,1]. nets: the role "generator" is a MobileStyleGAN, StyleGAN1 or StyleGAN2; only the
    first of them is searched in nets.dtype, the others in float32. seed: sample i starts from seed + i.
    lines: loss terms and errors, one value per step so far. form: the numerical form, e.g. "compiled bf16".
    """

    def __init__(self, low: Tensor, options: Options, nets: Nets, seed: int):
        self.low, self.options = low, options
        self.net: Any = nets["generator"]
        self.weights = sphere.parse_loss(options.loss)
        self.mean, self.std = latent_gaussian(nets)
        self.factor = self.net.side // low.shape[-1]
        exact = 1 if nets.dtype == torch.float32 else BF16_EPS
        self.eps, self.goal = options.eps * exact, options.goal * exact
        self.average = sphere.mean_row(self.mean, self.std, self.net.gain)
        self.given = self._given(nets) if options.start == GLEAN_ROWS else None
        finest = 2 * low.shape[-1] if options.fine_rows == "mean" else self.net.side
        self.own_rows = sum(side <= finest for side in self.net.row_sides)
        self.optimised = optimised(nets).snapshot() if isinstance(self.net, MobileStyleGAN) else None
        self.form = self.optimised.form if self.optimised else "eager float32"
        self.batch_size = 1 if low.device.type == "cpu" else options.batch_size
        rates = [sphere.rate(options.schedule, j, options.steps) for j in range(options.steps)]
        self.samples = [self._start(seed + i, rates) for i in range(options.samples)]
        self.lines: dict[str, list[float]] = {name: [] for name in ("smallest mse", *self.weights)}

    @torch.no_grad()
    def _given(self, nets: Nets) -> Tensor:
        """Where GLEAN's rows of the input lie in the latent space, (1, rows or 1, style), on the CPU."""
        rows = encoded_rows(nets["encoder"], self.low, self.net.style_rows)
        rows = rows.mean(1, keepdim=True) if self.options.tile_latent else rows
        away = self.average + (rows - self.average) / self.options.truncation  # `_rows` brings them back
        return sphere.to_latent(away, self.mean, self.std, self.net.gain).cpu()

    def _start(self, seed: int, rates: list[float]) -> Sample:
        v, maps, searched = random_start(self.net, self.options, seed)
        if self.given is not None:
            v = begun_at(self.given, v)
        v, maps = v.to(self.low.device), [x.to(self.low.device) for x in maps]
        variables = [x.requires_grad_() for x in (v, *(maps[i] for i in searched))]
        options = self.options
        optimiser = sphere.SphericalOptimiser(
            variables, options.optimiser, options.rate, rates, options.on_sphere
        )
        return Sample(v, maps, optimiser)

    @property
    def done(self) -> int:
        """The number of steps so far."""
        return len(self.lines["smallest mse"])

    def state(self) -> State:
        """What `restore` goes on from: the samples and the lines so far. The start is drawn again from the seed."""
        return {"samples": [sample.state() for sample in self.samples], "lines": copied(self.lines)}

    def restore(self, state: State) -> None:
        """Go on after the steps of a `state` of the same input, options and seed."""
        self.lines = copied(state["lines"])
        for sample, saved in zip(self.samples, state["samples"], strict=True):
            sample.restore(saved)

    def step(self, j: int) -> None:
        """Step j, from 0, of every sample. Raises MethodError where a loss is not finite.

        The cheap part is one batch of all samples: the style rows and, of MobileStyleGAN, the first blocks. The
        expensive part, which determines the memory, runs forward and backward on `batch_size` samples at a time.
        """
        sums = dict.fromkeys(self.lines, 0.0)
        with torch.enable_grad():
            rows = self._rows(self.samples)
            shared = (rows,) if self.optimised is None else (rows, self.optimised.early(rows))
        grads: list[list[Tensor]] = [[] for _ in shared]
        for start in range(0, len(self.samples), self.batch_size):
            chosen = slice(start, start + self.batch_size)
            parts = [whole.detach()[chosen].requires_grad_() for whole in shared]
            self._expensive_part(self.samples[chosen], parts, j, sums)
            for collected, part in zip(grads, parts):
                assert part.grad is not None
                collected.append(part.grad)
        torch.autograd.backward(shared, [torch.cat(collected) for collected in grads])
        for sample in self.samples:
            sample.optimiser.step(j)
        for name, line in self.lines.items():
            line.append(sums[name] / len(self.samples))
        self.lines["smallest mse"][-1] = min(sample.mse for sample in self.samples)

    def _expensive_part(
        self, samples: Sequence[Sample], parts: list[Tensor], j: int, sums: dict[str, float]
    ) -> None:
        """Draw some samples, record them, and leave the gradients of their losses in their `parts` of the batch."""
        rows, *features = parts
        with torch.enable_grad():
            pictures = self._draw(self.optimised, rows, samples, features)
            small = (sphere.shrink(pictures, self.factor) + 1) / 2  # D of a constant is that constant
            terms = sphere.losses(small, self.low, rows, self.goal)
            total = torch.stack([weight * terms[name] for name, weight in self.weights.items()]).sum(0)
            total.sum().backward()
        mse = sphere.l2(small.detach(), self.low)
        values = torch.stack([total.detach(), mse, *(terms[name].detach() for name in self.weights)]).tolist()
        self._record(samples, pictures.detach(), small.detach(), values[0], values[1], j)
        for name, of_samples in zip(self.weights, values[2:]):
            sums[name] += sum(of_samples)

    def _record(
        self,
        samples: Sequence[Sample],
        pictures: Tensor,
        small: Tensor,
        totals: list[float],
        errors: list[float],
        j: int,
    ) -> None:
        last = self.options.keep == "last" and j == self.options.steps - 1
        for i, (sample, total, mse) in enumerate(zip(samples, totals, errors)):
            if not math.isfinite(total):
                raise MethodError(
                    f"the search failed at step {j + 1} of {self.options.steps} (the loss is not a number): "
                    "try another seed or a smaller learning rate"
                )
            rank = mse > self.eps, total  # within eps first, then the smallest loss
            if rank < sample.best or last:
                sample.best, sample.mse = min(rank, sample.best), mse
                alone = len(pictures) == 1  # a view of a batch would keep all of it in memory
                sample.picture, sample.small = pictures[i] if alone else pictures[i].clone(), small[i]
                sample.kept = [x.detach().clone() if x.requires_grad else x for x in (sample.v, *sample.maps)]

    def _rows(self, samples: Sequence[Sample]) -> Tensor:
        v = torch.cat([sample.v for sample in samples])
        rows = sphere.to_rows(v, self.mean, self.std, self.net.gain)
        rows = torch.lerp(self.average, rows, self.options.truncation)
        rows = rows.expand(-1, self.net.style_rows, -1)
        own, rest = rows[:, : self.own_rows], self.net.style_rows - self.own_rows
        return torch.cat([own, own.mean(1, keepdim=True).expand(-1, rest, -1)], 1) if rest else rows

    def _draw(
        self,
        snapshot: Snapshot | None,
        rows: Tensor,
        samples: Sequence[Sample],
        features: Sequence[Tensor] = (),
    ) -> Tensor:
        """Pictures (B,3,S,S) float32, about [−1,1], not clamped: by the snapshot from its early features, or by the
        network itself."""
        if snapshot is not None:
            return snapshot.late(features[0], rows)
        if not self.net.noise_sides:
            return self.net.synthesis(rows)
        maps = [torch.cat(same) for same in zip(*(sample.maps for sample in samples))]
        return self.net.synthesis(rows, maps)

    @torch.no_grad()
    def finish(self) -> None:
        """Redraw the kept variables of every sample in float32 with the network itself, and measure the error."""
        for sample in self.samples:
            v, *maps = sample.kept
            same = [replace(sample, v=v, maps=maps)]
            sample.picture = self._draw(None, self._rows(same), same)[0]
            sample.small = (sphere.shrink(sample.picture, self.factor) + 1) / 2
            sample.mse = float(sphere.l2(sample.small[None], self.low))


def optimised(nets: Nets) -> OptimisedMobileStyleGAN:
    """The optimised form of the role "generator", a MobileStyleGAN, in the run's precision; papers share it."""
    make = partial(OptimisedMobileStyleGAN, nets["generator"], nets.dtype)
    return nets.optimised(KIND, ("generator",), make)
