"""Limits on requests: the size of their bodies, and routes of Gradio that this page does not use.

Gradio 6.31 accepts JSON bodies of any size: `max_file_size` limits only /upload, and a `data:` URL inside JSON is not
an upload. It also serves monitoring, recording and icon routes. `launch(app_kwargs={"middleware": middleware()})`
puts an ASGI layer in front of the app that limits both. All limits are in bytes.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.middleware import Middleware

UPLOAD_LIMIT = 65 * 2**20  # a file of 64 MB and its multipart framing
BODY_LIMIT = 8 * 2**20  # any other request: options, paths of uploaded files, a painted mask

_UPLOAD = re.compile(r"/upload/?$")
_CLOSED = re.compile(r"^/+(gradio_api/+)?(monitoring|process_recording|pwa_icon)(/|$)")

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class RequestLimits:
    """ASGI middleware: 404 for the closed routes; 413 for a body over its limit, by declared or received length."""

    def __init__(self, app: Any, upload_limit: int = UPLOAD_LIMIT, body_limit: int = BODY_LIMIT) -> None:
        self.app, self.upload_limit, self.body_limit = app, upload_limit, body_limit

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            return await self.app(scope, receive, send)
        path = _path(scope)
        if _CLOSED.match(path):
            return await _refuse(scope, receive, send, 404, "Not found.")
        if scope["type"] == "websocket":
            return await self.app(scope, receive, send)
        limit = self.upload_limit if _UPLOAD.search(path) else self.body_limit
        if _declared_length(scope) > limit:
            return await _refuse(scope, receive, send, 413, _too_large(limit))
        return await self._count_body(scope, receive, send, limit)

    async def _count_body(self, scope: Any, receive: Receive, send: Send, limit: int) -> None:
        """Forward the body until it exceeds the limit; then answer 413 and report a disconnected client to the app."""
        received, answer_started, exceeded = 0, False, False

        async def counting_receive() -> Message:
            nonlocal received, exceeded
            if exceeded:
                return {"type": "http.disconnect"}
            message = await receive()
            received += len(message.get("body", b""))
            if received <= limit or message["type"] != "http.request":
                return message
            exceeded = True
            if not answer_started:
                await _refuse(scope, receive, send, 413, _too_large(limit))
            return {"type": "http.disconnect"}

        async def guarded_send(message: Message) -> None:
            nonlocal answer_started
            if not exceeded:  # a second answer after the 413 would break the protocol
                answer_started = True
                await send(message)

        try:
            await self.app(scope, counting_receive, guarded_send)
        except Exception:
            if not exceeded:  # after a reported disconnect the app may raise; the client has its answer
                raise


def middleware(upload_limit: int = UPLOAD_LIMIT, body_limit: int = BODY_LIMIT) -> list[Middleware]:
    """The value for `launch(app_kwargs={"middleware": …})`. Limits in bytes."""
    return [Middleware(RequestLimits, upload_limit=upload_limit, body_limit=body_limit)]


def _path(scope: MutableMapping[str, Any]) -> str:
    """The path relative to the place where the app is mounted."""
    path, root = scope["path"], scope.get("root_path", "").rstrip("/")
    return path[len(root) :] if root and path.startswith(root + "/") else path


def _declared_length(scope: MutableMapping[str, Any]) -> int:
    """The largest Content-Length in bytes; -1 without one, and 2^63 for a value that is not a number."""
    lengths = [value for name, value in scope["headers"] if name.lower() == b"content-length"]
    return max((int(v) if v.isdigit() and len(v) < 20 else 2**63 for v in lengths), default=-1)


def _too_large(limit: int) -> str:
    return f"Too large: at most {max(1, limit // 2**20)} MB are accepted. Crop or shrink the picture first."


async def _refuse(scope: Any, receive: Receive, send: Send, status: int, text: str) -> None:
    if scope["type"] == "websocket":
        await receive()
        return await send({"type": "websocket.close", "code": 1000})
    body = text.encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", b"%d" % len(body)),
        (b"connection", b"close"),  # the rest of the body is not read
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    return await send({"type": "http.response.body", "body": body})
