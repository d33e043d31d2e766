"""A tab's handler without a browser: for tests that call it directly."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr

from gansr.ui import tab
from gansr.ui.request_controls import Form, RequestControls
from gansr.ui.results import Results
from gansr.ui.run_state import RunState


@dataclass(frozen=True)
class Drawn:
    controls: RequestControls
    results: Results
    handler: Any
    values: dict[str, Any]  # name → what its control starts with

    def run(self, **changed: Any) -> Iterator[dict[Any, Any]]:
        """What a press of Run yields, with some controls changed."""
        named = self.values | changed
        return self.handler(RunState(), "", None, *(named[name] for name in self.controls.names()))


def drawn(method: Any) -> Drawn:
    async def made() -> tuple[Any, Any, Any]:  # in a running loop, or Gradio makes loops and leaves them open
        with gr.Blocks(analytics_enabled=False):
            form = Form(method)
            form.draw_first([])
            form.draw_masks()
            form.draw_settings()
            controls = form.wired()
            results = Results(method)
            return controls, results, tab.page_handler(controls, results)

    controls, results, run = asyncio.run(made())
    values = {name: control.value for name, control in zip(controls.names(), controls.all(), strict=True)}
    return Drawn(controls, results, run, values)
