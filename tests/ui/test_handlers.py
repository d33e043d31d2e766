"""Every event of the page, given what its own script never sends: the answer is a result, or a text for the user."""

from __future__ import annotations

import asyncio
import inspect
import json
import warnings
from collections.abc import Iterator
from typing import Any

import gradio as gr
import pytest
from gradio.helpers import special_args
from gradio.state_holder import SessionState

from gansr import papers
from gansr.engine import Engine
from gansr.options import OptionError
from gansr.pipeline import Pipeline
from gansr.ui import handlers, log, page, render, service
from gansr.ui.run_state import INTERNAL_ERROR
from tests.support.fakes import FAKE

ODD: tuple[Any, ...] = (
    None, True, 0, -1, 1.5, 10**400, float("nan"), float("inf"), "", "x", "a\0b", "x" * 500, [], [None], [[]],
    ["x", 1], {}, {"a": {}}, {"tiles": 1}, {"tiles": [1, {"state": [1]}]}, {"path": 1}, {"layers": [None]},
    {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}},
    {"path": "a\0b", "meta": {"_type": "gradio.FileData"}},
    {"path": "https://localhost/a.png", "meta": {"_type": "gradio.FileData"}},
    {"path": "", "url": "data:image/png;base64,é", "meta": {"_type": "gradio.FileData"}},
    {"background": None, "layers": [{"path": "x"}] * 9, "composite": None},
)  # fmt: skip


@pytest.fixture(scope="module")
def blocks() -> Iterator[gr.Blocks]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(papers, "METHODS", (FAKE, papers.by_name("mganprior")))
        patch.setattr(service, "PIPELINE", Pipeline(Engine("cpu", load=lambda name: None, pace=0.0)))

        async def built() -> gr.Blocks:  # in a running loop, or Gradio makes loops and leaves them open
            return page.build()

        yield asyncio.run(built())


@pytest.fixture
def logged(monkeypatch) -> list[str]:
    """What is logged as a fault."""
    lines: list[str] = []
    monkeypatch.setattr(log.LOG, "error", lines.append)
    return lines


def events(blocks: gr.Blocks) -> list[Any]:
    """Those with a handler of ours: without those of Gradio's examples and of scripts."""
    return [event for event in blocks.fns.values() if event.fn is not None and event.name != "load_example"]


def title(event: Any) -> str:
    return f"{event._id} {event.name}"


async def answer(
    blocks: gr.Blocks, event: Any, values: list[Any], state: SessionState, data: Any = None
) -> Any:
    """All that one call answers, as the page gets it."""
    iterator, given = None, gr.EventData(None, data)
    while True:
        shown = await blocks.process_api(event, values, state=state, iterator=iterator, event_data=given)
        json.dumps(shown["data"], allow_nan=True, default=lambda value: value.model_dump())  # of a gr.JSON
        iterator = shown["iterator"]
        if iterator is None:
            return shown["data"]


def usual(event: Any) -> list[Any]:
    """What the page sends when nothing was changed."""
    return [None if block.stateful else block.get_config().get("value") for block in event.inputs]


def odd_calls(event: Any) -> Iterator[list[Any]]:
    yield []
    yield [*usual(event), 1]
    values = usual(event)
    for odd in ODD:
        yield [odd] * len(values)
    for place, _ in enumerate(values):  # each value in turn, so that those before it are all right
        for odd in ODD[place % 4 :: 4]:
            yield [*values[:place], odd, *values[place + 1 :]]


def refused_in_words(error: gr.Error, where: Any) -> None:
    assert error.message != INTERNAL_ERROR, where
    assert render.sentence_case(error.message) == error.message, where
    assert len(error.message) < 2000, where
    assert not error.print_exception, where


def test_every_event_answers_odd_values_with_a_result_or_a_text_for_the_user(blocks, logged):
    async def asked() -> int:
        calls = 0
        for event in events(blocks):
            state = SessionState(blocks)
            for values in odd_calls(event):
                try:
                    await answer(blocks, event, values, state)
                except gr.Error as error:
                    refused_in_words(error, (title(event), values, logged))
                calls += 1
        return calls

    assert asyncio.run(asked()) > 1000


def test_every_handler_answers_what_gradio_lets_through(blocks, logged):
    """Without Gradio's own checks of choices and ranges, which it does not make for every value."""
    for event in events(blocks):
        state = SessionState(blocks)
        for odd in ODD:
            values = [state[block._id] if block.stateful else odd for block in event.inputs]
            given, *_ = special_args(event.fn, values, gr.Request(query_params={}), gr.EventData(None, {}))
            try:
                found = event.fn(*given)
                if inspect.isgenerator(found):
                    list(found)
            except gr.Error as error:
                refused_in_words(error, (title(event), odd, logged))


@pytest.mark.parametrize("data", ODD)
def test_the_data_of_an_event_may_be_anything(blocks, data, logged):
    async def asked() -> None:
        for event in events(blocks):
            if event.name in ("chosen", "remedy", "used", "restore_kept"):
                for sent in (
                    data,
                    {"index": data},
                    {"tile": data, "action": data},
                    {"tile": "fake", "action": data},
                    {"tile": data, "use": "compare"},
                    {"tile": "result", "use": data},
                    {"path": data},
                ):
                    try:
                        await answer(blocks, event, usual(event), SessionState(blocks), sent)
                    except gr.Error as error:
                        refused_in_words(error, (title(event), sent, logged))

    asyncio.run(asked())
    assert not [line for line in logged if "gansr/" in line]


LINKS = (
    {},
    {"tab": "nowhere"},
    {"tab": "compare", "example": "a" * 400 + ".png"},
    {"tab": "compare", "example": "../../README.md"},
    {"tab": "compare", "example": "a\0.png"},
    {"tab": "compare", "seed": "9" * 399},
    {"tab": "compare", "seed": "1e999"},
    {"tab": "compare", "seed": "nan", "face": "٣", "methods": "fake,fake,x"},
    {"tab": "compare", "fake.options": "steps=" + "9" * 390},
    {"tab": "compare", "fake.options": "steps='"},
    {"tab": "compare", "fake.preset": "\ud800", "problem": "×0"},
    {"tab": "fake", "preset": "\ud800", "steps": "1e999", "kind": "٣", "example": "../../README.md"},
    {"tab": "mganprior", "mask": "/etc/passwd", "seed": "9" * 399, "job": "x"},
)


def restore(blocks: gr.Blocks, address: dict[str, str]) -> tuple[Any, list[Any]]:
    """The event that restores what an address holds, and its answer."""
    event = next(event for event in blocks.fns.values() if event.name == "restore")
    tab = address.get("tab", "")
    saved = {"tab": tab, "tabs": {tab: address}}
    values = [saved, *[None] * (len(event.inputs) - 1)]  # no picture of the user's own
    return event, asyncio.run(blocks.process_api(event, values, state=SessionState(blocks)))["data"]


@pytest.mark.parametrize("address", LINKS)
def test_an_address_may_have_anything(blocks, address, logged):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # Gradio prints a gr.Warning that reaches no page
        event, answered = restore(blocks, address)
        assert len(answered) == len(event.outputs)
    assert logged == []


@pytest.mark.parametrize("tab", ["compare", "fake"])
def test_what_is_not_possible_in_an_address_is_left_out_and_told_on_the_page(blocks, tab):
    _, answered = restore(blocks, {"tab": tab, "seed": "-1"})
    assert "The address has a setting that is not possible here: seed must be" in answered[1]["value"]


# ------------------------------------------------------------------------------------------ the checks


@pytest.mark.parametrize(
    "value",
    [
        [0] * 2001,
        [[0] * 500] * 5,
        "x" * 65_537,
        ["x" * 40_000] * 2,
        {"x" * 70_000: 1},
        {"url": "x" * 70_000},
        [[[[[[[[[[0]]]]]]]]]],
        2**63,
        [-(2**63)],
        {"path": "http://localhost/a.png", "meta": {"_type": "gradio.FileData"}},
        [{"a": {"path": "https://localhost/a.png"}}],
    ],
    ids=lambda value: f"{value!r:.20}",
)
def test_what_no_control_has_is_refused(value):
    with pytest.raises(gr.Error) as refused:
        handlers.check_value(value)
    refused_in_words(refused.value, value)


def test_what_controls_have_is_taken():
    tile = {
        "id": "fake",
        "title": "Fake",
        "state": "done",
        "url": "gradio_api/file=" + "a" * 200,
        "note": "x" * 300,
    }
    for value in (
        *(None, True, "text", 1.5, float("nan"), 2**31, ["srgan", "pulse"]),
        {"path": "/tmp/gradio/a.png", "url": "http://localhost/a.png", "meta": {"_type": "gradio.FileData"}},
        {"path": "", "url": "data:image/png;base64," + "A" * 1_000_000},
        {"tiles": [tile] * 20, "truth": None, "input": None},
    ):
        handlers.check_value(value)


def test_values_are_checked_before_gradio_looks_files_up(blocks, monkeypatch):
    moved: list[Any] = []
    monkeypatch.setattr("gradio.processing_utils.async_move_files_to_cache", lambda *_, **__: moved.append(1))
    event = next(event for event in events(blocks) if event.name == "_noticed")
    with pytest.raises(gr.Error, match="cannot have"):
        asyncio.run(answer(blocks, event, [[0] * 3000], SessionState(blocks)))
    with pytest.raises(gr.Error, match="number of values"):
        asyncio.run(answer(blocks, event, [None, None], SessionState(blocks)))
    assert moved == []


def test_a_session_keeps_no_copy_of_what_was_sent(blocks, monkeypatch):
    state = SessionState(blocks)
    event = next(event for event in events(blocks) if event.name == "_noticed")
    sent = {"path": "", "url": "data:image/png;base64,our-secret", "meta": {"_type": "gradio.FileData"}}
    kept: list[Any] = []
    monkeypatch.setattr(state, "_update_value_in_config", lambda _, value: kept.append(value))
    asyncio.run(answer(blocks, event, [None], state))
    assert kept  # otherwise Gradio keeps its copy by another way
    monkeypatch.undo()
    state.config_values[event.inputs[0]._id]["props"]["value"] = sent
    asyncio.run(answer(blocks, event, [None], state))
    assert "our-secret" not in str(state.config_values)


# ------------------------------------------------------------------------------------------ exceptions


def failing(error: BaseException, generator: bool = False) -> Any:
    def fails(value: str) -> str:
        raise error

    def fails_later(value: str) -> Iterator[str]:
        yield value
        raise error

    return handlers.handler(fails_later if generator else fails)


@pytest.mark.parametrize("generator", [False, True])
def test_an_error_meant_for_the_user_is_shown_and_not_logged(generator, logged):
    with pytest.raises(gr.Error) as shown:
        list(failing(OptionError("steps is empty"), generator)("x"))
    assert shown.value.message == "Steps is empty"
    assert not shown.value.print_exception and logged == []


@pytest.mark.parametrize("generator", [False, True])
def test_any_other_error_is_internal_and_its_place_is_logged_without_values(generator, logged):
    with pytest.raises(gr.Error) as shown:
        list(failing(KeyError("a secret"), generator)("x"))
    assert shown.value.message == INTERNAL_ERROR
    (line,) = logged
    assert line.startswith("KeyError in ui/test_handlers.py:") and "secret" not in line


def test_a_handler_keeps_what_gradio_reads_of_a_function():
    def choose(first: str, event: gr.EventData, *rest: str) -> Iterator[str]:
        """Choose."""
        yield first

    wrapped = handlers.handler(choose)
    assert inspect.isgeneratorfunction(wrapped)
    assert inspect.signature(wrapped) == inspect.signature(choose)
    given, _, place, _ = special_args(wrapped, ["a"], None, gr.EventData(None, {}))
    assert place == 1 and len(given) == 2


def test_a_stopped_run_closes_its_generator():
    closed: list[int] = []

    def run() -> Iterator[int]:
        try:
            yield 1
            yield 2
        finally:
            closed.append(1)

    items = handlers.handler(run)()
    assert next(items) == 1
    items.close()
    assert closed == [1]


def test_no_event_shows_gradios_own_timer_over_the_page(blocks):
    shown = {
        event.api_name for event in blocks.fns.values() if event.show_progress == "full" and event.outputs
    }
    assert shown == {"fake", "mganprior"}  # the hidden components of the API
