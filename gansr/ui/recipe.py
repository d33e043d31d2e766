"""A result of ours given as a picture: the recipe in it is noticed, and one click restores its settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.components import Component

from gansr import compare
from gansr.compare import Cut
from gansr.options import OptionError, options_of
from gansr.picture import PictureError
from gansr.serve import Order
from gansr.ui import render as show
from gansr.ui.controls import HIDDEN


@dataclass(frozen=True)
class Offer:
    """The button that restores, and the line that says what it would restore or has restored."""

    button: gr.Button
    note: gr.HTML


@dataclass(frozen=True)
class Recipe:
    """What a result of ours tells of itself."""

    order: Order
    cut: Cut
    files: tuple[str, ...]  # options that were files of the person's own: they are not in the recipe

    @property
    def of_a_comparison(self) -> bool:
        """The method was given another part or size of the picture than its own tab gives it."""
        return any((self.cut.side, self.cut.factor, self.cut.pixels))

    def title(self) -> str:
        return f"{self.order.method.title}, seed {self.order.seed}"

    def restored(self) -> str:
        """What to say after restoring."""
        wanted = " and ".join(("the picture it was made from", *(f"the file for “{n}”" for n in self.files)))
        return f"Restored: {self.title()}. Now give it {wanted}."


def draw_offer(name: str, picture: Component) -> Offer:
    """Shown while `picture` holds a result of ours."""
    note = gr.HTML(elem_id=f"{name}-recipe-note")
    button = gr.Button(
        "This PNG carries a recipe: restore its settings",
        visible=HIDDEN,
        size="sm",
        elem_id=f"{name}-recipe",
    )
    picture.change(  # type: ignore[attr-defined]
        _noticed, picture, [button, note], queue=False, api_visibility="private", show_progress="hidden"
    )
    return Offer(button, note)


def _noticed(picture: Any) -> tuple[Any, Any]:
    if picture is None:
        return gr.update(visible=HIDDEN), gr.skip()
    try:
        found = read(picture)
    except (PictureError, OptionError):
        return gr.update(visible=HIDDEN), ""
    return gr.update(visible=True), show.message(f"This picture was made here: {found.title()}.")


def read(source: Any) -> Recipe:
    """The recipe in a PNG. Raises PictureError where there is none, OptionError where it cannot be followed here."""
    recipe = compare.read_receipt(source)
    wanted, cut = compare.order_of(recipe)
    given = recipe.get("options")
    given = given if isinstance(given, Mapping) else {}
    described = options_of(wanted.method.options)
    files = tuple(n for n in described if described[n][0].read is not None and given.get(n) is not None)
    return Recipe(wanted, cut, files)
