"""The Compare tab: one picture, several methods, side by side and measured."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.components import Component

from gansr import papers, weights
from gansr.compare import plan, table
from gansr.compare.plan import REMEDIES, Entry, Remedy
from gansr.compare.run import run
from gansr.inputs import DETECTOR
from gansr.method import Method
from gansr.options import OptionError, options_of
from gansr.pipeline import USER_ERRORS
from gansr.request import PLAIN
from gansr.ui import compare_view, render, service
from gansr.ui import table as table_view
from gansr.ui.compare_values import (
    FACTOR_NAMES,
    LONGEST,
    OWN_FACTOR,
    factor_of,
    names,
    query,
    requests_of,
    restored,
    updates,
)
from gansr.ui.compare_view import RunFiles
from gansr.ui.controls import control, picture_input
from gansr.ui.handlers import text_of, user_errors
from gansr.ui.request_controls import QUIET, degradation_controls, shown_for_task, task_control
from gansr.ui.restore_button import RestoreButton, draw_restore
from gansr.ui.run_state import RunState, connect_run, connect_stop
from gansr.ui.tab import RUNS
from gansr.ui.viewer import contents, viewer
from gansr.ui.visitors import Visitor, visitor_of


@dataclass(frozen=True)
class CompareControls:
    """The controls of the tab, by the names that links and receipts use."""

    named: Mapping[str, Component]
    open_tab: Mapping[str, gr.Button]  # method → the button that opens its own tab with these settings
    restore: RestoreButton
    receipt: gr.File  # a result's PNG, to restore its settings from

    def all(self) -> list[Component]:
        """Every control, in the order in which handlers receive their values."""
        return [self.named[name] for name in names()]

    def values(self, given: Sequence[Any]) -> dict[str, Any]:
        """Values of `all` → by name."""
        return dict(zip(names(), given, strict=True))


# --------------------------------------------------------------------------------------------- drawing


def draw_compare(page: gr.Blocks, tabs: gr.Tabs, examples: Sequence[str]) -> CompareControls:
    """The whole tab, inside an open gr.Tab with id "compare" of `tabs`; reads a share link when the page loads."""
    gr.HTML(
        "<p class='summary'>One picture, every method, side by side: what each recovered and what it invented.</p>"
    )
    named, open_tab, restore = _draw_inputs(examples)
    with gr.Row():
        start = gr.Button("Run all", variant="primary", elem_id="compare-run")
        stop = gr.Button("Stop", elem_id="compare-stop")
    status = gr.HTML(render.message("Choose a picture and press Run all."), elem_id="compare-status")
    pictures = viewer(elem_id="compare-viewer")
    measures = table_view.metrics_table(elem_id="compare-table")
    verdicts = gr.HTML(elem_id="compare-verdicts")
    remedies, state = gr.State({}), gr.State(RunState())
    controls = CompareControls(named, open_tab, restore, _draw_share(named))
    _wire_preview(controls, pictures, status, remedies, state)
    connect_run(start, state)
    started = start.click(
        _run,
        [state, remedies, *controls.all()],
        [status, pictures, measures, verdicts],
        show_progress="hidden",
        api_visibility="private",
        trigger_mode="once",
        **RUNS,
    )
    connect_stop(stop, started, state, status, pictures)
    page.load(_from_link, None, [tabs, restore.note, *controls.all()], **QUIET)
    return controls


def _draw_inputs(
    examples: Sequence[str],
) -> tuple[dict[str, Component], dict[str, gr.Button], RestoreButton]:
    methods = papers.METHODS
    named: dict[str, Component] = {}
    open_tab: dict[str, gr.Button] = {}
    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=300):
            named["picture"] = picture_input(label="Picture", height=240, elem_id="compare-picture")
            gr.Examples(
                [[path] for path in examples], [named["picture"]], label="Examples", examples_per_page=8
            )
            restore = draw_restore("compare", named["picture"])
        with gr.Column(scale=3, min_width=300):
            named["methods"] = gr.CheckboxGroup(
                [(m.title, m.name) for m in methods],
                value=[m.name for m in methods],
                label="Methods",
                elem_id="compare-methods",
            )
            named["task"] = task_control("compare-task")
            with gr.Group(visible=False) as shrinking:
                named["factor"] = gr.Radio(
                    list(FACTOR_NAMES),
                    value=OWN_FACTOR,
                    label="How much smaller",
                    info="Ignored by methods with a fixed input size",
                )
                group, made = degradation_controls()
                group.visible = True
            named |= made
            shown_for_task(named["task"], shrinking)
            with gr.Row(visible=any(m.accepts.face for m in methods)):
                named |= {name: control(name, *PLAIN[name]) for name in ("align", "face")}
            with gr.Accordion("Presets and options", open=False):
                for method in methods:
                    named |= _draw_method(method)
                    open_tab[method.name] = gr.Button(
                        f"Open the tab of {method.title} with these settings", size="sm"
                    )
                named |= {name: control(name, *PLAIN[name]) for name in ("seed", "precision")}
    return named, open_tab, restore


def _draw_method(method: Method) -> dict[str, Component]:
    known = ", ".join(
        name for name, (described, _) in options_of(method.options).items() if described.read is None
    )
    with gr.Row():
        preset = gr.Radio(
            list(method.presets),
            value=next(iter(method.presets)),
            label=f"{method.title}: preset",
            elem_id=f"compare-{method.name}-preset",
        )
        options = gr.Textbox(
            "",
            label=f"{method.title}: more options",
            placeholder="name=value name=value",
            info=f"They override the preset: {known}",
            max_length=LONGEST,
            elem_id=f"compare-{method.name}-options",
        )
    return {f"{method.name}.preset": preset, f"{method.name}.options": options}


def _draw_share(named: Mapping[str, Component]) -> gr.File:
    """The link to these settings, and where a result's PNG is dropped to restore its settings."""
    with gr.Accordion("Share, or restore from a result", open=False), gr.Row():
        with gr.Column():
            share = gr.Button("Make a link to these settings", elem_id="compare-share")
            link = gr.Textbox(
                label="Link",
                buttons=["copy"],
                elem_id="compare-link",
                max_lines=3,
                info="Restores methods, options, seed and an example picture; never a picture of your own.",
            )
        dropped = gr.File(
            label="Drop a result's PNG here to restore its settings",
            file_types=[".png"],
            type="filepath",
            elem_id="compare-receipt",
        )
    order = names()
    made = share.click(
        lambda *given: query(dict(zip(order, given, strict=True))), [named[n] for n in order], link, **QUIET
    )
    made.then(
        None,
        link,
        link,
        js="q => window.location.origin + window.location.pathname + q",
        api_visibility="private",
    )
    return dropped


def _from_link(request: gr.Request) -> list[Any]:
    """Updates of [tabs, the line, every control] from the page's query; what is unknown or wrong is left as it is."""
    given = dict(request.query_params) if request else {}
    tab = given.get("tab", "")
    known = ("compare", "about", *(method.name for method in papers.METHODS))
    selected = gr.update(selected=tab) if tab in known else gr.skip()
    if tab != "compare":
        return [selected, gr.skip(), *updates({})]
    values, refused = restored(given)
    return [selected, render.message(refused) if refused else gr.skip(), *updates(values)]


# ---------------------------------------------------------------------------------------------- preview


def _plan(remedies: Mapping[str, Remedy], values: Mapping[str, Any]) -> list[Entry]:
    if values["picture"] is None:
        raise OptionError("no picture yet: drop one, paste one, or choose an example")
    pipeline = service.PIPELINE
    picture = pipeline.inputs.open(values["picture"])
    return plan.plan(picture, requests_of(values), pipeline, factor_of(values), remedies)


def _wire_preview(
    controls: CompareControls, pictures: gr.HTML, status: gr.HTML, remedies: gr.State, state: gr.State
) -> None:
    # Two functions that each answer once: a generator's last answer is sent again when it ends, and might arrive
    # after a short run has ended.
    def announce(state: RunState, chosen: Mapping[str, Remedy], *given: Any) -> Any:
        values = controls.values(given)
        wanted = values["picture"] is not None and values["align"] is True and not state.running
        if not wanted or weights.ready(DETECTOR) or not _draws_faces(values):
            return gr.skip()
        return render.message("Downloading the face detector, once …")

    def preview(state: RunState, chosen: Mapping[str, Remedy], *given: Any) -> tuple[Any, Any]:
        values = controls.values(given)
        found = state.unless_running(lambda: previewed(chosen, values), (chosen, values))
        return found or (gr.skip(), gr.skip())

    def previewed(chosen: Mapping[str, Remedy], values: Mapping[str, Any]) -> tuple[Any, Any]:
        if values["picture"] is None:
            return contents(), render.message("Choose a picture and press Run all.")
        try:
            if plan.finds_face(requests_of(values)):
                for _ in service.PIPELINE.fetch_detector():
                    pass
            entries = _plan(chosen, values)
            return compare_view.tiles(entries, RunFiles()), compare_view.ready(entries)
        except USER_ERRORS as error:
            return contents(), render.message(str(error))

    def remedy(chosen: dict[str, Remedy], event: gr.EventData) -> dict[str, Remedy]:
        by_title: dict[str, Remedy] = {title: name for name, title in REMEDIES.items()}
        tile, action = text_of(event, "tile"), text_of(event, "action")
        known = tile in {m.name for m in papers.METHODS} and action in by_title
        return {**chosen, tile: by_title[action]} if known else chosen

    settings: dict[str, Any] = {
        "show_progress": "hidden",
        "api_visibility": "private",
        "trigger_mode": "always_last",
        "concurrency_limit": 4,
        "concurrency_id": "look",
    }
    unwatched = ("picture", "seed", "precision")
    watched = [made for name, made in controls.named.items() if name not in unwatched]
    inputs = [state, remedies, *controls.all()]

    def previews(event: Any) -> None:
        event.then(preview, inputs, [pictures, status], **settings)

    previews(gr.on([c.change for c in watched], announce, inputs, status, **settings))  # type: ignore[attr-defined]
    fresh = controls.named["picture"].change(dict, None, remedies, **QUIET)  # type: ignore[attr-defined]
    previews(fresh.then(announce, inputs, status, **settings))
    previews(pictures.select(remedy, remedies, remedies, **QUIET))


def _draws_faces(values: Mapping[str, Any]) -> bool:
    chosen = values["methods"]
    return isinstance(chosen, list) and any(
        method.accepts.face for method in papers.METHODS if method.name in chosen
    )


# ----------------------------------------------------------------------------------------------- running


def _run(
    state: RunState, remedies: Mapping[str, Remedy], asked: gr.Request | None, *given: Any
) -> Iterator[tuple[Any, ...]]:
    """(status, viewer, table, verdicts) whenever something is new."""
    visitor = visitor_of(asked)
    watch = service.LISTENERS.watch(visitor.session)
    with user_errors():
        values = dict(zip(names(), given, strict=True))
        updates = _updates(remedies, values, visitor)
        yield from watch.sent(_wholes(state.until_stopped(updates, (remedies, values), watch)))


def _wholes(items: Iterator[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    """Each item with what was there before in the place of what has not changed: one may be left out."""
    whole: tuple[Any, ...] = ()
    for item in items:
        before = whole or item
        whole = tuple(old if new == gr.skip() else new for new, old in zip(item, before, strict=True))
        yield whole


def _updates(
    remedies: Mapping[str, Remedy], values: Mapping[str, Any], visitor: Visitor
) -> Generator[tuple[Any, ...] | None]:
    with service.VISITORS.admitted(visitor):
        yield from _admitted(remedies, values, visitor)


def _admitted(
    remedies: Mapping[str, Remedy], values: Mapping[str, Any], visitor: Visitor
) -> Generator[tuple[Any, ...] | None]:
    if values["picture"] is None:
        raise OptionError("no picture yet: drop one, paste one, or choose an example")
    yield render.message("Starting …"), gr.skip(), table_view.contents(()), ""
    if plan.finds_face(requests_of(values)):
        for update in service.PIPELINE.fetch_detector():
            yield render.message(update.text), gr.skip(), gr.skip(), gr.skip()
    entries, kept, measured = _plan(remedies, values), RunFiles(), 0
    yield compare_view.status(entries), compare_view.tiles(entries, kept), gr.skip(), gr.skip()
    told: Any = None
    for one in run(entries, service.PIPELINE, visitor.session):
        now = sum(len(entry.update.measured) for entry in entries if entry.update)
        if (new := (one.method.name, one.state, one.text, now)) == told:
            yield None  # it waits in line
            continue
        told = new
        rows: Any = gr.skip()
        if now != measured:
            rows = table_view.contents(table.rows(entries), "measuring")
        measured = now
        shown = compare_view.tiles(entries, kept)
        yield compare_view.status(entries), shown, rows, compare_view.verdicts(entries, kept)
    rows = table_view.contents(table.rows(entries))
    shown = compare_view.tiles(entries, kept)
    yield compare_view.status(entries, done=True), shown, rows, compare_view.verdicts(entries, kept)
