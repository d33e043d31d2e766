"""Limits on the bodies of requests, in bytes.

Gradio 6.31 accepts JSON bodies of any size: `max_file_size` limits only /upload, and a `data:` URL inside JSON is not
an upload.
"""

from __future__ import annotations

from gansr.ui.middleware.asgi import App, Message, Receive, Scope, Send, declared_length, is_upload, refuse

UPLOAD_LIMIT = 65 * 2**20  # a file of 64 MB and its multipart framing
BODY_LIMIT = 8 * 2**20  # any other request: options, paths of uploaded files, a painted mask


class BodySize:
    """ASGI middleware: 413 for a body over its limit, by declared or received length."""

    def __init__(self, app: App, upload_limit: int = UPLOAD_LIMIT, body_limit: int = BODY_LIMIT) -> None:
        self.app, self.upload_limit, self.body_limit = app, upload_limit, body_limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        limit = self.upload_limit if is_upload(scope) else self.body_limit
        if declared_length(scope) > limit:
            return await refuse(scope, receive, send, 413, _too_large(limit))
        return await self._count_body(scope, receive, send, limit)

    async def _count_body(self, scope: Scope, receive: Receive, send: Send, limit: int) -> None:
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
                await refuse(scope, receive, send, 413, _too_large(limit))
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


def _too_large(limit: int) -> str:
    return f"Too large: at most {max(1, limit // 2**20)} MB are accepted. Crop or shrink the picture first."
