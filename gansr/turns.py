"""The line before the device: one turn at a time, and the owners of those who wait are served in rotation.

Each owner's own turns come in the order in which they joined. An owner who comes new, and one who was served and waits
again, goes to the end of the rotation: nobody overtakes twice, so nobody waits for ever. Urgent turns (a measurement is
short) go before all others.

Who is called must come: a generator in the line may have been left standing by the program that reads it. After GRACE
seconds the next is called, and the one who did not come is the first again when it asks.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable

from gansr.method import MethodError

GRACE = 2.0  # seconds from the call to `Turn.wait`


class Turn:
    """A place in the line, from `Turns.join`. Whoever has one must `leave`, served or not."""

    def __init__(self, line: Turns, owner: str, urgent: bool):
        self._line, self.owner, self.urgent = line, owner, urgent
        self._called = threading.Event()  # it is this one's turn, or the line was closed
        self.taken = False  # `wait` has told that the turn came
        self.passed = False  # it was called, did not come, and is out of the line until it asks again

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
        self._called.clear()
        self.passed = True

    def leave(self) -> None:
        """Leave the line, or end the turn and call the next. A second call does nothing."""
        self._line.leave(self)


class Turns:
    """The line. Its methods may be called on any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._lock, self._clock = threading.Lock(), clock
        self._active: Turn | None = None
        self._called_at = 0.0
        self._urgent: deque[Turn] = deque()
        self._waiting: OrderedDict[str, deque[Turn]] = OrderedDict()  # by owner, in the order of the rotation
        self.closed = ""  # why nobody is served any more, for the user

    def join(self, owner: str = "", urgent: bool = False) -> Turn:
        """A place at the end of the line. Raises MethodError if the line is closed."""
        turn = Turn(self, owner, urgent)
        with self._lock:
            if self.closed:
                raise MethodError(self.closed)
            (self._urgent if urgent else self._waiting.setdefault(owner, deque())).append(turn)
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
        """Call the next, if the one who was called has not come for GRACE seconds."""
        with self._lock:
            late = self._active
            if late is not None and not late.taken and self._clock() - self._called_at > GRACE:
                late.pass_over()
                self._active = None
                self._call_next()

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
                self._waiting.setdefault(turn.owner, deque()).appendleft(turn)
                self._waiting.move_to_end(turn.owner, last=False)
            self._call_next()

    def holds(self, turn: Turn) -> bool:
        """Whether it is the turn of `turn`."""
        return self._active is turn

    def leave(self, turn: Turn) -> None:
        """End or give up `turn`."""
        with self._lock:
            if self._active is turn:
                self._active = None
                self._call_next()
            elif turn in self._urgent:
                self._urgent.remove(turn)
            elif turn in (own := self._waiting.get(turn.owner, deque[Turn]())):
                own.remove(turn)
                if not own:
                    del self._waiting[turn.owner]

    def close(self, why: str) -> None:
        """Serve nobody any more: all who wait or join are told `why`. A turn that has begun goes on."""
        with self._lock:
            self.closed = why
            waiting = [*self._urgent, *(turn for own in self._waiting.values() for turn in own)]
            self._urgent.clear()
            self._waiting.clear()
        for turn in waiting:
            turn.call()

    def __len__(self) -> int:
        """How many wait."""
        with self._lock:
            return len(self._urgent) + sum(map(len, self._waiting.values()))

    def _call_next(self) -> None:
        if self._active is not None or not (self._urgent or self._waiting):
            return
        if self._urgent:
            turn = self._urgent.popleft()
        else:
            owner, own = self._waiting.popitem(last=False)
            turn = own.popleft()
            if own:
                self._waiting[owner] = own  # to the end of the rotation
        self._active, self._called_at = turn, self._clock()
        turn.call()
