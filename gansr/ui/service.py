"""What the page runs its requests with: one pipeline for the process, and who listens and who runs."""

from __future__ import annotations

from gansr import backends, papers
from gansr.inputs import DETECTOR, Inputs
from gansr.method import Method
from gansr.pipeline import RESTARTS, Pipeline
from gansr.ui import files
from gansr.ui.kept_runs import KeptRuns
from gansr.ui.listeners import Listeners
from gansr.ui.training_process import Slot
from gansr.ui.visitors import Visitors

BACKEND, ENGINE = backends.chosen()
INPUTS = Inputs(lambda: ENGINE.net(DETECTOR), is_upload=files.is_upload)
PIPELINE = Pipeline(ENGINE, BACKEND, INPUTS)  # handlers look it up here at each call
LISTENERS = Listeners()
VISITORS = Visitors()
RUNS = KeptRuns()
TRAINING = Slot()


def drain() -> None:
    """Refuse new runs, tell those that wait, end those that are paused, and the running one with its best so far."""
    VISITORS.close(RESTARTS)
    RUNS.close(RESTARTS)
    TRAINING.close(RESTARTS)
    PIPELINE.drain()


def problems() -> list[str]:
    """Why the page is not ready: it ends, or a paper cannot run. Empty where all can."""
    if PIPELINE.draining:
        return [RESTARTS]
    return [text for method in papers.METHODS if (text := unavailable(method))]


def unavailable(method: Method) -> str:
    """Why a paper cannot run now, as the page says it; empty where it can."""
    reason = BACKEND.unavailable(method.name)
    return f"{method.title} is not available now: {reason}" if reason else ""
