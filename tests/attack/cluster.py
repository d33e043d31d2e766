"""The cluster under load: `python -m tests.attack.cluster`, or only some parts: `… cluster overhead cycles`.

Each part starts a cluster of its own on this machine, with workers of one thread, and measures through the backend that
the page uses. Nothing else should run meanwhile: the machine's load is printed with each figure. For a short form,
`--seconds 10 --cycles 20 --kills 2`. The exit status is 1 where a promise is broken.

overhead: seconds of a request and of a frame of 1024² that are not computing, beside one process.
mixed: 20 clients of SRGAN and GLEAN and 4 searches, with 1 worker of each kind.
throughput: the same clients and the same searches, each alone, with 1 worker of their kind and with 2.
cycles: searches that are stopped at a random moment; how long until their worker has begun another job.
kill: searches whose worker is killed. head: the head is killed while a search runs.
autoscale: from 1 worker to 2 under load, and back.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import statistics
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from gansr.backends.local import Local
from gansr.backends.ray.backend import CUT_OFF, LOST, MOVED
from gansr.engine import Engine
from gansr.method import MethodError
from tests.support.ray_cluster import Cluster, cluster, job_of, last_of
from tests.support.watch import percentile

SETTINGS = """
searches: {{cpus: 1, min_workers: {least}, max_workers: {searches}}}
passes: {{cpus: 1, min_workers: {passes}, max_workers: {passes}, at_once: 2}}
slice: {slice}
grow_after: 10
shrink_after: 20
"""
SEARCH: dict[str, Any] = {
    "iterations": 300,
    "zssr_iterations": 200,
}  # of KernelGAN: about 10 s with one thread
LONG: dict[str, Any] = {"iterations": 3000, "zssr_iterations": 3000}
REQUEST, FRAME = 0.030, 0.005  # seconds, the goals for a request and for a frame
CLIENTS, SEARCHES = 20, 4
GAIN = 1.7  # of two workers, the goal
STEP = 1.0  # seconds: a step of KernelGAN, and the frames of the job after it


@contextmanager
def started(
    searches: int = 1, passes: int = 1, least: int | None = None, slice: float = 2.0
) -> Iterator[Cluster]:
    """A cluster with so many workers, warm. least: from so many workers for searches, as the load asks."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        least = searches if least is None else least
        text = SETTINGS.format(searches=searches, passes=passes, least=least, slice=slice)
        with cluster(Path(folder), text) as made:
            for name, workers in (("srgan", passes), ("glean", passes), ("kernelgan", searches)):
                for _ in range(2 * workers):
                    last_of(made.backend, job_of(name))
            yield made


@dataclass
class Report:
    """What was measured, and the promises that were broken."""

    wrong: list[str] = field(default_factory=list)

    def say(self, name: str, value: str, *, kept: bool = True) -> None:
        print(f"{name:<44} {value}   (load {os.getloadavg()[0]:.1f})", flush=True)
        if not kept:
            self.wrong.append(name)


# ------------------------------------------------------------------------------------------- the parts


def overhead(report: Report, given: argparse.Namespace) -> None:
    """Both in turn in one run, so that what else the machine does meets both."""
    requests: dict[str, list[float]] = {"local": [], "ray": []}
    frames: dict[str, list[float]] = {"local": [], "ray": []}
    with started(slice=5.0) as made:  # as in cluster.yaml
        backends = {"local": Local(Engine("cpu")), "ray": made.backend}
        for number in range(given.requests):
            for name, backend in backends.items():
                requests[name].append(sum(_besides(backend, job_of("srgan", seed=number, side=64))))
        for _ in range(3):
            for name, backend in backends.items():
                frames[name] += _besides(backend, job_of("pulse", steps=12))[1:-1]  # of one frame each
    for what, found, goal in (("request", requests, REQUEST), ("frame of 1024²", frames, FRAME)):
        for name, values in found.items():
            report.say(f"a {what} besides computing, {name}",
                       f"median {1000 * statistics.median(values):.1f}, mean {1000 * statistics.mean(values):.1f}, "
                       f"p90 {1000 * percentile(values, 0.9):.1f} ms of {len(values)}")  # fmt: skip
        more = statistics.median(found["ray"]) - statistics.median(found["local"])
        report.say(f"a {what}, ray - local", f"{1000 * more:.1f} ms", kept=more <= goal)


def _besides(backend: Any, asked: Any) -> list[float]:
    """Seconds that are not computing: until each frame of a step, since the one before."""
    found, before, computed = list[float](), time.monotonic(), 0.0
    for frame in backend.frames(asked):
        if frame.step:
            now = time.monotonic()
            found.append(now - before - (frame.computed - computed))
            before, computed = now, frame.computed
    return found


def mixed(report: Report, given: argparse.Namespace) -> None:
    with started() as made:
        load = Load(made, given.seconds, CLIENTS, SEARCHES).run()
    report.say(f"{CLIENTS} clients and {SEARCHES} searches: passes",
               f"{load.passes / load.took:.2f}/s, {load.passes} in all")  # fmt: skip
    report.say("searches that ended", f"{load.searches}")
    report.say("seconds to the first computed frame of a pass, p50, p99", _percentiles(load.first))
    report.say("seconds to what it stands behind, p50, p99", _percentiles(load.told))
    report.say("failures", f"{dict(load.failures)}", kept=not load.failures)


def throughput(report: Report, given: argparse.Namespace) -> None:
    for kind, clients, searches in (("passes", CLIENTS, 0), ("searches", 0, SEARCHES)):
        rates = list[float]()
        for workers in (1, 2):
            with started(**{kind: workers}) as made:
                load = Load(made, given.seconds, clients, searches).run()
            rates.append((load.passes + load.searches) / load.took)
            report.say(f"{kind} with {workers}", f"{rates[-1]:.3f}/s", kept=not load.failures)
        report.say(
            f"{kind} with 2 workers, with 1 = 1",
            f"{rates[1] / rates[0]:.2f}",
            kept=rates[1] >= GAIN * rates[0],
        )


def _percentiles(values: list[float]) -> str:
    return f"{percentile(values, 0.5):.2f}, {percentile(values, 0.99):.2f}"


@dataclass
class Load:
    """Clients for a while, each with one request after the other."""

    made: Cluster
    seconds: float
    clients: int
    searching: int
    passes: int = 0  # that ended
    searches: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    told: list[float] = field(
        default_factory=list
    )  # seconds until the first frame that says where a request stands
    first: list[float] = field(default_factory=list)  # seconds until the first computed frame of a pass
    took: float = 0.0

    def run(self) -> Load:
        began = time.monotonic()
        self.end, self.lock = began + self.seconds, threading.Lock()
        threads = [threading.Thread(target=self._passes, args=(number,)) for number in range(self.clients)]
        threads += [
            threading.Thread(target=self._searches, args=(number,)) for number in range(self.searching)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.took = time.monotonic() - began
        return self

    def _passes(self, client: int) -> None:
        number = client
        while time.monotonic() < self.end:
            name, began = ("srgan", "glean")[number % 2], time.monotonic()
            told = first = 0.0
            try:
                for last in self.made.backend.frames(
                    job_of(name, seed=number, owner=f"client {client}", side=96)
                ):
                    now = time.monotonic() - began
                    told = told or (now if last.step or last.ahead is not None else 0.0)
                    first = first or (now if last.step else 0.0)
                assert last.step == last.steps
                with self.lock:
                    self.passes += 1
                    self.told.append(told)
                    self.first.append(first)
            except Exception as error:  # all of them are counted
                self.failures[f"{name}: {type(error).__name__}: {error}"] += 1
            number += 1

    def _searches(self, client: int) -> None:
        while time.monotonic() < self.end:
            try:
                last = last_of(self.made.backend, job_of("kernelgan", owner=f"search {client}", **SEARCH))
                assert last.step == last.steps
                with self.lock:
                    self.searches += 1
            except Exception as error:
                self.failures[f"kernelgan: {type(error).__name__}: {error}"] += 1


def cycles(report: Report, given: argparse.Namespace) -> None:
    chance, waits = random.Random(given.seed), list[float]()
    with started() as made:
        quick = [_first_frame(made) for _ in range(10)]
        for _ in range(given.cycles):
            frames = made.backend.frames(job_of("kernelgan", **LONG))
            for _ in zip(range(chance.choice((1, 2, 4))), frames, strict=False):
                pass
            time.sleep(chance.choice((0.0, 0.05, 0.3)))
            frames.close()
            waits.append(_first_frame(made))
        freed = made.until(made.is_idle, 10.0)
    usual = statistics.median(quick)
    report.say("a short search begins at a free worker after", f"{usual:.2f} s")
    report.say(f"after a stop, of {len(waits)}",
               f"median {statistics.median(waits):.2f}, longest {max(waits):.2f} s",
               kept=max(waits) < usual + STEP and freed < STEP)  # fmt: skip


def _first_frame(made: Cluster) -> float:
    began = time.monotonic()
    next(
        frame
        for frame in made.backend.frames(job_of("kernelgan", iterations=1, zssr_iterations=1))
        if frame.step
    )
    return time.monotonic() - began


def kill(report: Report, given: argparse.Namespace) -> None:
    asked = job_of("kernelgan", **SEARCH)
    here = Engine("cpu").upscale(asked)
    equal, moved = 0, 0
    with started(2) as made:
        for _ in range(given.kills):
            made.until(lambda: made.pool()["workers"] == 2, 120.0)
            busy, last = 0, None
            for last in made.backend.frames(asked):
                if last.computed > 3 and not busy:
                    busy = max(made.workers(), key=_spent)
                    os.kill(busy, signal.SIGKILL)
            assert last is not None
            equal += torch.equal(last.image, here.image) and last.step == last.steps
            moved += MOVED in last.notices
    report.say("workers killed in mid-search", f"{given.kills}, of which computed: {moved}")
    report.say("searches that ended with their picture", f"{equal}", kept=equal == given.kills)


def _spent(process: int) -> int:
    """Ticks of a processor that a process has used; the worker that computes has used most since the last look."""
    before = _ticks(process)
    time.sleep(0.3)
    return _ticks(process) - before


def _ticks(process: int) -> int:
    values = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return int(values[11]) + int(values[12])


def head(report: Report, given: argparse.Namespace) -> None:
    with started() as made:
        frames = made.backend.frames(job_of("kernelgan", **LONG))
        next(frame for frame in frames if frame.computed > 3)
        (gcs,) = made.processes("gcs_server")
        os.kill(gcs, signal.SIGKILL)
        began = time.monotonic()
        *_, last = frames
        told = time.monotonic() - began
        report.say(
            "the search ends with its best so far after", f"{told:.1f} s", kept=CUT_OFF in last.notices
        )
        said = ""
        with suppress(StopIteration):
            try:
                last_of(made.backend, job_of("srgan"))
            except MethodError as error:
                said = str(error)
        report.say("the next request is told", repr(said), kept=said in (LOST, ""))
        made.wait(180.0)
        last_of(made.backend, job_of("srgan"))
        report.say("the same page computes again after", f"{time.monotonic() - began:.1f} s")


def autoscale(report: Report, given: argparse.Namespace) -> None:
    with started(2, least=1) as made:
        log, began = [(0.0, 1)], time.monotonic()

        def look(true: Callable[[int], bool], seconds: float) -> bool:
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                workers = made.pool()["workers"]
                if workers != log[-1][1]:
                    log.append((time.monotonic() - began, workers))
                if true(workers):
                    return True
                time.sleep(0.5)
            return False

        jobs = [job_of("kernelgan", owner=f"{number}", **LONG) for number in range(4)]
        stop = threading.Event()

        def client(asked: Any) -> None:
            for _ in made.backend.frames(asked):
                if stop.is_set():
                    return

        threads = [threading.Thread(target=client, args=(asked,)) for asked in jobs]
        for thread in threads:
            thread.start()
        grew = look(lambda workers: workers == 2, 180.0)
        stop.set()
        for thread in threads:
            thread.join()
        report.say("stopped after", f"{time.monotonic() - began:.0f} s")
        shrank = grew and look(lambda workers: workers == 1, 180.0)
    report.say("workers, by seconds", ", ".join(f"{at:.0f}: {workers}" for at, workers in log), kept=shrank)


PARTS: dict[str, Callable[[Report, argparse.Namespace], None]] = {
    part.__name__: part for part in (overhead, mixed, throughput, cycles, kill, head, autoscale)
}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--requests", type=int, default=40)
    parser.add_argument("--cycles", type=int, default=200)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    torch.set_num_threads(1)
    report = Report()
    for part in given.parts or PARTS:
        PARTS[part](report, given)
    for wrong in report.wrong:
        print(f"broken: {wrong}")
    return 1 if report.wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
