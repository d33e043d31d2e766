"""The server's doors: what may come in, what is not answered, and what is thrown away afterwards.

Gradio 6.31 takes JSON bodies of any size (`max_file_size` guards only /upload, and `data:` addresses in JSON go
around it), answers monitoring, recording and icon routes that this page has no use for, and never removes an
upload that was broken off. Hence a small ASGI layer for `launch(app_kwargs={"middleware": middleware()})` and a
janitor for the temporary folder. Limits are bytes, ages are seconds.
"""

from __future__ import annotations

import re
import stat
import threading
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gradio.processing_utils import hash_file
from gradio.utils import get_upload_folder
from starlette.middleware import Middleware

UPLOAD_LIMIT = 65 * 2**20  # a file of 64 MB and its multipart frame
BODY_LIMIT = 8 * 2**20  # anything else: options, paths of uploaded files, a painted mask
KEPT_FOR = 3600.0
QUOTA = 4 * 2**30
EVERY = 300.0
EXAMPLES = Path(__file__).parents[2] / "assets" / "examples"

_UPLOAD = re.compile(r"/upload/?$")
_CLOSED = re.compile(r"^/+(gradio_api/+)?(monitoring|process_recording|pwa_icon)(/|$)")

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Doors:
    """ASGI layer: 413 for a body over its limit, declared or counted; 404 for the closed routes."""

    def __init__(self, app: Any, upload_limit: int = UPLOAD_LIMIT, body_limit: int = BODY_LIMIT) -> None:
        self.app, self.upload_limit, self.body_limit = app, upload_limit, body_limit

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            return await self.app(scope, receive, send)
        path = _path(scope)
        if _CLOSED.match(path):
            return await _refuse(scope, receive, send, 404, "There is nothing here.")
        if scope["type"] == "websocket":
            return await self.app(scope, receive, send)
        limit = self.upload_limit if _UPLOAD.search(path) else self.body_limit
        if _declared(scope) > limit:
            return await _refuse(scope, receive, send, 413, _too_much(limit))
        return await self._counted(scope, receive, send, limit)

    async def _counted(self, scope: Any, receive: Receive, send: Send, limit: int) -> None:
        """Pass the body on while it stays under the limit; then answer 413 and tell the app the client left."""
        seen, started, full = 0, False, False

        async def counting_receive() -> Message:
            nonlocal seen, full
            if full:
                return {"type": "http.disconnect"}
            message = await receive()
            seen += len(message.get("body", b""))
            if seen <= limit or message["type"] != "http.request":
                return message
            full = True
            if not started:
                await _refuse(scope, receive, send, 413, _too_much(limit))
            return {"type": "http.disconnect"}

        async def sending(message: Message) -> None:
            nonlocal started
            if not full:  # after the refusal nothing more may be said
                started = True
                await send(message)

        try:
            await self.app(scope, counting_receive, sending)
        except Exception:
            if not full:  # what the app makes of a client that left is no error of ours
                raise


def middleware(upload_limit: int = UPLOAD_LIMIT, body_limit: int = BODY_LIMIT) -> list[Middleware]:
    """What `launch(app_kwargs={"middleware": …})` takes."""
    return [Middleware(Doors, upload_limit=upload_limit, body_limit=body_limit)]


def _path(scope: MutableMapping[str, Any]) -> str:
    """The path below the place where the app is mounted."""
    path, root = scope["path"], scope.get("root_path", "").rstrip("/")
    return path[len(root) :] if root and path.startswith(root + "/") else path


def _declared(scope: MutableMapping[str, Any]) -> int:
    """The largest declared length; -1 if none is, a number that passes no limit if it is none."""
    lengths = [value for name, value in scope["headers"] if name.lower() == b"content-length"]
    return max((int(v) if v.isdigit() and len(v) < 20 else 2**63 for v in lengths), default=-1)


def _too_much(limit: int) -> str:
    return f"Too large: at most {max(1, limit // 2**20)} MB are taken. Crop or shrink the picture first."


async def _refuse(scope: Any, receive: Receive, send: Send, status: int, text: str) -> None:
    if scope["type"] == "websocket":
        await receive()
        return await send({"type": "websocket.close", "code": 1000})
    body = text.encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", b"%d" % len(body)),
        (b"connection", b"close"),  # the rest of the body is not waited for
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    return await send({"type": "http.response.body", "body": body})


# ----------------------------------------------------------------------------------------------- janitor


@dataclass(frozen=True)
class Swept:
    """What one sweep removed, and how many bytes are left."""

    files: int
    removed: int
    left: int


def sweep(
    folder: Path, older_than_s: float, quota_bytes: int, now: float, keep: Collection[Path] = ()
) -> Swept:
    """Remove files of `folder` last changed over `older_than_s` before `now`, then the oldest until the rest is
    within `quota_bytes`, then empty folders of that age. Links are neither followed nor counted; `keep` names
    files that stay, and do not count. A file that vanishes meanwhile is no error.
    """
    found = sorted((changed, size, path) for changed, size, path in _files(folder) if path not in keep)
    left, files, removed = sum(size for _, size, _ in found), 0, 0
    for changed, size, path in found:
        if now - changed <= older_than_s and left <= quota_bytes:
            break
        if _remove(path):
            files, removed = files + 1, removed + size
        left -= size
    _remove_empty(folder, now - older_than_s)
    return Swept(files, removed, left)


def _files(folder: Path) -> Iterator[tuple[float, int, Path]]:
    for path in folder.rglob("*"):
        try:
            about = path.lstat()
        except OSError:
            continue
        if stat.S_ISREG(about.st_mode):
            yield about.st_mtime, about.st_size, path


def _remove(path: Path) -> bool:
    try:
        path.unlink()
    except OSError:
        return False
    return True


def _remove_empty(folder: Path, before: float) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):  # the innermost first
        try:
            about = path.lstat()
            if stat.S_ISDIR(about.st_mode) and about.st_mtime < before:
                path.rmdir()  # refuses one that is not empty
        except OSError:
            continue


def copies(files: Iterable[Path], folder: Path) -> frozenset[Path]:
    """Where Gradio's temporary folder has its copies of `files`: a folder of the content's hash each."""
    return frozenset(folder / hash_file(file) / file.name for file in files)


def start_janitor(
    folder: Path | None = None,
    older_than_s: float = KEPT_FOR,
    quota_bytes: int = QUOTA,
    every_s: float = EVERY,
    keep: Collection[Path] | None = None,
    clock: Callable[[], float] = time.time,
    stop: threading.Event | None = None,
) -> threading.Thread:
    """Sweep Gradio's temporary folder (or `folder`) now and every `every_s`, on a thread that dies with the
    process or ends when `stop` is set. `keep` defaults to the copies of the page's examples, which Gradio makes
    once, when the page is built, and never again. Returns the thread, started.
    """
    place, ending = folder or Path(get_upload_folder()), stop or threading.Event()
    kept = copies(EXAMPLES.glob("*.*"), place) if keep is None else frozenset(keep)

    def work() -> None:
        while True:
            sweep(place, older_than_s, quota_bytes, clock(), kept)
            if ending.wait(every_s):
                return

    thread = threading.Thread(target=work, name="janitor", daemon=True)
    thread.start()
    return thread
