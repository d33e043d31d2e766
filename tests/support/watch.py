"""A page in its own process, and what that process holds: memory, threads, open files, temporary files."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Held:
    """What a process holds. Bytes; files: the bytes of its temporary folder."""

    memory: int
    threads: int
    descriptors: int
    files: int


@dataclass(frozen=True)
class Server:
    """A page that runs."""

    process: subprocess.Popen[bytes]
    url: str
    folder: Path  # its temporary files
    log: Path

    def held(self) -> Held:
        """What it holds now (Linux)."""
        proc = Path(f"/proc/{self.process.pid}")
        rows = dict(row.split(":", 1) for row in (proc / "status").read_text().splitlines() if ":" in row)
        files = 0
        for path in self.folder.rglob("*"):
            try:
                files += path.stat().st_size if path.is_file() else 0
            except OSError:  # removed meanwhile
                continue
        descriptors = sum(1 for _ in (proc / "fd").iterdir())
        return Held(int(rows["VmRSS"].split()[0]) * 1024, int(rows["Threads"]), descriptors, files)


@contextmanager
def server(folder: Path, script: str = "app.py", **settings: str) -> Iterator[Server]:
    """The page, with its temporary files and its log under `folder`. It is asked to end, and killed after a minute."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    temporary, log, url = folder / "gradio", folder / "server.log", f"http://127.0.0.1:{port}"
    temporary.mkdir(parents=True, exist_ok=True)
    own = {"GRADIO_SERVER_PORT": str(port), "GRADIO_TEMP_DIR": str(temporary), "PYTHONUNBUFFERED": "1"}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, script], cwd=ROOT, env=os.environ | own | settings, stdout=output, stderr=output
        )
        try:
            _wait_until_served(process, url, log)
            yield Server(process, url, temporary, log)
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until_served(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    pause = threading.Event()
    while process.poll() is None:
        try:
            httpx.get(url, timeout=5)
            return
        except httpx.TransportError:
            pause.wait(0.2)
    raise RuntimeError("the page did not start:\n" + log.read_text(errors="replace"))


def first_byte(url: str) -> float:
    """Seconds until the first byte of the page's body, on a connection of its own."""
    began = time.perf_counter()
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)
    try:
        connection.request("GET", "/")
        connection.getresponse().read(1)
        return time.perf_counter() - began
    finally:
        connection.close()


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of all values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def child_figures(code: str, *arguments: Path) -> list[float]:
    """The numbers that Python `code` prints in a process of its own. Raises RuntimeError with what it wrote instead."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return [float(figure) for figure in done.stdout.split()]
