"""Cleanup of Gradio's temporary folder.

Gradio 6.31 never removes an upload that was interrupted, nor the files that this page hands out. A background thread
removes files older than an hour, and the oldest ones while the folder exceeds its quota.
"""

from __future__ import annotations

import stat
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from gradio.processing_utils import hash_file
from gradio.utils import get_upload_folder

from gansr.ui.examples import EXAMPLES

MAX_AGE = 3600.0  # seconds
QUOTA = 4 * 2**30  # bytes
INTERVAL = 300.0  # seconds


@dataclass(frozen=True)
class Swept:
    """The outcome of one sweep: number of files removed, bytes removed, bytes left."""

    files: int
    removed: int
    left: int


def sweep(folder: Path, max_age_s: float, quota_bytes: int, now: float, keep: Collection[Path] = ()) -> Swept:
    """Remove the files of `folder` that were modified more than `max_age_s` before `now`, then the oldest until the
    rest fits into `quota_bytes`, then empty folders of that age.

    Links are neither followed nor counted. The files in `keep` are neither removed nor counted. A file that
    disappears during the sweep, or cannot be removed, is skipped.
    """
    found = sorted((modified, size, path) for modified, size, path in _files(folder) if path not in keep)
    left, files, removed = sum(size for _, size, _ in found), 0, 0
    for modified, size, path in found:
        if now - modified <= max_age_s and left <= quota_bytes:
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


def start_cleanup(
    folder: Path | None = None,
    max_age_s: float = MAX_AGE,
    quota_bytes: int = QUOTA,
    interval_s: float = INTERVAL,
    keep: Collection[Path] | None = None,
    clock: Callable[[], float] = time.time,
    stop: threading.Event | None = None,
) -> threading.Thread:
    """Sweep `folder` (default: Gradio's temporary folder) now and every `interval_s` seconds on a daemon thread, until
    `stop` is set.

    `keep` defaults to the copies of the example pictures: Gradio makes them once, when the page is built. Returns the
    started thread.
    """
    place, ending = folder or Path(get_upload_folder()), stop or threading.Event()
    kept = gradio_copies(EXAMPLES.glob("*.*"), place) if keep is None else frozenset(keep)

    def work() -> None:
        while True:
            sweep(place, max_age_s, quota_bytes, clock(), kept)
            if ending.wait(interval_s):
                return

    thread = threading.Thread(target=work, name="temp-file cleanup", daemon=True)
    thread.start()
    return thread
