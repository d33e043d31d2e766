"""The attack program runs, and its promise holds for a few rounds."""

from __future__ import annotations

from tests.attack import kill9


def test_the_next_start_works_after_a_kill(capsys):
    assert kill9.main(["--count", "3", "--seed", "1"]) == 0
    assert "3 of 3" in capsys.readouterr().out
