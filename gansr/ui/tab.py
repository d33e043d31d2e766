"""One function draws every paper's tab from its Method; one generator runs it; one serves its API."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import gradio as gr

from gansr.gallery import TABS, Example, read
from gansr.method import Method
from gansr.options import OptionError
from gansr.ui import render, service
from gansr.ui.api import RUNS, draw_api
from gansr.ui.cost_line import draw_cost, wire_cost
from gansr.ui.examples import example_of
from gansr.ui.fine_tune import draw_fine_tune
from gansr.ui.handlers import user_errors
from gansr.ui.how import draw_how
from gansr.ui.preview import wire_preview
from gansr.ui.request_controls import Form, RequestControls
from gansr.ui.restore_button import RestoreButton, draw_restore
from gansr.ui.results import Results, RunFiles
from gansr.ui.retouch import draw_button, draw_canvas, wire_retouch
from gansr.ui.reuse import Place, link_reuse
from gansr.ui.run_state import (
    SHOWN,
    SILENT,
    RunState,
    connect_picture,
    connect_rejoin,
    connect_run,
    connect_stop,
    news,
    pressing,
)
from gansr.ui.visitors import Visitor, visitor_of
from gansr.ui.weight_menus import warn_of_missing_weights, wire_more


@dataclass(frozen=True)
class DrawnTab:
    """What the ways between tabs need of a tab."""

    controls: RequestControls
    away: gr.Button  # leads to the comparison
    restore: RestoreButton  # restores a result's settings
    results: Results

    def place(self) -> Place:
        """Where results come from and go to."""
        results = self.results
        return Place(
            results.method.name,
            self.controls.picture,
            results.status,
            results.pictures,
            results.files,
            self.controls.fields,
            results.kernel,
        )


def draw_tab(method: Method, examples: list[str]) -> DrawnTab:
    """The whole tab of one paper, inside an open gr.Tab."""
    gr.HTML(render.summary(method))
    form = Form(method)
    with gr.Row(equal_height=False, elem_classes="work"):
        with gr.Column(min_width=320, elem_classes="work-first"):
            seen = form.draw_first(examples)
            with gr.Row(elem_classes="buttons"):
                run = gr.Button("Run", variant="primary", min_width=80, elem_id=f"{method.name}-run")
                stop = gr.Button("Stop", min_width=80, elem_id=f"{method.name}-stop")
                paint = draw_button(method) if method.retouch else None
            cost = draw_cost(method)
            retouching = draw_canvas(method, paint) if paint is not None else None
        with gr.Column(min_width=320, elem_classes="work-result"):
            form.draw_masks()
            example = TABS.get(method.name)
            results = Results(method, example if example is not None and read(example.name) else None)
            draw_how(method)
        with gr.Column(min_width=320, elem_classes="work-settings"):
            restore = draw_restore(method.name, form.picture)
            found = form.draw_settings()
            away = gr.Button("Compare with the other methods", size="sm", elem_id=f"{method.name}-away")
    controls = form.wired()
    draw_fine_tune(method, controls, results.status)
    wire_preview(method, controls, found, seen, form.ways)
    if retouching is not None:
        wire_retouch(controls, retouching, results.status)
    state, visit = gr.State(RunState()), gr.Textbox(visible=False)
    connect_run(run, stop, state)
    started = run.click(
        page_handler(controls, results), [state, visit, *controls.all()], results.all(), **RUNS, **SHOWN
    )
    wire_cost(controls, cost, started)
    connect_rejoin(controls.rejoin, run, stop)
    again = controls.rejoin.click(rejoin_handler(method.name), [state, visit], results.all(), **RUNS, **SHOWN)
    connect_stop(run, stop, (started, again), state, results.status, results.pictures, results.cleared)
    connect_picture(controls.picture, state, results.status)
    if results.example is not None:
        _wire_example(controls, results, results.example, state)
    warn_of_missing_weights(controls, state, results.status)
    wire_more(controls)
    draw_api(method, controls)
    if method.reuse is not None and results.reuse is not None:
        link_reuse(method.reuse, results.reuse, controls, results.files, results.status)
    return DrawnTab(controls, away, restore, results)


def _wire_example(controls: RequestControls, results: Results, example: Example, state: gr.State) -> None:
    """The example goes when the user chooses a picture, and runs when the user asks for it."""

    def leave(state: RunState, picture: Any, status: Any) -> dict[Any, Any]:
        if state.started or state.requested or picture is None:
            return {results.status: gr.skip()}
        of_example = isinstance(status, str) and again in status  # or something else was said since
        return results.cleared() | {results.status: render.message("Press Run.") if of_example else gr.skip()}

    def complete(*given: Any) -> list[Any]:
        values = {**dict(zip(controls.names(), given, strict=True)), **example.settings}
        values["picture"] = example_of(example.picture)
        return [values[name] for name in changed]

    changed = ["picture", *example.settings]
    named = dict(zip(controls.names(), controls.all(), strict=True))
    again = str(results.again.elem_id)  # the button in what is said of the example
    seen = [state, controls.picture, results.status]
    controls.picture.change(leave, seen, results.all(), **SILENT)  # type: ignore[attr-defined]
    chosen = results.again.click(complete, controls.all(), [named[name] for name in changed], **SILENT)
    chosen.then(None, None, None, js=pressing(f"{controls.method.name}-run"), **SILENT)


def page_handler(controls: RequestControls, results: Results) -> Callable[..., Iterator[dict[Any, Any]]]:
    """The generator behind Run."""

    def run(state: RunState, visit: Any, asked: gr.Request | None, *values: Any) -> Iterator[dict[Any, Any]]:
        visitor = visitor_of(asked)
        watch = service.LISTENERS.watch(visitor.session)
        with user_errors(toast=False):  # the status shows it
            items = updates_of(controls, results, visitor, values)
            begun = service.RUNS.begin(visit, controls.method.name, items, watch, visitor, values[0])
            yield from watch.sent(state.follow(begun, None, watch))

    return run


def updates_of(
    controls: RequestControls, results: Results, visitor: Visitor, values: Sequence[Any]
) -> Generator[dict[Any, Any] | None]:
    """What a run of the controls' `values` shows, component → value, or None where nothing is new. Raises one of
    USER_ERRORS.

    Each has the whole state, not only what changed: of updates that arrive together the browser applies the last
    alone, and an output left out of that one would lose what came before."""
    whole: dict[Any, Any] = {}
    with closing(_admitted(controls, results, visitor, values)) as items:
        for changed in items:
            whole |= changed or {}
            yield None if changed is None else dict(whole)


def _admitted(
    controls: RequestControls, results: Results, visitor: Visitor, values: Sequence[Any]
) -> Generator[dict[Any, Any] | None]:
    yield results.cleared()  # first: what an earlier run left must not stand beside this one's refusal
    with service.VISITORS.admitted(visitor):
        yield from _changes(controls, results, visitor, values)


def _changes(
    controls: RequestControls, results: Results, visitor: Visitor, values: Sequence[Any]
) -> Generator[dict[Any, Any] | None]:
    picture, request = controls.request(values)
    if picture is None:
        raise OptionError("no picture yet: drop one, paste one, or choose an example")
    kept, measured_answers = RunFiles(), 0
    for update in news(service.PIPELINE.run(picture, request, owner=visitor.session)):
        if update is None:
            yield None
        elif update.frame is None:
            yield {results.status: render.message(update.text)}
        elif not update.finished:
            yield results.live(update, kept)
        else:
            if not kept.result:
                yield results.finished(request, update, kept)
            table = render.metrics_table(
                update.measured, update.baseline, update.baseline_title, update.baseline_reasons
            )
            yield {
                results.measures: table + ("" if update.done else render.message(update.text)),
                results.verdict: render.verdict(update.measured, update.baseline, update.baseline_title),
            }
            if len(update.answers) > measured_answers:
                measured_answers = len(update.answers)
                yield {results.pictures: results.tiles(kept, update.answers)}


def rejoin_handler(
    tab: str, settings_of: Callable[..., Any] = lambda values: None
) -> Callable[..., Iterator[Any]]:
    """The generator that shows the visit's run in `tab` again, as it stands; nothing where there is none. `settings_of`
    gives the settings, as the preview has them, of the values of the controls."""

    def rejoin(state: RunState, visit: Any, asked: gr.Request | None, *values: Any) -> Iterator[Any]:
        watch = service.LISTENERS.watch(visitor_of(asked).session)
        with user_errors(toast=False):
            if (run := service.RUNS.of(visit, tab)) is not None:
                yield from watch.sent(state.follow(run, settings_of(values), watch))

    return rejoin
