"""The page from memory."""

from __future__ import annotations

import gzip
from typing import Any

import pytest

from gansr.ui.middleware.headers import Headers
from gansr.ui.middleware.page_cache import KEPT, PageCache
from tests.support.asgi import app_with, ask


class Counted:
    """An app that answers with the request's address, and counts its requests."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.status = 200

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.asked.append(scope)
        body = dict(scope["headers"])[b"host"] + b" " * 2000
        headers = [(b"content-type", b"text/html"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": body[:7], "more_body": True})
        await send({"type": "http.response.body", "body": body[7:]})


@pytest.fixture
def counted():
    return Counted()


@pytest.fixture
def cache(counted):
    return PageCache(counted)


def test_the_page_is_made_once_for_an_address_whatever_the_query(cache, counted):
    pages = [ask(cache, "GET", path, host="a.example") for path in ("/", "/?tab=pulse", "/?deep_link=../x")]
    assert len(counted.asked) == 1 and counted.asked[0]["query_string"] == b"lang=en"
    assert all(page.body.startswith(b"a.example ") and page.status == 200 for page in pages)
    assert ask(cache, "GET", "/", host="b.example").body.startswith(b"b.example ")
    assert ask(cache, "GET", "/", host="a.example", x_forwarded_proto="https").status == 200
    assert len(counted.asked) == 3


def test_the_page_is_made_once_for_each_language(cache, counted):
    for path, accepted in (
        ("/", "zh-CN, en"),
        ("/?tab=pulse&lang=zh", "en"),
        ("/?lang=en", "zh"),
        ("/", "de"),
    ):
        ask(cache, "GET", path, host="a.example", accept_language=accepted)
    assert [scope["query_string"] for scope in counted.asked] == [b"lang=zh", b"lang=en"]


def test_it_is_compressed_where_the_browser_takes_it(cache):
    plain = ask(cache, "GET", "/")
    packed = ask(cache, "GET", "/", accept_encoding="br, gzip;q=0.8")
    assert packed.headers["content-encoding"] == "gzip" and gzip.decompress(packed.body) == plain.body
    assert "content-encoding" not in plain.headers
    assert "content-encoding" not in ask(cache, "GET", "/", accept_encoding="gzip; q=0").headers
    for reply in (plain, packed):
        assert reply.headers["content-length"] == str(len(reply.body))
        assert (reply.headers["vary"], reply.headers["content-type"]) == (
            "Accept-Encoding, Accept-Language",
            "text/html",
        )
    head = ask(cache, "HEAD", "/")
    assert (head.body, head.headers["content-length"]) == (b"", plain.headers["content-length"])


def test_few_pages_are_kept_and_failures_are_not(cache, counted):
    for number in range(KEPT + 5):
        ask(cache, "GET", "/", host=f"{number}.example")
    assert len(cache.pages) == KEPT
    counted.status = 500
    assert ask(cache, "GET", "/", host="new.example").status == 500
    assert len(cache.pages) == KEPT
    counted.status = 200
    assert ask(cache, "GET", "/", host="new.example").status == 200


def test_the_answer_to_an_exception_is_passed_on():
    async def failing(scope: Any, receive: Any, send: Any) -> None:
        raise RuntimeError

    reply = ask(PageCache(Headers(failing)), "GET", "/")
    assert reply.status == 500 and reply.headers["x-content-type-options"] == "nosniff"


def test_all_else_goes_to_the_app(cache, counted):
    for method, path in (("POST", "/"), ("GET", "/config"), ("GET", "/config")):
        ask(cache, method, path)
    assert len(counted.asked) == 3


def test_the_page_of_gradio_is_the_same_from_memory():
    app = app_with()
    first, second = ask(app, "GET", "/"), ask(app, "GET", "/", accept_encoding="gzip")
    assert gzip.decompress(second.body) == first.body and b"window.gradio_config" in first.body
    assert second.headers["content-security-policy"] == first.headers["content-security-policy"]
