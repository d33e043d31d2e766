"""The page itself, kept ready and compressed.

Gradio writes the page anew for each request: 50 ms of computing, and several times that while a run is on. It is the
same text every time, because no visitor signs in here; only the addresses in it and its language follow the request.
"""

from __future__ import annotations

import asyncio
import gzip
from collections import OrderedDict
from dataclasses import dataclass

from gansr.ui.languages import language_of
from gansr.ui.middleware.asgi import App, Message, Receive, Scope, Send, path_of

KEPT = 8  # pages, of 1 MB; a visitor may write any host into a request
ADDRESS = (b"host", b"x-forwarded-host", b"x-forwarded-proto", b"x-forwarded-port")
Header = tuple[bytes, bytes]


@dataclass(frozen=True)
class Page:
    """A reply with status 200."""

    headers: list[Header]  # without its length
    plain: bytes
    packed: bytes


class PageCache:
    """ASGI middleware: answers GET and HEAD of `/` from memory; the first request of each address and language goes to
    the app, with the language as its query. Compressed with gzip where the browser takes it."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.pages: OrderedDict[tuple[object, ...], Page] = OrderedDict()
        self.making = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD") or path_of(scope) != "/":
            return await self.app(scope, receive, send)
        address = [(n, v) for n, v in scope["headers"] if n.lower() in ADDRESS]
        language = language_of(scope.get("query_string", b""), scope["headers"])
        key = (language, scope["scheme"], scope.get("root_path", ""), *address)
        async with self.making:
            if key not in self.pages:
                asked = {
                    **scope,
                    "method": "GET",
                    "query_string": f"lang={language}".encode(),
                    "headers": address,
                }
                replies = await self._ask(asked, receive, send)
                if replies[0]["status"] != 200:
                    for reply in replies:
                        await send(reply)
                    return None
                self.pages[key] = await asyncio.to_thread(_page, replies)
                if len(self.pages) > KEPT:
                    self.pages.popitem(last=False)
            self.pages.move_to_end(key)
            page = self.pages[key]
        packed = _takes_gzip(scope)
        body = page.packed if packed else page.plain
        headers = [*page.headers, (b"content-length", b"%d" % len(body))]
        headers += [(b"vary", b"Accept-Encoding, Accept-Language")]
        headers += [(b"content-encoding", b"gzip")] if packed else []
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        return await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    async def _ask(self, scope: Scope, receive: Receive, send: Send) -> list[Message]:
        replies: list[Message] = []

        async def keep(message: Message) -> None:
            replies.append(message)

        try:
            await self.app(scope, receive, keep)
        except Exception:
            for reply in replies:  # what the layers below have answered to it
                await send(reply)
            raise
        return replies


def _page(replies: list[Message]) -> Page:
    plain = b"".join(reply.get("body", b"") for reply in replies[1:])
    headers = [(n, v) for n, v in replies[0]["headers"] if n.lower() != b"content-length"]
    return Page(headers, plain, gzip.compress(plain, mtime=0))


def _takes_gzip(scope: Scope) -> bool:
    accepted = b",".join(value for name, value in scope["headers"] if name.lower() == b"accept-encoding")
    coding = {part.partition(b";")[0].strip(): part.partition(b";")[2] for part in accepted.split(b",")}
    return b"gzip" in coding and coding[b"gzip"].replace(b" ", b"") not in (b"q=0", b"q=0.0")
