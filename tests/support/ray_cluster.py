"""A cluster of this machine for tests and measurements: `cluster up --no-page`, and a page's backend beside it."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from gansr import papers
from gansr.backends.ray.backend import Ray
from gansr.engine import Engine
from gansr.job import Job
from gansr.method import Frame
from gansr.options import parse_options

ROOT = Path(__file__).resolve().parents[2]
START = 600.0  # seconds until the workers are there, on a busy machine
# method → settings that keep a run short
SMALL: dict[str, dict[str, Any]] = {
    "srgan": {},
    "glean": {},
    "pulse": {"steps": 3},
    "kernelgan": {"iterations": 20, "zssr_iterations": 4, "crop": 32},
    "mganprior": {"iterations": 3, "codes": 2},
}


def free_port() -> int:
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        return tried.getsockname()[1]


def job_of(name: str, *, seed: int = 0, owner: str = "", side: int = 48, **settings: Any) -> Job:
    """A job with one thread, as a worker of one thread computes it."""
    method = papers.by_name(name)
    options = parse_options(method.options, {**SMALL[name], **settings})
    size = method.accepts.side(options) if method.accepts.side else side
    low = torch.rand(3, size, size, generator=torch.Generator().manual_seed(seed))
    return Job(method, low, options, seed=seed, threads=1, owner=owner)


@dataclass
class Cluster:
    """`cluster up`, and a backend that is connected to it."""

    folder: Path
    settings: str  # the text of cluster.yaml
    process: subprocess.Popen[bytes] | None = None
    backend: Ray = field(init=False)
    port: int = field(default_factory=free_port)
    metrics_port: int = field(default_factory=free_port)
    log: Path = field(init=False)

    def start(self, *words: str, page: bool = False) -> None:
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)  # for the driver of the backend too
        os.environ["RAY_AUTH_MODE"] = "token"
        file = self.folder / "cluster.yaml"
        file.write_text(self.settings)
        self.log = self.folder / "cluster.log"
        command = [sys.executable, "-m", "gansr.backends.ray.command", "up", "--config", str(file)]
        command += ["--port", str(self.port), "--metrics-port", str(self.metrics_port), *words]
        command += [] if page else ["--no-page"]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**os.environ, "GANSR_COMPILE": "0"},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.backend = Ray(Engine("cpu"), f"127.0.0.1:{self.port}")
        self.backend.start()

    def wait(self, seconds: float = START) -> None:
        """Until every paper can run."""
        methods = [method.name for method in papers.METHODS]
        self.until(lambda: not any(map(self.backend.unavailable, methods)), seconds)

    def until(self, true: Callable[[], Any], seconds: float = 180.0) -> float:
        """Wait → the seconds that it took. After `seconds` it counts as hanging: not a measurement."""
        began = time.monotonic()
        while not true():
            assert self.process is not None
            waited = time.monotonic() - began
            if self.process.poll() is not None or waited > seconds:
                state = self.backend._link.state()
                raise AssertionError(f"not after {waited:.0f} s: {state} {self.log.read_text()[-3000:]}")
            time.sleep(0.05)
        return time.monotonic() - began

    def pool(self, name: str = "searches") -> dict[str, Any]:
        """What the cluster says of a pool now."""
        self.backend._link._state = (0.0, None)
        state = self.backend._link.state()
        return state["pools"][name] if state else {"workers": 0, "running": -1, "waiting": -1}

    def is_idle(self, name: str = "searches") -> bool:
        """Whether no job computes or waits in a pool."""
        pool = self.pool(name)
        return pool["running"] == 0 and pool["waiting"] == 0

    def workers(self, kind: str = "Searches") -> list[int]:
        """The process ids of the workers of a deployment."""
        return self.processes("ray::", f":{kind}")

    def processes(self, *words: str) -> list[int]:
        """The ids of this cluster's processes that have all of `words` in their command line."""
        found: list[int] = []
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                title = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                environment = (folder / "environ").read_text(errors="replace")
                if all(word in title for word in words) and os.environ["RAY_AUTH_TOKEN"] in environment:
                    found.append(int(folder.name))
        return found

    def metrics(self) -> str:
        """The Prometheus text of this node."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=10) as reply:
            return reply.read().decode()

    def stop(self) -> float:
        """SIGTERM → the seconds until all has ended."""
        assert self.process is not None
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        self.backend.close()
        return time.monotonic() - began


@contextlib.contextmanager
def cluster(folder: Path, settings: str, *words: str) -> Iterator[Cluster]:
    """A cluster whose workers are ready."""
    made = Cluster(folder, settings)
    made.start(*words)
    try:
        made.wait()
        yield made
    finally:
        made.stop() if made.process and made.process.poll() is None else made.backend.close()


def last_of(backend: Any, job: Job) -> Frame:
    *_, last = backend.frames(job)
    return last
