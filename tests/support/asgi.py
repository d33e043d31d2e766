"""A Gradio app in this process behind the page's layers, and requests to it as plain ASGI messages."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr
from fastapi import FastAPI
from gradio.routes import App
from starlette.middleware import Middleware

from gansr.ui.middleware import middleware


@dataclass(frozen=True)
class Reply:
    """What came back, and how many pieces of the request's body were read."""

    status: int
    body: bytes
    headers: dict[str, str]
    read: int


def app_with(layers: Sequence[Middleware] | None = None) -> App:
    """A page with one function, `upper`, behind `layers` or all layers of the page."""

    async def build() -> App:  # in a running loop, or Gradio makes loops of its own and leaves them open
        with gr.Blocks(analytics_enabled=False) as page:
            box = gr.Textbox()
            box.submit(lambda text: text.upper(), box, gr.Textbox(), api_name="upper")
            box.change(lambda text: text.lower(), box, gr.Textbox(), api_name="lower", queue=False)
            gr.ImageEditor()
        page.queue(api_open=False)
        kwargs = {"middleware": middleware() if layers is None else list(layers)}
        whole = gr.mount_gradio_app(FastAPI(), page, "", app_kwargs=kwargs)
        return next(app for route in whole.routes if isinstance(app := getattr(route, "app", None), App))

    return asyncio.run(build())


def paths_of(app: App) -> list[str]:
    """The paths of all routes of the app, with their parameters in braces."""
    found: set[str] = set()
    left: list[Any] = list(app.routes)
    while left:
        route = left.pop()
        if hasattr(route, "original_router"):
            left += route.original_router.routes
        else:
            found.add(route.path)
    return sorted(found)


def ask(app: Any, method: str, path: str, pieces: Sequence[bytes] = (), **headers: str) -> Reply:
    """The reply to one request. With `cut="yes"` the client leaves after the last of `pieces`."""
    pieces = pieces or [b""]
    sent: list[Any] = []
    read = 0
    whole = not headers.pop("cut", "")

    async def receive() -> dict[str, Any]:
        nonlocal read
        if read == len(pieces):
            return {"type": "http.disconnect"}
        read += 1
        return {
            "type": "http.request",
            "body": pieces[read - 1],
            "more_body": not whole or read < len(pieces),
        }

    async def send(message: Any) -> None:
        sent.append(message)

    named = [(k.replace("_", "-").encode(), v.encode("latin-1")) for k, v in headers.items()]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path.partition("?")[0],
        "raw_path": path.partition("?")[0].encode(),
        "query_string": path.partition("?")[2].encode(),
        "root_path": "",
        "headers": [*named, *([] if "host" in headers else [(b"host", b"testserver")])],
        "client": ("testclient", 1),
        "server": ("testserver", 80),
    }
    try:
        asyncio.run(app(scope, receive, send))
    except Exception:
        if not sent:
            raise
    starts = [message for message in sent if message["type"] == "http.response.start"]
    assert len(starts) == 1, sent
    body = b"".join(m.get("body", b"") for m in sent if m["type"] == "http.response.body")
    given = {name.decode().lower(): value.decode("latin-1") for name, value in starts[0]["headers"]}
    return Reply(starts[0]["status"], body, given, read)


async def fine(scope: Any, receive: Any, send: Any) -> None:
    """An app that answers 200 to everything."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"fine"})
