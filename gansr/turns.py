"""The line before the device: one turn at a time, and the owners of those who wait are served in rotation.

Each owner's own turns come in the order in which they joined. An owner who comes new, and one who was served and waits
again, goes to the end of the rotation: nobody overtakes twice, so nobody waits for ever. Urgent turns (a measurement is
short) go before all others.

A job that has begun may lend its turn between two of its steps to a short job of another owner, the next one in the
rotation whose memory is free. It gets the device back right after that one job, so there are never two at once. It
computes LEND seconds between two loans, so it always advances, and those behind it wait at most (LEND + SHORT) / LEND
times as long.

Who is called must come, and who has begun must go on: a generator may have been left standing by the program that reads
it, as that of a paused run is. After GRACE seconds the next is called, and the one who did not come is the first again
when it asks.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from itertools import takewhile
from typing import NamedTuple, Protocol

from gansr.method import MethodError
from gansr.rotation import Rotation

GRACE = 2.0  # seconds from the call to `Turn.wait`, and from `Turn.stand` to `Turn.go_on`
SHORT = 5.0  # seconds: the longest job that may overtake, by its estimate
LEND = 2.0  # seconds that a job computes before it lends its turn, each time


class Work(Protocol):
    """What the line knows of a job."""

    def left(self) -> float | None:
        """Seconds that it will still compute; None where that is not known."""
        ...

    def fits(self) -> bool:
        """Whether the memory that it needs is free now."""
        ...


class Ahead(NamedTuple):
    """What comes before a turn."""

    jobs: int  # the running one included; measurements are not counted
    seconds: float | None  # that these jobs will compute, together; None where one is not known


class Turn:
    """A place in the line, from `Turns.join`. Whoever has one must `leave`, served or not."""

    def __init__(self, line: Turns, owner: str, urgent: bool, work: Work | None):
        self._line, self.owner, self.urgent, self._work = line, owner, urgent, work
        self._called = threading.Event()  # it is this one's turn, or the line was closed
        self.taken = False  # `wait` has told that the turn came
        self.passed = False  # it did not come or go on, and is out of the line until it asks again
        self.standing: float | None = (
            None  # since when it has begun and does not compute, by the line's clock
        )

    def wait(self, seconds: float) -> bool:
        """Whether the turn came within `seconds`. Raises MethodError if the line was closed before it came."""
        self._line.resume(self)
        if not self._called.wait(seconds):
            self._line.pass_over()
            return False
        return self._line.take(self)

    def call(self) -> None:
        """Let `wait` end."""
        self._called.set()

    def pass_over(self) -> None:
        """Take the call back."""
        self.put_aside()
        self.passed = True

    def stand(self) -> None:
        """A frame is handed out: until `go_on` nothing is computed."""
        self._line.stand(self)

    def go_on(self) -> bool:
        """Whether the turn is still this one's after `stand`. Otherwise `wait` for it again."""
        return self._line.go_on(self)

    def lend(self) -> bool:
        """Give this turn, which has begun, to a short job of another owner, if one waits. After True, `wait` for it to
        come back."""
        return self._line.lend(self)

    def put_aside(self) -> None:
        """Let `wait` wait again."""
        self._called.clear()
        self.taken = False

    def ahead(self) -> Ahead:
        """What comes before this turn, which waits."""
        return self._line.ahead(self)

    def left(self) -> float | None:
        """Seconds that it will still compute; None where that is not known."""
        return None if self._work is None else self._work.left()

    @property
    def short(self) -> bool:
        """Whether it is a job that may overtake, if its memory is free."""
        left = self.left()
        return left is not None and left <= SHORT

    def fits(self) -> bool:
        """Whether the memory that it needs is free now."""
        return self._work is None or self._work.fits()

    def leave(self) -> None:
        """Leave the line, or end the turn and call the next. A second call does nothing."""
        self._line.leave(self)


class Turns:
    """The line. Its methods may be called on any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._lock, self._clock = threading.Lock(), clock
        self._active: Turn | None = None
        self._lender: Turn | None = None  # has begun, and gets the device back when the active turn ends
        self._called_at = 0.0
        self._urgent: deque[Turn] = deque()
        self._waiting = Rotation[Turn]()  # without the urgent ones
        self.closed = ""  # why nobody is served any more, for the user

    def join(self, owner: str = "", urgent: bool = False, work: Work | None = None) -> Turn:
        """A place at the end of the line; `work` is the job, where it is one. Raises MethodError if the line is
        closed."""
        turn = Turn(self, owner, urgent, work)
        with self._lock:
            if self.closed:
                raise MethodError(self.closed)
            if urgent:
                self._urgent.append(turn)
            else:
                self._waiting.append(owner, turn)
            self._call_next()
        return turn

    def take(self, turn: Turn) -> bool:
        """Whether it is the turn of `turn`, which was called and has come. Raises MethodError if the line was closed
        before that."""
        with self._lock:
            if self._active is turn:
                turn.taken = True
                return True
            if turn.passed:
                return False
            raise MethodError(self.closed)

    def pass_over(self) -> None:
        """Call the next, if the one who was called has not come, or the one who has begun not gone on, for GRACE
        seconds."""
        with self._lock:
            late = self._active
            if late is None:
                return
            since = late.standing if late.taken else self._called_at
            if since is not None and self._clock() - since > GRACE:
                late.pass_over()
                self._active = None
                self._call_next()

    def stand(self, turn: Turn) -> None:
        """`turn` hands out a frame."""
        with self._lock:
            turn.standing = self._clock()

    def go_on(self, turn: Turn) -> bool:
        """`turn` computes again, if it is still its turn: whether it is."""
        with self._lock:
            turn.standing = None
            return self._active is turn

    def resume(self, turn: Turn) -> None:
        """Let a turn that was passed over wait again, as the first of its owner, or of those that are urgent. Raises
        MethodError if the line is closed."""
        with self._lock:
            if not turn.passed:
                return
            turn.passed = False
            if self.closed:
                raise MethodError(self.closed)
            if turn.urgent:
                self._urgent.appendleft(turn)
            else:
                self._waiting.append_first(turn.owner, turn)
            self._call_next()

    def lend(self, turn: Turn) -> bool:
        """Put `turn` aside and call the next short job of another owner, if one waits and its memory is free."""
        with self._lock:
            if self._active is not turn or self._lender is not None:
                return False
            for short in self._overtaking(turn):
                if short.fits():
                    self._lender = turn
                    turn.put_aside()
                    self._call(self._waiting.take(short.owner))
                    return True
        return False

    def ahead(self, turn: Turn) -> Ahead:
        """What comes before `turn`, as it stands now. A short job overtakes, unless its memory is not free then."""
        with self._lock:
            if self._active is None or self._active is turn:
                return Ahead(0, 0.0)
            borrower, begun = (self._active, self._lender) if self._lender else (None, self._active)
            before = [one for one in (borrower, begun) if one is not None]
            plain = _summed([*before, *self._urgent, *_until(turn, iter(self._waiting))])
            overtaking = [] if begun.urgent else list(self._overtaking(begun))
            if turn not in overtaking:
                return plain
            before = [*before[:-1], *_until(turn, iter(overtaking))]
            jobs, seconds = _summed(before)
            sooner = (seconds or 0.0) + LEND * (1 + len(before))
            return Ahead(jobs, sooner) if plain.seconds is None or sooner < plain.seconds else plain

    def holds(self, turn: Turn) -> bool:
        """Whether it is the turn of `turn`."""
        return self._active is turn

    def leave(self, turn: Turn) -> None:
        """End or give up `turn`."""
        with self._lock:
            if self._active is turn:
                self._active = None
                self._call_next()
            elif self._lender is turn:
                self._lender = None
            elif turn in self._urgent:
                self._urgent.remove(turn)
            else:
                self._waiting.remove(turn.owner, turn)

    def close(self, why: str) -> None:
        """Serve nobody any more: all who wait or join are told `why`. A turn that has begun goes on."""
        with self._lock:
            self.closed = why
            waiting = [*self._urgent, *self._waiting]
            self._urgent.clear()
            self._waiting.clear()
        for turn in waiting:
            turn.call()

    def __len__(self) -> int:
        """How many wait."""
        with self._lock:
            return len(self._urgent) + len(self._waiting)

    def jobs(self) -> int:
        """How many jobs have begun or wait; measurements are not counted."""
        with self._lock:
            begun = [turn for turn in (self._active, self._lender) if turn is not None and not turn.urgent]
            return len(begun) + len(self._waiting)

    def _call_next(self) -> None:
        if self._active is not None:
            return
        if self._lender is not None:
            turn, self._lender = self._lender, None
            self._call(turn)
        elif self._urgent:
            self._call(self._urgent.popleft())
        elif self._waiting:
            self._call(self._waiting.take())

    def _call(self, turn: Turn) -> None:
        self._active, self._called_at = turn, self._clock()
        turn.call()

    def _overtaking(self, begun: Turn) -> Iterator[Turn]:
        """The short jobs that may overtake the rest of `begun`, in the order of the rotation."""
        return (turn for owner, turn in self._waiting.heads() if owner != begun.owner and turn.short)


def _until(turn: Turn, turns: Iterator[Turn]) -> Iterator[Turn]:
    return takewhile(lambda one: one is not turn, turns)


def _summed(turns: list[Turn]) -> Ahead:
    jobs = [turn for turn in turns if not turn.urgent]
    seconds = [turn.left() for turn in jobs]
    known = [one for one in seconds if one is not None]
    return Ahead(len(jobs), sum(known) if len(known) == len(seconds) else None)
