"""Owners in rotation, by hand."""

from __future__ import annotations

import pytest

from gansr.rotation import Rotation


def waiting(*items: str) -> Rotation[str]:
    """Items "a1", "b1", … of the owners "a", "b"."""
    made = Rotation[str]()
    for item in items:
        made.append(item[0], item)
    return made


def test_iterating_gives_the_order_in_which_items_are_taken():
    made = waiting("a1", "a2", "a3", "b1", "c1", "b2")
    expected = ["a1", "b1", "c1", "a2", "b2", "a3"]
    assert list(made) == expected and len(made) == 6
    assert [made.take() for _ in range(6)] == expected and not made


def test_an_owner_may_be_named_and_goes_to_the_end():
    made = waiting("a1", "b1", "b2")
    assert made.take("b") == "b1" and list(made) == ["a1", "b2"]
    with pytest.raises(KeyError):
        made.take("z")


def test_who_is_put_first_is_before_all_others():
    made = waiting("a1", "b1")
    made.append_first("b", "b0")
    assert list(made) == ["b0", "a1", "b1"] and list(made.heads()) == [("b", "b0"), ("a", "a1")]


def test_who_leaves_is_forgotten_and_a_stranger_changes_nothing():
    made = waiting("a1", "a2", "b1")
    made.remove("a", "a2")
    made.remove("a", "x")
    made.remove("z", "x")
    assert list(made) == ["a1", "b1"]
    made.clear()
    assert list(made) == [] == list(made.heads())
