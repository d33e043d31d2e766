"""Votes in SQLite: kept, once a pair and session, deleted for good; and read back from files."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from gansr.rating import RatingError, storage
from gansr.rating.storage import FILE, Store, folder
from gansr.rating.vote import GOLD, REPEAT
from tests.support.raters import vote


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / FILE)
    yield made
    made.close()


def numbered(number: int, **changes: object):
    return vote(uuid=f"{number:032x}", session=f"{number:064x}", **changes)


def test_a_vote_is_read_back_as_it_was(store: Store):
    given = vote(seconds=1.25, role=GOLD, left="truth", right="nearest")
    assert store.add(given)
    assert store.votes() == store.votes(given.session) == [given]
    assert store.votes("b" * 64) == []


def test_a_session_votes_once_on_a_pair_whatever_the_sides_and_once_more_where_it_is_repeated(store: Store):
    assert store.add(vote())
    assert not store.add(vote(uuid="1" * 32, left="m1", right="m0"))
    assert store.add(vote(uuid="2" * 32, left="m1", right="m0", role=REPEAT))
    assert not store.add(vote(uuid="3" * 32, role=REPEAT))
    assert store.add(vote(uuid="4" * 32, question="closer"))
    assert len(store.votes()) == 3


def test_what_is_deleted_does_not_come_back(store: Store):
    store.add(vote())
    store.delete(["0" * 32])
    assert store.votes() == [] and store.deleted() == ["0" * 32]
    assert not store.add(vote())
    assert store.add(vote(uuid="1" * 32))


def test_a_user_deletes_all_votes_of_the_session_and_no_others(store: Store):
    for number in range(3):
        store.add(vote(uuid=f"{number:032x}", number=number, picture=f"p{number}"))
    store.add(numbered(9))
    assert store.forget("a" * 64) == 3
    assert store.votes() == [numbered(9)] and len(store.deleted()) == 3


def test_many_threads_write_and_every_vote_is_there(store: Store):
    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(lambda number: store.add(numbered(number)), range(200)))
    assert len(store.votes()) == 200 and store.problems() == []


def test_a_write_that_fails_leaves_the_others(store: Store):
    with ThreadPoolExecutor(4) as threads:
        wrong = threads.submit(
            store.add, numbered(1, seconds="long")
        )  # a STRICT table takes no text as a number
        right = [threads.submit(store.add, numbered(number)) for number in range(2, 6)]
        assert all(one.result() for one in right)
        assert not wrong.result()
    assert len(store.votes()) == 4


def test_votes_of_an_earlier_process_are_there(tmp_path: Path):
    first = Store(tmp_path / FILE)
    first.add(vote())
    first.close()
    second = Store(tmp_path / FILE)
    assert second.votes() == [vote()]
    second.close()


def test_the_log_is_written_to_the_disk_at_each_commit(store: Store):
    with closing(store._connect()) as made:
        assert made.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert made.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL


def test_no_more_votes_than_allowed_are_kept(store: Store, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(storage, "MOST_VOTES", 2)
    assert store.add(numbered(1)) and store.add(numbered(2))
    with pytest.raises(RatingError, match="there are 2 already"):
        store.add(numbered(3))


def test_another_schema_and_a_file_that_is_no_database_are_refused(tmp_path: Path):
    with closing(sqlite3.connect(tmp_path / FILE)) as made:
        made.execute("PRAGMA user_version = 7")
    with pytest.raises(RatingError, match="has schema 7"):
        Store(tmp_path / FILE)
    (tmp_path / "other").write_bytes(b"no database" * 100)
    with pytest.raises(RatingError, match="cannot be opened"):
        Store(tmp_path / "other")


def test_the_folder_is_that_of_the_variable_or_beside_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("GANSR_CACHE", str(tmp_path / "weights"))
    monkeypatch.delenv("GANSR_DATA", raising=False)
    assert folder() == tmp_path / "gansr-data"
    monkeypatch.setenv("GANSR_DATA", str(tmp_path / "votes"))
    assert folder() == tmp_path / "votes" and folder().is_dir()
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GANSR_DATA", str(tmp_path / "file" / "votes"))
    with pytest.raises(RatingError, match="set GANSR_DATA"):
        folder()
