"""What page, driver and workers tell each other: pickles, each after its length, between processes of ours alone.

This module imports no torch: the driver, which passes jobs and frames on as bytes, stays small.
"""

from __future__ import annotations

import asyncio
import contextlib
import pickle
import socket
import struct
from dataclasses import dataclass
from typing import Any, Literal

# The first byte of a frame: a preview, one with the search's state, one that is exact. A pickle begins with another.
PREVIEW, STATE, EXACT = b"p", b"s", b"x"
BEGUN, LEFT = b"begun", b"left"  # items of a worker: it computes the job now; another one shall go on with it

_LENGTH = struct.Struct("!Q")


@dataclass(frozen=True)
class Ask:
    """A job as the page sends it to its driver. The driver reads only what it needs to find a worker."""

    pool: str
    model: str  # the networks of the job: workers that have them loaded are preferred
    method: str
    owner: str
    ticket: str
    seconds: float | None  # that it will compute, by the page's estimate
    first: bool  # it has begun and lost its worker: before all others
    job: bytes


@dataclass(frozen=True)
class Told:
    """What the driver tells the page beside frames.

    waits: `ahead` jobs come first, about `wait` seconds. begins: a worker computes it. ended: no more comes.
    moved: its worker died, or ends. busy: the line is full for about `wait` seconds. closed: no new jobs are taken.
    failed: the worker has a fault, `text`. lost: the cluster does not answer. unread: the page itself has given the
    worker back. state: what the cluster is, in `state`.
    """

    kind: Literal["waits", "begins", "ended", "moved", "busy", "closed", "failed", "lost", "unread", "state"]
    ahead: int = 0
    wait: float | None = None
    text: str = ""
    state: dict[str, Any] | None = None


def dumps(value: Any) -> bytes:
    """Any value of ours as bytes."""
    return pickle.dumps(value, protocol=5)


def loads(data: bytes | memoryview) -> Any:
    """The value in the bytes of `dumps`. Only for what our own processes have written."""
    return pickle.loads(data)


def send(to: socket.socket, data: bytes) -> None:
    """Send bytes to the driver. Raises OSError."""
    to.sendall(_LENGTH.pack(len(data)))
    to.sendall(data)


def receive(of: socket.socket) -> bytes | None:
    """The next bytes from the driver; None where the connection has ended. Raises OSError, TimeoutError before a
    message has begun."""
    head = of.recv(_LENGTH.size)
    if not head:
        return None
    (length,) = _LENGTH.unpack(head + _rest(of, _LENGTH.size - len(head)))
    return bytes(_rest(of, length))


def _rest(of: socket.socket, length: int) -> bytearray:
    """So many bytes of a message that has begun, whatever the connection's timeout."""
    data, at = bytearray(length), 0
    view = memoryview(data)
    while at < length:
        with contextlib.suppress(TimeoutError):
            at += of.recv_into(view[at:]) or _ended()
    return data


def _ended() -> Any:
    raise ConnectionResetError("the connection ended in the middle of a message")


async def read(reader: asyncio.StreamReader) -> bytes | None:
    """As `receive`, in the driver."""
    try:
        (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
        return await reader.readexactly(length)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


async def write(writer: asyncio.StreamWriter, data: bytes) -> None:
    """As `send`, in the driver; waits while the page does not read. Raises ConnectionError."""
    writer.write(_LENGTH.pack(len(data)))
    writer.write(data)
    await writer.drain()
