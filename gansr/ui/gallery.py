"""The examples that are finished when the page opens: their thumbnails, and what each shows (gansr.gallery)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Component

from gansr import papers
from gansr.gallery import COMPARED, GALLERY, Example, read
from gansr.options import OptionError
from gansr.ui.examples import EXAMPLES, example_of
from gansr.ui.run_state import SILENT, pressing
from gansr.ui.temp_files import names_of_copies
from gansr.ui.viewer import address

AGAIN = "compare-again"  # the hidden button that runs the example of the comparison
# A button inside HTML presses the hidden button that its `data-press` names: Gradio's HTML calls no handler itself.
SCRIPT = """() => document.addEventListener("click", event => {
  const name = event.target.closest?.("[data-press]")?.dataset.press;
  if (name) document.getElementById(name)?.click();
})"""


def allow_files() -> None:
    """Let Gradio hand out the files of the gallery, and no others beside them."""
    gr.set_static_paths([GALLERY])


def captions() -> dict[str, str]:
    """File of a thumbnail → title."""
    return {_thumbnail(example).name: example.title for example in COMPARED}


def draw_thumbnails(picture: Any) -> gr.Dataset:
    """The examples of the comparison; its click gives the number of the chosen one in COMPARED."""
    return gr.Dataset(
        label="Examples",
        components=[picture],
        samples=[[str(_thumbnail(example))] for example in COMPARED],
        type="index",
        layout="gallery",
        samples_per_page=len(COMPARED),
        elem_id="compare-examples",
    )


def _thumbnail(example: Example) -> Path:
    """A small picture; the example's own one while there is none."""
    small = GALLERY / f"{example.name}-small.webp"
    return small if small.is_file() else EXAMPLES / example.picture


def settings_of(number: Any, usual: Mapping[str, Any]) -> dict[str, Any]:
    """The picture of the example of this number in COMPARED, and the settings that any example changes, by name.
    `usual` has the usual values. Raises OptionError for what is no such number."""
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < len(COMPARED):
        raise OptionError("there is no such example: choose one of those that are shown")
    example = COMPARED[number]
    changed = {name for each in COMPARED for name in each.settings}
    given = {name: example.settings.get(name, usual[name]) for name in usual if name in changed}
    return {"picture": example_of(example.picture), **given}


def example_for(values: Mapping[str, Any], usual: Mapping[str, Any]) -> Example | None:
    """The computed example of COMPARED that has these values, by name, the picture among them; None where none has."""
    picture = values["picture"]
    if not isinstance(picture, str):
        return None
    name = names_of_copies().get("/".join(Path(picture).parts[-2:]))
    found = [each for each in COMPARED if each.picture == name and read(each.name)]
    settings = {key: value for key, value in values.items() if key in usual}  # without files
    return next((each for each in found if _same(settings, {**usual, **each.settings})), None)


def _same(values: Mapping[str, Any], others: Mapping[str, Any]) -> bool:
    def plain(value: Any) -> Any:
        return set(value) if isinstance(value, list) else value

    return values.keys() == others.keys() and all(
        plain(values[name]) == plain(others[name]) for name in values
    )


def shown(example: Example) -> dict[str, Any]:
    """What the page shows of a computed example, the files as addresses. Raises KeyError if it was not computed."""
    found = read(example.name)
    if found is None:
        raise KeyError(example.name)
    pictures = found["viewer"]
    tiles = [{**tile, "url": _address(tile["url"])} for tile in pictures["tiles"] if tile["url"]]
    ends = {name: _address(pictures[name]) for name in ("truth", "input")}
    replay = [str(GALLERY / name) for name in found.get("replay", [])]
    texts = {name: _with_addresses(found[name]) for name in ("verdicts", "views") if name in found}
    return {**found, **texts, "viewer": {"tiles": tiles, **ends}, "replay": replay}


def _with_addresses(html: str) -> str:
    """`html` of the gallery with the addresses of the files that it names."""
    return re.sub(r'src="([^":]+)"', lambda match: f'src="{_address(match[1])}"', html)


def comparison(example: Example) -> tuple[Any, ...]:
    """Values of (status, viewer, table, verdicts) for a computed example of the comparison."""
    found = shown(example)
    return status(example, AGAIN), found["viewer"], found["table"], found["verdicts"]


def first_comparison() -> tuple[Any, ...] | None:
    """`comparison` of the example that the page opens with; None where there is none."""
    example = first()
    return None if example is None else comparison(example)


def first() -> Example | None:
    """The example that the page opens with: the first that was computed. None where none was."""
    return next((example for example in COMPARED if read(example.name)), None)


def methods_of(example: Example) -> list[str]:
    """The methods that ran on a computed example."""
    names = {method.name for method in papers.METHODS}
    tiles = (read(example.name) or {})["viewer"]["tiles"]
    return [tile["id"] for tile in tiles if tile["id"] in names and tile["state"] == "done"]


def wire_examples(
    named: Mapping[str, Component], examples: gr.Dataset, again: gr.Button, usual: Mapping[str, Any]
) -> None:
    """A click on an example sets the picture and what else it needs, in the controls `named`; the preview then shows it
    as it was computed. `again` runs the example that is shown: the first one, where none was chosen."""
    changed = list(settings_of(0, usual))
    outputs = [named[name] for name in changed]

    def choose(number: Any) -> list[Any]:
        found = settings_of(number, usual)
        return [found[name] for name in changed]

    def complete(picture: Any) -> list[Any]:
        return choose(0) if picture is None else [gr.skip()] * len(changed)

    examples.click(choose, examples, outputs, **SILENT)
    chosen = again.click(complete, named["picture"], outputs, **SILENT)
    chosen.then(None, None, None, js=pressing("compare-run"), **SILENT)


def _address(name: str | None) -> str | None:
    return None if name is None else address(GALLERY / name)


def status(example: Example, button: str) -> str:
    """What is shown, where it was computed, and a button that presses the hidden one of the id `button`, HTML."""
    found = read(example.name) or {}
    made = found["made"]
    skipped = {tile["title"]: tile["text"] for tile in found["viewer"]["tiles"] if not tile["url"]}
    without = "".join(f"<li>{escape(title)}: {escape(text)}</li>" for title, text in skipped.items())
    took = f"Computed earlier in {made['seconds']:.0f} s ({made['device']})"
    return (
        f'<div class="status example" role="status" aria-live="polite"><b>Example: {escape(example.title)}</b> '
        f"<span>{escape(example.about)}</span><ul>{without}</ul><small>{escape(took)}.</small> "
        "<small>These pictures are compressed. A run gives lossless ones.</small> "
        f'<button type="button" data-press="{escape(button)}">Run it yourself</button></div>'
    )
