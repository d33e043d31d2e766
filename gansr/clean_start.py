"""The files of a Space, started with what requirements.txt names and nothing else, and asked for one example.

`environment` makes a Python with these packages, `started` runs app.py in it with empty caches and a free port, and
`example` enlarges a picture through the API. `gansr.deploy` does the three before it sends anything.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

PATIENCE = 600.0  # seconds for the page to start
PIP = ("-m", "pip", "install", "-q", "--no-input", "--disable-pip-version-check")
SILENCE = 120.0  # seconds for an answer to begin
ENDING = 30.0  # seconds for it to end; then it is killed
# What this machine has set for this program and its packages. pip's own settings stay: they say where packages are.
NOT_PASSED_ON = ("PYTHON", "VIRTUAL_ENV", "GANSR_", "GRADIO_", "HF_", "HUGGING", "SPACE", "XDG_CACHE_HOME")
PASSED_ON = ("HF_ENDPOINT",)


class StartError(RuntimeError):
    """The environment could not be made, or the page does not start in it. The text says why."""


def environment(folder: Path, requirements: Path) -> Path:
    """A new virtual environment in `folder` with what `requirements` names, from pip's own sources → its Python.

    1.5 GB on Linux with PyTorch's CPU build, about 6 GB with the usual one. Raises StartError with pip's last lines.
    """
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    steps = (
        [sys.executable, "-m", "venv", str(folder)],
        [str(python), *PIP, "-r", str(requirements)],
    )
    for words in steps:
        made = subprocess.run(words, capture_output=True, text=True, check=False, env=_surroundings())
        if made.returncode:
            raise StartError(f"its requirements cannot be installed: {_last(made.stderr or made.stdout)}")
    return python


@contextmanager
def started(
    tree: Path,
    data: Path,
    python: Path,
    before: Sequence[str] = (),
    settings: Mapping[str, str] | None = None,
) -> Generator[str]:
    """The address of the page that `tree`'s app.py serves in its own process, until the block ends.

    All that it writes is under the folder `data`, which is made where it is missing; caches there are used as they are.
    before: a command that runs the command after it. Raises StartError with what it printed last.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    for name in ("tmp", "gradio"):
        (data / name).mkdir(parents=True, exist_ok=True)
    places = {"GANSR_CACHE": "weights", "HF_HOME": "huggingface", "XDG_CACHE_HOME": "cache"}
    places |= {"GRADIO_TEMP_DIR": "gradio", "TMPDIR": "tmp"}
    surroundings = _surroundings() | {name: str(data / folder) for name, folder in places.items()}
    surroundings |= {"GRADIO_SERVER_PORT": str(port), "GRADIO_ANALYTICS_ENABLED": "False"}
    surroundings |= {"PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1", "GANSR_COMPILE": "0"}
    with subprocess.Popen(
        [*before, str(python), "app.py"], cwd=tree, env=surroundings | dict(settings or {}), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as page:  # fmt: skip
        try:
            assert page.stdout is not None
            _wait(page, page.stdout)
            reading = threading.Thread(
                target=page.stdout.read, daemon=True
            )  # a full pipe would stop the page
            reading.start()
            yield f"http://127.0.0.1:{port}"
        finally:
            page.terminate()
            try:
                page.wait(ENDING)
            except subprocess.TimeoutExpired:
                page.kill()


def _wait(page: subprocess.Popen[str], said: IO[str]) -> None:
    """Until the page says where it runs."""
    watch = threading.Timer(PATIENCE, page.kill)
    watch.daemon = True
    watch.start()
    lines: list[str] = []
    try:
        for line in said:
            lines.append(line)
            if "Running on" in line:
                return
    finally:
        watch.cancel()
    raise StartError(f"the page did not start: {_last(''.join(lines))}")


def example(host: str, picture: Path, token: str | None = None) -> str:
    """Open the page at `host`, and enlarge `picture` with SRGAN through the API → the file name of the result.

    token: of the Hub, for a private Space. Raises what the network and the client raise.
    """
    request = urllib.request.Request(host, headers={"Authorization": f"Bearer {token}"} if token else {})
    with urllib.request.urlopen(request, timeout=SILENCE) as page:
        page.read(1)
    from gradio_client import Client, handle_file

    waits = {"timeout": SILENCE}  # its own 5 s are short for a page that is busy
    client = Client(host, token=token, verbose=False, analytics_enabled=False, httpx_kwargs=waits)
    path, _ = client.predict(picture=handle_file(str(picture)), api_name="/srgan")
    made = Path(str(path))
    with suppress(OSError):
        shutil.rmtree(made.parent)
    return made.name


def _surroundings() -> dict[str, str]:
    return {
        name: value
        for name, value in os.environ.items()
        if name in PASSED_ON or not name.startswith(NOT_PASSED_ON)
    }


def _last(text: str) -> str:
    """The last lines of what a program said, in one."""
    return (
        " | ".join([line.strip() for line in text.splitlines() if line.strip()][-4:])[-600:]
        or "it said nothing"
    )
