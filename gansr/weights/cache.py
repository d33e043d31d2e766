"""The cache of verified weights: one folder, one file an entry, the beginning of its sha256 in its name.

`$GANSR_CACHE`, else `$XDG_CACHE_HOME/gansr`, else `~/.cache/gansr`. A file is verified, written under a temporary
name, synced and renamed, so a file under its final name is whole. `pins.json` records the hashes of files that
were made on this machine and that the manifest does not pin.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from gansr.weights import manifest
from gansr.weights.manifest import Entry, Own, WeightsError
from gansr.weights.progress import Progress, silent
from gansr.weights.retry import DEFAULT_POLICY, RetryPolicy
from gansr.weights.tensors import sha256_of

ABANDONED_AFTER = 24 * 3600.0  # seconds after which a download's work folder is deleted


def folder() -> Path:
    """The folder of the cache, created if it does not exist. Raises WeightsError if it cannot be created."""
    base = os.environ.get("GANSR_CACHE")
    home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    path = Path(base).expanduser() if base else Path(home).expanduser() / "gansr"
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WeightsError(
            f"{path} cannot be created ({error.strerror}); set GANSR_CACHE to a folder"
        ) from error
    return path


# ------------------------------------------------------------------------------------------------ pins


def pins() -> dict[str, dict[str, Any]]:
    """name → {"sha256", "bytes", "from"} of the files made on this machine. Raises WeightsError if it is damaged."""
    try:
        return json.loads((folder() / "pins.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise WeightsError(f"{folder() / 'pins.json'} is damaged ({error}); delete it") from error


def pin(name: str, sha256: str, size: int, made_from: list[str]) -> None:
    """Record the hash of a file made on this machine; `made_from` are the hashes of the authors' files."""
    with locked("pins", DEFAULT_POLICY, silent):
        rows = {**pins(), name: {"sha256": sha256, "bytes": size, "from": made_from}}
        write(folder() / "pins.json", json.dumps(rows, indent=2).encode())


def expected_sha256(entry: Entry) -> str | None:
    """The hash the entry's file must have: the manifest's, else the one recorded in the cache, else None."""
    return entry.sha256 or pins().get(entry.name, {}).get("sha256")


def expected_size(entry: Entry) -> int | None:
    """The size in bytes the entry's file must have; None where no hash is known."""
    return entry.bytes or pins().get(entry.name, {}).get("bytes")


# ----------------------------------------------------------------------------------------------- files


def path_of(entry: Entry, sha256: str) -> Path:
    """Where the entry's file of this hash is, or would be: in the checkout for our own, else in the cache."""
    own = entry.source(Own)
    if own is not None and (manifest.PATH.parent / own.path).exists():
        return manifest.PATH.parent / own.path
    return folder() / f"{entry.name}-{sha256[:16]}{entry.suffix}"


def cached(entry: Entry) -> Path | None:
    """The entry's file if it is on this machine and has the right size; its hash is not computed."""
    sha256 = expected_sha256(entry)
    if sha256 is None:
        return None
    path = path_of(entry, sha256)
    return path if path.is_file() and path.stat().st_size == expected_size(entry) else None


_verified: set[tuple[str, str, int, int]] = set()  # (path, hash, size, time) already hashed in this process


def verified(entry: Entry) -> Path | None:
    """The entry's file if it is on this machine and has the expected hash. A bad file is deleted from the cache."""
    sha256, path = expected_sha256(entry), cached(entry)
    if sha256 is None or path is None:
        return None
    facts = path.stat()
    stamp = (str(path), sha256, facts.st_size, facts.st_mtime_ns)
    if stamp not in _verified:
        if sha256_of(path) != sha256:
            if folder() in path.parents:
                path.unlink(missing_ok=True)
            return None
        _verified.add(stamp)
    return path


def store(entry: Entry, data: bytes, sha256: str) -> Path:
    """Put the entry's file into the cache. Raises WeightsError if `data` does not hash to `sha256`."""
    if (found := hashlib.sha256(data).hexdigest()) != sha256:
        where = (
            "" if entry.sha256 else f" in {folder() / 'pins.json'}; delete its line to accept the new file"
        )
        raise WeightsError(f"the file made for {entry.name} hashes to {found}; {sha256} is pinned{where}")
    path = folder() / f"{entry.name}-{sha256[:16]}{entry.suffix}"
    write(path, data)
    return path


def write(path: Path, data: bytes) -> None:
    """Write a file in one step: under a temporary name, synced, then renamed. Raises WeightsError if it fails."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except OSError as error:
        raise WeightsError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        Path(temporary).unlink(missing_ok=True)


@contextmanager
def work_folder() -> Generator[Path]:
    """A folder in the cache for one download, deleted at the end. Old ones of killed processes are deleted too."""
    for abandoned in folder().glob(".work-*"):
        with suppress(OSError):
            if time.time() - abandoned.stat().st_mtime > ABANDONED_AFTER:
                shutil.rmtree(abandoned, ignore_errors=True)
    path = Path(tempfile.mkdtemp(dir=folder(), prefix=".work-"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def locked(key: str, policy: RetryPolicy, progress: Progress) -> Generator[None]:
    """Hold the lock `key`, shared by all threads and processes that use this cache.

    Raises WeightsError if another holds it beyond the policy's deadline.
    """
    lock = FileLock(folder() / f".{key}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        progress("waiting for the same download, which another process has begun", None)
        try:
            lock.acquire(timeout=policy.deadline, poll_interval=min(0.1, policy.stall))
        except Timeout:
            raise WeightsError(f"another process has been downloading for {policy.deadline:.0f} s") from None
    try:
        yield
    finally:
        lock.release()
