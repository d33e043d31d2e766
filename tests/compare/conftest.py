"""Comparisons run on fakes, with the metrics that need no weights."""

from __future__ import annotations

from typing import Any

import pytest

from gansr import metrics
from tests.support.comparing import FAKES


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> tuple[Any, ...]:
    """The fakes as the methods, and only the metrics that need no weights."""
    monkeypatch.setattr("gansr.papers.METHODS", FAKES)
    monkeypatch.setattr("gansr.metrics.METRICS", tuple(m for m in metrics.METRICS if not m.weights))
    return FAKES
