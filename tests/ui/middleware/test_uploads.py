"""Uploads, the disk and what broken uploads leave."""

from __future__ import annotations

import errno

import pytest
from starlette.middleware import Middleware

from gansr.ui.middleware.uploads import LONGEST_QUERY, Uploads
from gansr.ui.temp_files import TempFolder
from tests.support.asgi import app_with, ask

KIND = {"content_type": "multipart/form-data; boundary=b"}
HEAD = b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
END = b"\r\n--b--\r\n"


@pytest.fixture
def free():
    """The free bytes of the disk: change its item."""
    return [10**9]


@pytest.fixture
def app(tmp_path, monkeypatch, free):
    place = TempFolder(tmp_path, reserve_bytes=1000, keep=(), free=lambda: free[0])
    app = app_with([Middleware(Uploads, place=place, limit=5000)])
    monkeypatch.setattr(app, "uploaded_file_dir", str(tmp_path))
    return app


def left(folder) -> list[bytes]:
    return [path.read_bytes() for path in folder.rglob("*") if path.is_file()]


def test_an_upload_is_stored_and_nothing_else_is(app, tmp_path):
    reply = ask(app, "POST", "/gradio_api/upload", [HEAD, b"picture", END], **KIND)
    assert reply.status == 200 and reply.body.endswith(b'a.png"]')
    assert left(tmp_path) == [b"picture"]


@pytest.mark.parametrize("pieces", [1, 2, 5])
def test_a_broken_off_upload_leaves_nothing(app, tmp_path, pieces):
    sent = [HEAD + b"x" * 9, *[b"x" * 100] * 9][:pieces]
    ask(app, "POST", "/gradio_api/upload", sent, cut="yes", **KIND)
    assert left(tmp_path) == []


@pytest.mark.parametrize(
    "body",
    [
        HEAD + b"x" * 50,
        HEAD.replace(b'"files"', b'"other"') + b"x" + END,
        HEAD + b"x\r\n" + HEAD.replace(b"a.png", b"n" * 400) + b"x" + END,
    ],
    ids=["no end", "another name", "a name that is too long"],
)
def test_a_form_that_is_not_stored_leaves_no_temporary_file(app, tmp_path, body):
    ask(app, "POST", "/gradio_api/upload", [body], **KIND)
    assert [path for path in tmp_path.iterdir() if path.is_file()] == []


@pytest.mark.parametrize("declared", [{"content_length": "600"}, {}])
def test_an_upload_that_the_disk_has_no_room_for_is_refused_in_words(app, tmp_path, free, declared):
    free[0] = 1500
    reply = ask(app, "POST", "/gradio_api/upload", [HEAD + b"x" * 500 + END], **KIND, **declared)
    assert (reply.status, reply.body) == (507, b"The server's disk is full. Try again in a few minutes.")
    assert left(tmp_path) == []
    free[0] = 10**9
    assert ask(app, "POST", "/gradio_api/upload", [HEAD + b"x" + END], **KIND, **declared).status == 200


def test_a_refused_body_is_dropped_up_to_its_length_so_that_browsers_see_the_answer(app, free):
    free[0] = 0
    reply = ask(app, "POST", "/gradio_api/upload", [b"x" * 100] * 20, content_length="2000", **KIND)
    assert (reply.status, reply.read) == (507, 20)
    assert ask(app, "POST", "/gradio_api/upload", [b"x" * 100] * 99, content_length="500", **KIND).read == 5


def test_other_requests_work_on_a_full_disk(app, free):
    free[0] = 0
    assert ask(app, "GET", "/config").status == 200


def test_a_disk_that_fills_up_during_an_upload_is_said_in_words(tmp_path, free):
    async def full(scope, receive, send):
        await receive()
        raise OSError(errno.ENOSPC, "No space left on device")

    layer = Uploads(full, TempFolder(tmp_path, reserve_bytes=0, keep=(), free=lambda: free[0]))
    reply = ask(layer, "POST", "/gradio_api/upload", [b"x"], **KIND)
    assert (reply.status, reply.body[:29]) == (507, b"The server's disk is full. Tr")


def test_uploads_bring_the_next_sweep_forward(app, tmp_path, monkeypatch, free):
    monkeypatch.setattr("gansr.ui.temp_files.PRESSURE", 1500)
    place = TempFolder(tmp_path, keep=(), free=lambda: 10**9)
    pressed = app_with([Middleware(Uploads, place=place)])
    monkeypatch.setattr(pressed, "uploaded_file_dir", str(tmp_path))
    ask(pressed, "POST", "/gradio_api/upload", [HEAD + b"x" * 1000 + END], **KIND)
    assert not place.pressed.is_set()
    ask(pressed, "POST", "/gradio_api/upload", [HEAD + b"y" * 1000 + END], **KIND)
    assert place.pressed.is_set()


def test_an_upload_with_a_long_name_is_refused(app, tmp_path):
    path = "/gradio_api/upload?upload_id=" + "n" * LONGEST_QUERY
    reply = ask(app, "POST", path, [HEAD, b"picture", END], **KIND)
    assert reply.status == 414 and left(tmp_path) == []
