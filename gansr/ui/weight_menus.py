"""Menus of weights: marked anew whenever a page opens; a choice says at once what has to be downloaded or imported.

On a Space only its owner can import files: choices that need one are left out until “more choices” is ticked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.components import Component

from gansr import weights
from gansr.choices import menu, offered, on_a_space, weight_choices
from gansr.method import Method
from gansr.options import Option, OptionError, options_of
from gansr.ui import render
from gansr.ui.request_controls import QUIET, RequestControls
from gansr.ui.run_state import CHOOSE, RunState


@dataclass(frozen=True)
class WeightMenu:
    """The control of an option that names weights."""

    component: Component
    more: Component  # whether choices that need a file are listed on a Space
    method: Method
    name: str
    described: Option

    def updated(self, chosen: Any, more: Any = False) -> Any:
        """Its choices as they stand now, where they differ from those that the page was built with: a download has made
        one ready, or `more` are not asked for."""
        standing = weight_choices(self.method, self.name)
        if on_a_space() and not more:
            standing = offered(standing, str(chosen))
        now = menu(self.described, standing)
        listed = now == self.component.choices and not on_a_space()  # type: ignore[attr-defined]
        return gr.skip() if listed else gr.update(choices=now)


def weight_menus(controls: RequestControls) -> list[WeightMenu]:
    """Those of a tab."""
    method = controls.method
    return [
        WeightMenu(controls.fields[name], controls.more[name], method, name, described)
        for name, (described, _) in options_of(method.options).items()
        if name in controls.more
    ]


def wire_more(controls: RequestControls) -> None:
    """List all choices where they are asked for, or where one that is not listed was set: by an address or a result."""
    for each in weight_menus(controls):
        if on_a_space():
            gr.on(
                [each.more.change, each.component.change],  # type: ignore[attr-defined]
                each.updated,
                [each.component, each.more],
                each.component,
                **QUIET,
            )


def warn_of_missing_weights(controls: RequestControls, state: gr.State, status: gr.HTML) -> None:
    """Say in `status`, as soon as a choice is made, which file it needs and what to do, or what a run downloads first
    under which licence; and take that back when another choice is made. The picture and numbers do not decide which
    weights are loaded."""
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
        names = tuple(request.weights.values())
        missing, download = weights.missing_file(names), weights.download_note(names)
        if state.running or not (missing or download or before):
            return gr.skip(), gr.skip()
        todo = CHOOSE if picture is None else "Press Run."
        return render.message(missing or f"{todo} {download}".strip()), bool(missing or download)

    if weight_menus(controls):
        gr.on(
            [made.change for made in deciding],  # type: ignore[attr-defined]
            check,
            [state, warned, *controls.all()],
            [status, warned],
            **QUIET,
        )
