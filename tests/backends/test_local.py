"""The start of the backend in this process."""

from __future__ import annotations

import os

import pytest

from gansr import papers, weights
from gansr.backends.local import Local
from gansr.engine import Engine
from gansr.weights import cache


@pytest.mark.parametrize("storable", [True, False])
def test_compiled_networks_are_kept_beside_the_weights_where_these_can_be_written(
    tmp_path, monkeypatch, storable
):
    monkeypatch.setenv("GANSR_CACHE", str(tmp_path))
    monkeypatch.delenv("GANSR_COMPILE", raising=False)
    monkeypatch.setattr(papers, "METHODS", ())
    monkeypatch.setattr(weights, "storable", lambda: storable)
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "")  # so that it is put back
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR")
    Local(Engine("cpu")).start()
    expected = str(tmp_path / "compiled") if storable else None
    assert os.environ.get("TORCHINDUCTOR_CACHE_DIR") == expected


def test_the_start_deletes_what_a_killed_download_left(tmp_path, monkeypatch):
    monkeypatch.setenv("GANSR_CACHE", str(tmp_path))
    monkeypatch.setenv("GANSR_COMPILE", "0")
    (cache.folder() / ".work-left").mkdir()
    Local(Engine("cpu")).start()
    assert not (tmp_path / ".work-left").exists()
