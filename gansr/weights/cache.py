"""The cache of verified weights: one folder, one file an entry, the beginning of its sha256 in its name.

`$GANSR_CACHE`, else `$XDG_CACHE_HOME/gansr`, else `~/.cache/gansr`. A file is verified, written under a temporary
name, synced and renamed, so a file under its final name is whole. Our own files in the checkout, and files that a Space
has preloaded into huggingface_hub's cache, are used where they are. `pins.json` records the hashes of files that
were made on this machine and that the manifest does not pin. Where the folder cannot be written, the files in it are
still used.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeGuard

from filelock import FileLock, Timeout

from gansr.weights import files, hub, manifest, tensors
from gansr.weights.manifest import Entry, Hub, Own, WeightsError
from gansr.weights.progress import Progress, silent
from gansr.weights.retry import DEFAULT_POLICY, RetryPolicy

MAX_PINS = 1 << 20  # bytes of pins.json; a row is about 200


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


def writable() -> bool:
    """Whether files can be added to the cache."""
    try:
        return os.access(folder(), os.W_OK)
    except WeightsError:
        return False


_cleaned: set[Path] = set()


def clean() -> None:
    """Delete what killed downloads left, once in the life of this process. Raises nothing."""
    with suppress(WeightsError):
        if folder() not in _cleaned:
            _cleaned.add(folder())
            files.clean(folder())


# ------------------------------------------------------------------------------------------------ pins


def pins() -> dict[str, dict[str, Any]]:
    """name → {"sha256", "bytes", "from"} of the files made on this machine.

    What does not have this form is left out, with a warning: its file counts as not on this machine.
    """
    path = folder() / "pins.json"
    rows, problem = _read_pins(path)
    if problem and (path, problem) not in _warned:
        _warned.add((path, problem))
        logging.getLogger(__name__).warning(
            "%s: %s. Its weights are fetched or imported again", path, problem
        )
    return rows


_warned: set[tuple[Path, str]] = set()


def _read_pins(path: Path) -> tuple[dict[str, dict[str, Any]], str]:
    """The sound rows of the file, and what is wrong with the rest, "" for nothing."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_PINS + 1)
        if len(data) > MAX_PINS:
            raise ValueError(f"it has more than {MAX_PINS} bytes")
        rows = json.loads(data.decode())
        if not isinstance(rows, dict):
            raise ValueError("it holds no table")
    except FileNotFoundError:
        return {}, ""
    except (OSError, ValueError, RecursionError) as error:
        return {}, f"it is not used ({type(error).__name__}: {str(error)[:200]})"
    sound = {name: row for name, row in rows.items() if _is_pin(row)}
    lost = len(rows) - len(sound)
    return sound, f"{lost} malformed rows are not used" if lost else ""


def _is_pin(row: Any) -> TypeGuard[dict[str, Any]]:
    return (
        isinstance(row, dict)
        and isinstance(row.get("sha256"), str)
        and re.fullmatch(r"[0-9a-f]{64}", row["sha256"]) is not None
        and type(row.get("bytes")) is int
    )


def pin(name: str, sha256: str, size: int, made_from: list[str]) -> None:
    """Record the hash of a file made on this machine; `made_from` are the hashes of the authors' files.

    A pins.json with malformed parts is kept as pins.json.damaged.
    """
    path = folder() / "pins.json"
    with locked("pins", DEFAULT_POLICY, silent):
        rows, problem = _read_pins(path)
        if problem:
            with suppress(OSError):
                path.replace(path.with_name("pins.json.damaged"))
        row = {"sha256": sha256, "bytes": size, "from": made_from}
        _put(path, json.dumps({**rows, name: row}, indent=2).encode())


def expected_sha256(entry: Entry) -> str | None:
    """The hash the entry's file must have: the manifest's, else the one recorded in the cache, else None."""
    return entry.sha256 or pins().get(entry.name, {}).get("sha256")


def expected_size(entry: Entry) -> int | None:
    """The size in bytes the entry's file must have; None where no hash is known."""
    return entry.bytes or pins().get(entry.name, {}).get("bytes")


# ----------------------------------------------------------------------------------------------- files


Parts = tuple[manifest.Part, ...]  # the files that together are an entry's, with absolute paths; mostly one


def _places(entry: Entry, sha256: str) -> Iterator[Parts]:
    """Where the entry's file of this hash may be: in the checkout for our own, in the cache, in the Hub's cache."""
    if (own := entry.source(Own)) is not None:
        root = manifest.PATH.parent
        yield tuple(replace(part, path=str(root / part.path)) for part in own.files)
    size = expected_size(entry) or 0
    yield (manifest.Part(str(_place(entry, sha256)), sha256, size),)
    for source in entry.sources:
        if isinstance(source, Hub) and source.converter is None and (path := hub.preloaded(source)):
            yield (manifest.Part(str(path), sha256, size),)


def _place(entry: Entry, sha256: str) -> Path:
    return folder() / f"{entry.name}-{sha256[:16]}{entry.suffix}"


def path_of(entry: Entry) -> Path:
    """Where the entry's file is in the cache, or would be. Raises WeightsError where its hash is not known."""
    if (sha256 := expected_sha256(entry)) is None:
        raise WeightsError(f"{entry.name} is not on this machine")
    return _place(entry, sha256)


def _of_right_size(entry: Entry) -> Iterator[Parts]:
    """The places where all files are there and have the right size."""
    if (sha256 := expected_sha256(entry)) is None:
        return
    for parts in _places(entry, sha256):
        with suppress(OSError):
            if all(
                Path(part.path).is_file() and Path(part.path).stat().st_size == part.bytes for part in parts
            ):
                yield parts


def cached(entry: Entry) -> Path | None:
    """The entry's file (the first of its parts) if it is on this machine and has the right size; its hash is not
    computed."""
    return next((Path(parts[0].path) for parts in _of_right_size(entry)), None)


_verified: set[tuple[str, str, tuple[int, ...]]] = set()  # (path, hash, facts) already hashed in this process


def verified(entry: Entry, delete: bool = False) -> Path | None:
    """The entry's file (the first of its parts) if it is on this machine and has the expected hash.

    A file is hashed again when its size, its times or its inode have changed. delete: a bad file in the cache is
    deleted; the caller holds the entry's lock, so that no other process has replaced it meanwhile.
    """
    for parts in _of_right_size(entry):
        with suppress(OSError):  # deleted meanwhile, or not to be read
            if all(map(_is_right, parts)):
                return Path(parts[0].path)
            if delete and folder() in (path := Path(parts[0].path)).parents:
                path.unlink()
    return None


def _is_right(part: manifest.Part) -> bool:
    """Whether the file has its hash. Raises OSError."""
    path = Path(part.path)
    facts = path.stat()
    stamp = part.path, part.sha256, (facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_ino)
    if stamp not in _verified and tensors.sha256_of(path) != part.sha256:
        return False
    _verified.add(stamp)
    return True


def content(entry: Entry) -> bytes:
    """The verified content of the entry's file. Raises WeightsError if it is not here; a file that has changed since
    it was verified is hashed again at its next use."""
    problem = f"{entry.name} is not on this machine"
    for parts in _of_right_size(entry):
        try:
            data = tensors.joined([tensors.read_verified(Path(part.path), part.sha256) for part in parts])
        except WeightsError as error:
            problem = str(error)
            paths = {part.path for part in parts}
            _verified.difference_update({stamp for stamp in list(_verified) if stamp[0] in paths})
            continue
        if entry.sha256 in (None, found := hashlib.sha256(data).hexdigest()):
            return data
        problem = f"the parts of {entry.name} join to {found}; {entry.sha256} is pinned"
    raise WeightsError(problem)


def store(entry: Entry, data: bytes, sha256: str) -> Path:
    """Put the entry's file into the cache. Raises WeightsError if `data` does not hash to `sha256`."""
    if (found := hashlib.sha256(data).hexdigest()) != sha256:
        where = (
            "" if entry.sha256 else f" in {folder() / 'pins.json'}; delete its line to accept the new file"
        )
        raise WeightsError(f"the file made for {entry.name} hashes to {found}; {sha256} is pinned{where}")
    path = _place(entry, sha256)
    _put(path, data)
    return path


def _put(path: Path, data: bytes) -> None:
    with work_folder() as folder:
        files.write(path, data, part=folder / path.name)


def work_folder() -> AbstractContextManager[Path]:
    """A folder in the cache for one download, deleted at the end. Raises WeightsError if it cannot be made."""
    return files.work_folder(folder())


@contextmanager
def locked(key: str, policy: RetryPolicy, progress: Progress) -> Generator[None]:
    """Hold the lock `key`, shared by all threads and processes that use this cache.

    Raises WeightsError if another holds it beyond the policy's deadline, or the cache cannot be written.
    """
    lock = FileLock(folder() / f".{key}.lock")
    try:
        try:
            lock.acquire(timeout=0)
        except OSError as error:
            if isinstance(error, Timeout):
                raise
            raise files.not_written(folder(), error) from error
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
