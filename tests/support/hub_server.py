"""A small server on 127.0.0.1 with the protocols of the Hub and of a package index, which can be made to fail.

`files` maps a path ("/name/resolve/<commit>/model.safetensors", "/simple/tiny/") to its content. `faults`
lists what goes wrong with the next responses, one for each request of the method it names; later ones are right.
`tests.support.hub_repos` adds what is needed to write to the Hub.

Faults: "404", "500", … a status; "stall" before any byte; "flip", "truncate", "reset", "stall-midway" in the middle of
the body; "loop", a redirect to itself; "short" and "long", a body with one byte less or more, as its header says; and
"flip@7", "fin@7", "rst@7", "stall@7" at byte 7 of the response, its head included (flip: of the body). "none" is no
fault.
"""

from __future__ import annotations

import contextlib
import hashlib
import socket
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TypeVar

S = TypeVar("S", bound="Server")
COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Server:
    """with Server() as server: … server.url; `asked` lists (method, path) of all requests so far."""

    def __init__(self, handler: type[Handler] | None = None) -> None:
        self.handler = handler or Handler
        self.files: dict[str, bytes] = {}
        self.kinds: dict[str, str] = {}  # path → content type
        self.faults: list[tuple[str, str]] = []  # (method, fault)
        self.lasting: dict[
            str, str
        ] = {}  # ending of a path → the fault of every GET, once `faults` has none for it
        self.asked: list[tuple[str, str]] = []
        self.closing = threading.Event()  # set at the end: requests that stall return
        self.stalling = threading.Event()  # set while a request stalls

    def __enter__(self: S) -> S:
        server, handler = self, self.handler

        class Bound(handler):
            server_state = server

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Bound)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.closing.set()
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()

    def count(self, method: str, ending: str = "") -> int:
        return sum(m == method and p.endswith(ending) for m, p in self.asked)

    def next_fault(self, method: str, path: str) -> str | None:
        for i, (wanted, fault) in enumerate(self.faults):
            if wanted == method:
                del self.faults[i]
                return fault
        lasting = (fault for ending, fault in self.lasting.items() if path.endswith(ending))
        return next(lasting, None) if method == "GET" else None


class Handler(BaseHTTPRequestHandler):
    server_state: Server
    protocol_version = "HTTP/1.1"
    etag = ""  # default: the sha256
    commit = COMMIT

    def do_HEAD(self) -> None:
        self.respond("HEAD")

    def do_GET(self) -> None:
        self.respond("GET")

    def log_message(self, format: str, *args: object) -> None:
        pass

    def respond(self, method: str) -> None:
        self.server_state.asked.append((method, self.path))
        fault = self.server_state.next_fault(method, self.path)
        if fault is not None and fault.isdigit():
            return self.refuse(int(fault))
        if fault == "loop":
            return self.refuse(302, Location=self.path)
        body = self.server_state.files.get(self.path)
        if body is None and fault != "stall":
            return self.refuse(404)
        start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")[0])
        with contextlib.suppress(OSError):
            self.send(method, body or b"", start, fault)
        return None

    def send(self, method: str, whole: bytes, start: int, fault: str | None) -> None:
        """The response with its fault. A fault that is not known fails the test through a broken connection."""
        what, at = fault or "none", None
        if "@" in what:
            what, at = what.split("@")[0], int(what.split("@")[1])
        body = whole
        if what == "flip":
            where = len(body) - 1 if at is None else min(at, len(body) - 1)
            body = body[:where] + bytes([body[where] ^ 1]) + body[where + 1 :]
        elif what in ("short", "long"):
            body = whole[:-1] if what == "short" else whole + b"?"
        head = self.head(206 if start else 200, whole, start, len(body))
        response = head if method == "HEAD" else head + body[start:]
        if what in ("none", "flip", "short", "long"):
            self.wfile.write(response)
            return
        self.close_connection = True
        cut = {"truncate": "fin", "reset": "rst", "stall-midway": "stall"}.get(what, what)
        if cut not in ("fin", "rst", "stall"):
            raise ValueError(f"there is no fault {fault!r}")
        if at is None:
            at = 0 if what == "stall" else len(head) + (len(response) - len(head)) // 2
        self.wfile.write(response[: min(at, len(response) - 1)])
        self.wfile.flush()
        if cut == "stall":
            self.server_state.stalling.set()
            self.server_state.closing.wait()
        elif cut == "rst":  # linger 0: closing sends RST
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    def head(self, status: int, whole: bytes, start: int, length: int) -> bytes:
        """The head of a response as it is sent."""
        self.send_response(status)
        self.send_header("ETag", f'"{self.etag or hashlib.sha256(whole).hexdigest()}"')
        self.send_header("X-Repo-Commit", self.commit)
        self.send_header("Content-Length", str(length - start))
        self.send_header("Content-Type", self.server_state.kinds.get(self.path, "application/octet-stream"))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(whole) - 1}/{len(whole)}")
        lines, self._headers_buffer = self._headers_buffer, []
        return b"".join(lines) + b"\r\n"

    def refuse(self, status: int, **headers: str) -> None:
        self.send_response(status)
        if status == 404:
            self.send_header("X-Error-Code", "EntryNotFound")
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()
