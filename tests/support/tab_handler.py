"""A tab's handler without a browser: what test_doorways and test_space call."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr

from gansr.ui import tab
from gansr.ui.run_state import RunState


@dataclass(frozen=True)
class Drawn:
    inputs: tab.Inputs
    outputs: tab._Outputs
    handler: Any
    values: dict[str, Any]  # name → what its control starts with

    def run(self, **changed: Any) -> Iterator[dict[Any, Any]]:
        """What a press of Run yields, with some controls changed."""
        named = self.values | changed
        return self.handler(RunState(), *(named[name] for name in self.inputs.names()))


def drawn(method: Any) -> Drawn:
    async def draw() -> tuple[Any, Any, Any]:  # in a running loop, or Gradio makes loops and leaves them open
        with gr.Blocks(analytics_enabled=False):
            inputs, *_ = tab._draw_inputs(method, [])
            outputs = tab._Outputs(method)
            return inputs, outputs, tab._page_handler(method, inputs, outputs)

    inputs, outputs, run = asyncio.run(draw())
    values = {name: control.value for name, control in zip(inputs.names(), inputs.all(), strict=True)}
    return Drawn(inputs, outputs, run, values)
