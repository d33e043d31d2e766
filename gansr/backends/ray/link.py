"""The page's end of its driver: starts it, starts it again when it has ended, and opens a connection a job."""

from __future__ import annotations

import atexit
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gansr.backends.ray.messages import Told, dumps, loads, receive, send

AGAIN = 2.0  # seconds between the end of a driver and the start of the next
KNOWN = 1.0  # seconds that a state is used
ROOT = Path(__file__).resolve().parents[3]


class Lost(Exception):
    """The cluster does not answer."""


class Link:
    """To the cluster at `address`. Its methods may be called on any thread."""

    def __init__(self, address: str, command: Callable[[str, str], list[str]] | None = None):
        self._folder = Path(tempfile.mkdtemp(prefix="gansr-driver-"))  # only this user can enter it
        self._socket = str(self._folder / "socket")
        self._command = (command or _command)(address, self._socket)
        self._lock, self._ended = threading.Lock(), threading.Event()
        self._state: tuple[float, dict[str, Any] | None] = (0.0, None)
        self._process: subprocess.Popen[bytes] | None = None
        self._keeper = threading.Thread(target=self._keep, name="driver", daemon=True)

    @property
    def started(self) -> bool:
        """Whether `start` was called."""
        return self._keeper.ident is not None

    def start(self) -> None:
        """Start the driver. A second call does nothing."""
        with self._lock:
            if not self.started and not self._ended.is_set():
                self._keeper.start()
                atexit.register(self.close)

    def close(self) -> None:
        """End the driver, and the jobs that it has."""
        self._ended.set()
        process = self._process
        if process is not None and process.poll() is None:
            process.kill()  # its jobs' places and workers are freed when nobody renews them
            process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def connect(self) -> socket.socket:
        """A connection to the driver. Raises Lost."""
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(self._socket)
        except OSError as error:
            connection.close()
            raise Lost from error
        return connection

    def state(self) -> dict[str, Any] | None:
        """The cluster's state (`Dispatcher.state`), at most a second old; None where it is not connected."""
        at, state = self._state
        if time.monotonic() - at > KNOWN:
            state = self._asked()
            self._state = time.monotonic(), state
        return state

    def _asked(self) -> dict[str, Any] | None:
        try:
            with self.connect() as connection:
                connection.settimeout(2.0)
                send(connection, dumps(None))
                answer = receive(connection)
        except (OSError, Lost):
            return None
        told: Told | None = None if answer is None else loads(answer)
        return None if told is None else told.state

    def _keep(self) -> None:
        while not self._ended.is_set():
            Path(self._socket).unlink(missing_ok=True)
            settings = {
                "RAY_USAGE_STATS_ENABLED": "0",
                "RAY_BACKEND_LOG_LEVEL": "error",
                "PYTHONPATH": str(ROOT),
            }
            environment = {**os.environ, **settings}
            # Its own session: Ctrl-C in a terminal is for the page, which ends its jobs first.
            with subprocess.Popen(
                self._command, stdin=subprocess.PIPE, env=environment, start_new_session=True
            ) as self._process:
                self._process.wait()
            self._ended.wait(AGAIN)


def _command(address: str, socket: str) -> list[str]:
    return [sys.executable, "-m", "gansr.backends.ray.driver", address, socket]
