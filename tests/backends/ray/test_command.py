"""The command `cluster`. What it starts is tested in test_application.py."""

from __future__ import annotations

import argparse
import importlib.util
import signal
import subprocess
import sys
import threading

import pytest

from gansr.__main__ import main
from gansr.backends.ray import command
from gansr.backends.ray.command import NO_RAY, Cluster
from gansr.backends.ray.settings import Settings


def test_without_ray_it_says_how_to_install_it(monkeypatch, capsys):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert main(["cluster", "up"]) == 1
    assert NO_RAY in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"), [(["--replicas", "0"], "at least 1"), (["--config", "/none.yaml"], "cannot be read")]
)
def test_what_is_not_possible_is_said_in_words(words, said, capsys, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    assert main(["cluster", "up", *words]) == 1
    assert said in capsys.readouterr().err


def test_the_parts_get_the_settings_of_the_command(monkeypatch):
    made: list[Cluster] = []
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    monkeypatch.setattr(Cluster, "run", lambda self: made.append(self) or 0)
    assert main(["cluster", "up", "--replicas", "3", "--port", "7000", "--no-page"]) == 0
    (cluster,) = made
    assert cluster.settings.searches.max_workers == 3 and cluster.words == ["--replicas", "3"]
    assert (cluster.port, cluster.page) == (7000, False)


def small(
    monkeypatch, *, head: str = "while True: time.sleep(0.1)", **changes: str
) -> tuple[Cluster, list[str]]:
    """A cluster of small programs, and the names of those that were started."""
    started: list[str] = []
    programs = {"head": head, "deploy": "time.sleep(100)", "page": "time.sleep(100)", **changes}

    def start(name: str):
        def begin(self) -> subprocess.Popen[bytes]:
            started.append(name)
            code = f"import signal, sys, time\n{programs[name]}"
            return subprocess.Popen([sys.executable, "-c", code], start_new_session=True)

        return begin

    for name in programs:
        monkeypatch.setattr(Cluster, f"_{name}", start(name))
    monkeypatch.setattr(Cluster, "_answers", lambda self: True)
    monkeypatch.setattr(command, "AGAIN", 0.1)
    return Cluster(Settings(), [], 7000, 7001, True), started


@pytest.fixture
def signals():
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_page_and_workers_first_and_then_the_head(number, signals, monkeypatch):
    cluster, started = small(monkeypatch)
    ends: list[int] = []
    monkeypatch.setattr(
        command,
        "_end",
        lambda processes, seconds, end=command._end: (ends.append(len(processes)), end(processes, seconds)),
    )
    timer = threading.Timer(2.0, lambda: signal.raise_signal(number))
    timer.start()
    assert cluster.run() == 0
    assert started[:2] == ["page", "head"] and "deploy" in started
    assert ends == [2, 1]
    timer.join()


def test_a_head_that_ends_is_started_again_and_a_page_that_ends_ends_all(signals, monkeypatch):
    cluster, started = small(monkeypatch, head="time.sleep(0.3)", page="time.sleep(4)\nsys.exit(3)")
    assert cluster.run() == 3
    assert started.count("head") >= 2 and started.count("page") == 1


def test_what_does_not_end_by_itself_is_killed_after_its_time():
    code = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint(1, flush=True)\ntime.sleep(100)"
    process = subprocess.Popen([sys.executable, "-c", code], start_new_session=True, stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process.stdout:
        process.stdout.readline()
        command._end((process, None), 0.5)
    assert process.poll() == -signal.SIGKILL


def test_the_workers_are_put_onto_a_cluster_by_a_program_that_loads_no_torch():
    parser = argparse.ArgumentParser()
    command._add_actions(parser)
    parsed = parser.parse_args(["deploy", "--address", "head:6379", "--stay"])
    assert parsed.handler is command.run and parsed.stay and parsed.address == "head:6379"
    code = "import sys, gansr.backends.ray.command; assert 'torch' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_workers_stay_where_they_were_put(monkeypatch):
    """A `deploy` that ends is started again, and would replace them."""
    started: list[list[str]] = []
    monkeypatch.setattr(command, "_started", lambda words, settings: started.append(words))
    Cluster(Settings(), ["--replicas", "2"], 7000, 7001, True)._deploy()
    words = started[0][started[0].index("deploy") :]
    parser = argparse.ArgumentParser()
    command._add_actions(parser)
    parsed = parser.parse_args(words)
    assert parsed.stay and parsed.address == "127.0.0.1:7000" and parsed.replicas == 2
