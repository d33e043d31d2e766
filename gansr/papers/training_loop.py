"""What every training here does: steps until the end, a log, evaluations, and checkpoints that survive anything."""

from __future__ import annotations

import json
import math
import os
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from filelock import FileLock, Timeout
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn

from gansr.weights import files

Log = Callable[[Mapping[str, Any]], None]


class TrainingError(Exception):
    """What keeps a training from going on; its text is for the user."""


class Trainable(Protocol):
    """The state of a training. `images` and `spent` (seconds of computing) count from the first step."""

    images: int
    spent: float

    @property
    def done(self) -> bool: ...

    @property
    def at(self) -> tuple[str, int]:
        """The name of the stage and the step in it, from 0."""
        ...

    def do_step(self) -> Mapping[str, Tensor]:
        """One step; returns the loss terms."""
        ...

    def state(self) -> dict[str, Any]:
        """Everything that is needed to continue bit by bit: tensors and plain values."""
        ...


@dataclass(frozen=True)
class Pace:
    """How long a training runs, and how often it writes."""

    minutes: float = math.inf  # of computing, in all
    save_every: float = 180.0  # seconds
    evaluate_every: int = 200  # steps
    evaluate_seconds: float = math.inf  # also after so many
    log_every: int = 20  # steps


def loop(
    training: Trainable,
    checkpoint: Path | None,
    pace: Pace,
    log: Log,
    *,
    evaluate: Callable[[str], None],
    stage_ended: Callable[[str], None] = lambda stage: None,
    stopped: Callable[[], bool] = lambda: False,
) -> None:
    """Steps until the training is done, its minutes are spent or `stopped`. `evaluate` gets the name of the stage;
    `stage_ended` too, before the checkpoint at the end of a stage is written. checkpoint: None: none is kept. Raises
    TrainingError."""
    began = saved = evaluated = time.monotonic()
    first = training.images
    while not training.done and training.spent < 60 * pace.minutes and not stopped():
        stage, step = training.at
        terms = training.do_step()
        ended = training.done or training.at[0] != stage
        now = time.monotonic()
        evaluating = ended or now - evaluated > pace.evaluate_seconds or (step + 1) % pace.evaluate_every == 0
        saving, logging = ended or now - saved > pace.save_every, step % pace.log_every == 0
        if not (evaluating or saving or logging) and all(
            term.device.type != "cpu" for term in terms.values()
        ):
            continue  # reading a number from a GPU waits for all its work; a loss that is odd now stays so
        terms = {name: float(term) for name, term in terms.items()}
        if odd := [name for name, value in terms.items() if not math.isfinite(value)]:
            text = f"the loss ({odd[0]}) of step {step} is not a number, so training has stopped"
            kept = f"; the last checkpoint, {checkpoint}, is as it was. Start again from it with a lower learning rate"
            raise TrainingError(text + (kept if checkpoint else ""))
        if logging:
            passed = time.monotonic() - began
            where = {"stage": stage, "step": step, "images": training.images}
            clock = {"minutes": round(training.spent / 60, 2), "seconds": round(passed)}
            speed = {"images_per_second": round((training.images - first) / max(passed, 1e-9), 2)}
            log({**where, **clock, **{name: round(value, 5) for name, value in terms.items()}, **speed})
        if evaluating:
            evaluate(stage)
            evaluated = time.monotonic()
        if saving:
            if ended:
                stage_ended(stage)
            if checkpoint:
                save(training, checkpoint)
            saved = time.monotonic()
    if checkpoint and not training.done:  # its last step has saved it
        save(training, checkpoint)


@torch.no_grad()
def move_averages(pairs: Iterable[tuple[Tensor, Tensor]], step: int, decay: float) -> None:
    """Move averages of weights towards the weights, both of floating point: (average, weights) pairs, after step `step`
    (from 0). The decay rises to `decay`."""
    means, values = zip(*pairs)
    update = get_ema_multi_avg_fn(min(decay, (1 + step) / (10 + step)))  # of all tensors at once
    update(list(means), list(values), step)


def save(training: Trainable, path: Path) -> None:
    """Write a checkpoint; it is moved into place when complete, so that an interruption leaves the previous one.
    Raises TrainingError where that is not possible."""
    try:
        with files.replacing(path) as part:
            torch.save(training.state(), part)
    except (OSError, RuntimeError) as error:  # torch's writer raises RuntimeError where the disk is full
        kept = f"the checkpoint before is still there: {path}" if path.exists() else "there is no earlier one"
        raise TrainingError(f"the checkpoint could not be written ({error}); {kept}") from error


def read(path: Path, device: torch.device) -> dict[str, Any]:
    """The content of a checkpoint. Raises TrainingError."""
    try:
        return torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # a damaged file raises nearly anything
        raise TrainingError(f"{path} cannot be read as a checkpoint: {type(error).__name__}") from error


@contextmanager
def folder_of(path: Path) -> Generator[Path]:
    """The folder of a training, made, and free of half-written files; nobody else trains there meanwhile.
    Raises TrainingError."""
    lock = FileLock(path / ".lock")
    try:
        path.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
        delete_parts(path)
    except Timeout:
        raise TrainingError(
            f"another training writes into {path}: wait for it or choose another folder"
        ) from None
    except OSError as error:
        raise TrainingError(f"{path} cannot be used: {error.strerror or error}") from error
    try:
        yield path
    finally:
        lock.release()


@contextmanager
def asked_to_end(with_input: bool) -> Generator[Callable[[], bool]]:
    """Whether SIGTERM has asked this process to end in good order; or, if `with_input`, whether its standard input has
    ended, which it does with the process at the other end. Main thread only."""
    asked = threading.Event()

    def read() -> None:  # not through sys.stdin, whose lock the interpreter wants when it ends
        while os.read(0, 4096):
            pass
        asked.set()

    before = signal.signal(signal.SIGTERM, lambda number, frame: asked.set())
    if with_input:
        threading.Thread(target=read, name="end of the input", daemon=True).start()
    try:
        yield asked.is_set
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)


def delete_parts(folder: Path) -> None:
    """Delete the half-written files of a run that was killed."""
    for left in folder.glob("*.part"):
        left.unlink()


def log_to(path: Path) -> Log:
    """A function that prints a record as a line of JSON and appends it to the file."""

    def log(record: Mapping[str, Any]) -> None:
        line = json.dumps({"at": time.strftime("%H:%M:%S"), **record})
        print(line, flush=True)
        with path.open("a") as file:
            file.write(line + "\n")

    return log
