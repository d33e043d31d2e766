"""KernelGAN: the blur of one picture, learned from that picture alone.

Bell-Kligler, Shocher, Irani: "Blind Super-Resolution Kernel Estimation using an Internal-GAN", NeurIPS 2019.
A deep *linear* generator G shrinks crops of the picture by 2. A discriminator D, which sees 7×7 px, tells G's
output from crops of the picture itself. After training, G is the kernel with which the picture's patches recur in
smaller versions of it. There are no weights: both networks are trained on each picture. Written from the
description.

Faster, and equal to the authors' program layer by layer (tests; see also `networks`):
- D runs three times an iteration, because spectral norm and batch norm change with each pass: on G's output for G,
  on the real crop, and on the output of the *updated* G. The last two share one batched pass, forwards and
  backwards; each picture keeps its own statistics and its own σ. In G's step D's weights take no gradient. D's
  weights do not change between the three passes, so their power iterations are computed in one go.
- The rows of G's crop are laid out once for both passes.
- Both players train in one thread, whatever the machine. With more threads torch adds the terms of a sum in another
  order, and the training enlarges that difference of the last bit to another kernel. The matrices are small: a second
  thread gains little.

How we differ; `paper=True` undoes each (it then gives the authors' numbers, tests/goldens/kernelgan_*):
1. The bicubic loss compares channel with channel. Theirs sums the three channels into a grey target three times
   too bright. G counts as similar to bicubic once it misses less than a quarter of the target's energy. Theirs is
   an absolute 0.4, tuned with that sum: corrected for it (0.4/9), a G that is still zero meets it in a mid-grey
   picture, and then stays zero. Three times the brightness is also nine times the loss: where G is not similar
   after the first fifteenth of the iterations, ours gets that weight too (without it, about one start in ten stays
   at zero).
2. The noise on the real crops is not written back. Theirs accumulates in the picture, which G sees too.
3. The kernel handed out is the one after the last step. Theirs is that of the last forward pass.
4. The gradient's magnitude is clipped as |gx| and |gy| are. Theirs is not, so single edges dominate the map.
5. The learning rate stays until four fifths of the iterations. Theirs is a tenth from the first quarter on, when
   the kernel is still wide. With 1500 iterations ours then restores Set14 nearly as well as theirs with 3000
   (`bench kernelgan`: 28.63 and 28.74 dB, three seeds of ours and one of theirs; ours spread by 0.07): worse
   where the blur is wide (011: 30.8 and 32.0), better where there is little (010: 29.8 and 28.8; 006: 33.5 and
   31.2, where the bicubic kernel, with 35.0, is better than either).
6. The reduction that the crops' map is taken from mirrors on all sides (see ops/resize).
7. A G that is still zero after a fifth of the iterations would stay so: both networks then begin anew, for the rest.
   Of 28 starts on Set14 (two seeds, an Intel Xeon) it happened to one, whose result had 20.4 dB.

Theirs needs a picture of 84 px: G's crop of 64 and a border of 10 that is cut off. Ours takes 48 px, with `paper` too.
Of a picture under 84 px less border is cut off, at least 4 px. Below 72 px G's crop is as large as what is left, and
D's crop as large as G's output (48 px: 40 and 14). Nothing is padded: padding would add data that is not there.
Of four pictures (two of Set14, two faces) blurred with a Gaussian of 2×1 px, the kernel came as near to the true one
from 48 px (kernel PSNR 42.9 dB) as from 84 px (42.4), and ZSSR with it was 1.8 and 1.7 dB above the cubic. The kernel
lab shows these figures of a picture.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gansr.method import State
from gansr.ops.plain import copied
from gansr.ops.threads import threads
from gansr.papers.kernelgan.crops import crop_at, crop_sides, draw_centres, probability_maps, top_left
from gansr.papers.kernelgan.losses import bicubic_target, centre_crop, constraints, penalty_mask
from gansr.papers.kernelgan.networks import (
    Discriminate,
    Discriminator,
    Downscale,
    Generator,
    PowerIterations,
    SavedTensors,
    kernel_rows,
)
from gansr.papers.kernelgan.schedule import PAPER_SIMILAR, SIMILAR, WEIGHTS, Schedule, Weights

ZERO = 0.02  # a kernel's sum: of a G that has learned nothing
PATIENCE = 150  # iterations: until then many a G is near zero


@dataclass(frozen=True)
class Step:
    """What one iteration gave: the unweighted losses, and the kernel (13,13) that G had in it."""

    kernel: Tensor
    generator_loss: float
    discriminator_loss: float
    bicubic_loss: float

    @property
    def is_finite(self) -> bool:
        return all(map(math.isfinite, (self.generator_loss, self.discriminator_loss, self.bicubic_loss)))


class Trainer:
    """Both networks on one picture. `step()` is one iteration of the paper; nothing here yields.

    picture: (3,H,W) in [0,1], already through `trim_border`: its sides are even, and where one is under 64 px the
    crops are smaller. steps: iterations in all. All randomness comes from `rng`. paper: see the module's top. deep: of
    G, see there. weights: of the constraints on the kernel.
    """

    @threads(1)
    def __init__(
        self,
        picture: Tensor,
        rng: torch.Generator,
        steps: int = 3000,
        paper: bool = False,
        deep: bool = True,
        weights: Weights = WEIGHTS,
    ):
        self.paper, self.rng, self.weights, self.deep = paper, rng, weights, deep
        self.picture = (picture * 2 - 1).clone()  # scaled once, so crops are views
        height, width = picture.shape[-2:]
        self.sides = crop_sides(picture)  # of G's and of D's crops
        self.g, self.d = Generator(rng, deep), Discriminator(rng)
        maps = probability_maps(picture, paper)
        self.corners = [
            top_left(
                draw_centres(p, torch.rand(steps, generator=rng, dtype=torch.float64)), width, height, side
            ).tolist()
            for p, side in zip(maps, self.sides)
        ]
        self._reset(steps)

    def _reset(self, steps: int) -> None:
        """The state before the first iteration, with the networks as they are."""
        # Freed at once: glibc then keeps freed blocks of up to 32 MB, instead of returning 2 MB each iteration.
        torch.empty(1 << 22)
        self.steps, self.done = steps, 0
        self.mask = penalty_mask(self.picture.device)
        self.target = None if self.paper else bicubic_target(self.picture)  # of every crop at once
        self.last: Step | None = None
        self._begin()

    def _begin(self) -> None:
        """The optimisers and the schedule for the iterations that are left, with the networks as they are."""
        self.g.to(self.picture.device)
        self.d.to(self.picture.device)
        self.begun = self.done
        threshold, w = PAPER_SIMILAR if self.paper else SIMILAR, self.weights
        self.schedule = Schedule(
            self.steps - self.begun,
            threshold,
            sum_to_one=w.sum_to_one,
            boundaries=w.boundaries,
            later=(w.centralised, w.sparse),
            paper=self.paper,
        )
        self.optimisers = [
            torch.optim.Adam(list(parameters), lr=self.schedule.rate, betas=(0.5, 0.999), fused=True)
            for parameters in (self.g.parameters(), self.d.trained())
        ]
        self._composed: tuple[Tensor, SavedTensors] | None = (
            None  # G's kernel as it stands, for D and the next G
        )

    def state(self) -> State:
        """What `restore` goes on from. The crops and the networks' start are drawn again from the same `rng`."""
        return copied(
            {
                "networks": [net.state_dict() for net in (self.g, self.d)],
                "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
                "schedule": self.schedule,
                "picture": self.picture if self.paper else None,  # the authors' noise accumulates in it
                "done": self.done,
                "begun": self.begun,
                "last": self.last,
            }
        )

    def restore(self, state: State) -> None:
        """Go on after the iterations of a `state` of a trainer that was made with the same arguments."""
        for net, saved in zip((self.g, self.d), state["networks"], strict=True):
            net.load_state_dict(saved)
        for optimiser, saved in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(copied(saved))  # torch would keep the caller's tensors
        self.schedule, self.done, self.begun = copied(state["schedule"]), state["done"], state["begun"]
        self.last = copied(state["last"], self.picture.device)
        if state["picture"] is not None:
            self.picture.copy_(state["picture"])
        self._composed = None

    @threads(1)
    def advance(self, count: int) -> tuple[Step | None, str]:
        """Up to `count` iterations, not beyond `steps`.

        Returns the last step of finite losses (None: there was none yet), and, if a loss was not finite, where.
        """
        good = self.last
        for _ in range(min(count, self.steps - self.done)):
            at = self.done
            step = self.step()
            if not step.is_finite:
                return good, f"not a number at iteration {at} of {self.steps}"
            good = step
        return good, ""

    def step(self) -> Step:
        """One iteration with the crops drawn for it."""
        (g_top, g_left), (d_top, d_left) = self.corners[0][self.done], self.corners[1][self.done]
        for_g, for_d = self.sides
        x = crop_at(self.picture, g_top, g_left, for_g)
        if self.target is None:
            target = centre_crop(bicubic_target(x, paper=True), for_d)
            x = x.clone()  # before the noise below is written into the picture
        else:
            rows, columns = (slice(start // 2, (start + for_g) // 2) for start in (g_top, g_left))
            target = centre_crop(self.target[:, rows, columns], for_d)
        real = crop_at(self.picture, d_top, d_left, for_d)
        noise = self._noise() * (2 / 255)
        real = real.add_(noise) if self.paper else real + noise
        step = self.iterate(x, target, real, self._noise() / 255)
        wait = (self.steps - self.begun) // 5
        if wait >= PATIENCE and self.done == self.begun + wait and self._stays_zero(step):
            self.g, self.d = Generator(self.rng, self.deep), Discriminator(self.rng)
            self._begin()
        return step

    def _stays_zero(self, step: Step) -> bool:
        return not self.paper and abs(float(step.kernel.sum())) < ZERO

    def _noise(self) -> Tensor:
        return torch.randn(3, self.sides[1], self.sides[1], generator=self.rng).to(self.picture.device)

    def iterate(self, x: Tensor, target: Tensor, real: Tensor, noise: Tensor) -> Step:
        """One iteration on given crops, all in [−1,1].

        x: G's crop (3,64,64); target: its bicubic target (3,26,26); real: D's crop (3,26,26); noise (3,26,26) is
        added to the fake that D learns from. All are smaller of a small picture, see `crop_sides`.
        """
        laid_out = self._laid_out(x)  # for both players
        iterations = self.d.power_iterations(3)
        k, g_loss, bicubic = self._step_g(laid_out, target, iterations.rows(0, 1))
        d_loss = self._step_d(laid_out, real, noise, iterations.rows(1, 3))
        energy = target.square().mean()
        losses: list[float] = torch.stack([g_loss, d_loss, bicubic, energy]).tolist()
        g_value, d_value, bicubic_value, energy_value = losses
        relative = bicubic_value if self.paper or not energy_value else bicubic_value / energy_value
        self.schedule.update(self.done - self.begun, relative)
        self.done += 1
        self.last = Step(k, g_value, d_value, bicubic_value)
        return self.last

    def _laid_out(self, x: Tensor) -> Tensor:
        """G's crop as `_step_g` and `_fake` take it."""
        return kernel_rows(x)

    def _fake(self, laid_out: Tensor) -> Tensor:
        """G's output (3,26,26) as it stands."""
        k, _ = self._composed or self.g.compose()
        return Downscale.forward(SavedTensors(), k, laid_out)

    @torch.no_grad()
    def _step_g(
        self, laid_out: Tensor, target: Tensor, iterations: PowerIterations
    ) -> tuple[Tensor, Tensor, Tensor]:
        """One step of G. Returns its kernel before the step, the adversarial loss and the bicubic loss."""
        k, composed = self._composed or self.g.compose()
        downscaled = SavedTensors()
        fake = Downscale.forward(downscaled, k, laid_out)
        back, score, missed = self._deceive(fake, target, iterations)
        _, pull = constraints(k, self.mask, self.schedule)
        back = Downscale.backward(downscaled, back)[0] + pull
        self._update(self.optimisers[0], self.g.gradients(composed, back))
        self._composed = self.g.compose()
        return k, 1 - score, missed

    @torch.no_grad()
    def _deceive(
        self, fake: Tensor, target: Tensor, iterations: PowerIterations
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The gradient of G's loss at its output (3,26,26), D's mean score, and the bicubic loss."""
        discriminated = SavedTensors(x=True)
        scores = Discriminate.forward(discriminated, fake[None], iterations, *self.d.trained())
        missed = fake - target
        slope = torch.full_like(scores, -1 / scores.numel())  # of mean |D − 1|, D a sigmoid
        back = Discriminate.backward(discriminated, slope)[0]
        assert back is not None
        back = back[0].add_(missed, alpha=2 * self.schedule.bicubic / missed.numel())
        return back, scores.mean(), missed.square().mean()

    @torch.no_grad()
    def _step_d(self, laid_out: Tensor, real: Tensor, noise: Tensor, iterations: PowerIterations) -> Tensor:
        fake, discriminated = self._fake(laid_out) + noise, SavedTensors(own=True)
        scores = Discriminate.forward(discriminated, torch.stack([real, fake]), iterations, *self.d.trained())
        slope = torch.full_like(scores, 0.5 / scores[0].numel())
        slope[0] *= -1
        self._update(self.optimisers[1], Discriminate.backward(discriminated, slope)[2:])
        real_score, fake_score = scores.mean((1, 2)).unbind()
        return (1 - real_score + fake_score) / 2

    def _update(self, optimiser: torch.optim.Optimizer, grads: Sequence[Tensor | None]) -> None:
        group = optimiser.param_groups[0]
        group["lr"] = self.schedule.rate
        for p, grad in zip(group["params"], grads):
            p.grad = grad
        optimiser.step()

    @threads(1)
    @torch.no_grad()
    def kernel(self) -> Tensor:
        """The (13,13) kernel learned so far: of G as it stands, or of the last forward pass (`paper`)."""
        if self.paper and self.last is not None:
            return self.last.kernel
        return self.g.kernel()
