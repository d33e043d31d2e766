"""The tabs of methods that need no weights: one that works, one whose every second run breaks, and one that runs until
it is stopped. Run by the tests in its own process.
"""

# ruff: noqa: E402 — the methods are exchanged before the page reads them

from __future__ import annotations

import dataclasses
import itertools
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch
from torch import Tensor

import gansr.metrics
import gansr.papers
from gansr.method import Accepts, Cost, Frame, Nets
from tests.support.fakes import FAKE, Options


def endless(low: Tensor, options: Options, nets: Nets, generator: torch.Generator) -> Iterator[Frame]:
    """Steps of the negative."""
    image, pause = low.repeat_interleave(2, 1).repeat_interleave(2, 2), threading.Event()
    for step in range(1, 100_001):
        pause.wait(0.02)
        yield Frame(1 - image, step, 100_000)


def fickle(low: Tensor, options: Options, nets: Nets, generator: torch.Generator) -> Iterator[Frame]:
    """Its second run breaks at step 3, and its fourth, and so on."""
    broken = next(RUNS) % 2 == 1
    yield from FAKE.run(low, Options(break_at=3 if broken else 0, kind="refuse"), nets, generator)


def named(name: str, **changes: object):
    return dataclasses.replace(FAKE, name=name, title=name.capitalize(), **changes)  # type: ignore[arg-type]


RUNS = itertools.count()
WIDE = Accepts(min_side=4, max_pixels=1_000_000)
WORKS = named("works", accepts=WIDE)
FICKLE = named("fickle", accepts=WIDE, run=fickle)
ENDLESS = named("endless", accepts=WIDE, run=endless, cost=lambda height, width, options: Cost(1e15, 1e6))
gansr.papers.METHODS = (WORKS, FICKLE, ENDLESS)
gansr.metrics.METRICS = tuple(metric for metric in gansr.metrics.METRICS if not metric.weights)[:2]

import gradio as gr

from gansr.ui import kept_runs, listeners

listeners.PATIENCE = float(os.environ.get("PATIENCE", listeners.PATIENCE))  # seconds
kept_runs.KEEP = float(os.environ.get("KEEP", kept_runs.KEEP))

from gansr.ui.address import connect_address, draw_note
from gansr.ui.handlers import guard
from gansr.ui.page import LAUNCH
from gansr.ui.tab import draw_tab

with gr.Blocks(analytics_enabled=False) as page:
    note = draw_note()
    with gr.Tabs() as tabs:
        parts = []
        for method in gansr.papers.METHODS:
            with gr.Tab(method.title, id=method.name):
                parts.append(draw_tab(method, []).controls.addressed())
    connect_address(page, tabs, note, parts)
guard(page)
page.queue(max_size=64)
page.launch(**{**LAUNCH, "server_name": "127.0.0.1", "_frontend": False})
