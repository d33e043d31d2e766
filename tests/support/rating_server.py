"""The Rate tab alone, with a small set of pictures; votes go to $GANSR_DATA. Run by the tests in its own process."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import gradio as gr

from gansr.rating import catalogue
from gansr.ui import rate
from gansr.ui.handlers import guard
from gansr.ui.page import LAUNCH
from tests.support.rating_set import write

SET = write(Path(tempfile.mkdtemp()))
rate.read = lambda: catalogue.read(SET)

with gr.Blocks(analytics_enabled=False) as page, gr.Tabs(), gr.Tab("Rate", id="rate"):
    gr.HTML("<h1>gansr</h1>")
    rate.draw_rate()
guard(page)
page.queue(max_size=64)
page.launch(**{**LAUNCH, "server_name": "127.0.0.1", "_frontend": False})
