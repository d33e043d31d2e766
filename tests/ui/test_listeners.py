"""Who listens to a run: open streams, runs that nobody hears, and messages that nobody fetches."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import gradio as gr
import pytest
from fastapi import FastAPI
from gradio.routes import App

from gansr.method import MethodError
from gansr.ui.listeners import BACKLOG, IDLE, KEPT, LONGEST_PAUSE, PATIENCE, Listeners, middleware
from gansr.ui.run_state import RunState


class Clock:
    """Seconds that the test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def listeners(clock) -> Listeners:
    return Listeners(clock)


def test_a_session_is_gone_from_the_end_of_its_last_stream(listeners, clock):
    with listeners.listening("s"), listeners.listening("s"):
        clock.now = 100
        assert listeners.gone_for("s", 0) == 0
    clock.now = 107
    assert listeners.gone_for("s", 0) == 7
    assert listeners.gone_for("s", 105) == 2  # a run that began later
    assert listeners.gone_for("another", 100) == 7  # it never listened
    assert listeners.open == 0


def test_a_run_that_nobody_hears_stops_after_15_seconds(listeners, clock):
    assert PATIENCE == 15
    steps, closed = [], []

    def items():
        try:
            for step in range(100):
                clock.now += 1
                yield step
        finally:
            closed.append(True)

    with listeners.listening("s"):
        run = RunState().until_stopped(items(), watch=listeners.watch("s"))
        for step in run:
            steps.append(step)
            if step == 30:
                break
    with pytest.raises(MethodError, match="nobody listened for 15 s"):
        steps.extend(run)
    assert steps == list(range(47)) and closed == [True]
    steps.clear()
    with pytest.raises(MethodError, match="nobody listened for 15 s"):
        steps.extend(RunState().until_stopped(items(), watch=listeners.watch("never")))
    assert len(steps) == 16
    assert (
        len(list(RunState().until_stopped(items(), watch=listeners.watch("")))) == 100
    )  # no request, no listener


def test_a_run_that_waits_in_line_unheard_stops_too(listeners, clock):
    def waits():
        while True:
            clock.now += 0.25
            yield None

    with pytest.raises(MethodError, match="nobody listened"):
        list(RunState().until_stopped(waits(), watch=listeners.watch("s")))
    assert clock.now == PATIENCE + 0.25


def test_stop_ends_a_run_that_waits_in_line():
    state = RunState()

    def waits():
        yield "waiting"
        state.stop()
        while True:
            yield None

    state.request()
    assert list(state.until_stopped(waits())) == ["waiting"]


class FullQueue:
    """What `Listeners` reads of Gradio's queue."""

    def __init__(self) -> None:
        self.pending_messages_per_session: dict[str, asyncio.Queue[Any]] = {}
        self.pending_event_ids_session: dict[str, set[str]] = {}
        self.event_ids_to_events: dict[str, Any] = {}

    def put(self, session: str, count: int) -> None:
        messages = self.pending_messages_per_session.setdefault(session, asyncio.Queue())
        for _ in range(count):
            messages.put_nowait("message")
        self.pending_event_ids_session.setdefault(session, set()).add("event")


async def attached(listeners: Listeners, queue: Any) -> None:
    listeners.attach(queue)


def test_frames_are_left_out_while_the_client_has_not_fetched_the_last_ones(listeners, clock):
    queue = FullQueue()
    asyncio.run(attached(listeners, queue))
    watch, sent = listeners.watch("s"), []
    queue.put("s", 0)

    def frames():
        for frame in range(241):
            clock.now = frame / 4
            yield frame

    for frame in watch.sent(frames()):
        queue.put("s", 1)
        sent.append(frame)
    paused = range(BACKLOG, len(sent) - 1)
    assert sent[:BACKLOG] == list(range(BACKLOG)) and sent[-1] == 240  # the last is always sent
    assert all((sent[i] - sent[i - 1]) / 4 == LONGEST_PAUSE for i in paused)
    assert len(sent) <= BACKLOG + 60 / LONGEST_PAUSE + 1


def test_messages_that_nobody_fetches_are_dropped_after_a_minute(listeners, clock):
    queue = FullQueue()
    asyncio.run(attached(listeners, queue))
    for session in ("left", "listens", "runs"):
        queue.put(session, 3)
    queue.event_ids_to_events["e"] = type("Event", (), {"session_hash": "runs"})()
    with listeners.listening("listens"):
        for clock.now in range(0, 121, 5):
            if clock.now == 30:
                queue.put("left", 1)  # a new message: its minute begins again
            listeners.drop_unfetched()
            assert ("left" in queue.pending_messages_per_session) == (clock.now < 30 + KEPT)
    assert (
        set(queue.pending_messages_per_session) == set(queue.pending_event_ids_session) == {"listens", "runs"}
    )


# ------------------------------------------------------------------------- on a real Gradio app

of_gradio = pytest.mark.filterwarnings("ignore")  # Gradio calls pandas in a way that pandas warns of


@pytest.fixture
def app(listeners) -> App:
    """A page with one function, which tells the session that its run has."""

    async def build() -> App:
        with gr.Blocks(analytics_enabled=False) as page:
            box = gr.Textbox()

            def who(text: str, asked: gr.Request):
                yield asked.session_hash

            box.submit(who, box, gr.Textbox(), api_name="who")
        layers = {"middleware": middleware(listeners)}
        whole = gr.mount_gradio_app(FastAPI(), page, "", app_kwargs=layers)
        return next(app for route in whole.routes if isinstance(app := getattr(route, "app", None), App))

    return asyncio.run(build())


async def ask(
    app: App,
    method: str,
    path: str,
    body: bytes = b"",
    query: str = "",
    hear: Any = None,
    agent: bytes = b"test",
) -> bytes:
    """The whole answer. `hear(body)` is called with each piece while the request is open."""
    pieces: list[bytes] = []
    given = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        if given:
            return given.pop()
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Any) -> None:
        pieces.append(message.get("body", b""))
        if hear is not None:
            hear(pieces[-1])

    headers = [(b"host", b"127.0.0.1"), (b"content-type", b"application/json"), (b"user-agent", agent)]
    scope = {
        "type": "http", "method": method, "path": path, "raw_path": path.encode(), "root_path": "", "scheme": "http",
        "query_string": query.encode(), "headers": headers, "http_version": "1.1",
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
    }  # fmt: skip
    await app(scope, receive, send)
    return b"".join(pieces)


@of_gradio
@pytest.mark.parametrize("session", [None, "mine"])
def test_the_streams_of_gradio_count_for_the_session_that_its_run_has(app, listeners, session):
    """Notices when Gradio changes the routes, the queue's attributes, or the session of a call without one."""

    async def talk() -> None:
        app.get_blocks()._queue.start()
        given = {"data": ["?"]} | ({"session_hash": session} if session else {})
        answer = await ask(app, "POST", "/gradio_api/call/who", json.dumps(given).encode())
        event = json.loads(answer)["event_id"]
        own, heard = session or event, []
        stream = await ask(
            app, "GET", f"/gradio_api/call/who/{event}", hear=lambda _: heard.append(listeners._open[own])
        )
        assert f'["{own}"]' in stream.decode() and set(heard) == {1} and listeners.open == 0

        body = {"data": ["?"], "fn_index": 0, "session_hash": "page"}
        await ask(app, "POST", "/gradio_api/queue/join", json.dumps(body).encode())
        heard.clear()
        query = "session_hash=page"
        stream = await ask(
            app,
            "GET",
            "/gradio_api/queue/data",
            query=query,
            hear=lambda _: heard.append(listeners._open["page"]),
        )
        assert b'["page"]' in stream and set(heard) == {1} and listeners.open == 0
        app.get_blocks()._queue.close()

    asyncio.run(talk())


@of_gradio
@pytest.mark.parametrize("ending", [False, True])
def test_a_browsers_stream_hears_an_event_that_is_asked_for_when_the_last_has_ended(
    app, listeners, clock, ending
):
    """As a press of Run right after the preview of a changed control; the stream closes when it has been idle, or when
    the server ends."""

    async def talk() -> None:
        queue = app.get_blocks()._queue
        queue.start()
        body = json.dumps({"data": ["?"], "fn_index": 0, "session_hash": "page"}).encode()
        heard = asyncio.Queue()
        await ask(app, "POST", "/gradio_api/queue/join", body)
        stream = asyncio.create_task(
            ask(
                app,
                "GET",
                "/gradio_api/queue/data",
                query="session_hash=page",
                hear=heard.put_nowait,
                agent=b"Mozilla/5.0",
            )
        )
        for _ in range(2):
            while b"process_completed" not in await heard.get():
                pass
            clock.now += IDLE - 1
            listeners.close_idle()
            await ask(app, "POST", "/gradio_api/queue/join", body)
            listeners.close_idle()  # it has an event now
        while b"process_completed" not in await heard.get():
            pass
        while queue.event_ids_to_events:
            await asyncio.sleep(0)
        clock.now += 0 if ending else IDLE
        listeners.end() if ending else listeners.close_idle()
        assert b"close_stream" in await stream
        assert listeners.open == 0 and listeners._idle == {}
        queue.close()

    asyncio.run(talk())


@of_gradio
def test_what_gradio_keeps_for_a_client_that_never_listens_is_dropped(app, listeners, clock):
    async def talk() -> None:
        queue = app.get_blocks()._queue
        queue.start()
        body = {"data": ["?"], "fn_index": 0, "session_hash": "never"}
        await ask(app, "POST", "/gradio_api/queue/join", json.dumps(body).encode())
        while queue.event_ids_to_events:
            await asyncio.sleep(0)
        assert listeners.backlog("never") >= 2
        listeners.drop_unfetched()
        clock.now = KEPT
        listeners.drop_unfetched()
        assert "never" not in queue.pending_messages_per_session
        assert "never" not in queue.pending_event_ids_session
        queue.close()

    asyncio.run(talk())
