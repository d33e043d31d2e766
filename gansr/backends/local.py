"""Jobs in this process, one at a time, on the engine's device."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator

from gansr import papers, weights
from gansr.backends.estimate import Estimate
from gansr.engine import Engine
from gansr.job import Job
from gansr.method import Frame, Method
from gansr.speeds import SPEEDS


class Local:
    """Runs jobs on `engine`."""

    measures = False

    def __init__(self, engine: Engine):
        self.engine = engine

    def frames(self, job: Job) -> Iterator[Frame]:
        """As `Engine.stream`."""
        return self.engine.stream(job)

    def device(self) -> str:
        """The engine's device in words."""
        return self.engine.describe()

    def estimate(self, job: Job, token: str = "") -> Estimate:
        """Seconds on this device, and how many jobs come first."""
        return Estimate(self.engine.speeds.seconds(job), self.engine.turns.jobs())

    def unavailable(self, method: str) -> str:
        """The weights are fetched by the run, which says what is missing."""
        return ""

    def start(self) -> None:
        """Warm up the methods whose default weights are here, in the background."""
        weights.cache.clean()
        if weights.storable():
            self.engine.speeds.keep(weights.cache.folder() / SPEEDS, self.device())
        warm_up(self.engine, papers.METHODS)


def warm_up(engine: Engine, methods: tuple[Method, ...]) -> None:
    """Compile the usual networks of `methods` that are here, in the background, unless GANSR_COMPILE=0."""
    if os.environ.get("GANSR_COMPILE") == "0":
        return
    if weights.storable():  # elsewhere torch.compile takes its own temporary folder
        os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(weights.cache.folder() / "compiled"))
    for method in methods:
        options = method.options()
        if method.warm_up is not None and all(map(weights.ready, method.needs(method, options).values())):
            try:
                method.warm_up(engine.nets_for(method, options))
            except weights.WeightsError as error:  # a damaged file: the run says it, and others work
                logging.getLogger(__name__).warning("%s is not warmed up: %s", method.title, error)
