"""The routes that the page and gradio_client use. Every other route of Gradio 6.31 is closed.

Closed are, among others: /component_server, which keeps what it is sent until the process ends (the editor calls it
only where a handler listens to its changes); /deep_link, which writes a visitor's session to disk; the proxy, streams,
monitoring, recording, run history and the code editor of `gradio --vibe`.
"""

from __future__ import annotations

import re

from gansr.ui.middleware.asgi import App, Receive, Scope, Send, path_of, refuse

_NAME = r"[^/]{1,200}"
OPEN: tuple[str, ...] = (
    # the page and its files
    r"/",
    r"/config/?",
    r"/theme\.css",
    r"/favicon\.ico",
    r"/manifest\.json",
    r"/robots\.txt",
    r"/(assets|static)/.+",
    # the page's requests
    r"/gradio_api/theme\.css",
    r"/gradio_api/startup-events",
    r"/gradio_api/app_id/?",
    r"/gradio_api/info/?",
    r"/gradio_api/upload",
    r"/gradio_api/upload_progress",
    r"/gradio_api/file=.+",
    rf"/gradio_api/run/{_NAME}/?",  # events with queue=False
    r"/gradio_api/queue/(join|data)",
    rf"/gradio_api/heartbeat/{_NAME}",
    r"/gradio_api/(cancel|reset/?)",
    # what "Use via API" tells to call
    rf"/gradio_api/call/(v2/)?{_NAME}/?",
    rf"/gradio_api/call/(v2/)?{_NAME}/{_NAME}",
    # gansr.ui.mcp_server
    r"/gradio_api/mcp/?",
)
_OPEN = re.compile("|".join(f"(?:{path})" for path in OPEN))


class Routes:
    """ASGI middleware: 404 for a path that is not in `OPEN`; no websockets."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket" or (scope["type"] == "http" and not is_open(path_of(scope))):
            return await refuse(scope, receive, send, 404, "Not found.")
        return await self.app(scope, receive, send)


def is_open(path: str) -> bool:
    """Whether `path`, relative to the place where the app is mounted, is served."""
    return _OPEN.fullmatch(path) is not None
