"""An option as a Gradio control; and the picture input, which passes the file on without opening it."""

from __future__ import annotations

import base64
from abc import ABCMeta
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr
import torch
from gradio.components import Component
from torch import Tensor

from gansr.choices import menu
from gansr.options import MAX_TEXT, Option, OptionError, options_of
from gansr.picture import MAX_BYTES, PictureError, open_mask, to_png
from gansr.ui import files, service
from gansr.ui.render import sentence_case

# Invisible, but in the page: a component that Gradio adds only when it becomes visible can miss the value set with it.
HIDDEN = "hidden"

MOST_SLIDER_VALUES = 10_000
MOST_LAYERS = 2  # of a painted mask: the editor is made with one; a second one allows for an added layer
CAMERA = {"width": {"ideal": 1280}, "height": {"ideal": 720}}  # px: every method takes 1 megapixel
NOT_SHOWN = (".heic", ".heif", ".hif")  # read here, but most browsers do not show them


def picture_input(label: str, height: int, elem_id: str) -> gr.Image:
    """An image input whose value is the path of the uploaded file, or the bytes of a `data:` URL. `height` in px.

    Gradio's own preprocessing opens the file with Pillow before any check: an unreadable picture then fails with the
    text "Error", alpha and EXIF are lost, and a decompression bomb is decoded.
    """
    image = _Picture(
        label=label,
        show_label=False,  # it would lie over the picture
        height=height,
        elem_id=elem_id,
        sources=["upload", "webcam", "clipboard"],  # the first is shown; the camera waits for two clicks
        webcam_options=gr.WebcamOptions(mirror=False, constraints={"video": CAMERA}),
        type="filepath",
        format="png",
        buttons=[],
    )
    image.upload(
        _shown_by_browsers, image, image, queue=False, api_visibility="private", show_progress="hidden"
    )
    return image


def _unopened(_: gr.Image, payload: Any) -> str | bytes | None:
    return None if payload is None else _source_of(payload)


def _unopened_layers(_: gr.ImageEditor, payload: Any) -> dict[str, list[str | bytes]] | None:
    """{"layers": [path or bytes, …]}. The background is the method's input, which the server has; the composite is
    not needed."""
    if payload is None:
        return None
    if len(payload.layers) > MOST_LAYERS:
        raise gr.Error(f"A mask has at most {MOST_LAYERS} layers.", print_exception=False)
    return {"layers": [_source_of(layer) for layer in payload.layers]}


def _source_of(file: Any) -> str | bytes:
    """The path of an uploaded file, or the bytes of its `data:` URL."""
    return bytes_of_data_url(file.url) if file.url and file.url.startswith("data:") else file.path


# Classes, because Gradio makes a component anew from its class when a handler updates it. Made by ABCMeta, because
# Gradio's own metaclass writes a .pyi file beside the source of a subclass. Their names tell the browser which
# component to draw.
_Picture: type[gr.Image] = ABCMeta.__new__(
    type(gr.Image), "Image", (gr.Image,), {"preprocess": _unopened, "__module__": __name__}
)
# Without Gradio's accept_blobs, a route that keeps what it is sent for ever. An editor calls it only where something
# listens to each stroke; here it uploads its layers when a run begins.
_Painted: type[gr.ImageEditor] = ABCMeta.__new__(
    type(gr.ImageEditor),
    "ImageEditor",
    (gr.ImageEditor,),
    {"preprocess": _unopened_layers, "accept_blobs": None, "__module__": __name__},
)

# A menu of weights may list fewer choices than there are (gansr.ui.weight_menus); which are possible `decode` says.
_Menu: type[gr.Dropdown] = ABCMeta.__new__(
    type(gr.Dropdown),
    "Dropdown",
    (gr.Dropdown,),
    {"preprocess": lambda self, payload: payload, "__module__": __name__},
)


def _shown_by_browsers(path: Any) -> Any:
    """The uploaded picture as a PNG where browsers cannot show its format (HEIC); a file that is refused stays,
    so that the preview tells the reason."""
    if not isinstance(path, str) or not path.lower().endswith(NOT_SHOWN):
        return gr.skip()
    try:
        picture = service.PIPELINE.inputs.open(path)
    except PictureError:
        return gr.skip()
    shown = files.save(to_png(picture.rgb, picture.alpha, grey=picture.grey), f"{Path(path).stem}.png")
    service.PIPELINE.inputs.stands_for(shown, picture.notices)
    return shown


def bytes_of_data_url(url: str) -> bytes:
    """What a `data:` URL holds. Raises gr.Error."""
    head, _, body = url.partition(",")
    if not head.endswith(";base64"):
        raise gr.Error("A data: URL must hold base64 data; upload the file instead", print_exception=False)
    if len(body) > MAX_BYTES * 4 / 3 + 4:
        raise gr.Error(f"Too large: at most {MAX_BYTES // 2**20} MB are accepted.", print_exception=False)
    try:
        return base64.b64decode(body, validate=True)
    except ValueError:  # not base64, or not even ASCII
        raise gr.Error(
            "The file is damaged: its data: URL is not base64. Save or download it again.",
            print_exception=False,
        ) from None


def title_of(name: str, described: Option) -> str:
    """The label of the option `name`."""
    return sentence_case(described.title or name.replace("_", " "))


def choices(name: str, described: Option, default: Any, elem_id: str) -> gr.Radio:
    """An option of few choices as a row of them. Its help is shown at the label, and for the keyboard."""
    return gr.Radio(
        menu(described, {}),
        value=default,
        label=title_of(name, described),
        info=sentence_case(described.help),
        elem_id=elem_id,
        elem_classes="compact",
    )


def control(
    name: str,
    described: Option,
    default: Any,
    shown: bool = True,
    listed: Sequence[tuple[str, str]] = (),
) -> Component:
    """The control of one option, with its label, one-sentence help, range and default; hidden unless `shown`. `listed`:
    (label, value) of its choices, where the labels are not the option's own."""
    made = _control(name, described, default, list(listed) or menu(described, {}))
    made.visible = shown or HIDDEN
    return made


def _control(name: str, described: Option, default: Any, listed: list[tuple[str, str]]) -> Component:
    label, info = title_of(name, described), sentence_case(described.help)
    if described.paint:
        return painted(label)
    if described.read is not None:
        # gr.File has no `info`
        return gr.File(
            label=f"{label}: {described.help}", file_types=list(described.suffixes), type="filepath"
        )
    if isinstance(default, bool):
        return gr.Checkbox(default, label=label, info=info)
    if described.choices is not None:
        if len(listed) <= 4 and sum(len(label) for label, _ in listed) < 40:
            return gr.Radio(listed, value=default, label=label, info=info)
        return _Menu(listed, value=default, label=label, info=info)
    if isinstance(default, (int, float)):
        whole = isinstance(default, int)
        if described.min is None or described.max is None:
            return gr.Number(default, precision=0 if whole else None, label=label, info=info)
        if whole and described.max - described.min > MOST_SLIDER_VALUES:  # a seed: no handle is that exact
            return gr.Number(
                default, precision=0, minimum=described.min, maximum=described.max, label=label, info=info
            )
        # without a declared step any value in the range is valid; the step is that of the slider's handle
        step = described.step or (1 if whole else (described.max - described.min) / 100)
        return gr.Slider(described.min, described.max, value=default, step=step, label=label, info=info)
    return gr.Textbox(default, max_length=MAX_TEXT, label=label, info=info)


def painted(label: str) -> gr.ImageEditor:
    """A mask, painted in white over the method's input (set by the tab) or uploaded."""
    return _Painted(
        label=label,
        show_label=False,  # it would lie over the tools
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
    """The painted mask, (1,H,W) float32 with 1 where there is paint; or the path of an uploaded mask; or None.

    `edited` is what `painted` hands on, {"layers": [path or bytes, …]}, or a path. Raises OptionError.
    """
    if not isinstance(edited, dict):
        return edited
    layers = edited.get("layers")
    if not isinstance(layers, list) or len(layers) > MOST_LAYERS:
        raise OptionError(f"a mask has at most {MOST_LAYERS} layers")
    try:
        opened = [open_mask(layer).alpha for layer in layers]
    except PictureError as error:
        raise OptionError(f"the mask: {error}") from None
    paint = [alpha > 0.5 for alpha in opened if alpha is not None]
    if len({layer.shape for layer in paint}) > 1:
        raise OptionError("the layers of a mask must have the same size")
    return torch.stack(paint).any(0).float() if paint and bool(torch.stack(paint).any()) else None


def controls(options: type) -> dict[str, Component]:
    """name → control, for every option of an options dataclass, in its order."""
    return {name: control(name, *described) for name, described in options_of(options).items()}
