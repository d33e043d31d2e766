"""The Compare tab: one picture, several methods, side by side and measured."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.components import Component

from gansr import papers, weights
from gansr.choices import menu, weight_choices
from gansr.compare import plan
from gansr.compare.plan import MIDDLE, REMEDIES, Comparison
from gansr.compare.run import run
from gansr.inputs import DETECTOR
from gansr.method import Method
from gansr.options import OptionError, options_of
from gansr.pipeline import USER_ERRORS, Update
from gansr.problem import PROBLEMS
from gansr.request import LARGE, PLAIN, Request
from gansr.ui import compare_view, gallery, render, service
from gansr.ui import table as table_view
from gansr.ui.address import COMPARE, Addressed
from gansr.ui.api import RUNS
from gansr.ui.compare_values import (
    AUTOMATIC,
    LONGEST,
    PROBLEM_TITLES,
    defaults,
    names,
    problem_of,
    requests_of,
)
from gansr.ui.compare_view import Finished, RunFiles
from gansr.ui.controls import HIDDEN, control, picture_input
from gansr.ui.handlers import text_of, user_errors
from gansr.ui.request_controls import LOOK, QUIET, degradation_controls, shown_for_task, task_control
from gansr.ui.restore_button import RestoreButton, draw_restore
from gansr.ui.reuse import Place, destinations
from gansr.ui.run_state import (
    SHOWN,
    RunState,
    connect_rejoin,
    connect_run,
    connect_stop,
    hidden_button,
)
from gansr.ui.tab import rejoin_handler
from gansr.ui.viewer import contents, viewer
from gansr.ui.visitors import Visitor, visitor_of
from gansr.weights.availability import FILE

CHOOSE = "Choose a picture and press Run all."
EMPTY = (render.message(CHOOSE), contents(), table_view.contents(), "")  # status, viewer, table, verdicts


@dataclass(frozen=True)
class CompareControls:
    """The controls of the tab, by the names that links and receipts use."""

    named: Mapping[str, Component]
    open_tab: Mapping[str, gr.Button]  # method → the button that opens its own tab with these settings
    restore: RestoreButton
    rejoin: gr.Button
    receipt: gr.File  # a result's PNG, to restore its settings from
    status: gr.HTML
    pictures: gr.HTML  # the viewer
    files: gr.State  # of compare_view.Finished: the results of the last run

    def place(self) -> Place:
        """Where results come from and go to."""
        return Place("compare", self.named["picture"], self.status, self.pictures, self.files, self.named)

    def all(self) -> list[Component]:
        """Every control, in the order in which handlers receive their values."""
        return [self.named[name] for name in names()]

    def addressed(self) -> Addressed:
        """What an address sets."""
        named = {name: self.named[name] for name in defaults()}
        return Addressed(COMPARE, self.named["picture"], named, (self.rejoin,))

    def values(self, given: Sequence[Any]) -> dict[str, Any]:
        """Values of `all` → by name."""
        return dict(zip(names(), given, strict=True))


# --------------------------------------------------------------------------------------------- drawing


def draw_compare() -> CompareControls:
    """The whole tab, inside an open gr.Tab with id "compare". It opens with the first example of the gallery."""
    first = gallery.first_comparison() or EMPTY
    gr.HTML(
        "<p class='summary'>One picture, every method, side by side: what each recovered and what it invented.</p>"
    )
    with gr.Row(equal_height=False, elem_classes="work"):
        with gr.Column(min_width=320, elem_classes="work-first"):
            named, examples, start, stop = _draw_first()
        with gr.Column(min_width=320, elem_classes="work-result"):
            status = gr.HTML(first[0], elem_id="compare-status")
            pictures = viewer(first[1], elem_id="compare-viewer", uses=destinations())
            measures = table_view.metrics_table(first[2], elem_id="compare-table")
            verdicts = gr.HTML(first[3], elem_id="compare-verdicts")
            again = gr.Button(visible=HIDDEN, elem_id=gallery.AGAIN)
        with gr.Column(min_width=320, elem_classes="work-settings"):
            restore = draw_restore("compare", named["picture"])
            open_tab = _draw_settings(named)
    state, unticked, finished = gr.State(RunState()), gr.State([]), gr.State(Finished())
    rejoin = hidden_button(COMPARE, "rejoin")
    controls = CompareControls(named, open_tab, restore, rejoin, _draw_share(), status, pictures, finished)
    _wire_preview(controls, (status, pictures, measures, verdicts), state, unticked)
    gallery.wire_examples(named, examples, again, defaults())
    connect_run(start, stop, state)
    inputs = [state, gr.Textbox(visible=False), *controls.all()]
    outputs = [status, pictures, measures, verdicts, finished]
    started = start.click(_run, inputs, outputs, **RUNS, **SHOWN)
    connect_rejoin(rejoin, start, stop)
    again = rejoin.click(rejoin_handler(COMPARE, controls.values), inputs, outputs, **RUNS, **SHOWN)

    def cleared() -> dict[Any, Any]:
        return {
            pictures: contents(), measures: table_view.contents(), verdicts: "", finished: Finished()
        }  # fmt: skip

    connect_stop(start, stop, (started, again), state, status, pictures, cleared)
    return controls


def _draw_first() -> tuple[dict[str, Component], gr.Dataset, gr.Button, gr.Button]:
    """What to do, the picture, examples, the problem, the methods, Run and Stop."""
    methods = papers.METHODS
    named: dict[str, Component] = {"task": task_control("compare-task")}
    named["picture"] = picture_input(label="Picture", height=160, elem_id="compare-picture")
    examples = gallery.draw_thumbnails(named["picture"])
    named["problem"] = gr.Dropdown(
        [(title, name) for name, title in PROBLEM_TITLES.items()],
        value=AUTOMATIC,
        label="Problem",
        info="All methods get the same small picture and are asked for the same size",
        elem_id="compare-problem",
        elem_classes="helped",
    )
    named["methods"] = gr.CheckboxGroup(
        [(m.title, m.name) for m in methods],
        value=[m.name for m in methods if not m.baseline],
        label="Methods",
        info="Those that cannot solve the problem are unticked; the reason stands in their tile",
        elem_id="compare-methods",
        elem_classes="helped",
    )
    with gr.Row(elem_classes="buttons"):
        start = gr.Button("Run all", variant="primary", elem_id="compare-run", min_width=80)
        stop = gr.Button("Stop", elem_id="compare-stop", min_width=80)
    return named, examples, start, stop


def _draw_settings(named: dict[str, Component]) -> dict[str, gr.Button]:
    """The other controls, added to `named`; returns the button of each method that opens its own tab."""
    methods, open_tab = papers.METHODS, dict[str, gr.Button]()
    shrinking, made = degradation_controls()
    named |= made
    shown_for_task(named["task"], shrinking)
    with gr.Accordion("Options", open=False, elem_id="compare-options"):
        with gr.Row(visible=any(m.accepts.face for m in methods)):
            named |= {name: control(name, *PLAIN[name]) for name in ("align", "face")}
        named["large"] = control("large", *PLAIN["large"])
        for method in methods:
            named |= _draw_method(method)
            open_tab[method.name] = gr.Button(
                f"Open the tab of {method.title} with these settings", size="sm"
            )
        named |= {name: control(name, *PLAIN[name]) for name in ("seed", "precision")}
    return open_tab


def _draw_method(method: Method) -> dict[str, Component]:
    known = ", ".join(
        name + _usable_weights(method, name)
        for name, (described, _) in options_of(method.options).items()
        if described.read is None
    )
    with gr.Row():
        preset = gr.Radio(
            list(method.presets),
            value=next(iter(method.presets)),
            label=f"{method.title}: preset",
            info="Sets the method's options; what is typed beside it overrides them",
            elem_id=f"compare-{method.name}-preset",
            elem_classes="helped",
        )
        options = gr.Textbox(
            "",
            label=f"{method.title}: more options",
            placeholder="name=value name=value",
            info=f"They override the preset; name=a|b runs both values, side by side. The names: {known}",
            max_length=LONGEST,
            elem_id=f"compare-{method.name}-options",
        )
    return {f"{method.name}.preset": preset, f"{method.name}.options": options}


def _usable_weights(method: Method, name: str) -> str:
    """The weights that an option may name here without a file from the user, in brackets."""
    described, standing = options_of(method.options)[name][0], weight_choices(method, name)
    usable = {choice: one for choice, one in standing.items() if one.state != FILE}
    return f" ({'; '.join(label for label, _ in menu(described, usable))})" if usable else ""


def _draw_share() -> gr.File:
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
    share.click(None, None, link, js="() => window.gansr.link()", **QUIET)
    return dropped


# ---------------------------------------------------------------------------------------------- preview


def _plan(values: Mapping[str, Any], requests: Sequence[Request], visitor: Visitor) -> Comparison:
    if values["picture"] is None:
        raise OptionError("no picture yet: drop one, paste one, or choose an example")
    pipeline = service.PIPELINE
    picture = pipeline.inputs.open(values["picture"])
    problem = problem_of(values, lambda: plan.default_problem(picture, requests, pipeline))
    return plan.plan(picture, requests, problem, pipeline, owner=visitor.session)


def _fetch_detector(values: Mapping[str, Any], requests: Sequence[Request]) -> Iterator[Update]:
    """Bring what finds faces, where one is looked for."""
    chosen = PROBLEMS.get(values["problem"]) if isinstance(values["problem"], str) else None
    if (
        any(request.large == "crop face" for request in requests)
        or plan.looks_for_face(requests)
        or (chosen is not None and chosen.side and requests[0].align)
    ):
        yield from service.PIPELINE.fetch_detector()


def _wire_preview(
    controls: CompareControls, results: tuple[gr.HTML, ...], state: gr.State, unticked: gr.State
) -> None:
    """`results`: status, viewer, table and verdicts."""
    status, pictures = results[:2]

    # Two functions that each answer once: a generator's last answer is sent again when it ends, and might arrive
    # after a short run has ended.
    def announce(state: RunState, removed: list[str], *given: Any) -> Any:
        values = controls.values(given)
        wanted = values["picture"] is not None and values["align"] is True and not state.running
        if not wanted or weights.ready(DETECTOR) or not _draws_faces(values):
            return gr.skip()
        return render.message("Downloading the face detector, once …")

    def preview(
        state: RunState, removed: list[str], asked: gr.Request | None, *given: Any
    ) -> tuple[Any, ...]:
        values, visitor = controls.values(given), visitor_of(asked)
        found = state.unless_running(lambda: previewed(values, removed, visitor), values)
        return found or (gr.skip(),) * 6

    def previewed(values: Mapping[str, Any], removed: list[str], visitor: Visitor) -> tuple[Any, ...]:
        """Values of `results`, the methods and those that were unticked here. A method that cannot solve the problem
        is unticked, and ticked again with a problem that it can solve. An example is shown as it was computed."""
        chosen = values["methods"] if isinstance(values["methods"], list) else []
        every = {**values, "methods": [*chosen, *removed]}
        if values["picture"] is None:
            return *(gallery.first_comparison() or EMPTY), gr.skip(), gr.skip()
        if (example := gallery.example_for(every, defaults())) is not None:
            ran = gallery.methods_of(example)
            others = [name for name in every["methods"] if name not in ran]
            return *gallery.comparison(example), gr.update(value=ran), others
        try:
            requests = requests_of(every)
            for _ in _fetch_detector(values, requests):
                pass
            comparison = _plan(values, requests, visitor)
        except USER_ERRORS as error:
            return render.message(str(error)), *EMPTY[1:], gr.skip(), gr.skip()
        shown = compare_view.ready(comparison), compare_view.tiles(comparison, RunFiles()), *EMPTY[2:]
        ticked = list(dict.fromkeys(e.method.name for e in comparison if e.state != "unsuitable"))
        return *shown, gr.update(value=ticked), [n for n in (*chosen, *removed) if n not in ticked]

    def remedy(event: gr.EventData) -> tuple[Any, Any, Any]:
        """Updates of the problem, the alignment, and what becomes of a large picture."""
        by_title = {title: name for name, title in REMEDIES.items()}
        name = by_title.get(text_of(event, "action"), "")
        problem = name if name in PROBLEMS else gr.skip()
        return problem, False if name == MIDDLE else gr.skip(), name if name in LARGE else gr.skip()

    unwatched = ("methods", "seed", "precision")
    changes = [made.change for name, made in controls.named.items() if name not in unwatched]  # type: ignore[attr-defined]
    inputs = [state, unticked, *controls.all()]
    # The page ticks and unticks methods itself: only the user's own clicks ask for a new preview.
    changed = gr.on([*changes, controls.named["methods"].input], announce, inputs, status, **LOOK)  # type: ignore[attr-defined]
    changed.then(preview, inputs, [*results, controls.named["methods"], unticked], **LOOK)
    remedied = [controls.named[name] for name in ("problem", "align", "large")]
    pictures.select(remedy, None, remedied, **QUIET)


def _draws_faces(values: Mapping[str, Any]) -> bool:
    chosen = values["methods"]
    return isinstance(chosen, list) and any(
        method.accepts.face for method in papers.METHODS if method.name in chosen
    )


# ----------------------------------------------------------------------------------------------- running


def _run(state: RunState, visit: Any, asked: gr.Request | None, *given: Any) -> Iterator[tuple[Any, ...]]:
    """(status, viewer, table, verdicts, finished results) whenever something is new."""
    visitor = visitor_of(asked)
    watch = service.LISTENERS.watch(visitor.session)
    with user_errors():
        values = dict(zip(names(), given, strict=True))
        items = wholes(updates_of(values, visitor))
        begun = service.RUNS.begin(visit, COMPARE, items, watch, visitor, values["picture"])
        yield from watch.sent(state.follow(begun, values, watch))


def wholes(items: Generator[tuple[Any, ...] | None]) -> Generator[tuple[Any, ...] | None]:
    """Each item with what was there before in the place of what has not changed: one may be left out."""
    whole: tuple[Any, ...] = ()
    with closing(items):
        for item in items:
            if item is not None:
                before = whole or item
                whole = tuple(old if new == gr.skip() else new for new, old in zip(item, before, strict=True))
            yield item and whole


def updates_of(values: Mapping[str, Any], visitor: Visitor) -> Generator[tuple[Any, ...] | None]:
    """(status, viewer, table, verdicts, finished results) of a run of these values, by name; `gr.skip()` for what has
    not changed, and None where nothing has. Raises one of USER_ERRORS."""
    shown = False
    try:
        with service.VISITORS.admitted(visitor):
            for item in _admitted(values, visitor):
                shown = shown or (item is not None and item[1] != gr.skip())
                yield item
    except Exception:
        if not shown:  # what an earlier run left must not stand beside this one's refusal
            yield render.message("Starting …"), contents(), table_view.contents(), "", Finished()
        raise


def _admitted(values: Mapping[str, Any], visitor: Visitor) -> Generator[tuple[Any, ...] | None]:
    if values["picture"] is None:
        raise OptionError("no picture yet: drop one, paste one, or choose an example")
    yield render.message("Starting …"), gr.skip(), table_view.contents(), "", Finished()
    requests = requests_of(values)
    for update in _fetch_detector(values, requests):
        yield render.message(update.text), *[gr.skip()] * 4
    comparison, kept, measured = _plan(values, requests, visitor), RunFiles(), 0
    yield compare_view.status(comparison), compare_view.tiles(comparison, kept), *[gr.skip()] * 3
    told: Any = None
    for entry in run(comparison, service.PIPELINE, visitor.session):
        there, _ = comparison.measurements
        if (new := (entry and (entry.name, entry.state, entry.text), there)) == told:
            yield None  # it waits in line
            continue
        told = new
        rows = table_view.contents(comparison, "measuring") if there != measured else gr.skip()
        measured = there
        shown = compare_view.tiles(comparison, kept)
        told_so = compare_view.verdicts(comparison, kept)
        yield compare_view.status(comparison), shown, rows, told_so, kept.finished(comparison)
    shown, rows = compare_view.tiles(comparison, kept), table_view.contents(comparison)
    told_so = compare_view.verdicts(comparison, kept)
    yield compare_view.status(comparison, done=True), shown, rows, told_so, kept.finished(comparison)
