"""Which sessions and votes count. All votes stay stored; the rules act in the statistics alone and stand on the page.

Random clicking, hurry and pressing one key are found by what a user cannot know: control pairs (the original against
nearest neighbour), pairs that are shown twice with the sides changed, the time of viewing, the share of one answer.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gansr.rating.catalogue import NEAREST, TRUTH
from gansr.rating.vote import GOLD, NORMAL, REPEAT, Vote

QUICK = 0.7  # seconds: less is too short to look
CONTROLS, CONTROLS_RIGHT = 2, 0.75  # so many control pairs at least, this share right
REPEATS = 5  # repeated pairs
STRAIGHT, STRAIGHT_SHARE = 10, 0.9  # answers, and the share of one of them
QUICK_SHARE = 0.5
CONTROL, HURRY, ONE_ANSWER, INCONSISTENT, ANCHORS = (
    "control",
    "hurry",
    "one-answer",
    "inconsistent",
    "anchors",
)
RULES = {
    CONTROL: f"A session with at least {CONTROLS} control pairs (the original against nearest neighbour) does not "
    f"count if the original was chosen in less than {100 * CONTROLS_RIGHT:.0f} % of them.",
    HURRY: f"A session does not count if more than half of its answers came within {QUICK} s.",
    ONE_ANSWER: f"A session with at least {STRAIGHT} answers does not count if "
    f"{100 * STRAIGHT_SHARE:.0f} % of them are the same.",
    INCONSISTENT: f"A session with at least {REPEATS} repeated pairs does not count if no answer was the same again.",
    ANCHORS: "A session of scores does not count if its hidden originals have no better mean than nearest neighbour.",
}
QUICK_RULE = (
    f"An answer within {QUICK} s does not count. Control pairs and repeated pairs do not count as votes."
)


@dataclass(frozen=True)
class Counted:
    """The votes that count, and what does not."""

    votes: list[Vote]
    sessions: int  # whose votes count
    excluded: dict[str, int]  # rule → sessions
    quick: int  # answers of the sessions that count
    consistency: float | None  # share of repeated pairs with the same answer, of the sessions that count


def counted(votes: Iterable[Vote]) -> Counted:
    """Apply the rules, to pairs and to scores of a session apart."""
    sessions: dict[tuple[str, bool], list[Vote]] = defaultdict(list)
    for vote in votes:
        sessions[vote.session, vote.is_pair].append(vote)
    kept: list[Vote] = []
    excluded: Counter[str] = Counter()
    quick, same = 0, list[bool]()
    for found in sessions.values():
        if rule := broken_rule(found):
            excluded[rule] += 1
            continue
        quick += sum(vote.seconds < QUICK for vote in found)
        same += repeated(found)
        kept += [vote for vote in found if vote.seconds >= QUICK and vote.role == NORMAL]
    consistency = sum(same) / len(same) if same else None
    return Counted(kept, len({vote.session for vote in kept}), dict(excluded), quick, consistency)


def broken_rule(votes: Sequence[Vote]) -> str:
    """The first of RULES that a session's pairs, or its scores, break; empty where none is."""
    if sum(vote.seconds < QUICK for vote in votes) > QUICK_SHARE * len(votes):
        return HURRY
    most = max(Counter(vote.answer for vote in votes).values())
    if len(votes) >= STRAIGHT and most >= STRAIGHT_SHARE * len(votes):
        return ONE_ANSWER
    controls = [vote.chosen == TRUTH for vote in votes if vote.role == GOLD]
    if len(controls) >= CONTROLS and sum(controls) < CONTROLS_RIGHT * len(controls):
        return CONTROL
    again = repeated(votes)
    if len(again) >= REPEATS and not any(again):
        return INCONSISTENT
    best, worst = (
        [int(vote.answer) for vote in votes if not vote.is_pair and vote.left == name]
        for name in (TRUTH, NEAREST)
    )
    if best and worst and sum(best) / len(best) <= sum(worst) / len(worst):
        return ANCHORS
    return ""


def repeated(votes: Sequence[Vote]) -> list[bool]:
    """For each repeated pair, whether it was answered in the same way."""
    first = {(v.question, v.picture, v.pair): v.chosen for v in votes if v.is_pair and v.role != REPEAT}
    again = [v for v in votes if v.role == REPEAT]
    keys = [(v.question, v.picture, v.pair) for v in again]
    return [first[key] == vote.chosen for key, vote in zip(keys, again, strict=True) if key in first]
