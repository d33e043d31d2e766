"""The end of the server, once."""

from __future__ import annotations

from tests.attack import sigterm


def test_a_server_with_a_run_and_three_that_wait_ends_in_good_order():
    (end,) = sigterm.ends(count=1, seed=0)
    assert not end.wrong
    assert end.results + end.told == 4 and end.told >= 3
