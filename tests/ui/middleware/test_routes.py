"""Which of Gradio's routes are served."""

from __future__ import annotations

import asyncio
import json
import re

import pytest

from gansr.ui import page
from gansr.ui.middleware.routes import Routes, is_open
from tests.support.asgi import app_with, ask, fine, paths_of

# Every route of Gradio's app, its parameters replaced by "x". A new version of Gradio may add some: decide about each.
_SERVED = """
/ /assets/x /gradio_api/app_id /gradio_api/app_id/ /config /config/ /favicon.ico
/gradio_api/call/v2/x /gradio_api/call/v2/x/ /gradio_api/call/v2/x/x
/gradio_api/call/x /gradio_api/call/x/ /gradio_api/call/x/x /gradio_api/cancel /gradio_api/file=x
/gradio_api/heartbeat/x /gradio_api/info /gradio_api/info/ /gradio_api/queue/data /gradio_api/queue/join
/gradio_api/reset /gradio_api/reset/ /gradio_api/run/x /gradio_api/run/x/ /gradio_api/startup-events
/gradio_api/theme.css /gradio_api/upload /gradio_api/upload_progress /manifest.json /robots.txt /static/x /theme.css
"""
_CLOSED = """
/gradio_api/api/x /gradio_api/api/x/ /gradio_api/component_server
/gradio_api/component_server/ /gradio_api/custom_component/x/x/x/x /gradio_api/deep_link /gradio_api/dev/reload
/gradio_api/file/x /gradio_api/login_check /gradio_api/login_check/ /gradio_api/openapi.json
/gradio_api/process_recording /gradio_api/proxy=x /gradio_api/queue/status /gradio_api/run-history/buckets
/gradio_api/run-history/connect /gradio_api/run-history/records /gradio_api/run-history/records/x/x/assets/x
/gradio_api/runs /gradio_api/runs/ /gradio_api/stream/x /gradio_api/stream/x/close
/gradio_api/stream/x/x/x/playlist-file /gradio_api/stream/x/x/x/playlist.m3u8 /gradio_api/stream/x/x/x/x.x
/gradio_api/token /gradio_api/token/ /gradio_api/undo-vibe-edit /gradio_api/undo-vibe-edit/ /gradio_api/user
/gradio_api/user/ /gradio_api/vibe-code /gradio_api/vibe-code/ /gradio_api/vibe-edit /gradio_api/vibe-edit/
/gradio_api/vibe-starter-queries /gradio_api/vibe-starter-queries/ /login /login/ /logout /monitoring
/monitoring/summary /monitoring/x /openapi.json /pwa_icon /pwa_icon/x /svelte/x
"""
SERVED, CLOSED = _SERVED.split(), _CLOSED.split()


@pytest.fixture(scope="module")
def app():
    return app_with()


def test_every_route_of_gradio_is_known_and_served_or_closed(app):
    found = {re.sub(r"\{[^}]*\}", "x", path) for path in paths_of(app)}
    assert found == {*SERVED, *CLOSED}


@pytest.mark.parametrize("path", SERVED)
def test_what_the_page_uses_is_served(path):
    assert is_open(path)


def test_mcp_is_at_one_address():
    assert is_open("/gradio_api/mcp") and not is_open("/gradio_api/mcp/schema")


@pytest.mark.parametrize("path", CLOSED)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_rest_is_not_found(app, path, method):
    reply = ask(app, method, path)
    assert (reply.status, reply.body) == (404, b"Not found.")


@pytest.mark.parametrize(
    "path", ["//config", "//monitoring", "/config//", "/gradio_api//upload", "", "/x", "/assets/"]
)
def test_other_spellings_are_not_found(path):
    assert not is_open(path)


def test_files_named_like_a_closed_route_are_served():
    for path in ("/gradio_api/file=/tmp/gradio/monitoring/a.png", "/static/pwa_icon"):
        assert ask(Routes(fine), "GET", path).status == 200


@pytest.mark.parametrize("path", ["/", "/config", "/gradio_api/info", "/theme.css", "/manifest.json"])
def test_the_page_itself_is_served(app, path):
    assert ask(app, "GET", path).status == 200


def test_a_websocket_is_closed():
    sent = []

    async def receive():
        return {"type": "websocket.connect"}

    async def send(message):
        sent.append(message)

    asyncio.run(Routes(fine)({"type": "websocket", "path": "/", "headers": []}, receive, send))
    assert [message["type"] for message in sent] == ["websocket.close"]


def test_what_is_sent_to_an_editor_is_not_kept(app):
    (editor,) = (block for block in app.get_blocks().blocks.values() if hasattr(block, "blob_storage"))
    fields = {
        "component_id": editor._id,
        "session_hash": "s",
        "fn_name": "accept_blobs",
        "type": "layer",
        "id": "a",
    }
    parts = [f'--b\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n' for k, v in fields.items()]
    parts += ['--b\r\nContent-Disposition: form-data; name="index"\r\n\r\n6000\r\n']
    parts += ['--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nx\r\n--b--\r\n']
    kind = "multipart/form-data; boundary=b"
    for path in ("/gradio_api/component_server", "/gradio_api/component_server/"):
        ask(app, "POST", path, ["".join(parts).encode()], content_type=kind)
    assert editor.blob_storage == {}


def test_no_handler_of_the_page_listens_to_an_editor():
    """An editor sends its picture to /component_server, which is closed, where a handler listens to its changes."""

    async def draw():
        return page.build()

    built = asyncio.run(draw())
    editors = {number for number, block in built.blocks.items() if hasattr(block, "blob_storage")}
    listened = {target for function in built.fns.values() for target in function.targets}
    assert editors and not [event for event in listened if event[0] in editors]
    assert built.api_open is False


def test_queued_functions_are_not_called_directly(app):
    body, kind = json.dumps({"data": ["a"]}).encode(), {"content_type": "application/json"}
    assert ask(app, "POST", "/gradio_api/run/upper", [body], **kind).status == 404
    assert ask(app, "POST", "/gradio_api/api/upper", [body], **kind).status == 404
    assert ask(app, "POST", "/gradio_api/run/lower", [body], **kind).status == 200
