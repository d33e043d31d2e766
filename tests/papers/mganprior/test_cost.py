"""mGANprior's estimate of memory, and the jobs that are refused by it."""

from __future__ import annotations

import pytest
import torch

from gansr.engine import Engine, Job
from gansr.method import InputError, refusal
from gansr.papers.mganprior import MGANPRIOR, Options


def test_a_picture_of_another_size_and_a_job_too_large_for_the_memory_are_refused():
    assert "64×64" in (refusal(MGANPRIOR, 32, 32, Options()) or "")
    engine = Engine("cpu", load=lambda name: pytest.fail("nothing may be loaded"))
    huge = Job(MGANPRIOR, torch.zeros(3, 64, 64), Options(codes=64, layer="256"))
    need = MGANPRIOR.cost(64, 64, huge.options).memory
    assert need > 30e9
    assert MGANPRIOR.cost(64, 64, Options(codes=20, layer="64")).memory < 6e9
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gansr.memory.free_on", lambda device: 16e9)
        with pytest.raises(InputError, match=rf"about {need / 1e9:.1f} GB of memory and 16.0 GB are free"):
            engine.check(huge)
