"""No acknowledged vote is lost when the process is killed, for a few rounds."""

from __future__ import annotations

from tests.attack import rating_kill9


def test_acknowledged_votes_are_there_after_a_kill(capsys):
    assert rating_kill9.main(["--count", "20", "--seed", "1"]) == 0
    assert "0 votes lost, 0 corrupt databases" in capsys.readouterr().out
