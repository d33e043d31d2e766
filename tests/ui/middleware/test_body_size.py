"""Limits on bodies, on a real Gradio app in this process."""

from __future__ import annotations

import asyncio

import pytest
from starlette.middleware import Middleware

from gansr.ui.middleware.body_size import BodySize
from tests.support.asgi import app_with, ask

UPLOAD, BODY = 5000, 2000
JSON = {"content_type": "application/json"}
FORM = {"content_type": "multipart/form-data; boundary=b"}


@pytest.fixture(scope="module")
def app():
    return app_with([Middleware(BodySize, upload_limit=UPLOAD, body_limit=BODY)])


def form(size: int) -> bytes:
    head = b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
    return head + b"x" * size + b"\r\n--b--\r\n"


def test_declared_length_over_the_limit_is_refused_unread(app):
    reply = ask(app, "POST", "/gradio_api/queue/join", [b"x"], content_length=str(BODY + 1))
    assert reply.status == 413 and reply.body.startswith(b"Too large: at most") and reply.read == 0


@pytest.mark.parametrize("length", ["9" * 30, "-1", "1e3", "abc", ""])
def test_lengths_that_are_no_numbers_are_refused(app, length):
    assert ask(app, "POST", "/gradio_api/queue/join", [b"x"], content_length=length).status == 413


@pytest.mark.parametrize(
    "path", ["/gradio_api/queue/join", "/gradio_api/call/upper", "/gradio_api/run/upper"]
)
@pytest.mark.parametrize("declared", [{}, {"content_length": "10"}])
def test_counted_bytes_over_the_limit_are_refused_and_the_rest_is_not_read(app, path, declared):
    pieces = [b'{"data": ["', *[b"x" * 500] * 100]
    reply = ask(app, "POST", path, pieces, **JSON, **declared)
    assert reply.status == 413 and reply.body.startswith(b"Too large") and reply.read == 5


def test_upload_has_a_limit_of_its_own(app, tmp_path, monkeypatch):
    monkeypatch.setattr(app, "uploaded_file_dir", str(tmp_path))
    reply = ask(app, "POST", "/gradio_api/upload", [form(4000)], **FORM)
    assert reply.status == 200 and reply.body.endswith(b'a.png"]')
    pieces = [form(4000)[i : i + 99] for i in range(0, 4000, 99)]
    assert ask(app, "POST", "/gradio_api/upload", pieces, **FORM).status != 413
    pieces = [form(90_000)[i : i + 1000] for i in range(0, 90_000, 1000)]
    refused = ask(app, "POST", "/gradio_api/upload", pieces, **FORM)
    assert (refused.status, refused.read) == (413, 6)


def test_after_a_refusal_the_next_request_works(app):
    assert ask(app, "POST", "/gradio_api/run/lower", [b"x" * 9000]).status == 413
    reply = ask(app, "POST", "/gradio_api/run/lower", [b'{"data": ["NOW"]}'], **JSON)
    assert reply.status == 200 and b'"now"' in reply.body


def test_body_just_at_the_limit_passes(app):
    body = b'{"data": ["' + b"x" * (BODY - 14) + b'"]}'
    assert len(body) == BODY
    reply = ask(app, "POST", "/gradio_api/run/lower", [body], content_length=str(BODY), **JSON)
    assert reply.status == 200


def test_a_started_answer_is_not_answered_twice():
    async def early(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while (await receive())["type"] != "http.disconnect":
            pass
        raise RuntimeError("the client left")

    assert ask(BodySize(early, 10, 10), "POST", "/x", [b"x" * 9, b"x" * 9]).status == 200


def test_errors_of_the_app_are_not_hidden():
    async def broken(scope, receive, send):
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        ask(BodySize(broken), "GET", "/x")


def test_what_is_no_request_passes_through():
    seen = []

    async def app(scope, receive, send):
        seen.append(scope["type"])

    asyncio.run(BodySize(app)({"type": "lifespan"}, None, None))  # type: ignore[arg-type]
    assert seen == ["lifespan"]
