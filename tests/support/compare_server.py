"""The Compare tab alone, with methods that need no weights: one that works, one that breaks, one that wants a
square of its own, and one that runs until it is stopped. Run by the tests in its own process.
"""

# ruff: noqa: E402 — the methods are exchanged before the page reads them

from __future__ import annotations

import dataclasses
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch
from torch import Tensor

import gansr.gallery
import gansr.metrics
import gansr.papers
from gansr.method import Accepts, Cost, Frame, Nets
from tests.support.fakes import FAKE, Options


def endless(low: Tensor, options: Options, nets: Nets, generator: torch.Generator) -> Iterator[Frame]:
    image, pause = low.repeat_interleave(2, 1).repeat_interleave(2, 2), threading.Event()
    for step in range(1, 100_001):
        pause.wait(0.02)
        yield Frame(image, step, 100_000)


def named(name: str, **changes: object):
    return dataclasses.replace(FAKE, name=name, title=name.capitalize(), **changes)  # type: ignore[arg-type]


WORKS = named("works")
BREAKS = named("breaks", presets={"Quick": {"steps": 5, "break_at": 3, "kind": "refuse"}})
WIDE = named("wide", accepts=Accepts(min_side=200, max_pixels=10_000_000))
ENDLESS = named("endless", run=endless, cost=lambda height, width, options: Cost(1e15, 1e6))
SQUARE = named("square", accepts=Accepts(side=lambda options: 16))
NEEDY = named("needy", accepts=Accepts(min_side=24))
gansr.gallery.GALLERY = Path("none")  # its results are of other methods
gansr.papers.METHODS = (BREAKS, WORKS, WIDE, ENDLESS, SQUARE, NEEDY)
gansr.metrics.METRICS = tuple(metric for metric in gansr.metrics.METRICS if not metric.weights)

import gradio as gr

from gansr.ui.address import connect_address, draw_note
from gansr.ui.compare import draw_compare
from gansr.ui.handlers import guard
from gansr.ui.page import LAUNCH
from gansr.ui.tab_links import link_comparison

with gr.Blocks(analytics_enabled=False) as page:
    note = draw_note()
    with gr.Tabs() as tabs:
        with gr.Tab("First", id="about"):
            gr.HTML("the first tab")
        with gr.Tab("Compare", id="compare"):
            drawn = draw_compare()
            link_comparison(drawn)
    connect_address(page, tabs, note, [drawn.addressed()])
guard(page)
page.queue(max_size=64)
page.launch(**{**LAUNCH, "server_name": "127.0.0.1", "_frontend": False})
