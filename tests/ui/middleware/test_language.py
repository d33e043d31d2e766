"""The page in the visitor's language."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any

from gansr.ui.languages import texts
from gansr.ui.middleware.language import Language
from tests.support.asgi import app_with, ask


def test_the_page_of_gradio_gets_the_script_of_its_language():
    app = app_with()
    english = ask(app, "GET", "/").body.decode()
    chinese = ask(app, "GET", "/", accept_language="zh-CN,zh;q=0.9").body.decode()
    asked = ask(app, "GET", "/?lang=zh").body.decode()
    assert asked == chinese != english
    assert 'lang="zh-CN"' in chinese and texts("zh")["Stop"] in chinese
    assert 'lang="en"' in english and texts("zh")["Stop"] not in english


def test_the_policy_of_the_page_allows_the_script():
    reply = ask(app_with(), "GET", "/?lang=zh")
    script = next(
        text
        for text in re.findall(r"<script>(.*?)</script>", reply.body.decode(), re.DOTALL)
        if "inLanguage" in text
    )
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in reply.headers["content-security-policy"]


def test_what_is_no_page_passes():
    async def app(scope: Any, receive: Any, send: Any) -> None:
        status = 200 if scope["path"] == "/config" else 500
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"5")]})
        await send({"type": "http.response.body", "body": b"plain"})

    for path, status in (("/config", 200), ("/", 500)):
        reply = ask(Language(app), "GET", path, accept_language="zh")
        assert (reply.status, reply.body, reply.headers["content-length"]) == (status, b"plain", "5")
