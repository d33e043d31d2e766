"""/healthz: whether the process answers. /readyz: whether it can run every paper now. For supervisors and balancers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from gansr.ui.middleware.asgi import App, Receive, Scope, Send, path_of


class Health:
    """ASGI middleware. `problems` gives a sentence for each paper that cannot run, and why a page takes no runs; it may
    take some seconds. /readyz answers 200, or 503 with them; /healthz always 200."""

    def __init__(self, app: App, problems: Callable[[], list[str]]) -> None:
        self.app, self.problems = app, problems

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = path_of(scope) if scope["type"] == "http" else ""
        if path not in ("/healthz", "/readyz") or scope["method"] not in ("GET", "HEAD"):
            return await self.app(scope, receive, send)
        found = await asyncio.to_thread(self.problems) if path == "/readyz" else []
        body = "".join(f"{line}\n" for line in found or ["ok"]).encode()
        headers = [
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", b"%d" % len(body)),
            (b"cache-control", b"no-store"),
        ]
        await send({"type": "http.response.start", "status": 503 if found else 200, "headers": headers})
        return await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
