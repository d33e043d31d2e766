"""The loop of every training: what it logs and keeps, and what stops it."""

from __future__ import annotations

import json
import math
import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest
import torch

from gansr.papers import training_loop
from gansr.papers.training_loop import Pace, TrainingError, asked_to_end, folder_of, log_to, loop, read, save


class Counting:
    """A training of two stages of `length` steps; its loss is odd at step `odd`."""

    def __init__(self, length: int = 5, odd: int = -1):
        self.images, self.spent, self.length, self.odd = 0, 0.0, length, odd

    @property
    def done(self) -> bool:
        return self.images >= 2 * self.length

    @property
    def at(self) -> tuple[str, int]:
        return ("first", "second", "")[self.images // self.length], self.images % self.length

    def do_step(self) -> dict[str, torch.Tensor]:
        self.images, self.spent = self.images + 1, self.spent + 30.0
        return {"total": torch.tensor(math.nan if self.images - 1 == self.odd else 1 / self.images)}

    def state(self) -> dict[str, Any]:
        return {"images": self.images}


def run(training: Counting, folder: Path, **pace: float) -> tuple[list[Any], list[Any], list[str]]:
    """(log, evaluations, ends of stages) of a loop."""
    log, evaluated, ended = list[Any](), list[Any](), list[str]()
    loop(
        training,
        folder / "checkpoint.pt",
        Pace(**{"save_every": 1e9, "evaluate_every": 3, "log_every": 2, **pace}),
        log.append,
        evaluate=lambda stage: evaluated.append((stage, training.images)),
        stage_ended=ended.append,
    )
    return log, evaluated, ended


def test_it_logs_evaluates_and_saves_at_the_ends_of_stages(tmp_path):
    training = Counting()
    log, evaluated, ended = run(training, tmp_path)
    assert [(each["stage"], each["step"]) for each in log] == [
        ("first", 0), ("first", 2), ("first", 4), ("second", 0), ("second", 2), ("second", 4)
    ]  # fmt: skip
    assert log[1]["total"] == round(1 / 3, 5) and log[1]["images"] == 3 and log[1]["minutes"] == 1.5
    assert evaluated == [("first", 3), ("first", 5), ("second", 8), ("second", 10)]
    assert ended == ["first", "second"]
    assert read(tmp_path / "checkpoint.pt", torch.device("cpu")) == {"images": 10}


def test_it_ends_when_its_minutes_are_spent(tmp_path):
    training = Counting()
    run(training, tmp_path, minutes=2)
    assert training.images == 4
    assert read(tmp_path / "checkpoint.pt", torch.device("cpu")) == {"images": 4}


def test_it_is_evaluated_after_so_many_seconds_too(tmp_path):
    _, evaluated, _ = run(Counting(), tmp_path, evaluate_every=1000, evaluate_seconds=-1)
    assert [images for _, images in evaluated] == [*range(1, 11)]


def test_it_ends_where_it_is_asked_to_and_keeps_no_checkpoint_where_none_is_wanted(tmp_path):
    training, log = Counting(), list[Any]()
    loop(
        training, None, Pace(), log.append, evaluate=lambda stage: None, stopped=lambda: training.images == 3
    )
    assert training.images == 3 and not list(tmp_path.iterdir())
    with pytest.raises(TrainingError, match=r"is not a number, so training has stopped$"):
        loop(Counting(odd=1), None, Pace(), log.append, evaluate=lambda stage: None)


def test_sigterm_asks_it_to_end_and_means_again_what_it_meant_before():
    before = signal.getsignal(signal.SIGTERM)
    with asked_to_end(with_input=False) as asked:
        assert not asked()
        os.kill(os.getpid(), signal.SIGTERM)
        assert asked()
    assert signal.getsignal(signal.SIGTERM) is before


def test_the_end_of_the_input_asks_it_to_end(monkeypatch):
    reading, writing = os.pipe()
    read_some = os.read
    monkeypatch.setattr(os, "read", lambda number, most: read_some(reading, most))
    with asked_to_end(with_input=True) as asked:
        (thread,) = (each for each in threading.enumerate() if each.name == "end of the input")
        os.write(writing, b"a line\n")
        assert not asked()
        os.close(writing)
        thread.join()
        assert asked()
    os.close(reading)


def test_a_loss_that_is_not_a_number_stops_it_and_keeps_the_last_checkpoint(tmp_path):
    with pytest.raises(TrainingError, match=r"the loss \(total\) of step 2 is not a number"):
        run(Counting(odd=7), tmp_path)
    assert read(tmp_path / "checkpoint.pt", torch.device("cpu")) == {"images": 5}


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), RuntimeError("unexpected pos")])
def test_a_full_disk_keeps_the_checkpoint_before(tmp_path, monkeypatch, error):
    path = tmp_path / "checkpoint.pt"
    save(Counting(), path)

    def full(state: Any, part: Path) -> None:
        part.write_bytes(b"half")
        raise error

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(TrainingError, match=r"could not be written .* the checkpoint before is still there"):
        save(Counting(), path)
    assert read(path, torch.device("cpu")) == {"images": 0}
    assert list(tmp_path.iterdir()) == [path]


def test_a_damaged_checkpoint_is_told(tmp_path):
    (tmp_path / "checkpoint.pt").write_bytes(b"damaged")
    with pytest.raises(TrainingError, match="cannot be read as a checkpoint"):
        read(tmp_path / "checkpoint.pt", torch.device("cpu"))


def test_two_trainings_do_not_write_into_one_folder(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "checkpoint.pt.part").write_bytes(b"half")
    with folder_of(tmp_path / "out") as out:
        assert not list(out.glob("*.part"))
        with pytest.raises(TrainingError, match="another training writes into"), folder_of(tmp_path / "out"):
            pass
    with folder_of(tmp_path / "out"):
        pass


def test_an_error_of_the_training_is_not_taken_for_one_of_the_folder(tmp_path):
    with pytest.raises(OSError, match=r"^of the training$"), folder_of(tmp_path):
        raise OSError("of the training")
    with folder_of(tmp_path):  # it is free again
        pass


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainingError, match="cannot be used"), folder_of(tmp_path / "file" / "out"):
        pass


def test_the_log_is_printed_and_appended_as_lines_of_json(tmp_path, capsys):
    log = log_to(tmp_path / "log.jsonl")
    log({"step": 1})
    log({"step": 2})
    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2]
    assert capsys.readouterr().out.splitlines() == lines


def test_its_checkpoints_are_read_without_pickle():
    assert "weights_only=True" in Path(training_loop.__file__).read_text()


class OnGpu:
    """A loss on a GPU; `reads` counts how often its number is asked for."""

    device = torch.device("cuda")
    reads = 0

    def __float__(self) -> float:
        OnGpu.reads += 1
        return 1.0


def test_a_gpus_losses_are_read_only_where_something_is_done_with_them(tmp_path, monkeypatch):
    training = Counting(length=50)
    step = training.do_step
    monkeypatch.setattr(training, "do_step", lambda: {"total": OnGpu()} if step() else {})
    log, evaluated, ended = run(training, tmp_path, log_every=25, evaluate_every=1000)
    assert [each["step"] for each in log] == [0, 25, 0, 25]
    assert OnGpu.reads == 6 and ended == ["first", "second"] and len(evaluated) == 2
