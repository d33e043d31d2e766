"""What the page runs its requests with: one pipeline for the process."""

from __future__ import annotations

from gansr import backends
from gansr.pipeline import Pipeline

BACKEND, ENGINE = backends.chosen()
PIPELINE = Pipeline(ENGINE, BACKEND)  # handlers look it up here at each call
