"""The server's log: a line for an exception, with its place and without what a visitor sent."""

from __future__ import annotations

import asyncio
import inspect
import io
import logging
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import httpx
import mcp
import pytest
from gradio.routes import App

from gansr.options import Option, OptionError, check_option
from gansr.ui import log
from gansr.ui.handlers import NOT_POSSIBLE, guard

SECRET = "the visitor's own words " * 1000


@pytest.fixture
def text(monkeypatch) -> Iterator[io.StringIO]:
    """All that is logged after the log was started; afterwards everything is as before."""
    factory = logging.getLogRecordFactory()
    for module in log.PRINTING:
        monkeypatch.setattr(module, "traceback", module.traceback)
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    logging.getLogger().addHandler(handler)
    log.start_log()
    yield written
    logging.setLogRecordFactory(factory)
    logging.getLogger().removeHandler(handler)


def fault(kind: type[Exception] = ValueError) -> Exception:
    try:
        raise kind(SECRET)
    except Exception as error:
        return error


def test_a_fault_is_named_by_its_type_and_place(text):
    log.note(fault())
    line = inspect.getsourcelines(fault)[1] + 2
    assert text.getvalue() == f"ValueError in ui/test_log.py:{line} fault\n"


def test_the_place_is_ours_before_gradios_and_names_no_folder_of_the_machine():
    with pytest.raises(OptionError) as caught:
        check_option("steps", Option("how many"), 1, "x")
    place = log.place(caught.value)
    assert place.startswith("OptionError in gansr/options.py:")
    assert place.endswith(" check_option") and " < gansr/options.py:" in place
    assert "/tests/" not in place and "site-packages" not in place


def test_a_cause_is_named_too_and_the_line_is_bounded():
    def deep(levels: int) -> None:
        if levels:
            return deep(levels - 1)
        raise RuntimeError(SECRET) from fault()

    with pytest.raises(RuntimeError) as caught:
        deep(100)
    place = log.place(caught.value)
    assert "RuntimeError in " in place and "; from ValueError in " in place
    assert len(place) < 1000 and "visitor" not in place


def test_a_text_for_the_user_is_not_logged(text):
    log.note(fault(gr.Error))
    log.note(None)
    assert text.getvalue() == ""


def test_what_gradio_prints_of_an_exception_goes_to_the_log(text, capsys):
    for module in log.PRINTING:
        try:
            raise ValueError(SECRET)
        except ValueError:
            module.traceback.print_exc()
    assert text.getvalue().count("ValueError in ui/test_log.py") == len(log.PRINTING)
    assert "visitor" not in text.getvalue() + capsys.readouterr().err


def test_gradio_prints_exceptions_as_expected():
    """These modules print exceptions, by this name only: otherwise the replacement is in the wrong place."""
    for module in log.PRINTING:
        used = {line.strip() for line in inspect.getsource(module).splitlines() if "traceback." in line}
        assert module.traceback is traceback
        assert used == {"traceback.print_exc()"}, module.__name__


def test_tracebacks_of_other_loggers_become_a_line(text):
    try:
        raise ValueError(SECRET)
    except ValueError:
        logging.getLogger("a.library").error("Exception in ASGI application\n", exc_info=True)
        logging.getLogger("asyncio").error("Task failed: %s\nfuture: %s", SECRET, SECRET, exc_info=True)
    first, second = text.getvalue().splitlines()
    assert first.startswith("Exception in ASGI application: ValueError in ui/test_log.py:")
    assert second.startswith("Task failed: ") and len(second) < 400


def test_records_of_the_mcp_library_tell_only_their_place(text):
    path = str(Path(mcp.__file__).parent / "shared" / "session.py")
    for error in (None, ValueError(SECRET)):
        found = (type(error), error, None) if error else None
        logging.getLogger().handle(
            logging.getLogRecordFactory()(
                "root", logging.WARNING, path, 383, f"Failed to validate request: {SECRET}", (), found
            )
        )
    first, second = text.getvalue().splitlines()
    assert first == "mcp/shared/session.py:383"
    assert second == "mcp/shared/session.py:383: ValueError in an unknown place"


def test_other_records_are_as_they_were(text: Any):
    logging.getLogger("gansr").warning("pins.json: %s", "a wrong shape")
    assert text.getvalue() == "pins.json: a wrong shape\n"


def test_a_visitors_mistake_through_gradios_own_route_is_one_line(text, capsys):
    async def asked() -> Any:
        with gr.Blocks(analytics_enabled=False) as page:
            number, shown = gr.Slider(0, 1), gr.HTML()
            number.input(lambda value: value, number, shown, queue=False)
        guard(page)
        page.queue()  # as `launch` does
        client = httpx.ASGITransport(App.create_app(page))
        async with httpx.AsyncClient(transport=client, base_url="http://test") as visitor:
            sent = {"data": [{"value": SECRET}], "fn_index": 0, "session_hash": "one"}
            return await visitor.post("/gradio_api/run/predict", json=sent)

    answer = asyncio.run(asked())
    assert answer.json()["error"] == NOT_POSSIBLE
    (line,) = text.getvalue().splitlines()
    assert line.startswith("ComponentProcessingError in gradio/blocks.py:") and "TypeError" in line
    printed = capsys.readouterr()
    assert "visitor" not in line + answer.text + printed.out + printed.err
