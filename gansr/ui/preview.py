"""What the method will receive, as soon as there is a picture: the input, its size, the faces, or what is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

import gradio as gr

from gansr import faces
from gansr.compare.plan import ways_to_fit
from gansr.inputs import MethodInput
from gansr.method import InputError, Method, refusal
from gansr.options import options_of
from gansr.picture import Picture, to_png
from gansr.pipeline import USER_ERRORS
from gansr.request import Request
from gansr.ui import files, render, service
from gansr.ui.controls import HIDDEN
from gansr.ui.handlers import index_of
from gansr.ui.request_controls import LOOK, QUIET, RequestControls

SHOWN = 8  # faces


def wire_preview(
    method: Method,
    controls: RequestControls,
    found: gr.Gallery,
    seen: gr.HTML,
    ways: Mapping[str, gr.Button],
) -> None:
    """Make the preview whenever a control changes that changes the input. `ways` are shown where the picture is too
    large."""
    described = options_of(method.options)
    painted = {name: option for name, (option, _) in described.items() if option.paint}
    canvases = [controls.fields[name] for name in painted]

    def preview(*values: Any) -> Iterator[dict[Any, Any]]:
        try:
            picture, request = controls.request(values, painted=False)
            if picture is None:
                yield {seen: "", found: gr.update(visible=False)} | offered(())
                return
            pipeline = service.PIPELINE
            opened = pipeline.inputs.open(picture)
            needs_face = pipeline.inputs.needs_face(opened, request)
            if needs_face:
                for update in pipeline.fetch_detector():
                    yield {seen: render.message(update.text)}
            if needs_face and request.finds_face:
                thumbs = _thumbnails(opened, pipeline.inputs.faces(opened))
                yield {found: gr.update(value=thumbs, visible=len(thumbs) > 1)}
            try:
                given = pipeline.inputs.make(opened, request)
            except InputError as error:  # without a face, the other ways to make it fit
                offer = offered(ways_to_fit(opened, pipeline) if request.crops_to_face else ())
                yield {seen: render.message(str(error))} | offer
                return
            height, width = given.low.shape[-2:]
            refused = refusal(method, height, width, request.options)
            counts = [
                all(getattr(request.options, name) in wanted for name, wanted in option.only.items())
                for option in painted.values()
            ]
            canvas = _canvas(given) if any(counts) else None
            shown = {each: canvas for each, used in zip(canvases, counts, strict=True) if used}
            too_large = (
                bool(ways)
                and refused is not None
                and height * width > method.accepts.most_pixels(request.options)
            )
            offer = offered(ways_to_fit(opened, pipeline) if too_large else ())
            yield {seen: _seen(request, given, refused)} | shown | offer
        except USER_ERRORS as error:
            yield {seen: render.message(str(error))} | offered(())

    def offered(names: Sequence[str]) -> dict[Any, Any]:
        return {button: gr.update(visible=name in names or HIDDEN) for name, button in ways.items()}

    def chosen(event: gr.EventData) -> Any:
        index = index_of(event)
        return index + 1 if index is not None and index < SHOWN else gr.skip()

    gr.on(
        [control.change for control in controls.change_input()],  # type: ignore[attr-defined]
        preview,
        controls.all(),
        [seen, found, *canvases, *ways.values()],
        **LOOK,
    )
    found.select(chosen, None, controls.fields["face"], **QUIET)


def _thumbnails(picture: Picture, found: list[faces.Face]) -> list[tuple[str, str]]:
    thumbs = (faces.thumbnail(picture.rgb, face) for face in found[:SHOWN])
    return [(files.save(to_png(thumb), "face.png"), f"face {i}") for i, thumb in enumerate(thumbs, 1)]


def _canvas(given: MethodInput) -> dict[str, Any]:
    """The input to paint a mask on, in its own pixels."""
    return {"background": files.save(to_png(given.low), "input.png"), "layers": [], "composite": None}


def _seen(request: Request, given: MethodInput, refused: str | None) -> str:
    """What the method reads, its size and what was done to it; or why the method cannot take it."""
    read = given.low if refused is not None else request.reads(given.low)[1]
    height, width = read.shape[-2:]
    head = f"Input used: {width}×{height} px" if refused is None else escape(refused)
    notes = escape("; ".join(given.notices))
    small = render.preview(read, 128)
    kind = "pixels" if max(height, width) <= 128 else ""
    return (
        f'<div class="seen"><img class="{kind}" alt="the input of the method" src="{render.data_uri(small)}">'
        f"<div><b>{head}</b><small>{notes}</small></div></div>"
    )
