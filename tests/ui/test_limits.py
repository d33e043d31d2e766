"""The server's doors, on a real Gradio app in this process, and the janitor with a clock of its own."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path

import gradio as gr
import pytest
from fastapi import FastAPI
from gradio.processing_utils import save_file_to_cache
from gradio.routes import App

from gansr.ui.doors import EXAMPLES, Doors, Swept, copies, middleware, start_janitor, sweep

UPLOAD, BODY = 5000, 2000


@pytest.fixture(scope="module")
def app():
    """A page with one function, behind doors of small limits."""

    async def build():  # in a running loop, or Gradio makes loops of its own and leaves them open
        with gr.Blocks(analytics_enabled=False) as page:
            box = gr.Textbox()
            box.submit(lambda text: text.upper(), box, gr.Textbox(), api_name="upper")
        whole = gr.mount_gradio_app(FastAPI(), page, "", app_kwargs={"middleware": middleware(UPLOAD, BODY)})
        return next(route.app for route in whole.routes if isinstance(getattr(route, "app", None), App))

    return asyncio.run(build())


def ask(app, method: str, path: str, pieces: list[bytes] = (), **headers: str) -> tuple[int, bytes, int]:  # type: ignore[assignment]
    """(status, body, pieces of the request that were read) of one request, spoken in plain ASGI."""
    pieces = pieces or [b""]
    said: list[dict] = []
    read = 0

    async def receive() -> dict:
        nonlocal read
        if read == len(pieces):
            return {"type": "http.disconnect"}
        read += 1
        return {"type": "http.request", "body": pieces[read - 1], "more_body": read < len(pieces)}

    async def send(message: dict) -> None:
        said.append(message)

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
    starts = [message["status"] for message in said if message["type"] == "http.response.start"]
    assert len(starts) == 1, said
    return starts[0], b"".join(m.get("body", b"") for m in said if m["type"] == "http.response.body"), read


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
    assert ask(app, "POST", path)[:2] == (404, b"There is nothing here.")


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
        assert ask(Doors(fine), "GET", path)[0] == 200


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

    assert ask(Doors(early, 10, 10), "POST", "/x", [b"x" * 9, b"x" * 9])[0] == 200


def test_errors_of_the_app_are_not_hidden():
    async def broken(scope, receive, send):
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        ask(Doors(broken), "GET", "/x")


def test_what_is_neither_request_nor_socket_passes_through():
    seen = []

    async def app(scope, receive, send):
        seen.append(scope["type"])

    asyncio.run(Doors(app)({"type": "lifespan"}, None, None))  # type: ignore[arg-type]
    assert seen == ["lifespan"]


# ----------------------------------------------------------------------------------------------- janitor


def lay(folder: Path, name: str, size: int, changed: float) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    os.utime(path, (changed, changed))
    return path


def test_sweep_removes_what_is_old(tmp_path):
    old, young = lay(tmp_path, "a/old.png", 10, 100), lay(tmp_path, "b/young.png", 20, 900)
    assert sweep(tmp_path, 500, 10**9, now=1000) == Swept(1, 10, 20)
    assert not old.exists() and young.exists()


def test_sweep_removes_the_oldest_until_the_rest_is_within_the_quota(tmp_path):
    files = [lay(tmp_path, f"{k}/a.png", 100, 900 + k) for k in range(5)]
    assert sweep(tmp_path, 500, 250, now=1000) == Swept(3, 300, 200)
    assert [path.exists() for path in files] == [False, False, False, True, True]


def test_sweep_keeps_what_it_is_told_to(tmp_path):
    example, other = lay(tmp_path, "e/example.png", 100, 0), lay(tmp_path, "o/other.png", 100, 0)
    assert sweep(tmp_path, 500, 50, now=1000, keep={example}) == Swept(1, 100, 0)
    assert example.exists() and not other.exists()


def test_sweep_follows_no_links(tmp_path):
    outside = lay(tmp_path, "outside/file", 10, 0)
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "folder").symlink_to(outside.parent)
    (inside / "file").symlink_to(outside)
    assert sweep(inside, 1, 0, now=1000) == Swept(0, 0, 0)
    assert outside.exists()


def test_sweep_removes_old_empty_folders_and_no_young_ones(tmp_path):
    old, young = tmp_path / "x" / "old", tmp_path / "young"
    old.mkdir(parents=True)
    young.mkdir()
    os.utime(old, (0, 0))
    os.utime(young, (900, 900))
    sweep(tmp_path, 500, 10**9, now=1000)
    assert not old.exists() and young.exists() and tmp_path.exists()


def test_sweep_of_a_missing_folder_is_quiet(tmp_path):
    assert sweep(tmp_path / "not there", 1, 1, now=0) == Swept(0, 0, 0)


def test_janitor_sweeps_again_and_again_until_stopped(tmp_path):
    class Twice(threading.Event):
        waits: list[float | None] = []  # noqa: RUF012

        def wait(self, timeout=None):
            lay(tmp_path, "late.png", 5, 0)
            self.waits.append(timeout)
            return len(self.waits) == 3

    lay(tmp_path, "early.png", 5, 0)
    stop = Twice()
    thread = start_janitor(tmp_path, 500, 100, every_s=7, clock=lambda: 1000, stop=stop)
    thread.join(30)
    assert not thread.is_alive() and thread.daemon
    assert stop.waits == [7, 7, 7] and [p.name for p in tmp_path.iterdir()] == ["late.png"]


def test_janitor_keeps_gradios_copies_of_the_examples(tmp_path):
    originals = sorted(EXAMPLES.glob("*.png"))
    kept = [Path(save_file_to_cache(path, str(tmp_path))) for path in originals]
    assert kept and set(kept) == copies(originals, tmp_path)
    for path in (*kept, upload := lay(tmp_path, "x/upload.png", 9, 0)):
        os.utime(path, (0, 0))
    stop = threading.Event()
    stop.set()
    start_janitor(tmp_path, 1, 1, clock=lambda: 1000, stop=stop).join(30)
    assert all(path.exists() for path in kept) and not upload.exists()


def test_a_folder_that_cannot_be_swept_does_not_end_the_janitor(tmp_path, monkeypatch):
    path = lay(tmp_path, "a.png", 5, 0)
    monkeypatch.setattr(Path, "unlink", lambda self: (_ for _ in ()).throw(PermissionError()))
    assert sweep(tmp_path, 1, 0, now=1000) == Swept(0, 0, 0)
    assert path.exists()
