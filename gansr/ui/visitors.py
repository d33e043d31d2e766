"""Who may start a run: at most a few that wait or run for each session, each address, and in all.

A session is one opened page, and a program can name as many as it likes; so the address counts too. Visitors behind a
shared address (a school, a company) share its limit: GANSR_RUNS_PER_ADDRESS raises it.
"""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

import gradio as gr

from gansr.method import MethodError

PER_SESSION = 2
PER_ADDRESS = 4
IN_ALL = 64


class Refused(MethodError):
    """A run may not start now. The text says why and what to do."""


@dataclass(frozen=True)
class Visitor:
    """Whose run it is. Empty strings where there is no request (tests, direct calls)."""

    session: str = ""
    address: str = ""


def visitor_of(request: gr.Request | None) -> Visitor:
    """The visitor who sent a request, by session and by the address that the server sees."""
    if request is None:
        return Visitor()
    client = getattr(request, "client", None)  # a request that Gradio makes itself has none
    return Visitor(request.session_hash or "", getattr(client, "host", None) or "")


def runs_per_address() -> int:
    """The limit of one address: GANSR_RUNS_PER_ADDRESS, a whole number above 0, or PER_ADDRESS."""
    given = os.environ.get("GANSR_RUNS_PER_ADDRESS", "")
    return int(given) if given.isdecimal() and int(given) > 0 else PER_ADDRESS


@dataclass
class Visitors:
    """The runs that wait or run now. Its methods may be called on any thread."""

    per_session: int = PER_SESSION
    per_address: int = field(default_factory=runs_per_address)
    in_all: int = IN_ALL
    closed: str = ""  # why no run may start any more, for the user

    def __post_init__(self) -> None:
        self._changed = threading.Condition()
        self._sessions: Counter[str] = Counter()
        self._addresses: Counter[str] = Counter()

    @property
    def runs(self) -> int:
        """The number of runs that wait or run."""
        return self._sessions.total()

    @contextmanager
    def admitted(self, visitor: Visitor) -> Generator[None]:
        """The time of a run. Raises Refused. A generator may enter and leave it on different threads."""
        with self._changed:
            if reason := self._refusal(visitor):
                raise Refused(reason)
            self._sessions[visitor.session] += 1
            self._addresses[visitor.address] += 1
        try:
            yield
        finally:
            with self._changed:
                self._sessions -= Counter([visitor.session])  # entries that reach 0 are removed
                self._addresses -= Counter([visitor.address])
                self._changed.notify_all()

    def _refusal(self, visitor: Visitor) -> str:
        own, here = self._sessions[visitor.session], self._addresses[visitor.address]
        if self.closed:
            return self.closed
        if visitor.session and own >= self.per_session:
            return f"You have {own} runs already: stop one, or wait until it has ended."
        if visitor.address and here >= self.per_address:
            return f"{here} runs from your network address wait or run already: wait until one has ended."
        if self.runs >= self.in_all:
            return f"The server is busy: {self.runs} runs wait already. Press Run again in a few minutes."
        return ""

    def close(self, why: str) -> None:
        """Let no run start any more; a visitor is told `why`."""
        with self._changed:
            self.closed = why

    def wait_until_idle(self, seconds: float) -> bool:
        """Wait until no run waits or runs, at most `seconds`. Whether there is none."""
        with self._changed:
            return self._changed.wait_for(lambda: not self.runs, seconds)
