"""Finding editing directions: boundaries of samples whose attribute is known, conditioned on others."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from gansr.papers.mganprior.train import boundary, direction, extremes, held_out, logistic

STYLE = 12


def samples(count: int = 1000) -> Tensor:
    """Correlated samples: (count, STYLE) float64."""
    generator = torch.Generator().manual_seed(0)
    mix = torch.randn(STYLE, STYLE, generator=generator, dtype=torch.float64) / 3
    return torch.randn(count, STYLE, generator=generator, dtype=torch.float64) @ (torch.eye(STYLE) + mix)


def test_every_fifth_sample_is_held_out():
    assert held_out(10).tolist() == [False, False, False, False, True] * 2


def test_the_extremes_are_the_top_and_the_bottom_quarter_of_what_has_a_label():
    scores = torch.tensor([0.5, float("nan"), 7.0, -1.0, 3.0, 2.0, -4.0, 1.0, 0.0]).double()
    high, low = extremes(scores)
    assert sorted(high.tolist()) == [2, 4] and sorted(low.tolist()) == [3, 6]


def test_the_extremes_of_a_yes_or_no_are_balanced():
    high, low = extremes(torch.tensor([0.0, 1.0, 0.0, 0.0, 1.0, 0.0]).double())
    assert high.tolist() == [1, 4] and len(low) == 2


def test_logistic_regression_has_no_gradient_at_its_solution():
    w = samples(200)
    y = torch.where(w[:, 0] + 0.3 * w[:, 1] > 0, 1.0, -1.0).double()
    a, c = logistic(w, y, 0.01)
    a, c = a.requires_grad_(), c.requires_grad_()
    loss = torch.nn.functional.softplus(-y * (w @ a + c)).mean() + 0.01 * a.square().sum()
    for gradient in torch.autograd.grad(loss, (a, c)):
        assert float(gradient.abs().max()) < 1e-6


def test_a_boundary_finds_what_the_labels_come_from():
    w = samples()
    truth = torch.linspace(-1, 1, STYLE).double()
    noise = 0.3 * torch.randn(len(w), generator=torch.Generator().manual_seed(1)).double()
    found = boundary(w, w @ truth + noise)
    assert found.accuracy > 0.95 and found.samples == 400
    scores = w @ found.normal
    assert float(torch.corrcoef(torch.stack([scores, w @ truth]))[0, 1]) > 0.97


def test_too_few_labels_are_refused():
    scores = torch.full((1000,), float("nan")).double()
    scores[:50] = torch.arange(50.0).double()
    with pytest.raises(ValueError, match="too few"):
        boundary(samples(), scores)


def test_a_direction_leaves_the_other_scores_unchanged_and_is_in_units_of_its_deviation():
    w = samples()
    normal, *others = torch.eye(STYLE).double()[:3]
    unit, deviation = direction(normal, others, w)
    assert float(unit.norm()) == pytest.approx(1)
    assert float(unit @ normal) > 0.1
    assert all(abs(float(unit @ other)) < 1e-9 for other in others)
    assert float((w @ unit).std()) == pytest.approx(deviation)


def test_no_other_move_of_its_mahalanobis_length_raises_the_score_more():
    w = samples()
    normal, other = torch.eye(STYLE).double()[:2]
    unit, _ = direction(normal, [other], w)
    inverse = torch.linalg.inv(torch.cov(w.T))
    best = float(unit @ normal / (unit @ inverse @ unit).sqrt())
    generator = torch.Generator().manual_seed(2)
    for _ in range(50):
        move = unit + 0.2 * torch.randn(STYLE, generator=generator).double()
        move[1] = 0  # the other score stays
        assert float(move @ normal / (move @ inverse @ move).sqrt()) <= best + 1e-9
