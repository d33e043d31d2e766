"""Prometheus metrics of a cluster, by Ray's own exporter on each node. Ray puts "ray_" before each name."""

from __future__ import annotations

import resource

from ray.util.metrics import Counter, Gauge, Histogram

SECONDS = [0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 900.0]


class DispatcherMetrics:
    """Of the lines."""

    def __init__(self) -> None:
        self._waiting = Gauge("gansr_waiting", "jobs that wait for a worker", ("pool",))
        self._running = Gauge("gansr_running", "jobs that compute", ("pool",))
        self._workers = Gauge("gansr_workers", "workers that take jobs", ("pool",))
        self._busy = Counter("gansr_busy", "jobs that were refused because the line was full", ("pool",))
        self._queue = Histogram("gansr_queue_seconds", "seconds in the line", SECONDS, ("pool",))

    def standing(self, pool: str, waiting: int, running: int, workers: int) -> None:
        """What is in a pool now."""
        tags = {"pool": pool}
        self._waiting.set(waiting, tags)
        self._running.set(running, tags)
        self._workers.set(workers, tags)

    def busy(self, pool: str) -> None:
        """A job was refused."""
        self._busy.inc(1, {"pool": pool})

    def waited(self, pool: str, seconds: float) -> None:
        """A job has begun."""
        self._queue.observe(seconds, {"pool": pool})


class WorkerMetrics:
    """Of one worker."""

    def __init__(self) -> None:
        tags = ("method",)
        self._requests = Counter("gansr_requests", "jobs, a moved one each time", ("method", "end"))
        self._seconds = Histogram("gansr_seconds", "seconds of a job, by stage", SECONDS, ("method", "stage"))
        self._frames = Counter("gansr_frames", "frames that were sent", tags)
        self._errors = Counter("gansr_errors", "jobs that ended with an error", tags)
        self._cancelled = Counter("gansr_cancelled", "jobs that were stopped", tags)
        self._memory = Gauge("gansr_memory_bytes", "memory of a worker, its highest so far", ())

    def ended(self, method: str, end: str, stages: dict[str, float], frames: int) -> None:
        """A job has ended: end is "done", "error" (told to the user), "failed" (ours),
        "cancelled" or "left"; seconds by stage."""
        tags = {"method": method}
        self._requests.inc(1, {**tags, "end": end})
        for stage, seconds in stages.items():
            self._seconds.observe(seconds, {**tags, "stage": stage})
        self._frames.inc(frames, tags) if frames else None
        if end in ("error", "failed"):
            self._errors.inc(1, tags)
        if end == "cancelled":
            self._cancelled.inc(1, tags)
        self.memory()

    def memory(self) -> None:
        """What the process takes."""
        self._memory.set(1024.0 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
