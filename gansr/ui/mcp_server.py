"""MCP at /gradio_api/mcp: the methods as tools for assistants, over streamable HTTP.

Not Gradio's own (`launch(mcp_server=True)`): it calls the page through one client of its own, so that all runs would
come from 127.0.0.1 and count as one visitor's; that client opens whatever files of the server the arguments of a call
name; and it holds pydantic back. Here a call goes straight to what the API runs, through the same checks and limits,
and counts as a listener for as long as its connection is open.

Nothing is kept between two requests: each has its own session of the protocol, which ends with it.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import anyio
import gradio as gr
from anyio.to_thread import run_sync
from gradio.route_utils import get_root_url
from mcp import types
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.middleware import Middleware

from gansr import papers
from gansr.ui import mcp_tools, service
from gansr.ui.api import Answer, answers
from gansr.ui.handlers import user_errors
from gansr.ui.middleware.asgi import App, Receive, Scope, Send, path_of, refuse
from gansr.ui.middleware.body_size import BODY_LIMIT
from gansr.ui.visitors import IN_ALL, Visitor
from gansr.version import __version__

PATH = "/gradio_api/mcp"
SESSION = "gansr.mcp_session"  # the key of a request's scope
INSTRUCTIONS = (
    "Super-resolution papers based on GANs. What is missing from a small picture is invented: a result is never "
    "evidence of who or what is shown. Runs take from a second to minutes."
)
NO_STREAM = "This is the address of an MCP server: give it to an MCP client (streamable HTTP)."


class Mcp:
    """ASGI middleware: answers POST to PATH. There is no stream beside the answers to calls, so GET is refused."""

    def __init__(self, app: App) -> None:
        self.app, self.server = app, _server()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or path_of(scope).rstrip("/") != PATH:
            return await self.app(scope, receive, send)
        if scope["method"] != "POST":
            return await refuse(scope, receive, send, 405, NO_STREAM)
        session = f"mcp-{secrets.token_hex(8)}"
        manager = StreamableHTTPSessionManager(self.server, stateless=True, max_request_body_size=BODY_LIMIT)
        with service.LISTENERS.listening(session):
            async with manager.run():  # at its end whatever the request has begun is cancelled
                await manager.handle_request({**scope, SESSION: session}, receive, send)
        return None


def middleware() -> list[Middleware]:
    """The value for `launch(app_kwargs={"middleware": …})`, after the layers that check requests."""
    return [Middleware(Mcp)]


def _server() -> Server[Any, Any]:
    server: Server[Any, Any] = Server("gansr", version=__version__, instructions=INSTRUCTIONS)
    threads = anyio.CapacityLimiter(IN_ALL)  # a waiting run holds one; not those of the page

    @server.list_tools()
    async def list_tools() -> list[types.Tool]:
        return await run_sync(mcp_tools.tools)

    # Checked by `decode`, whose texts tell what is allowed and repeat no megabytes of the caller's.
    @server.call_tool(validate_input=False)
    async def call_tool(name: str, arguments: dict[str, Any]) -> list[types.ContentBlock]:
        context = server.request_context
        request: Any = context.request
        client = request.client
        visitor = Visitor(request.scope[SESSION], client.host if client is not None else "")
        token = context.meta.progressToken if context.meta is not None else None
        items, last, told = _answers(name, arguments, visitor), (None, {}), 0
        try:
            while (item := await run_sync(_next, items, limiter=threads)) is not None:
                last, told = item, told + 1
                if token is not None:
                    await context.session.send_progress_notification(
                        token, told, message=_progress(item), related_request_id=str(context.request_id)
                    )
            root = get_root_url(request, PATH, request.scope.get("root_path") or None)
            return await run_sync(_content, last, root, limiter=threads)
        finally:
            with anyio.CancelScope(shield=True):  # also when the client has left
                await run_sync(items.close, limiter=threads)

    return server


class ToolError(Exception):
    """A call that failed. The text is for the caller."""


def _answers(name: str, arguments: dict[str, Any], visitor: Visitor) -> Any:
    method = next((method for method in papers.METHODS if method.name == name), None)
    if method is None:
        known = ", ".join(method.name for method in papers.METHODS)
        raise ToolError(f"There is no tool {name[:40]!r}; there are: {known}.")
    return answers(lambda: mcp_tools.asked(method, arguments), visitor)


def _next(items: Iterator[Answer]) -> Answer | None:
    try:
        return next(items, None)
    except gr.Error as error:
        raise ToolError(error.message) from None


def _content(last: tuple[Any, Any], root: str) -> list[types.ContentBlock]:
    path, report = last
    try:
        with user_errors():
            return mcp_tools.content(path, report, root)
    except gr.Error as error:
        raise ToolError(error.message) from None


def _progress(item: Answer) -> str:
    """How far a run is, in words. Its number in the protocol must grow, so it only counts."""
    _, report = item
    return str(
        report.get("status")
        or (f"step {report['step']} of {report['steps']}" if "step" in report else "measuring")
    )
