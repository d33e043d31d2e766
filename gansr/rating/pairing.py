"""Which pair a user sees next: one with few votes, of methods that are close to each other.

A vote on a pair with the chance p of winning tells p(1 − p) about the difference of strengths (Fisher information), and
the more votes a pair has the less one more tells. The choice is random with these weights, so that no pair is left out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from random import Random
from typing import NamedTuple


class Pair(NamedTuple):
    """Two entries in a fixed order, on a picture."""

    picture: str
    first: str
    second: str


def weight(pair: Pair, votes: int, strengths: Mapping[str, float]) -> float:
    """How much a vote on the pair is worth, in (0,1]. An entry without a strength counts as average."""
    apart = strengths.get(pair.first, 0.0) - strengths.get(pair.second, 0.0)
    chance = 1 / (1 + math.exp(-max(-20.0, min(20.0, apart))))
    return max(4 * chance * (1 - chance), 0.01) / (1 + votes)


def choose(
    pairs: Sequence[Pair], votes: Mapping[Pair, int], strengths: Mapping[str, float], draw: Random
) -> Pair:
    """One of `pairs`, which must not be empty; `votes` has how many each has."""
    weights = [weight(pair, votes.get(pair, 0), strengths) for pair in pairs]
    return draw.choices(pairs, weights)[0]
