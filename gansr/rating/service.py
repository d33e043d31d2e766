"""Leads users through their rounds, keeps their votes, and tells what they answered once the names may be known.

Which method stands on which side is known here alone. The user's token is a random text that the browser keeps; the
votes hold its hash.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import threading
import time
import uuid
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from random import Random
from typing import Any

import numpy as np

from gansr.rating import RatingError
from gansr.rating.bradley_terry import fit
from gansr.rating.catalogue import Catalogue, Entry, Rated
from gansr.rating.outcome import Outcome, outcome
from gansr.rating.pairing import Pair
from gansr.rating.publish import Publisher
from gansr.rating.storage import Store
from gansr.rating.trial import CAP, ROUND, TRAINING, Session, Trial
from gansr.rating.vote import GOLD, NORMAL, PAIR_ANSWERS, QUALITY, QUESTIONS, SCORES, Vote, viewing

TOKEN = re.compile(r"[A-Za-z0-9_-]{22}")
SESSIONS = 500  # kept in memory; others are made again from their votes
REFIT = 25  # votes after which the strengths are computed anew for the choice of pairs
GONE = "This question is no longer open. Here is the next one."


@dataclass(frozen=True)
class Revealed:
    """One answer with the names."""

    question: str
    picture: str  # title
    sides: tuple[str, ...]  # titles: left and right, or one
    entries: tuple[str, ...]
    metrics: tuple[dict[str, float], ...]
    answer: str
    crowd: dict[str, int]  # answer, seen from this user's left and right → votes of all users
    control: bool  # a control pair


@dataclass(frozen=True)
class State:
    """What the user sees now: a trial, or names, or that nothing is left."""

    trial: Trial | None
    revealed: list[Revealed]
    round_over: bool
    can_undo: bool
    place: int  # answers given in this round
    of: int
    answered: int  # in the session
    cap: int
    question: str
    each: bool  # names are shown after each answer
    message: str = ""


class Rating:
    """The ratings of one catalogue in one store. Its methods may be called on any thread."""

    def __init__(
        self,
        catalogue: Catalogue,
        store: Store,
        random: Callable[[], Random] = Random,
        publisher: Publisher | None = None,
    ) -> None:
        """`random` makes the generator of each session; `publisher` gets the votes that are on the disk."""
        self.catalogue, self.store = catalogue, store
        self._random, self._publisher = random, publisher
        self._lock = threading.Lock()
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._pairs: Counter[Pair] = Counter()
        self._answers: Counter[tuple[str, str, str, str, str]] = (
            Counter()
        )  # question, picture, two entries, chosen
        self._wins: Counter[tuple[str, str]] = Counter()  # (winner, loser), thousandths of a vote
        self._strengths: dict[str, float] = {}
        self._unfitted = 0  # votes since the strengths were computed
        store.describe(
            {one.id: {"title": one.title, "about": one.about} for one in catalogue.entries.values()},
            {one.id: _about(one) for one in catalogue.pictures.values()},
        )
        with self._lock:
            for vote in store.votes():
                self._count(vote, 1)
            self._refit()

    # ------------------------------------------------------------------------------------------ a session

    def new_token(self) -> str:
        """A random token for a new user."""
        return secrets.token_urlsafe(16)

    def open(self, token: str, question: str, each: bool) -> State:
        """The session's state, with the question and the time of revealing that the user wants."""
        session = self._session(token)
        if question not in QUESTIONS:
            raise RatingError(f"the question must be one of {', '.join(QUESTIONS)}")
        with session.lock:
            session.begin(question)
            session.each = each
            return self._state(session)

    def resume(self, token: str) -> State:
        """The session's state as it was left."""
        session = self._session(token)
        with session.lock:
            return self._state(session)

    def vote(self, token: str, trial: str, answer: str, seconds: Any) -> State:
        """Keep an answer to the trial of this id; it is on the disk when this returns. An answer that was kept already
        is not kept twice. Raises RatingError where it is not possible."""
        session = self._session(token)
        with session.lock:
            asked = session.pending
            if asked is None or asked.id != trial:
                known = any(vote.uuid == trial for vote in session.votes)
                return self._state(session, "" if known else GONE)
            if answer not in (SCORES if asked.question == QUALITY else PAIR_ANSWERS):
                raise RatingError("this answer is not possible")
            session.pending = None
            if asked.training:
                session.trained += 1
                return self._state(session)
            vote = self._vote_of(session, asked, answer, seconds)
            try:
                new = self.store.add(vote)
            except RatingError:
                session.pending = asked  # it can be answered again
                raise
            if new:
                session.votes.append(vote)
                session.shown = session.each
                with self._lock:
                    self._count(vote, 1)
                if self._publisher is not None:
                    self._publisher.vote(vote)
            return self._state(session)

    def undo(self, token: str) -> State:
        """Take back the last answer of the round, while its names have not been shown, and ask again."""
        session = self._session(token)
        with session.lock:
            if not self._can_undo(session):
                return self._state(session, "There is no answer to take back.")
            last = session.votes[-1]
            self.store.delete([last.uuid])
            session.votes.pop()
            if self._publisher is not None:
                self._publisher.deleted(last.uuid)
            with self._lock:
                self._count(last, -1)
            asked = Trial(_new_id(), last.question, last.picture, last.left, last.right, last.role)
            session.pending = asked
            return self._state(session)

    def reveal(self, token: str) -> State:
        """Show the names of a round that is over."""
        session = self._session(token)
        with session.lock:
            session.shown = session.shown or self._over(session)
            return self._state(session)

    def next(self, token: str) -> State:
        """After names were shown: the next trial, or the next round."""
        session = self._session(token)
        with session.lock:
            if session.shown and self._over(session):
                session.next_round()
            session.shown = False
            return self._state(session)

    def forget(self, token: str) -> int:
        """Delete all votes of a user. Returns how many."""
        session = self._session(token)
        with session.lock:
            deleted = self.store.forget(session.key)
            with self._lock:
                for vote in session.votes:
                    self._count(vote, -1)
                self._sessions.pop(session.key, None)
            if self._publisher is not None:
                for vote in session.votes:
                    self._publisher.deleted(vote.uuid)
        return deleted

    # ------------------------------------------------------------------------------------------ everybody

    def outcome(self, question: str, kind: str = "", resamples: int = 400) -> Outcome:
        """What all votes say about a question."""
        return outcome(self.store.votes(), self.archive(), question, kind, resamples)

    def archive(self) -> Catalogue:
        """The catalogue with the entries and pictures of older sets, which have no files any more."""
        entries = {id: Entry(id, one["title"], one["about"]) for id, one in self.store.entries().items()}
        pictures = {
            id: Rated(id, one["title"], one["class"], one["problem"], "", {}, one["metrics"], {})
            for id, one in self.store.pictures().items()
        }
        return replace(
            self.catalogue,
            entries=entries | dict(self.catalogue.entries),
            pictures=pictures | dict(self.catalogue.pictures),
        )

    # ------------------------------------------------------------------------------------------ inside

    def _session(self, token: str) -> Session:
        if not TOKEN.fullmatch(token):
            raise RatingError("the session has no valid token: reload the page")
        key = hashlib.sha256(token.encode()).hexdigest()
        with self._lock:
            if (found := self._sessions.get(key)) is not None:
                self._sessions.move_to_end(key)
                return found
        made = Session(key, self._random(), self.store.votes(key))
        made.resume()
        with self._lock:
            found = self._sessions.setdefault(key, made)
            while len(self._sessions) > SESSIONS:
                self._sessions.popitem(last=False)
            return found

    def _vote_of(self, session: Session, asked: Trial, answer: str, seconds: Any) -> Vote:
        looked = min(viewing(seconds), time.monotonic() - asked.since)  # no longer than it was shown
        number = session.votes[-1].number + 1 if session.votes else 0
        return Vote(
            uuid=asked.id, session=session.key, number=number, round=session.round,
            day=datetime.now(timezone.utc).date().isoformat(), catalogue=self.catalogue.digest,
            question=asked.question, picture=asked.picture, left=asked.left, right=asked.right, answer=answer,
            seconds=round(looked, 3), role=asked.role,
        )  # fmt: skip

    def _over(self, session: Session) -> bool:
        """Whether the round has all its answers, or nothing is left to ask."""
        given = len(session.of_round())
        if session.training() or not given:
            return False
        return given >= ROUND or session.pending is None

    def _next(self, session: Session) -> Trial | None:
        with self._lock:
            strengths, counts = dict(self._strengths), self._pairs
            return session.next_trial(self.catalogue, counts, strengths, _new_id)

    def _can_undo(self, session: Session) -> bool:
        return bool(session.of_round()) and len(session.votes) > session.seen

    def _state(self, session: Session, message: str = "") -> State:
        done = session.of_round()
        if session.pending is None and (session.training() or len(done) < ROUND):
            session.pending = self._next(session)
        over = self._over(session)
        seen = done if over else done[-1:]
        if session.shown:
            session.seen = len(session.votes)
        training = session.training()
        return State(
            trial=None if over or session.shown else session.pending,
            revealed=[self._revealed(vote) for vote in seen] if session.shown else [],
            round_over=over,
            can_undo=self._can_undo(session),
            place=session.trained if training else len(done),
            of=len(TRAINING) if training else ROUND,
            answered=len(session.votes),
            cap=CAP,
            question=session.question,
            each=session.each,
            message=message,
        )

    def _revealed(self, vote: Vote) -> Revealed:
        entries = (vote.left, vote.right) if vote.is_pair else (vote.left,)
        rated = self.catalogue.pictures.get(vote.picture)
        metrics = tuple(dict(rated.metrics.get(entry, {})) if rated else {} for entry in entries)
        with self._lock:
            crowd = {answer: self._answers[_key(vote, answer)] for answer in _answers_of(vote)}
        titles = tuple(self.catalogue.title(entry) for entry in entries)
        title = rated.title if rated else vote.picture
        return Revealed(vote.question, title, titles, entries, metrics, vote.answer, crowd, vote.role == GOLD)

    def _count(self, vote: Vote, by: int) -> None:
        """Call it with the lock held."""
        self._answers[_key(vote, vote.answer)] += by
        if not vote.is_pair:
            return
        self._pairs[Pair(vote.picture, *vote.pair)] += by
        if vote.role == NORMAL:
            share = round(1000 * PAIR_ANSWERS[vote.answer])
            self._wins[vote.left, vote.right] += by * share
            self._wins[vote.right, vote.left] += by * (1000 - share)
            self._unfitted += 1
            if self._unfitted >= max(REFIT, self._pairs.total() // 50):
                self._refit()

    def _refit(self) -> None:
        """Strengths for the choice of pairs. Call it with the lock held."""
        names = sorted({name for pair in self._wins for name in pair})
        self._unfitted = 0
        if names:
            wins = np.array([[self._wins[a, b] / 1000 for b in names] for a in names])
            self._strengths = dict(zip(names, fit(wins).tolist(), strict=True))


def _about(rated: Rated) -> dict[str, Any]:
    return {
        "title": rated.title, "class": rated.kind, "problem": rated.problem,
        "metrics": {entry: dict(values) for entry, values in rated.metrics.items()},
    }  # fmt: skip


def _key(vote: Vote, answer: str) -> tuple[str, str, str, str, str]:
    """Where an answer is counted: what was chosen, whatever its side."""
    chosen = {"left": vote.left, "right": vote.right}.get(answer, answer)
    return (vote.question, vote.picture, *vote.pair, chosen)


def _answers_of(vote: Vote) -> Sequence[str]:
    return [*PAIR_ANSWERS] if vote.is_pair else SCORES


def _new_id() -> str:
    return uuid.uuid4().hex
