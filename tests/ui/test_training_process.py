"""A training in a process of its own: what it tells, how it ends, and that one runs at a time."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gansr.papers.srgan import own
from gansr.picture import to_png
from gansr.ui import training_process
from gansr.ui.training_process import Child, Progress, Slot, folder, possible
from gansr.ui.visitors import Refused
from tests.conftest import ROOT
from tests.papers.srgan.random_nets import noise

# A training that loads no weights, of a network of the usual size.
LIGHT = ("srgan", "--variant", "mse", "--from", "nothing", "--batch", "1", "--crop", "32")


@pytest.fixture(autouse=True)
def usual_priority(monkeypatch) -> None:
    """On a busy machine a process of low priority may wait for minutes."""
    monkeypatch.setattr(training_process, "NICE", 0)


@pytest.fixture
def data(tmp_path) -> Path:
    """Two pictures of 48 px."""
    made = tmp_path / "pictures"
    made.mkdir()
    for index in range(2):
        (made / f"{index}.png").write_bytes(to_png(noise(3, 48, 48)))
    return made


def trained(place: Path, data: Path, until: Callable[[Child], bool] = lambda child: False) -> Child:
    """A training that was asked to end when `until`, after it has ended."""
    with Child(place, [*LIGHT, "--data", str(data)]) as child:
        while child.runs(0.05):
            if until(child):
                child.stop()
    return child


def ended(pid: int) -> None:
    """Wait until a process that is not ours has ended."""
    try:
        watched = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    select.select([watched], [], [])
    os.close(watched)


def test_it_trains_as_the_command_does(tmp_path, data, monkeypatch):
    monkeypatch.setattr(training_process, "STEPS", 3)
    child = trained(tmp_path, data)
    progress, model = child.progress, child.model()
    assert child.failure() == "" and progress.step == 2 and len(progress.losses) == 3
    assert len(progress.measured) >= 2 and not progress.held  # two pictures: both are trained on
    assert model is not None and (strip := child.strip()) is not None and strip.name == "strip-000003.png"
    (tmp_path / "model.safetensors").write_bytes(model)
    assert own.network_of(own.read_network(tmp_path / "model.safetensors")).scale == 4
    assert not (child.out / "checkpoint.pt").exists()


def test_stop_saves_the_network(tmp_path, data):
    child = trained(tmp_path, data, until=lambda child: child.progress.step >= 1)
    assert child.stopping and child.failure() == "" and child.model() is not None
    assert f"Steps: {child.progress.step + 1} of" in (child.out / "model.md").read_text()


def test_one_that_is_stopped_before_it_has_begun_has_no_network(tmp_path, data):
    child = trained(tmp_path, data, until=lambda child: True)
    assert child.model() is None and child.progress.step == -1


def test_a_killed_training_leaves_its_last_network(tmp_path, data):
    def kill(child: Child) -> bool:
        if child.progress.step >= 1:
            child.process.send_signal(signal.SIGKILL)
        return False

    child = trained(tmp_path, data, until=kill)
    assert "the training has broken off" in child.failure() and child.model() is not None


def test_what_the_command_says_is_told_without_the_servers_folder(tmp_path):
    child = trained(tmp_path, tmp_path / "nowhere")
    assert child.failure() == "nowhere cannot be read: No such file or directory"
    assert child.model() is None


def test_leaving_ends_it_at_once(tmp_path, data):
    with Child(tmp_path, [*LIGHT, "--data", str(data)]) as child:
        pass
    assert child.process.returncode is not None


def test_it_has_low_priority(tmp_path, data, monkeypatch):
    monkeypatch.setattr(training_process, "NICE", 5)
    own_priority = os.getpriority(os.PRIO_PROCESS, 0)
    with Child(tmp_path, [*LIGHT, "--data", str(data)]) as child:
        assert os.getpriority(os.PRIO_PROCESS, child.process.pid) == min(19, own_priority + 5)
        if sys.platform == "linux":
            assert Path(f"/proc/{child.process.pid}/oom_score_adj").read_text().strip() == "1000"


PAGE = """
import sys
from pathlib import Path
from gansr.ui import training_process
from gansr.ui.training_process import Child
training_process.NICE = 0
child = Child(Path(sys.argv[1]), sys.argv[2:])
while child.progress.step < 1 and child.runs(0.05):
    pass
print(child.process.pid, flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="this system cannot wait for another's process")
def test_it_ends_with_the_page_even_where_that_is_killed(tmp_path, data):
    command = [sys.executable, "-c", PAGE, str(tmp_path), *LIGHT, "--data", str(data)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as page:
        assert page.stdout is not None
        pid = int(page.stdout.readline())
        page.kill()
    ended(pid)
    assert (tmp_path / "out" / "model.safetensors").is_file()


# ----------------------------------------------------------------------------------------- what needs no process


def test_lines_that_are_not_the_logs_are_passed_over():
    progress = Progress()
    for line in (
        b"",
        b"{",
        b"[]",
        b"1",
        b'{"step": 1}',
        b'{"total": 1}',
        b'{"evaluation": 1}',
        b'{"held": 1}',
        b"\xff",
    ):
        progress.add(line)
    assert progress == Progress()
    progress.add(b'{"step": 4, "minutes": 0.5, "images_per_second": 8.5, "total": 0.25}')
    progress.add(b'{"step": 5, "evaluation": {"psnr_y": 25.5, "bicubic_psnr_y": 24.0}}')
    progress.add(b'{"config": {}, "pictures": 7, "held": 1}')
    assert progress == Progress(4, 0.5, 8.5, True, [0.25], [(25.5, 24.0)])


@pytest.mark.parametrize(
    ("variables", "found"),
    [
        ({}, True),
        ({"SPACE_ID": "somebody/gansr"}, False),
        ({"SPACE_ID": "somebody/gansr", "GANSR_FINE_TUNE": "1"}, True),
        ({"GANSR_FINE_TUNE": "0"}, False),
        ({"SPACE_ID": "somebody/gansr", "GANSR_FINE_TUNE": "yes"}, False),
    ],
)
def test_a_space_does_not_train_unless_its_owner_says_so(monkeypatch, variables, found):
    for name in ("SPACE_ID", "GANSR_FINE_TUNE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert possible() is found
    monkeypatch.setattr(training_process, "ZERO_GPU", True)
    assert possible() is False


def test_one_training_at_a_time_and_none_once_the_page_ends():
    slot = Slot()
    taken = "Another network is being trained on this server"
    with slot.one(), pytest.raises(Refused, match=taken), slot.one():
        pass
    with slot.one():  # it is free again
        slot.close("the server restarts")
    with pytest.raises(Refused, match="the server restarts"), slot.one():
        pass


def test_a_training_is_asked_to_end_when_the_page_ends():
    class Counted:
        stops = 0

        def stop(self) -> None:
            self.stops += 1

    slot, before, after = Slot(), Counted(), Counted()
    with slot.one():
        slot.holds(before)  # type: ignore[arg-type]
        slot.close("the server restarts")
        slot.holds(after)  # type: ignore[arg-type]  # it was started while the page began to end
    assert before.stops == after.stops == 1


def test_its_folder_lies_with_the_temporary_files_and_goes_at_the_end(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))
    with folder() as place:
        (place / "a.png").write_bytes(np.zeros(4).tobytes())
        assert place.parent == tmp_path / "gradio"
    assert not list((tmp_path / "gradio").iterdir())
