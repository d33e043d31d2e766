"""Mean opinion scores: 1 to 5 for one picture at a time, as in SRGAN (§3.4) and PULSE (§5.2).

The labels are those of absolute category rating, ITU-T P.910. The interval is a bootstrap over raters and pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gansr.rating.bradley_terry import counts, interval
from gansr.rating.vote import SCORES, Vote

LABELS = {"1": "Bad", "2": "Poor", "3": "Fair", "4": "Good", "5": "Excellent"}


@dataclass(frozen=True)
class Opinion:
    """The scores of one entry."""

    entry: str
    mean: float
    low: float  # 95 % interval
    high: float
    shares: tuple[float, ...]  # of the scores 1 to 5
    votes: int


def opinions(votes: Sequence[Vote], resamples: int, seed: int) -> list[Opinion]:
    """The mean opinion score of each entry, the best first."""
    if not votes:
        return []
    entries, entry = np.unique([vote.left for vote in votes], return_inverse=True)
    raters, rater = np.unique([vote.session for vote in votes], return_inverse=True)
    pictures, picture = np.unique([vote.picture for vote in votes], return_inverse=True)
    score = np.array([int(vote.answer) for vote in votes], float)
    draw = np.random.default_rng(seed)
    drawn = np.full((resamples, len(entries)), np.nan)
    for at in range(resamples):
        weight = counts(draw, len(raters))[rater] * counts(draw, len(pictures))[picture]
        total = np.bincount(entry, weight, len(entries))
        sums = np.bincount(entry, weight * score, len(entries))
        np.divide(sums, total, out=drawn[at], where=total > 0)
    found: list[Opinion] = []
    for at, name in enumerate(entries):
        own = score[entry == at]
        values = drawn[~np.isnan(drawn[:, at]), at]
        low, high = interval(values) if len(values) else (own.mean(), own.mean())
        shares = tuple(float((own == int(each)).mean()) for each in SCORES)
        found.append(Opinion(str(name), float(own.mean()), float(low), float(high), shares, len(own)))
    return sorted(found, key=lambda one: -one.mean)
