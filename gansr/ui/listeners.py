"""Who listens to a run: the open event streams of Gradio's queue, by session.

Gradio 6.31 computes a run to its end and keeps every message for a client that never opens its stream of events, and
it keeps the messages of a finished run for as long as 2,000 other sessions. `middleware(listeners)` puts an ASGI layer
in front of the app that counts the open streams; a run asks `Listeners.watch` whether anybody still listens, and what
nobody fetches is dropped. A page that is loaded again is another session: it fetches the newest state of its run from
gansr.ui.kept_runs, not the messages of the session before.

A browser's stream stays open for IDLE seconds after its last event. Gradio would close it at once, and an event that
the browser asks for while the news of that is on its way would be heard by nobody: Run, pressed right after a control
was changed, would wait for ever.

The attributes of Gradio's queue are private. They are used in this module only.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Generator, Iterable, Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import parse_qs

from gradio.server_messages import ProcessCompletedMessage
from starlette.middleware import Middleware

T = TypeVar("T")
PATIENCE = 15.0  # seconds that a run goes on while nobody listens
KEPT = 60.0  # seconds that unfetched messages are kept
BACKLOG = 8  # messages; while more are unfetched, frames on their way are left out
INTERVAL = 5.0  # seconds between two looks for what nobody fetches
IDLE = 30.0  # seconds that a browser's stream stays open after its last event
_OPEN = "open"  # stands for an event that has not ended, which keeps a stream open
LONGEST_PAUSE = 2.0  # seconds after which a frame is sent all the same: Gradio ends a cancelled run only then
UNHEARD = (
    f"Stopped: nobody listened for {PATIENCE:.0f} s. Open the stream of events as soon as a run has begun."
)

_DATA = re.compile(r"/queue/data/?$")
_CALL = re.compile(r"/call/(?:v2/)?[^/]+/(?P<event>[^/]+)/?$")


@dataclass
class Watch:
    """One run's view of its listener."""

    session: str
    listeners: Listeners
    began: float  # by the listeners' clock
    latest: float  # when the last item was sent

    def heard(self) -> bool:
        """Whether the run should go on: its listener is there, or has been gone for less than PATIENCE."""
        return self.listeners.gone_for(self.session, self.began) <= PATIENCE

    def has_room(self) -> bool:
        """Whether another frame may be sent; counts it as sent. False while the client has not fetched the last
        ones."""
        now = self.listeners.clock()
        if self.listeners.backlog(self.session) >= BACKLOG and now - self.latest < LONGEST_PAUSE:
            return False
        self.latest = now
        return True

    def sent(self, items: Iterable[T]) -> Iterator[T]:
        """The items for which there is room, and always the last."""
        held: list[T] = []
        for item in items:
            held = [item]
            if self.has_room():
                held = []
                yield item
        yield from held


class Listeners:
    """The open event streams, and what is kept for those that are not open."""

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self.clock = clock
        self._open: Counter[str] = Counter()
        self._left: dict[str, float] = {}  # session → when its last stream ended
        self._queue: Any = None  # Gradio's, once a request has come
        self._unfetched: dict[str, tuple[int, float]] = {}  # session → number of messages, and since when
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._idle: dict[str, float] = {}  # session whose stream is kept open → since when it has no event
        self._ending = False

    @property
    def open(self) -> int:
        """The number of open streams."""
        return self._open.total()

    def watch(self, session: str) -> Watch:
        """The view of a run of `session` that begins now."""
        now = self.clock()
        return Watch(session, self, now, now)

    def gone_for(self, session: str, since: float) -> float:
        """Seconds without an open stream of `session`, counted from `since` at the earliest; 0 without a session."""
        if not session or self._open[session] > 0:
            return 0.0
        return self.clock() - max(since, self._left.get(session, since))

    @contextmanager
    def listening(self, session: str) -> Generator[None]:
        """The time of an open stream."""
        self._open[session] += 1
        try:
            yield
        finally:
            self._open[session] -= 1
            self._left[session] = self.clock()
            if self._open[session] <= 0:
                del self._open[session]

    # ------------------------------------------------------------------------------- Gradio's queue

    def attach(self, queue: Any) -> None:
        """Look after `queue`, a gradio.queueing.Queue, from now on. Called on its event loop."""
        self._loop = asyncio.get_running_loop()
        if queue is not self._queue:
            self._queue, self._timer = queue, None
        if self._timer is None:
            self._timer = self._loop.call_later(INTERVAL, self._look)

    def session_of(self, event_id: str) -> str:
        """The session of an event; a caller who gave none has the event's id."""
        event = self._queue.event_ids_to_events.get(event_id)
        return event_id if event is None else event.session_hash

    def backlog(self, session: str) -> int:
        """The number of messages that the client has not fetched."""
        messages = None if self._queue is None else self._queue.pending_messages_per_session.get(session)
        return 0 if messages is None else messages.qsize()

    def keep_open(self, session: str) -> None:
        """The stream of `session` shall stay open when its events have ended. Called on the queue's event loop."""
        if not self._ending and (events := self._queue.pending_event_ids_session.get(session)):
            events.add(_OPEN)
            self._idle[session] = self.clock()

    def close_idle(self) -> None:
        """Close the streams that have had no event for IDLE seconds, or all that have none where the server is about
        to end. Called on the queue's event loop."""
        running, now = self._running(), self.clock()
        self._idle = {
            session: now if session in running else since
            for session, since in self._idle.items()
            if self._open[session] > 0
        }
        for session, since in list(self._idle.items()):
            if session not in running and (self._ending or now - since >= IDLE):
                del self._idle[session]
                if (messages := self._queue.pending_messages_per_session.get(session)) is not None:
                    ended = ProcessCompletedMessage(event_id=_OPEN, output={}, success=True)
                    messages.put_nowait(ended)  # Gradio closes the stream with its last event

    def end(self) -> None:
        """No stream stays open any longer than its events. From any thread."""
        self._ending = True
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.close_idle)

    def _running(self) -> set[str]:
        """The sessions that have an event that waits or runs."""
        return {event.session_hash for event in self._queue.event_ids_to_events.values()}

    def _look(self) -> None:
        self._timer = None
        self.close_idle()
        self.drop_unfetched()
        if self._queue.pending_messages_per_session or self._left:
            self._timer = asyncio.get_running_loop().call_later(INTERVAL, self._look)

    def drop_unfetched(self) -> None:
        """Forget what belongs to sessions whose messages nobody has fetched, or added to, for KEPT seconds. Runs that
        are waiting or running keep theirs. Called on the queue's event loop."""
        queue, now = self._queue, self.clock()
        pending, events = queue.pending_messages_per_session, queue.pending_event_ids_session
        alive = self._running()
        idle = {
            session for session in {*pending, *events} if session not in alive and not self._open[session]
        }
        before, self._unfetched = self._unfetched, {}
        for session in idle:
            count = self.backlog(session)
            seen, since = before.get(session, (count, now))
            if seen == count and now - since >= KEPT:
                pending.pop(session, None)
                events.pop(session, None)
            else:
                self._unfetched[session] = count, (since if seen == count else now)
        self._left = {session: left for session, left in self._left.items() if now - left < KEPT}


class ListenerCount:
    """ASGI middleware: tells `listeners` of every event stream of the queue while it is open."""

    def __init__(self, app: Any, listeners: Listeners) -> None:
        self.app, self.listeners = app, listeners

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[Any]],
        send: Callable[[Any], Awaitable[None]],
    ) -> None:
        if scope["type"] == "http" and hasattr(scope.get("app"), "get_blocks"):
            self.listeners.attach(scope["app"].get_blocks()._queue)
            if scope["method"] == "GET" and (session := self._session(scope)):
                with self.listeners.listening(session):
                    if _DATA.search(scope["path"]) and _is_browser(scope):
                        self.listeners.keep_open(session)
                    return await self.app(scope, receive, send)
        return await self.app(scope, receive, send)

    def _session(self, scope: MutableMapping[str, Any]) -> str | None:
        """The session whose events a request wants to hear; None if it is no such request."""
        if _DATA.search(scope["path"]):
            given = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("session_hash")
            return given[-1] if given else None
        found = _CALL.search(scope["path"])
        return self.listeners.session_of(found["event"]) if found else None


def _is_browser(scope: MutableMapping[str, Any]) -> bool:
    """Other clients may read a stream to its end."""
    return any(name == b"user-agent" and value.startswith(b"Mozilla/") for name, value in scope["headers"])


def middleware(listeners: Listeners) -> list[Middleware]:
    """The value for `launch(app_kwargs={"middleware": …})`."""
    return [Middleware(ListenerCount, listeners=listeners)]
