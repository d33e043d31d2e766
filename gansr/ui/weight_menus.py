"""Menus of weights: marked anew whenever a page opens; a choice that needs a file says so at once in the status."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.components import Component

from gansr import weights
from gansr.choices import menu, weight_choices
from gansr.method import Method
from gansr.options import Option, OptionError, options_of
from gansr.ui import render
from gansr.ui.request_controls import QUIET, RequestControls
from gansr.ui.run_state import CHOOSE, RunState


@dataclass(frozen=True)
class WeightMenu:
    """The control of an option that names weights."""

    component: Component
    method: Method
    name: str
    described: Option

    def updated(self) -> Any:
        """Its choices as they stand now, where a download since the page was built has made one ready."""
        now = menu(self.described, weight_choices(self.method, self.name))
        return gr.skip() if now == self.component.choices else gr.update(choices=now)  # type: ignore[attr-defined]


def weight_menus(controls: RequestControls) -> list[WeightMenu]:
    """Those of a tab."""
    method = controls.method
    return [
        WeightMenu(controls.fields[name], method, name, described)
        for name, (described, _) in options_of(method.options).items()
        if weight_choices(method, name)
    ]


def warn_of_missing_files(controls: RequestControls, state: gr.State, status: gr.HTML) -> None:
    """Say in `status`, as soon as a choice is made, which file it needs and what to do; and take that back when another
    choice is made. The picture and numbers do not decide which weights are loaded."""
    deciding = [
        controls.fields[name]
        for name, (described, _) in options_of(controls.method.options).items()
        if described.choices is not None
    ]
    warned = gr.State(False)

    def check(state: RunState, before: bool, *values: Any) -> tuple[Any, Any]:
        try:
            picture, request = controls.request(values, painted=False)
        except OptionError:  # the preview says it
            return gr.skip(), gr.skip()
        missing = weights.missing_file(request.weights.values())
        if state.running or not (missing or before):
            return gr.skip(), gr.skip()
        return render.message(missing or (CHOOSE if picture is None else "Press Run.")), bool(missing)

    if weight_menus(controls):
        gr.on(
            [made.change for made in deciding],  # type: ignore[attr-defined]
            check,
            [state, warned, *controls.all()],
            [status, warned],
            **QUIET,
        )
