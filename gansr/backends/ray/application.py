"""The applications of Ray Serve: a deployment for searches, a multiplexed one for single passes; and the dispatcher.

`deploy` puts them onto the cluster that this process is connected to. A file for `serve deploy` or a RayService names
`gansr.backends.ray.application:searches` and `:passes`.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import ray
from ray import serve
from ray.exceptions import RayError
from ray.serve.config import AutoscalingConfig

from gansr.backends.ray.dispatcher import Dispatcher, Report
from gansr.backends.ray.settings import PASSES, POOLS, SEARCHES, Pool, Settings, parsed, read

NAMESPACE, DISPATCHER = "gansr", "gansr-dispatcher"
ROOT = str(Path(__file__).resolve().parents[3])
MODELS = 4  # sets of networks that a worker for passes keeps
TELL = 1.0  # seconds between two reports of a worker
# Of Ray's actors that run our code: the checkout is on the same path on each node (docs/cluster.md).
ENVIRONMENT = {"env_vars": {"PYTHONPATH": ROOT}}


_multiplexed: Any = serve.multiplexed  # its type is that of the function without the instance


class Replica:
    """A worker, as a replica of Serve."""

    pool = ""

    async def __init__(self, settings: Settings):
        from gansr.backends.ray.metrics import WorkerMetrics
        from gansr.backends.ray.worker import Worker

        self.name, self._ready = uuid.uuid4().hex, False
        self._metrics = WorkerMetrics()
        self.worker = await asyncio.to_thread(Worker, self.pool, settings, self._metrics)
        await self.worker.start()
        self._ready = True
        self._reporting = asyncio.create_task(self._report())

    async def frames(self, ticket: str, data: bytes) -> AsyncIterator[bytes]:
        """The items of a job, as `Worker.frames`."""
        async for item in self.worker.frames(ticket, data):
            yield item

    async def _report(self) -> None:
        """Tell the dispatcher of this worker, as long as it lives."""
        engine = self.worker.engine
        while True:
            with contextlib.suppress(Exception):  # a dispatcher that starts again
                report = Report(
                    self.name,
                    self.pool,
                    engine.describe(),
                    engine.speeds.type,
                    self._ready,
                    self.worker.tickets,
                    dict(self.worker.unavailable),
                )
                dispatcher = ray.get_actor(DISPATCHER, NAMESPACE)
                self.worker.ending, gone = await dispatcher.report.remote(report)
                for ticket in gone:
                    self.worker.stop(ticket)
            self._metrics.memory()
            await self.worker.retry()
            await asyncio.sleep(TELL)


class Searches(Replica):
    """PULSE, KernelGAN and mGANprior: one job at a time, for seconds to minutes."""

    pool = SEARCHES


class Passes(Replica):
    """SRGAN and GLEAN. Serve sends a job to a replica that has its networks, where there is one."""

    pool = PASSES

    @_multiplexed(max_num_models_per_replica=MODELS)
    async def engine(self, model: str) -> Any:
        """An engine for some networks: they are loaded by its first job, and dropped with it."""
        from gansr.engine import Engine

        return Engine()

    async def frames(self, ticket: str, data: bytes) -> AsyncIterator[bytes]:
        """As `Replica.frames`, with the engine of the job's networks."""
        engine = await self.engine(serve.get_multiplexed_model_id())
        async for item in self.worker.frames(ticket, data, engine):
            yield item


POOL_CLASSES = {SEARCHES: Searches, PASSES: Passes}


def searches(values: Mapping[str, Any] | None = None) -> serve.Application:
    """The application of searches, for a file of Serve. values: the table of cluster.yaml; without it, the file is
    read. Raises SettingsError."""
    return application(SEARCHES, parsed(values) if values else read())


def passes(values: Mapping[str, Any] | None = None) -> serve.Application:
    """The application of single passes, as `searches`."""
    return application(PASSES, parsed(values) if values else read())


def application(pool: str, settings: Settings) -> serve.Application:
    """The application of one pool."""
    start_dispatcher(settings)
    return _deployment(POOL_CLASSES[pool], settings.pool(pool), settings).bind(settings)


def name_of(pool: str) -> str:
    """The application's name in Serve."""
    return f"gansr-{pool}"


def _deployment(kind: type, pool: Pool, settings: Settings) -> Any:
    number: dict[str, Any] = {"num_replicas": pool.min_workers}
    if pool.max_workers > pool.min_workers:
        number = {"autoscaling_config": _autoscaling(pool, settings)}
    return serve.deployment(
        kind,
        **number,
        max_ongoing_requests=pool.at_once,
        max_queued_requests=pool.queued,  # the dispatcher refuses before that; this holds where it has just died
        graceful_shutdown_timeout_s=15.0,
        graceful_shutdown_wait_loop_s=0.5,
        health_check_timeout_s=120.0,  # a dead worker is noticed at once; on a busy machine a sound one answers late
        ray_actor_options={"num_cpus": pool.cpus, "num_gpus": pool.gpus, "runtime_env": ENVIRONMENT},
    )


def _autoscaling(pool: Pool, settings: Settings) -> AutoscalingConfig:
    return AutoscalingConfig(
        min_replicas=pool.min_workers,
        max_replicas=pool.max_workers,
        # A full worker has `at_once` jobs, and one more waits for it (`Line.beyond`).
        target_ongoing_requests=pool.at_once,
        # A search takes 10 s to minutes: who waits that long should find a new worker, which starts in 10 to 30 s.
        upscale_delay_s=settings.grow_after,
        # Ray's 600 s keep a GPU idle for ten minutes after each peak. A worker starts in 10 to 30 s, its networks are
        # on the node's disk: two minutes bridge the pause between two presses of Run, and cost a fifth.
        downscale_delay_s=settings.shrink_after,
        look_back_period_s=15.0,  # Serve measures every 10 s, and takes the mean
    )


def start_dispatcher(settings: Settings) -> Any:
    """The cluster's dispatcher; a new one where there is none."""
    remote: Any = ray.remote  # its types know no options of actors
    return (
        remote(Dispatcher)
        .options(
            name=DISPATCHER,
            namespace=NAMESPACE,
            lifetime="detached",
            get_if_exists=True,
            num_cpus=0,
            max_restarts=-1,
            max_concurrency=10_000,
            runtime_env=ENVIRONMENT,
        )
        .remote(settings)
    )


def deploy(settings: Settings) -> None:
    """Put the applications onto the cluster, and wait until they run. No port is opened: pages use Ray's handles."""
    ray.get(start_dispatcher(settings).open.remote(settings))
    serve.start(proxy_location="Disabled")
    serve.run_many(
        [serve.RunTarget(application(pool, settings), name_of(pool), route_prefix=None) for pool in POOLS]
    )


def drain(seconds: float) -> None:
    """Take no jobs any more, and wait until none computes: workers hand searches back after their slices. At most
    `seconds`."""
    end = time.monotonic() + seconds
    with contextlib.suppress(RayError, ValueError):
        dispatcher: Any = ray.get_actor(DISPATCHER, NAMESPACE)
        ray.get(dispatcher.close.remote(), timeout=seconds)
        while time.monotonic() < end:
            state: Any = ray.get(dispatcher.state.remote(), timeout=seconds)
            if not any(pool["running"] for pool in state["pools"].values()):
                return
            time.sleep(0.2)
