"""The program runs, says so where its promise is broken, and memory does not grow with the number of threads."""

from __future__ import annotations

import sys

import pytest

from tests.attack import parallel_opens

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")


def test_it_prints_its_figures(capsys, monkeypatch):
    arguments = ["--count", "4", "--side", "256"]
    assert parallel_opens.main(arguments) == 0
    assert "growth" in capsys.readouterr().out
    monkeypatch.setattr(parallel_opens, "MOST", 1.0)
    assert parallel_opens.main(arguments) == 1
