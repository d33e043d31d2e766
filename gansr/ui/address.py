"""The page's address: it names the tab, the settings that differ from the usual ones, and an example picture.

`address.js` writes it in the browser, and reads it when the page is loaded; nothing is sent while a control changes,
and what a run costs (gansr.ui.cost_line) is asked when the controls rest.
The settings of the other tabs, the places of the user's own pictures on the server, and the token of the visit's runs
(gansr.ui.kept_runs) are kept in the browser's session storage, which ends with the browser tab; not in gr.BrowserState,
which all tabs of a browser share and which does not end. What comes back anybody may have written: it is checked here,
and only sets controls.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Component

from gansr import papers
from gansr.method import Method
from gansr.options import OptionError, check_option, parse_options, parse_text, plain_values
from gansr.request import decode, fields_of
from gansr.ui import compare_values, render, service
from gansr.ui.compare_values import LONGEST
from gansr.ui.controls import HIDDEN
from gansr.ui.examples import example_of
from gansr.ui.kept_runs import token_for
from gansr.ui.run_state import SILENT
from gansr.ui.temp_files import names_of_copies

COMPARE, RESULTS, RATE, ABOUT, PRESET = "compare", "results", "rate", "about", "preset"
WRONG = "The address has a setting that is not possible here: "
GONE = "The server keeps pictures for an hour; yours is no longer there. Choose it again."


@dataclass(frozen=True)
class Addressed:
    """The controls of a tab that an address can set."""

    tab: str
    picture: Component
    named: Mapping[str, Component]  # by the names of `usual`, in its order
    hidden: tuple[gr.Button, ...]  # see run_state.hidden_button


def draw_note() -> gr.HTML:
    """Where it is told what was left out of an address; above the tabs."""
    return gr.HTML(visible=HIDDEN, elem_id="address-note")


def connect_address(page: gr.Blocks, tabs: gr.Tabs, note: gr.HTML, parts: Sequence[Addressed]) -> None:
    """Set the controls of `parts` from the address when the page is loaded, and tell `address.js` of their changes."""
    for part in parts:
        inputs = [part.picture, *part.named.values()]
        gr.on(
            [control.change for control in inputs],  # type: ignore[attr-defined]
            None,
            inputs,
            None,
            js=f"(...values) => {{ window.gansr?.changed({json.dumps(part.tab)}, values); return []; }}",
            **SILENT,
        )
    tabs.select(None, None, None, js="() => { window.gansr?.selected(); return []; }", **SILENT)
    saved, told = gr.JSON(visible=False), gr.JSON(visible=False)
    for part in parts:
        for button in part.hidden:
            button.render()

    def restore(saved: Any, *own: Any) -> list[Any]:
        tab, values, wrong = restored(saved)
        visit = token_for(saved.get("visit") if isinstance(saved, dict) else None)
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        line = render.message(WRONG + wrong[0] + more) if wrong else ""
        if isinstance(saved, dict) and saved.get("gone") is True:
            line += render.message(GONE)
        updates = [
            gr.update(selected=tab) if tab else gr.skip(),
            gr.update(value=line, visible=True) if line else gr.skip(),
            {"visit": visit, "tabs": service.RUNS.tabs(visit)},
        ]
        for part, picture in zip(parts, own, strict=True):
            found = ({"picture": picture} if isinstance(picture, str) else {}) | values.get(part.tab, {})
            names = ["picture", *part.named]
            updates += [gr.update(value=found[name]) if name in found else gr.skip() for name in names]
        return updates

    pictures = [part.picture for part in parts]
    outputs = [tabs, note, told, *(one for part in parts for one in (part.picture, *part.named.values()))]
    names = json.dumps([part.tab for part in parts])
    loaded = page.load(
        restore,
        [saved, *pictures],
        outputs,
        js=f"() => window.gansr?.saved({names}) ?? [{{}}, ...{names}.map(() => null)]",
        **SILENT,
    )
    # When it has ended, well or not, changes are the user's.
    loaded.then(None, told, None, js="told => { window.gansr?.restored(told); return []; }", **SILENT)


def script() -> str:
    """The JavaScript for launch(js=…): a function that defines `window.gansr`."""
    tabs = [COMPARE, *(method.name for method in papers.METHODS), RESULTS, RATE, ABOUT]
    presets = {
        method.name: {
            title: plain_values(parse_options(method.options, given))
            for title, given in method.presets.items()
        }
        for method in papers.METHODS
    }
    known = {
        "usual": {tab: usual(tab) for tab in tabs},
        "presets": presets,
        "examples": names_of_copies(),
        "longest": LONGEST,
    }
    text = (Path(__file__).parent / "address.js").read_text(encoding="utf-8")
    return text.replace("KNOWN", json.dumps(known))


def usual(tab: str) -> dict[str, Any]:
    """name → what a control of the tab has unless it is set otherwise; without the picture and files."""
    if tab == COMPARE:
        return compare_values.defaults()
    method = next((method for method in papers.METHODS if method.name == tab), None)
    if method is None:
        return {}
    fields = {name: default for name, (described, default) in fields_of(method).items() if not described.read}
    return {PRESET: next(iter(method.presets)), **fields}


# ------------------------------------------------------------------------------------- texts → values


def restored(saved: Any) -> tuple[str, dict[str, dict[str, Any]], list[str]]:
    """What the browser tells, {"tab": name, "tabs": {name: {setting: text}}}, unchecked → the tab to select or "",
    tab → its values by name, and what is wrong in those. What is unknown is left out."""
    given = saved if isinstance(saved, dict) else {}
    named, texts = given.get("tab"), given.get("tabs")
    known = (COMPARE, *(method.name for method in papers.METHODS))
    tab = named if isinstance(named, str) and named in (*known, RESULTS, RATE, ABOUT) else ""
    values: dict[str, dict[str, Any]] = {}
    wrong: list[str] = []
    for name in known:
        found = texts.get(name) if isinstance(texts, dict) else None
        if isinstance(found, dict):
            values[name], refused = values_of(name, _short_texts(found))
            wrong += refused
    return tab, values, wrong


def _short_texts(found: Mapping[Any, Any]) -> dict[str, str]:
    return {
        name: text
        for name, text in found.items()
        if isinstance(name, str) and isinstance(text, str) and len(text) <= LONGEST
    }


def values_of(tab: str, texts: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """A tab's texts by name → values for its controls, and what is wrong with the texts that are left out."""
    method = next((method for method in papers.METHODS if method.name == tab), None)
    found, wrong = compare_values.restored(texts) if method is None else _values_of_method(method, texts)
    example = example_of(texts.get("example", ""))
    return ({"picture": example} if example else {}) | found, wrong


def _values_of_method(method: Method, texts: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    found: dict[str, Any] = {}
    wrong: list[str] = []
    preset = texts.get(PRESET, "")
    if preset in method.presets:
        found = plain_values(parse_options(method.options, method.presets[preset]))
    elif preset:
        wrong.append(f"the preset must be one of {', '.join(method.presets)}")
    for name, (described, default) in fields_of(method).items():
        if name in texts and not described.read:
            try:
                found[name] = check_option(name, described, default, parse_text(default, texts[name]))
            except OptionError as error:
                wrong.append(str(error))
    try:
        decode(method, found)
    except OptionError as error:  # together they are not possible
        return {}, [*wrong, str(error)]
    return found | ({PRESET: preset} if preset in method.presets else {}), wrong
