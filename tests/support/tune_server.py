"""The page with SRGAN's tab alone, whose fine-tuning loads no weights. Run by the tests in its own process. A
training of the variant mse ends after three steps; the others go on until they are stopped.
"""

# ruff: noqa: E402 — the methods are exchanged before the page reads them

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import gansr.metrics
import gansr.papers
from gansr.papers.srgan import SRGAN

assert SRGAN.fine_tune is not None
LIGHT = ("--from", "nothing", "--batch", "1", "--crop", "96")


def arguments(variant: str) -> tuple[str, ...]:
    """Of the training command."""
    return (*LIGHT, *(("--steps", "3") if variant == "mse" else ()))


TUNE = dataclasses.replace(
    SRGAN.fine_tune, variants={"mse": "Few steps", "srgan-mse": "Many"}, arguments=arguments
)
gansr.papers.METHODS = (dataclasses.replace(SRGAN, fine_tune=TUNE, warm_up=None),)
gansr.metrics.METRICS = tuple(metric for metric in gansr.metrics.METRICS if not metric.weights)

from gansr.ui import page, training_process
from gansr.ui.page import LAUNCH

training_process.NICE = 0  # on a busy machine a process of low priority may wait for minutes

page.build().launch(**{**LAUNCH, "server_name": "127.0.0.1", "_frontend": False})
