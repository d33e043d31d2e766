"""Named editing directions of a generator's w, found on its own samples.

After InterFaceGAN (Shen, Gu, Tang, Zhou, CVPR 2020, arXiv 1907.10786): an attribute is labelled on samples, a linear
classifier separates the samples that have most of it from those that have least, and its normal is conditioned on the
other attributes. The steps:

1. boundary: logistic regression with an L2 penalty between the top and the bottom quarter of the training samples, on
   w in units of its standard deviations. Its accuracy is that on the top and bottom quarter of held-out samples.
2. direction: of all moves d that leave the other boundaries' scores unchanged, the one that raises this score most for
   its length. Lengths are Mahalanobis': dᵀ Σ⁻¹ d, where Σ is the covariance of w. So a move along frequent variation of
   the samples is short, and a rare one is long:

       d = Σ n − Σ B (Bᵀ Σ B)⁻¹ Bᵀ Σ n          n: this normal; B: the normals of the other attributes

How we differ from InterFaceGAN: logistic regression for the SVM; lengths by Σ (theirs are Euclidean), which keeps an
edited code where samples lie; all other attributes are conditioned on at once, not one.

The unit: d has length 1, and its deviation is the standard deviation of samples along it, so that an amount of 1 is one
standard deviation, as with the principal directions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

PENALTIES = (1e-3, 3e-3, 1e-2, 3e-2, 1e-1)  # of the squared length of the normal
QUARTER = 0.25
HELD = 5  # every fifth sample is held out


class Boundary(NamedTuple):
    """A linear classifier of w."""

    normal: Tensor  # (style,), float64: the score is w @ normal + a constant
    accuracy: float  # on the top and bottom quarter of held-out samples, 0…1
    penalty: float
    samples: int  # it was fitted on


class Found(NamedTuple):
    """A direction and where it comes from."""

    unit: Tensor  # (style,), float64, of length 1
    deviation: float  # of samples along it
    boundary: Boundary

    @property
    def step(self) -> Tensor:
        """An amount of 1, (1,style) float32."""
        return (self.unit * self.deviation).float()[None]


def held_out(count: int) -> Tensor:
    """(count,) bool: which samples are held out."""
    return torch.arange(count) % HELD == HELD - 1


def extremes(scores: Tensor) -> tuple[Tensor, Tensor]:
    """Scores (n,), NaN where there is none → the indices of the highest and of the lowest quarter, as many of each.

    For scores of 0 and 1 only: all that are 1, and as many of the others, evenly spaced.
    """
    known = torch.nonzero(~scores.isnan())[:, 0]
    values = scores[known]
    if set(values.unique().tolist()) <= {0.0, 1.0}:
        high, low = known[values == 1], known[values == 0]
        few = min(len(high), len(low))
        return tuple(each[torch.linspace(0, len(each) - 1, few).round().long()] for each in (high, low))  # type: ignore[return-value]
    order = known[values.argsort(stable=True)]
    quarter = int(len(order) * QUARTER)
    return order[len(order) - quarter :], order[:quarter]


def logistic(x: Tensor, y: Tensor, penalty: float) -> tuple[Tensor, Tensor]:
    """Weights (n,) and constant () that minimise mean log(1 + exp(−y (x·a + c))) + penalty·|a|²: Newton's method.

    x (m,n), y (m,) of −1 and 1, both float64.
    """
    ones = torch.cat([x, x.new_ones(len(x), 1)], 1)
    ridge = x.new_full((ones.shape[1],), 2 * penalty)
    ridge[-1] = 0
    a = x.new_zeros(ones.shape[1])
    for _ in range(30):
        p = torch.sigmoid(-y * (ones @ a))
        gradient = -(ones * (y * p)[:, None]).mean(0) + ridge * a
        curvature = (ones * (p * (1 - p))[:, None]).T @ ones / len(x) + torch.diag(ridge + 1e-9)
        step = torch.linalg.solve(curvature, gradient)
        a = a - step
        if float(step.abs().max()) < 1e-8:
            break
    return a[:-1], a[-1]


def accuracy(x: Tensor, scores: Tensor, weights: Tensor, constant: Tensor) -> float:
    """The share of the extremes of `scores` that the classifier tells right."""
    high, low = extremes(scores)
    right = (x[high] @ weights + constant > 0).sum() + (x[low] @ weights + constant <= 0).sum()
    return float(right) / (len(high) + len(low))


def boundary(w: Tensor, scores: Tensor) -> Boundary:
    """Fit on the samples that are not held out; the penalty is chosen on a fifth of them.

    w (n,style); scores (n,), NaN where a sample has no label. Raises ValueError with fewer than 40 extremes.
    """
    w, scores = w.double(), scores.double()
    held = held_out(len(w))
    mean, scale = w[~held].mean(0), w[~held].std(0)
    x = (w - mean) / scale
    training, s = x[~held], scores[~held]
    choose = held_out(len(training))

    def fit(x: Tensor, s: Tensor, penalty: float) -> tuple[Tensor, Tensor, int]:
        high, low = extremes(s)
        if len(high) < 20:
            raise ValueError(f"only {len(high)} samples have the attribute: too few to fit a boundary")
        y = torch.cat([torch.ones(len(high)), -torch.ones(len(low))]).double()
        return *logistic(torch.cat([x[high], x[low]]), y, penalty), len(y)

    tried = {}
    for penalty in PENALTIES:
        a, c, _ = fit(training[~choose], s[~choose], penalty)
        tried[penalty] = accuracy(training[choose], s[choose], a, c)
    penalty = max(reversed(PENALTIES), key=lambda each: tried[each])
    a, c, samples = fit(training, s, penalty)
    return Boundary(a / scale, accuracy(x[held], scores[held], a, c), penalty, samples)


def direction(normal: Tensor, others: Sequence[Tensor], w: Tensor) -> tuple[Tensor, float]:
    """A normal (style,), the normals of the attributes to leave alone, and samples w (n,style) → the unit direction
    (style,), float64, and the standard deviation of the samples along it."""
    w = w.double()
    sigma = torch.cov(w.T)
    d = sigma @ normal
    if others:
        B = torch.stack([each / each.norm() for each in others], 1)
        d = (
            d
            - sigma
            @ B
            @ torch.linalg.lstsq(B.T @ sigma @ B, (B.T @ d)[:, None], driver="gelsd").solution[:, 0]
        )
    d = d / d.norm()
    return d, float((w @ d).std())


def correlations(scores: Mapping[str, Tensor]) -> Tensor:
    """The correlation (K,K) of the attributes' scores over the samples that have all of them."""
    table = torch.stack([each.double() for each in scores.values()])
    return torch.corrcoef(table[:, ~table.isnan().any(0)])
