"""A small server on 127.0.0.1 with the protocols of the Hub and of a package index, which can be made to fail.

`files` maps a path ("/name/resolve/<commit>/model.safetensors", "/simple/tiny/") to its content. `faults`
lists what goes wrong with the next responses, one for each request of the method it names; later ones are right.
"""

from __future__ import annotations

import contextlib
import hashlib
import socket
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Server:
    """with Server() as server: … server.url; `asked` lists (method, path) of all requests so far."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.kinds: dict[str, str] = {}  # path → content type
        self.faults: list[tuple[str, str]] = []  # (method, fault), see _Handler.send
        self.asked: list[tuple[str, str]] = []
        self.closing = threading.Event()  # set at the end: requests that stall return

    def __enter__(self) -> Server:
        server = self

        class Handler(_Handler):
            server_state = server

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
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

    def next_fault(self, method: str) -> str | None:
        for i, (wanted, fault) in enumerate(self.faults):
            if wanted == method:
                del self.faults[i]
                return fault
        return None


class _Handler(BaseHTTPRequestHandler):
    server_state: Server
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self.respond("HEAD")

    def do_GET(self) -> None:
        self.respond("GET")

    def log_message(self, format: str, *args: object) -> None:
        pass

    def respond(self, method: str) -> None:
        self.server_state.asked.append((method, self.path))
        fault = self.server_state.next_fault(method)
        if fault is not None and fault.isdigit():
            return self.refuse(int(fault))
        if fault == "stall":
            self.close_connection = True
            self.server_state.closing.wait()
            return None
        body = self.server_state.files.get(self.path)
        if body is None:
            return self.refuse(404)
        whole = body
        if fault == "flip":
            body = body[:-1] + bytes([body[-1] ^ 1])
        start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")[0])
        self.head(206 if start else 200, whole, start)
        if method == "HEAD":
            return None
        with contextlib.suppress(OSError):
            self.send(body[start:], fault)
        return None

    def head(self, status: int, whole: bytes, start: int) -> None:
        self.send_response(status)
        self.send_header("ETag", f'"{hashlib.sha256(whole).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("Content-Length", str(len(whole) - start))
        self.send_header("Content-Type", self.server_state.kinds.get(self.path, "application/octet-stream"))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(whole) - 1}/{len(whole)}")
        self.end_headers()

    def send(self, body: bytes, fault: str | None) -> None:
        if fault in ("truncate", "reset", "stall-midway"):
            self.close_connection = True
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            if fault == "stall-midway":
                self.server_state.closing.wait()
            if fault == "reset":  # linger 0: closing sends RST
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
            return
        self.wfile.write(body)

    def refuse(self, status: int) -> None:
        self.send_response(status)
        if status == 404:
            self.send_header("X-Error-Code", "EntryNotFound")
        self.send_header("Content-Length", "0")
        self.end_headers()
