"""The Compare tab: one picture, several methods, side by side and measured.

Settings are plain values by name. A share link's query, a result's receipt and the controls all read and write
the same names; nothing is kept on the server.
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import gradio as gr
from gradio.components import Component

from gansr import compare, weights
from gansr.compare import FACTORS, REMEDIES, Lane, Remedy, table
from gansr.compare.command import typed
from gansr.compare.verdict import verdict
from gansr.method import Method
from gansr.ops.degrade import PRESETS as DEGRADATIONS
from gansr.ops.degrade import Degradation
from gansr.options import OptionError, options_of, parse_options
from gansr.options import plain_values as values_of
from gansr.papers import METHODS
from gansr.picture import open_picture, to_png
from gansr.prepare import TASKS
from gansr.serve import DETECTOR, TOLD, Order, order, request_of
from gansr.ui import files, gpu
from gansr.ui import render as show
from gansr.ui import table as table_view
from gansr.ui.controls import controls, picture_input
from gansr.ui.examples import EXAMPLES
from gansr.ui.recipe import Offer, Recipe, draw_offer, read
from gansr.ui.run_state import RunState, connect_run, connect_stop
from gansr.ui.tab import told
from gansr.ui.viewer import contents, tile, viewer

BY_NAME = {method.name: method for method in METHODS}
OWN_FACTOR = "each method's own"
FACTOR_NAMES = {OWN_FACTOR: None} | {f"×{factor}": factor for factor in FACTORS}


@dataclass(frozen=True)
class Controls:
    """The controls of the tab, by the names that links and receipts use."""

    named: dict[str, Component]
    doors: dict[str, gr.Button]  # method → the button that opens its own tab with these settings
    offer: Offer

    def all(self) -> list[Component]:
        return list(self.named.values())

    def values(self, given: Sequence[Any]) -> dict[str, Any]:
        return dict(zip(self.named, given, strict=True))


@dataclass
class Shown:
    """The files of one run, by lane: written once, named in every update."""

    paths: dict[str, str] = field(default_factory=dict)
    frames: dict[str, tuple[int, str]] = field(default_factory=dict)  # step and state that the path shows
    verdicts: dict[str, str] = field(default_factory=dict)


# --------------------------------------------------------------------------------------------- drawing


def draw_compare(page: gr.Blocks, tabs: gr.Tabs, examples: Sequence[str]) -> Controls:
    """The whole tab, inside an open gr.Tab with id "compare" of `tabs`; reads a share link when the page loads."""
    gr.HTML(
        "<p class='summary'>One picture, every method, side by side: what each recovered and what it invented.</p>"
    )
    picked, factor_box = _draw_inputs(examples)
    with gr.Row():
        run = gr.Button("Run all", variant="primary", elem_id="compare-run")
        stop = gr.Button("Stop", elem_id="compare-stop")
    status = gr.HTML(show.message("Choose a picture and press Run all."), elem_id="compare-status")
    pictures = viewer(elem_id="compare-viewer")
    measures = table_view.metrics_table(elem_id="compare-table")
    verdicts = gr.HTML(elem_id="compare-verdicts")
    remedied, turn = gr.State({}), gr.State(RunState())
    _wire_look(picked, pictures, status, remedied, turn)
    outputs = [status, pictures, measures, verdicts]
    connect_run(run, turn)
    started = run.click(
        _run,
        [turn, remedied, *picked.all()],
        outputs,
        show_progress="hidden",
        api_visibility="private",
        trigger_mode="once",
        concurrency_limit=8,
        concurrency_id="run",
    )
    connect_stop(stop, started, turn, status, pictures)
    _draw_share(picked)
    kinds = list(picked.named.values())
    page.load(_from_link, None, [tabs, *kinds], queue=False, api_visibility="private")
    picked.named["task"].change(  # type: ignore[attr-defined]
        lambda task: gr.update(visible=task == TASKS["known answer"]),
        picked.named["task"],
        factor_box,
        queue=False,
        api_visibility="private",
    )
    return picked


def _draw_inputs(examples: Sequence[str]) -> tuple[Controls, gr.Accordion]:
    named: dict[str, Component] = {}
    doors: dict[str, gr.Button] = {}
    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=300):
            named["picture"] = picture_input(label="Picture", height=240, elem_id="compare-picture")
            gr.Examples(
                [[path] for path in examples], [named["picture"]], label="Examples", examples_per_page=8
            )
            offer = draw_offer("compare", named["picture"])
        with gr.Column(scale=3, min_width=300):
            named["methods"] = gr.CheckboxGroup(
                [(m.title, m.name) for m in METHODS], value=[m.name for m in METHODS], label="Methods",
                elem_id="compare-methods",
            )  # fmt: skip
            named["task"] = gr.Radio(
                list(TASKS.values()), value=TASKS["enlarge"], label="What to do", elem_id="compare-task",
                info="“Known answer”: the picture is the truth; it is shrunk first, and the results are measured "
                "against it.",
            )  # fmt: skip
            with gr.Accordion("How the picture is shrunk", open=True, visible=False) as shrinking:
                kind = gr.Dropdown(list(DEGRADATIONS), value=next(iter(DEGRADATIONS)), label="Preset")
                named["factor"] = gr.Radio(
                    list(FACTOR_NAMES), value=OWN_FACTOR, label="How much smaller",
                    info="Where a method wants a square of its own, that decides",
                )  # fmt: skip
                with gr.Accordion("Its parameters", open=False):
                    shrink = controls(Degradation)
                named |= {f"shrink.{name}": control for name, control in shrink.items()}
                kind.input(
                    lambda k: list(values_of(DEGRADATIONS[k]).values()), kind, list(shrink.values()),
                    queue=False, api_visibility="private",
                )  # fmt: skip
            with gr.Row(visible=any(m.accepts.face for m in METHODS)):
                named["align"] = gr.Checkbox(
                    True, label="Align the face", info="All methods get the same face; off: the middle square"
                )
                named["face"] = gr.Number(
                    1, precision=0, minimum=1, maximum=99, label="Which face", info="Largest first"
                )
            with gr.Accordion("Presets and options", open=False):
                for method in METHODS:
                    named |= _draw_method(method)
                    doors[method.name] = gr.Button(
                        f"Open the tab of {method.title} with these settings", size="sm"
                    )
                named["seed"] = gr.Number(
                    0, precision=0, minimum=0, maximum=2**31 - 1, label="Seed",
                    info="The same seed gives the same pictures",
                )  # fmt: skip
                named["precision"] = gr.Radio(
                    ["fast", "exact"], value="fast", label="Precision",
                    info="fast: half precision where the processor is good at it; exact: float32 throughout",
                )  # fmt: skip
    return Controls(named, doors, offer), shrinking


def _draw_method(method: Method) -> dict[str, Component]:
    names = ", ".join(name for name, (knob, _) in options_of(method.options).items() if knob.read is None)
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
            info=f"They win over the preset: {names}",
            max_length=400,
            elem_id=f"compare-{method.name}-options",
        )
    return {f"{method.name}.preset": preset, f"{method.name}.options": options}


# ---------------------------------------------------------------------------------------- from values


def orders_of(values: Mapping[str, Any]) -> list[Order]:
    """Values by name, unchecked → the orders of the chosen methods. Raises OptionError."""
    chosen = values["methods"]
    if not isinstance(chosen, list) or not all(name in BY_NAME for name in chosen):
        raise OptionError(f"methods must be some of {', '.join(BY_NAME)}")
    if not chosen:
        raise OptionError("no method is chosen: tick at least one")
    shrinking = {name: values[f"shrink.{name}"] for name in options_of(Degradation)}
    request = request_of(values["task"], shrinking, values["align"], values["face"])
    return [
        order(method, chosen_options(method, values), request, values["seed"], values["precision"])
        for method in METHODS
        if method.name in chosen
    ]


def chosen_options(method: Method, values: Mapping[str, Any]) -> dict[str, Any]:
    """The preset's options and those typed besides. Raises OptionError."""
    preset, text = values[f"{method.name}.preset"], values[f"{method.name}.options"]
    if preset not in method.presets:
        raise OptionError(f"{method.title}: the preset must be one of {', '.join(method.presets)}")
    if not isinstance(text, str) or len(text) > 400:
        raise OptionError(f"{method.title}: the options must be a text of at most 400 characters")
    found = dict(method.presets[preset])
    try:
        pairs = shlex.split(text)  # values with spaces stand in quotes
    except ValueError:
        raise OptionError(f"{method.title}: a quote is not closed in {text[:60]!r}") from None
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise OptionError(f"{method.title}: write options as name=value, not {pair[:40]!r}")
        if name in options_of(method.options) and options_of(method.options)[name][0].read is not None:
            raise OptionError(f"{method.title}: {name} is a file; use the method's own tab")
        found[name] = typed(method, name, value)
    return found


def _planned(remedied: Mapping[str, Remedy], values: Mapping[str, Any]) -> list[Lane]:
    if values["picture"] is None:
        raise OptionError("no picture yet: drop one, paste one, or choose an example")
    factor = FACTOR_NAMES.get(values["factor"])
    return compare.lanes(open_picture(values["picture"]), orders_of(values), gpu.METER, factor, remedied)


# ------------------------------------------------------------------------------ what will be, before Run


def _wire_look(
    picked: Controls, pictures: gr.HTML, status: gr.HTML, remedied: gr.State, turn: gr.State
) -> None:
    # Two functions that each answer once: a generator's last answer is sent again when it ends, and might arrive
    # after a short run has ended.
    def announce(turn: RunState, remedies: Mapping[str, Remedy], *given: Any) -> Any:
        values = picked.values(given)
        wanted = values["picture"] is not None and values["align"] is True and not turn.running
        if not wanted or weights.ready(DETECTOR) or not _for_faces(values):
            return gr.skip()
        return show.message("fetching what finds faces, once …")

    def look(turn: RunState, remedies: Mapping[str, Remedy], *given: Any) -> tuple[Any, Any]:
        return turn.unless_running(lambda: looked(remedies, picked.values(given))) or (gr.skip(), gr.skip())

    def looked(remedies: Mapping[str, Remedy], values: Mapping[str, Any]) -> tuple[Any, Any]:
        if values["picture"] is None:
            return contents(), show.message("Choose a picture and press Run all.")
        try:
            if values["align"] and compare.wants_face(orders_of(values)):
                for _ in gpu.METER.fetch((DETECTOR,)):
                    pass
            made = _planned(remedies, values)
            return _pictures(made, Shown()), _given(made)
        except TOLD as error:
            return contents(), show.message(str(error))

    def remedy(remedies: dict[str, Remedy], event: gr.EventData) -> dict[str, Remedy]:
        named: dict[Any, Remedy] = {title: name for name, title in REMEDIES.items()}
        known = event.tile in BY_NAME and event.action in named
        return {**remedies, event.tile: named[event.action]} if known else remedies

    settings: dict[str, Any] = {
        "show_progress": "hidden",
        "api_visibility": "private",
        "trigger_mode": "always_last",
        "concurrency_limit": 4,
        "concurrency_id": "look",
    }
    watched = [c for name, c in picked.named.items() if name not in ("picture", "seed", "precision")]
    inputs = [turn, remedied, *picked.all()]

    def looks(event: Any) -> None:
        event.then(look, inputs, [pictures, status], **settings)

    looks(gr.on([c.change for c in watched], announce, inputs, status, **settings))  # type: ignore[attr-defined]
    fresh = picked.named["picture"].change(  # type: ignore[attr-defined]
        dict, None, remedied, queue=False, api_visibility="private"
    )
    looks(fresh.then(announce, inputs, status, **settings))
    chosen = pictures.select(remedy, remedied, remedied, queue=False, api_visibility="private")
    looks(chosen)


def _for_faces(values: Mapping[str, Any]) -> bool:
    return any(BY_NAME[name].accepts.face for name in values["methods"] or () if name in BY_NAME)


def _given(made: Sequence[Lane]) -> str:
    """What each method gets, in words, or why it will not run."""
    items = []
    for lane in made:
        text = escape(lane.text)
        if lane.state != "blocked" and lane.prepared is not None:
            height, width = lane.prepared.low.shape[-2:]
            notes = "; ".join(map(escape, lane.prepared.notices))
            text = f"gets {width}×{height} px" + (f": {notes}" if notes else "")
        items.append(f"<li><b>{escape(lane.method.title)}</b> {text}</li>")
    head = "Ready" if any(lane.state != "blocked" for lane in made) else "None of them can take it"
    return (
        f'<div class="status" role="status" aria-live="polite"><b>{head}</b><ul>{"".join(items)}</ul></div>'
    )


# ----------------------------------------------------------------------------------------------- running


def _run(turn: RunState, remedies: Mapping[str, Remedy], *given: Any) -> Iterator[tuple[Any, ...]]:
    """(status, viewer, table, verdicts) whenever something is new."""
    with told():
        yield from turn.until_stopped(_updates(remedies, dict(zip(_NAMES, given, strict=True))))


def _updates(
    remedies: Mapping[str, Remedy], values: Mapping[str, Any]
) -> Generator[tuple[Any, ...], None, None]:
    if values["picture"] is None:
        raise OptionError("no picture yet: drop one, paste one, or choose an example")
    yield show.message("Starting …"), gr.skip(), table_view.contents(()), ""
    if values["align"] and compare.wants_face(orders_of(values)):
        for text, _ in gpu.METER.fetch((DETECTOR,)):
            yield show.message(text), gr.skip(), gr.skip(), gr.skip()
    made, shown, device = _planned(remedies, values), Shown(), gpu.ENGINE.describe()
    measured = 0
    yield _status(made), _pictures(made, shown), gr.skip(), gr.skip()
    for _ in compare.run(made, gpu.METER, gpu.frames):
        now = sum(len(lane.update.readings) for lane in made if lane.update)
        rows: Any = gr.skip()
        if now != measured:
            rows = table_view.contents(table.rows(made, device), "measuring")
        measured = now
        yield _status(made), _pictures(made, shown), rows, _verdicts(made, shown)
    rows = table_view.contents(table.rows(made, device))
    yield _status(made, done=True), _pictures(made, shown), rows, _verdicts(made, shown)


def _status(made: Sequence[Lane], done: bool = False) -> str:
    finished = sum(lane.state == "done" for lane in made)
    other = [lane for lane in made if lane.state in ("error", "blocked")]
    now = next((lane for lane in made if lane.state == "running"), None)
    text = (
        f"Done: {finished} of {len(made)} methods" if done else f"{finished} of {len(made)} methods are done"
    )
    text += f"; {len(other)} could not" if other else ""
    if now is not None and not done:
        text += f" · {now.method.title}: {now.text}"
    return show.message(text)


def _pictures(made: Sequence[Lane], shown: Shown) -> dict[str, Any]:
    """The viewer's value: bicubic first, then the methods, the truth last."""
    reference = compare.largest(lane for lane in made if lane.state != "blocked")
    tiles, captions = [], {}
    if reference is not None and reference.prepared is not None:
        if "bicubic" not in shown.paths:
            shown.paths["bicubic"] = files.save(to_png(compare.bicubic(reference)), "bicubic.png")
            shown.paths["input"] = files.save(to_png(reference.prepared.low), "input.png")
            if reference.prepared.truth is not None:
                shown.paths["truth"] = files.save(to_png(reference.prepared.truth), "truth.png")
        height, width = reference.prepared.low.shape[-2:]
        captions = {row.name: table.brief(row) for row in table.rows(made, "")}
        text = f"of {width}×{height} px"
        tiles.append(
            tile("bicubic", "Bicubic", "done", text, shown.paths["bicubic"], note=captions.get("bicubic", ""))
        )
    tiles += [_tile(lane, shown, captions.get(lane.method.name, ""), lane is reference) for lane in made]
    if "truth" in shown.paths:
        tiles.append(tile("truth", "Truth", "done", "", shown.paths["truth"]))
    return contents(tiles, shown.paths.get("truth"), shown.paths.get("input"))


def _tile(lane: Lane, shown: Shown, note: str, common: bool) -> dict[str, Any]:
    name, frame = lane.method.name, lane.frame
    download = ""
    if frame is not None and frame.step and shown.frames.get(name) != (frame.step, lane.state):
        final = lane.state == "done"
        content = (
            compare.lane_png(lane, gpu.ENGINE.describe()) if final else to_png(show.preview(frame.image))
        )
        shown.paths[name] = files.save(
            content, f"gansr-{name}-{lane.order.seed}.png" if final else "live.png"
        )
        shown.frames[name] = (frame.step, lane.state)
    if lane.state == "done":
        download = f"gansr-{name}-{lane.order.seed}.png"
    own: dict[str, Any] = {} if common else _own(lane, shown)
    progress = frame.step / max(frame.steps, 1) if frame is not None else 0.0
    action = REMEDIES[lane.remedy] if lane.remedy else ""
    path = shown.paths.get(name)
    words = {"note": note, "progress": progress, "action": action, "download": download}
    return tile(name, lane.method.title, lane.state, lane.text, path, **words, **own)


def _own(lane: Lane, shown: Shown) -> dict[str, Any]:
    """A finished lane's own input and truth, for the differences."""
    if lane.state != "done" or lane.prepared is None:
        return {}
    for name, picture in (("input", lane.prepared.low), ("truth", lane.prepared.truth)):
        key = f"{lane.method.name}.{name}"
        if picture is not None and key not in shown.paths:
            shown.paths[key] = files.save(to_png(picture), f"{name}.png")
    return {name: shown.paths.get(f"{lane.method.name}.{name}") for name in ("input", "truth")}


def _verdicts(made: Sequence[Lane], shown: Shown) -> Any:
    """Sentence and map for each result that is new; nothing to do where all are there."""
    new = [lane for lane in made if lane.state == "done" and lane.method.name not in shown.verdicts]
    for lane in new:
        assert lane.prepared is not None and lane.frame is not None
        found = verdict(lane.prepared.shrink(lane.frame.image), lane.prepared.low, lane.aligned)
        shown.verdicts[lane.method.name] = (
            f"<figure>{show.heat_html(found.heat)}<figcaption><b>{escape(lane.method.title)}</b> "
            f"{escape(found.sentence)}</figcaption></figure>"
        )
    if not new:
        return gr.skip()
    figures = "".join(shown.verdicts[m.name] for m in METHODS if m.name in shown.verdicts)
    return (
        "<h2>Does each agree with your picture?</h2><p>The result made small again, less what was given: "
        "white agrees, red is brighter than your picture, blue is darker (in steps of 255).</p>"
        f'<div class="views">{figures}</div>'
    )


# ----------------------------------------------------------------------------------- links and receipts


def _draw_share(picked: Controls) -> None:
    with gr.Accordion("Share, or restore from a result", open=False), gr.Row():
        with gr.Column():
            share = gr.Button("Make a link to these settings", elem_id="compare-share")
            link = gr.Textbox(
                label="Link", buttons=["copy"], elem_id="compare-link", max_lines=3,
                info="Restores methods, options, seed and an example picture; never a picture of your own.",
            )  # fmt: skip
        dropped = gr.File(
            label="Drop a result's PNG here: its receipt restores the settings", file_types=[".png"],
            type="filepath", elem_id="compare-receipt",
        )  # fmt: skip
    made = share.click(
        lambda *given: query(picked.values(given)), picked.all(), link, queue=False, api_visibility="private"
    )
    made.then(
        None,
        link,
        link,
        js="q => window.location.origin + window.location.pathname + q",
        api_visibility="private",
    )
    outputs = [picked.offer.note, *picked.all()]
    quiet: dict[str, Any] = {"queue": False, "api_visibility": "private", "show_progress": "hidden"}
    dropped.upload(_from_receipt, dropped, outputs, **quiet)  # which stand elsewhere, hence the Info
    picked.offer.button.click(_from_receipt, picked.named["picture"], outputs, **quiet)


def query(values: Mapping[str, Any]) -> str:
    """ "?tab=compare&…" with every value that is not its default; the picture only if it is an example."""
    found: dict[str, str] = {"tab": "compare"}
    defaults = _DEFAULTS
    for name, value in values.items():
        if name == "picture":
            if example := _example_of(value):
                found["example"] = example
        elif value is not None and value != defaults.get(name):
            found[name] = ",".join(value) if isinstance(value, list) else str(value)
    return "?" + urlencode(found)


def _example_of(path: Any) -> str:
    """The name of the example that this file is, byte for byte; else nothing."""
    if not isinstance(path, str) or not Path(path).is_file():
        return ""
    size, held = Path(path).stat().st_size, ""
    for example in sorted(EXAMPLES.glob("*.*")):
        if example.suffix in (".png", ".jpg") and example.stat().st_size == size:
            held = held or hashlib.sha256(Path(path).read_bytes()).hexdigest()
            if hashlib.sha256(example.read_bytes()).hexdigest() == held:
                return example.name
    return ""


def _from_link(request: gr.Request) -> list[Any]:
    """Updates of [tabs, every control] from the page's query; what is unknown or wrong is left as it is."""
    given = dict(request.query_params) if request else {}
    tab = given.get("tab", "")
    known = ("compare", "about", *BY_NAME)
    values = restored(given) if tab == "compare" else {}
    selected = gr.update(selected=tab) if tab in known else gr.skip()
    return [selected, *updates(values)]


def restored(given: Mapping[str, str]) -> dict[str, Any]:
    """A link's texts → values by name; a value that does not fit is left out."""
    found: dict[str, Any] = {}
    for name, default in _DEFAULTS.items():
        text = given.get(name)
        if text is None or len(text) > 400:
            continue
        if isinstance(default, list):
            found[name] = [part for part in text.split(",") if part in BY_NAME]
        elif isinstance(default, bool):
            found[name] = text == "True"
        elif isinstance(default, (int, float)):
            try:
                found[name] = type(default)(float(text))
            except (ValueError, OverflowError):
                continue
        else:
            found[name] = text
    example = EXAMPLES / Path(given.get("example", "")).name
    if given.get("example") and example.suffix in (".png", ".jpg") and example.is_file():
        found["picture"] = str(example)
    try:
        orders_of({**_DEFAULTS, **{k: v for k, v in found.items() if k != "picture"}})
    except OptionError as error:
        gr.Warning(f"The link has a setting that is not possible here: {error}")
        return {name: value for name, value in found.items() if name in ("picture", "methods")}
    return found


def _from_receipt(path: Any) -> list[Any]:
    with told():
        recipe = read(path)
        found = from_recipe(recipe)
    gr.Info(recipe.restored())
    return found


def from_recipe(recipe: Recipe) -> list[Any]:
    """Updates of [the offer's line, every control]: a result's settings, without its picture. Raises OptionError."""
    wanted, cut = recipe.order, recipe.cut
    values = values_for(wanted)
    values["factor"] = next((name for name, value in FACTOR_NAMES.items() if value == cut.factor), OWN_FACTOR)
    if cut.side is not None:
        values["align"], values["face"] = cut.align, cut.face + 1
    return [show.message(recipe.restored()), *updates(values | {"picture": None})]


def values_for(wanted: Order) -> dict[str, Any]:
    """An order → values by name: its method alone, the first preset, and the options that differ from it.
    Raises OptionError where those are too many to be written here."""
    method, request = wanted.method, wanted.request
    preset = next(iter(method.presets))
    now, before = values_of(wanted.options), values_of(parse_options(method.options, method.presets[preset]))
    text = " ".join(shlex.quote(f"{name}={now[name]}") for name in now if now[name] != before[name])
    if len(text) > 400:
        raise OptionError("these are more options than the comparison takes: use the method's own tab")
    values: dict[str, Any] = {
        "methods": [method.name], "task": TASKS[request.task], "align": request.align, "face": request.face + 1,
        f"{method.name}.preset": preset, f"{method.name}.options": text,
        "seed": wanted.seed, "precision": wanted.precision,
    }  # fmt: skip
    return values | {f"shrink.{name}": value for name, value in values_of(request.degradation).items()}


def updates(values: Mapping[str, Any]) -> list[Any]:
    """Updates of every control, the picture first; those without a value stay as they are."""
    return [gr.update(value=values[name]) if name in values else gr.skip() for name in _NAMES]


def _defaults() -> dict[str, Any]:
    """name → default of every control but the picture, in the order of the controls."""
    found: dict[str, Any] = {"methods": list(BY_NAME), "task": TASKS["enlarge"], "factor": OWN_FACTOR}
    found |= {f"shrink.{name}": default for name, (_, default) in options_of(Degradation).items()}
    found |= {"align": True, "face": 1}
    for method in METHODS:
        found |= {f"{method.name}.preset": next(iter(method.presets)), f"{method.name}.options": ""}
    return found | {"seed": 0, "precision": "fast"}


_DEFAULTS = _defaults()
_NAMES = ("picture", *_DEFAULTS)
