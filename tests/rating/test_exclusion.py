"""Exclusion: which sessions break which rule, and what of the others counts."""

from __future__ import annotations

import random

from gansr.rating import exclusion
from gansr.rating.catalogue import NEAREST, TRUTH
from gansr.rating.exclusion import broken_rule, counted, repeated
from gansr.rating.vote import GOLD, QUALITY, REPEAT, SCORES
from tests.support.raters import clicker, honest, session, vote

METHODS = ["m0", "m1", "m2"]
STRENGTHS = {"m0": 1.0, "m1": 0.0, "m2": -1.0, TRUTH: 5.0, NEAREST: -4.0}


def score(number: int, entry: str, answer: str, **changes: object):
    return vote(
        uuid=f"{number:032x}", number=number, question=QUALITY, left=entry, right="", answer=answer, **changes
    )


def test_honest_raters_count_and_clickers_do_not():
    raters = [session(f"r{n}", honest(STRENGTHS), METHODS, n) for n in range(30)]
    clickers = [session(f"c{n}", clicker, METHODS, n) for n in range(30)]
    assert sum(broken_rule(one) != "" for one in raters) <= 1
    assert sum(broken_rule(one) != "" for one in clickers) >= 28


def test_a_quick_answer_is_flagged_and_does_not_count_and_a_session_of_them_neither():
    usual = session("r", honest(STRENGTHS), METHODS, 1)
    usual[0] = vote(**{**vars(usual[0]), "seconds": 0.69})
    found = counted(usual)
    assert found.quick == 1 and found.sessions == 1
    assert usual[0] not in found.votes and usual[1] in found.votes
    assert broken_rule([vote(**{**vars(one), "seconds": 0.3}) for one in usual]) == exclusion.HURRY


def test_one_key_all_the_time_is_found():
    assert broken_rule([vote(number=n) for n in range(9)]) == ""
    assert broken_rule([vote(number=n) for n in range(10)]) == exclusion.ONE_ANSWER


def test_control_pairs_are_judged_from_the_second_on():
    wrong = [vote(left=NEAREST, right=TRUTH, role=GOLD), vote(answer="right")]
    assert broken_rule(wrong) == ""
    assert broken_rule([*wrong, wrong[0]]) == exclusion.CONTROL
    assert broken_rule([*wrong, *[vote(left=TRUTH, right=NEAREST, role=GOLD)] * 3]) == ""


def test_a_repeated_pair_is_the_same_if_the_same_method_is_chosen():
    first = vote(answer="left")
    same, other = (vote(left="m1", right="m0", role=REPEAT, answer=answer) for answer in ("right", "left"))
    assert repeated([first, same]) == [True] and repeated([first, other]) == [False]
    assert repeated([other]) == []


def test_control_and_repeated_pairs_are_no_votes():
    found = counted(session("r", honest(STRENGTHS), METHODS, 2))
    assert {one.role for one in found.votes} == {"normal"}
    assert len(found.votes) == 48 and found.consistency is not None


def test_scores_count_only_where_originals_are_better_than_nearest():
    good = [score(0, TRUTH, "5"), score(1, NEAREST, "1"), score(2, "m0", "3")]
    bad = [score(0, TRUTH, "2"), score(1, NEAREST, "2"), score(2, "m0", "3")]
    assert broken_rule(good) == "" and broken_rule(bad) == exclusion.ANCHORS


def test_pairs_and_scores_of_a_session_are_judged_apart():
    draw = random.Random(4)
    scores = [score(100 + n, f"m{n % 3}", draw.choice(SCORES)) for n in range(12)]
    found = counted([*scores, *(vote(uuid=f"{n:032x}", number=n) for n in range(12))])
    assert found.excluded == {exclusion.ONE_ANSWER: 1} and {one.question for one in found.votes} == {QUALITY}
