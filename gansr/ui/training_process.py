"""A training on a visitor's pictures, in a process of its own: the command `python -m gansr train`.

So the page and the command train in the same way, and a crash or full memory there does not end the page. One training
at a time runs on a server, with low priority and half of the processors. Its folder lies in Gradio's temporary folder:
it is removed at the end, or by the cleanup where the page was killed. The process ends with the page: its standard
input ends then.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from gradio.utils import get_upload_folder

from gansr.backends import ZERO_GPU
from gansr.choices import on_a_space
from gansr.ui.visitors import Refused

ROOT = Path(__file__).resolve().parents[2]
SWITCH = "GANSR_FINE_TUNE"
STEPS = 1_000_000  # at most: the minutes end it
EVALUATE = 20.0  # seconds between evaluations
NICE = 10  # added to the page's priority number: the page's own runs go first
ENDING = 60.0  # seconds that a process has to end in good order
MEMORY = 1000  # of Linux's oom_score_adj: where memory is full, this process is ended first
MODEL = "model.safetensors"


def possible() -> bool:
    """Whether visitors may train here: where GANSR_FINE_TUNE is 1, and by default everywhere but on a Space. Never on
    ZeroGPU, whose processes have no GPU and share few processors."""
    wanted = os.environ.get(SWITCH, "")
    return not ZERO_GPU and (wanted == "1" or (wanted != "0" and not on_a_space()))


@contextmanager
def folder() -> Generator[Path]:
    """A folder for one training, in Gradio's temporary folder; removed at the end."""
    place = Path(get_upload_folder())
    place.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix="training-", dir=place))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


@dataclass
class Progress:
    """What a training has told so far."""

    step: int = -1  # the last that is finished, from 0; -1: none yet
    minutes: float = 0.0
    per_second: float = 0.0  # pictures
    held: bool = True  # whether pictures are held out for measuring
    losses: list[float] = field(default_factory=list)  # of each step
    measured: list[tuple[float, float]] = field(default_factory=list)  # PSNR, and that of bicubic, dB

    def add(self, line: bytes) -> None:
        """A line of the log; other lines than ours are passed over."""
        with suppress(ValueError, KeyError, TypeError):
            record: dict[str, Any] = json.loads(line)
            if "total" in record:
                self.step, self.minutes = record["step"], record["minutes"]
                self.per_second = record["images_per_second"]
                self.losses.append(record["total"])
            elif "evaluation" in record:
                found = record["evaluation"]
                self.measured.append((found["psnr_y"], found["bicubic_psnr_y"]))
            elif "held" in record:
                self.held = record["pictures"] != record["held"]  # of few pictures, all are both


class Child:
    """A training process that writes into a folder. Leaving the block ends it at once."""

    def __init__(self, place: Path, command: Sequence[str]):
        """command: the arguments of `python -m gansr train`, the method first, without --out; what they say of the pace
        counts, not what is usual here."""
        self.out, self.progress = place / "out", Progress()
        self._read, self._rest = 0, b""
        self._stopped: float | None = None  # when it was asked to end
        self._errors = place / "errors.txt"
        paced = (
            "--out", str(self.out), "--wall-clock", "--no-checkpoint", "--bare-strips", "--end-with-input",
            "--log-every", "1", "--evaluate-every", str(STEPS), "--evaluate-seconds", str(EVALUATE),
            "--steps", str(STEPS), "--threads", str(max(1, torch.get_num_threads() // 2)),
        )  # fmt: skip
        with self._errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gansr", "train", command[0], *paced, *command[1:]],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=errors,
            )
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, self.process.pid, os.getpriority(os.PRIO_PROCESS, 0) + NICE)
            Path(f"/proc/{self.process.pid}/oom_score_adj").write_text(str(MEMORY))

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """Ask it to save its network and end. Not by SIGTERM, which would end a process that has only begun."""
        assert self.process.stdin is not None
        if self._stopped is None:
            self._stopped = time.monotonic()
            self.process.stdin.close()

    @property
    def stopping(self) -> bool:
        """Whether it was asked to end."""
        return self._stopped is not None

    def runs(self, seconds: float) -> bool:
        """Whether it still runs after `seconds`, or less where it ends; reads what it has told. A process that does not
        end in good order is ended."""
        if self._stopped is not None and time.monotonic() - self._stopped > ENDING:
            self.process.kill()
        try:
            self.process.wait(seconds)
            return False
        except subprocess.TimeoutExpired:
            return True
        finally:
            self._listen()

    def _listen(self) -> None:
        with suppress(OSError), (self.out / "log.jsonl").open("rb") as file:
            file.seek(self._read)
            new = file.read()
            self._read += len(new)
            *lines, self._rest = (self._rest + new).split(b"\n")
            for line in lines:
                self.progress.add(line)

    def strip(self) -> Path | None:
        """The newest strip."""
        return max(self.out.glob("strip-*.png"), default=None)

    def model(self) -> bytes | None:
        """The network so far, as a safetensors file; None before the first step."""
        path = self.out / MODEL
        return path.read_bytes() if self.progress.step >= 0 and path.is_file() else None

    def failure(self) -> str:
        """Why it has ended, for the user; empty where it has ended in good order."""
        status = self.process.returncode
        if status == 0:
            return ""
        said = self._errors.read_text(errors="replace").strip().rpartition("\n")[2]
        if status == 1 and said.startswith("gansr: "):
            return said.removeprefix("gansr: ").replace(f"{self.out.parent}/", "")
        return "the training has broken off: the memory may be full, or somebody has ended it"


class Slot:
    """Room for one training. Its methods may be called on any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken = False
        self._child: Child | None = None
        self._closed = ""

    @contextmanager
    def one(self) -> Generator[None]:
        """The time of a training. Raises Refused. A generator may enter and leave it on different threads."""
        with self._lock:
            if self._closed:
                raise Refused(self._closed)
            if self._taken:
                raise Refused("Another network is being trained on this server: try again later.")
            self._taken = True
        try:
            yield
        finally:
            with self._lock:
                self._taken, self._child = False, None

    def holds(self, child: Child) -> None:
        """The process of the training."""
        with self._lock:
            self._child = child
            if self._closed:
                child.stop()

    def close(self, why: str) -> None:
        """Let no training start any more; the one that runs saves its network and ends."""
        with self._lock:
            self._closed = why
            if self._child is not None:
                self._child.stop()
