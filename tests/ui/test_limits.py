"""Limits on requests, on a real Gradio app in this process."""

from __future__ import annotations

import asyncio
from pathlib import Path

import gradio as gr
import pytest
from fastapi import FastAPI
from gradio.routes import App

from gansr.ui.limits import RequestLimits, middleware

UPLOAD, BODY = 5000, 2000


@pytest.fixture(scope="module")
def app():
    """A page with one function, with small limits."""

    async def build():  # in a running loop, or Gradio makes loops of its own and leaves them open
        with gr.Blocks(analytics_enabled=False) as page:
            box = gr.Textbox()
            box.submit(lambda text: text.upper(), box, gr.Textbox(), api_name="upper")
        whole = gr.mount_gradio_app(FastAPI(), page, "", app_kwargs={"middleware": middleware(UPLOAD, BODY)})
        return next(app for route in whole.routes if isinstance(app := getattr(route, "app", None), App))

    return asyncio.run(build())


def ask(app, method: str, path: str, pieces: list[bytes] = (), **headers: str) -> tuple[int, bytes, int]:  # type: ignore[assignment]
    """(status, body, pieces of the request that were read) of one request, sent as plain ASGI messages."""
    pieces = pieces or [b""]
    sent: list[dict] = []
    read = 0

    async def receive() -> dict:
        nonlocal read
        if read == len(pieces):
            return {"type": "http.disconnect"}
        read += 1
        return {"type": "http.request", "body": pieces[read - 1], "more_body": read < len(pieces)}

    async def send(message: dict) -> None:
        sent.append(message)

    named = [
        (b"host", b"testserver"),
        *((k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()),
    ]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": named,
        "client": ("testclient", 1),
        "server": ("testserver", 80),
    }
    asyncio.run(app(scope, receive, send))
    starts = [message["status"] for message in sent if message["type"] == "http.response.start"]
    assert len(starts) == 1, sent
    return starts[0], b"".join(m.get("body", b"") for m in sent if m["type"] == "http.response.body"), read


def form(size: int) -> bytes:
    head = b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
    return head + b"x" * size + b"\r\n--b--\r\n"


@pytest.mark.parametrize(
    "path", ["/monitoring", "/monitoring/summary", "/monitoring/key", "/pwa_icon", "/pwa_icon/9"]
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_closed_routes_are_not_found(app, path, method):
    assert ask(app, method, path)[0] == 404


@pytest.mark.parametrize(
    "path", ["/gradio_api/process_recording", "/gradio_api/process_recording/", "//monitoring"]
)
def test_closed_routes_are_not_found_by_their_other_names(app, path):
    assert ask(app, "POST", path)[:2] == (404, b"Not found.")


def test_the_closed_routes_are_gradios_own():
    """A new version of Gradio that renames them must not open them."""
    from gradio import routes

    source = Path(routes.__file__).read_text()
    for route in (
        '"/monitoring"',
        '"/monitoring/summary"',
        '"/monitoring/{key}"',
        '"/process_recording"',
        '"/pwa_icon"',
    ):
        assert route in source, route


@pytest.mark.parametrize("path", ["/", "/config", "/gradio_api/info", "/theme.css", "/manifest.json"])
def test_the_page_itself_is_served(app, path):
    assert ask(app, "GET", path)[0] == 200


def test_files_named_like_a_closed_route_are_not_closed():
    async def fine(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"fine"})

    for path in ("/gradio_api/file=/tmp/gradio/monitoring/a.png", "/monitoring.png", "/static/pwa_icon"):
        assert ask(RequestLimits(fine), "GET", path)[0] == 200


def test_declared_length_over_the_limit_is_refused_unread(app):
    status, text, read = ask(app, "POST", "/gradio_api/queue/join", [b"x"], content_length=str(BODY + 1))
    assert status == 413 and text.startswith(b"Too large: at most") and read == 0


@pytest.mark.parametrize("length", ["9" * 30, "-1", "1e3", "abc", ""])
def test_lengths_that_are_no_numbers_are_refused(app, length):
    assert ask(app, "POST", "/gradio_api/queue/join", [b"x"], content_length=length)[0] == 413


@pytest.mark.parametrize(
    "path", ["/gradio_api/queue/join", "/gradio_api/call/upper", "/gradio_api/run/upper"]
)
@pytest.mark.parametrize("declared", [{}, {"content_length": "10"}])
def test_counted_bytes_over_the_limit_are_refused_and_the_rest_is_not_read(app, path, declared):
    pieces = [b'{"data": ["', *[b"x" * 500] * 100]
    status, text, read = ask(app, "POST", path, pieces, content_type="application/json", **declared)
    assert status == 413 and text.startswith(b"Too large") and read == 5


def test_upload_has_a_limit_of_its_own(app, tmp_path, monkeypatch):
    monkeypatch.setattr(app, "uploaded_file_dir", str(tmp_path))
    kind = {"content_type": "multipart/form-data; boundary=b"}
    status, answer, _ = ask(app, "POST", "/gradio_api/upload", [form(4000)], **kind)
    assert status == 200 and answer.endswith(b'a.png"]')
    assert (
        ask(app, "POST", "/gradio_api/upload", [form(4000)[i : i + 99] for i in range(0, 4000, 99)], **kind)[
            0
        ]
        != 413
    )
    pieces = [form(90_000)[i : i + 1000] for i in range(0, 90_000, 1000)]
    assert ask(app, "POST", "/gradio_api/upload", pieces, **kind)[::2] == (413, 6)


def test_after_a_refusal_the_next_request_works(app):
    assert ask(app, "POST", "/gradio_api/run/upper", [b"x" * 9000])[0] == 413
    body = b'{"data": ["now"]}'
    status, answer, _ = ask(app, "POST", "/gradio_api/run/upper", [body], content_type="application/json")
    assert status == 200 and b'"NOW"' in answer


def test_body_just_at_the_limit_passes(app):
    body = b'{"data": ["' + b"x" * (BODY - 14) + b'"]}'
    assert len(body) == BODY
    kind = {"content_type": "application/json", "content_length": str(BODY)}
    assert ask(app, "POST", "/gradio_api/run/upper", [body], **kind)[0] == 200


def test_a_started_answer_is_not_answered_twice():
    async def early(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while (await receive())["type"] != "http.disconnect":
            pass
        raise RuntimeError("the client left")

    assert ask(RequestLimits(early, 10, 10), "POST", "/x", [b"x" * 9, b"x" * 9])[0] == 200


def test_errors_of_the_app_are_not_hidden():
    async def broken(scope, receive, send):
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        ask(RequestLimits(broken), "GET", "/x")


def test_what_is_neither_request_nor_socket_passes_through():
    seen = []

    async def app(scope, receive, send):
        seen.append(scope["type"])

    asyncio.run(RequestLimits(app)({"type": "lifespan"}, None, None))  # type: ignore[arg-type]
    assert seen == ["lifespan"]
