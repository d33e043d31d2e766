"""Serving the page until SIGTERM or SIGINT, and an end in good order.

Gradio's own end is none: SIGTERM kills the process, and after SIGINT the interpreter is torn down while threads of
torch's compiler still run, which ends in C++'s "terminate called without an active exception". Here the first signal
drains: new runs are refused, those that wait are told, and the running one ends after its step with its best so far.
Then the server closes. All of it takes at most LIMIT seconds, and the exit status is 0. A second signal ends at once.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import gradio as gr

from gansr.ui import service

LIMIT = 18.0  # seconds from the signal to the end of the process, whatever happens: supervisors wait 20 to 30
RUNS = 12.0  # seconds of these for the runs to end
MESSAGES = 2.0  # seconds of these for the last messages to be fetched
SIGNALS = (signal.SIGTERM, signal.SIGINT)


def serve(page: gr.Blocks, settings: Mapping[str, Any]) -> NoReturn:
    """Launch `page` with `settings` of launch, serve until a signal, drain and end the process. Main thread only."""
    received = threading.Event()

    def first(number: int, _: Any) -> None:
        for each in SIGNALS:
            signal.signal(each, lambda again, _: leave(128 + again, tidy=False))
        received.set()

    for each in SIGNALS:  # before the launch says that the page is there
        signal.signal(each, first)
    # Without _frontend Gradio does not ask itself for the page, and give up where a busy machine takes 3 s to answer.
    launched: dict[str, Any] = {**settings, "prevent_thread_lock": True, "_frontend": False}
    page.launch(**launched)
    received.wait()
    threading.Thread(target=lambda: (time.sleep(LIMIT), leave(0, tidy=False)), daemon=True).start()
    print("Ending: the running job may end its step.", flush=True)
    drain()
    close(page)
    leave(0)


def drain(wait: Callable[[float], object] = time.sleep) -> bool:
    """End all runs, and wait until each has ended and its last message was fetched, or the time is up. Whether there
    was time enough."""
    service.drain()
    ended = service.VISITORS.wait_until_idle(RUNS)
    service.LISTENERS.end()
    for _ in range(int(MESSAGES / 0.05)):
        if not service.LISTENERS.open:  # a stream ends by itself once its session's runs have ended
            return ended
        wait(0.05)
    return False


def close(page: gr.Blocks) -> None:
    """Close the server. Its open streams end first: the server would wait for them."""
    page.server_app.stop_event.set()  # page.close() sets that of another app, where queue() was called
    page.close(verbose=False)


def leave(status: int, tidy: bool = True) -> NoReturn:
    """End the process now, without the interpreter's own teardown: torch's threads still run. `tidy`: first what is
    registered with atexit (tunnels, temporary folders, helper processes)."""
    with contextlib.suppress(Exception):
        if tidy:
            atexit._run_exitfuncs()  # pyright: ignore[reportPrivateUsage]  # nothing public runs them
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(status)
