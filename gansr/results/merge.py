"""Files of records from several machines → the files of a folder, one a dataset."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gansr.results import records
from gansr.results.records import Record, RecordError


@dataclass(frozen=True)
class Merged:
    """What a merge made."""

    records: tuple[Record, ...]  # sorted by dataset, method, variant, picture
    added: int
    duplicates: int


def merged(there: Iterable[Record], new: Iterable[Record]) -> Merged:
    """The records of both, each once. Verification stays as it is. Two records of the same result that differ in
    seconds and date alone are duplicates: the first is kept. Raises RecordError where they differ in what was
    measured."""
    kept: dict[tuple[str, ...], Record] = {}
    for record in there:
        _keep(kept, record)
    before, seen = len(kept), 0
    for record in new:
        seen += 1
        _keep(kept, record)
    return Merged(tuple(sorted(kept.values(), key=_order)), len(kept) - before, seen - (len(kept) - before))


def check(found: Iterable[Record]) -> int:
    """How many records there are. Raises RecordError for a conflict."""
    return len(merged((), found).records)


def into(folder: Path, paths: Sequence[Path]) -> Merged:
    """Add the records of files to a folder: <dataset>.jsonl. Nothing is written if something is refused. Raises
    RecordError."""
    made = merged(records.read_folder(folder), [record for path in paths for record in records.read(path)])
    for dataset in dict.fromkeys(record.dataset for record in made.records):
        part = [record for record in made.records if record.dataset == dataset]
        records.write(folder / f"{dataset}.jsonl", part)
    return made


def _keep(kept: dict[tuple[str, ...], Record], record: Record) -> None:
    other = kept.setdefault(record.identity, record)
    if other.measured != record.measured:
        raise RecordError(_conflict(other, record))


def _conflict(one: Record, other: Record) -> str:
    what = " ".join(filter(None, (one.method, one.variant)))
    apart = [
        name for name in {*one.metrics, *other.metrics} if one.metrics.get(name) != other.metrics.get(name)
    ]
    texts = [f"{name} {one.metrics.get(name)} and {other.metrics.get(name)}" for name in sorted(apart)]
    sizes = [f"size {one.size} and {other.size}"] if one.size != other.size else []
    return (
        f"two records of {what} on {one.dataset} {one.picture}, version {one.version}, with the same options, seed and "
        f"numerics differ: {'; '.join([*sizes, *texts])}. Remove the one that is wrong"
    )


def _order(record: Record) -> tuple[str, ...]:
    return (record.dataset, record.method, record.variant, record.version, record.picture, *record.identity)
