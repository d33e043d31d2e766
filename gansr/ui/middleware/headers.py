"""Headers of replies: what a browser may do with them, who may frame the page, what may be kept in caches."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable

from gansr.gallery import GALLERY
from gansr.ui.middleware.asgi import App, Message, Receive, Scope, Send, path_of, refuse

# Gradio's components make functions of text ('unsafe-eval') and set styles.
POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-eval'{scripts}; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; manifest-src 'self'; worker-src 'self' blob:; "
    "base-uri 'self'; form-action 'none'; frame-ancestors 'self' https://huggingface.co https://*.hf.space"
)
# The camera is for the picture inputs. A browser asks the user before it is switched on.
ALWAYS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(self), microphone=(), geolocation=(), payment=(), usb=()"),
)
NOT_KEPT = (b"cache-control", b"private, no-store")
KEPT = (b"cache-control", b"public, max-age=3600")
OF_THE_GALLERY = (
    f"/gradio_api/file={GALLERY}/"  # the same for everybody, and shown twice: see gansr.ui.first_view
)
# Gradio's answer to a Range request holds the request's own headers. These are the answer's.
OF_A_RANGE = (b"content-type", b"content-disposition", b"content-length", b"content-range", b"accept-ranges")
_RANGE = re.compile(rb"bytes=([0-9]{1,15}-[0-9]{0,15}|-[0-9]{1,15})")
_INLINE = re.compile(rb"<script(?![^>]*\ssrc=)[^>]*>(.*?)</script>", re.DOTALL)


class Headers:
    """ASGI middleware: a content security policy and `ALWAYS` on every reply, `NOT_KEPT` on data and pictures but those
    of the gallery; an exception becomes a plain 500. A Range header that is not one range of bytes is ignored, as HTTP
    allows."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        scope["headers"] = [
            (n, v) for n, v in scope["headers"] if n.lower() != b"range" or _RANGE.fullmatch(v)
        ]
        path, started, page = path_of(scope), False, list[Message]()

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                if path == "/":  # its policy names its scripts: it waits for the body
                    return page.append(message)
                message["headers"] = headers(path, message["status"], message.get("headers", ()))
            elif page:
                page.append(message)
                if message.get("more_body", False):
                    return None
                body = b"".join(part.get("body", b"") for part in page)
                page[0]["headers"] = headers(path, page[0]["status"], page[0].get("headers", ()), body)
                for part in page:
                    await send(part)
                return page.clear()
            return await send(message)

        try:
            await self.app(scope, receive, send_with_headers)
        except Exception:
            if not started:  # before Starlette's own answer, which would lack the headers
                await refuse(scope, receive, send_with_headers, 500, "The server made a mistake. Try again.")
            raise


def headers(
    path: str, status: int, given: Iterable[tuple[bytes, bytes]], body: bytes = b""
) -> list[tuple[bytes, bytes]]:
    """The headers of a reply with `status` to a request for `path`, from the app's own. The inline scripts of `body`
    may run, and no others."""
    if status == 206:
        given = {name.lower(): value for name, value in given if name.lower() in OF_A_RANGE}.items()
    ours = dict([*ALWAYS, (b"content-security-policy", POLICY.format(scripts=_hashes(body)).encode())])
    if status == 200 and path.startswith(OF_THE_GALLERY) and ".." not in path:
        ours |= dict([KEPT])
    elif path.startswith("/gradio_api/") and not path.endswith("/theme.css"):
        ours |= dict([NOT_KEPT])
    return [(name, value) for name, value in given if name.lower() not in ours] + list(ours.items())


def _hashes(body: bytes) -> str:
    digests = (hashlib.sha256(script).digest() for script in _INLINE.findall(body))
    return "".join(f" 'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
