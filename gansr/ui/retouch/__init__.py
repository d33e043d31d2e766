"""Retouching: paint on the small picture that the method reads, and see the large one follow (an application that
GLEAN's paper shows).

The painted picture becomes the tab's picture, and runs as an upload of the method's size does. So the receipt, the
measures and what the command and the API make of the file are those of the painted picture, and the unpainted one is
not its truth. A method that computes one pass runs by itself after each stroke.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gradio as gr

from gansr.method import Method
from gansr.options import OptionError
from gansr.picture import to_png
from gansr.ui import files, render, service
from gansr.ui.component import component
from gansr.ui.controls import HIDDEN, bytes_of_data_url
from gansr.ui.handlers import text_of
from gansr.ui.request_controls import LOOK, QUIET, RequestControls

HERE = Path(__file__).parent
RETOUCHED = "retouched by hand"  # the notice of a painted picture, which its receipt records
_serial = itertools.count(1)


@dataclass(frozen=True)
class Retouched:
    """What is painted on in one tab; kept in the user's session. Empty where nothing is."""

    original: str = ""  # path of the picture that was there before
    task: str = ""  # and its task
    side: int = 0  # px of the small picture
    painted: str = ""  # path of the last painted picture


@dataclass(frozen=True)
class Retouching:
    """The button that opens the small picture, and the component to paint on."""

    button: gr.Button
    canvas: gr.HTML


def draw_button(method: Method) -> gr.Button:
    """Shown while there is a picture."""
    return gr.Button("Retouch", visible=HIDDEN, min_width=80, elem_id=f"{method.name}-retouch")


def draw_canvas(method: Method, button: gr.Button) -> Retouching:
    """Where to paint; hidden until `button` is pressed. A stroke raises `select` with `{"url": …}`, the painted picture
    as the `data:` URL of a PNG; “Back to the original” raises it with `{"back": true}`."""
    canvas = component({}, HERE / "retouch", ("retouch.js",), f"{method.name}-retouching")
    canvas.visible = HIDDEN
    return Retouching(button, canvas)


def wire_retouch(controls: RequestControls, drawn: Retouching, status: gr.HTML) -> None:
    """Open the small picture, take what is painted as the picture, close where another picture or size is chosen."""
    state = gr.State(Retouched())
    picture, task = controls.picture, controls.fields["task"]

    def opened(*values: Any) -> dict[Any, Any]:
        source, request = controls.request(values, painted=False)
        if source is None:
            return {drawn.canvas: gr.skip()}
        small = service.PIPELINE.inputs.make(source, request).for_method
        shown = {"serial": next(_serial), "picture": render.data_uri(small), "side": small.shape[-1]}
        path = source if isinstance(source, str) else files.save(source, "picture")
        return {
            drawn.canvas: gr.update(value=shown, visible=True),
            state: Retouched(path, request.task, small.shape[-1]),
        }

    def stroke(event: gr.EventData, kept: Retouched) -> dict[Any, Any]:
        if not kept.original:
            return {status: gr.skip()}
        if url := text_of(event, "url"):
            path = painted(url, kept.side)
            return {state: replace(kept, painted=path), picture: path, task: "enlarge"}
        return {state: replace(kept, painted=""), picture: kept.original, task: kept.task}

    def changed(kept: Retouched, *values: Any) -> dict[Any, Any]:
        source = values[0]
        button = {drawn.button: gr.update(visible=source is not None or HIDDEN)}
        if fits(kept, controls, values):
            return button
        return button | {drawn.canvas: gr.update(visible=HIDDEN), state: Retouched()}

    drawn.button.click(opened, controls.all(), [drawn.canvas, state], **LOOK)
    outputs = [state, picture, task, status]
    sent = drawn.canvas.select(stroke, state, outputs, **LOOK)
    if runs_at_once(controls.method):
        sent.success(None, None, None, js=pressing_when_possible(f"{controls.method.name}-run"), **QUIET)
    gr.on(
        [control.change for control in controls.change_input()],  # type: ignore[attr-defined]
        changed,
        [state, *controls.all()],
        [drawn.button, drawn.canvas, state],
        **QUIET,
    )


def painted(url: str, side: int) -> str:
    """The path of a painted picture, a PNG of ours. It was sent by anybody: it is opened as an upload is. Raises
    gr.Error for a `data:` URL that is none, PictureError for what is no picture, OptionError for another size."""
    if not url.startswith("data:"):
        raise OptionError("the painted picture is missing")
    found = service.PIPELINE.inputs.open(bytes_of_data_url(url))
    height, width = found.rgb.shape[-2:]
    if (height, width) != (side, side):
        raise OptionError(f"the painted picture must have {side}×{side} px, not {width}×{height}")
    path = files.save(to_png(found.rgb), "retouched.png")
    service.PIPELINE.inputs.stands_for(path, (RETOUCHED,))
    return path


def fits(kept: Retouched, controls: RequestControls, values: Sequence[Any]) -> bool:
    """Whether the controls have what is painted on: its original, or what was painted last, at its size."""
    if not kept.original or values[0] not in (kept.original, kept.painted):
        return False
    try:
        _, request = controls.request(values, painted=False)
    except OptionError:  # the preview says it
        return False
    return request.side == kept.side and not (values[0] == kept.painted and request.known)


def runs_at_once(method: Method) -> bool:
    """Whether a run is a single pass, short enough to begin by itself."""
    options = method.options()
    assert method.accepts.side is not None
    side = method.accepts.side(options)
    return not method.cost(side, side, options).steps


def pressing_when_possible(elem_id: str) -> str:
    """JavaScript that presses the button of this id as soon as it can be pressed: after the run that goes on."""
    return f"""() => {{
        const button = document.getElementById({json.dumps(elem_id)});
        const press = () => button.disabled ? button.waits = setTimeout(press, 100) : button.click();
        clearTimeout(button.waits);
        press();
        return [];
    }}"""
