"""The outcome: the true order of simulated raters, mean opinion scores, and metrics that disagree."""

from __future__ import annotations

import math
import os
import random

import numpy as np
import pytest

from gansr.rating.catalogue import NEAREST, TRUTH
from gansr.rating.opinion import opinions
from gansr.rating.outcome import agreements, outcome, spearman, strengths_of
from gansr.rating.vote import BETTER, CLOSER, NORMAL, QUALITY, Vote
from tests.support.raters import catalogue, clicker, honest, session, vote

STRENGTHS = {"m0": 0.8, "m1": 0.4, "m2": 0.0, "m3": -0.4, "m4": -0.8}
WITH_ANCHORS = {**STRENGTHS, TRUTH: 4.0, NEAREST: -3.0}
PLACES = {name: place for place, name in enumerate(STRENGTHS, 1)}
SEEDS = int(os.environ.get("GANSR_RATING_SEEDS", "25"))  # 100: a minute


def raters(seed: int, clickers: int = 0) -> list[Vote]:
    """40 raters with 60 pairs each, some of whom click at random."""
    careful = honest(WITH_ANCHORS, seed)
    answers = [clicker if number < clickers else careful for number in range(40)]
    return [
        one
        for number, answer in enumerate(answers)
        for one in session(f"r{number}", answer, list(STRENGTHS), 1000 * seed + number)
    ]


def test_the_true_order_lies_inside_the_intervals(capsys):
    rated, inside, covered = catalogue(5, 10), 0, 0
    for seed in range(SEEDS):
        found = outcome(raters(seed), rated, BETTER, resamples=100, seed=seed).strengths
        inside += all(one.best_rank <= PLACES[one.entry] <= one.worst_rank for one in found)
        covered += sum(one.low <= STRENGTHS[one.entry] <= one.high for one in found)
    with capsys.disabled():
        print(f"\nthe true order is inside the rank intervals for {inside} of {SEEDS} seeds; ", end="")
        print(f"of the strengths {covered / 5 / SEEDS:.1%} are")
    assert inside >= 0.93 * SEEDS


def test_exclusion_restores_the_strengths_where_a_fifth_clicks_at_random(capsys):
    rated, errors, inside = catalogue(5, 10), {"clean": 0.0, "clickers": 0.0, "excluded": 0.0}, 0
    for seed in range(20):
        clean, mixed = raters(seed), raters(seed, clickers=8)
        kept = outcome(mixed, rated, BETTER, resamples=50, seed=seed).strengths
        inside += all(one.best_rank <= PLACES[one.entry] <= one.worst_rank for one in kept)
        found = {
            "clean": outcome(clean, rated, BETTER, resamples=1, seed=seed).strengths,
            "clickers": strengths_of([one for one in mixed if one.role == NORMAL], 1, seed)[0],
            "excluded": kept,
        }
        for name, strengths in found.items():  # how wide the strengths are spread, of the true spread
            errors[name] += sum(one.strength * STRENGTHS[one.entry] for one in strengths) / 1.6 / 20
    with capsys.disabled():
        print("\nspread of the strengths, 1 is true:", {k: round(v, 3) for k, v in errors.items()})
    assert inside >= 19
    assert errors["clickers"] < errors["clean"] - 0.1
    assert abs(errors["excluded"] - errors["clean"]) < 0.03


def test_ranks_wait_until_every_pair_of_methods_is_connected():
    two = [vote(uuid=f"{n:032x}", session=f"{n:064x}") for n in range(3)]
    two += [vote(uuid=f"{n:032x}", session=f"{n:064x}", left="m2", right="m3") for n in range(3, 6)]
    rated = catalogue(4)
    assert outcome(two, rated, BETTER, resamples=10).groups == 2
    bridge = vote(uuid="f" * 32, session="f" * 64, left="m0", right="m3")
    assert outcome([*two, bridge], rated, BETTER, resamples=10).groups == 1


def test_questions_and_classes_are_evaluated_apart():
    votes = [
        vote(uuid="1" * 32, picture="p0", answer="left"),
        vote(uuid="2" * 32, picture="p1", answer="right"),
        vote(uuid="3" * 32, picture="p0", answer="right", question=CLOSER),
    ]
    rated = catalogue()
    assert outcome(votes, rated, BETTER, resamples=5).votes == 2
    photographs = outcome(votes, rated, BETTER, "photograph", resamples=5)
    assert photographs.votes == 1 and photographs.strengths[0].entry == "m0"
    assert outcome(votes, rated, CLOSER, resamples=5).strengths[0].entry == "m1"
    assert outcome([], rated, BETTER).strengths == []


def test_a_tie_and_both_bad_count_as_half():
    for answer in ("same", "bad"):
        found, _ = strengths_of([vote(answer=answer)], 1, 0)
        assert [one.strength for one in found] == pytest.approx([0, 0])


def score(number: int, rater: int, entry: str, answer: int) -> Vote:
    return vote(
        uuid=f"{number:032x}", session=f"{rater:064x}", number=number, question=QUALITY, left=entry, right="",
        answer=str(answer), picture=f"p{number % 3}",
    )  # fmt: skip


def test_the_mean_opinion_score_is_the_mean_with_the_distribution():
    votes = [score(n, n % 5, "m0", [1, 2, 4, 5, 5, 4][n % 6]) for n in range(30)]
    votes += [score(30 + n, n % 5, "m1", 2) for n in range(30)]
    best, worst = opinions(votes, 200, seed=1)
    assert (best.entry, best.mean, best.votes) == ("m0", pytest.approx(3.5), 30)
    assert best.shares == pytest.approx((1 / 6, 1 / 6, 0, 2 / 6, 2 / 6))
    assert best.low < best.mean < best.high
    assert (worst.low, worst.mean, worst.high) == (2, 2, 2)
    assert opinions([], 10, 0) == []


def test_scores_of_simulated_raters_have_the_true_mean_inside_the_interval():
    truth, inside = {"m0": 4.0, "m1": 2.5}, 0
    for seed in range(20):
        draw, votes = random.Random(seed), list[Vote]()
        for rater in range(20):
            mood = draw.gauss(0, 0.3)
            for n, entry in enumerate(["m0", "m1"] * 10):
                answer = round(min(5, max(1, truth[entry] + mood + draw.gauss(0, 0.5))))
                votes.append(score(rater * 20 + n, rater, entry, answer))
        inside += all(one.low <= truth[one.entry] <= one.high for one in opinions(votes, 200, seed))
    assert inside >= 17


def test_the_rank_correlation_is_spearmans():
    """M. Kendall's example of a tie has mean ranks; the sum of squared differences of 1,2,3,4 and 1,3,2,4 is 2."""
    assert spearman(np.array([1.0, 2, 3, 4]), np.array([10.0, 30, 20, 40])) == pytest.approx(
        1 - 6 * 2 / (4 * 15)
    )
    assert spearman(np.array([1.0, 2, 3]), np.array([3.0, 2, 1])) == pytest.approx(-1)
    assert math.isnan(spearman(np.array([1.0, 2, 3]), np.array([1.0, 1, 1])))


def test_a_metric_that_disagrees_names_the_pair_that_is_furthest_apart():
    rated = catalogue(3, metrics={"m0": 20.0, "m1": 25.0, "m2": 30.0})
    (found,) = agreements({"m0": 2.0, "m1": 0.0, "m2": -2.0}, rated, ["p0", "p1"])
    assert (found.metric, found.correlation, found.disagreement) == (
        "psnr_y",
        pytest.approx(-1),
        ("m0", "m2"),
    )
    (found,) = agreements({"m0": -2.0, "m1": 0.0, "m2": 2.0}, rated, ["p0"])
    assert found.correlation == pytest.approx(1) and found.disagreement is None
    assert agreements({"m0": 1.0, "m1": 0.0}, rated, ["p0"]) == []
