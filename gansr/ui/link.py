"""Each paper's tab leads to the comparison with its picture and settings, and back; a result's settings are restored
in its own tab or, where that gives the method something else, in the comparison."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import gradio as gr

from gansr.method import Method
from gansr.ops.degrade import Degradation
from gansr.options import options_of
from gansr.options import plain_values as values_of
from gansr.prepare import TASKS
from gansr.serve import Order
from gansr.ui import render as show
from gansr.ui.compare import Controls, from_recipe, orders_of, updates, values_for
from gansr.ui.recipe import Offer, read
from gansr.ui.tab import Inputs, told


def link(
    tabs: gr.Tabs, picked: Controls, method: Method, inputs: Inputs, away: gr.Button, offer: Offer
) -> None:
    """Wire `away`, in the tab of `method`, to the comparison, the comparison's door to that tab, and the `offer` to
    both."""
    quiet: dict[str, Any] = {"queue": False, "api_visibility": "private"}
    away.click(
        lambda *values: _to_compare(method, inputs, values), inputs.all(), [tabs, *picked.all()], **quiet
    )
    picked.doors[method.name].click(
        lambda *values: _to_tab(method, inputs, picked.values(values)),
        picked.all(),
        [tabs, *inputs.all()],
        **quiet,
    )
    offer.button.click(
        lambda picture: _restored(method, inputs, picked, picture),
        inputs.picture,
        [tabs, offer.note, *inputs.all(), picked.offer.note, *picked.all()],
        **quiet,
    )


def _restored(method: Method, inputs: Inputs, picked: Controls, picture: Any) -> list[Any]:
    """Updates of [tabs, the line in the tab, its controls, the line in the comparison, its controls]."""
    with told():
        recipe = read(picture)
        if recipe.order.method.name == method.name and not recipe.of_a_comparison:
            untouched = [gr.skip()] * (1 + len(picked.all()))
            return [
                gr.skip(),
                show.message(recipe.restored()),
                *_controls(inputs, recipe.order, {"picture": None}),
                *untouched,
            ]
        untouched = [gr.skip()] * (1 + len(inputs.all()))
        return [gr.update(selected="compare"), *untouched, *from_recipe(recipe)]


def _to_compare(method: Method, inputs: Inputs, values: tuple[Any, ...]) -> list[Any]:
    with told():
        picture, wanted = inputs.order(method, values)
        found = values_for(wanted)
    found.pop("methods")  # beside the others is what it is for
    return [gr.update(selected="compare"), *updates(found | _path(picture))]


def _to_tab(method: Method, inputs: Inputs, values: dict[str, Any]) -> list[Any]:
    with told():
        (wanted,) = orders_of(values | {"methods": [method.name]})
    return [gr.update(selected=method.name), *_controls(inputs, wanted, _path(values["picture"]))]


def _controls(inputs: Inputs, wanted: Order, others: Mapping[str, Any]) -> list[Any]:
    """Updates of a tab's controls from an order, and from `others` by their names."""
    request = wanted.request
    found: dict[str, Any] = {"task": TASKS[request.task], "align": request.align, "face": request.face + 1}
    found |= {"seed": wanted.seed, "precision": wanted.precision} | values_of(wanted.options)
    shrinking = asdict(request.degradation)
    found |= {f"shrink_{name}": shrinking[name] for name in options_of(Degradation)} | dict(others)
    return [gr.update(value=found[name]) if name in found else gr.skip() for name in inputs.names()]


def _path(picture: Any) -> dict[str, str]:
    return {"picture": picture} if isinstance(picture, str) else {}
