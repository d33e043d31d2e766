"""Votes in SQLite: a vote that was acknowledged is kept, even if the process is killed the next moment.

One thread writes. It commits all votes that wait together, and only then are they acknowledged: WAL with
synchronous=FULL writes the log to the disk at each commit. Readers have connections of their own. What is deleted
leaves its UUID behind, so that an older export or another replica does not bring it back.
"""

from __future__ import annotations

import json
import os
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

from gansr import weights
from gansr.rating import RatingError
from gansr.rating.vote import NAMES, Vote

T = TypeVar("T")
SCHEMA = 1
FILE = "votes.sqlite3"
MOST_VOTES = 2_000_000  # some 600 MB: a program can send votes without end
BATCH = 256  # writes of one commit
WAIT = 10.0  # seconds for another process that writes, such as `rating import`
TABLES = """
CREATE TABLE vote (
  uuid TEXT PRIMARY KEY, session TEXT NOT NULL, number INTEGER NOT NULL, round INTEGER NOT NULL, day TEXT NOT NULL,
  catalogue TEXT NOT NULL, question TEXT NOT NULL, picture TEXT NOT NULL, left TEXT NOT NULL, right TEXT NOT NULL,
  answer TEXT NOT NULL, seconds REAL NOT NULL, role TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX one_a_session ON vote (session, question, picture, min(left, right), max(left, right),
  role = 'repeat');
CREATE TABLE deleted (uuid TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
CREATE TABLE entry (id TEXT PRIMARY KEY, about TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE picture (id TEXT PRIMARY KEY, about TEXT NOT NULL) STRICT, WITHOUT ROWID;
"""
_INSERT = f"INSERT INTO vote VALUES ({', '.join('?' * len(NAMES))})"


def folder() -> Path:
    """The folder of the votes: $GANSR_DATA, or `gansr-data` beside the cache; created if it does not exist. Raises
    RatingError if it cannot be."""
    given = os.environ.get("GANSR_DATA")
    path = Path(given).expanduser() if given else weights.cache.folder().parent / "gansr-data"
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RatingError(
            f"votes cannot be kept: {path} cannot be created ({error.strerror}); set GANSR_DATA to a folder"
        ) from error
    return path


class Store:
    """The votes of one database file. Its methods may be called on any thread."""

    def __init__(self, path: Path) -> None:
        """Open or create the file. Raises RatingError where it is none of ours."""
        self.path = path
        try:
            self._writer = self._connect()
            self._create()
        except sqlite3.Error as error:
            raise RatingError(
                f"votes cannot be kept: {path.name} cannot be opened ({error}); set GANSR_DATA to a folder "
                "that can be written"
            ) from error
        self._count: int = self._writer.execute("SELECT count(*) FROM vote").fetchone()[0]
        self.writes = 0  # transactions of this process
        self._pending: queue.SimpleQueue[tuple[Callable[[], Any], Future[Any]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write, name="votes", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Write what waits and close the file."""
        self._pending.put(None)
        self._thread.join()
        self._writer.close()

    # ------------------------------------------------------------------------------------------ writing

    def add(self, vote: Vote) -> bool:
        """Keep a vote; returns when it is on the disk. False where the session has answered this pair before. Raises
        RatingError where it cannot be kept."""
        return self._wait(lambda: self._added(vote))

    def add_all(self, votes: Iterable[Vote], deleted: Iterable[str] = ()) -> int:
        """Keep votes of another replica or an export, all or none; those that are there or deleted already are left
        out. Returns how many are new."""
        gone, new = list(deleted), list(votes)

        def write() -> int:
            self._delete(gone)
            return sum(self._added(vote) for vote in new)

        return self._wait(write)

    def delete(self, uuids: Iterable[str]) -> None:
        """Delete votes; their UUIDs are remembered."""
        chosen = list(uuids)
        self._wait(lambda: self._delete(chosen))

    def forget(self, session: str) -> int:
        """Delete all votes of a session. Returns how many."""

        def write() -> int:
            found = self._writer.execute("SELECT uuid FROM vote WHERE session = ?", (session,)).fetchall()
            self._delete([uuid for (uuid,) in found])
            return len(found)

        return self._wait(write)

    def describe(self, entries: Mapping[str, Any], pictures: Mapping[str, Any]) -> None:
        """Keep what the entries and pictures of votes are: JSON by id."""

        def write() -> None:
            for table, named in (("entry", entries), ("picture", pictures)):
                rows = [(id, json.dumps(about, ensure_ascii=False)) for id, about in named.items()]
                self._writer.executemany(f"INSERT OR REPLACE INTO {table} VALUES (?, ?)", rows)

        self._wait(write)

    def _added(self, vote: Vote) -> bool:
        if self._count >= MOST_VOTES:
            raise RatingError(f"no more votes can be kept: there are {MOST_VOTES} already")
        if self._writer.execute("SELECT 1 FROM deleted WHERE uuid = ?", (vote.uuid,)).fetchone():
            return False
        try:
            self._writer.execute(_INSERT, [getattr(vote, name) for name in NAMES])
        except sqlite3.IntegrityError:
            return False
        self._count += 1
        return True

    def _delete(self, uuids: list[str]) -> None:
        rows = [(uuid,) for uuid in uuids]
        self._writer.executemany("INSERT OR IGNORE INTO deleted VALUES (?)", rows)
        self._writer.executemany("DELETE FROM vote WHERE uuid = ?", rows)

    def _wait(self, write: Callable[[], T]) -> T:
        done: Future[T] = Future()
        self._pending.put((write, done))
        try:
            return done.result()
        except sqlite3.Error as error:
            raise RatingError(f"this could not be stored ({error}); try again in a minute") from error

    def _write(self) -> None:
        while (first := self._pending.get()) is not None:
            batch = [first]
            while len(batch) < BATCH:
                try:
                    following = self._pending.get_nowait()
                except queue.Empty:
                    break
                if following is None:
                    self._pending.put(None)
                    break
                batch.append(following)
            self._commit(batch)

    def _commit(self, batch: list[tuple[Callable[[], Any], Future[Any]]]) -> None:
        """Run the writes in one transaction and acknowledge them after it; one that fails leaves the others."""
        outcomes: list[tuple[Future[Any], Any, BaseException | None]] = []
        try:
            self._writer.execute("BEGIN IMMEDIATE")
            for write, done in batch:
                self._writer.execute("SAVEPOINT one")
                try:
                    outcomes.append((done, write(), None))
                except Exception as error:
                    self._writer.execute("ROLLBACK TO one")
                    outcomes.append((done, None, error))
                self._writer.execute("RELEASE one")
            self._writer.execute("COMMIT")
        except sqlite3.Error as error:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            outcomes = [(done, None, error) for _, done in batch]
        if any(error is not None for _, _, error in outcomes):
            self._count = self._writer.execute("SELECT count(*) FROM vote").fetchone()[0]
        self.writes += 1
        for done, value, error in outcomes:
            done.set_result(value) if error is None else done.set_exception(error)

    # ------------------------------------------------------------------------------------------ reading

    def votes(self, session: str | None = None) -> list[Vote]:
        """All votes, or those of a session in its order."""
        where, values = ("", ()) if session is None else (" WHERE session = ?", (session,))
        rows = self._read(f"SELECT {', '.join(NAMES)} FROM vote{where} ORDER BY session, number", values)
        return [Vote(*row) for row in rows]

    def deleted(self) -> list[str]:
        """The UUIDs of deleted votes."""
        return [uuid for (uuid,) in self._read("SELECT uuid FROM deleted ORDER BY uuid")]

    def entries(self) -> dict[str, Any]:
        """What was kept of entries by `describe`."""
        return {id: json.loads(about) for id, about in self._read("SELECT id, about FROM entry ORDER BY id")}

    def pictures(self) -> dict[str, Any]:
        """What was kept of pictures by `describe`."""
        return {
            id: json.loads(about) for id, about in self._read("SELECT id, about FROM picture ORDER BY id")
        }

    def problems(self) -> list[str]:
        """What SQLite finds wrong with the file; empty where it is whole."""
        found = [text for (text,) in self._read("PRAGMA integrity_check")]
        return [] if found == ["ok"] else found

    def _read(self, query: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        try:
            with closing(self._connect()) as reader:
                return reader.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise RatingError(f"the votes cannot be read ({error}); try again in a minute") from error

    # ------------------------------------------------------------------------------------------ the file

    def _connect(self) -> sqlite3.Connection:
        made = sqlite3.connect(self.path, timeout=WAIT, isolation_level=None, check_same_thread=False)
        made.execute("PRAGMA synchronous = FULL")
        return made

    def _create(self) -> None:
        self._writer.execute("PRAGMA journal_mode = WAL")
        self._writer.execute("BEGIN IMMEDIATE")
        found: int = self._writer.execute("PRAGMA user_version").fetchone()[0]
        if found == 0:
            for statement in TABLES.strip().split(";\n"):
                self._writer.execute(statement)
            self._writer.execute(f"PRAGMA user_version = {SCHEMA}")
        self._writer.execute("COMMIT")
        if found not in (0, SCHEMA):
            raise RatingError(
                f"{self.path.name} has schema {found}, this version reads {SCHEMA}: use the version that wrote it"
            )
