"""Each paper's tab leads to the comparison with its picture and settings, and back."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import gradio as gr

from gansr.method import Method, knobs
from gansr.ops.degrade import Degradation
from gansr.prepare import TASKS
from gansr.ui.compare import Controls, orders_of, updates, values_for
from gansr.ui.controls import values_of
from gansr.ui.tab import Inputs, told


def link(tabs: gr.Tabs, picked: Controls, method: Method, inputs: Inputs, away: gr.Button) -> None:
    """Wire `away`, in the tab of `method`, to the comparison, and the comparison's door to that tab."""
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


def _to_compare(method: Method, inputs: Inputs, values: tuple[Any, ...]) -> list[Any]:
    with told():
        picture, wanted = inputs.order(method, values)
        found = values_for(wanted)
    found.pop("methods")  # beside the others is what it is for
    return [gr.update(selected="compare"), *updates(found | _path(picture))]


def _to_tab(method: Method, inputs: Inputs, values: dict[str, Any]) -> list[Any]:
    with told():
        (wanted,) = orders_of(values | {"methods": [method.name]})
    found: dict[str, Any] = {
        "task": TASKS[wanted.request.task],
        "seed": wanted.seed,
        "precision": wanted.precision,
    }
    found |= {"align": wanted.request.align, "face": wanted.request.face + 1} | values_of(wanted.options)
    shrinking = asdict(wanted.request.degradation)
    found |= {f"shrink_{name}": shrinking[name] for name in knobs(Degradation)} | _path(values["picture"])
    chosen = [gr.update(value=found[name]) if name in found else gr.skip() for name in inputs.names()]
    return [gr.update(selected=method.name), *chosen]


def _path(picture: Any) -> dict[str, str]:
    return {"picture": picture} if isinstance(picture, str) else {}
