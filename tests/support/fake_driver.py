"""A driver without Ray: workers of this process, and what a test wants to go wrong."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from gansr.backends.ray.link import Link, Lost
from gansr.backends.ray.messages import BEGUN, LEFT, PREVIEW, STATE, Ask, Told, dumps, loads, receive, send
from gansr.backends.ray.worker import Worker


@dataclass
class FakeLink(Link):  # type: ignore[misc]  # the base is no dataclass
    """A link to workers that `worker` makes, one a job. `before`: what is told of each job, in turn, before it begins;
    `dies_after`: frames with a state after which each worker dies, in turn; 0: it does not."""

    worker: Callable[[], Worker]
    before: list[list[Told]] = field(default_factory=list)
    dies_after: list[int] = field(default_factory=list)
    known: dict[str, Any] | None = None
    asked: list[Ask] = field(default_factory=list)
    closed: list[float] = field(default_factory=list)  # jobs whose page closed the connection first
    gone: bool = False
    started: bool = True  # type: ignore[misc]

    def start(self) -> None:
        self.started = True

    def close(self) -> None:
        self.gone = True

    def state(self) -> dict[str, Any] | None:
        return self.known

    def connect(self) -> socket.socket:
        if self.gone:
            raise Lost
        ours, theirs = socket.socketpair()
        threading.Thread(target=self._serve, args=(theirs,), daemon=True).start()
        return ours

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            ask: Ask = loads(receive(connection) or b"")
            self.asked.append(ask)
            number = len(self.asked) - 1
            dies = self.dies_after[number] if number < len(self.dies_after) else 0
            try:
                for told in self.before[number] if number < len(self.before) else []:
                    send(connection, dumps(told))
                    if told.kind != "waits":
                        return
                send(connection, dumps(Told(asyncio.run(self._items(connection, ask, dies)))))
            except OSError:
                self.closed.append(number)

    async def _items(self, connection: socket.socket, ask: Ask, dies: int) -> Any:
        states = 0
        worker = self.worker()
        try:
            async with aclosing(worker.frames(ask.ticket, ask.job)) as items:
                async for item in items:
                    if item == LEFT:
                        return "moved"
                    send(connection, dumps(Told("begins")) if item == BEGUN else item)
                    states += item[:1] == STATE
                    if dies and states + (item[:1] == PREVIEW) > dies:
                        return "moved"
        finally:
            worker.end()
        return "ended"
