"""A result of ours given as a picture: its receipt is noticed, and one click restores the settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.components import Component

from gansr import receipt
from gansr.options import OptionError
from gansr.picture import PictureError
from gansr.request import Request
from gansr.ui import render
from gansr.ui.controls import HIDDEN
from gansr.ui.retouch import RETOUCHED


@dataclass(frozen=True)
class RestoreButton:
    """The button that restores, and the line that says what it would restore or has restored."""

    button: gr.Button
    note: gr.HTML


@dataclass(frozen=True)
class FromResult:
    """The settings of a result of ours."""

    request: Request
    files: tuple[str, ...]  # options that were files of the user's own: controls cannot hold them
    retouched: bool = False  # its input was painted on

    @property
    def of_a_comparison(self) -> bool:
        """The method received another part or size of the picture than its own tab gives it."""
        return self.request.problem.scale > 0

    def title(self) -> str:
        """The method and the seed."""
        return f"{self.request.method.title}, seed {self.request.seed}"

    def restored(self) -> str:
        """What to say after restoring."""
        picture = (
            "the painted picture, input.png of its files"
            if self.retouched
            else "the picture it was made from"
        )
        wanted = " and ".join((picture, *(f"the file for “{n}”" for n in self.files)))
        return f"Restored: {self.title()}. Now give it {wanted}."


def draw_restore(name: str, picture: Component) -> RestoreButton:
    """Shown while `picture` holds a result of ours."""
    note = gr.HTML(elem_id=f"{name}-restore-note")
    button = gr.Button(
        "This PNG holds its settings: restore them",
        visible=HIDDEN,
        size="sm",
        elem_id=f"{name}-restore",
    )
    picture.change(  # type: ignore[attr-defined]
        _noticed, picture, [button, note], queue=False, api_visibility="private", show_progress="hidden"
    )
    return RestoreButton(button, note)


def _noticed(picture: Any) -> tuple[Any, Any]:
    if picture is None:
        return gr.update(visible=HIDDEN), gr.skip()
    try:
        found = read(picture)
    except (PictureError, OptionError):
        return gr.update(visible=HIDDEN), ""
    return gr.update(visible=True), render.message(f"This picture was made here: {found.title()}.")


def read(source: Any) -> FromResult:
    """The settings in a result's PNG. Raises PictureError where there are none, OptionError where they cannot be used
    here."""
    recorded = receipt.read(source)
    retouched = RETOUCHED in receipt.notices_of(recorded)
    return FromResult(receipt.request_of(recorded), receipt.file_options(recorded), retouched)
