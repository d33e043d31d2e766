"""The controls of a tab that make up a request: drawn from its fields, read through the request's codec."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.components import Component

from gansr.method import Method
from gansr.ops.degrade import PRESETS as DEGRADATIONS
from gansr.options import options_of, parse_options, plain_values
from gansr.request import PLAIN, SHRINK, Request, decode, encode, fields_of
from gansr.ui import render
from gansr.ui.controls import control, mask_of, picture_input

QUIET: dict[str, Any] = {"queue": False, "api_visibility": "private"}


@dataclass(frozen=True)
class RequestControls:
    """The picture and a control for each field of the request, in the order of the API's arguments."""

    method: Method
    picture: Component
    fields: Mapping[str, Component]

    def all(self) -> list[Component]:
        """Every control, in the order in which handlers receive their values."""
        return [self.picture, *self.fields.values()]

    def names(self) -> list[str]:
        """The API's argument names, one for each of `all`."""
        return ["picture", *self.fields]

    def request(self, values: Sequence[Any], painted: bool = True) -> tuple[Any, Request]:
        """Values of `all` → (picture, request). Raises OptionError.

        painted: whether masks are read. The preview leaves them out: no input depends on them, and they are painted
        over the input that the preview shows.
        """
        named = dict(zip(self.names(), values, strict=True))
        picture = named.pop("picture")
        for name, (described, _) in options_of(self.method.options).items():
            if described.paint:
                named[name] = mask_of(named[name]) if painted else None
        return picture, decode(self.method, named)

    def change_input(self) -> list[Component]:
        """The controls that change what the method receives."""
        known = fields_of(self.method)
        return [self.picture, *(made for name, made in self.fields.items() if known[name][0].changes_input)]

    def updates(self, request: Request, others: Mapping[str, Any]) -> list[Any]:
        """Updates of `all` from a request, and from `others` by name. Controls of files stay as they are."""
        known = fields_of(self.method)
        values = {name: value for name, value in encode(request).items() if name in known}
        found = {name: value for name, value in values.items() if known[name][0].read is None} | dict(others)
        return [gr.update(value=found[name]) if name in found else gr.skip() for name in self.names()]


def task_control(elem_id: str) -> gr.Radio:
    """What to do with the picture."""
    described, default = PLAIN["task"]
    return gr.Radio(
        [(title, name) for name, title in described.labels.items()],
        value=default,
        label=described.title,
        info=render.sentence_case(described.help),
        elem_id=elem_id,
    )


def degradation_controls() -> tuple[gr.Accordion, dict[str, Component]]:
    """A closed group of controls: how the truth is shrunk. Shown for a known answer only (`shown_for_task`)."""
    with gr.Accordion("How the picture is shrunk", open=True, visible=False) as group:
        preset = gr.Dropdown(
            list(DEGRADATIONS),
            value=next(iter(DEGRADATIONS)),
            label="Degradation",
            info="Sets the parameters below",
        )
        with gr.Accordion("Its parameters", open=False):
            made = {
                SHRINK + name: control(name, *described)
                for name, described in options_of(type(next(iter(DEGRADATIONS.values())))).items()
            }

    def parameters_of(name: Any) -> Any:
        known = isinstance(name, str) and name in DEGRADATIONS
        return list(plain_values(DEGRADATIONS[name]).values()) if known else [gr.skip()] * len(made)

    preset.input(parameters_of, preset, list(made.values()), **QUIET)
    return group, made


def shown_for_task(task: Component, group: gr.Accordion | gr.Group) -> None:
    """Show `group` where the picture is the truth."""
    task.change(  # type: ignore[attr-defined]
        lambda name: gr.update(visible=name == "known answer"), task, group, **QUIET
    )


def draw(method: Method, examples: list[str]) -> tuple[RequestControls, gr.Gallery, gr.HTML]:
    """Every control of a method's request, inside an open column; and where the faces found and the input are shown."""
    name = method.name
    picture = picture_input(label="Picture", height=260, elem_id=f"{name}-picture")
    gr.Examples([[path] for path in examples], [picture], label="Examples", examples_per_page=8)
    made: dict[str, Component] = {"task": task_control(f"{name}-task")}
    group, shrinking = degradation_controls()
    shown_for_task(made["task"], group)
    with gr.Group(visible=method.accepts.face):
        made |= {field: control(field, *PLAIN[field]) for field in ("align", "face", "paste_back")}
        found = gr.Gallery(
            label="Faces found: click the one to use",
            columns=4,
            height=140,
            fit_columns=False,
            object_fit="contain",
            format="png",
            allow_preview=False,
            visible=False,
            buttons=[],
        )
    seen = gr.HTML(elem_id=f"{name}-seen")
    preset = gr.Radio(
        list(method.presets), value=next(iter(method.presets)), label="Preset", elem_id=f"{name}-preset"
    )
    with gr.Accordion("Options", open=False):
        own = {field: control(field, *described) for field, described in options_of(method.options).items()}
        made |= own | {field: control(field, *PLAIN[field]) for field in ("seed", "precision")}
    made |= shrinking
    _wire_preset(method, preset, own)
    return RequestControls(method, picture, {field: made[field] for field in fields_of(method)}), found, seen


def _wire_preset(method: Method, preset: gr.Radio, own: Mapping[str, Component]) -> None:
    """A preset sets those options that any preset sets; the others stay as the user left them."""
    named = [name for name in own if any(name in values for values in method.presets.values())]
    if not named:
        return

    def values_of(title: Any) -> Any:
        if not isinstance(title, str) or title not in method.presets:
            return gr.skip() if len(named) == 1 else [gr.skip()] * len(named)
        options = plain_values(parse_options(method.options, method.presets[title]))
        values = [options[name] for name in named]
        return values if len(values) > 1 else values[0]

    handler: Callable[[str], Any] = values_of
    preset.input(handler, preset, [own[name] for name in named], **QUIET)
