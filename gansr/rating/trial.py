"""What one user is asked: rounds of ten pairs or ten scores, in random order, with control and repeated pairs.

Nothing here is stored; a session that is continued after a restart is made again from its votes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random

from gansr.rating.catalogue import BICUBIC, NEAREST, TRUTH, Catalogue
from gansr.rating.pairing import Pair, choose
from gansr.rating.vote import BETTER, GOLD, NORMAL, QUALITY, REPEAT, Vote

ROUND = 10  # answers
CAP = 60  # answers of a session
TRAINING = (NEAREST, TRUTH, BICUBIC, NEAREST, TRUTH)  # before the first score: what is bad, what is excellent
REPEAT_AFTER = 4  # answers between a pair and its repetition


@dataclass(frozen=True)
class Trial:
    """One pair, or one picture to score. Its id becomes the vote's."""

    id: str
    question: str
    picture: str
    left: str
    right: str = ""
    role: str = NORMAL
    training: bool = False
    since: float = field(default_factory=time.monotonic)


@dataclass
class Session:
    """One user's rounds. Hold `lock` while reading or changing it."""

    key: str  # the hash of the token
    draw: Random
    votes: list[Vote] = field(default_factory=list)
    question: str = BETTER
    each: bool = False  # the names are shown after each answer, otherwise after the round
    round: int = 0
    pending: Trial | None = None
    shown: bool = False  # the names of the round, or of the last answer, are shown
    seen: int = 0  # answers whose names may have been shown: they cannot be taken back
    trained: int = 0  # training items answered
    gold_at: int = 0  # places in the round
    repeat_at: int = 0
    lock: threading.RLock = field(default_factory=threading.RLock)

    def resume(self) -> None:
        """Continue where the stored votes end."""
        if self.votes:
            last = self.votes[-1]
            self.round, self.question, self.seen = last.round, last.question, len(self.votes)
        self.plan_round()

    def plan_round(self) -> None:
        """Choose the places of the control pair and of the repeated pair."""
        self.gold_at, self.repeat_at = self.draw.sample([*range(1, ROUND)], 2)
        if self.repeat_at < REPEAT_AFTER and self.gold_at > self.repeat_at:
            self.gold_at, self.repeat_at = self.repeat_at, self.gold_at

    def begin(self, question: str) -> None:
        """Another question begins a new round; the answers given so far are kept."""
        if question != self.question:
            self.question = question
            self.next_round()

    def next_round(self) -> None:
        """Begin the next round, if this one has answers."""
        self.round += bool(self.of_round())
        self.pending, self.shown = None, False
        self.plan_round()

    def of_round(self) -> list[Vote]:
        """The answers of this round."""
        return [vote for vote in self.votes if vote.round == self.round]

    def training(self) -> bool:
        """Whether training items come next."""
        scored = any(vote.question == QUALITY for vote in self.votes)
        return self.question == QUALITY and not scored and self.trained < len(TRAINING)

    def full(self) -> bool:
        """Whether the session has as many answers as are allowed."""
        return len(self.votes) >= CAP

    def next_trial(
        self,
        catalogue: Catalogue,
        counts: Mapping[Pair, int],
        strengths: Mapping[str, float],
        new_id: Callable[[], str],
    ) -> Trial | None:
        """What is asked next; None where nothing is left to ask."""
        if self.training():
            picture = self.draw.choice(sorted(catalogue.pictures))
            return Trial(new_id(), QUALITY, picture, TRAINING[self.trained], training=True)
        if self.full():
            return None
        if self.question == QUALITY:
            return self._score(catalogue, new_id)
        place = len(self.of_round())
        wanted = {self.gold_at: GOLD, self.repeat_at: REPEAT}.get(place, NORMAL)
        pair = self._pair(catalogue, wanted, counts, strengths)
        if pair is None and wanted != NORMAL:
            wanted = NORMAL
            pair = self._pair(catalogue, wanted, counts, strengths)
        if pair is None:
            return None
        sides = [pair.first, pair.second]
        if wanted == REPEAT:  # the other way round
            before = next(vote for vote in self._own(NORMAL) if _pair_of(vote) == pair)
            sides = [before.right, before.left]
        else:
            self.draw.shuffle(sides)
        return Trial(new_id(), self.question, pair.picture, sides[0], sides[1], wanted)

    def _score(self, catalogue: Catalogue, new_id: Callable[[], str]) -> Trial | None:
        done = {(vote.picture, vote.left) for vote in self.votes if vote.question == QUALITY}
        every = [(rated.id, entry) for rated in catalogue.pictures.values() for entry in rated.files]
        left = sorted(set(every) - done)
        if not left:
            return None
        # Not the picture that was just shown, where there is another: results of one picture would be compared.
        last = self.votes[-1].picture if self.votes else ""
        others = [one for one in left if one[0] != last] or left
        picture, entry = self.draw.choice(others)
        return Trial(new_id(), QUALITY, picture, entry)

    def _pair(
        self, catalogue: Catalogue, role: str, counts: Mapping[Pair, int], strengths: Mapping[str, float]
    ) -> Pair | None:
        if role == REPEAT:
            done = {_pair_of(vote) for vote in self._own(REPEAT)}
            old = [_pair_of(vote) for vote in self._own(NORMAL)[: -REPEAT_AFTER + 1]]
            left = [pair for pair in old if pair not in done and pair.picture in catalogue.pictures]
            return self.draw.choice(left) if left else None
        done = {_pair_of(vote) for vote in self._own(NORMAL) + self._own(GOLD)}
        every = catalogue.gold_pairs if role == GOLD else catalogue.pairs
        left = [pair for pair in every if pair not in done]
        if not left:
            return None
        last = self.votes[-1].picture if self.votes else ""
        others = [pair for pair in left if pair.picture != last] or left
        return choose(others, counts, strengths, self.draw)

    def _own(self, role: str) -> list[Vote]:
        return [vote for vote in self.votes if vote.question == self.question and vote.role == role]


def _pair_of(vote: Vote) -> Pair:
    return Pair(vote.picture, *vote.pair)
