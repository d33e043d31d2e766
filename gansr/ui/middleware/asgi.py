"""What the layers share: the types of ASGI, the path of a request, a refusal in plain words."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

UPLOAD = ("/gradio_api/upload", "/gradio_api/upload/")


def path_of(scope: Scope) -> str:
    """The path relative to the place where the app is mounted."""
    path, root = scope["path"], scope.get("root_path", "").rstrip("/")
    return path[len(root) :] if root and path.startswith(root + "/") else path


def is_upload(scope: Scope) -> bool:
    """Whether the request posts files."""
    return scope["type"] == "http" and path_of(scope) in UPLOAD


def declared_length(scope: Scope) -> int:
    """The largest Content-Length in bytes; -1 without one, and 2^63 for a value that is not a number."""
    lengths = [value for name, value in scope["headers"] if name.lower() == b"content-length"]
    return max((int(v) if v.isdigit() and len(v) < 20 else 2**63 for v in lengths), default=-1)


async def refuse(scope: Scope, receive: Receive, send: Send, status: int, text: str, drain: int = 0) -> None:
    """Answer with `text`.

    The rest of the request's body is not read, or, up to `drain` bytes, read and dropped: a browser that is still
    sending when the connection ends reports a broken connection and not the answer.
    """
    if scope["type"] == "websocket":
        await receive()
        return await send({"type": "websocket.close", "code": 1000})
    body = text.encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", b"%d" % len(body)),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": drain > 0})
    if drain <= 0:
        return None
    while drain > 0:
        message = await receive()
        drain -= len(message.get("body", b""))
        if not message.get("more_body", False):
            break
    return await send({"type": "http.response.body", "body": b""})
