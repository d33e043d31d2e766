"""One server start and one page visit for every browser test."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).resolve().parents[2]
HANGS = 180_000  # ms after which a page counts as hanging: not a measurement


@contextmanager
def served(script: str, errors: IO[str] | None = None, **settings: str) -> Generator[str, None, None]:
    """The URL of a page that `script` serves in its own process, on a free port. `errors` gets what it logs."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    env = os.environ | {"GRADIO_SERVER_PORT": str(port), "PYTHONUNBUFFERED": "1"} | settings
    command = [sys.executable, script]
    with subprocess.Popen(
        command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=errors, text=True
    ) as server:
        assert server.stdout is not None
        lines: list[str] = []
        for line in server.stdout:
            lines.append(line)
            if "Running on" in line:
                break
        assert server.poll() is None, "the page did not start:\n" + "".join(lines)
        drain = threading.Thread(target=server.stdout.read, daemon=True)
        drain.start()
        yield f"http://127.0.0.1:{port}"
        server.terminate()
        server.wait(30)
        drain.join(30)


@contextmanager
def visits(
    chromium: Any, url: str, expected: tuple[str, ...] = ()
) -> Generator[Callable[..., Any], None, None]:
    """open_page(query="", width=1280, dark=False, touch=False, locale="en-US") → the page at `url`, loaded.

    At the end: no console error but those with a text of `expected`, no failed response, no request outside.
    """
    contexts: list[Any] = []
    errors: list[str] = []
    outside: list[str] = []

    def open_page(
        query: str = "", width: int = 1280, dark: bool = False, touch: bool = False, locale: str = "en-US"
    ) -> Any:
        context = chromium.new_context(
            viewport={"width": width, "height": 900}, has_touch=touch, accept_downloads=True, locale=locale
        )
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(HANGS)
        leaving = _leaving(page)
        page.on(
            "console", lambda m: errors.append(m.text) if m.type == "error" and not leaving(m.text) else None
        )
        page.on("pageerror", lambda e: None if leaving(str(e)) else errors.append(str(e)))
        page.on("response", lambda r: errors.append(f"{r.status} {r.url}") if r.status >= 400 else None)
        page.on("request", lambda r: outside.append(r.url) if _foreign(r.url, url) else None)
        page.goto(f"{url}/?{query}&__theme={'dark' if dark else 'light'}")
        return page

    yield open_page
    for context in contexts:
        context.close()
    unexpected = [error for error in errors if not any(text in error for text in expected)]
    assert unexpected == [], unexpected
    assert outside == [], outside


def _leaving(page: Any) -> Callable[[str], bool]:
    """Whether an error is of a page that is being left while it waits for an answer, which Gradio's client says."""
    left: list[str] = []
    page.add_init_script("addEventListener('beforeunload', () => console.debug('leaving'))")
    page.on("console", lambda m: left.append(m.text) if m.text == "leaving" else None)
    page.on("domcontentloaded", lambda: left.clear())
    said = ("AbortError", "Connection errored out")
    return lambda text: bool(left) and any(each in text for each in said)


def _foreign(address: str, ours: str) -> bool:
    return not address.startswith((ours, "data:", "blob:", "about:"))
