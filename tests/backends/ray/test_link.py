"""The page's end of its driver, with drivers that are small programs."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from gansr.backends.ray import link as module
from gansr.backends.ray.link import Link, Lost

# Answers every connection with a state, which tells how often it was started.
DRIVER = """
import socket, sys, threading, os
from gansr.backends.ray.messages import Told, dumps, send
path, count = sys.argv[1:3]
with open(count, "a") as file:
    file.write("x")
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
server = socket.socket(socket.AF_UNIX)
server.bind(path)
server.listen()
while True:
    connection, _ = server.accept()
    send(connection, dumps(Told("state", state={"starts": len(open(count).read())})))
    connection.close()
"""


@pytest.fixture
def link(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(module, "AGAIN", 0.05)
    monkeypatch.setattr(module, "KNOWN", 0.0)
    count = str(tmp_path / "count")
    made = Link("nowhere", lambda address, socket: [sys.executable, "-c", DRIVER, socket, count])
    yield made
    made.close()


def until(true, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_without_a_driver_the_cluster_does_not_answer(link):
    assert not link.started and link.state() is None
    with pytest.raises(Lost):
        link.connect()


def test_a_driver_that_ends_is_started_again_and_ends_with_the_page(link):
    link.start()
    link.start()
    until(lambda: link.state() == {"starts": 1})
    first = link._process
    first.kill()
    until(lambda: link.state() == {"starts": 2})
    assert link.started and first.poll() is not None
    second = link._process
    link.close()
    assert second.poll() is not None and link.state() is None
    assert not Path(link._socket).exists()


def test_a_driver_ends_when_its_page_was_killed(link):
    link.start()
    until(lambda: link.state() is not None)
    process = link._process
    process.stdin.close()  # as the system does when the page is gone
    until(lambda: process.poll() is not None)


def test_a_state_is_used_for_a_while(link, monkeypatch):
    asked = []
    monkeypatch.setattr(module, "KNOWN", 60.0)
    monkeypatch.setattr(link, "_asked", lambda: asked.append(1))
    assert [link.state(), link.state()] == [None, None] and len(asked) == 1
