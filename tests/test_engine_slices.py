"""Jobs that are left after some seconds, and gone on with."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import torch

from gansr.engine import Engine
from gansr.job import Job
from gansr.method import Frame
from tests.support.fakes import FAKE, Options, run


def resumable(low: Any, options: Any, nets: Any, generator: Any, state: Any = None) -> Any:
    for frame in run(low, options, nets, generator):
        if frame.step > (0 if state is None else state["done"]):
            yield replace(
                frame, save=(lambda step=frame.step: {"done": step}) if frame.step < frame.steps else None
            )


GOES_ON = replace(FAKE, run=resumable, resume=resumable)


def engine(**given: Any) -> Engine:
    """An engine whose clock moves on by 0.1 s at every look."""
    ticks = itertools.count()
    return Engine("cpu", load=lambda name: None, clock=lambda: next(ticks) * 0.1, **given)


def job(**changes: Any) -> Job:
    return Job(GOES_ON, torch.rand(3, 8, 8), Options(steps=40), **changes)


def test_a_job_without_a_slice_is_never_left():
    frames = list(engine().stream(job()))
    assert frames[-1].step == 40 and all(frame.checkpoint is None and frame.save is None for frame in frames)


def test_a_slice_ends_at_the_first_step_after_its_seconds_and_goes_on_there():
    machine = engine()
    *_, left = machine.stream(job(slice=1.0))
    assert left.checkpoint is not None and left.checkpoint.step == left.step < 40
    assert 1.0 <= left.computed < 1.3 and left.checkpoint.computed == left.computed
    then: list[Frame] = list(machine.stream(job(slice=1000.0, checkpoint=left.checkpoint)))
    assert then[1].step == left.step + 1 and then[-1].step == 40 and then[-1].checkpoint is None
    assert then[-1].computed > left.computed, "the seconds of all slices are counted"


def test_the_deadline_holds_for_all_slices_together():
    machine = engine(deadline=2.0)
    *_, left = machine.stream(job(slice=1.5))
    *_, late = machine.stream(job(slice=1.5, checkpoint=left.checkpoint))
    assert late.step < 40 and any("best so far" in note for note in late.notices) and late.checkpoint is None


def test_a_slice_that_is_left_frees_the_device():
    machine = engine()
    *_, left = machine.stream(job(slice=0.0))
    assert left.step == 1 and machine.turns.jobs() == 0
