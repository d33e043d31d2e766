"""Every vote of many users at once is there; how fast is printed, not tested."""

from __future__ import annotations

from tests.attack import rating_speed


def test_every_vote_of_users_at_once_is_there(capsys):
    assert rating_speed.main(["--votes", "160", "--clients", "8"]) == 0
    assert "160 votes of 8 users" in capsys.readouterr().out
