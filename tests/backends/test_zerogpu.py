"""The ZeroGPU backend, with a stand-in for the package and the service that only its Spaces have."""

from __future__ import annotations

import dataclasses
import itertools
import json
import subprocess
import sys
from typing import Any

import pytest
import torch

from gansr import faces, papers, weights
from gansr.backends.refusals import GpuRefused
from gansr.engine import Engine
from gansr.inputs import Inputs
from gansr.job import Job
from gansr.method import Frame, InputError, MethodError
from gansr.options import parse_options
from gansr.papers import METHODS
from gansr.picture import Picture
from gansr.pipeline import Pipeline
from gansr.request import decode
from tests.conftest import ROOT
from tests.support.fakes import FAKE
from tests.support.lender import Lender, refused, timed, zerogpu_with

SESSION = {"pulse": "Paper", "kernelgan": "Careful", "mganprior": "Paper: gradient descent"}
BY_NAME = {method.name: method for method in METHODS}

START = """
import json, sys, types
sys.modules["spaces"] = types.SimpleNamespace(GPU=lambda duration: lambda function: function)
from gansr import backends
assert "torch" not in sys.modules or "gansr.backends.zerogpu" in sys.modules
backend, measures = backends.chosen()
print(json.dumps([type(backend).__name__, measures.device.type]))
"""


@pytest.fixture
def lender() -> Lender:
    return Lender()


def job_for(name: str, **changes: Any) -> Job:
    method = papers.by_name(name)
    options = parse_options(method.options, method.presets[SESSION[name]])
    side = method.accepts.side(options) if method.accepts.side else 64
    return Job(method, torch.zeros(3, side, side), options, owner="visitor", **changes)


def space(lender: Lender, monkeypatch: Any, slower: float = 1.0) -> Any:
    methods = (*(timed(BY_NAME[name], lender, slower) for name in SESSION), FAKE)
    return zerogpu_with(lender, methods, monkeypatch)


def test_a_zerogpu_space_lends_the_gpu_and_measures_on_the_processor():
    done = subprocess.run(
        [sys.executable, "-c", START],
        capture_output=True, text=True, cwd=ROOT, check=False,
        env={"SPACES_ZERO_GPU": "1", "PATH": "/usr/bin", "PYTHONPATH": str(ROOT), "GANSR_CACHE": "/nowhere/at/all"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == ["ZeroGpu", "cpu"]


@pytest.mark.parametrize("order", list(itertools.permutations(SESSION)))
def test_no_run_of_a_day_asks_for_more_than_is_left_and_what_is_cut_short_is_kept(order, lender, monkeypatch):
    """A visitor with 120 s runs three searches, of which one alone needs more than that."""
    module = space(lender, monkeypatch)
    backend = module.ZeroGpu()
    backend.estimate(job_for(order[0]), "hf_token")  # the page asks the Hub
    ended: dict[str, Frame | None] = {}
    for name in order:
        try:
            *_, ended[name] = backend.frames(job_for(name))
        except GpuRefused as error:
            ended[name] = None
            assert error.kind == "quota" and "duplicate this Space" in str(error)
    assert lender.requests and all(asked <= left for asked, left in lender.requests)
    long = ended["mganprior"]
    assert long is None or long.step < long.steps
    assert all(
        frame is None or (frame.step == frame.steps) == (not frame.notices) for frame in ended.values()
    )
    first = ended[order[0]]
    assert first is not None and first.step > 0
    if order[0] == "mganprior":
        assert any("best so far" in note and "fewer steps" in note for note in first.notices)
    assert all(frame is None or (frame.checkpoint is None and frame.save is None) for frame in ended.values())


def test_a_long_run_takes_several_short_requests_and_ends_at_its_last_step(lender, monkeypatch):
    lender.left = 2400
    backend = space(lender, monkeypatch).ZeroGpu()
    frames = list(backend.frames(job_for("mganprior")))
    steps = [frame.step for frame in frames]
    assert frames[-1].step == frames[-1].steps == 2000 and steps == sorted(steps)
    assert steps.count(0) == 1, "the enlarged input is shown once"
    assert len(lender.requests) > 5 and all(asked <= 1.5 * 50 for asked, _ in lender.requests)


def test_a_visitor_whose_quota_is_not_known_is_refused_at_most_once_and_keeps_the_best_so_far(
    lender, monkeypatch
):
    lender.left = 100  # 120 are assumed
    module = space(lender, monkeypatch)
    *_, last = module.ZeroGpu().frames(job_for("mganprior"))
    assert 0 < last.step < last.steps and "best so far" in last.notices[-1]
    assert sum(asked > left for asked, left in lender.requests) <= 1
    assert module.SLICED.quota.is_told("visitor")


def test_who_has_more_than_is_assumed_gets_it(lender, monkeypatch):
    lender.left = 2400
    *_, last = space(lender, monkeypatch).ZeroGpu().frames(job_for("mganprior"))
    assert last.step == last.steps


def test_stop_ends_the_worker_at_once(lender, monkeypatch):
    frames = space(lender, monkeypatch).ZeroGpu().frames(job_for("mganprior"))
    for _ in range(3):
        next(frames)
    frames.close()
    assert lender.closed == 1 and len(lender.requests) == 1


def test_a_worker_that_is_ended_leaves_the_best_so_far(lender, monkeypatch):
    module = space(lender, monkeypatch)
    work = module.SLICED.work

    def ended(job: Job) -> Any:
        for count, frame in enumerate(work(job)):
            if count == 5:
                raise GpuRefused("aborted")
            yield frame

    module.SLICED.work = ended
    *_, last = module.ZeroGpu().frames(job_for("pulse"))
    assert 0 < last.step < last.steps and "taken away" in last.notices[-1]


def test_steps_that_take_longer_than_estimated_end_the_slice_and_not_the_run(lender, monkeypatch):
    lender.left = 2400
    backend = space(lender, monkeypatch, slower=4).ZeroGpu()
    *_, last = backend.frames(job_for("pulse"))
    assert last.step == last.steps and not last.notices and len(lender.requests) > 1
    assert backend.estimate(job_for("pulse")).seconds > 12, "the estimate has learned"


@pytest.mark.parametrize(
    ("title", "message", "kind"),
    [
        ("ZeroGPU quota exceeded", "You have exceeded your ZeroGPU runs limit. Try again in 1:00. ", "quota"),
        (
            "ZeroGPU illegal duration",
            "The requested GPU duration (180s) is larger than the maximum allowed",
            "duration",
        ),
        ("ZeroGPU client error", "No GPU was available", "no gpu"),
        ("ZeroGPU queue timeout", "No GPU was available after 60s Retry later", "no gpu"),
        ("ZeroGPU worker error", "GPU task aborted", "aborted"),
        ("ZeroGPU client error", "Expired ZeroGPU proxy token", "expired"),
    ],
)
def test_each_refusal_has_its_own_text(title, message, kind, lender, monkeypatch):
    module = space(lender, monkeypatch)
    lender.refuse = refused(title, message)
    with pytest.raises(GpuRefused) as caught:
        list(module.ZeroGpu().frames(job_for("pulse")))
    assert caught.value.kind == kind and isinstance(caught.value, MethodError)
    assert "nternal" not in str(caught.value)


def test_the_text_of_a_run_that_stops_in_the_worker_arrives(lender, monkeypatch):
    backend = space(lender, monkeypatch).ZeroGpu()
    job = Job(FAKE, torch.zeros(3, 8, 8), FAKE.options(break_at=2, kind="refuse"))
    with pytest.raises(MethodError, match="no good kernel was found: try another seed"):
        list(backend.frames(job))


def test_an_error_of_the_program_in_the_worker_is_an_internal_one(lender, monkeypatch):
    module = space(lender, monkeypatch)

    def broken(*given: Any) -> Any:
        raise KeyError("secret")
        yield

    monkeypatch.setattr(papers, "METHODS", (dataclasses.replace(FAKE, run=broken),))
    with pytest.raises(RuntimeError, match="KeyError") as caught:
        list(module.ZeroGpu().frames(Job(FAKE, torch.zeros(3, 8, 8), FAKE.options())))
    assert not isinstance(caught.value, MethodError)


def test_a_job_that_cannot_be_left_asks_for_all_its_time_at_once(lender, monkeypatch):
    backend = space(lender, monkeypatch).ZeroGpu()
    *_, last = backend.frames(Job(FAKE, torch.zeros(3, 8, 8), FAKE.options()))
    assert last.step == last.steps and len(lender.requests) == 1
    assert lender.requests[0][0] <= 120


def test_a_visitor_without_a_face_is_told_so_before_a_gpu_is_asked_for(lender, monkeypatch):
    module = space(lender, monkeypatch)
    monkeypatch.setattr(weights, "ready", lambda name: True)
    monkeypatch.setattr(faces, "detect", lambda rgb, session: [])
    pipeline = Pipeline(Engine("cpu"), module.ZeroGpu(), Inputs(lambda: None))
    picture = Picture(torch.rand(3, 600, 700, generator=torch.Generator().manual_seed(0)), None, False, ())
    with pytest.raises(InputError, match="no face was found"):
        list(pipeline.run(picture, decode(papers.by_name("pulse"), {})))
    assert lender.requests == []


def test_a_start_without_weights_marks_their_paper_and_tries_again(lender, monkeypatch):
    module = space(lender, monkeypatch)
    planned: list[Any] = []

    def load(name: str) -> Any:
        if "mobilestylegan" in name:
            raise weights.WeightsError("the registry does not answer")

    monkeypatch.setattr(module, "ENGINE", Engine("cpu", load=load))
    monkeypatch.setattr(weights, "storable", lambda: False)
    backend = module.ZeroGpu(later=lambda seconds, function: planned.append(function))
    backend.start()
    assert backend.unavailable("pulse") == "the registry does not answer" and backend.unavailable("mganprior")
    assert not backend.unavailable("kernelgan") and len(planned) == 1

    def still(name: str) -> Any:
        raise OSError("no network")

    monkeypatch.setattr(weights, "fetch", still)
    planned.pop()()
    assert backend.unavailable("pulse") == "an internal error (OSError)" and len(planned) == 1
    monkeypatch.setattr(weights, "fetch", lambda name: None)
    planned.pop()()
    assert not backend.unavailable("pulse") and not planned
