"""Uploads and the disk: refused while the disk has no room; what a broken one leaves is removed at once."""

from __future__ import annotations

import asyncio
import errno
import tempfile
from contextvars import ContextVar
from pathlib import Path
from typing import IO, Any

from gradio import route_utils

from gansr.ui.middleware.asgi import App, Message, Receive, Scope, Send, declared_length, is_upload, refuse
from gansr.ui.middleware.body_size import UPLOAD_LIMIT
from gansr.ui.temp_files import PLACE, TempFolder

FULL = "The server's disk is full. Try again in a few minutes."
LONGEST_QUERY = 200  # bytes: Gradio keeps the name of each upload
DISK_FULL = (errno.ENOSPC, errno.EDQUOT)

# The temporary files of the upload that this task serves.
_made: ContextVar[list[IO[bytes]] | None] = ContextVar("_made", default=None)


class Uploads:
    """ASGI middleware for /upload: 414 for a long query; 507 where the disk would not keep its reserve; no temporary
    file survives its request, whether the visitor left, the disk filled up, or a part was not a file of the form."""

    def __init__(self, app: App, place: TempFolder = PLACE, limit: int = UPLOAD_LIMIT) -> None:
        self.app, self.place, self.limit = app, place, limit
        note_temporary_files()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not is_upload(scope):
            return await self.app(scope, receive, send)
        if len(scope.get("query_string", b"")) > LONGEST_QUERY:
            return await refuse(scope, receive, send, 414, "The address is too long.")
        declared = declared_length(scope)
        expected = declared if 0 <= declared <= self.limit else self.limit
        if not await asyncio.to_thread(self.place.has_room, expected):
            return await refuse(scope, receive, send, 507, FULL, drain=expected)
        return await self._served(scope, receive, send)

    async def _served(self, scope: Scope, receive: Receive, send: Send) -> None:
        started, made = False, _made.set([])

        async def counting_receive() -> Message:
            message = await receive()
            self.place.uploaded(len(message.get("body", b"")))
            return message

        async def noting_send(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, counting_receive, noting_send)
        except OSError as error:
            if error.errno not in DISK_FULL or started:
                raise
            await refuse(scope, receive, send, 507, FULL, drain=self.limit)
        finally:
            for file in _made.get() or ():
                file.close()
                Path(file.name).unlink(missing_ok=True)  # a complete upload has been moved away
            _made.reset(made)


def note_temporary_files() -> None:
    """Let Gradio's multipart parser tell which temporary files it makes.

    It removes them only where the form is malformed: not when the visitor leaves or the disk is full, and not the
    parts that are not named "files". Nothing else tells whose a file is.
    """
    module: Any = route_utils
    module.NamedTemporaryFile = _noted


def _noted(**settings: Any) -> Any:
    file = tempfile.NamedTemporaryFile(**settings)  # noqa: SIM115
    made = _made.get()
    if made is not None:
        made.append(file)
    return file
