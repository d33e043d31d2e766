"""A result used again: as the picture of any tab, or, where the method says so, one of its files as an option, or as
the blur kernel of the quality tests.

The browser names a tile, never a file: the server looks up which file of this run, in this session, the tile shows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import gradio as gr
from gradio.components import Component

from gansr import papers
from gansr.method import Reuse
from gansr.request import SHRINK
from gansr.ui import render, service
from gansr.ui.handlers import text_of
from gansr.ui.request_controls import QUIET, RequestControls

SHRINKS = (
    "The quality tests of all tabs shrink with this kernel now. Choose “Test quality” in one of them, and give a sharp "
    "picture."
)
_BY_KERNEL = ("operator", "kernel", "kernel_factor")
GONE = "This result is no longer on the server. Run it again, or download it and give it as a picture."


class HasResults(Protocol):
    """The files of a run."""

    @property
    def results(self) -> Mapping[str, tuple[str, str]]:
        """Tile of the viewer → title of the finished result that it shows, and the path of its PNG."""
        ...


@dataclass(frozen=True)
class Place:
    """A tab: where its picture goes in, where it says something, where its results are shown, and their files."""

    name: str
    picture: Component
    status: gr.HTML
    pictures: gr.HTML  # a viewer
    files: gr.State  # of a HasResults
    shrinking: Mapping[str, Component]  # how its quality test makes the input: SHRINK + field → control
    kernel: gr.Button | None = None  # gives a kernel of its results to all quality tests


def destinations() -> list[tuple[str, str]]:
    """(name, title) of every tab that takes a picture."""
    return [("compare", "Compare"), *((method.name, method.title) for method in papers.METHODS)]


def link_results(tabs: gr.Tabs, places: Sequence[Place]) -> None:
    """Let the menu of every result put it into the picture of a tab, and go there."""
    outputs = [tabs, *(place.picture for place in places), *(place.status for place in places)]
    names = [place.name for place in places]
    own = {place.name: place.status for place in places}
    for place in places:

        def used(event: gr.EventData, kept: HasResults, here: str = place.name) -> dict[Any, Any]:
            target = text_of(event, "use")
            if target not in names:  # another button of the viewer
                return {tabs: gr.skip()}
            found = kept.results.get(text_of(event, "tile"))
            if found is None or not Path(found[1]).is_file():
                return {own[here]: render.message(GONE)}
            title, path = found
            # What stands for nothing would be treated as an upload: emptied if it is too large.
            service.PIPELINE.inputs.stands_for(path, (f"result of {title}",))
            return {
                tabs: gr.update(selected=target),
                places[names.index(target)].picture: path,
                own[target]: render.message(f"The result of {title} is the picture now. Press Run."),
            }

        place.pictures.select(used, place.files, outputs, **QUIET)


def draw_reuse(name: str, reuse: Reuse) -> gr.Button:
    """The button that gives a file of the result to the method's own option. Hidden until there is one."""
    return gr.Button(reuse.title, visible="hidden", size="sm", elem_id=f"{name}-reuse")


def link_reuse(
    reuse: Reuse, button: gr.Button, controls: RequestControls, files: gr.State, status: gr.HTML
) -> None:
    """Let `button` set the controls of `reuse`. `files` holds a run's `reused` and `reused_values`."""

    def use(kept: Any) -> dict[Any, Any]:
        path, values = kept.reused, kept.reused_values
        if not path or not Path(path).is_file():
            return {status: render.message(GONE)}
        updates = {controls.fields[name]: value for name, value in values.items()}
        return {status: render.message(reuse.done), controls.fields[reuse.option]: path, **updates}

    settable = [controls.fields[name] for name in (reuse.option, *reuse.sets)]
    button.click(use, files, [status, *settable], **QUIET)


def draw_kernel(name: str) -> gr.Button:
    """The button that gives a result's kernel to all quality tests. Hidden until there is one."""
    return gr.Button(
        "Use this kernel in quality tests", visible="hidden", size="sm", elem_id=f"{name}-kernel"
    )


def link_kernels(places: Sequence[Place]) -> None:
    """Let the button of a result's kernel set how the quality tests of all places make their input."""
    settable = [place.shrinking[SHRINK + name] for place in places for name in _BY_KERNEL]

    def use(kept: Any) -> list[Any]:
        if not kept.kernel or not Path(kept.kernel).is_file():
            return [render.message(GONE), *(gr.skip() for _ in settable)]
        values = {"operator": "kernel", "kernel": kept.kernel, "kernel_factor": 2}
        return [render.message(SHRINKS), *(values[name] for _ in places for name in _BY_KERNEL)]

    for place in places:
        if place.kernel is not None:
            place.kernel.click(use, place.files, [place.status, *settable], **QUIET)
