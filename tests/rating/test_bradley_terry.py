"""Strengths: against what can be computed by hand and a published table; resampling and ranks."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gansr.rating.bradley_terry import Games, components, fit, interval, ranks, resampled


def test_three_wins_of_four_are_the_odds_three_to_one():
    strengths = fit(np.array([[0.0, 3.0], [1.0, 0.0]]), penalty=1e-9)
    assert strengths[0] - strengths[1] == pytest.approx(math.log(3), abs=1e-6)
    assert strengths.sum() == pytest.approx(0)


def test_the_strengths_of_the_american_league_are_those_of_the_textbook():
    """A. Agresti, Categorical Data Analysis: the East of the American League, 1987, against Baltimore."""
    wins = np.array(
        [
            [0, 7, 9, 7, 7, 9, 11],  # Milwaukee
            [6, 0, 7, 5, 11, 9, 9],  # Detroit
            [4, 6, 0, 7, 7, 8, 12],  # Toronto
            [6, 8, 6, 0, 6, 7, 10],  # New York
            [6, 2, 6, 7, 0, 7, 12],  # Boston
            [4, 4, 5, 6, 6, 0, 6],  # Cleveland
            [2, 4, 1, 3, 1, 7, 0],  # Baltimore
        ],
        float,
    )
    found = fit(wins, penalty=1e-9)
    assert found - found[-1] == pytest.approx([1.581, 1.436, 1.294, 1.248, 1.108, 0.684, 0], abs=6e-4)


def test_at_the_maximum_each_method_has_as_many_wins_as_expected():
    wins = np.random.default_rng(1).integers(0, 9, (6, 6)).astype(float)
    np.fill_diagonal(wins, 0)
    strengths = fit(wins, penalty=1e-9)
    chance = 1 / (1 + np.exp(strengths[None, :] - strengths[:, None]))
    assert ((wins + wins.T) * chance).sum(1) == pytest.approx(wins.sum(1), abs=1e-5)


def test_a_method_that_never_loses_has_a_finite_strength():
    strengths = fit(np.array([[0.0, 500.0], [0.0, 0.0]]))
    assert np.isfinite(strengths).all() and strengths[0] > 2


def test_several_tables_at_once_give_the_same_as_each():
    tables = np.random.default_rng(2).integers(1, 9, (4, 5, 5)).astype(float)
    assert fit(tables) == pytest.approx(np.stack([fit(one) for one in tables]), abs=1e-6)


def test_methods_that_were_not_compared_are_in_another_group():
    wins = np.zeros((4, 4))
    wins[0, 1] = wins[2, 3] = 1
    assert components(wins) == 2
    wins[3, 0] = 1
    assert components(wins) == 1


def games(raters: int, wins: int) -> Games:
    """Each rater judges 10 pairs of two methods; the first wins in `wins` of them."""
    share = np.tile([1.0] * wins + [0.0] * (10 - wins), raters)
    size = len(share)
    zeros = np.zeros(size, np.int64)
    return Games(zeros, zeros + 1, share, np.repeat(np.arange(raters), 10), np.arange(size) % 5, 2)


def test_equal_seeds_give_equal_intervals_around_the_strength():
    drawn = resampled(games(8, 7), 200, seed=3)
    assert np.array_equal(drawn, resampled(games(8, 7), 200, seed=3))
    low, high = interval(drawn)
    assert low[0] < fit(games(8, 7).table())[0] < high[0]


def test_raters_who_contradict_each_other_make_the_interval_wider():
    """In both cases half of the games are won: by all raters alike, and by every other rater all of them."""
    alike, apart = games(8, 5), games(8, 5)
    apart.share[:] = np.repeat([1.0, 0.0] * 4, 10)
    widths = [np.ptp(np.stack(interval(resampled(one, 200, 3))), 0)[0] for one in (alike, apart)]
    assert widths[1] > 2 * widths[0]


def test_the_strongest_has_rank_one():
    assert ranks(np.array([[0.5, 2.0, -1.0]])).tolist() == [[2, 1, 3]]
    low, high = interval(np.array([[1.0], [1.0], [2.0], [3.0]]), whole=True)
    assert (low[0], high[0]) == (1, 3)
