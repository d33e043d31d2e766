"""The end of the server: a signal drains, a second one ends at once, and nothing takes longer than the limit."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from gansr.pipeline import RESTARTS
from gansr.ui import service, shutdown
from gansr.ui.listeners import Listeners
from gansr.ui.visitors import Refused, Visitor, Visitors
from tests.conftest import ROOT

# `serve` with a page that opens no port. It prints "ready" once signals are handled.
SCRIPT = """
import signal, sys, threading, types
from gansr.ui import service, shutdown
from gansr.ui.visitors import Visitor

class Page:
    server_app = types.SimpleNamespace(stop_event=threading.Event())
    def launch(self, prevent_thread_lock, port, _frontend):
        threading.Thread(target=self.announce, daemon=True).start()
    def announce(self):
        while signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            pass
        print("ready", flush=True)
    def close(self, verbose):
        print("closed", self.server_app.stop_event.is_set(), flush=True)

if sys.argv[1] == "busy":
    run = service.VISITORS.admitted(Visitor("s", "a"))
    run.__enter__()
shutdown.LIMIT = float(sys.argv[2])
shutdown.serve(Page(), {"port": 1})
"""


@contextmanager
def server(kind: str, limit: float) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", SCRIPT, kind, str(limit)]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            assert process.stdout is not None and process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_closes_an_idle_server_with_status_0(number):
    with server("idle", 18) as process:
        process.send_signal(number)
        output, _ = process.communicate()
        assert process.returncode == 0
        assert "closed True" in output and "terminate called" not in output


def test_a_run_that_does_not_end_is_cut_off_at_the_limit_with_status_0():
    with server("busy", 0.1) as process:
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate()
        assert process.returncode == 0 and "closed" not in output


def test_a_second_signal_ends_at_once():
    with server("busy", 18) as process:
        process.send_signal(signal.SIGTERM)
        assert process.stdout is not None and process.stdout.readline().startswith("Ending")
        process.send_signal(signal.SIGTERM)
        process.communicate()
        assert process.returncode == 128 + signal.SIGTERM


def test_draining_refuses_new_runs_and_waits_for_streams_to_end(monkeypatch):
    visitors, listeners = Visitors(), Listeners()
    drained: list[bool] = []
    monkeypatch.setattr(service, "VISITORS", visitors)
    monkeypatch.setattr(service, "LISTENERS", listeners)
    monkeypatch.setattr(service.PIPELINE, "drain", lambda: drained.append(True), raising=False)
    assert shutdown.drain()
    assert drained == [True]
    with pytest.raises(Refused, match=RESTARTS), visitors.admitted(Visitor("s", "a")):
        pass
    waits: list[float] = []
    with listeners.listening("s"):
        assert not shutdown.drain(waits.append)
    assert sum(waits) == pytest.approx(shutdown.MESSAGES)


def test_the_parts_of_the_end_fit_into_the_limit_and_the_limit_into_20_seconds():
    closing = 5  # seconds that Gradio gives its server
    assert shutdown.RUNS + shutdown.MESSAGES < shutdown.LIMIT < 20
    assert closing < 20 - shutdown.RUNS - shutdown.MESSAGES
