"""Headers of every reply."""

from __future__ import annotations

import base64
import hashlib

import pytest

from gansr.ui.middleware.headers import Headers, headers
from tests.support.asgi import app_with, ask, fine


@pytest.fixture(scope="module")
def app():
    return app_with()


@pytest.fixture
def picture(app, tmp_path, monkeypatch):
    """The path of a file of the page's, of 100 bytes."""
    path = tmp_path / "a.png"
    path.write_bytes(bytes(range(100)))
    monkeypatch.setattr(app, "uploaded_file_dir", str(tmp_path))
    return f"/gradio_api/file={path}"


@pytest.mark.parametrize(
    "path", ["/", "/config", "/nowhere", "/gradio_api/info", "/theme.css", "/assets/none.js"]
)
def test_every_reply_says_what_a_browser_may_do_with_it(app, path):
    given = ask(app, "GET", path).headers
    assert given["x-content-type-options"] == "nosniff"
    assert given["referrer-policy"] == "same-origin"
    policy = given["content-security-policy"]
    assert "frame-ancestors 'self' https://huggingface.co https://*.hf.space" in policy
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe-inline" not in policy.partition("script-src")[2].partition(";")[0]


def test_the_page_may_run_its_own_inline_scripts_only(app):
    reply = ask(app, "GET", "/")
    policy = reply.headers["content-security-policy"]
    scripts = [
        part.partition(b">")[2].partition(b"</script>")[0] for part in reply.body.split(b"<script")[1:]
    ]
    inline = [script for script in scripts if script]
    assert len(inline) >= 4
    for script in inline:
        assert base64.b64encode(hashlib.sha256(script).digest()).decode() in policy
    assert policy.count("'sha256-") == len(inline)
    assert "'sha256-" not in ask(app, "GET", "/config").headers["content-security-policy"]


def test_pictures_are_not_kept_in_caches_and_assets_are(app, picture):
    assert ask(app, "GET", picture).headers["cache-control"] == "private, no-store"
    assert ask(app, "GET", picture, range="bytes=0-5").headers["cache-control"] == "private, no-store"
    assert "cache-control" not in ask(app, "GET", "/theme.css").headers
    assert "cache-control" not in ask(app, "GET", "/static/img/logo.svg").headers


def test_an_answer_to_a_range_holds_no_header_of_the_request(app, picture):
    odd = {
        "x_evil": "1",
        "set_cookie": "a=b",
        "location": "/x",
        "content_type": "text/html",
        "etag": "e",
        "accept": "x",
    }
    reply = ask(app, "GET", picture, [], range="bytes=2-5", cookie="secret=1", **odd)
    assert (reply.status, reply.body) == (206, bytes(range(2, 6)))
    assert reply.headers["content-type"] == "image/png"
    assert reply.headers["content-range"] == "bytes 2-5/100"
    echoed = {"x-evil", "set-cookie", "location", "etag", "accept", "cookie", "range", "host"}
    assert not echoed & set(reply.headers)
    assert list(
        dict(headers("/", 206, [(b"Content-Type", b"a"), (b"content-type", b"b")]))[b"content-type"]
    ) == [98]


@pytest.mark.parametrize(
    "value", ["bytes=1-2-3", "bytes=\u00b2-\u00b3", "bytes=0-1,5-6", "lines=1", "bytes=" + "9" * 5000 + "-1"]
)
def test_an_odd_range_is_ignored(app, picture, value):
    reply = ask(app, "GET", picture, range=value)
    assert (reply.status, len(reply.body)) == (200, 100)


def test_an_exception_is_a_reply_with_the_same_headers():
    async def broken(scope, receive, send):
        raise RuntimeError("secret")

    reply = ask(Headers(broken), "GET", "/x")
    assert reply.status == 500 and b"secret" not in reply.body
    assert reply.headers["x-content-type-options"] == "nosniff"


def test_a_page_that_comes_in_pieces_stays_whole():
    async def pieces(scope, receive, send):
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]}
        )
        await send({"type": "http.response.body", "body": b"<script>a", "more_body": True})
        await send({"type": "http.response.body", "body": b"()</script>"})

    reply = ask(Headers(pieces), "GET", "/")
    assert reply.body == b"<script>a()</script>"
    assert reply.headers["content-security-policy"].count("sha256-") == 1
    assert ask(Headers(fine), "GET", "/").body == b"fine"
