"""The slow inputs: all of them are made and fed, in small; how long that takes is not looked at."""

from __future__ import annotations

import pytest

from tests.attack import slow_inputs


@pytest.mark.parametrize("name", slow_inputs.CASES)
def test_input_grows_as_it_is_asked_to_and_is_read_or_refused(name):
    parser, size, make = slow_inputs.CASES[name]
    small, large = make(size // 8), make(size // 4)
    assert len(large) > len(small)
    assert 0 < slow_inputs.seconds(slow_inputs.PARSERS[parser], small, 1) < float("inf")
