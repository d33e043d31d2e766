"""The contract of a measurement: what is kept of a truth, and what cannot be measured."""

from __future__ import annotations

from typing import Any

import torch

from gansr.metric import Metric


def _difference(a: torch.Tensor, b: torch.Tensor, nets: Any) -> float:
    return float((a - b).abs().mean())


def test_what_is_kept_of_the_truth_is_made_once():
    made = list[torch.Tensor]()

    def prepare(b: torch.Tensor, nets: Any) -> torch.Tensor:
        made.append(b)
        return b

    metric = Metric(
        "m", "M", "", "lower", "truth", "…", _difference, prepare=prepare, measure_prepared=_difference
    )
    truth, prepared = torch.ones(3, 4, 4), dict[str, Any]()
    found = [metric.value(truth * share, truth, {}, prepared) for share in (0, 0.5, 1)]
    assert found == [1, 0.5, 0] and len(made) == 1 and list(prepared) == ["m"]
    assert metric.value(truth, truth, {}) == 0 and len(made) == 1  # without a cache nothing is kept


def test_a_metric_without_such_a_part_is_measured_as_ever():
    metric, prepared = Metric("m", "M", "", "lower", "truth", "…", _difference), dict[str, Any]()
    assert metric.value(torch.zeros(3, 4, 4), torch.ones(3, 4, 4), {}, prepared) == 1 and not prepared


def test_what_hinders_a_measurement_is_said():
    metric, small = Metric("m", "M", "", "lower", "truth", "…", _difference, min_side=8), torch.zeros(3, 4, 4)
    assert "quality test" in metric.hindrance(small, small, None)
    assert "sizes differ" in metric.hindrance(small, torch.zeros(3, 8, 8), small)
    assert "8 px" in metric.hindrance(small, small, small)
    assert not metric.hindrance(torch.zeros(3, 8, 8), torch.zeros(3, 8, 8), small)
