"""What the page runs its requests with: one pipeline for the process, and who listens and who runs."""

from __future__ import annotations

from gansr import backends
from gansr.inputs import DETECTOR, Inputs
from gansr.pipeline import RESTARTS, Pipeline
from gansr.ui import files
from gansr.ui.kept_runs import KeptRuns
from gansr.ui.listeners import Listeners
from gansr.ui.visitors import Visitors

BACKEND, ENGINE = backends.chosen()
INPUTS = Inputs(lambda: ENGINE.net(DETECTOR), is_upload=files.is_upload)
PIPELINE = Pipeline(ENGINE, BACKEND, INPUTS)  # handlers look it up here at each call
LISTENERS = Listeners()
VISITORS = Visitors()
RUNS = KeptRuns()


def drain() -> None:
    """Refuse new runs, tell those that wait, end those that are paused, and the running one with its best so far."""
    VISITORS.close(RESTARTS)
    RUNS.close(RESTARTS)
    PIPELINE.drain()
