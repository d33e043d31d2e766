"""A method without its page: the API, and what MCP tools share with it (gansr.ui.mcp_tools)."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator, Iterator
from typing import Any

import gradio as gr

from gansr import receipt
from gansr.method import Method
from gansr.options import OptionError
from gansr.pipeline import Update
from gansr.request import Request
from gansr.ui import files, service
from gansr.ui.handlers import user_errors
from gansr.ui.request_controls import RequestControls
from gansr.ui.run_state import RunState, news
from gansr.ui.visitors import Visitor, visitor_of

# Runs wait in our own line, where they are served in rotation and can be stopped; never in Gradio's queue.
RUNS: dict[str, Any] = {"concurrency_limit": None, "concurrency_id": "run"}
Answer = tuple[str | None, dict[str, Any]]  # the path of the result's PNG, and a report; None on the way


def draw_api(method: Method, controls: RequestControls) -> None:
    """`client.predict(picture=…, api_name="/srgan")` → (the result's PNG, a report)."""
    with gr.Group(visible=False):
        button, result, report = gr.Button("API"), gr.File(), gr.JSON()

    def run(asked: gr.Request, *values: Any) -> Iterator[Answer]:
        yield from answers(lambda: controls.request(values), visitor_of(asked))

    # A default of None: what has no value of its own, a file, may be left out by a caller.
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    needed = [inspect.Parameter(name, kind) for name in ("asked", "picture")]
    others = [inspect.Parameter(name, kind, default=None) for name in controls.names() if name != "picture"]
    run.__signature__ = inspect.Signature([*needed, *others])  # type: ignore[attr-defined]
    button.click(run, controls.all(), [result, report], api_name=method.name, **RUNS)


def answers(asked: Callable[[], tuple[Any, Request]], visitor: Visitor) -> Iterator[Answer]:
    """The run that `asked` tells (picture, request), as `visitor`: what is new, and the result last. Raises gr.Error.

    It is counted and waits in line like any other, and ends where nobody listens.
    """
    watch = service.LISTENERS.watch(visitor.session)
    with user_errors():
        yield from watch.sent(RunState().until_stopped(_updates(asked, visitor), watch=watch))


def _updates(asked: Callable[[], tuple[Any, Request]], visitor: Visitor) -> Generator[Answer | None]:
    with service.VISITORS.admitted(visitor):
        picture, request = asked()
        if picture is None:
            raise OptionError("no picture: give one as `picture`")
        path = ""
        for update in news(service.PIPELINE.run(picture, request, owner=visitor.session)):
            if update is None:
                yield None
                continue
            frame, given = update.frame, update.given
            if frame is None or given is None:
                yield None, {"status": update.text}
            elif not update.finished:
                yield None, {"step": frame.step, "steps": frame.steps, "readings": dict(frame.readings)}
            else:
                png = path or receipt.result_png(request, given, frame)
                path = png if isinstance(png, str) else files.save(png, f"{request.method.name}.png")
                yield path, _report(request, update)


def _report(request: Request, update: Update) -> dict[str, Any]:
    assert update.frame is not None and update.given is not None
    return {
        "measures": {r.metric.name: r.reason if r.value is None else r.value for r in update.measured},
        "answers": {
            title: {row.metric.name: row.value for row in rows if row.value is not None}
            for title, rows in update.answers.items()
        },
        "baseline": {"title": update.baseline_title, "measures": dict(update.baseline or {})},
        "notices": [*update.given.notices, *update.frame.notices],
        "receipt": receipt.write(request, update.given, update.frame),
    }
