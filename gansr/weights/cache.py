"""The cache of verified weights: one folder, one file an entry, named after the hash it must have.

`$GANSR_CACHE`, else `$XDG_CACHE_HOME/gansr`, else `~/.cache/gansr`. A file is written beside its place, synced
and renamed, after its hash is found right: what stands under its final name is whole. `pins.json` holds the
hashes of what `weights import` made here and the manifest does not pin.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from gansr.weights import manifest
from gansr.weights.manifest import Entry, Own, WeightsError
from gansr.weights.patience import Patience, Progress
from gansr.weights.tensors import sha256_of

LEFT_BEHIND = 24 * 3600.0  # seconds after which a download's folder belongs to nobody


def folder() -> Path:
    """Where the weights are kept; made if it is not there. Raises WeightsError if it cannot be written to."""
    base = os.environ.get("GANSR_CACHE")
    home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    path = Path(base).expanduser() if base else Path(home).expanduser() / "gansr"
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WeightsError(
            f"{path} cannot be made ({error.strerror}); set GANSR_CACHE to a folder"
        ) from error
    return path


# ------------------------------------------------------------------------------------------------ pins


def pins() -> dict[str, dict[str, Any]]:
    """name → {"sha256", "bytes", "from"} of what was imported here."""
    try:
        return json.loads((folder() / "pins.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise WeightsError(f"{folder() / 'pins.json'} is damaged ({error}); delete it") from error


def pin(name: str, sha256: str, size: int, made_from: list[str]) -> None:
    """Remember what `weights import` made: `made_from` are the hashes of the authors' files."""
    with locked("pins", Patience(), lambda text, share: None):
        rows = {**pins(), name: {"sha256": sha256, "bytes": size, "from": made_from}}
        write(folder() / "pins.json", json.dumps(rows, indent=2).encode())


def digest(entry: Entry) -> str | None:
    """The hash the entry's file must have: the manifest's, else the local pin, else None."""
    return entry.sha256 or pins().get(entry.name, {}).get("sha256")


def size(entry: Entry) -> int | None:
    """The size in bytes the entry's file must have; None where nothing is pinned."""
    return entry.bytes or pins().get(entry.name, {}).get("bytes")


# ----------------------------------------------------------------------------------------------- files


def place(entry: Entry, sha256: str) -> Path:
    """Where the entry's file of this hash stands, or would stand."""
    own = entry.source(Own)
    if own is not None and (manifest.PATH.parent / own.path).exists():
        return manifest.PATH.parent / own.path
    return folder() / f"{entry.name}-{sha256[:16]}{entry.suffix}"


def held(entry: Entry) -> Path | None:
    """The entry's file if it is here and of the right size; its hash is not looked at."""
    sha256 = digest(entry)
    if sha256 is None:
        return None
    path = place(entry, sha256)
    return path if path.is_file() and path.stat().st_size == size(entry) else None


_verified: set[tuple[str, str, int, int]] = set()  # (path, hash, size, time): hashed once a process


def verified(entry: Entry) -> Path | None:
    """The entry's file if it is here and hashes to what is pinned. A bad one is removed from the cache."""
    sha256, path = digest(entry), held(entry)
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


def keep(entry: Entry, data: bytes, sha256: str) -> Path:
    """Put the entry's file into the cache. Raises WeightsError if `data` does not hash to `sha256`."""
    if (found := hashlib.sha256(data).hexdigest()) != sha256:
        raise WeightsError(f"what was made for {entry.name} hashes to {found}; {sha256} is pinned")
    path = folder() / f"{entry.name}-{sha256[:16]}{entry.suffix}"
    write(path, data)
    return path


def write(path: Path, data: bytes) -> None:
    """Beside, synced, renamed: the file at `path` is always a whole one."""
    handle, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(beside).chmod(0o644)
        Path(beside).replace(path)
    except OSError as error:
        raise WeightsError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        Path(beside).unlink(missing_ok=True)


@contextmanager
def workplace() -> Iterator[Path]:
    """A folder in the cache for the length of one download; those that a killed process left go with it."""
    for left in folder().glob(".work-*"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > LEFT_BEHIND:
                shutil.rmtree(left, ignore_errors=True)
    path = Path(tempfile.mkdtemp(dir=folder(), prefix=".work-"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def locked(key: str, patience: Patience, told: Progress) -> Iterator[None]:
    """One at a time, among the threads and processes that share the cache.

    Raises WeightsError if the others take longer than the deadline.
    """
    lock = FileLock(folder() / f".{key}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        told("waiting for the same download, already under way", None)
        try:
            lock.acquire(timeout=patience.deadline, poll_interval=min(0.1, patience.stall))
        except Timeout:
            raise WeightsError(
                f"another process has been downloading for {patience.deadline:.0f} s"
            ) from None
    try:
        yield
    finally:
        lock.release()
