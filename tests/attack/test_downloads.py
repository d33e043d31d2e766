"""A small version of the attack on downloads: every fault, at three positions."""

from __future__ import annotations

import pytest

from tests.attack import downloads


@pytest.mark.parametrize("kind", ["hub", "registry"])
def test_a_broken_download_gives_the_right_file_or_an_error_and_leaves_nothing(kind, tmp_path, monkeypatch):
    said: list[str] = []
    counts = downloads.matrix(kind, 3, tmp_path, monkeypatch, said.append)
    assert said == []
    assert {fault for fault, found in counts.items() if found["file"]} >= {
        "fin",
        "rst",
        "stall",
        "flip",
        "500",
    }
    assert {fault for fault, found in counts.items() if found["error"]} == set(downloads.FAULTS)
