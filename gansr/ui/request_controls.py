"""The controls of a tab that make up a request: drawn from its fields, read through the request's codec."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr
from gradio.components import Component

from gansr.choices import menu, on_a_space, weight_choices
from gansr.method import Method
from gansr.ops.degrade import PRESETS as DEGRADATIONS
from gansr.ops.degrade import Degradation
from gansr.options import Option, OptionError, options_of, parse_options, plain_values
from gansr.request import LARGE, PLAIN, SHRINK, Request, decode, encode, fields_of
from gansr.ui.address import PRESET, Addressed, usual
from gansr.ui.controls import HIDDEN, choices, control, mask_of, picture_input
from gansr.ui.run_state import hidden_button

BELOW = "as set below"  # of no preset
QUIET: dict[str, Any] = {"queue": False, "api_visibility": "private", "show_progress": "hidden"}
# Of what looks at the picture while settings change: four at a time, and the last change counts.
LOOK: dict[str, Any] = {
    "api_visibility": "private",
    "show_progress": "hidden",
    "trigger_mode": "always_last",
    "concurrency_limit": 4,
    "concurrency_id": "look",
}


@dataclass(frozen=True)
class RequestControls:
    """The picture and a control for each field of the request, in the order of the API's arguments."""

    method: Method
    picture: Component
    fields: Mapping[str, Component]
    preset: Component
    rejoin: gr.Button  # see run_state.hidden_button
    rested: gr.Button
    more: Mapping[str, Component]  # option that names weights → whether choices that need a file are listed

    def all(self) -> list[Component]:
        """Every control, in the order in which handlers receive their values."""
        return [self.picture, *self.fields.values()]

    def addressed(self) -> Addressed:
        """What an address sets."""
        fields = {name: self.fields[name] for name in usual(self.method.name) if name in self.fields}
        return Addressed(
            self.method.name, self.picture, {PRESET: self.preset, **fields}, (self.rejoin, self.rested)
        )

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
    return choices("task", *PLAIN["task"], elem_id)


def degradation_controls() -> tuple[gr.Accordion, dict[str, Component]]:
    """A closed group of controls: how the input is made of the picture. Shown for a known answer only
    (`shown_for_task`)."""
    with gr.Accordion("Test quality: how the input is made", open=False, visible=HIDDEN) as group:
        preset = gr.Dropdown(
            [*DEGRADATIONS, BELOW],
            value=next(iter(DEGRADATIONS)),
            label="Degradation",
            info="Sets the parameters below",
        )
        with gr.Accordion("Its parameters", open=False):
            made = {
                SHRINK + name: control(name, *described)
                for name, described in options_of(Degradation).items()
            }

    settable = [made[SHRINK + name] for name in plain_values(Degradation())]

    def parameters_of(name: Any) -> Any:
        known = isinstance(name, str) and name in DEGRADATIONS
        return list(plain_values(DEGRADATIONS[name]).values()) if known else [gr.skip()] * len(settable)

    preset.input(parameters_of, preset, settable, **QUIET)
    gr.on([one.change for one in settable], None, settable, preset, js=_preset_of(), **QUIET)  # type: ignore[attr-defined]
    return group, made


def _preset_of() -> str:
    """JavaScript: the parameters' values → the preset that they are, or BELOW."""
    known = {name: list(plain_values(one).values()) for name, one in DEGRADATIONS.items()}
    return (
        f"(...values) => Object.entries({json.dumps(known)}).find(([, known]) => known.every((one, i) => "
        f"one === values[i]))?.[0] ?? {json.dumps(BELOW)}"
    )


def shown_for_task(task: Component, group: gr.Accordion | gr.Group) -> None:
    """Show `group` where the picture is the truth."""
    task.change(  # type: ignore[attr-defined]
        lambda name: gr.update(visible=name == "known answer" or HIDDEN), task, group, **QUIET
    )


class Form:
    """The controls of a method's request. They are drawn in three parts of its tab, in this order, each inside an open
    column: what is chosen first with the picture, the mask, and the settings. Then `wired`."""

    def __init__(self, method: Method):
        self.method = method
        self.options = options_of(method.options)
        self.made: dict[str, Component] = {}
        self.hints: dict[str, Component] = {}  # option → a line shown with its control
        self.shrinking: dict[str, Component] = {}
        self.more: dict[str, Component] = {}
        self.ways: dict[str, gr.Button] = {}  # to make a picture fit that is too large

    def draw_first(self, examples: Sequence[str]) -> gr.HTML:
        """What to do, the picture, examples; and where the input is told, which is returned."""
        name = self.method.name
        for field, (described, default) in self.options.items():
            if described.first:
                self.made[field] = choices(field, described, default, f"{name}-{field}")
        self.made["task"] = task_control(f"{name}-task")
        self.picture = picture_input(label="Picture", height=200, elem_id=f"{name}-picture")
        if examples:
            gr.Examples(
                [[path] for path in examples],
                [self.picture],
                label="Examples",
                examples_per_page=8,
                elem_id=f"{name}-examples",
            )
        seen = gr.HTML(elem_id=f"{name}-seen", elem_classes="seenbox")
        if self.method.accepts.side is None:
            with gr.Row(elem_classes="buttons"):
                self.ways = {
                    way: gr.Button(
                        title,
                        size="sm",
                        min_width=60,
                        visible=HIDDEN,
                        elem_id=f"{name}-{way.replace(' ', '-')}",
                    )
                    for way, title in LARGE.items()
                    if way != "keep"
                }
        return seen

    def draw_masks(self) -> None:
        """What is painted over the input."""
        for field, (described, default) in self.options.items():
            if described.paint:
                counts = self._counts(described)
                hint = f"<p class='paint'>{escape(described.help)}</p>"
                self.hints[field] = gr.HTML(hint, visible=_visible(counts))
                self.made[field] = control(field, described, default, counts)
                self.made[field].elem_id = f"{self.method.name}-{field}"

    def draw_settings(self) -> gr.Gallery:
        """Faces, preset, options, and how a quality test makes its input; returns where the faces found are shown."""
        method, name = self.method, self.method.name
        with gr.Group(visible=method.accepts.face, elem_classes="faces"):
            with gr.Row():
                self.made |= {field: control(field, *PLAIN[field]) for field in ("align", "paste_back")}
                described, first = PLAIN["face"]
                self.made["face"] = gr.Number(
                    first,
                    precision=0,
                    minimum=described.min,
                    maximum=described.max,
                    label=described.title,
                    info=described.help.capitalize(),
                    min_width=80,
                )
            found = gr.Gallery(
                label="Faces found: click the one to use",
                columns=8,
                height=110,
                fit_columns=False,
                object_fit="contain",
                format="png",
                allow_preview=False,
                visible=False,
                buttons=[],
            )
        self.preset = gr.Radio(
            list(method.presets),
            value=next(iter(method.presets)),
            label="Preset",
            elem_id=f"{name}-preset",
            elem_classes="compact",
        )
        group, self.shrinking = degradation_controls()
        with group:
            self.made["robustness"] = control("robustness", *PLAIN["robustness"])
        shown_for_task(self.made["task"], group)
        with gr.Accordion("Options", open=False, elem_id=f"{name}-options") as self.folded:
            for field, (described, default) in self.options.items():
                if field not in self.made:
                    standing = weight_choices(method, field)
                    listed = menu(described, standing)
                    self.made[field] = control(field, described, default, self._counts(described), listed)
                    if standing:
                        self.more[field] = _more(f"{name}-{field}-more")
            fits = method.accepts.side is None  # others cut a square of any picture
            self.made["large"] = control("large", *PLAIN["large"], shown=fits)
            self.made |= {field: control(field, *PLAIN[field]) for field in ("seed", "precision")}
        _wire_preset(method, self.preset, self.made)
        return found

    def wired(self) -> RequestControls:
        """All controls, those that do not count hidden whenever what they depend on changes."""
        self.made |= self.shrinking
        controls = RequestControls(
            self.method,
            self.picture,
            {field: self.made[field] for field in fields_of(self.method)},
            self.preset,
            hidden_button(self.method.name, "rejoin"),
            hidden_button(self.method.name, "rested"),
            self.more,
        )
        self._wire_only()
        self._wire_degradation(controls)
        for way, button in self.ways.items():
            button.click(lambda way=way: way, None, self.made["large"], **QUIET)
        return controls

    def _counts(self, described: Option, chosen: Mapping[str, Any] | None = None) -> bool:
        """Whether an option counts beside the values `chosen` of the options that it depends on (their defaults)."""
        values = chosen or {name: default for name, (_, default) in self.options.items()}
        return all(values[name] in wanted for name, wanted in described.only.items())

    def _wire_only(self) -> None:
        depending = {name: one for name, (one, _) in self.options.items() if one.only}
        deciding = sorted({name for one in depending.values() for name in one.only})
        if not deciding:
            return

        def seen(*values: Any) -> Any:
            chosen = dict(zip(deciding, values, strict=True))
            counts = {name: _visible(self._counts(one, chosen)) for name, one in depending.items()}
            updates = [gr.update(visible=counts[name]) for name in (*counts, *self.hints)]
            return updates if len(updates) > 1 else updates[0]

        # Also when the options are opened: Gradio draws them then, and has lost what was shown or hidden before.
        gr.on(
            [*(self.made[name].change for name in deciding), self.folded.expand],  # type: ignore[attr-defined]
            seen,
            [self.made[name] for name in deciding],
            [*(self.made[name] for name in depending), *self.hints.values()],
            **QUIET,
        )

    def _wire_degradation(self, controls: RequestControls) -> None:
        """What the user chooses to do sets how a quality test makes its input; afterwards the user may change it."""
        degrades = self.method.degrades
        if degrades is None:
            return
        set_by = list(degrades(parse_options(self.method.options, {})))

        def suited(*values: Any) -> Any:
            try:
                found = degrades(controls.request(values, painted=False)[1].options)
            except OptionError:  # the preview says it
                return [gr.skip()] * len(set_by) if len(set_by) > 1 else gr.skip()
            return [found[name] for name in set_by] if len(set_by) > 1 else found[set_by[0]]

        chosen = ["task", *(name for name, (described, _) in self.options.items() if described.first)]
        gr.on(
            [self.made[name].input for name in chosen],  # type: ignore[attr-defined]
            suited,
            controls.all(),
            [self.made[SHRINK + name] for name in set_by],
            **QUIET,
        )


def _more(elem_id: str) -> gr.Checkbox:
    """Shown on a Space, where choices that need a file are left out of a menu of weights (gansr.ui.weight_menus)."""
    return gr.Checkbox(
        False,
        label="More choices",
        info="Also those that need a file, which only the owner of this Space can add.",
        visible=on_a_space() or HIDDEN,
        elem_id=elem_id,
    )


def _visible(counts: bool) -> Any:
    return counts or HIDDEN


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
