"""Every route of the page with odd methods, bodies, addresses and headers. Promise: no exception from our own code.

    .venv/bin/python -m tests.attack.http_routes --count 8000 --seed 0

The page runs in its own process on the loopback. One request at a time, so that each exception in the server's log
belongs to a request. What remains of Gradio's own exceptions is listed.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import re
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.asgi import app_with, paths_of
from tests.support.browser import ROOT, served

API = "/gradio_api"
PICTURE = ROOT / "assets" / "examples" / "astronaut-face-32.png"
# What every request or every event goes through.
LAYERS = ("gansr/ui/middleware/", "gansr/ui/listeners.py", "gansr/ui/handlers.py")
SLOW = 4.0  # seconds for an event; then it is cancelled
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "ODD")
ODD: tuple[Any, ...] = (
    None, True, False, -1, 0, 10**30, -(10**30), 1e308, float("nan"), float("inf"), 0.5, "", "x" * 9000, "\0", "\ud800",
    "nan", "-1", "../../etc/passwd", "http://127.0.0.1:1/a.png", "<script>", [], [None], [[]], [1, "a", {}], {},
    {"a": 1},
    {"path": "/etc/passwd"}, {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}, {"path": None},
    {"path": "a", "url": "data:image/png;base64,AAAA", "meta": {"_type": "gradio.FileData"}},
    {"path": "a", "url": "data:text/html,x", "meta": {"_type": "gradio.FileData"}}, {"url": 5, "meta": 7},
    {"background": None, "layers": None, "composite": None}, {"background": 1, "layers": [1], "composite": []},
    {"id": "nobody"}, {"tiles": 1}, {"tiles": [1, {}]}, {"__type__": "update", "value": 1}, [["a", "b"]] * 50,
)  # fmt: skip
SEGMENTS = (
    "a", "predict", "srgan", "0", "-1", "9" * 40, "..", "%2e%2e%2f", "%00", "%ff%fe", "a" * 3000, "é", "a%0d%0aX:1",
    "NaN", "/etc/passwd", "http://127.0.0.1:1/", "file:///etc/passwd", "C:%5C", "a%2fb", "~", "%25", "*", "?", "#", "",
)  # fmt: skip
QUERIES = (
    "", "a=%ff", "page=nowhere", "page=", "deep_link=../../x", "deep_link=" + "a" * 3000, "upload_id=", "upload_id=%00",
    "session_hash=", "session_hash=a&session_hash=b", "all_endpoints=x", "=", "&&&", "fn_index=abc",
    "__theme=%22>", "a=" + "b" * 6000, "__sign=1", "serialize=1",
)  # fmt: skip
HEADERS: tuple[dict[str, str], ...] = (
    {}, {}, {}, {"Range": "bytes=0-5"}, {"Range": "bytes=1-2-3"}, {"Range": "bytes=5-1"}, {"Range": "bytes=-"},
    {"Range": "bytes=99999999999999999999-99999999999999999999"}, {"Range": "bytes=0-1,3-4,-1"}, {"Range": "lines=1"},
    {"Range": "bytes=\u00b2-\u00b3"}, {"X-Forwarded-Host": "a b"}, {"X-Forwarded-Host": "[::"}, {"Host": "[bad"},
    {"Host": ""}, {"Host": "a:b:c"}, {"X-Forwarded-Proto": "gopher"}, {"X-Gradio-Server": "\x7f"},
    {"X-Forwarded-For": "1, 2"}, {"Cookie": "access-token-x=" + "a" * 3000}, {"Cookie": "=;=\xff"},
    {"Origin": "http://[bad"}, {"Origin": "null"}, {"Accept-Encoding": "br;q=x"}, {"If-Modified-Since": "never"},
    {"If-None-Match": '"'}, {"Authorization": "Bearer \xff"}, {"Transfer-Encoding": "gzip"}, {"Expect": "100-continue"},
    {"Content-Length": "abc"}, {"Content-Length": "-5"}, {"Upgrade": "websocket", "Connection": "Upgrade"},
)  # fmt: skip
TYPES = (
    "application/json", "text/plain", "", "application/json; charset=utf-99", "multipart/form-data",
    "multipart/form-data; boundary=b", 'multipart/form-data; boundary="',
    "application/x-www-form-urlencoded", "\xff/\xff",
)  # fmt: skip
FORMS = (
    b"", b"--b--\r\n", b"--b\r\n\r\nx\r\n--b--", b'--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n',
    b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\nx',
    b'--b\r\nContent-Disposition: form-data; name="files"\r\n\r\nx\r\n--b--\r\n',
    b'--b\r\nContent-Disposition: form-data; name="x"; filename="../\xff"\r\n\r\nx\r\n--b--\r\n',
    b'--b\r\nContent-Disposition: form-data; name="files"; filename=".."\r\n\r\nx\r\n--b--\r\n',
    b'--b\r\nContent-Disposition: form-data; name="files"; filename="' + b"n" * 400 + b'.png"\r\n\r\nx\r\n--b--\r\n',
    b'--b\r\nContent-Disposition: form-data; name="files"; filename="a\x00b"\r\n\r\nx\r\n--b--\r\n',
    b"--b\r\n" + b"X: " + b"y" * 9000 + b"\r\n\r\n", b"--c\r\n" * 100,
)  # fmt: skip
BODIES = {
    "empty": b"",
    "not JSON": b"{",
    "bad UTF-8": b'{"data": ["\xff\xfe"]}',
    "deep": b"[" * 50_000,
    "deep object": b'{"data":' * 3000 + b"1" + b"}" * 3000,
    "NaN": b'{"data": [NaN, Infinity, -Infinity], "fn_index": NaN}',
    "huge number": b'{"data": [1e999], "fn_index": ' + b"9" * 5000 + b"}",
    "lone surrogate": b'{"data": ["\\ud800"], "fn_index": 0, "session_hash": "\\ud800"}',
    "zero byte": b'{"data": ["\\u0000"], "session_hash": "\\u0000", "fn_index": 1}',
    "list": b"[1, 2]",
    "text": b'"text"',
    "null": b"null",
    "wrong types": b'{"data": 5, "fn_index": "a", "session_hash": [], "event_id": {}, "trigger_id": "b"}',
    "same key twice": b'{"data": [], "data": {}, "fn_index": 0, "fn_index": 1}',
    "many keys": json.dumps({str(i): i for i in range(20_000)}).encode(),
}
FN_INDEXES: tuple[Any, ...] = (-1, 10**9, "1", None, 1.5, True, [], {}, "a")


@dataclass(frozen=True)
class Ask:
    """One request: what it is of, and what is sent."""

    route: str
    kind: str
    method: str
    target: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    waits: str = ""  # the session whose queue is read to the end


# ------------------------------------------------------------------------------------------------ requests


class Requests:
    """Odd requests for a page with this `config`, as its /config tells it. `picture` is an uploaded file's value."""

    def __init__(
        self, paths: list[str], config: dict[str, Any], picture: dict[str, Any], chance: random.Random
    ):
        self.paths, self.chance, self.picture = paths, chance, picture
        self.events: list[dict[str, Any]] = [d for d in config["dependencies"] if d["backend_fn"]]
        self.defaults = {c["id"]: c["props"].get("value") for c in config["components"]}

    def odd(self) -> Ask:
        """The next request."""
        return self.chance.choice(
            (self._route, self._route, self._event, self._event, self._event, self._form)
        )()

    def _route(self) -> Ask:
        route = self.chance.choice(self.paths)
        path = re.sub(r"\{[^}]*\}", lambda _: self.chance.choice(SEGMENTS), route)
        if route.startswith(f"{API}/file=") and self.chance.random() < 0.5:
            path = f"{API}/file={self.picture['path']}"
        kind, body = self.chance.choice([*BODIES.items()])
        method = self.chance.choice(METHODS)
        target = self._with_query(path)
        headers = self._headers(self.chance.choice(TYPES))
        return Ask(route, kind if method == "POST" else "-", method, target, headers, body)

    def _form(self) -> Ask:
        number = self.chance.randrange(len(FORMS))
        route = self.chance.choice((f"{API}/upload", f"{API}/component_server", f"{API}/process_recording"))
        kind = self.chance.choice(
            ("multipart/form-data; boundary=b", "multipart/form-data", "multipart/form-data; boundary=")
        )
        return Ask(
            route, f"form {number}", "POST", self._with_query(route), self._headers(kind), FORMS[number]
        )

    def _event(self) -> Ask:
        event, session = self.chance.choice(self.events), f"s{self.chance.randrange(10**9)}"
        body: dict[str, Any] = {"data": self._data(event), "fn_index": event["id"], "session_hash": session}
        kind = self.chance.choice(
            ("values", "values", "values", "length", "event data", "fn_index", "fields", "session")
        )
        if kind == "length":
            body["data"] = (body["data"] * 20)[: self.chance.choice((0, 1, len(body["data"]) + 1, 300))]
        elif kind == "event data":
            body["event_data"] = self.chance.choice([*ODD, {"index": self._value(), "value": self._value()}])
            body["trigger_id"] = self.chance.choice((None, 0, 5, 10**9, "x"))
        elif kind == "fn_index":
            body["fn_index"] = self.chance.choice(FN_INDEXES)
        elif kind == "fields":
            body.pop(self.chance.choice([*body]))
            body[self.chance.choice(("event_id", "batched", "simple_format", "request", "x"))] = self._value()
        elif kind == "session":
            session = str(body.pop("session_hash"))
            body["session_hash"] = self.chance.choice(ODD)
        name = event["api_name"] or "predict"
        way = self.chance.choice(("queue/join",) if event["queue"] else ("run/predict", "queue/join"))
        if self.chance.random() < 0.1:
            way = self.chance.choice((f"run/{name}", f"api/{name}", f"call/{name}", f"call/v2/{name}"))
        sent = json.dumps(body).encode()
        waits = session if way == "queue/join" and kind != "session" else ""
        label = f"{event['id']} {name}: {kind}"
        return Ask(
            f"{API}/{way}", label, "POST", f"{API}/{way}", {"Content-Type": "application/json"}, sent, waits
        )

    def _data(self, event: dict[str, Any]) -> list[Any]:
        data = [self.defaults.get(number) for number in event["inputs"]]
        odd = self.chance.choice((1, 1, 2, 3, len(data)))
        for place in self.chance.sample(range(len(data)), min(odd, len(data))):
            data[place] = self._value()
        return data

    def _value(self) -> Any:
        return self.picture if self.chance.random() < 0.15 else self.chance.choice(ODD)

    def _with_query(self, path: str) -> str:
        query = self.chance.choice(QUERIES)
        return f"{path}?{query}" if query else path

    def _headers(self, kind: str) -> dict[str, str]:
        return self.chance.choice(HEADERS) | ({"Content-Type": kind} if kind else {})


# ------------------------------------------------------------------------------------------------- sending


def send(port: int, ask: Ask) -> tuple[int, bytes]:
    """(status, begin of the body); status 0 where the connection broke or nothing came for 15 s."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=15)
    try:
        target = ask.target.encode("latin-1", "replace").decode("latin-1").replace(" ", "+")
        connection.putrequest(ask.method, target, skip_host="Host" in ask.headers, skip_accept_encoding=True)
        for name, value in ask.headers.items():
            connection.putheader(name, value.encode("latin-1", "replace"))
        if not {"Content-Length", "Transfer-Encoding"} & set(ask.headers):
            connection.putheader("Content-Length", str(len(ask.body)))
        connection.endheaders(ask.body)
        with connection.getresponse() as reply:  # it keeps the socket where the connection is to be closed
            return reply.status, reply.read1(1 << 16)
    except (OSError, http.client.HTTPException, ValueError):
        return 0, b""
    finally:
        connection.close()


def wait_for_queue(port: int, session: str) -> None:
    """Read the session's queue to its end, or leave after `SLOW` seconds: what still runs is then stopped."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SLOW)
    end = time.monotonic() + SLOW
    try:
        connection.request("GET", f"{API}/queue/data?session_hash={session}")
        with connection.getresponse() as reply:
            while time.monotonic() < end:
                part = reply.read1(1 << 16)
                if not part or b"close_stream" in part:
                    return
    except (OSError, http.client.HTTPException):
        return
    finally:
        connection.close()


# ----------------------------------------------------------------------------------------------------- log


def exceptions(log: str) -> list[tuple[bool, str]]:
    """(whether it is ours, "exception's class in place") of each exception in a server's log (`gansr.ui.log`).

    Ours is what went through our code behind Gradio, or began in the layers in front of it. A traceback, which the
    log should not hold, is ours too.
    """
    found = [(True, "a traceback in the log")] * log.count("Traceback (most recent call last)")
    for kind, places in re.findall(r"(\w+) in ([\w./-]+:\d+ \S+(?: < [\w./-]+:\d+ \S+)*)", log):
        first, *others = places.split(" < ")
        behind = [place for place in others if not place.startswith(LAYERS)]
        own = first.startswith("gansr/") or any(place.startswith("gansr/") for place in behind)
        found.append((own, f"{kind} in {first}"))
    return found


def attack(count: int, seed: int) -> tuple[Counter[Any], list[tuple[Ask, int, str]], Counter[Any]]:
    """(replies by status, our exceptions with their requests, Gradio's exceptions and 5xx by route, kind, place)."""
    statuses: Counter[Any] = Counter()
    ours: list[tuple[Ask, int, str]] = []
    others: Counter[Any] = Counter()
    with (
        tempfile.NamedTemporaryFile("w+", suffix=".log") as log,
        served("app.py", errors=log, GANSR_COMPILE="0") as url,
    ):
        port = int(url.rpartition(":")[2])
        requests = Requests(paths_of(app_with([])), _config(port), _uploaded(port), random.Random(seed))
        for _ in range(count):
            ask, start = requests.odd(), Path(log.name).stat().st_size
            status, _body = send(port, ask)
            statuses[status] += 1
            if status == 200 and ask.waits:
                wait_for_queue(port, ask.waits)
            raised = exceptions(_logged(Path(log.name), start, expected=status >= 500))
            ours += [(ask, status, text) for own, text in raised if own]
            kind = ask.kind.partition(": ")[2] or ask.kind
            gradios = {text for own, text in raised if not own}
            if gradios or (status >= 500 and not raised):
                others[ask.route, kind, status, max(gradios, default="")] += 1
        assert _config(port)["dependencies"], "the page no longer answers"
    return statuses, ours, others


def _logged(log: Path, start: int, expected: bool) -> str:
    """What the server has logged since `start`; an exception is logged a moment after its reply."""
    for _ in range(50 if expected else 1):
        text = log.read_bytes()[start:].decode(errors="replace")
        if text or not expected:
            return text
        time.sleep(0.01)
    return ""


def _config(port: int) -> dict[str, Any]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request("GET", "/config")
        with connection.getresponse() as reply:
            return json.loads(reply.read())


def _uploaded(port: int) -> dict[str, Any]:
    head = b'--b\r\nContent-Disposition: form-data; name="files"; filename="face.png"\r\n\r\n'
    form = head + PICTURE.read_bytes() + b"\r\n--b--\r\n"
    ask = Ask("", "", "POST", f"{API}/upload", {"Content-Type": "multipart/form-data; boundary=b"}, form)
    (path,) = json.loads(send(port, ask)[1])
    return {"path": path, "orig_name": "face.png", "meta": {"_type": "gradio.FileData"}}


def main(arguments: list[str] | None = None) -> int:
    """The attack from the command line; 1 where our own code raised."""
    parser = argparse.ArgumentParser(description="Odd requests to every route of the page.")
    parser.add_argument("--count", type=int, default=8000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    statuses, ours, others = attack(options.count, options.seed)
    print("status  replies")
    for status, number in sorted(statuses.items()):
        print(f"{status or 'broken':>6}  {number}")
    print(f"\nexceptions of our code: {len(ours)}")
    for ask, status, text in ours:
        print(f"  {ask.method} {ask.route} ({ask.kind}) {status}: {text}\n    {ask.body[:300]!r}")
    print(f"\nGradio's own: {sum(others.values())} (number, route, kind, status, place)")
    for (route, kind, status, place), number in sorted(
        others.items(), key=lambda item: (-item[1], str(item[0]))
    ):
        print(f"{number:6}  {route}  {kind}  {status}  {place}")
    return 1 if ours else 0


if __name__ == "__main__":
    sys.exit(main())
