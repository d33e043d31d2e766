"""Ways between tabs: each paper's tab leads to the comparison with its picture and settings, and back. A result's
settings are restored in its own tab or, where the method received something else, in the comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from gansr.gallery import COMPARED
from gansr.method import Method
from gansr.results.of_gallery import DATASET
from gansr.ui import render
from gansr.ui.compare import CompareControls
from gansr.ui.compare_values import defaults, requests_of, shared_files, updates, values_for
from gansr.ui.files import is_upload
from gansr.ui.gallery import settings_of
from gansr.ui.handlers import text_of
from gansr.ui.request_controls import QUIET, RequestControls
from gansr.ui.restore_button import FromResult, read
from gansr.ui.tab import DrawnTab

# Through the queue: only there does a handler's gr.Info reach the page.
NOTED: dict[str, Any] = {
    "show_progress": "hidden",
    "api_visibility": "private",
    "concurrency_limit": 4,
    "concurrency_id": "look",
}


def link_tab(
    tabs: gr.Tabs,
    compared: CompareControls,
    method: Method,
    drawn: DrawnTab,
) -> None:
    """Wire the tab of `method` to the comparison, the comparison's button to that tab, and the button that restores
    settings to both."""
    controls, away, restore = drawn.controls, drawn.away, drawn.restore
    away.click(
        lambda *values: _to_compare(controls, values), controls.all(), [tabs, *compared.all()], **QUIET
    )
    compared.open_tab[method.name].click(
        lambda *values: _to_tab(controls, compared.values(values)),
        compared.all(),
        [tabs, *controls.all()],
        **QUIET,
    )
    restore.button.click(
        lambda picture: _restored(controls, compared, picture),
        controls.picture,
        [tabs, restore.note, *controls.all(), compared.restore.note, *compared.all()],
        **QUIET,
    )


def link_comparison(compared: CompareControls) -> None:
    """Restore a result's settings in the comparison, from its picture or its box for results."""
    outputs = [compared.restore.note, *compared.all()]
    compared.receipt.upload(_from_result, compared.receipt, outputs, **NOTED)
    compared.restore.button.click(_from_result, compared.named["picture"], outputs, **NOTED)


def link_plane(plane: gr.HTML, tabs: gr.Tabs, compared: CompareControls) -> None:
    """A picture of the gallery that is chosen on the page of results is opened in the comparison."""
    usual = defaults()
    changed = list(settings_of(0, usual))

    def opened(event: gr.EventData) -> list[Any]:
        names = [example.name for example in COMPARED]
        if text_of(event, "dataset") != DATASET or (name := text_of(event, "picture")) not in names:
            if text_of(event, "picture"):
                gr.Info("Only the numbers of this dataset are kept here, not its pictures.")
            return [gr.skip()] * (1 + len(changed))
        values = settings_of(names.index(name), usual)
        return [gr.update(selected="compare"), *(values[name] for name in changed)]

    plane.select(opened, None, [tabs, *(compared.named[name] for name in changed)], **NOTED)


def link_strip(
    strip: gr.HTML, tabs: gr.Tabs, compared: CompareControls, drawn_tabs: Sequence[DrawnTab]
) -> None:
    """Restore the settings of a result that the browser has kept and sent, in its tab or in the comparison. Pictures
    stay."""

    def restore_kept(event: gr.EventData) -> dict[Any, Any]:
        found = _uploaded(event)
        if found is None:
            return {tabs: gr.skip()}
        line = render.message(found.restored())
        own = [drawn for drawn in drawn_tabs if drawn.controls.method.name == found.request.method.name]
        if found.of_a_comparison or not own:
            values = updates(values_for(found.request))
            changed = dict(zip(compared.all(), values, strict=True)) | {compared.restore.note: line}
            return {tabs: gr.update(selected="compare"), **changed}
        controls = own[0].controls
        changed = dict(zip(controls.all(), controls.updates(found.request, {}), strict=True))
        return {tabs: gr.update(selected=controls.method.name), own[0].results.status: line, **changed}

    outputs = [tabs, compared.restore.note, *compared.all()]
    for drawn in drawn_tabs:
        outputs += [drawn.results.status, *drawn.controls.all()]
    strip.select(restore_kept, None, outputs, **QUIET)


def _uploaded(event: gr.EventData) -> FromResult | None:
    """The settings in the file that the browser has uploaded and names; None for any other file of the server."""
    path = text_of(event, "path")
    try:
        known = is_upload(Path(path))
    except ValueError:  # no path can have these characters
        return None
    return read(path) if known else None


def _from_result(path: Any) -> list[Any]:
    found = read(path)
    restored = _in_comparison(found)
    gr.Info(found.restored())  # the controls stand elsewhere on the page
    return restored


def _in_comparison(found: FromResult) -> list[Any]:
    """Updates of [the line, every control]: a result's settings, without its picture. Raises OptionError."""
    return [render.message(found.restored()), *updates(values_for(found.request) | {"picture": None})]


def _restored(controls: RequestControls, compared: CompareControls, picture: Any) -> list[Any]:
    """Updates of [tabs, the line in the tab, its controls, the line in the comparison, its controls]."""
    found = read(picture)
    if found.request.method.name == controls.method.name and not found.of_a_comparison:
        untouched = [gr.skip()] * (1 + len(compared.all()))
        own = controls.updates(found.request, {"picture": None})
        return [gr.skip(), render.message(found.restored()), *own, *untouched]
    untouched = [gr.skip()] * (1 + len(controls.all()))
    return [gr.update(selected="compare"), *untouched, *_in_comparison(found)]


def _to_compare(controls: RequestControls, values: Sequence[Any]) -> list[Any]:
    found = values_for(controls.request(values)[1])
    found.pop("methods")  # the user wants to see it beside the others
    given = dict(zip(controls.names(), values, strict=True))
    return [gr.update(selected="compare"), *updates(found | _paths(given))]


def _to_tab(controls: RequestControls, values: dict[str, Any]) -> list[Any]:
    request, *_ = requests_of({**values, "methods": [controls.method.name]})
    return [gr.update(selected=controls.method.name), *controls.updates(request, _paths(values))]


def _paths(values: Mapping[str, Any]) -> dict[str, str]:
    """The picture, and the other files that both tabs have."""
    found = {name: values[name] for name in ("picture", *shared_files())}
    return {name: path for name, path in found.items() if isinstance(path, str)}
