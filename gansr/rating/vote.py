"""One vote, and what its fields may hold. A vote names no person: the session is the hash of a random token."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from gansr.rating import RatingError

BETTER, CLOSER, QUALITY = "better", "closer", "quality"
PAIR_QUESTIONS = (BETTER, CLOSER)
QUESTIONS = (*PAIR_QUESTIONS, QUALITY)
# The left's share of the vote: ties count as half, and so does "both bad".
PAIR_ANSWERS: Mapping[str, float] = {"left": 1.0, "right": 0.0, "same": 0.5, "bad": 0.5}
SCORES = ("1", "2", "3", "4", "5")
NORMAL, GOLD, REPEAT = "normal", "gold", "repeat"
ROLES = (NORMAL, GOLD, REPEAT)
LONGEST = 3600.0  # seconds of viewing: more is recorded as this
_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,63}")
_HEX = {"uuid": 32, "session": 64, "catalogue": 16}  # digits
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass(frozen=True)
class Vote:
    """What was shown and answered. `right` is empty in a mean opinion score."""

    uuid: str  # 32 hexadecimal digits
    session: str  # 64 hexadecimal digits
    number: int  # from 0, in the session
    round: int  # from 0, in the session
    day: str  # "2026-11-28", UTC: the time of day is not kept
    catalogue: str  # the hash of the set of pictures and configurations
    question: str  # of QUESTIONS
    picture: str
    left: str  # entry of the catalogue
    right: str
    answer: str  # of PAIR_ANSWERS or SCORES
    seconds: float  # of viewing
    role: str = NORMAL

    @property
    def is_pair(self) -> bool:
        """Whether two results were compared."""
        return self.question != QUALITY

    @property
    def pair(self) -> tuple[str, str]:
        """The two entries in a fixed order."""
        return (self.left, self.right) if self.left < self.right else (self.right, self.left)

    @property
    def chosen(self) -> str:
        """The entry that won, or the answer where none did."""
        return {"left": self.left, "right": self.right}.get(self.answer, self.answer)


NAMES = tuple(field.name for field in fields(Vote))


def as_plain(vote: Vote) -> dict[str, Any]:
    """The vote as JSON holds it."""
    return asdict(vote)


def from_plain(given: Any) -> Vote:
    """A vote from a file that anybody may have written. Raises RatingError for what no vote has."""
    if not isinstance(given, dict) or not set(NAMES) <= set(given):
        raise RatingError(f"this is no vote: it needs the fields {', '.join(NAMES)}")
    texts = {name: given[name] for name in NAMES if name not in ("number", "round", "seconds")}
    if not all(isinstance(text, str) for text in texts.values()):
        raise RatingError("this is no vote: a text is missing")
    for name, digits in _HEX.items():
        if not re.fullmatch(rf"[0-9a-f]{{{digits}}}", texts[name]):
            raise RatingError(f"a vote's {name} has {digits} hexadecimal digits, not {texts[name][:70]!r}")
    pair = texts["question"] in PAIR_QUESTIONS
    known = texts["question"] in QUESTIONS and texts["role"] in ROLES and _DAY.fullmatch(texts["day"])
    named = [texts["picture"], texts["left"], *([texts["right"]] if pair else [])]
    if not known or not all(_NAME.fullmatch(name) for name in named) or (not pair and texts["right"]):
        raise RatingError(f"vote {texts['uuid']} has a question, role, day or name that is not possible")
    if texts["answer"] not in (PAIR_ANSWERS if pair else SCORES) or texts["left"] == texts["right"]:
        raise RatingError(
            f"vote {texts['uuid']} has the answer {texts['answer'][:20]!r}, which is not possible"
        )
    counts = [given["number"], given["round"]]
    if not all(isinstance(count, int) and 0 <= count < 2**31 for count in counts):
        raise RatingError(f"vote {texts['uuid']} has a number that is not possible")
    return Vote(**texts, number=counts[0], round=counts[1], seconds=viewing(given["seconds"]))


def viewing(seconds: Any) -> float:
    """Seconds of viewing in [0, LONGEST]; 0 for what is no number."""
    if not isinstance(seconds, (int, float)) or isinstance(seconds, bool) or not math.isfinite(seconds):
        return 0.0
    return min(max(float(seconds), 0.0), LONGEST)
