"""Files that are whole or absent, and temporary folders that a killed process does not leave for good.

A file is written under another name, synced, then moved into place. Work in progress is kept in folders `.work-…`,
each with a lock that its process holds; the system releases the lock of a process that is killed, and `clean` deletes
every folder whose lock is free.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from gansr.weights.manifest import WeightsError

FULL = (errno.ENOSPC, errno.EDQUOT)
READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)
ABANDONED_AFTER = 24 * 3600.0  # seconds; for temporary files of versions that held no lock
_UNLOCKED = re.compile(r"\..+\.(safetensors|onnx|json)\.[a-z0-9_]{8}")


def disk_error(error: BaseException) -> bool:
    """Whether an error is of the local disk (full, or read-only), so that another attempt fails as well."""
    return isinstance(error, OSError) and error.errno in (*FULL, errno.EROFS)


def not_written(folder: Path, error: OSError) -> WeightsError:
    """The WeightsError for a failure to write into `folder`: what happened, and what to do."""
    folder = next(
        (path.parent for path in (folder, *folder.parents) if path.name.startswith(".work-")), folder
    )
    if error.errno in FULL:
        return WeightsError(
            f"the disk of {folder} is full; nothing half-written was left. Free some space, or set GANSR_CACHE to a "
            "folder on another disk"
        )
    if error.errno in READ_ONLY:
        return WeightsError(
            f"{folder} cannot be written ({error.strerror}). Weights that are there already still load; for others, "
            "make the folder writable or set GANSR_CACHE to a folder that is"
        )
    return WeightsError(f"{folder} cannot be written: {error.strerror or error}")


@contextmanager
def replacing(path: Path, part: Path | None = None) -> Generator[Path]:
    """A name to write to; at the end it is synced and moved to `path`. After a failure `path` is as it was.

    part: the name, on the same disk; default: `path` with .part at its end, which one process at a time may use.
    Raises OSError.
    """
    part = part or path.with_name(path.name + ".part")
    try:
        yield part
        with part.open("r+b") as file:
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def write(path: Path, data: bytes, part: Path | None = None) -> None:
    """Write a whole file through `replacing`. Raises WeightsError if it fails."""
    try:
        with replacing(path, part) as name:
            name.write_bytes(data)
    except OSError as error:
        raise not_written(path.parent, error) from error


@contextmanager
def work_folder(base: Path) -> Generator[Path]:
    """A folder in `base` for one piece of work, deleted at the end. Those of killed processes are deleted too.

    Raises WeightsError where `base` cannot be written.
    """
    try:
        with _making(base, timeout=60):
            _delete_abandoned(base)
            path = Path(tempfile.mkdtemp(dir=base, prefix=".work-"))
            own = _lock_of(path)
            own.acquire(blocking=False)
    except OSError as error:
        raise not_written(base, error) from error
    try:
        yield path
    finally:
        _delete(path)
        own.release()


def clean(base: Path) -> None:
    """Delete the work folders of killed processes. Where `base` cannot be written nothing happens."""
    with suppress(OSError):
        if any(base.glob(".work-*")) or any(_unlocked(base)):
            with _making(base, timeout=0):
                _delete_abandoned(base)


def _making(base: Path, timeout: float) -> FileLock:
    """Held while a work folder gets its lock, or abandoned ones are looked for; Timeout is an OSError."""
    return FileLock(base / ".work.lock", timeout=timeout)


def _lock_of(path: Path) -> FileLock:
    return FileLock(f"{path}.lock")


def _delete(path: Path) -> None:
    """The folder, then the file of its lock, which this process holds.

    It is renamed first: a download that was given up may still run, and must not put a file into it meanwhile.
    """
    gone = path.with_name(path.name + ".gone")
    with suppress(OSError):
        path.replace(gone)
    for each in (gone, path):
        shutil.rmtree(each, ignore_errors=True)
    with suppress(OSError):
        Path(f"{path}.lock").unlink()


def _delete_abandoned(base: Path) -> None:
    for path in {found.with_name(found.name.removesuffix(".lock")) for found in base.glob(".work-*")}:
        lock = _lock_of(path)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            continue  # its process is alive
        except OSError:
            continue
        _delete(path)
        lock.release()
    for path in _unlocked(base):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > ABANDONED_AFTER:
                path.unlink()


def _unlocked(base: Path) -> list[Path]:
    return [path for path in base.glob(".*") if _UNLOCKED.fullmatch(path.name)]
