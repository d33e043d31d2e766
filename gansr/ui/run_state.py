"""The state of a tab's run: Stop ends the run, the page says so when it has ended, and no preview overwrites a run.

Gradio's own way (`cancels=`) is not used. With it the page reports the end at once, but the server closes the run only
after the current step; until then the page ignores Run without a message, and sometimes reports the closed run as an
error. Here a stopped run ends its own generator, like any other run.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import gradio as gr
from gradio.components import Component

from gansr import memory
from gansr.method import MethodError
from gansr.pipeline import USER_ERRORS, Update
from gansr.progress import progress_text
from gansr.ui import render
from gansr.ui.controls import HIDDEN
from gansr.ui.kept_runs import KeptRun
from gansr.ui.listeners import UNHEARD, Watch

Item = TypeVar("Item")
CHOOSE = "Choose a picture and press Run."
STOPPED = "Stopped. Finished results are kept."
INTERNAL_ERROR = "Internal error. The server's log has the details."
NO_ANSWER = (
    "The run did not begin: a control has a value that is not possible, or the server is busy or cannot be reached. "
    "Press Run to try again."
)


@dataclass
class RunState:
    """The runs of one user in one tab; kept in the user's session."""

    started: int = 0  # number of runs so far
    requested: bool = False  # Run was pressed, and the run has not ended
    stopping: bool = False  # Stop was pressed during the run
    running: bool = False
    error: str = ""  # why the last run failed
    failed: bool = False  # the status shows why a run failed
    kept: KeptRun | None = None  # the run that is shown
    why: str = ""  # why the server ended it
    ran: Any = None  # the settings of the last run, while its results are shown

    def request(self) -> None:
        """Run was pressed. The page ignores a press while a run is requested already."""
        if not self.requested:
            self.requested, self.stopping = True, False

    def stop(self) -> str:
        """Stop was pressed. Returns the status to show, HTML."""
        self.stopping = self.requested
        if self.stopping and self.kept is not None:
            self.kept.stop()
        return render.message("Stopping after this step …" if self.requested else "Nothing is running.")

    @contextmanager
    def run(self) -> Generator[None, None, None]:
        """The time of a run. A generator may enter and leave it on different threads."""
        self.started, self.requested, self.running, self.failed = self.started + 1, True, True, False
        try:
            yield
        finally:
            self.requested = self.running = False
            memory.give_back()  # what encoding and measuring took; the engine gives back what a job took

    def unless_running(self, preview: Callable[[], Item], settings: Any = None) -> Item | None:
        """The value of `preview()`, which shows `settings`. None if a run was active at any time meanwhile, or if the
        results of a run with these settings are shown (it ended before the page asked for the preview): they must
        stay."""
        if self.ran is not None and self.ran == settings:
            return None
        started, idle = self.started, not self.running
        found = preview()
        if not idle or self.started != started:
            return None
        self.ran = None
        if self.kept is not None:
            self.kept.forget()
        return found

    def until_stopped(
        self, items: Generator[Item | None, None, None], settings: Any = None, watch: Watch | None = None
    ) -> Iterator[Item]:
        """The items of a run with `settings` until Stop is pressed, at least the first; closes their generator at the
        end. An item that is None only gives the chance to stop.

        Raises MethodError when, by `watch`, nobody listens any more; nothing is kept of such a run (`follow` shows one
        that is kept). Records the reason of an exception in `error` and raises it again.
        """
        self.ran = settings
        with self.run(), closing(items):
            try:
                for item in items:
                    if item is not None:
                        yield item
                    if self.stopping:
                        return
                    if watch is not None and not watch.heard():
                        raise MethodError(UNHEARD)
            except Exception as error:
                self.error = str(error) if isinstance(error, USER_ERRORS) else INTERNAL_ERROR
                self.ran = None
                raise

    def follow(self, run: KeptRun, settings: Any, watch: Watch) -> Iterator[Any]:
        """What `run` shows, until it ends; `settings` are those that its results belong to. Stop ends it after its
        step. Raises MethodError, with the reason in `error`, if it fails or another page follows it."""
        self.ran, self.kept, self.why = settings, run, ""
        with self.run():
            if self.stopping:
                run.stop()
            try:
                yield from run.listen(watch)
                if run.failed:
                    raise MethodError(run.error or INTERNAL_ERROR)
            except MethodError as error:
                self.error, self.ran = str(error), None
                raise
            self.stopping, self.why = run.stopped, run.why


def news(updates: Iterable[Update]) -> Iterator[Update | None]:
    """The updates of a run; None instead of one that tells nothing new. While a run waits in line, the seconds that it
    has waited are new once a second; while its result waits to be measured, or a short job goes first, nothing is."""
    before: Any = None
    for update in updates:
        frame = update.frame
        waits = frame is not None and (frame.step == 0 or frame.lent or update.finished)
        told = (
            update.text,
            update.done,
            len(update.measured),
            len(update.baseline or ()),
            len(update.answers),
        )
        now = (*told, progress_text(frame), int(frame.waited)) if waits and frame is not None else None
        yield None if now is not None and now == before else update
        before = now


SILENT: dict[str, Any] = {"queue": False, "api_visibility": "private", "show_progress": "hidden"}


# For an event whose second input is the visit: the browser has it.
WITH_VISIT = "(...values) => { values[1] = window.gansr?.visit() ?? ''; return values; }"
SHOWN: dict[str, Any] = {
    "show_progress": "hidden",
    "api_visibility": "private",
    "trigger_mode": "once",
    "js": WITH_VISIT,
}


def hidden_button(tab: str, name: str) -> gr.Button:
    """A button that `address.js` presses: "rejoin" where the visit has a run in the tab, "rested" when the controls of
    the tab have changed and rest. To be rendered outside of the tabs, which the browser draws when they are opened."""
    return gr.Button(visible=HIDDEN, render=False, elem_id=f"{tab}-{name}")


def connect_rejoin(rejoin: gr.Button, run: gr.Button, stop: gr.Button) -> None:
    """As `connect_run`, for a run that is shown again."""
    rejoin.click(None, None, [run, stop], js=_pressable(run=False), **SILENT)


def connect_run(run: gr.Button, stop: gr.Button, state: gr.State) -> None:
    """Note each press of `run` in `state`, and let only `stop` be pressed then. Call it before the run's own listener
    is added: the page calls the listeners of a button in their order, each when the one before has ended."""
    stop.interactive = False
    run.click(None, None, [run, stop], js=_pressable(run=False), **SILENT)
    run.click(RunState.request, state, None, **SILENT)


def connect_picture(picture: Component, state: gr.State, status: gr.HTML) -> None:
    """Clear the error of a failed run from `status` when another picture is chosen."""

    def changed(state: RunState, value: Any) -> Any:
        if not state.failed or state.running:
            return gr.skip()
        state.failed = False
        return render.message(CHOOSE if value is None else "Press Run.")

    picture.change(changed, [state, picture], status, **SILENT)  # type: ignore[attr-defined]


def connect_stop(
    run: gr.Button,
    stop: gr.Button,
    started: Sequence[Any],
    state: gr.State,
    status: gr.HTML,
    pictures: gr.HTML,
    cleared: Callable[[], dict[Any, Any]],
) -> None:
    """Let `stop` end the runs that the events `started` begin or show again, whose handlers go through
    `RunState.follow`, and show the end of a run in `status` and `pictures` (a viewer). `cleared` gives the contents of
    a tab without a result, for a run that Gradio refuses before it begins: no older result may stand beside the reason.
    Gradio raises `then` or `failure` when the page accepts a new Run: only then can `run` be pressed again."""

    def ended(state: RunState, value: Any) -> tuple[Any, Any]:
        stopped = (state.stopping or bool(state.why)) and not state.running
        state.stopping = state.stopping and state.running
        if not stopped:
            return gr.skip(), gr.skip()
        return render.message(state.why or STOPPED), _marked(value, {"state": "waiting", "text": "stopped"})

    def failed(state: RunState, value: Any) -> dict[Any, Any]:
        began = not state.requested
        state.requested, state.stopping, error, state.error = False, False, state.error, ""
        state.failed = True
        told = {status: render.message(error or NO_ANSWER)}
        if not began:
            return cleared() | told
        return told | {pictures: _marked(value, {"state": "error", "text": "failed", "url": None})}

    stop.click(RunState.stop, state, status, **SILENT)
    cleared_too = list(dict.fromkeys([status, pictures, *cleared()]))
    for event in started:
        event.then(ended, [state, pictures], [status, pictures], **SILENT)
        event.failure(failed, [state, pictures], cleared_too, **SILENT)
        for end in (event.then, event.failure):  # Gradio calls one of the two
            end(None, None, [run, stop], js=_pressable(run=True), **SILENT)


def pressing(elem_id: str) -> str:
    """JavaScript that presses the button of this id."""
    return f"() => {{ document.getElementById({json.dumps(elem_id)}).click(); return []; }}"


def _pressable(run: bool) -> str:
    """JavaScript that gives updates of [Run, Stop]: one of them can be pressed. It runs in the browser alone, so a
    press shows at once, and Run can be pressed again where the server does not answer."""
    updates = ({"__type__": "update", "interactive": can} for can in (run, not run))
    return f"() => {json.dumps([*updates])}"


def _marked(value: Any, mark: dict[str, Any]) -> Any:
    """The viewer's value, as the user's browser returns it, with `mark` in every unfinished tile."""
    if not isinstance(value, dict) or not isinstance(value.get("tiles"), list):
        return gr.skip()
    for tile in value["tiles"]:
        if isinstance(tile, dict) and tile.get("state") in ("running", "waiting"):
            tile |= {**mark, "progress": 0}
    return value
