"""Finding editing directions: normals of attributes, and moves that leave other attributes alone."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from gansr.papers.mganprior.train import accuracy, direction, extremes, gradients

STYLE = 12


def samples(count: int = 1000) -> Tensor:
    """Correlated samples: (count, STYLE) float64."""
    generator = torch.Generator().manual_seed(0)
    mix = torch.randn(STYLE, STYLE, generator=generator, dtype=torch.float64) / 3
    return torch.randn(count, STYLE, generator=generator, dtype=torch.float64) @ (torch.eye(STYLE) + mix)


def test_the_extremes_are_the_top_and_the_bottom_quarter():
    high, low = extremes(torch.tensor([0.5, 7.0, -1.0, 3.0, 2.0, -4.0, 1.0, 0.0]))
    assert sorted(high.tolist()) == [1, 3] and sorted(low.tolist()) == [2, 5]


def test_the_mean_gradient_is_the_normal_that_regression_finds():
    """Stein's lemma, on an attribute that is not linear in w."""
    w = samples(20_000)
    truth = torch.linspace(-1, 1, STYLE).double()

    def attributes(w: Tensor) -> dict[str, Tensor]:
        score = w @ truth
        return {"wavy": score + score.sin(), "first": w[:, 0]}

    found = gradients(attributes, w[:300])
    assert found["wavy"].shape == (300, STYLE)
    torch.testing.assert_close(found["first"].mean(0), torch.eye(STYLE).double()[0])
    value = attributes(w)["wavy"]
    regressed = torch.linalg.lstsq(w, value[:, None]).solution[:, 0]
    cosine = torch.nn.functional.cosine_similarity(found["wavy"].mean(0), regressed, dim=0)
    assert float(cosine) > 0.99


def test_accuracy_is_of_the_ends_and_needs_no_constant():
    w = samples(400) + 5
    truth = torch.linspace(-1, 1, STYLE).double()
    assert accuracy(w, w @ truth, truth) == 1
    assert accuracy(w, w @ truth, -truth) == 0
    noise = torch.randn(400, generator=torch.Generator().manual_seed(3)).double()
    assert 0.4 < accuracy(w, noise, truth) < 0.6
    with pytest.raises(ValueError, match="too few"):
        accuracy(w[:4], noise[:4], truth)


def test_a_direction_leaves_the_other_scores_unchanged_and_is_in_units_of_its_deviation():
    w = samples()
    normal, *others = torch.eye(STYLE).double()[:3]
    unit, deviation = direction(normal, others, w)
    assert float(unit.norm()) == pytest.approx(1)
    assert float(unit @ normal) > 0.1
    assert all(abs(float(unit @ other)) < 1e-9 for other in others)
    assert float((w @ unit).std()) == pytest.approx(deviation)


def test_no_other_move_of_its_length_raises_the_score_more():
    normal = torch.linspace(-1, 1, STYLE).double()
    other = torch.eye(STYLE).double()[1]
    unit, _ = direction(normal, [other], samples())
    generator = torch.Generator().manual_seed(2)
    for _ in range(50):
        move = unit + 0.2 * torch.randn(STYLE, generator=generator).double()
        move[1] = 0  # the other score stays
        assert float(move @ normal / move.norm()) <= float(unit @ normal) + 1e-9
