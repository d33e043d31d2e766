"""The ZeroGPU backend, with a stand-in for the package that only its Spaces have."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.conftest import ROOT

# `spaces.GPU` as it is used here: it keeps what `duration` answers, and pickles what crosses.
STAND_IN = """
import json, pickle, sys, types
asked = []
def GPU(duration):
    def decorate(function):
        def call(job):
            asked.append(duration(job))
            for frame in function(pickle.loads(pickle.dumps(job))):
                yield pickle.loads(pickle.dumps(frame))
        return call
    return decorate
sys.modules["spaces"] = types.SimpleNamespace(GPU=GPU)
import torch
torch.device_ = torch.device
from gansr import engine, papers
engine.torch = types.SimpleNamespace(**{**vars(torch), "device": lambda name: torch.device_("cpu")})
from gansr import backends
from tests.support.fakes import FAKE
papers.METHODS = (FAKE,)
backend, measures = backends.chosen()
from gansr.backends import zerogpu
job = engine.Job(FAKE, torch.zeros(3, 100, 100), FAKE.options(steps=1000))
short = engine.Job(FAKE, torch.zeros(3, 8, 8), FAKE.options(steps=3))
*_, last = backend.frames(short)
print(json.dumps([type(backend).__name__, asked, zerogpu.duration(job), zerogpu.WORKER_LIMIT, last.step, last.steps]))
"""


def test_jobs_cross_to_the_worker_and_ask_for_no_more_than_it_may_have():
    done = subprocess.run(
        [sys.executable, "-c", STAND_IN],
        capture_output=True, text=True, cwd=ROOT, check=False,
        env={"SPACES_ZERO_GPU": "1", "PATH": "/usr/bin", "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    name, asked, long, limit, step, steps = json.loads(done.stdout.splitlines()[-1])
    assert name == "ZeroGpu" and step == steps == 3
    assert len(asked) == 1 and 0 < asked[0] <= long <= limit
