"""Every method and metric on a device that refuses tensors of the CPU, as a GPU does."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from typing import Any

import pytest

from gansr.metrics import METRICS
from gansr.papers import METHODS
from tests.conftest import ROOT
from tests.support.fake_device import PATHS


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    """In a process of its own: it has the device until it ends."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.fake_device"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_the_device_refuses_a_forgotten_move_and_nothing_else(found):
    assert found["refused"] == {
        "sum of both devices": True,
        "list of both devices": True,
        "number of the CPU": False,
        "explicit copy": False,
    }


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_a_method_moves_what_it_needs_and_gives_the_same_picture(method, found):
    run = found["methods"][method.name]
    assert run["apart"] < 1e-4
    assert run["steps"][0] == run["steps"][1]


@pytest.mark.parametrize("name", PATHS)
def test_a_path_that_is_not_the_default_moves_what_it_needs(name, found):
    run = found["paths"][name]
    assert run["apart"] < 2e-3  # Adam's first step follows the sign of gradients that are nearly 0
    assert run["steps"][0] == run["steps"][1]


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_a_metric_has_the_same_value_on_the_device(metric, found):
    cpu, device = found["metrics"][metric.name]
    assert math.isfinite(cpu) and abs(cpu - device) <= 1e-4 * max(1.0, abs(cpu))
