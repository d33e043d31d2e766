"""The program runs, and says so where its promise is broken."""

from __future__ import annotations

import sys

import pytest

from tests.attack import open_memory

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")


def test_it_prints_a_row_a_format(capsys, monkeypatch):
    arguments = ["--only", "png 16-bit rgba", "--pixels", "40000"]
    assert open_memory.main(arguments) == 0
    assert "png 16-bit rgba" in capsys.readouterr().out
    monkeypatch.setattr(
        open_memory, "MOST", -1e12
    )  # so small a picture may fit into what the process has already
    assert open_memory.main(arguments) == 1
