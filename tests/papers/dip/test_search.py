"""The fit of DIP's network to one picture."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from gansr.metrics.psnr import psnr_y
from gansr.ops.resize import imresize
from gansr.papers.dip import Options
from gansr.papers.dip.search import Fit, canvas

GREY = torch.full((3, 8, 12), 0.3)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Counting(Fit):
    """Draws k/100 in step k, whatever its weights are."""

    def draw(self) -> Tensor:
        nothing = 0 * sum(parameter.sum() for parameter in self.net.parameters())
        return torch.full((3, *self.size), (len(self.losses) + 1) / 100) + nothing


def test_sides_grow_to_multiples_of_32_and_to_64_at_least():
    assert [canvas(side) for side in (1, 64, 65, 96, 250)] == [64, 64, 96, 96, 256]


@pytest.mark.parametrize(("job", "size"), [("sr", (32, 48)), ("denoise", (8, 12))])
def test_the_loss_is_the_squared_difference_to_the_input(job: str, size: tuple[int, int]):
    fit = Fit(GREY, Options(job=job, width=16), None, generator())
    assert fit.draw().shape == (3, *size)
    assert float(fit.loss(torch.full((3, *size), 0.5))) == pytest.approx(0.2**2)


def test_what_is_compared_is_matlabs_bicubic_shrinking():
    fit = Fit(GREY, Options(width=16), None, generator())
    drawn = torch.rand(3, 32, 48, generator=generator(1))
    expected = (imresize(drawn, (8, 12)) - GREY).square().mean()
    torch.testing.assert_close(fit.loss(drawn), expected)


def test_nothing_in_the_hole_counts_and_everything_around_it_stays():
    hole = torch.zeros(1, 8, 12)
    hole[:, :, :3] = 1  # a quarter
    low = torch.rand(3, 8, 12, generator=generator(2))
    fit = Fit(low, Options(job="inpaint", hole="middle", width=16), hole, generator())
    drawn = low + torch.where(hole > 0, 0.9, 0.2)
    assert float(fit.loss(drawn)) == pytest.approx(0.75 * 0.2**2)
    fit.step()
    picture = fit.picture()
    assert torch.equal(picture[:, :, 3:], low[:, :, 3:]) and not torch.equal(picture[:, :, :3], low[:, :, :3])


def test_the_average_covers_the_last_tenth_of_the_steps():
    """One step until the ninth, then two: (9 + 10)/2 = 9.5, (9.5 + 11)/2 = 10.25."""
    fits = [
        Counting(GREY, Options(job="denoise", width=16, average=on), None, generator())
        for on in (True, False)
    ]
    expected = {9: (9.0, 9.0), 10: (9.5, 10.0), 11: (10.25, 11.0)}
    for step in range(1, 12):
        for fit in fits:
            fit.step()
        for fit, value in zip(fits, expected.get(step, ())):
            torch.testing.assert_close(fit.picture(), torch.full((3, 8, 12), value / 100))


def test_a_corrected_result_downscales_to_the_input():
    low = 0.3 + 0.3 * torch.rand(3, 8, 12, generator=generator(3))
    corrected, plain = (Fit(low, Options(width=16, correct=on), None, generator()) for on in (True, False))
    for fit in (corrected, plain):
        fit.step()
    torch.testing.assert_close(imresize(corrected.picture(), (8, 12)), low, atol=1e-4, rtol=0)
    assert (imresize(plain.picture(), (8, 12)) - low).abs().max() > 0.05


def disc(side: int) -> Tensor:
    """A bright disc on a dark ground, (3,side,side), with a smooth rim of a pixel."""
    x = torch.arange(side) - (side - 1) / 2
    away = (x[:, None] ** 2 + x**2).sqrt()
    return (0.2 + 0.6 * (side / 4 - away).clamp(0, 1)).expand(3, -1, -1).contiguous()


def test_it_enlarges_an_edge_better_than_bicubic():
    truth = disc(64)
    low = imresize(truth, 1 / 4)
    fit = Fit(low, Options(width=16), None, generator())
    for _ in range(150):
        fit.step()
    assert fit.losses[-1] < 0.05 * fit.losses[0]
    assert psnr_y(fit.picture(), truth, 4) > psnr_y(imresize(low, 4).clamp(0, 1), truth, 4) + 0.5


def test_stopped_early_it_has_less_noise_than_its_input():
    truth = disc(64)
    noisy = (truth + 0.1 * torch.randn(truth.shape, generator=generator(4))).clamp(0, 1)
    fit = Fit(noisy, Options(job="denoise", width=16), None, generator())
    for _ in range(120):
        fit.step()
    assert psnr_y(fit.picture(), truth, 0) > psnr_y(noisy, truth, 0) + 5
