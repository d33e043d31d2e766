"""One function draws every paper's tab from its Method; one generator runs it; one serves its API."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from typing import Any

import gradio as gr

from gansr import receipt
from gansr.method import Method
from gansr.options import OptionError
from gansr.pipeline import Update
from gansr.request import Request
from gansr.ui import files, render, service
from gansr.ui.handlers import user_errors
from gansr.ui.preview import wire_preview
from gansr.ui.request_controls import Form, RequestControls
from gansr.ui.restore_button import RestoreButton, draw_restore
from gansr.ui.results import Results, RunFiles
from gansr.ui.run_state import (
    WITH_VISIT,
    RunState,
    connect_picture,
    connect_rejoin,
    connect_run,
    connect_stop,
    news,
)
from gansr.ui.visitors import Visitor, visitor_of
from gansr.ui.weight_menus import warn_of_missing_files

# Runs wait in our own line, where they are served in rotation and can be stopped; never in Gradio's queue.
RUNS: dict[str, Any] = {"concurrency_limit": None, "concurrency_id": "run"}
SHOWN: dict[str, Any] = {
    "show_progress": "hidden",
    "api_visibility": "private",
    "trigger_mode": "once",
    "js": WITH_VISIT,
}


def draw_tab(method: Method, examples: list[str]) -> tuple[RequestControls, gr.Button, RestoreButton]:
    """The whole tab of one paper, inside an open gr.Tab; returns its controls, the button that leads to the
    comparison, and the one that restores a result's settings."""
    gr.HTML(render.summary(method))
    form = Form(method)
    with gr.Row(equal_height=False, elem_classes="work"):
        with gr.Column(min_width=320, elem_classes="work-first"):
            seen = form.draw_first(examples)
            with gr.Row(elem_classes="buttons"):
                run = gr.Button("Run", variant="primary", min_width=80, elem_id=f"{method.name}-run")
                stop = gr.Button("Stop", min_width=80, elem_id=f"{method.name}-stop")
        with gr.Column(min_width=320, elem_classes="work-result"):
            form.draw_masks()
            results = Results(method)
        with gr.Column(min_width=320, elem_classes="work-settings"):
            restore = draw_restore(method.name, form.picture)
            found = form.draw_settings()
            away = gr.Button("Compare with the other methods", size="sm", elem_id=f"{method.name}-away")
    controls = form.wired()
    wire_preview(method, controls, found, seen)
    state, visit = gr.State(RunState()), gr.Textbox(visible=False)
    connect_run(run, stop, state)
    started = run.click(
        page_handler(controls, results), [state, visit, *controls.all()], results.all(), **RUNS, **SHOWN
    )
    connect_rejoin(controls.rejoin, run, stop)
    again = controls.rejoin.click(rejoin_handler(method.name), [state, visit], results.all(), **RUNS, **SHOWN)
    connect_stop(run, stop, (started, again), state, results.status, results.pictures)
    connect_picture(controls.picture, state, results.status)
    warn_of_missing_files(controls, state, results.status)
    _draw_api(method, controls)
    return controls, away, restore


def page_handler(controls: RequestControls, results: Results) -> Callable[..., Iterator[dict[Any, Any]]]:
    """The generator behind Run."""

    def run(state: RunState, visit: Any, asked: gr.Request | None, *values: Any) -> Iterator[dict[Any, Any]]:
        visitor = visitor_of(asked)
        watch = service.LISTENERS.watch(visitor.session)
        with user_errors(toast=False):  # the status shows it
            items = wholes(admitted(visitor, values))
            begun = service.RUNS.begin(visit, controls.method.name, items, watch, visitor, values[0])
            yield from watch.sent(state.follow(begun, None, watch))

    def wholes(items: Generator[dict[Any, Any] | None]) -> Generator[dict[Any, Any] | None]:
        # Each has the whole state, not only what changed: of updates that arrive together the browser applies the
        # last alone, and an output left out of that one would lose what came before.
        whole: dict[Any, Any] = {}
        with closing(items):
            for changed in items:
                whole |= changed or {}
                yield None if changed is None else dict(whole)

    def admitted(visitor: Visitor, values: tuple[Any, ...]) -> Generator[dict[Any, Any] | None]:
        yield results.cleared()  # first: what an earlier run left must not stand beside this one's refusal
        with service.VISITORS.admitted(visitor):
            yield from updates(visitor, values)

    def updates(visitor: Visitor, values: tuple[Any, ...]) -> Generator[dict[Any, Any] | None]:
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

    return run


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


# --------------------------------------------------------------------------------------------- the API


def _draw_api(method: Method, controls: RequestControls) -> None:
    """`client.predict(picture=…, api_name="/srgan")` → (the result's PNG, a report)."""
    with gr.Group(visible=False):
        button, result, report = gr.Button("API"), gr.File(), gr.JSON()

    def run(asked: gr.Request, *values: Any) -> Iterator[tuple[Any, Any]]:
        visitor = visitor_of(asked)
        watch = service.LISTENERS.watch(visitor.session)
        with user_errors():
            yield from watch.sent(RunState().until_stopped(updates(visitor, values), watch=watch))

    def updates(visitor: Visitor, values: tuple[Any, ...]) -> Generator[tuple[Any, Any] | None]:
        with service.VISITORS.admitted(visitor):
            picture, request = controls.request(values)
            if picture is None:
                raise OptionError("no picture: give one as `picture`")
            path = ""
            for update in news(service.PIPELINE.run(picture, request, owner=visitor.session)):
                if update is None:
                    yield None
                    continue
                frame, given = update.frame, update.given
                if frame is None or given is None:
                    yield None, {"status": update.text}
                elif not update.finished:
                    yield None, {"step": frame.step, "steps": frame.steps, "readings": dict(frame.readings)}
                else:
                    png = path or receipt.result_png(request, given, frame)
                    path = png if isinstance(png, str) else files.save(png, f"{method.name}.png")
                    yield path, _report(request, update)

    parameter = inspect.Parameter
    run.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [parameter(name, parameter.POSITIONAL_OR_KEYWORD) for name in ("asked", *controls.names())]
    )
    button.click(run, controls.all(), [result, report], api_name=method.name, **RUNS)


def _report(request: Request, update: Update) -> dict[str, Any]:
    assert update.frame is not None and update.given is not None
    return {
        "measures": {r.metric.name: r.reason if r.value is None else r.value for r in update.measured},
        "answers": {
            title: {row.metric.name: row.value for row in rows if row.value is not None}
            for title, rows in update.answers.items()
        },
        "baseline": {"title": update.baseline_title, "measures": dict(update.baseline or {})},
        "notices": [*update.given.notices, *update.frame.notices],
        "receipt": receipt.write(request, update.given, update.frame),
    }
