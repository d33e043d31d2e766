"""A knob → its control; and the picture input, which hands the file over unopened."""

from __future__ import annotations

import base64
import binascii
import dataclasses
from typing import Any

import gradio as gr
import torch
from gradio.components import Component
from torch import Tensor

from gansr.options import Option, options_of
from gansr.picture import PictureError, open_picture

# Hidden, yet in the page: what Gradio draws only when it is first shown can miss the value given with that.
HIDDEN = "hidden"


def picture_input(**given: Any) -> gr.Image:
    """An image input that gives the uploaded file's path, or the bytes of a `data:` address, unopened.

    Gradio's own preprocessing opens the file with Pillow before any check: an unreadable picture then ends in a
    bare "Error", sixteen bits, alpha and EXIF are lost, and a decompression bomb is decoded. (Overridden on the
    instance: for a subclass Gradio writes a .pyi file beside the source.)
    """
    image = gr.Image(sources=["upload", "clipboard"], type="filepath", format="png", buttons=[], **given)
    image.preprocess = _unopened  # type: ignore[method-assign]
    return image


def _unopened(payload: Any) -> str | bytes | None:
    if payload is None:
        return None
    if payload.url and payload.url.startswith("data:"):
        return _data_url(payload.url)
    return payload.path


def _data_url(url: str) -> bytes:
    head, _, body = url.partition(",")
    if not head.endswith(";base64"):
        raise gr.Error("a data: address must hold a picture in base64; upload the file instead")
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error:
        raise gr.Error(str(PictureError("the file is damaged: its data: address is not base64"))) from None


def title_of(name: str, knob: Option) -> str:
    words = name.replace("_", " ")
    return knob.title or words[:1].upper() + words[1:]


def control(name: str, knob: Option, default: Any) -> Component:
    """The control of one knob: label, one-line explanation, range, default."""
    named: dict[str, Any] = {"label": title_of(name, knob)}
    if knob.paint:
        return painted(named["label"], knob.help)
    if knob.read is not None:
        return gr.File(
            label=f"{named['label']} — {knob.help}", file_types=list(knob.suffixes), type="filepath"
        )
    named |= {"info": knob.help, "value": default}
    if isinstance(default, bool):
        return gr.Checkbox(**named)
    if knob.choices is not None:
        if len(knob.choices) <= 4 and sum(map(len, knob.choices)) < 40:
            return gr.Radio(list(knob.choices), **named)
        return gr.Dropdown(list(knob.choices), **named)
    if isinstance(default, (int, float)):
        if knob.min is None or knob.max is None:
            return gr.Number(precision=0 if isinstance(default, int) else None, **named)
        step = knob.step or (1 if isinstance(default, int) else (knob.max - knob.min) / 100)
        # a slider of no declared step may hold any value in its range; the step is the handle's only
        return gr.Slider(knob.min, knob.max, step=step, **named)
    return gr.Textbox(max_length=200, **named)


def painted(label: str, help: str) -> gr.ImageEditor:
    """A mask painted in white over what the method gets, which the tab puts there; or a mask uploaded instead."""
    return gr.ImageEditor(
        label=f"{label} — {help}",
        type="filepath",
        format="png",
        sources=("upload",),
        transforms=(),
        brush=gr.Brush(default_size=24, colors=["#ffffff"], default_color="#ffffff", color_mode="fixed"),
        layers=False,
        height=360,
        buttons=[],
    )


def mask_of(edited: Any) -> Tensor | str | None:
    """What was painted, (1,H,W) with 1 where there is paint; an uploaded mask's path; nothing if neither.

    `edited` is the editor's value {"background", "layers", "composite"} of paths, or a path from the API.
    """
    if not isinstance(edited, dict):
        return edited
    layers = [open_picture(layer).alpha for layer in edited.get("layers") or ()]
    paint = [alpha > 0.5 for alpha in layers if alpha is not None]
    return torch.stack(paint).any(0).float() if paint and bool(torch.stack(paint).any()) else None


def controls(options: type, skip: tuple[str, ...] = ()) -> dict[str, Component]:
    """name → control, for every knob of an options dataclass, in its order."""
    return {
        name: control(name, knob, default)
        for name, (knob, default) in options_of(options).items()
        if name not in skip
    }


def values_of(options: Any) -> dict[str, Any]:
    """The plain values of an options object, for controls and receipts; what was read from files is left out."""
    described = options_of(type(options))
    return {
        f.name: getattr(options, f.name)
        for f in dataclasses.fields(options)
        if described[f.name][0].read is None
    }
