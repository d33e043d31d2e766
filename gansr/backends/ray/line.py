"""The line before the workers of one pool: visitors are served in rotation, as in gansr.turns, but several at once.

Each owner's jobs come in the order in which they joined; an owner who was served goes to the end of the rotation. A
place is kept as long as its page renews it: a page that was killed leaves none behind.
"""

from __future__ import annotations

import heapq
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import takewhile

from gansr.rotation import Rotation

LEASE = 15.0  # seconds without a renewal after which a place is given up


@dataclass
class Place:
    """One job's."""

    ticket: str
    owner: str
    seconds: float | None  # that it will compute, by its estimate
    renewed: float  # the line's clock, as all times here
    joined: float
    began: float | None = None  # when its worker began


@dataclass
class Line:
    """The places of one pool.

    slots: jobs that can be with the workers now. `beyond` more are let through: they wait in Serve's own queue, where
    its autoscaler sees them, and the next job is there when one ends.
    """

    clock: Callable[[], float] = time.monotonic
    slots: int = 0
    beyond: int = 1
    called: Callable[[str], None] = lambda ticket: None  # told of each job that is let through
    served: OrderedDict[str, Place] = field(
        default_factory=OrderedDict[str, Place]
    )  # in the order of their calls
    _waiting: Rotation[Place] = field(default_factory=Rotation[Place])

    def join(self, ticket: str, owner: str, seconds: float | None, first: bool = False) -> None:
        """A place at the end of the line. first: before all others, for a job that has begun and lost its worker."""
        now = self.clock()
        place = Place(ticket, owner, seconds, now, now)
        if first:
            self._waiting.append_first(owner, place)
        else:
            self._waiting.append(owner, place)
        self.call()

    def adopt(self, ticket: str, owner: str, seconds: float | None) -> None:
        """A job that computes already: this line is newer than it."""
        now = self.clock()
        self.served[ticket] = Place(ticket, owner, seconds, now, now, now)

    def knows(self, ticket: str) -> bool:
        """Whether the ticket has a place, and renews it."""
        place = self._place(ticket)
        if place is not None:
            place.renewed = self.clock()
        return place is not None

    def begin(self, ticket: str) -> None:
        """A worker computes the job now."""
        if ticket in self.served:
            self.served[ticket].began = self.clock()

    def leave(self, ticket: str) -> None:
        """Give the place up, served or not. One that is not there is no error."""
        place = self._place(ticket)
        if self.served.pop(ticket, None) is None and place is not None:
            self._waiting.remove(place.owner, place)
        self.call()

    def expire(self) -> list[str]:
        """Give up the places that nobody renews → their tickets."""
        late = [place.ticket for place in (*self.served.values(), *self._waiting) if self._is_late(place)]
        for ticket in late:
            self.leave(ticket)
        return late

    def call(self) -> None:
        """Let through as many as there is room for."""
        while self._waiting and len(self.served) < self.slots + self.beyond:
            place = self._waiting.take()
            self.served[place.ticket] = place
            self.called(place.ticket)

    def ahead(self, ticket: str) -> tuple[int, float | None]:
        """Jobs that come before a job which has not begun, those that compute included, and the seconds until it
        begins; None where one of the times is not known, or no worker is there."""
        served = list(self.served.values())
        begun = [place for place in served if place.began is not None]
        before = [place for place in served if place.began is None]
        before = list(takewhile(lambda place: place.ticket != ticket, (*before, *self._waiting)))
        jobs = len(begun) + len(before)
        if jobs < self.slots:
            return jobs, 0.0
        times = [self._left(place) for place in (*begun, *before)]
        known = [seconds for seconds in times if seconds is not None]
        if len(known) < len(times) or not self.slots:
            return jobs, None
        ends = known[: len(begun)]
        ends += [0.0] * (self.slots - len(ends))
        heapq.heapify(ends)
        for seconds in known[len(begun) :]:
            heapq.heappush(ends, heapq.heappop(ends) + seconds)
        while len(ends) > self.slots:  # fewer workers than jobs that have begun: some have just been lost
            heapq.heappop(ends)
        return jobs, ends[0]

    def until_room(self) -> float | None:
        """Seconds until the next job ends, and a place is free; None where that is not known."""
        left = [self._left(place) for place in self.served.values() if place.began is not None]
        return min((seconds for seconds in left if seconds is not None), default=None)

    @property
    def running(self) -> int:
        """Jobs that compute."""
        return sum(place.began is not None for place in self.served.values())

    @property
    def waiting(self) -> int:
        """Jobs that do not compute yet."""
        return len(self.served) - self.running + len(self._waiting)

    def is_served(self, ticket: str) -> bool:
        """Whether the job may go to the workers."""
        return ticket in self.served

    def _left(self, place: Place) -> float | None:
        if place.seconds is None:
            return None
        return max(0.0, place.seconds - (0.0 if place.began is None else self.clock() - place.began))

    def _is_late(self, place: Place) -> bool:
        return self.clock() - place.renewed > LEASE

    def _place(self, ticket: str) -> Place | None:
        waiting = (place for place in self._waiting if place.ticket == ticket)
        return self.served.get(ticket) or next(waiting, None)
