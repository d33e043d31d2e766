"""The outcome as HTML: ranks only where they are known, every rule, nothing that could be markup."""

from __future__ import annotations

from dataclasses import replace

from gansr.rating.catalogue import Entry
from gansr.rating.exclusion import RULES
from gansr.rating.outcome import outcome
from gansr.rating.vote import BETTER, QUALITY, Vote
from gansr.ui.rating_outcome import html_of
from tests.support.raters import catalogue, honest, session, vote

RATED = catalogue(3, 4, {"m0": 30.0, "m1": 20.0, "m2": 25.0})
STRENGTHS = {"m0": 1.0, "m1": 0.0, "m2": -1.0, "truth": 4.0, "nearest": -3.0}


def votes() -> list[Vote]:
    return [
        one
        for n in range(8)
        for one in session(f"r{n}", honest(STRENGTHS), ["m0", "m1", "m2"], n, pictures=4)
    ]


def test_ranks_strengths_and_disagreement_are_shown():
    html = html_of(outcome(votes(), RATED, BETTER, resamples=50), RATED)
    assert "8 sessions" in html and "1 (1–1)" in html
    assert html.index(">M0<") < html.index(">M1<") < html.index(">M2<")
    assert "PSNR-Y" in html and "M1 · M2" in html


def test_ranks_are_withheld_until_all_methods_are_connected():
    two = [vote(uuid="1" * 32), vote(uuid="2" * 32, left="m2", right="bicubic")]
    html = html_of(outcome(two, RATED, BETTER, resamples=5), RATED)
    assert "no ranks yet" in html and "Strength" not in html


def test_scores_have_their_distribution():
    scores = [
        vote(uuid=f"{n:032x}", question=QUALITY, right="", answer="4", picture=f"p{n}") for n in range(3)
    ]
    html = html_of(outcome(scores, RATED, QUALITY, resamples=5), RATED)
    assert "4.00 (4.00 … 4.00)" in html and "100 %" in html


def test_every_rule_is_published():
    html = html_of(outcome([], RATED, BETTER), RATED)
    assert all(rule.split(" (")[0] in html for rule in RULES.values())


def test_a_name_of_another_replica_is_no_markup():
    odd = replace(RATED, entries={**RATED.entries, "m0": Entry("m0", "<img src=x>", {})})
    assert "<img" not in html_of(outcome(votes(), odd, BETTER, resamples=5), odd)
