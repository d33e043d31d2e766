"""Fixtures of the tests of weights."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import tiny_weights


@pytest.fixture
def checkout(tmp_path, monkeypatch) -> Path:
    """A folder with an empty cache and a manifest of one entry, "tiny", which the user imports."""
    tiny_weights.isolate(tmp_path, monkeypatch)
    tiny_weights.write_manifest(tiny=tiny_weights.entry(tiny_weights.YOURS))
    return tmp_path
