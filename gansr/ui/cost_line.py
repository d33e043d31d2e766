"""What a run will cost, below Run: before it is pressed, and again when settings have changed. Nothing is computed."""

from __future__ import annotations

from html import escape
from typing import Any

import gradio as gr
import torch

from gansr.backends.estimate import Estimate
from gansr.job import Job
from gansr.method import Method
from gansr.picture import Picture
from gansr.pipeline import USER_ERRORS
from gansr.progress import duration_text
from gansr.request import Request, decode
from gansr.ui import render, service
from gansr.ui.request_controls import LOOK, RequestControls
from gansr.ui.visitors import visitor_of

USUAL_SIDE = 256  # px: of a method that takes any size, before there is a picture


def draw_cost(method: Method) -> gr.HTML:
    """The line, for the usual settings."""
    usual = cost_html(decode(method, {}), None, None)
    return gr.HTML(usual, elem_id=f"{method.name}-cost", elem_classes="cost")


def wire_cost(controls: RequestControls, line: gr.HTML, ended: Any) -> None:
    """Fill `line` when controls have changed and rest, and after a run, whose event is `ended`: it has used some of the
    visitor's time."""

    def shown(asked: gr.Request | None, *values: Any) -> Any:
        try:
            picture, request = controls.request(values, painted=False)
            opened = None if picture is None else service.PIPELINE.inputs.open(picture)
            return cost_html(request, opened, asked)
        except USER_ERRORS:  # the preview says it
            return ""

    # In the queue: where Gradio refuses a value, such as a seed that is too large, the answer without it is status 500.
    controls.rested.click(shown, controls.all(), line, **LOOK)
    ended.then(shown, controls.all(), line, **LOOK)


def cost_html(request: Request, picture: Picture | None, asked: gr.Request | None) -> str:
    """The line for a request. picture: what it is run on, if that is known already."""
    visitor, backend, method = visitor_of(asked), service.BACKEND, request.method
    if reason := backend.unavailable(method.name):
        text = f"{method.title} is not available now: {reason}. It is tried again every few minutes"
        return f'<p class="unavailable">{escape(render.sentence(text))}</p>'
    side = request.side
    height, width = (side, side) if side else _size(request, picture)
    low = torch.zeros(1).expand(3, height, width)  # of that size, without its memory
    job = Job(method, low, request.options, owner=visitor.session)
    found = backend.estimate(job, _token(asked))
    if found.seconds is not None:
        found = found._replace(seconds=found.seconds * (1 + len(request.faulty)))
    return estimate_html(found)


def estimate_html(estimate: Estimate | None) -> str:
    """An estimate as a paragraph; nothing where nothing is known."""
    text = "" if estimate is None else cost_text(estimate)
    return f"<p>{escape(render.sentence(render.sentence_case(text)))}</p>" if text else ""


def cost_text(estimate: Estimate) -> str:
    """ "about 40 s here, 2 in the queue before you", or "about 18 s of GPU; you have about 2 min today"."""
    parts: list[str] = []
    if estimate.seconds is not None:
        about = duration_text(estimate.seconds)
        parts += [f"{about} here" if estimate.left is None else f"{about} of GPU"]
    if estimate.waiting:
        parts += [f"{estimate.waiting} in the queue before you"]
    text = ", ".join(parts)
    if estimate.left is None:
        return text
    more = "" if estimate.told else ", more if you are signed in to Hugging Face"
    left = (
        f"you have {duration_text(estimate.left)} today" if estimate.left >= 1 else "you have none left today"
    )
    return f"{text}; {left}{more}"


def _token(asked: gr.Request | None) -> str:
    """The visitor's Hub token, where a program sends one; a browser sends none, even if the visitor is signed in."""
    kind, _, token = str(getattr(asked, "headers", {}).get("authorization", "")).partition(" ")
    return token if kind.lower() == "bearer" and token.startswith("hf_") else ""


def _size(request: Request, picture: Picture | None) -> tuple[int, int]:
    """Height and width that the method will get, nearly: what is cut off for a factor is not looked at."""
    if picture is None:
        return USUAL_SIDE, USUAL_SIDE
    height, width = picture.rgb.shape[-2:]
    pixels = request.method.accepts.most_pixels(request.options)
    factor = request.scale if request.known else 1
    height, width = max(1, height // factor), max(1, width // factor)
    if request.large != "keep" and height * width > pixels:
        shrink = (pixels / (height * width)) ** 0.5
        height, width = max(1, int(height * shrink)), max(1, int(width * shrink))
    return height, width
