"""Menus of weights on the page: marked anew when a page opens."""

from __future__ import annotations

import asyncio

import gradio as gr
import pytest

from gansr.papers.mganprior import MGANPRIOR
from gansr.ui.request_controls import Form
from gansr.ui.weight_menus import weight_menus
from tests.support.present_weights import pretend

BANK = "mobilestylegan-ffhq-1024"


@pytest.fixture
def menus(tmp_path, monkeypatch):
    monkeypatch.setenv("GANSR_CACHE", str(tmp_path / "cache"))

    async def made():  # in a running loop, or Gradio makes loops and leaves them open
        with gr.Blocks(analytics_enabled=False):
            form = Form(MGANPRIOR)
            form.draw_first([])
            form.draw_masks()
            form.draw_settings()
            return weight_menus(form.wired())

    return asyncio.run(made())


def test_a_menu_is_updated_only_where_weights_have_come_since_it_was_drawn(menus, tmp_path):
    (generators,) = menus
    assert generators.component.choices[0] == (f"{BANK} · download 38 MB", BANK)
    assert generators.component.value == BANK
    assert generators.updated(BANK) == gr.skip()
    pretend(tmp_path / "cache", BANK)
    assert generators.updated(BANK)["choices"][0] == (BANK, BANK)


def test_on_a_space_what_needs_a_file_is_listed_when_more_is_asked_for_or_it_is_chosen(menus, monkeypatch):
    (generators,) = menus
    monkeypatch.setenv("SPACE_ID", "somebody/gansr")

    def listed(chosen: str, more: bool) -> list[str]:
        return [value for _, value in generators.updated(chosen, more)["choices"]]

    every = [value for _, value in generators.component.choices]
    few = listed(BANK, False)
    assert few == [value for label, value in generators.component.choices if "needs a file" not in label]
    assert BANK in few and len(few) < len(every) == len(listed(BANK, True))
    assert set(listed("pggan-bedroom-256", False)) == {*few, "pggan-bedroom-256"}
