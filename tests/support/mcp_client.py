"""A client of the page's MCP tools: the `mcp` package's own, over streamable HTTP."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import anyio
from mcp import ClientSession, types
from mcp.client.streamable_http import streamable_http_client

T = TypeVar("T")


def with_client(url: str, work: Callable[[ClientSession], Awaitable[T]]) -> T:
    """What `work` gives, with a session of the page at `url`."""

    async def connected() -> T:
        async with (
            streamable_http_client(f"{url}/gradio_api/mcp") as (read, write, _),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            return await work(session)

    return anyio.run(connected)


def call(url: str, name: str, **arguments: Any) -> types.CallToolResult:
    """The result of one tool call, which may be an error."""
    return with_client(url, lambda session: session.call_tool(name, arguments))


def text_of(result: types.CallToolResult) -> str:
    """The first text of a result."""
    return next(part.text for part in result.content if isinstance(part, types.TextContent))


def data_url(file: Path | bytes) -> str:
    """A file, or its bytes, as a `data:` URL."""
    content = file if isinstance(file, bytes) else file.read_bytes()
    return "data:image/png;base64," + base64.b64encode(content).decode()
