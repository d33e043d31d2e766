"""Fine-tuning on the page: from uploads to a network that the tab computes with, Stop, and what is refused."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Generator
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from gansr.method import FineTune, MethodError
from gansr.papers.srgan import SRGAN, own
from gansr.picture import open_picture, to_png
from gansr.pipeline import RESTARTS
from gansr.ui import fine_tune, service, training_process
from gansr.ui.fine_tune import MOST, Panel, Trained, draw_fine_tune, handler
from gansr.ui.render import sentence_case
from gansr.ui.request_controls import Form
from gansr.ui.run_state import RunState
from gansr.ui.training_process import Slot
from gansr.ui.visitors import Visitors
from tests.papers.srgan.random_nets import noise
from tests.support.bad_inputs import BAD

assert SRGAN.fine_tune is not None
# Without weights, on small crops.
LIGHT = dataclasses.replace(
    SRGAN.fine_tune, arguments=lambda variant: ("--from", "nothing", "--batch", "1", "--crop", "32"), side=32
)


@pytest.fixture(autouse=True)
def short(monkeypatch, tmp_path) -> None:
    """Trainings of three steps, in a folder of the test's."""
    monkeypatch.setattr(training_process, "STEPS", 3)
    monkeypatch.setattr(training_process, "NICE", 0)
    monkeypatch.setattr(fine_tune, "INTERVAL", 0.05)
    monkeypatch.setattr(service, "TRAINING", Slot())
    monkeypatch.setattr(service, "VISITORS", Visitors())
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))
    for name in ("SPACE_ID", "GANSR_FINE_TUNE"):
        monkeypatch.delenv(name, raising=False)


async def _made(tune: FineTune) -> Panel:  # in a running loop, or Gradio makes loops and leaves them open
    with gr.Blocks(analytics_enabled=False):
        return Panel("srgan", tune)


@pytest.fixture
def panel() -> Panel:
    return asyncio.run(_made(LIGHT))


@pytest.fixture
def pictures(tmp_path) -> list[str]:
    paths = [tmp_path / f"{index}.png" for index in range(2)]
    for path in paths:
        path.write_bytes(to_png(noise(3, 48, 50)))
    return [str(path) for path in paths]


def started(panel: Panel, pictures: Any, state: RunState, **changed: Any) -> Generator[dict[Any, Any]]:
    values = {"variant": "mse", "minutes": 1} | changed
    state.request()
    return handler(SRGAN, LIGHT, panel)(state, pictures, values["variant"], values["minutes"], None)


def refused(panel: Panel, pictures: Any, **changed: Any) -> str:
    with pytest.raises(gr.Error) as error:
        list(started(panel, pictures, RunState(), **changed))
    assert not service.VISITORS.runs
    return error.value.message


def test_uploads_become_a_network_that_the_tab_computes_with(panel, pictures, tmp_path):
    state = RunState()
    shown = list(started(panel, pictures, state))
    assert all(set(update) == set(shown[0]) for update in shown)  # the browser may apply the last alone
    told = [update[panel.status] for update in shown]
    assert "Starting" in told[0] and "Reading picture 2 of 2" in told[2]
    last = shown[-1]
    assert "Done: 3 steps" in last[panel.status] and "PSNR on the same pictures" in last[panel.status]
    assert "svg" in last[panel.curves] and "strip.png" in last[panel.strip]
    assert "<b>Bicubic</b><b>This network</b><b>Original</b>" in last[panel.strip]
    assert "Download model.safetensors (3.1 MB)" in last[panel.download]
    assert own.network_of(own.read_network(Path(last[panel.trained].path))).scale == 4
    assert not list((tmp_path / "gradio").glob("training-*"))
    assert not (state.running or state.error or service.VISITORS.runs)


def test_stop_keeps_the_network_so_far(panel, pictures, monkeypatch):
    monkeypatch.setattr(training_process, "STEPS", 1_000_000)
    state, last = RunState(), {}
    for last in started(panel, pictures, state):
        if "Training · step" in last[panel.status]:
            state.stop()
    assert "Done:" in last[panel.status] and Path(last[panel.trained].path).is_file()
    assert not state.stopping


def test_stop_before_the_first_step_keeps_nothing(panel, pictures):
    state = RunState()
    shown = []
    for update in started(panel, pictures, state):
        shown.append(update)
        state.stop()
    last = shown[-1]
    assert "the network has learned nothing" in last[panel.status] and last[panel.trained] == Trained()


def test_a_second_training_is_refused_while_one_runs(panel, pictures):
    first = started(panel, pictures, RunState())
    for _ in range(2):
        next(first)
    assert (
        refused_second(panel, pictures) == "Another network is being trained on this server: try again later."
    )
    first.close()
    assert not service.VISITORS.runs
    with service.TRAINING.one():  # it is free again
        pass


def refused_second(panel: Panel, pictures: Any) -> str:
    with pytest.raises(gr.Error) as error:
        list(started(panel, pictures, RunState()))
    return error.value.message


def test_a_page_that_ends_takes_no_training(panel, pictures):
    service.TRAINING.close(RESTARTS)
    assert refused(panel, pictures) == sentence_case(RESTARTS)


def test_a_training_that_fails_says_why(panel, pictures, monkeypatch):
    tune = dataclasses.replace(LIGHT, arguments=lambda variant: ("--from", "no-such-weights", "--crop", "32"))
    state = RunState()
    with pytest.raises(gr.Error, match="no-such-weights"):
        list(handler(SRGAN, tune, panel)(state, pictures, "mse", 1, None))
    assert "no-such-weights" in state.error and not state.running


# ------------------------------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (None, "No pictures yet"),
        ([], "No pictures yet"),
        ("x", "The pictures must be files"),
        ([None], "The pictures must be files"),
        (["a.png"] * (MOST + 1), "There are 21 pictures; at most 20 are taken"),
        (["/etc"], "'etc' is a folder"),
        (["https://localhost/a.png"], "addresses are not opened"),
        (["a\0b.png"], "The pictures must be files"),
    ],
)
def test_what_are_no_pictures_is_refused_in_words(panel, given, said):
    assert said in refused(panel, given)


def test_every_bad_file_is_refused_in_words(panel, tmp_path):
    for number, bad in enumerate(bad for bad in BAD if bad.message is not None):
        assert bad.message is not None
        path = tmp_path / f"{number}.png"
        path.write_bytes(bad.data)
        assert bad.message in refused(panel, [str(path)]), bad.name
    assert not list((tmp_path / "gradio").glob("training-*"))


def test_a_refusal_leaves_the_name_of_the_file_as_it_is(panel, tmp_path):
    (tmp_path / "my text.png").write_text("no picture")
    assert refused(panel, [str(tmp_path / "my text.png")]).startswith(
        "“my text.png”: not a PNG, JPEG, WebP, HEIC or AVIF picture: "
    )


def test_a_picture_smaller_than_a_crop_is_refused(panel, tmp_path):
    (tmp_path / "small.png").write_bytes(to_png(noise(3, 31, 99)))
    assert refused(panel, [str(tmp_path / "small.png")]) == (
        "“small.png”: 99×31 px are too small; at least 32 px are needed on the shorter side"
    )


@pytest.mark.parametrize(
    "changed",
    [
        *({"variant": value} for value in (None, "x", 1, [], ["mse"], "--out")),
        *(
            {"minutes": value}
            for value in (None, 0, -1, 61, "5", True, float("nan"), float("inf"), 10**400, [])
        ),
    ],
)
def test_settings_that_are_not_possible_are_refused(panel, pictures, changed):
    assert "must be" in refused(panel, pictures, **changed)


def test_nothing_of_the_upload_itself_reaches_the_training(tmp_path, monkeypatch):
    whole = next(bad.data for bad in BAD if bad.name == "polyglot.png")
    (tmp_path / "polyglot.png").write_bytes(whole)
    written = fine_tune._picture(str(tmp_path / "polyglot.png"), 1)
    assert b"PK\x05\x06" not in written and open_picture(written).notices == ()
    monkeypatch.setattr(fine_tune, "PIXELS", 200)
    (tmp_path / "large.png").write_bytes(to_png(noise(3, 20, 40)))
    assert open_picture(fine_tune._picture(str(tmp_path / "large.png"), 1)).rgb.shape == (3, 10, 20)


def test_a_network_that_nobody_listens_for_is_given_up(panel, pictures, monkeypatch):
    monkeypatch.setattr(fine_tune.Watch, "heard", lambda watch: False)
    assert "nobody listened" in refused(panel, pictures)


# ------------------------------------------------------------------------------------------------ the tab


def drawn() -> set[str]:
    """The titles of the accordions of SRGAN's tab with the panel."""

    async def made() -> gr.Blocks:
        with gr.Blocks(analytics_enabled=False) as page:
            form = Form(SRGAN)
            form.draw_first([])
            form.draw_settings()
            draw_fine_tune(SRGAN, form.wired(), gr.HTML())
        return page

    page = asyncio.run(made())
    return {str(block.label) for block in page.blocks.values() if isinstance(block, gr.Accordion)}


def test_the_panel_is_drawn_here_and_not_on_a_space(monkeypatch):
    assert "Fine-tune on your own pictures" in drawn()
    monkeypatch.setenv("SPACE_ID", "somebody/gansr")
    assert "Fine-tune on your own pictures" not in drawn()


def test_every_variant_of_the_command_is_offered():
    from gansr.papers.srgan.losses import VARIANTS

    assert SRGAN.fine_tune is not None and set(SRGAN.fine_tune.variants) == set(VARIANTS)


def test_the_end_of_a_training_that_broke_off_without_a_network_is_an_error(panel):
    class Broken:
        stopping = False

        def model(self) -> None:
            return None

        def failure(self) -> str:
            return "the training has broken off"

    with pytest.raises(MethodError, match="broken off"):
        fine_tune._ended(panel, Broken(), "mse")  # type: ignore[arg-type]
