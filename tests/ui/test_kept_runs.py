"""Runs that outlive their page: they are paused while nobody listens, found by their token alone, and bounded."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from gradio.blocks import postprocess_update_dict

from gansr.method import MethodError
from gansr.ui import files, kept_runs
from gansr.ui.kept_runs import (
    AWAY,
    ELSEWHERE,
    KEEP,
    MOST_ENDED,
    MOST_PAUSED,
    REPLACED,
    SHOWN,
    KeptRun,
    KeptRuns,
    is_token,
    token_for,
)
from gansr.ui.listeners import PATIENCE, UNHEARD, Listeners, Watch
from gansr.ui.run_state import RunState
from gansr.ui.visitors import Visitor

TOKENS = [token_for(None) for _ in range(MOST_PAUSED + 2)]


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


class Work:
    """A run that yields a number at a time, when the test lets it."""

    def __init__(self, fails: str = "") -> None:
        self.go, self.fails, self.closed = threading.Semaphore(0), fails, threading.Event()

    def items(self) -> Iterator[Any]:
        try:
            for number in range(1000):
                self.go.acquire()
                if self.fails and number:
                    raise MethodError(self.fails)
                yield (number,)
        finally:
            self.closed.set()


@dataclass
class Place:
    """The runs of a server whose clock stands."""

    clock: Clock
    listeners: Listeners
    runs: KeptRuns

    def watch(self, session: str = "page") -> Watch:
        return self.listeners.watch(session)

    def begin(self, work: Work, visit: str = TOKENS[0], address: str = "a", tab: str = "fake") -> KeptRun:
        items: Any = work.items()
        return self.runs.begin(visit, tab, items, self.watch(), Visitor("page", address))

    def paused(self, visit: str = TOKENS[0], address: str = "a") -> tuple[KeptRun, Work]:
        """A run that has shown (0,) and is paused."""
        work = Work()
        run = self.begin(work, visit, address)
        self.clock.now += PATIENCE + 1
        work.go.release()
        until(run, lambda: run.paused_at is not None)
        return run, work


def until(run: KeptRun, so: Any) -> None:
    """Wait for the thread of a run."""
    while not so() and run.thread.is_alive():
        with run._changed:
            run._changed.wait(0.01)
    assert so()


@pytest.fixture
def place(monkeypatch) -> Place:
    monkeypatch.setattr(kept_runs, "LOOK", 0.01)
    clock = Clock()
    return Place(clock, Listeners(clock), KeptRuns(clock))


def test_a_listener_gets_the_newest_whole_state_and_the_end(place):
    work = Work()
    run = place.begin(work)
    for _ in range(3):
        work.go.release()
    until(run, lambda: run._version == 3)
    heard = run.listen(place.watch())
    assert next(heard) == (2,)
    run.stop()
    work.go.release()
    assert list(heard) == [(3,)]
    assert run.stopped and not run.failed and work.closed.is_set()
    assert list(run.listen(place.watch("later"))) == [(3,)], "the end can be shown again"


@pytest.mark.parametrize(
    "shown", [{"slider": gr.update(value=3)}, (gr.update(value=3),)], ids=["tab", "comparison"]
)
def test_what_gradio_takes_out_of_an_update_is_there_when_it_is_shown_again(place, shown):
    def items() -> Iterator[Any]:
        yield shown

    run = place.runs.begin(TOKENS[0], "fake", items(), place.watch(), Visitor("page", "a"))
    for page in ("first", "second"):
        (whole,) = run.listen(place.watch(page))
        (update,) = whole.values() if isinstance(whole, dict) else whole
        assert postprocess_update_dict(gr.Slider(), dict(update), postprocess=False)["value"] == 3
        postprocess_update_dict(gr.Slider(), update, postprocess=False)


def test_a_run_that_nobody_hears_is_paused_and_goes_on_when_a_page_comes_back(place):
    run, work = place.paused()
    assert not work.closed.is_set()
    for _ in range(5):
        work.go.release()
    with run._changed:
        assert run._version == 1, "nothing is computed"
    state = RunState()
    shown = state.follow(place.runs.of(TOKENS[0], "fake"), None, place.watch("again"))
    assert next(shown) == (0,)
    until(run, lambda: run._version == 6)
    assert run.paused_at is None and next(shown) == (5,)
    state.stop()
    work.go.release()
    assert list(shown) == [(6,)] and state.stopping and work.closed.is_set()


def test_a_paused_run_ends_after_ten_minutes_and_who_returns_is_told_with_what_it_showed(place):
    run, work = place.paused()
    place.clock.now += KEEP + 1
    run.thread.join()
    assert work.closed.is_set()
    state = RunState()
    assert list(state.follow(run, None, place.watch("again"))) == [(0,)]
    assert state.why == AWAY and not state.stopping


def test_a_few_runs_are_paused_and_one_of_a_visitor(place):
    first, _ = place.paused(TOKENS[0], "a")
    second, _ = place.paused(TOKENS[1], "a")
    first.thread.join()
    assert first.why == REPLACED and second.why == ""
    others = [place.paused(token, f"b{number}")[0] for number, token in enumerate(TOKENS[2:])]
    second.thread.join()
    assert second.why == REPLACED
    assert [run.why for run in others] == [""] * MOST_PAUSED
    place.runs.close("closed")
    for run in others:
        run.thread.join()
        assert run.why == "closed"


def test_a_run_that_becomes_unheard_while_the_server_ends_is_not_paused(place):
    work = Work()
    run = place.begin(work)
    place.runs.close("closed")
    place.clock.now += PATIENCE + 1
    work.go.release()
    run.thread.join()
    assert run.why == "closed" and work.closed.is_set()


def test_without_a_token_a_run_ends_when_nobody_listens(place):
    for visit in ("", "x", "x" * 44, "é" * 43, None):
        work = Work()
        run = place.begin(work, visit)  # type: ignore[arg-type]
        place.clock.now += PATIENCE + 1
        work.go.release()
        run.thread.join()
        assert run.failed and run.error == UNHEARD
        assert place.runs.of(visit, "fake") is None


def test_a_run_is_found_by_its_token_and_tab_alone(place):
    work = Work()
    run = place.begin(work)
    assert place.runs.of(TOKENS[0], "fake") is run and place.runs.tabs(TOKENS[0]) == ["fake"]
    assert place.runs.of(TOKENS[0], "other") is None
    assert place.runs.of(TOKENS[1], "fake") is None and place.runs.tabs(TOKENS[1]) == []
    assert len(set(TOKENS)) == len(TOKENS) and all(map(is_token, TOKENS))
    assert token_for(TOKENS[0]) == TOKENS[0] and token_for("x") != "x"
    run.forget()
    assert place.runs.of(TOKENS[0], "fake") is None
    run.stop()
    work.go.release()
    run.thread.join()


def test_a_second_page_takes_the_run_over(place):
    work = Work()
    run = place.begin(work)
    work.go.release()
    first = RunState().follow(run, None, place.watch())
    assert next(first) == (0,)
    second = RunState().follow(run, None, place.watch("second"))
    assert next(second) == (0,)
    with pytest.raises(MethodError, match=ELSEWHERE):
        next(first)
    run.stop()
    work.go.release()
    assert list(second) == [(1,)]


def test_a_page_whose_stream_is_gone_is_told_so_if_it_still_hears_that(place):
    work = Work()
    run = place.begin(work)
    work.go.release()
    shown = RunState().follow(run, None, place.watch())
    assert next(shown) == (0,)
    place.clock.now += PATIENCE + 1
    with pytest.raises(MethodError, match="lost its connection"):
        next(shown)
    run.stop()
    work.go.release()
    run.thread.join()


def test_a_failure_is_told_again(place):
    work = Work("the memory is full")
    run = place.begin(work)
    work.go.release(2)
    run.thread.join()
    for _ in range(2):
        state = RunState()
        with pytest.raises(MethodError, match="the memory is full"):
            list(state.follow(run, None, place.watch("again")))
        assert state.error == "the memory is full"


def test_a_new_run_of_a_tab_ends_the_one_before(place):
    old, new = Work(), Work()
    before, after = place.begin(old), place.begin(new)
    old.go.release()
    before.thread.join()
    assert old.closed.is_set() and place.runs.of(TOKENS[0], "fake") is after
    after.stop()
    new.go.release()
    after.thread.join()


def test_what_ended_is_kept_for_a_while_and_not_without_limit(place):
    def ended(tab: str) -> None:
        work = Work()
        run = place.begin(work, tab=tab)
        run.stop()
        work.go.release()
        run.thread.join()
        place.clock.now += 1

    for number in range(MOST_ENDED + 3):
        ended(str(number))
    assert place.runs.tabs(TOKENS[0]) == [str(number) for number in range(3, MOST_ENDED + 3)]
    place.clock.now += SHOWN
    assert place.runs.tabs(TOKENS[0]) == []


def test_a_preview_in_the_place_of_a_result_ends_that_it_is_shown_again(place):
    work = Work()
    run = place.begin(work)
    run.stop()
    work.go.release()
    state = RunState()
    list(state.follow(run, "settings", place.watch()))
    assert state.unless_running(lambda: "preview", "settings") is None
    assert place.runs.tabs(TOKENS[0]) == ["fake"]
    assert state.unless_running(lambda: "preview", "others") == "preview"
    assert place.runs.tabs(TOKENS[0]) == []


def test_the_files_of_a_run_count_as_new_when_it_is_paused_and_when_it_ends(place, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "get_upload_folder", lambda: str(tmp_path))
    shown, other = Path(files.save(b"1", "a.png")), Path(files.save(b"2", "b.png"))
    for path in (shown, other):
        files.os.utime(path, (0, 0))

    def items() -> Any:
        yield {"status": "<b>", "pictures": {"tiles": [{"url": f"/gradio_api/file={shown}"}]}}

    run = place.runs.begin(TOKENS[0], "fake", items(), place.watch(), Visitor("page", "a"))
    run.thread.join()
    assert shown.stat().st_mtime > 0 and other.stat().st_mtime == 0


def test_a_run_computes_in_the_context_of_the_handler_that_began_it(place):
    """ZeroGPU finds the visitor's request there."""
    asked = contextvars.ContextVar("asked", default="nobody")

    def items() -> Iterator[Any]:
        yield (asked.get(),)

    asked.set("the visitor")
    made: Any = items()
    run = place.runs.begin(TOKENS[0], "fake", made, place.watch(), Visitor("page", "a"))
    run.thread.join()
    assert list(run.listen(place.watch())) == [("the visitor",)]
