"""The length of a session's name."""

from __future__ import annotations

import pytest

from gansr.ui import sessions
from tests.support.asgi import app_with, ask


@pytest.mark.parametrize(
    "path", ["/gradio_api/queue/join", "/gradio_api/run/predict", "/gradio_api/call/predict"]
)
def test_a_session_with_a_long_name_is_refused(path):
    sessions.limit_names()
    app = app_with([])
    for length, refused in ((sessions.LONGEST_NAME, False), (sessions.LONGEST_NAME + 1, True)):
        body = f'{{"data": [], "fn_index": 0, "session_hash": "{"s" * length}"}}'.encode()
        reply = ask(app, "POST", path, [body], content_type="application/json")
        assert (reply.status == 422) == refused
    assert not [name for name in app.state_holder.session_data if len(name) > sessions.LONGEST_NAME]
