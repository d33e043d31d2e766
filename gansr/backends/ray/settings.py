"""cluster.yaml: which workers a cluster has, and when their number changes."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FILE = Path(__file__).resolve().parents[3] / "cluster.yaml"
SEARCHES, PASSES = "searches", "passes"
POOLS = (SEARCHES, PASSES)


class SettingsError(ValueError):
    """A file of settings cannot be used. The text says what is wrong with it."""


@dataclass(frozen=True)
class Pool:
    """The workers of one kind, each a replica of one deployment of Ray Serve."""

    cpus: float = 1.0  # processors that Ray reserves for a worker
    gpus: float = 0.0  # GPUs; 0.5: two workers share one
    threads: int = 1  # with which a worker computes on processors
    min_workers: int = 1
    max_workers: int = 1
    at_once: int = (
        1  # jobs that are with a worker at once; it computes one, the others are sent and unpacked meanwhile
    )
    queued: int = 64  # jobs that may wait in all; who comes then is told when to try again


@dataclass(frozen=True)
class Settings:
    """All of cluster.yaml. Times in seconds."""

    searches: Pool = field(default_factory=Pool)
    passes: Pool = field(default_factory=lambda: Pool(at_once=2))
    slice: float = 5.0  # of computing after which a search hands its state back
    grow_after: float = 10.0  # that the queue is long, until there is a worker more
    shrink_after: float = 120.0  # that workers are idle, until there is one less

    def pool(self, name: str) -> Pool:
        """The pool of this name, one of POOLS."""
        return self.searches if name == SEARCHES else self.passes

    def with_workers(self, count: int) -> Settings:
        """The same with exactly `count` workers in each pool."""
        pools = {
            name: dataclasses.replace(self.pool(name), min_workers=count, max_workers=count) for name in POOLS
        }
        return dataclasses.replace(self, **pools)

    @property
    def cpus(self) -> int:
        """Processors that the workers reserve when there are as many as there may be, rounded up."""
        return math.ceil(sum(self.pool(name).cpus * self.pool(name).max_workers for name in POOLS))


def read(path: Path | None = None) -> Settings:
    """The settings in a file; without `path` those of $GANSR_CLUSTER, else of cluster.yaml in the checkout, else the
    usual ones. Raises SettingsError."""
    import yaml

    named = path or (Path(os.environ["GANSR_CLUSTER"]) if os.environ.get("GANSR_CLUSTER") else None)
    try:
        text = (named or FILE).read_text(encoding="utf-8")
    except OSError as error:
        if named is None:
            return Settings()
        raise SettingsError(f"{named} cannot be read: {error.strerror or error}") from error
    try:
        return parsed(yaml.safe_load(text) or {})
    except (yaml.YAMLError, SettingsError) as error:
        raise SettingsError(f"{(named or FILE).name}: {error}") from error


def parsed(values: Any) -> Settings:
    """The settings of a table. Raises SettingsError for a name or a value that is not possible."""
    table = _table(values, Settings, "the file")
    pools = {name: _checked(Pool(**_table(table[name], Pool, name)), name) for name in POOLS if name in table}
    if unknown := {
        name: value for name, value in table.items() if name not in POOLS and not _positive(value)
    }:
        raise SettingsError(f"{next(iter(unknown))} must be a number above 0")
    table |= pools
    settings = Settings(**table)
    if settings.slice > 10:
        raise SettingsError("slice must be at most 10: a worker that ends has so long to hand its job back")
    return settings


def _table(values: Any, kind: Any, where: str) -> dict[str, Any]:
    names = [each.name for each in dataclasses.fields(kind)]
    if not isinstance(values, Mapping):
        raise SettingsError(f"{where} must be a table with the names {', '.join(names)}")
    if unknown := [name for name in values if name not in names]:
        raise SettingsError(f"{where} has no {unknown[0]}; it has {', '.join(names)}")
    return {str(name): value for name, value in values.items()}


def _checked(pool: Pool, name: str) -> Pool:
    for each in dataclasses.fields(Pool):
        value = getattr(pool, each.name)
        whole = each.type == "int"
        least = 0 if each.name in ("cpus", "gpus", "min_workers") else 1
        if not (type(value) is int if whole else _number(value)) or value < least:
            kind = "a whole number" if whole else "a number"
            raise SettingsError(f"{name}: {each.name} must be {kind} of at least {least}")
    if pool.max_workers < max(1, pool.min_workers):
        raise SettingsError(f"{name}: max_workers must not be below min_workers")
    return pool


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _positive(value: Any) -> bool:
    return _number(value) and value > 0
