"""The holes that mGANprior makes itself, and what a run reads of its input."""

from __future__ import annotations

import torch

from gansr.papers.mganprior import MGANPRIOR, Options
from gansr.papers.mganprior.holes import hole_for


def of(hole: str, seed: int = 0, side: str = "256") -> torch.Tensor:
    made = hole_for(Options(job="inpaint", hole=hole, side=side), seed)
    assert made is not None and made.shape == (1, int(side), int(side))
    assert set(made.unique().tolist()) == {0.0, 1.0}
    return made


def test_the_middle_is_a_quarter_of_the_picture():
    expected = torch.zeros(1, 256, 256)
    expected[:, 64:192, 64:192] = 1
    assert torch.equal(of("middle"), expected) and torch.equal(of("middle", seed=5), expected)


def test_a_random_square_is_as_large_and_its_place_comes_from_the_seed():
    for seed in range(8):
        rows, columns = of("random", seed)[0].nonzero(as_tuple=True)
        assert len(rows) == 128**2 == (rows.max() - rows.min() + 1) * (columns.max() - columns.min() + 1)
    assert torch.equal(of("random", 3), of("random", 3)) and not torch.equal(of("random", 3), of("random", 4))


def test_pieces_are_at_most_eight_small_squares():
    for seed in range(8):
        share = float(of("pieces", seed, "512").mean())
        assert 4 / 64 < share <= 8 / 64


def test_a_painted_hole_is_the_mask_and_other_jobs_have_none():
    mask = torch.zeros(1, 256, 256)
    mask[:, :100, :50] = 1
    painted = Options(job="inpaint", mask=mask)
    assert torch.equal(hole_for(painted, 0), mask)  # pyright: ignore[reportArgumentType]
    assert hole_for(Options(job="inpaint"), 0) is None
    assert hole_for(Options(job="colour", hole="middle"), 0) is None


def test_a_mask_of_another_size_matters_only_where_it_is_used():
    mask = torch.zeros(1, 8, 8)
    assert Options(job="inpaint", hole="middle", mask=mask).hole == "middle"


def test_the_input_is_shown_with_the_hole_of_the_seed():
    assert MGANPRIOR.reads is not None
    picture = torch.ones(3, 256, 256)
    title, read = MGANPRIOR.reads(Options(job="inpaint", hole="random"), picture, 3)
    assert title == "With the hole" and torch.equal(read[:1] == 0.5, of("random", 3) == 1)
