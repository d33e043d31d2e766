"""What a run will cost, below Run: before it is pressed, and again whenever a setting changes. Nothing is computed."""

from __future__ import annotations

from html import escape
from typing import Any

import gradio as gr
import torch

from gansr.backends import Estimate, quota
from gansr.job import Job
from gansr.method import Method
from gansr.options import options_of
from gansr.picture import Picture
from gansr.pipeline import USER_ERRORS
from gansr.progress import duration_text
from gansr.request import Request
from gansr.ui import render, service
from gansr.ui.request_controls import QUIET, RequestControls
from gansr.ui.visitors import visitor_of

USUAL_SIDE = 256  # px: of a method that takes any size, before there is a picture


def draw_cost(method: Method) -> gr.HTML:
    """The line, empty until `wire_cost`."""
    return gr.HTML(elem_id=f"{method.name}-cost", elem_classes="cost")


def wire_cost(controls: RequestControls, line: gr.HTML, ended: Any) -> None:
    """Fill `line` whenever a control changes what a run costs, when the page opens, and after a run (`ended`, its
    event): it has used some of the visitor's time."""
    decide = [
        controls.fields[name]
        for name, (described, _) in options_of(controls.method.options).items()
        if described.read is None
    ]
    others = [controls.picture, controls.fields["task"], controls.fields["large"]]

    def shown(asked: gr.Request | None, *values: Any) -> Any:
        try:
            picture, request = controls.request(values, painted=False)
            opened = None if picture is None else service.PIPELINE.inputs.open(picture)
            return cost_html(request, opened, asked)
        except USER_ERRORS:  # the preview says it
            return ""

    gr.on([made.change for made in (*others, *decide)], shown, controls.all(), line, **QUIET)  # type: ignore[attr-defined]
    ended.then(shown, controls.all(), line, **QUIET)


def cost_html(request: Request, picture: Picture | None, asked: gr.Request | None) -> str:
    """The line for a request. picture: what it is run on, if that is known already."""
    visitor, backend, method = visitor_of(asked), service.BACKEND, request.method
    if reason := backend.unavailable(method.name):
        text = f"{method.title} is not available now: {reason}. It is tried again every few minutes"
        return f'<p class="unavailable">{escape(render.sentence(text))}</p>'
    side = request.side
    height, width = (side, side) if side else _size(request, picture)
    low = torch.empty(0).expand(3, height, width) if not height else torch.empty(1).expand(3, height, width)
    _learn_quota(visitor.session, asked)
    estimate = backend.estimate(Job(method, low, request.options, owner=visitor.session))
    return f"<p>{escape(render.sentence(render.sentence_case(text)))}</p>" if (text := cost_text(estimate)) else ""


def cost_text(estimate: Estimate) -> str:
    """ "about 40 s here, 2 in the queue before you", or "about 18 s of GPU; you have about 2 min today"."""
    if estimate.seconds is None:
        return f"{estimate.waiting} in the queue before you" if estimate.waiting else ""
    about = duration_text(estimate.seconds)
    if estimate.left is None:
        queue = f", {estimate.waiting} in the queue before you" if estimate.waiting else ""
        return f"{about} here{queue}"
    if estimate.left < 1:
        return f"{about} of GPU; you have no more today"
    left = f"{about} of GPU; you have {duration_text(estimate.left)} today"
    return left if estimate.told else f"{left}, more if you are signed in to Hugging Face"


def _size(request: Request, picture: Picture | None) -> tuple[int, int]:
    """Height and width that the method will get, nearly: what is cut off for a factor is not looked at."""
    if picture is None:
        return USUAL_SIDE, USUAL_SIDE
    height, width = picture.rgb.shape[-2:]
    pixels = request.method.accepts.max_pixels
    factor = request.scale if request.known else 1
    height, width = max(1, height // factor), max(1, width // factor)
    if request.large != "keep" and height * width > pixels:
        shrink = (pixels / (height * width)) ** 0.5
        height, width = max(1, int(height * shrink)), max(1, int(width * shrink))
    return height, width
