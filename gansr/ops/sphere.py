"""The parts of PULSE's search, apart from the generator (Menon et al., CVPR 2020, §3 and supplement).

The downscaling operator D, the losses and their weighted sum, the spheres of the variables, the learning-rate
schedules, and the Gaussian that approximates the latent space. Authors' code: adamian98/pulse, which has no licence;
this was written from a description of it, and equals its numbers (tests/goldens/pulse_*).

How we differ: every loss is per picture, so that each picture of a batch is judged separately; D is two matrix
products, borders included; the Gaussian is fitted on 65,536 draws instead of the authors' million (standard error of
a mean: 0.4 % of the standard deviation), so that a generator is ready in seconds.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from gansr.ops.plain import copied

SLOPE = 0.2
TINY = 1e-9  # added under every square root
TERMS = ("L2", "L1", "GEOCROSS")
SCHEDULES = ("fixed", "linear1cycle", "linear1cycledrop")

# ------------------------------------------------------------------------------------------- downscaling


def taps(factor: int) -> Tensor:
    """The 4·factor taps of D along one axis, float64, sum 1: Keys' cubic (a = −½) at (i − 2f + ½)/f."""
    t = ((torch.arange(4 * factor, dtype=torch.float64) - 2 * factor + 0.5) / factor).abs()
    near, far = (1.5 * t - 2.5) * t**2 + 1, ((-0.5 * t + 2.5) * t - 4) * t + 2
    h = torch.where(t <= 1, near, torch.where(t < 2, far, 0.0))
    return h / h.sum()


@lru_cache(maxsize=32)
def shrink_matrix(n: int, factor: int) -> Tensor:
    """The matrix (n/factor, n) float32 that downscales an axis of n pixels as D does; cached, so do not modify it.

    Reflect padding without repeating the edge, 3·factor in total, the floor of half of it before. factor 1 is not
    the identity: it shifts by half a pixel (taps −1/16, 9/16, 9/16, −1/16). Raises ValueError if factor does not
    divide n or n is too small for the padding.
    """
    before = 3 * factor // 2
    if n % factor or n <= 3 * factor - before:
        raise ValueError(f"an axis of {n} pixels cannot be downscaled {factor} times")
    position = torch.arange(n // factor)[:, None] * factor + torch.arange(4 * factor) - before
    position = position.abs()
    position = torch.where(position >= n, 2 * (n - 1) - position, position)
    matrix = torch.zeros(n // factor, n, dtype=torch.float64)
    return matrix.scatter_add_(1, position, taps(factor).expand(position.shape)).float()


def shrink(x: Tensor, factor: int) -> Tensor:
    """PULSE's D: pictures (…,H,W) → (…,H/factor,W/factor). Linear, without clamping. Raises as `shrink_matrix`.

    Horizontal first, which is one matrix product for the whole batch; the authors start with the vertical.
    """
    rows, columns = (shrink_matrix(n, factor).to(x) for n in x.shape[-2:])
    return rows @ (x @ columns.T)


# --------------------------------------------------------------------------------------------- losses


def l2(small: Tensor, reference: Tensor) -> Tensor:
    """Mean squared error of each picture, (B,3,h,w) and (3,h,w) or (B,3,h,w) → (B,), without the clamp at eps."""
    return (small - reference).square().mean(dim=(1, 2, 3))


def l1(small: Tensor, reference: Tensor) -> Tensor:
    """Mean absolute error of each picture, (B,), without the factor 10 and the clamp."""
    return (small - reference).abs().mean(dim=(1, 2, 3))


def geocross(rows: Tensor) -> Tensor:
    """The spread of the style rows (B,R,S) of each picture, (B,): the mean over the R² ordered pairs of 512·θ²/8,
    θ = 2·atan2(|X−Y|, |X+Y|). 0 for one row.

    The Gram matrix, |X∓Y|² = |X|² ∓ 2X·Y + |Y|², would need memory for R² numbers instead of R²·S, but it cancels
    where rows are nearly equal; therefore the differences are computed directly.
    """
    if rows.shape[1] == 1:
        return rows.new_zeros(len(rows))
    x, y = rows[:, None], rows[:, :, None]
    minus = ((x - y).square().sum(3) + TINY).sqrt()
    plus = ((x + y).square().sum(3) + TINY).sqrt()
    angle = 2 * torch.atan2(minus, plus)
    return 512 * angle.square().mean(dim=(1, 2)) / 8


def parse_loss(text: str) -> dict[str, float]:
    """ "100*L2+0.05*GEOCROSS" → {"L2": 100.0, "GEOCROSS": 0.05}; spaces are ignored, repeated terms are added.

    Raises ValueError if the text is not such a sum. Unlike in the authors' code, L2 is not required.
    """
    weights: dict[str, float] = {}
    for part in text.split("+"):
        found = re.fullmatch(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*\*\s*([A-Z0-9]+)\s*", part)
        if not found or found[2] not in TERMS:
            raise ValueError(
                f"the loss {text[:80]!r} is not a sum of weight*TERM with the terms {', '.join(TERMS)}: "
                "write it like 100*L2+0.05*GEOCROSS"
            )
        weights[found[2]] = weights.get(found[2], 0.0) + float(found[1])
    return weights


def losses(small: Tensor, reference: Tensor, rows: Tensor, eps: float) -> dict[str, Tensor]:
    """Every term of each picture, (B,). L2 and L1 (×10) are clamped from below at eps, where their gradient becomes
    0: the picture is then consistent with the reference."""
    return {
        "L2": l2(small, reference).clamp(min=eps),
        "L1": 10 * l1(small, reference).clamp(min=eps),
        "GEOCROSS": geocross(rows),
    }


# --------------------------------------------------------------------------------------------- sphere


def radius(x: Tensor) -> Tensor:
    """The norm over all dimensions from the third on, which keep size 1: (B,R,S) → (B,R,1), (B,1,s,s) → (B,1,1,1)."""
    return (x.square().sum(dim=tuple(range(2, x.ndim)), keepdim=True) + TINY).sqrt()


@torch.no_grad()
def project_(x: Tensor, radii: Tensor) -> None:
    """Project x, in place, onto the spheres of these radii (those of its random start, not √S)."""
    x.mul_(radii / radius(x))


def rate(schedule: str, step: int, steps: float) -> float:
    """The learning rate's multiplier at `step` (from 0) of `steps`."""
    if schedule == "fixed":
        return 1.0
    if schedule == "linear1cycle":
        return (9 * (1 - 2 * abs(step / steps - 0.5)) + 1) / 10
    rise = 0.9 * steps
    if step < rise:
        return rate("linear1cycle", step, rise)
    return 0.1 + (step - rise) / (0.1 * steps) * (0.001 - 0.1)


OPTIMISERS: Mapping[str, Callable[..., torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "sgd": torch.optim.SGD,
    "sgdm": lambda variables, lr: torch.optim.SGD(variables, lr=lr, momentum=0.9),
    "adamax": torch.optim.Adamax,
}


class SphericalOptimiser:
    """A torch optimiser whose variables are projected back onto their initial spheres after every step.

    variables: leaf tensors (B,…) that require gradients; name: a key of OPTIMISERS; `rates[j]` multiplies lr at step j.
    projects: False leaves the variables where a step has moved them.
    """

    def __init__(
        self, variables: list[Tensor], name: str, lr: float, rates: list[float], projects: bool = True
    ):
        self._variables = variables
        self._radii = [radius(v.detach()) for v in variables] if projects else None
        self._inner = OPTIMISERS[name](variables, lr=lr)
        self._lr, self._rates = lr, rates

    def state(self) -> dict[str, Any]:
        """The variables and the inner optimiser's state: plain CPU data."""
        return copied({"variables": self._variables, "inner": self._inner.state_dict()})

    @torch.no_grad()
    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state`. The spheres are those of the variables that this was made with."""
        for variable, value in zip(self._variables, state["variables"], strict=True):
            variable.copy_(value)
        self._inner.load_state_dict(
            copied(state["inner"])
        )  # torch would keep and change the caller's tensors

    def step(self, j: int) -> None:
        """Step j with the gradients stored in the variables, which are then cleared."""
        for group in self._inner.param_groups:
            group["lr"] = self._lr * self._rates[j]
        self._inner.step()
        self._inner.zero_grad(set_to_none=True)
        if self._radii is not None:
            for variable, radii in zip(self._variables, self._radii):
                project_(variable, radii)


# ------------------------------------------------------------------------------------------- Gaussian


def to_rows(v: Tensor, mean: Tensor, std: Tensor, gain: float = 1.0) -> Tensor:
    """Points on the spheres (B,R,S) → style rows (B,R,S): the Gaussian's mean and std, then the mapping's last
    activation (× gain)."""
    return gain * F.leaky_relu(v * std + mean, SLOPE)


def to_latent(rows: Tensor, mean: Tensor, std: Tensor, gain: float = 1.0) -> Tensor:
    """Style rows (B,R,S) → the points that `to_rows` takes to them, (B,R,S); they lie on no common sphere."""
    return (before_activation(rows, gain) - mean) / std


def mean_row(mean: Tensor, std: Tensor, gain: float = 1.0) -> Tensor:
    """The mean of `to_rows` over the Gaussian, (S,), in closed form: of LeakyReLU(x) = SLOPE·x + (1 − SLOPE)·ReLU(x),
    where E ReLU(x) = μ·Φ(μ/σ) + σ·φ(μ/σ)."""
    t = mean / std
    density = torch.exp(-t.square() / 2) / math.sqrt(2 * math.pi)
    return gain * (SLOPE * mean + (1 - SLOPE) * (mean * torch.special.ndtr(t) + std * density))


def before_activation(w: Tensor, gain: float = 1.0) -> Tensor:
    """The mapping's output before its last LeakyReLU, which is nearly Gaussian."""
    return F.leaky_relu(w / gain, 1 / SLOPE)


@torch.no_grad()
def gaussian_fit(
    mapping: Callable[[Tensor], Tensor],
    size: int,
    device: torch.device,
    gain: float = 1.0,
    draws: int = 1 << 16,
) -> tuple[Tensor, Tensor]:
    """Mean and unbiased standard deviation (size,), float32 on `device`, of the mapping's output before activation.

    The draws are always the same: standard normal, torch.Generator seed 0, 4096 at a time; the sums are float64.
    """
    generator = torch.Generator().manual_seed(0)
    total, squares = (torch.zeros(size, dtype=torch.float64, device=device) for _ in range(2))
    for _ in range(draws // 4096):
        x = before_activation(mapping(torch.randn(4096, size, generator=generator).to(device)), gain).double()
        total += x.sum(0)
        squares += x.square().sum(0)
    n = draws // 4096 * 4096
    mean = total / n
    return mean.float(), ((squares - n * mean.square()) / (n - 1)).clamp(min=0).sqrt().float()


def psnr(mse: float) -> float:
    """The PSNR, dB, of a mean squared error of pictures in [0,1]."""
    return -10 * math.log10(max(mse, 1e-12))
