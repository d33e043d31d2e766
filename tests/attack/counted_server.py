"""The page as app.py serves it, and a file that tells who computes. Run by the attack programs in its own process.

GANSR_ATTACK_STATE names the file, JSON: `active` (the owners of the jobs that compute now), `most` (the most that ever
computed at once), `jobs` (how many have begun). It is replaced at each change.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import gansr.metrics
from gansr.engine import Engine, Job
from gansr.ui import service

STATE = Path(os.environ["GANSR_ATTACK_STATE"])
LOCK = threading.Lock()
state: dict[str, Any] = {"active": [], "most": 0, "jobs": 0}


def changed() -> None:
    state["most"] = max(state["most"], len(state["active"]))
    beside = STATE.with_suffix(".new")
    beside.write_text(json.dumps(state))
    beside.replace(STATE)


def counted(self: Engine, job: Job) -> Generator[Any, None, None]:
    with LOCK:
        state["active"].append(job.owner)
        state["jobs"] += 1
        changed()
    try:
        yield from computed(self, job)
    finally:
        with LOCK:
            state["active"].remove(job.owner)
            changed()


computed = Engine._attempts
Engine._attempts = counted
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
