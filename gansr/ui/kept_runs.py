"""Runs that outlive the page which began them: a reload in the same browser tab shows them again.

A thread computes each run and keeps what the page shows of it, whole; one listener at a time reads the newest of that.
While nobody listens a run goes on for `listeners.PATIENCE` seconds. Then it is paused: its generator is not read on, so
the line gives its turn to others (gansr.turns), and it goes on when a listener comes back. After KEEP seconds it ends,
and only what it last showed is kept.

A run belongs to a visit and to a tab of the page. The visit is a token that the server makes and the browser keeps for
its own tab (`address.js`). Who does not have the token cannot find the run; without one a run ends when nobody listens.
"""

from __future__ import annotations

import contextvars
import re
import secrets
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from typing import Any

from gansr import memory
from gansr.method import MethodError
from gansr.pipeline import USER_ERRORS
from gansr.ui import files, log
from gansr.ui.listeners import UNHEARD, Watch
from gansr.ui.visitors import Visitor

KEEP = 600.0  # seconds that a paused run waits for its listener
MOST_PAUSED = 3  # in all: each holds the memory of its job; and one a network address
SHOWN = 3000.0  # seconds that the end of a run can be shown again; its files are kept for an hour
MOST_ENDED = 64
LOOK = 0.5  # seconds between two looks for a listener
AWAY = f"This run was ended: nobody came back to it for {KEEP / 60:.0f} minutes. What is shown is its best so far."
REPLACED = "This run was ended: it was left, and another run was kept in its place. What is shown is its best so far."
UNSEEN = "The page lost its connection to the run. Reload the page to see it."
ELSEWHERE = "This run is shown in another tab of your browser now."

_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


def token_for(given: Any) -> str:
    """`given` if it has the form of a visit's token, otherwise a new one."""
    return given if is_token(given) else secrets.token_urlsafe(32)


def is_token(given: Any) -> bool:
    """Whether `given` has the form of a visit's token."""
    return isinstance(given, str) and _TOKEN.fullmatch(given) is not None


def _copied(shown: Any) -> Any:
    """`shown` with updates of its own: Gradio takes the value out of each update that it is given."""
    if isinstance(shown, dict):
        return dict(zip(shown, map(_copied_update, shown.values()), strict=True))
    return tuple(map(_copied_update, shown)) if isinstance(shown, tuple) else shown


def _copied_update(value: Any) -> Any:
    return dict(value) if isinstance(value, dict) else value


class KeptRun:
    """One run. `items` yields what the page shows, whole, or None where nothing is new."""

    def __init__(
        self, runs: KeptRuns, items: Generator[Any], watch: Watch, visitor: Visitor, picture: Any, keeps: bool
    ):
        self._runs, self._items, self._watch, self._keeps = runs, items, watch, keeps
        self._picture = picture if isinstance(picture, str) else ""
        self.visitor = visitor.address or visitor.session
        self._changed = threading.Condition()
        self._latest: Any = None
        self._version = self._listener = 0
        self.stopped = False  # Stop was pressed
        self.ended_at: float | None = None
        self.paused_at: float | None = None
        self.failed = False
        self.error = ""  # why it failed, where that is meant for the user
        self.why = ""  # why the server has ended it
        # In the handler's context: ZeroGPU finds the visitor's request there, whose quota the run takes.
        context = contextvars.copy_context()
        self.thread = threading.Thread(target=context.run, args=(self._compute,), name="run", daemon=True)

    # ---------------------------------------------------------------------------------- its own thread

    def _compute(self) -> None:
        try:
            with closing(self._items) as items:
                for item in items:
                    if item is not None:
                        self._show(item)
                    if self.stopped or self.why or not self._heard():
                        break
        except Exception as error:
            self.failed = True
            self.error = str(error) if isinstance(error, USER_ERRORS) else ""
            if not self.error:
                log.note(error)
        del self._items
        self._refresh()
        memory.give_back()
        with self._changed:
            self.ended_at = self._runs.clock()
            self._changed.notify_all()

    def _refresh(self) -> None:
        """Keep the files that a listener will need."""
        shown = self._latest.values() if isinstance(self._latest, dict) else self._latest
        files.refresh(f"{self._picture} {list(shown or ())}")

    def _show(self, item: Any) -> None:
        with self._changed:
            self._latest, self._version = item, self._version + 1
            self._changed.notify_all()

    def _heard(self) -> bool:
        """Whether the run goes on; while nobody listens it is paused here."""
        if self._watch.heard():
            return True
        if not self._keeps:
            self.failed, self.error = True, UNHEARD
            return False
        self._runs.pause(self)
        self._refresh()
        with self._changed:
            while not (self._watch.heard() or self.stopped or self.why):
                if self._runs.clock() - (self.paused_at or 0.0) > KEEP:
                    self.why = AWAY
                else:
                    self._changed.wait(LOOK)
            self.paused_at = None
        return not self.why

    # -------------------------------------------------------------------------------- others' threads

    def listen(self, watch: Watch) -> Iterator[Any]:
        """What the run shows, the newest only, until it ends. Another listener before this one gets no more. Raises
        MethodError for that one, and when `watch` hears nobody."""
        with self._changed:
            self._listener += 1
            place, self._watch = self._listener, watch
            self._changed.notify_all()
        seen = 0
        try:
            while True:
                with self._changed:
                    self._changed.wait_for(lambda seen=seen: self._is_new(seen, place), LOOK)
                    version, latest, ended = self._version, self._latest, self.ended_at is not None
                    moved = self._listener != place
                if moved:
                    raise MethodError(ELSEWHERE)
                if version != seen:
                    seen = version
                    yield _copied(latest)
                elif ended:
                    return
                elif not watch.heard():
                    raise MethodError(UNSEEN)
        finally:
            if not watch.session:  # nobody can come back
                self.stop()

    def _is_new(self, seen: int, place: int) -> bool:
        return self._version != seen or self.ended_at is not None or self._listener != place

    def stop(self, why: str = "") -> None:
        """End the run after its step; `why` the server does, where the user has not pressed Stop."""
        with self._changed:
            self.why = self.why or why
            self.stopped = self.stopped or not why
            self._changed.notify_all()

    def forget(self) -> None:
        """The page shows something else now."""
        self._runs.forget(self)


class KeptRuns:
    """The runs of the page. Its methods may be called on any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self.clock = clock
        self._lock = threading.Lock()
        self._runs: dict[tuple[str, str], KeptRun] = {}  # by visit and tab
        self._closed = ""

    def begin(
        self, visit: Any, tab: str, items: Generator[Any], watch: Watch, visitor: Visitor, picture: Any = None
    ) -> KeptRun:
        """A run that computes from now on; `picture` is the path of what it was given. It ends an older run of the same
        visit and tab. It is kept only if `visit` is a token."""
        run = KeptRun(self, items, watch, visitor, picture, keeps=is_token(visit))
        if is_token(visit):
            with self._lock:
                before = self._runs.pop((visit, tab), None)
                self._runs[visit, tab] = run
                self._drop_old()
            if before is not None:
                before.stop()
        run.thread.start()
        return run

    def of(self, visit: Any, tab: str) -> KeptRun | None:
        """The run that this visit has in this tab of the page."""
        with self._lock:
            self._drop_old()
            return self._runs.get((visit, tab)) if is_token(visit) else None

    def tabs(self, visit: str) -> list[str]:
        """The tabs of the page in which this visit has a run."""
        with self._lock:
            self._drop_old()
            return [tab for owner, tab in self._runs if owner == visit]

    def forget(self, run: KeptRun) -> None:
        """Show it to nobody any more."""
        with self._lock:
            self._runs = {key: one for key, one in self._runs.items() if one is not run}

    def pause(self, run: KeptRun) -> None:
        """`run` is paused now. Ends the paused run of the same visitor, the oldest if there are too many, and `run`
        itself while the server ends."""
        with self._lock:
            paused = [one for one in self._runs.values() if one.paused_at is not None]
            paused.sort(key=lambda one: one.paused_at or 0.0)
            others = [one for one in paused if one.visitor != run.visitor]
            ended = [one for one in paused if one.visitor == run.visitor]
            ended += others[: max(0, len(others) - MOST_PAUSED + 1)]
            run.paused_at = self.clock()
            closed = self._closed
        for one in ended:
            one.stop(REPLACED)
        if closed:
            run.stop(closed)

    def close(self, why: str) -> None:
        """End the paused runs, and pause none any more: the server ends."""
        with self._lock:
            self._closed = why
            paused = [one for one in self._runs.values() if one.paused_at is not None]
        for one in paused:
            one.stop(why)

    def _drop_old(self) -> None:
        """Forget what ended long ago, and the oldest of too many. Called with the lock."""
        ended = sorted((one.ended_at, key) for key, one in self._runs.items() if one.ended_at is not None)
        for rank, (at, key) in enumerate(reversed(ended)):
            if rank >= MOST_ENDED or self.clock() - at > SHOWN:
                del self._runs[key]
