"""The projection on the pictures that downscale to a given one."""

from __future__ import annotations

import torch

from gansr.ops.projection import DownscaleProjection, downscale_matrix
from gansr.ops.resize import imresize


def test_the_downscaling_matrix_is_matlabs_bicubic():
    y = torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(
        DownscaleProjection(downscale_matrix(8, 8)).downscale(y), imresize(y, 1 / 8), atol=1e-6, rtol=0
    )
    a = downscale_matrix(32, 8)
    singular = torch.linalg.svdvals(a)
    assert singular[0] / singular[-1] < 1.5  # so the pseudo-inverse does not raise noise


def test_the_projection_brings_any_answer_nearer_to_the_truth():
    truth = torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(2))
    projection = DownscaleProjection(downscale_matrix(8, 8))
    low = projection.downscale(truth)
    for seed in range(5):
        answer = truth + 0.2 * torch.randn(3, 64, 64, generator=torch.Generator().manual_seed(seed))
        moved = projection.project(answer, low)
        assert (moved - truth).square().mean() < (answer - truth).square().mean()


def test_the_projection_on_means_of_two_moves_both_by_the_same():
    projection = DownscaleProjection(torch.tensor([[0.5, 0.5]]))
    moved = projection.project(torch.tensor([[0.0, 0.2], [0.4, 0.6]]), torch.tensor([[0.5]]))
    torch.testing.assert_close(moved, torch.tensor([[0.2, 0.4], [0.6, 0.8]]))  # the mean was 0.3
