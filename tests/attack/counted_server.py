"""The page as app.py serves it, and a file that tells who computes. Run by the attack programs in its own process.

GANSR_ATTACK_STATE names the file, JSON: `active` (the owners of the jobs that compute now), `most` (the most that ever
computed at once), `jobs` (how many have begun), `loans` (how often a turn was lent). It is replaced at each change.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import gansr.metrics
from gansr.engine import Engine, Job
from gansr.method import Frame
from gansr.progress import Timing
from gansr.turns import Turn
from gansr.ui import service

STATE = Path(os.environ["GANSR_ATTACK_STATE"])
LOCK = threading.Lock()
state: dict[str, Any] = {"active": [], "most": 0, "jobs": 0, "loans": 0}


def changed() -> None:
    state["most"] = max(state["most"], len(state["active"]))
    beside = STATE.with_suffix(".new")
    beside.write_text(json.dumps(state))
    beside.replace(STATE)


def counted(
    self: Engine, job: Job, timing: Timing, turn: Turn, stopped: Callable[[], bool]
) -> Generator[Any, None, None]:
    with LOCK:
        state["active"].append(job.owner)
        state["jobs"] += 1
        changed()
    try:
        yield from computed(self, job, timing, turn, stopped)
    finally:
        with LOCK:
            if turn in closed:
                closed.remove(turn)
            else:
                state["active"].remove(job.owner)
                changed()


def lends(self: Turn) -> bool:
    """A job that has lent its turn does not compute."""
    with LOCK:
        state["active"].remove(self.owner)  # before the other one is called
    if lent := lend(self):
        state["loans"] += 1
    else:
        with LOCK:
            state["active"].append(self.owner)
    return lent


def waits(self: Engine, given: Frame, turn: Turn) -> Generator[Any, None, None]:
    try:
        yield from wait(self, given, turn)
    except BaseException:
        closed.add(turn)
        raise
    with LOCK:
        state["active"].append(turn.owner)
        changed()


closed: set[Turn] = set()  # jobs that ended while their turn was lent
computed, lend, wait = Engine._attempts, Turn.lend, Engine._lent
Engine._attempts, Turn.lend, Engine._lent = counted, lends, waits
gansr.metrics.METRICS = tuple(
    metric for metric in gansr.metrics.METRICS if not metric.weights
)  # the others take long
changed()

if __name__ == "__main__":
    from gansr.ui.page import LAUNCH, build
    from gansr.ui.shutdown import serve
    from gansr.ui.temp_files import PLACE, start_cleanup

    page = build()
    service.BACKEND.start()
    start_cleanup(PLACE)
    serve(page, LAUNCH)
