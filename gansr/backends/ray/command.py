"""python -m gansr cluster up --replicas N · cluster deploy: workers on this machine, or on a Ray cluster that is there.

`up` starts the cluster's head, puts the applications onto it and starts the page; a head that ends is started again. It
listens on this machine only. Ctrl-C or SIGTERM ends all of it: the page drains first, within 20 s in all.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import logging
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gansr.backends.ray.settings import Settings, SettingsError, read

ROOT = Path(__file__).resolve().parents[3]
HOST, PORT, METRICS_PORT = "127.0.0.1", 6399, 9399
STORE = 1_000_000_000  # bytes of shared memory for frames that are on their way
JOBS_END, HEAD_ENDS = 15.0, 3.0  # seconds for the page and the running slices, then for the head; 20 s in all
AGAIN = 2.0  # seconds between the end of a head and the start of the next
NO_RAY = "the cluster needs Ray: pip install --require-hashes --no-deps -r locks/ray.txt"


def add_parser(commands: Any) -> None:
    """Add the command to the main parser."""
    _add_actions(commands.add_parser("cluster", help="several workers with Ray Serve: docs/cluster.md"))


def _add_actions(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True)
    up = actions.add_parser("up", help="head, workers and page on this machine, until Ctrl-C")
    up.add_argument("--replicas", type=int, metavar="N", help="workers of each kind; default: as in the file")
    up.add_argument("--port", type=int, default=PORT, help=f"of the head ({PORT})")
    up.add_argument(
        "--metrics-port", type=int, default=METRICS_PORT, help=f"of the Prometheus metrics ({METRICS_PORT})"
    )
    up.add_argument("--no-page", action="store_true", help="only head and workers")
    deploy = actions.add_parser("deploy", help="put the workers onto a Ray cluster that is there")
    deploy.add_argument("--address", default="auto", help="of its head (auto: that of this machine)")
    deploy.add_argument("--replicas", type=int, metavar="N", help="workers of each kind")
    deploy.add_argument(
        "--stay", action="store_true", help="stay; SIGTERM lets the running slices end, and takes no new jobs"
    )
    for each in (up, deploy):
        each.add_argument("--config", type=Path, metavar="FILE", help="default: cluster.yaml")
    parser.set_defaults(handler=run)


def run(parsed: argparse.Namespace) -> int:
    """Run the command → its exit status."""
    if importlib.util.find_spec("ray") is None:
        print(f"gansr: {NO_RAY}", file=sys.stderr)
        return 1
    try:
        settings = read(parsed.config)
        if parsed.replicas is not None:
            if parsed.replicas < 1:
                raise SettingsError("--replicas must be at least 1")
            settings = settings.with_workers(parsed.replicas)
        if parsed.action == "deploy":
            return deployed(parsed.address, settings, parsed.stay)
        words = [] if parsed.config is None else ["--config", str(parsed.config)]
        words += [] if parsed.replicas is None else ["--replicas", str(parsed.replicas)]
        cluster = Cluster(settings, words, parsed.port, parsed.metrics_port, not parsed.no_page)
    except SettingsError as error:
        print(f"gansr: {error}", file=sys.stderr)
        return 1
    return cluster.run()


def deployed(address: str, settings: Settings, stay: bool = False) -> int:
    """Put the applications onto the cluster at `address`. stay: then wait for SIGTERM, and drain."""
    import ray

    from gansr.backends.ray import application

    try:
        ray.init(
            address=address, namespace=application.NAMESPACE, log_to_driver=False, logging_level=logging.ERROR
        )
    except ConnectionError as error:
        print(f"gansr: there is no Ray cluster at {address}: {error}", file=sys.stderr)
        return 1
    application.deploy(settings)
    print("gansr: the workers are ready", flush=True)
    if stay:
        ended = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: ended.set())
        ended.wait()
        application.drain(JOBS_END - 2.0)
    return 0


@dataclass
class Cluster:
    """All processes of `cluster up`. words: the arguments for `deploy`."""

    settings: Settings
    words: list[str]
    port: int
    metrics_port: int
    page: bool

    def __post_init__(self) -> None:
        # Only who has the token may use the cluster's ports: other users of this machine do not.
        self._access = {"RAY_AUTH_MODE": "token"}
        self._access["RAY_AUTH_TOKEN"] = os.environ.get("RAY_AUTH_TOKEN") or secrets.token_hex(32)

    def run(self) -> int:
        """Until a signal, or until the page ends → the exit status."""
        ended = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: ended.set())
        head: subprocess.Popen[bytes] | None = None
        deploy: subprocess.Popen[bytes] | None = None
        page = self._page() if self.page else None
        try:
            while not ended.wait(0.2):
                if page is not None and page.poll() is not None:
                    return page.returncode or 0
                if head is not None and head.poll() is not None:
                    print("gansr: the cluster's head has ended, and starts again", flush=True)
                    _end((deploy,), 0.0)
                    head, deploy = None, None
                    ended.wait(AGAIN)
                elif head is None:
                    head = self._head()
                    deploy = None
                elif deploy is None and self._answers():
                    deploy = self._deploy()
                elif deploy is not None and deploy.poll() is not None:
                    ended.wait(AGAIN)
                    deploy = self._deploy()
            return 0
        finally:
            # The page ends its runs while the workers end their slices.
            _end((page, deploy), JOBS_END)
            _end((head,), HEAD_ENDS)

    def _head(self) -> subprocess.Popen[bytes]:
        words = ["start", "--head", "--block", f"--port={self.port}", f"--node-ip-address={HOST}"]
        words += [f"--num-cpus={max(os.cpu_count() or 1, self.settings.cpus)}", "--include-dashboard=false"]
        words += [f"--metrics-export-port={self.metrics_port}", f"--object-store-memory={STORE}"]
        words += ["--disable-usage-stats"]
        return _started([sys.executable, "-m", "ray.scripts.scripts", *words], self._access, quiet=True)

    def _answers(self) -> bool:
        import socket

        with contextlib.suppress(OSError), socket.create_connection((HOST, self.port), 1.0):
            return True
        return False

    def _deploy(self) -> subprocess.Popen[bytes]:
        words = ["-m", "gansr.backends.ray.command", "deploy", "--stay", "--address", f"{HOST}:{self.port}"]
        words += self.words
        return _started([sys.executable, *words], self._access)

    def _page(self) -> subprocess.Popen[bytes]:
        chosen = {"GANSR_BACKEND": "ray", "GANSR_RAY_ADDRESS": f"{HOST}:{self.port}"}
        return _started([sys.executable, "app.py"], {**self._access, **chosen})


def _started(words: list[str], settings: Mapping[str, str], quiet: bool = False) -> subprocess.Popen[bytes]:
    """A process of its own session: Ctrl-C is for this one, which ends the others in their order."""
    usual = {"PYTHONPATH": str(ROOT), "RAY_USAGE_STATS_ENABLED": "0"}
    output = subprocess.DEVNULL if quiet else None
    return subprocess.Popen(
        words,
        cwd=ROOT,
        env={**os.environ, **usual, **settings},
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
    )


def _end(processes: tuple[subprocess.Popen[bytes] | None, ...], seconds: float) -> None:
    """End processes: SIGTERM to all, and after `seconds` SIGKILL to what is left of their sessions."""
    there = [process for process in processes if process is not None]
    for process in there:
        if process.poll() is None:
            process.terminate()
    end = time.monotonic() + seconds
    for process in there:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, end - time.monotonic()))
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


if __name__ == "__main__":  # `up` calls it: without gansr.__main__, which loads torch
    arguments = argparse.ArgumentParser(prog="python -m gansr cluster")
    _add_actions(arguments)
    given = arguments.parse_args()
    sys.exit(given.handler(given))
