"""Job → stream of frames; and the measurement of a result.

The engine is the only place that knows the device, the precision, the clock and the queue. It runs one job at a time,
hands out about four frames a second and the last, moves only those off the device, checks every step for values that
are not finite, keeps a deadline, and tries once more with less memory before it gives up.

It also keeps the loaded networks and their optimised forms (bf16, channels_last, folded, compiled): a method asks for
a form by key through `Nets.optimised`.
"""

from __future__ import annotations

import copy
import dataclasses
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from gansr import memory, weights
from gansr.job import Job
from gansr.method import (
    Checkpoint,
    Frame,
    Heat,
    InputError,
    Method,
    MethodError,
    Nets,
    Numerics,
    OptimisedForms,
    Precision,
    refusal,
)
from gansr.metric import Metric
from gansr.ops.colour import luma, to8bit
from gansr.ops.resize import imresize
from gansr.ops.threads import threads
from gansr.progress import Timing
from gansr.speeds import SLOW, Meter, Speeds
from gansr.turns import LEND, Turn, Turns
from gansr.weights.progress import Fetching, Progress, in_thread

PACE = 0.25  # seconds between frames that are shown
DEADLINE = 900.0  # seconds of computing after which the best so far is given back
OUTPUT_PIXELS = 64_000_000  # largest result, px: 768 MB as float32


class MetricResult(NamedTuple):
    """A measured value, or the reason why there is none."""

    metric: Metric
    value: float | None
    reason: str = ""


class Engine:
    """One device and its queue. `load` and `clock` are arguments so that tests need neither weights nor time."""

    def __init__(
        self,
        device: str | None = None,
        *,
        load: Callable[[str], Any] = weights.load,
        pace: float = PACE,
        deadline: float = DEADLINE,
        clock: Callable[[], float] = time.monotonic,
    ):
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        torch.backends.cudnn.allow_tf32 = (
            False  # float32 means float32 on a GPU too; what is fast is in bfloat16
        )
        self._load, self._pace, self._deadline, self._clock = load, pace, deadline, clock
        self.turns = Turns()  # a turn is held inside the job, so that a cancelled client frees it
        self._nets: dict[str, Any] = {}
        self.forms = OptimisedForms()
        slow = self.device.type == "cpu" and not self.fast_bf16
        self.speeds = Speeds(SLOW if slow else self.device.type)

    # ------------------------------------------------------------------------------------------ nets

    def fetch(self, names: tuple[str, ...]) -> Iterator[Fetching]:
        """Bring the weights `names` into the cache, with progress. Nothing is yielded for what is there
        already. Raises weights.WeightsError; MethodError if the line of jobs is closed meanwhile."""

        def going_on(progress: Progress) -> Progress:
            def report(text: str, share: float | None = None) -> None:
                if self.turns.closed:  # the fetch removes its unfinished file
                    raise MethodError(self.turns.closed)
                progress(text, share)

            return report

        for name in names:
            if not weights.ready(name):
                yield from in_thread(lambda progress, name=name: weights.fetch(name, going_on(progress)))

    def net(self, name: str) -> Any:
        """The frozen net `name` on the device, kept between runs."""
        if name not in self._nets:
            net = self._load(name)
            if isinstance(net, nn.Module) and self.device.type != "cpu":
                net = copy.deepcopy(net).to(self.device)  # the loaded one is shared by all, and on the CPU
            self._nets[name] = net
        return self._nets[name]

    def nets(self, job: Job) -> Nets:
        """The networks of a job."""
        return self.nets_for(job.method, job.options, job.precision)

    def nets_for(self, method: Method, options: Any, precision: Precision = "fast") -> Nets:
        """The networks that these options load, by role. Raises weights.WeightsError."""
        needs = method.needs(method, options)
        return Nets({role: self.net(name) for role, name in needs.items()}, self.dtype(precision), self.forms)

    def dtype(self, precision: Precision) -> torch.dtype:
        """The precision of the heavy part."""
        return torch.bfloat16 if precision == "fast" and self.fast_bf16 else torch.float32

    @property
    def fast_bf16(self) -> bool:
        """Whether bfloat16 pays here: measured on processors with AVX-512-BF16 or AMX, and on recent GPUs."""
        if self.device.type == "cuda":
            return torch.cuda.is_bf16_supported()
        capability = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
        if capability:
            return bool(capability.get("avx512_bf16") or capability.get("amx_bf16"))
        return bool(torch.cpu._is_avx512_bf16_supported())  # pyright: ignore[reportPrivateUsage]  # torch < 2.12

    def describe(self) -> str:
        """The device in words, for the page's header."""
        if self.device.type == "cuda":
            return torch.cuda.get_device_name(self.device)
        threads = torch.get_num_threads()
        return f"CPU, {threads} thread{'s' * (threads != 1)}{', bfloat16' * self.fast_bf16}"

    # ----------------------------------------------------------------------------------------- a job

    def check(self, job: Job) -> None:
        """Raise InputError, in words, if this job cannot be run here."""
        height, width = job.low.shape[-2:]
        if reason := refusal(job.method, height, width, job.options):
            raise InputError(reason)
        scale = job.scale
        if height * width * scale**2 > OUTPUT_PIXELS:
            raise InputError(
                f"the result would be {width * scale}×{height * scale}, {height * width * scale**2 / 1e6:.0f} "
                f"megapixels; at most {OUTPUT_PIXELS // 10**6} are made. Crop or shrink the picture first."
            )
        need, have = job.cost.memory, memory.free_on(self.device)
        if have is not None and need > have:
            raise InputError(
                f"this needs about {need / 1e9:.1f} GB of memory and {have / 1e9:.1f} GB are free: "
                "choose a smaller picture or lighter options"
            )

    def _fits(self, job: Job) -> bool:
        have = memory.free_on(self.device)
        return have is None or job.cost.memory <= have

    def seconds(self, job: Job) -> float | None:
        """How long the job will compute, by what was measured here before; None before the first run."""
        return self.speeds.seconds(job, measured=True)

    def stream(self, job: Job, stopped: Callable[[], bool] = lambda: False) -> Generator[Frame, None, None]:
        """The frames of a job: first the bicubic enlargement (step 0), then about four a second, then the last.
        The last of a slice that does not end the job has a `checkpoint`, with which the job goes on.

        While it waits for its turn, the first is given again about four times a second, with the seconds waited and
        what is ahead; while others have its turn, the last. Frames come on the CPU. Closing the iterator stops the job
        at its next step; while it is not read, others get the turn. It ends after the step in which another thread lets
        `stopped` be true. Raises InputError, MethodError, WeightsError.
        """
        self.check(job)
        asked = self._clock()
        timing = Timing(lambda: self.seconds(job), lambda: self._fits(job), job.computed, job.computed)
        start = Frame(imresize(job.low, job.scale).clamp(0, 1), 0, 1, left=timing.left())
        yield start
        turn, told = self.turns.join(job.owner, work=timing), start
        try:
            while not turn.wait(self._pace):
                ahead, wait = turn.ahead()
                told = dataclasses.replace(start, waited=self._clock() - asked, ahead=ahead, wait=wait)
                yield told
            waited = self._clock() - asked
            if told is not start:
                turn.stand()
                yield dataclasses.replace(start, waited=waited, left=timing.left())
                if not turn.go_on():
                    yield from self._lent(told, turn)
            for told in self._attempts(job, timing, turn, stopped):
                yield dataclasses.replace(told, waited=waited)
        finally:
            if (
                self.turns.holds(turn) and told.checkpoint is None
            ):  # the next slice needs the same memory at once
                memory.give_back()
            turn.leave()

    def upscale(self, job: Job) -> Frame:
        """The last frame of `stream`."""
        *_, last = self.stream(job)
        return last

    def _attempts(self, job: Job, timing: Timing, turn: Turn, stopped: Callable[[], bool]) -> Iterator[Frame]:
        try:
            yield from self._paced(job, timing, turn, stopped)
            return
        except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
            if not memory.is_exhausted(error):
                raise
        less = job.method.smaller(job.options) if job.method.smaller else None
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        if less is None:
            raise MethodError("the memory is full: choose a smaller picture or lighter options")
        try:
            timing.begin_again(job.computed)
            for frame in self._paced(dataclasses.replace(job, options=less), timing, turn, stopped):
                note = "the memory was full; this was computed in smaller pieces"
                yield dataclasses.replace(frame, notices=(*frame.notices, note))
        except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
            if not memory.is_exhausted(error):
                raise
            raise MethodError(
                "the memory is full, in smaller pieces too: choose a smaller picture or lighter options"
            ) from None

    def _paced(self, job: Job, timing: Timing, turn: Turn, stopped: Callable[[], bool]) -> Iterator[Frame]:
        nets, low = self.nets(job), job.low.to(self.device)
        generator = torch.Generator().manual_seed(job.seed)
        memory.forget_peak(self.device)
        before: float | None = None  # the peak before the turn was lent
        began = self._clock()
        shown = began - self._pace  # the first step is shown at once
        frames, meter = _frames(job, low, nets, generator), Meter(job)
        given: Frame | None = None
        try:
            while (frame := _step(frames, job.threads)) is not None:
                now = self._clock()
                timing.add(now - began, frame.step, frame.steps)  # not what the receiver or a short job takes
                spent, last = timing.spent, frame.step >= frame.steps
                meter.add(frame.step, frame.steps, spent)
                if late := spent > self._deadline and not last:
                    note = f"stopped after {spent:.0f} s; this is the best so far"
                    frame = dataclasses.replace(frame, notices=(*frame.notices, note))
                left = None if last or late else _left(job, frame, spent)
                if last or late or left or now - shown >= self._pace:
                    shown = now
                    given = dataclasses.replace(
                        _to_cpu(frame),
                        checkpoint=left,
                        computed=spent,
                        left=timing.left(),
                        memory=_higher(before, memory.peak_on(self.device)),
                        numerics=self._numerics(job, frame),  # of each: any may become the best so far
                    )
                    turn.stand()
                    yield given
                    if not turn.go_on() and not (last or late or left):
                        before = given.memory
                        yield from self._lent(given, turn)
                        memory.forget_peak(self.device)
                if late or left or stopped():
                    return
                if not last and given is not None and spent - timing.returned >= LEND:
                    peak = _higher(before, memory.peak_on(self.device))
                    if turn.lend():
                        before = peak
                        yield from self._lent(given, turn)
                        memory.forget_peak(self.device)
                        timing.returned = spent
                began = self._clock()
        finally:
            frames.close()  # type: ignore[attr-defined]  # every run is a generator
            self.speeds.learn(meter)

    def _lent(self, given: Frame, turn: Turn) -> Iterator[Frame]:
        """The last frame again about four times a second, until the turn is back from a short job, or from others
        who came while this was not read on."""
        given = dataclasses.replace(given, lent=True)
        while not turn.wait(self._pace):
            yield given

    def _numerics(self, job: Job, frame: Frame) -> Numerics:
        gpu = self.device.type == "cuda"
        device = self.describe() if gpu else f"CPU {torch.backends.cpu.get_cpu_capability()}"
        dtype = str(self.dtype(job.precision)).removeprefix("torch.")
        return Numerics(device, dtype, frame.form, job.threads or torch.get_num_threads(), torch.__version__)

    # ----------------------------------------------------------------------------------- measurements

    def measure(
        self,
        image: Tensor,
        low: Tensor,
        shrink: Callable[[Tensor], Tensor],
        truth: Tensor | None = None,
        *,
        metrics: tuple[Metric, ...],
        prepared: dict[str, Any] | None = None,
        precision: Precision = "exact",
    ) -> Iterator[MetricResult]:
        """Each metric of a result (3,sH,sW) in [0,1], in the order given. `prepared`: as for `measuring`.

        `shrink` makes of the 8-bit result what the input was made of the truth. What cannot be measured is
        yielded with its reason. Measurements take turns with the jobs, ahead of those that wait.
        """
        for metric in metrics:
            for found in self.measuring(image, low, shrink, truth, metric, "", prepared, precision):
                if found is not None:
                    yield found

    def measuring(
        self,
        image: Tensor,
        low: Tensor,
        shrink: Callable[[Tensor], Tensor],
        truth: Tensor | None,
        metric: Metric,
        owner: str = "",
        prepared: dict[str, Any] | None = None,
        precision: Precision = "exact",
    ) -> Iterator[MetricResult | None]:
        """`measure` of one metric: None about four times a second while it waits for its turn, then the result.

        prepared: a cache that the caller owns, for one truth and one precision: what the metrics keep of the truth.
        """
        result = to8bit(image)
        a, b = result, result
        if metric.against == "input":
            a, b = shrink(result), low
        elif truth is not None and metric.against == "truth":
            b = truth
        if reason := metric.hindrance(a, b, truth):
            yield MetricResult(metric, None, reason)
            return
        try:
            nets = {role: self.net(name) for role, name in metric.weights.items()}
            turn = self.turns.join(owner, urgent=True)
            try:
                while not turn.wait(self._pace):
                    yield None
                half = metric.half and self.dtype(precision) == torch.bfloat16
                value = measured(metric, a.to(self.device), b.to(self.device), nets, prepared, half)
            finally:
                turn.leave()
        except (weights.WeightsError, ValueError, MethodError) as error:
            yield MetricResult(metric, None, str(error))
            return
        yield MetricResult(metric, value)


@torch.no_grad()
def measured(
    metric: Metric, a: Tensor, b: Tensor, nets: Mapping[str, Any], prepared: dict[str, Any] | None, half: bool
) -> float:
    """`Metric.value`; half: in bfloat16. Without networks its operations are short: a second thread gains little, and
    where the machine is busy each of them would wait for it."""
    with threads(None if nets else 1), torch.autocast(a.device.type, torch.bfloat16, enabled=half):
        return metric.value(a, b, nets, prepared)


def like_input(image: Tensor, grey: bool) -> Tensor:
    """A grey input gives a grey result: its luma in three channels. (3,H,W) in [0,1]."""
    return luma(image).expand(3, -1, -1) if grey else image


def _higher(one: float | None, other: float | None) -> float | None:
    return max((peak for peak in (one, other) if peak is not None), default=None)


def _frames(job: Job, low: Tensor, nets: Nets, generator: torch.Generator) -> Iterator[Frame]:
    """The run, from its start or from where it was left."""
    if job.checkpoint is None:
        return job.method.run(low, job.options, nets, generator)
    assert job.method.resume is not None, "only a method that can go on leaves a checkpoint"
    return job.method.resume(low, job.options, nets, generator, job.checkpoint.state)


def _left(job: Job, frame: Frame, spent: float) -> Checkpoint | None:
    """Where the run is left, if its slice ends with this frame."""
    if job.slice is None or frame.save is None or spent - job.computed < job.slice:
        return None
    return Checkpoint(frame.save(), frame.step, frame.steps, spent)


def _step(frames: Iterator[Frame], count: int | None) -> Frame | None:
    """The next frame, checked. Its own function: grad mode and threads belong to the thread, not to the generator."""
    with torch.enable_grad(), threads(count):
        frame = next(frames, None)
    if frame is not None and not bool(torch.isfinite(frame.image).all()):
        raise MethodError(
            f"the computation broke down at step {frame.step} of {frame.steps} (not a number): "
            "try another seed or a smaller learning rate"
        )
    return frame


def _to_cpu(frame: Frame) -> Frame:
    def move(view: Any) -> Any:
        if isinstance(view, Tensor):
            return view.detach().to("cpu", torch.float32)
        if isinstance(view, Heat):
            return dataclasses.replace(view, values=view.values.detach().to("cpu", torch.float32))
        return view

    return dataclasses.replace(
        frame,
        save=None,
        image=move(frame.image).clamp(0, 1),
        views={name: move(view) for name, view in frame.views.items()},
        answers={name: move(answer).clamp(0, 1) for name, answer in frame.answers.items()},
    )
