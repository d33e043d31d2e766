"""How many bytes all pictures that are being opened at one time may take: who does not fit waits in line."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Generator
from contextlib import contextmanager


class Budget:
    """Bytes that several threads share. The line is first come, first served, so a large need is not overtaken for
    ever; a need above the whole budget is met when nobody else holds anything."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.held = 0
        self._line: deque[object] = deque()
        self._changed = threading.Condition()

    @contextmanager
    def hold(self, need: int) -> Generator[Share]:
        """Wait until `need` bytes are free, and hold them."""
        share, place = Share(self), object()
        with self._changed:
            self._line.append(place)
            try:
                self._changed.wait_for(lambda: self._line[0] is place and self._fits(need))
                share.size = need
                self.held += need
            finally:
                self._line.remove(place)
                self._changed.notify_all()
        try:
            yield share
        finally:
            with self._changed:
                self.held -= share.size
                self._changed.notify_all()

    def waiting(self) -> int:
        """How many threads stand in line."""
        with self._changed:
            return len(self._line)

    def _fits(self, need: int) -> bool:
        return self.held == 0 or self.held + need <= self.size

    def _grow(self, share: Share, need: int) -> bool:
        with self._changed:
            more = need - share.size
            if more > 0 and not (self.held == share.size or self.held + more <= self.size):
                return False
            self.held += more
            share.size = need
            self._changed.notify_all()
            return True


class Share:
    """What one thread holds of a budget."""

    def __init__(self, budget: Budget) -> None:
        self.size = 0
        self._budget = budget

    def grow(self, need: int) -> bool:
        """Hold `need` bytes in all, if that is possible at once. It never waits: two that hold and wait for each other
        would wait for ever. Where it fails, give back what is held and ask for the whole need."""
        return self._budget._grow(self, need)  # pyright: ignore[reportPrivateUsage]
