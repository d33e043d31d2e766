"""MCP tools: the methods through the `mcp` package's own client, and what a call counts as."""

from __future__ import annotations

import asyncio
import gc
import io
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from mcp import types
from mcp.server.streamable_http import StreamableHTTPServerTransport
from PIL import Image

from gansr import papers
from gansr.ui import mcp_server, service
from tests.conftest import ROOT
from tests.support.asgi import ask, fine
from tests.support.browser import served
from tests.support.mcp_client import call, data_url, text_of, with_client

CAT = ROOT / "assets" / "examples" / "chelsea-small-x4.png"
HEADERS = {"accept": "application/json, text/event-stream", "content_type": "application/json"}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The whole page, its methods computing in a moment."""
    with served("tests/support/tabs_server.py") as address:
        yield address


def test_the_methods_and_nothing_else_are_tools(url):
    tools = with_client(url, lambda session: session.list_tools()).tools
    assert [tool.name for tool in tools] == [method.name for method in papers.METHODS]
    for tool, method in zip(tools, papers.METHODS, strict=True):
        assert tool.description is not None and tool.description.startswith(method.summary)


def test_a_call_gives_the_result_as_a_link_and_a_picture_and_a_report(url):
    result = call(url, "srgan", picture=data_url(CAT), seed=7)
    _, link, shown = result.content
    assert (
        not result.isError and isinstance(link, types.ResourceLink) and isinstance(shown, types.ImageContent)
    )
    report = json.loads(text_of(result))
    assert (report["width"], report["height"]) == (448, 300) and report["measures"]["consistency"] > 10
    png = httpx.get(str(link.uri)).content
    with Image.open(io.BytesIO(png)) as picture:
        assert (picture.format, picture.size) == ("PNG", (448, 300)) and "gansr" in picture.info


def test_progress_is_told_to_who_asks_for_it(url):
    heard: list[tuple[float, str | None]] = []

    async def told(progress: float, total: float | None, message: str | None) -> None:
        heard.append((progress, message))

    with_client(url, lambda s: s.call_tool("srgan", {"picture": data_url(CAT)}, progress_callback=told))
    numbers = [number for number, _ in heard]
    assert numbers == sorted(set(numbers)), "as the protocol wants"
    assert (3.0, "step 3 of 3") in heard or "step 3 of 3" in [text for _, text in heard]


def test_what_is_wrong_is_told_in_words_and_the_next_call_works(url):
    for given, words in (
        ({"picture": data_url(b"hello")}, "Not a PNG, JPEG, WebP, HEIC or AVIF picture"),
        ({"picture": "/etc/passwd"}, "Picture must be a data: URL"),
        ({"picture": data_url(CAT), "model": "other"}, "Model must be one of srgan, srresnet, "),
    ):
        refused = call(url, "srgan", **given)
        assert refused.isError and words in text_of(refused)
    unknown = call(url, "lambda_1")
    assert unknown.isError and text_of(unknown) == (
        "There is no tool 'lambda_1'; there are: pulse, kernelgan, glean, mganprior, srgan, esrgan, dip."
    )
    assert not call(url, "srgan", picture=data_url(CAT)).isError


@pytest.mark.parametrize("method", ["GET", "DELETE", "OPTIONS"])
def test_there_is_no_stream_to_hold_open(method):
    assert ask(mcp_server.Mcp(fine), method, "/gradio_api/mcp").status == 405


# ------------------------------------------------------------------------------- a call in this process


def message(name: str, **arguments: Any) -> bytes:
    params = {"name": name, "arguments": arguments}
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()


async def post(body: bytes, left: asyncio.Event) -> None:
    """One request. The client leaves once it has the whole answer, or when `left` is set."""
    pieces = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Any:
        if pieces:
            return pieces.pop()
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(part: Any) -> None:
        if part["type"] == "http.response.body" and not part.get("more_body", False):
            left.set()

    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in HEADERS.items()]
    scope = {"type": "http", "method": "POST", "path": "/gradio_api/mcp", "headers": named, "scheme": "http"}
    scope |= {"query_string": b"", "client": ("1.2.3.4", 1), "server": ("testserver", 80), "root_path": ""}
    await mcp_server.Mcp(fine)(scope, receive, send)


def test_a_call_is_a_visitor_with_its_own_address_and_a_listener(monkeypatch):
    seen: list[Any] = []

    def answers(asked: Any, visitor: Any) -> Iterator[Any]:
        seen.append((visitor, service.LISTENERS.gone_for(visitor.session, 0.0)))
        yield from ()

    async def twice() -> None:
        for _ in range(2):
            await post(message("srgan"), asyncio.Event())

    monkeypatch.setattr(mcp_server, "answers", answers)
    before = service.LISTENERS.open
    asyncio.run(twice())
    (one, gone), (other, _) = seen
    assert one.address == "1.2.3.4" and one.session.startswith("mcp-") and one.session != other.session
    assert gone == 0.0 and service.LISTENERS.open == before


def test_a_client_that_leaves_ends_its_run(monkeypatch):
    ended: list[str] = []

    async def leaves() -> None:
        loop, begun = asyncio.get_running_loop(), asyncio.Event()

        def answers(asked: Any, visitor: Any) -> Iterator[Any]:
            try:
                while True:
                    loop.call_soon_threadsafe(begun.set)
                    yield None, {"step": 1, "steps": 2}
            finally:
                ended.append(visitor.session)

        monkeypatch.setattr(mcp_server, "answers", answers)
        await post(message("srgan"), begun)
        assert ended, "closed when the request has ended, not later"

    asyncio.run(leaves())


def test_nothing_is_kept_of_a_request():
    app = mcp_server.Mcp(fine)
    asked = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).encode()
    for _ in range(20):
        assert ask(app, "POST", "/gradio_api/mcp", [asked], **HEADERS).status == 200
    gc.collect()
    assert not [kept for kept in gc.get_objects() if type(kept) is StreamableHTTPServerTransport]
