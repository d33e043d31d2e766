"""Bradley-Terry strengths: P(i beats j) = 1 / (1 + exp(θ_j − θ_i)).

R. A. Bradley and M. E. Terry, Rank Analysis of Incomplete Block Designs, Biometrika 39 (1952). The penalised
log-likelihood Σ w_ij log σ(θ_i − θ_j) − λ/2 Σ θ_i² is concave; Newton's method finds its maximum, where Σ θ = 0. The
penalty keeps the strength of a method that never loses finite. Plain numpy does this for many resamples at once, which
choix does not; so no dependency is added.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph

Array = NDArray[np.float64]
PENALTY = 0.02  # λ: as the weight of 0.08 votes that tie each method with an average one
STEPS = 50
LONGEST_STEP = 2.0  # Newton's step is too long where a method never loses


def fit(wins: Array, penalty: float = PENALTY) -> Array:
    """wins (…,n,n): how often i beat j, ties as half → strengths θ (…,n) with the sum 0, in natural-log odds."""
    count = wins.shape[-1]
    games = wins + np.swapaxes(wins, -1, -2)
    strengths = np.zeros(wins.shape[:-1])
    for _ in range(STEPS):
        expected = 0.5 + 0.5 * np.tanh((strengths[..., :, None] - strengths[..., None, :]) / 2)
        slope = (wins - games * expected).sum(-1) - penalty * strengths
        curve = games * expected * (1 - expected)
        hessian = -curve
        hessian[..., range(count), range(count)] += curve.sum(-1) + penalty
        step = np.linalg.solve(hessian, slope[..., None])[..., 0]
        strengths = strengths + np.clip(step, -LONGEST_STEP, LONGEST_STEP)
        if np.abs(step).max(initial=0) < 1e-9:
            break
    return strengths - strengths.mean(-1, keepdims=True)


def components(wins: Array) -> int:
    """Into how many groups the comparisons (n,n) fall: methods of different groups cannot be ranked."""
    found, _ = csgraph.connected_components(sparse.csr_matrix(wins + wins.T), directed=False)
    return int(found)


@dataclass(frozen=True)
class Games:
    """Comparisons as arrays of equal length. `share` is the first's part: 1 won, 0.5 tie, 0 lost."""

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    share: Array
    rater: NDArray[np.int64]
    picture: NDArray[np.int64]
    methods: int

    def table(self, weights: Array | None = None) -> Array:
        """(n,n): how often i beat j."""
        given = np.ones(len(self.share)) if weights is None else weights
        size = self.methods
        won = np.bincount(self.first * size + self.second, given * self.share, size * size)
        lost = np.bincount(self.second * size + self.first, given * (1 - self.share), size * size)
        return np.reshape(won + lost, (size, size)).astype(np.float64)


def resampled(games: Games, resamples: int, seed: int) -> Array:
    """(resamples,n): strengths after drawing raters and pictures anew, each with replacement.

    A vote counts as often as its rater and its picture were drawn, multiplied. Owen, The pigeonhole bootstrap, Annals
    of Applied Statistics 1 (2007): the intervals are a little too wide rather than too narrow.
    """
    draw = np.random.default_rng(seed)
    raters, pictures = int(games.rater.max()) + 1, int(games.picture.max()) + 1
    tables = np.empty((resamples, games.methods, games.methods))
    for at in range(resamples):
        of_raters, of_pictures = counts(draw, raters), counts(draw, pictures)
        tables[at] = games.table(of_raters[games.rater] * of_pictures[games.picture])
    return fit(tables)


def counts(draw: np.random.Generator, size: int) -> Array:
    """How often each of `size` is drawn in `size` draws with replacement."""
    return np.bincount(draw.integers(size, size=size), minlength=size).astype(np.float64)


def ranks(strengths: Array) -> NDArray[np.int64]:
    """(…,n) strengths → ranks from 1, the strongest first."""
    return np.argsort(np.argsort(-strengths, axis=-1), axis=-1) + 1


def interval(values: Array, whole: bool = False) -> tuple[Array, Array]:
    """The 2.5 % and 97.5 % quantiles over the first axis; `whole`: of ranks, rounded outwards."""
    low = np.quantile(values, 0.025, axis=0, method="lower" if whole else "linear")
    high = np.quantile(values, 0.975, axis=0, method="higher" if whole else "linear")
    return low, high
