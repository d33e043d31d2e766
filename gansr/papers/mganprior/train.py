"""Named editing directions of a generator's w, found on its own samples.

InterFaceGAN (Shen, Gu, Tang, Zhou, CVPR 2020, arXiv 1907.10786) labels samples, fits a linear classifier of the codes,
and conditions its normal on the other attributes. The steps here:

1. normal: the mean gradient of an attribute with respect to w, over samples of w. For codes w ~ N(μ, Σ) it is what a
   linear regression of the attribute on w finds (Stein's lemma: E ∇a(w) = Σ⁻¹ cov(w, a)), but a sample gives 512
   numbers instead of one, so a few dozen samples are enough. The labellers are differentiable for that.
2. accuracy: of the classifier w·n > its median, on the top and the bottom quarter of held-out samples by their label.
3. direction: of all moves d of length 1 that leave the other attributes' scores w·b unchanged, the one that raises w·n
   most:

       d ∝ n − B (BᵀB)⁻¹ Bᵀ n          n: this normal; B: the normals of the other attributes

How we differ from InterFaceGAN: gradients for an SVM; all other attributes are conditioned on at once. Moves that are
short for the samples' covariance (Σ n, conditioned likewise) were tried: at the same effect they change more of what
has no label (hair, clothes, background), and the similarity to the unedited face falls from 0.67 to 0.56 (smile and
age, one face, both ends).

The unit: d has length 1, and its deviation is the standard deviation of samples along it, so that an amount of 1 is one
standard deviation, as with the principal directions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

QUARTER = 0.25

Attributes = Callable[[Tensor], Mapping[str, Tensor]]  # w (B,style) → a number (B,) for each attribute


class Found(NamedTuple):
    """A direction and how it was found."""

    unit: Tensor  # (style,), float64, of length 1
    deviation: float  # of samples along it
    accuracy: float  # 0…1, of its normal, on held-out samples
    held: int  # held-out samples

    @property
    def step(self) -> Tensor:
        """An amount of 1, (1,style) float32."""
        return (self.unit * self.deviation).float()[None]


def gradients(attributes: Attributes, w: Tensor) -> dict[str, Tensor]:
    """The gradient of each attribute at the codes w (n,style), one after the other: (n,style) float64."""
    rows: dict[str, list[Tensor]] = {}
    for code in w.split(1):
        leaf = code.detach().clone().requires_grad_()
        values = dict(attributes(leaf))
        for k, (name, value) in enumerate(values.items()):
            (row,) = torch.autograd.grad(value.sum(), leaf, retain_graph=k + 1 < len(values))
            rows.setdefault(name, []).append(row.double())
    return {name: torch.cat(each) for name, each in rows.items()}


def extremes(scores: Tensor) -> tuple[Tensor, Tensor]:
    """Scores (n,) → the indices of the highest and of the lowest quarter, as many of each."""
    order = scores.argsort(stable=True)
    quarter = int(len(order) * QUARTER)
    return order[len(order) - quarter :], order[:quarter]


def accuracy(w: Tensor, scores: Tensor, normal: Tensor) -> float:
    """The share of the extremes of `scores` (n,) that w (n,style) · normal (style,) tells right, from its median on.

    Raises ValueError for fewer than 8 samples.
    """
    if len(w) < 8:
        raise ValueError(f"{len(w)} held-out samples are too few")
    projected = w.double() @ normal
    projected = projected - projected.median()
    high, low = extremes(scores)
    right = (projected[high] > 0).sum() + (projected[low] <= 0).sum()
    return float(right) / (len(high) + len(low))


def direction(normal: Tensor, others: Sequence[Tensor], w: Tensor) -> tuple[Tensor, float]:
    """A normal (style,), the normals of the attributes to leave alone, and samples w (n,style) → the unit direction
    (style,), float64, and the standard deviation of the samples along it."""
    d = normal
    if others:
        B = torch.stack([each / each.norm() for each in others], 1)
        d = d - B @ torch.linalg.solve(B.T @ B, B.T @ d)
    d = d / d.norm()
    return d, float((w.double() @ d).std())
