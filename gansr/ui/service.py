"""What the page runs its requests with: one pipeline for the process, and who listens and who runs."""

from __future__ import annotations

from gansr import backends
from gansr.pipeline import RESTARTS, Pipeline
from gansr.ui.listeners import Listeners
from gansr.ui.visitors import Visitors

BACKEND, ENGINE = backends.chosen()
PIPELINE = Pipeline(ENGINE, BACKEND)  # handlers look it up here at each call
LISTENERS = Listeners()
VISITORS = Visitors()


def drain() -> None:
    """Refuse new runs, tell those that wait, and end the running one with its best so far."""
    VISITORS.close(RESTARTS)
    PIPELINE.drain()
