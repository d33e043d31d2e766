"""The server's log: one line for an exception, with its type and place, and nothing that a visitor sent.

Gradio prints the traceback of whatever goes wrong, and its texts hold the visitor's values: a path, an option, eight
megabytes of JSON. `start_log()` replaces this printing in Gradio, and the tracebacks of every logger of the process
(uvicorn, asyncio, ours). The line still tells where the fault is:

    ValueError in gansr/ui/tab.py:53 updates < gansr/ui/run_state.py:88 until_stopped < gradio/utils.py:880 __next__
"""

from __future__ import annotations

import logging
import sys
import traceback
from pathlib import Path
from types import SimpleNamespace, TracebackType
from typing import Any

import gradio as gr
import mcp
from gradio import queueing, route_utils, routes

LOG = logging.getLogger("gansr")
FRAMES = 4  # named per exception, innermost first
LONGEST = 200  # characters of a logger's own text before the place
GUARD = "gansr/ui/handlers.py"  # every event goes through it: it tells nothing
MCP = str(Path(mcp.__file__).parent)
PRINTING = (queueing, routes, route_utils)  # the modules of Gradio that print the tracebacks of requests


def note(error: BaseException | None) -> None:
    """Log an exception in one line. A gr.Error is a text for the user and is not logged."""
    if error is not None and not isinstance(error, gr.Error):
        LOG.error(place(error))


def place(error: BaseException) -> str:
    """The type of an exception and the innermost frames that it went through, ours before others; and those of its
    cause."""
    text = f"{type(error).__name__} in {_frames(error.__traceback__)}"
    cause = error.__cause__
    return text if cause is None else f"{text}; from {type(cause).__name__} in {_frames(cause.__traceback__)}"


def _frames(trace: TracebackType | None) -> str:
    names = [
        (_short(frame.f_code.co_filename), line, frame.f_code.co_name)
        for frame, line in traceback.walk_tb(trace)
    ][::-1]
    ours = [name for name in names[1:] if name[0].startswith("gansr/") and name[0] != GUARD]
    shown = (names[:1] + (ours or names[1:]))[:FRAMES]
    return " < ".join(f"{file}:{line} {function}" for file, line, function in shown) or "an unknown place"


def _short(file: str) -> str:
    """The path from the package on: no folder of the machine."""
    parts = Path(file).parts
    for package in ("gansr", "gradio"):
        if package in parts[:-1]:
            last = len(parts) - 1 - parts[::-1].index(package)
            return "/".join(parts[last:])
    return "/".join(parts[-2:])


def start_log() -> None:
    """Make every log line of the process bounded and free of a visitor's values. Once, when the server starts."""
    for module in PRINTING:
        module.traceback = SimpleNamespace(print_exc=_print_exc)  # type: ignore[attr-defined]
    logging.setLogRecordFactory(_record)


def _print_exc(*_: Any, **__: Any) -> None:
    note(sys.exc_info()[1])


def _record(*args: Any, **kwargs: Any) -> logging.LogRecord:
    """A record without a traceback; the first line of its text and the place of the exception instead. Of a record of
    the MCP library only the place is left: its texts hold whole messages."""
    record = logging.LogRecord(*args, **kwargs)
    if record.pathname.startswith(MCP):
        record.msg, record.args = f"mcp{record.pathname.removeprefix(MCP)}:{record.lineno}", ()
    error = record.exc_info[1] if record.exc_info else None
    if error is not None:
        first = record.getMessage().strip().partition("\n")[0][:LONGEST]
        record.msg, record.args, record.exc_info = f"{first}: {place(error)}", (), None
    return record
