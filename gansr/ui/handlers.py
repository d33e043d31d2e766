"""Every event of the page passes through here: what a visitor sent is checked before Gradio and a handler see it, and
an exception becomes a text for the user.

Anybody can send any JSON to any event; the page's own script is not the only client.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any

import gradio as gr

from gansr.pipeline import USER_ERRORS
from gansr.ui import log, render
from gansr.ui.run_state import INTERNAL_ERROR

# Of one value, such as that of a control. The largest of the page's own is a viewer's: some twenty tiles.
MOST_ITEMS = 2000
MOST_TEXT = 64 * 1024  # characters
DEEPEST = 8
LARGEST = 2**63  # of a whole number: what JSON answers can hold
NOT_POSSIBLE = (
    "This is not possible: a control has a value that it cannot have. Reload the page and try again."
)


def guard(page: gr.Blocks) -> None:
    """Check what every event of `page` receives, and turn what its handlers raise into texts for the user."""
    for event in page.fns.values():
        if event.fn is not None:
            event.fn = handler(event.fn)
    # Gradio has no hook for this, and its own checks come after files were looked up or fetched from an address.
    page.process_api = _checked(page.process_api)  # type: ignore[method-assign]


# ------------------------------------------------------------------------------------------------- errors


def handler(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, or a generator, whose exceptions are gr.Error: with the text of USER_ERRORS, and for any other only
    that it is an internal error, whose place is logged."""

    @functools.wraps(function)
    def call(*values: Any, **named: Any) -> Any:
        with user_errors():
            return function(*values, **named)

    @functools.wraps(function)
    def generate(*values: Any, **named: Any) -> Iterator[Any]:
        with user_errors():
            yield from function(*values, **named)

    return generate if inspect.isgeneratorfunction(function) else call


@contextmanager
def user_errors(toast: bool = True) -> Generator[None]:
    """What is meant for the user reaches the user: of all exceptions Gradio shows only gr.Error's text. `toast`: over
    the page; False where the page itself shows it."""
    try:
        yield
    except gr.Error:
        raise
    except USER_ERRORS as error:
        raise gr.Error(render.sentence_case(str(error)), visible=toast, print_exception=False) from None
    except Exception as error:
        log.note(error)
        raise gr.Error(INTERNAL_ERROR, visible=toast, print_exception=False) from None


# ------------------------------------------------------------------------------------------------- values


def _checked(process: Callable[..., Any]) -> Callable[..., Any]:
    """Gradio's `process_api`, given only as many values as the event has inputs, and none of a size or depth that no
    control has. What Gradio itself raises, before or after the handler, becomes a gr.Error."""

    async def process_api(block_fn: Any, inputs: Any, *others: Any, **named: Any) -> Any:
        if named.get("iterator") is None:  # otherwise a run goes on, and its values were checked
            if not isinstance(inputs, list) or len(inputs) != len(block_fn.inputs):
                raise gr.Error("This call has another number of values than the page.", print_exception=False)
            check_value(getattr(named.get("event_data"), "_data", None))
            for value in inputs:
                check_value(value)
        try:
            return await process(block_fn, inputs, *others, **named)
        except gr.Error as error:
            error.print_exception = False
            raise
        except Exception as error:
            log.note(error)
            raise gr.Error(NOT_POSSIBLE, print_exception=False) from None
        finally:
            _forget(block_fn, named.get("state"))

    return process_api


def _forget(event: Any, state: Any) -> None:
    """Gradio keeps each session's last values for its deep links, which the page does not have."""
    for block in event.inputs:
        config = state.config_values.get(block._id) if state is not None else None
        if config is not None and "props" in config:
            config["props"]["value"] = None


def check_value(value: Any) -> None:
    """Raise gr.Error for JSON that no control of the page has: more than MOST_ITEMS items, DEEPEST levels, or MOST_TEXT
    characters beside `data:` URLs; a whole number beyond 64 bits; a file at an address, which Gradio would download.
    """
    items = characters = 0
    pending: list[tuple[Any, int]] = [(value, 0)]
    while pending:
        found, depth = pending.pop()
        items += 1
        inside: list[Any] = found if isinstance(found, list) else []
        if isinstance(found, dict):
            _check_file(found)
            inside = [*found, *(part for name, part in found.items() if not _is_data_url(name, part))]
        if isinstance(found, str):
            characters += len(found)
        too_large = isinstance(found, int) and abs(found) >= LARGEST
        if items + len(inside) > MOST_ITEMS or characters > MOST_TEXT or depth > DEEPEST or too_large:
            raise gr.Error(NOT_POSSIBLE, print_exception=False)
        pending += [(part, depth + 1) for part in inside]


def _is_data_url(name: Any, value: Any) -> bool:
    return name == "url" and isinstance(value, str) and value.startswith("data:")


def _check_file(found: dict[Any, Any]) -> None:
    path = found.get("path")
    if isinstance(path, str) and "://" in path[:20]:
        raise gr.Error(
            "Addresses are not opened: save the picture and upload the file itself.", print_exception=False
        )


def text_of(event: gr.EventData, name: str) -> str:
    """A text in an event's data; empty where there is none."""
    found = _part_of(event, name)
    return found if isinstance(found, str) else ""


def index_of(event: gr.EventData) -> int | None:
    """The place in a list that an event's data names, from 0; None where it names none."""
    found = _part_of(event, "index")
    return found if isinstance(found, int) and not isinstance(found, bool) and 0 <= found < LARGEST else None


def number_of(event: gr.EventData, name: str) -> float:
    """A finite number in an event's data; 0 where there is none."""
    found = _part_of(event, name)
    plain = isinstance(found, (int, float)) and not isinstance(found, bool) and math.isfinite(found)
    return float(found) if plain else 0.0


def _part_of(event: gr.EventData, name: str) -> Any:
    try:
        return getattr(event, name)
    except (AttributeError, TypeError, IndexError):  # the data is no dictionary
        return None
