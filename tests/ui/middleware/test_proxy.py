"""Forwarded headers count behind a trusted proxy only."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from gansr.ui.middleware.proxy import Proxy, switch_off_uvicorns, trusted_networks
from tests.support.asgi import app_with, ask

FORWARDED = {
    "x_forwarded_host": "evil.example",
    "x_forwarded_proto": "https",
    "x_forwarded_for": "1.1.1.1",
    "x_real_ip": "1.1.1.1",
    "forwarded": "for=1.1.1.1",
    "x_gradio_server": "http://evil.example",
}


def seen(
    environment: dict[str, str], client: str, forwarded: str = "9.9.9.9, 8.8.8.8"
) -> tuple[str, list[str]]:
    """(the visitor's address, names of the headers) that the app sees."""
    scopes = []

    async def app(scope, receive, send):
        scopes.append(scope)

    headers = [
        (k.replace("_", "-").encode(), v.encode()) for k, v in FORWARDED.items() if k != "x_forwarded_for"
    ]
    headers += [(b"X-Forwarded-For", forwarded.encode()), (b"host", b"a")]
    scope = {"type": "http", "client": (client, 5), "headers": headers}
    asyncio.run(Proxy(app, trusted_networks(environment))(scope, None, None))  # type: ignore[arg-type]
    return scopes[0]["client"][0], sorted(name.decode().lower() for name, _ in scopes[0]["headers"])


@pytest.mark.parametrize("client", ["127.0.0.1", "10.0.0.1", "8.8.4.4", "testclient"])
def test_without_a_trusted_proxy_forwarded_headers_are_dropped(client):
    assert seen({}, client) == (client, ["host"])


def test_behind_a_trusted_proxy_the_visitor_is_the_last_forwarded_address():
    environment = {"GANSR_TRUSTED_PROXY": "192.0.2.7, 198.51.100.0/24"}
    address, names = seen(environment, "192.0.2.7")
    assert address == "8.8.8.8"
    assert {"x-forwarded-host", "x-forwarded-proto", "x-forwarded-for"} <= set(names)
    assert "x-gradio-server" not in names
    assert seen(environment, "198.51.100.9", "9.9.9.9, 8.8.8.8, 192.0.2.7")[0] == "8.8.8.8"
    assert seen(environment, "192.0.2.8") == ("192.0.2.8", ["host"])


def test_on_a_space_the_platforms_private_addresses_are_trusted():
    assert seen({"SPACE_ID": "a/b"}, "10.20.1.2", "1.1.1.1, 8.8.8.8, 10.1.1.1")[0] == "8.8.8.8"
    assert seen({"SPACE_ID": "a/b"}, "8.8.4.4")[0] == "8.8.4.4"


@pytest.mark.parametrize("forwarded", ["", "unknown", "<script>", "1.1.1.1.1", ","])
def test_what_is_no_address_is_no_visitor(forwarded):
    assert seen({"GANSR_TRUSTED_PROXY": "10.0.0.0/8"}, "10.0.0.1", forwarded)[0] == "10.0.0.1"


def test_a_variable_that_lists_no_addresses_is_an_error():
    with pytest.raises(ValueError, match="proxy"):
        trusted_networks({"GANSR_TRUSTED_PROXY": "proxy"})


def test_the_page_has_its_own_address_whatever_a_visitor_forwards():
    reply = ask(app_with(), "GET", "/config", [], **FORWARDED)
    assert json.loads(reply.body)["root"] == "http://testserver"


def test_uvicorn_believes_no_forwarded_address(monkeypatch):
    from gradio import http_server

    monkeypatch.delenv("FORWARDED_ALLOW_IPS", raising=False)
    switch_off_uvicorns()
    scopes = []

    async def app(scope, receive, send):
        scopes.append(scope)

    config: Any = vars(http_server)["uvicorn"].Config(app, interface="asgi3", log_config=None)
    config.load()
    scope: Any = {"type": "http", "client": ("127.0.0.1", 5), "headers": [(b"x-forwarded-for", b"1.1.1.1")]}
    loaded: Any = config.loaded_app
    asyncio.run(loaded(scope, None, None))
    assert scopes[0]["client"] == ("127.0.0.1", 5)
