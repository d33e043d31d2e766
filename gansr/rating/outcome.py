"""What the votes say: strengths, ranks, mean opinion scores, and where a metric disagrees with people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from gansr.metrics import METRICS
from gansr.rating.bradley_terry import Array, Games, components, fit, interval, ranks, resampled
from gansr.rating.catalogue import Catalogue
from gansr.rating.exclusion import Counted, counted
from gansr.rating.opinion import Opinion, opinions
from gansr.rating.vote import PAIR_ANSWERS, QUALITY, Vote

RESAMPLES = 400
LEAST = 3  # methods for a rank correlation


@dataclass(frozen=True)
class Strength:
    """One entry in the comparison of pairs."""

    entry: str
    strength: float  # natural-log odds against an average method
    low: float  # 95 % interval
    high: float
    rank: int
    best_rank: int  # 95 % interval
    worst_rank: int
    votes: int


@dataclass(frozen=True)
class Agreement:
    """How one metric orders the entries, compared with people."""

    metric: str
    title: str
    correlation: float  # Spearman's, 1: the same order; NaN where the metric is the same for all
    entries: int
    disagreement: (
        tuple[str, str] | None
    )  # (people's choice, the metric's), the pair furthest apart for people


@dataclass(frozen=True)
class Outcome:
    """The outcome of one question, for one class of pictures or all."""

    question: str
    counted: Counted
    votes: int  # that count, of this question and class
    raters: int
    strengths: list[Strength]  # the strongest first; without order while `groups` > 1
    groups: int  # into which the votes do not connect the methods yet
    opinions: list[Opinion]
    agreements: list[Agreement]
    answers: Mapping[str, int]  # answer → votes


def outcome(
    votes: Iterable[Vote],
    catalogue: Catalogue,
    question: str,
    kind: str = "",
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Outcome:
    """Evaluate the votes. `kind`: only pictures of this class. Exclusion looks at all votes of a session."""
    checked = counted(votes)
    of_class = {id for id, rated in catalogue.pictures.items() if not kind or rated.kind == kind}
    chosen = [
        vote for vote in checked.votes if vote.question == question and (not kind or vote.picture in of_class)
    ]
    strengths, groups, scores = list[Strength](), 0, list[Opinion]()
    if question == QUALITY:
        scores = opinions(chosen, resamples, seed)
        values = {one.entry: one.mean for one in scores}
    else:
        strengths, groups = strengths_of(chosen, resamples, seed)
        values = {one.entry: one.strength for one in strengths} if groups == 1 else {}
    answers: dict[str, int] = {}
    for vote in chosen:
        answers[vote.answer] = answers.get(vote.answer, 0) + 1
    found = agreements(values, catalogue, {vote.picture for vote in chosen})
    raters = len({vote.session for vote in chosen})
    return Outcome(question, checked, len(chosen), raters, strengths, groups, scores, found, answers)


def strengths_of(votes: Sequence[Vote], resamples: int, seed: int) -> tuple[list[Strength], int]:
    """The strength of each entry in comparisons of pairs, and into how many groups they fall."""
    if not votes:
        return [], 0
    games, names = games_of(votes)
    table = games.table()
    groups = components(table)
    strengths, drawn = fit(table), resampled(games, resamples, seed)
    low, high = interval(drawn)
    best, worst = interval(ranks(drawn).astype(np.float64), whole=True)
    place = ranks(strengths)
    played = (table + table.T).sum(1)
    found = [
        Strength(
            name, float(strengths[i]), float(low[i]), float(high[i]), int(place[i]), int(best[i]), int(worst[i]),
            round(float(played[i])),
        )
        for i, name in enumerate(names)
    ]  # fmt: skip
    key = (lambda one: one.rank) if groups == 1 else (lambda one: one.entry)
    return sorted(found, key=key), groups


def games_of(votes: Sequence[Vote]) -> tuple[Games, list[str]]:
    """Pair votes as arrays, and the entries in their order."""
    names = sorted({name for vote in votes for name in vote.pair})
    at = {name: i for i, name in enumerate(names)}

    def index(values: list[str]) -> NDArray[np.int64]:
        return np.unique(values, return_inverse=True)[1].astype(np.int64)

    games = Games(
        np.array([at[vote.left] for vote in votes]),
        np.array([at[vote.right] for vote in votes]),
        np.array([PAIR_ANSWERS[vote.answer] for vote in votes]),
        index([vote.session for vote in votes]),
        index([vote.picture for vote in votes]),
        len(names),
    )
    return games, names


# ------------------------------------------------------------------------------------------------ metrics


def agreements(people: Mapping[str, float], catalogue: Catalogue, pictures: Iterable[str]) -> list[Agreement]:
    """Each metric's rank correlation with people's values by entry, the least first. A metric counts where every entry
    has it on the same pictures."""
    found: list[Agreement] = []
    shown = [catalogue.pictures[id] for id in sorted(pictures) if id in catalogue.pictures]
    for metric in METRICS:
        entries = [e for e in sorted(people) if any(metric.name in one.metrics.get(e, {}) for one in shown)]
        common = [one for one in shown if all(metric.name in one.metrics.get(e, {}) for e in entries)]
        if len(entries) < LEAST or not common:
            continue
        sign = 1.0 if metric.better == "higher" else -1.0
        means = np.array([sign * np.mean([one.metrics[e][metric.name] for one in common]) for e in entries])
        values = np.array([people[e] for e in entries])
        pair = _furthest(entries, values, means)
        found.append(Agreement(metric.name, metric.title, spearman(values, means), len(entries), pair))
    return sorted(found, key=lambda one: (np.nan_to_num(one.correlation, nan=2.0), one.metric))


def spearman(one: Array, other: Array) -> float:
    """Spearman's rank correlation in [−1,1], with mean ranks for ties; NaN where all values are equal."""
    a, b = (rankdata(values) - (len(values) + 1) / 2 for values in (one, other))
    scale = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum() / scale) if scale else float("nan")


def _furthest(entries: Sequence[str], people: Array, metric: Array) -> tuple[str, str] | None:
    apart = [
        (
            abs(people[i] - people[j]),
            (entries[i], entries[j]) if people[i] > people[j] else (entries[j], entries[i]),
        )
        for i, j in combinations(range(len(entries)), 2)
        if (people[i] - people[j]) * (metric[i] - metric[j]) < 0
    ]
    return max(apart)[1] if apart else None
