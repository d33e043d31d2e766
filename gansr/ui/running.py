"""What is under way in a tab: Stop ends it and says so when it has ended, and no look overwrites a run.

Gradio's own way (`cancels=`) is not used. Its page asks the server to close the run, which waits until the step under
way has ended, while the page has said already that all is over; until then it ignores a further Run without a word,
and at times it takes the closed run for an error. Here a run that is asked to stop ends by itself, as any run does.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import gradio as gr

from gansr.serve import TOLD
from gansr.ui import show

Item = TypeVar("Item")
STOPPED = "Stopped. What was finished stays."
FAULT = "It could not be done, by a fault of ours."


@dataclass
class Turn:
    """A visitor's runs in one tab. Lives in his session; changed by one handler at a time or harmlessly."""

    begun: int = 0  # runs so far
    wanted: bool = False  # Run was pressed, and the run has not ended
    stopping: bool = False
    under_way: bool = False
    why: str = ""  # what the last run failed of

    def ask(self) -> None:
        """Run was pressed. While one is wanted already the page ignores the press."""
        if not self.wanted:
            self.wanted, self.stopping = True, False

    def stop(self) -> str:
        """Stop was pressed: what is to be said."""
        self.stopping = self.wanted
        return show.message("Stopping after this step …" if self.wanted else "Nothing is running.")

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Around a run. A generator enters and leaves it, on any thread."""
        self.begun, self.wanted, self.under_way = self.begun + 1, True, True
        try:
            yield
        finally:
            self.wanted = self.under_way = False

    def unless_run(self, look: Callable[[], Item]) -> Item | None:
        """What `look()` gives; nothing if a run was under way meanwhile: what that shows must stay."""
        begun, free = self.begun, not self.under_way
        found = look()
        return found if free and self.begun == begun else None

    def until_stopped(self, items: Generator[Item, None, None]) -> Iterator[Item]:
        """The first of the items, and the others until Stop is pressed; then their generator is closed."""
        with self.taken(), closing(items):
            try:
                for item in items:
                    yield item
                    if self.stopping:
                        return
            except Exception as error:
                self.why = str(error) if isinstance(error, TOLD) else FAULT
                raise


def before_run(run: gr.Button, turn: gr.State) -> None:
    """To be called before the run's own listener is added to the button: the page serves them one after the other."""
    run.click(Turn.ask, turn, None, queue=False, api_visibility="private")


def stoppable(stop: gr.Button, started: Any, turn: gr.State, status: gr.HTML, pictures: gr.HTML) -> None:
    """`stop` ends the run `started`, which goes through `Turn.until_stopped`. The page raises `then` and `failure`
    when it takes a further Run, not before."""

    def ended(turn: Turn, value: Any) -> tuple[Any, Any]:
        asked, turn.stopping = turn.stopping and not turn.under_way, turn.stopping and turn.under_way
        return (show.message(STOPPED), _stopped(value)) if asked else (gr.skip(), gr.skip())

    def failed(turn: Turn) -> str:
        turn.wanted, turn.stopping, why, turn.why = False, False, turn.why, ""
        return show.message(why or "The server is busy or out of reach: press Run again.")

    settings: dict[str, Any] = {"queue": False, "api_visibility": "private", "show_progress": "hidden"}
    stop.click(Turn.stop, turn, status, **settings)
    started.then(ended, [turn, pictures], [status, pictures], **settings)
    started.failure(failed, turn, status, **settings)


def _stopped(value: Any) -> Any:
    """The viewer's value, back from the person's own browser: what was under way says that it was stopped."""
    if not isinstance(value, dict) or not isinstance(value.get("tiles"), list):
        return gr.skip()
    for one in value["tiles"]:
        if isinstance(one, dict) and one.get("state") in ("running", "waiting"):
            one |= {"state": "waiting", "text": "stopped", "progress": 0}
    return value
