"""Gradio's temporary folder: what is in it is removed with time, and it leaves the disk some room.

Gradio 6.31 never removes an upload that was interrupted, nor the files that this page hands out. A background thread
removes files older than an hour, and the oldest ones while the folder exceeds its quota. Uploads that would leave the
disk less than `RESERVE` free bytes are refused.
"""

from __future__ import annotations

import shutil
import stat
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from gradio.processing_utils import hash_file
from gradio.utils import get_upload_folder

from gansr.ui.examples import EXAMPLES, example_of

MAX_AGE = 3600.0  # seconds
QUOTA = 4 * 2**30  # bytes, at most; and at most this share of what is free or held by the folder:
SHARE = 0.5
RESERVE = 200 * 10**6  # bytes that an upload must leave free
INTERVAL = 300.0  # seconds
PRESSURE = 256 * 2**20  # bytes of uploads after which the next sweep does not wait for the interval


@dataclass(frozen=True)
class Swept:
    """The outcome of one sweep: number of files removed, bytes removed, bytes left."""

    files: int
    removed: int
    left: int


def sweep(
    folder: Path,
    max_age_s: float,
    quota_bytes: int,
    now: float,
    keep: Collection[Path] = (),
    free_bytes: int | None = None,
) -> Swept:
    """Remove the files of `folder` that were modified more than `max_age_s` before `now`, then the oldest until the
    rest fits into `quota_bytes` and into `SHARE` of the disk's free bytes and its own, then empty folders of that age.

    Links are neither followed nor counted. The files in `keep` are neither removed nor counted. A file that
    disappears during the sweep, or cannot be removed, is skipped.
    """
    found = sorted((modified, size, path) for modified, size, path in _files(folder) if path not in keep)
    left, files, removed = sum(size for _, size, _ in found), 0, 0
    quota = quota_bytes if free_bytes is None else min(quota_bytes, int(SHARE * (free_bytes + left)))
    for modified, size, path in found:
        if now - modified <= max_age_s and left <= quota:
            break
        if _remove(path):
            files, removed = files + 1, removed + size
        left -= size
    _remove_empty_folders(folder, now - max_age_s)
    return Swept(files, removed, left)


def _files(folder: Path) -> Iterator[tuple[float, int, Path]]:
    for path in folder.rglob("*"):
        try:
            info = path.lstat()
        except OSError:
            continue
        if stat.S_ISREG(info.st_mode):
            yield info.st_mtime, info.st_size, path


def _remove(path: Path) -> bool:
    try:
        path.unlink()
    except OSError:
        return False
    return True


def _remove_empty_folders(folder: Path, before: float) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):  # children before their parents
        try:
            info = path.lstat()
            if stat.S_ISDIR(info.st_mode) and info.st_mtime < before:
                path.rmdir()  # raises OSError where the folder is not empty
        except OSError:
            continue


def gradio_copies(files: Iterable[Path], folder: Path) -> frozenset[Path]:
    """The paths of Gradio's copies of `files` in its temporary folder: <hash of the content>/<name>."""
    return frozenset(folder / hash_file(file) / file.name for file in files)


@cache
def names_of_copies() -> Mapping[str, str]:
    """Gradio's copies of the example pictures, "<hash>/<name>" → name."""
    copies = gradio_copies(EXAMPLES.glob("*.*"), Path())
    return {path.as_posix(): path.name for path in copies if example_of(path.name)}


@cache
def _copies_of_examples(folder: Path) -> frozenset[Path]:
    return gradio_copies(EXAMPLES.glob("*.*"), folder)


def free_on(folder: Path) -> int:
    """Free bytes of the disk that holds `folder`, or that will hold it."""
    place = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    return shutil.disk_usage(place).free


@dataclass
class TempFolder:
    """Gradio's temporary folder with its limits. `keep` defaults to the copies of the example pictures: Gradio makes
    them once, when the page is built. `free` gives the free bytes of its disk."""

    folder: Path = field(default_factory=lambda: Path(get_upload_folder()))
    max_age_s: float = MAX_AGE
    quota_bytes: int = QUOTA
    reserve_bytes: int = RESERVE
    keep: Collection[Path] | None = None
    clock: Callable[[], float] = time.time
    free: Callable[[], int] | None = None
    pressed: threading.Event = field(default_factory=threading.Event)  # a sweep is due before its time
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _uploaded: int = 0  # bytes since the last sweep

    def free_bytes(self) -> int:
        """Free bytes of the disk."""
        return free_on(self.folder) if self.free is None else self.free()

    def sweep(self) -> Swept:
        """Remove what is too old or too much."""
        with self._lock:
            self._uploaded = 0
            keep = _copies_of_examples(self.folder) if self.keep is None else self.keep
            return sweep(
                self.folder,
                self.max_age_s,
                self.quota_bytes,
                self.clock(),
                keep,
                free_bytes=self.free_bytes(),
            )

    def has_room(self, incoming: int) -> bool:
        """Whether the disk keeps its reserve when `incoming` bytes are written; sweeps where it would not."""
        if self.free_bytes() - incoming >= self.reserve_bytes:
            return True
        self.sweep()
        return self.free_bytes() - incoming >= self.reserve_bytes

    def uploaded(self, size: int) -> None:
        """Count `size` bytes of uploads; after `PRESSURE` of them a sweep is due."""
        self._uploaded += size
        if self._uploaded >= PRESSURE:
            self.pressed.set()


PLACE = TempFolder()  # the folder of this process


def start_cleanup(
    place: TempFolder = PLACE, interval_s: float = INTERVAL, stop: threading.Event | None = None
) -> threading.Thread:
    """Sweep `place` now, every `interval_s` seconds and when uploads press, on a daemon thread, until `stop` is set:
    then at the end of the current wait. Returns the started thread."""
    ending = stop or threading.Event()

    def work() -> None:
        while True:
            place.sweep()
            place.pressed.wait(interval_s)
            place.pressed.clear()
            if ending.is_set():
                return

    thread = threading.Thread(target=work, name="temp-file cleanup", daemon=True)
    thread.start()
    return thread
