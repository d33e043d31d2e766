"""The page's HTML, completed: the script that translates it into the visitor's language, and what is seen at once."""

from __future__ import annotations

from gansr.ui import first_view
from gansr.ui.languages import in_language, language_of
from gansr.ui.middleware.asgi import App, Message, Receive, Scope, Send, path_of


class Language:
    """ASGI middleware: a reply with status 200 to a request of `/` gets the script of its language, which follows from
    the query and Accept-Language, and the pictures of gansr.ui.first_view."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or path_of(scope) != "/":
            return await self.app(scope, receive, send)
        language = language_of(scope.get("query_string", b""), scope["headers"])
        replies: list[Message] = []

        async def hold(message: Message) -> None:
            replies.append(message)
            if message["type"] == "http.response.start" or message.get("more_body", False):
                return
            start, body = replies[0], b"".join(part.get("body", b"") for part in replies[1:])
            if start["status"] == 200 and body:
                body = first_view.added(in_language(body, language))
                kept = [(n, v) for n, v in start.get("headers", ()) if n.lower() != b"content-length"]
                start["headers"] = [*kept, (b"content-length", b"%d" % len(body))]
            await send(start)
            await send({"type": "http.response.body", "body": body})

        return await self.app(scope, receive, hold)
