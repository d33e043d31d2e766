"""KernelGAN's schedule: the learning rate and the losses' weights over the iterations.

The numbers are those of the authors' program at 3000 iterations. The departures are listed in `trainer`.
"""

from __future__ import annotations

from dataclasses import dataclass

PAPER_SIMILAR = 0.4  # bicubic loss (mean square) below which the authors take G for similar to bicubic
SIMILAR = 0.25  # ours: the same threshold as a share of the bicubic target's mean square
CATCH_UP = 45.0  # bicubic weight of a G that is not similar to bicubic after a fifteenth of the iterations


@dataclass(frozen=True)
class Weights:
    """The weights of the constraints on the kernel (`losses.constraints`): α, β, δ and γ of the paper."""

    sum_to_one: float = 0.5
    boundaries: float = 0.5
    centralised: float = 1.0
    sparse: float = 5.0


WEIGHTS = Weights()  # the paper's


@dataclass
class Schedule:
    """Learning rate and weights of the losses over `steps` iterations (authors: 3000).

    G counts as similar to bicubic once the bicubic loss was below `threshold` three times in a row. From then on,
    the bicubic weight falls a hundredfold at every fifteenth of the steps; once it is below 5e-3, the constraints on
    the centre and on sparsity are switched on. Fewer steps compress this in the same order. A G that
    is not similar after a fifteenth gets the bicubic weight 45 (not with `paper`). The rate falls tenfold at every
    quarter (`paper`), or once, at four fifths.
    """

    steps: int = 3000
    threshold: float = PAPER_SIMILAR
    rate: float = 2e-4
    bicubic: float = 5.0
    sum_to_one: float = WEIGHTS.sum_to_one
    boundaries: float = WEIGHTS.boundaries
    centralised: float = 0.0
    sparse: float = 0.0
    similar_in_a_row: int = 0
    is_similar: bool = False
    paper: bool = True
    later: tuple[float, float] = (WEIGHTS.centralised, WEIGHTS.sparse)  # what these two are switched on with

    def update(self, step: int, bicubic_loss: float) -> None:
        """Call after iteration `step` (from 0; 0 changes nothing) with its unweighted bicubic loss.

        The loss has the unit of `threshold`: the mean square (`paper`), or its share of the target's mean square.
        """
        if step == 0:
            return
        falls = step % max(1, round(self.steps / 4)) == 0 if self.paper else step == round(0.8 * self.steps)
        if falls:
            self.rate /= 10
        if not self.is_similar:
            self.similar_in_a_row = self.similar_in_a_row + 1 if bicubic_loss < self.threshold else 0
            self.is_similar = self.similar_in_a_row >= 3
        if step % max(1, round(self.steps / 15)) != 0:
            return
        if not self.is_similar and not self.paper:
            self.bicubic = CATCH_UP
        if self.is_similar and self.bicubic > 5e-6:
            self.bicubic = max(self.bicubic / 100, 5e-6)
            if self.bicubic < 5e-3:
                self.centralised, self.sparse = self.later
