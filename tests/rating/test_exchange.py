"""Votes as files: there and back, merged without doubles, and nothing of a wrong file."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from gansr.rating import RatingError
from gansr.rating.exchange import jsonl, merge, read_lines, table
from gansr.rating.storage import Store
from gansr.rating.vote import NAMES, as_plain
from tests.support.raters import vote


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[list[Store]]:
    made = [Store(tmp_path / f"{number}.sqlite3") for number in range(2)]
    yield made
    for each in made:
        each.close()


def filled(store: Store, numbers: range) -> None:
    for number in numbers:
        store.add(vote(uuid=f"{number:032x}", session=f"{number:064x}"))


def test_an_export_is_read_back_and_reading_it_again_adds_nothing(stores: list[Store]):
    filled(stores[0], range(5))
    stores[0].delete([f"{3:032x}"])
    stores[0].describe({"m0": {"title": "M0", "about": {}}}, {})
    text = jsonl(stores[0]).splitlines()
    assert read_lines(text, stores[1]) == 4
    assert read_lines(text, stores[1]) == 0
    assert stores[1].votes() == stores[0].votes()
    assert stores[1].deleted() == stores[0].deleted() and stores[1].entries() == stores[0].entries()


def test_replicas_are_merged_and_a_vote_deleted_in_one_is_deleted_in_both(stores: list[Store]):
    filled(stores[0], range(6))
    filled(stores[1], range(4, 9))
    stores[1].delete([f"{5:032x}"])
    assert merge(stores[1].path, stores[0]) == 3
    assert {one.uuid for one in stores[0].votes()} == {f"{n:032x}" for n in (0, 1, 2, 3, 4, 6, 7, 8)}


def test_a_database_that_is_not_there_is_not_made(stores: list[Store], tmp_path: Path):
    with pytest.raises(RatingError, match="there is no file"):
        merge(tmp_path / "none.sqlite3", stores[0])
    assert not (tmp_path / "none.sqlite3").exists()


@pytest.mark.parametrize(
    "line",
    [
        "no json",
        "[]",
        "{}",
        '{"type": "other"}',
        '{"type": "deleted", "uuid": 5}',
        *(
            json.dumps({"type": "vote", **as_plain(vote()), **wrong})
            for wrong in (
                {"uuid": "x"}, {"session": "a"}, {"answer": "best"}, {"answer": 3}, {"question": "why"}, {"role": "x"},
                {"day": "today"}, {"number": -1}, {"number": "1"}, {"right": "m0"}, {"picture": "../p"}, {"right": ""},
                {"question": "quality", "answer": "3"},
            )
        ),
    ],
)  # fmt: skip
def test_a_wrong_line_is_named_and_nothing_of_its_file_is_added(stores: list[Store], line: str):
    good = json.dumps({"type": "vote", **as_plain(vote())})
    with pytest.raises(RatingError, match="line 2 is no line of an export"):
        read_lines([good, line], stores[0])
    assert stores[0].votes() == []


def test_a_viewing_time_that_is_no_number_counts_as_none(stores: list[Store]):
    for seconds, kept in ((-1, 0.0), (float("nan"), 0.0), (1e9, 3600.0), ("x", 0.0), (True, 0.0)):
        line = json.dumps({"type": "vote", **as_plain(vote()), "seconds": seconds})
        read_lines([line], stores[0])
        assert stores[0].votes()[0].seconds == kept
        stores[0]._wait(lambda: stores[0]._writer.execute("DELETE FROM vote"))


def test_the_table_has_a_column_for_each_field(stores: list[Store]):
    filled(stores[0], range(2))
    rows = list(csv.DictReader(io.StringIO(table(stores[0].votes()))))
    assert len(rows) == 2 and tuple(rows[0]) == NAMES and rows[1]["uuid"] == f"{1:032x}"


def test_a_picture_whose_metrics_are_no_numbers_is_left_out(stores: list[Store]):
    about = {"type": "picture", "title": "A", "class": "face", "problem": ""}
    good = {**about, "id": "p0", "metrics": {"m0": {"niqe": 4.5}}}
    bad = {**about, "id": "p1", "metrics": {"m0": {"niqe": "low"}}}
    read_lines([json.dumps(good), json.dumps(bad)], stores[0])
    assert list(stores[0].pictures()) == ["p0"]
