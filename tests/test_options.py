"""Options: what is checked at the edge, and in which words."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from gansr.options import OptionError, option, options_of, parse_options

DEEP: list = []
for _ in range(20_000):
    DEEP = [DEEP]


def _length(path: Path) -> int:
    return len(path.read_text())


@dataclass(frozen=True)
class Options:
    steps: int = option(100, "optimisation steps", min=1, max=2000)
    rate: float = option(0.5, "how fast", min=0, max=1, step=0.25)
    name: str = option("a", "which", choices=("a", "b"))
    live: bool = option(False, "whether")
    table: int | None = option(None, "a file", read=_length, suffixes=(".txt",))


def test_missing_options_take_their_defaults():
    assert parse_options(Options, {}) == Options(100, 0.5, "a", False, None)


def test_numbers_are_checked_and_given_their_type():
    options = parse_options(Options, {"steps": 7.0, "rate": 1})
    assert options.steps == 7 and isinstance(options.steps, int)
    assert options.rate == 1.0 and isinstance(options.rate, float)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"steps": None}, "steps is empty: a whole number from 1 to 2000 is needed"),
        ({"steps": float("nan")}, "steps must be a whole number from 1 to 2000"),
        ({"steps": float("inf")}, "steps must be"),
        ({"steps": 0}, "not 0"),
        ({"steps": 2001}, "not 2001"),
        ({"steps": 2.5}, "not 2.5"),
        ({"steps": "7"}, "steps must be"),
        ({"steps": True}, "steps must be"),
        ({"steps": [7]}, "steps must be"),
        ({"rate": 0.3}, "rate goes in steps of 0.25 from 0"),
        ({"steps": 10**400}, "steps must be a whole number from 1 to 2000, not one of so many digits"),
        ({"steps": 10**5000}, "steps must be"),
        ({"steps": 1e308}, "steps must be"),
        ({"live": DEEP}, "live must be true or false, not a list"),
        ({"name": DEEP}, "name must be one of a, b, not a list"),
        ({"x" * 10**6: 1}, "unknown option 'xxx"),
        ({"name": "c"}, "name must be one of a, b"),
        ({"name": ["a"]}, "name must be one of a, b"),
        ({"live": "yes"}, "live must be true or false"),
        ({"live": None}, "live is empty"),
        ({"colour": 1}, "unknown option 'colour'; there are: steps, rate, name, live, table"),
        ({"table": 3}, "table must be a file (.txt)"),
    ],
)
def test_a_bad_option_is_refused_in_words(values, words):
    with pytest.raises(OptionError) as refused:
        parse_options(Options, values)
    assert words in str(refused.value) and len(str(refused.value)) < 200


@dataclass(frozen=True)
class Unlimited:
    pixels: int = option(0, "how many")
    rate: float = option(0.0, "how fast")


@pytest.mark.parametrize(
    "value",
    [10**400, -(10**400), 10**5000, "x" * 10_000, [[10**5000]], {"a": "x" * 10_000}],
    ids=["400 digits", "minus 400 digits", "5000 digits", "text", "list", "mapping"],
)
def test_a_value_of_any_size_is_refused_in_a_short_text(value):
    for options in (Options, Unlimited):
        for name in options_of(options):
            with pytest.raises(OptionError) as refused:
                parse_options(options, {name: value} if name != "table" else {name: [value]})
            assert len(str(refused.value)) < 200
    with pytest.raises(OptionError) as refused:
        parse_options(Options, {"x" * 10_000: 1})
    assert len(str(refused.value)) < 200


def test_a_file_is_read_at_the_edge(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("four")
    assert parse_options(Options, {"table": str(path)}).table == 4
    assert parse_options(Options, {"table": None}).table is None


def test_knobs_keep_the_order_of_the_fields():
    assert list(options_of(Options)) == ["steps", "rate", "name", "live", "table"]
