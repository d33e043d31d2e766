"""An enlarged face agrees with its input."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from gansr.method import Nets
from gansr.nets.mobilestylegan import MobileStyleGAN
from gansr.ops.projection import downscale_matrix
from gansr.papers.mganprior import MGANPRIOR, Options
from gansr.papers.mganprior.known import NOTICES, axis_matrix, correction_for
from gansr.papers.mganprior.options import DOWNSCALINGS
from gansr.papers.mganprior.tasks import downscale


def picture(side: int, seed: int) -> Tensor:
    """Between 0.3 and 0.7, so that nothing is clamped."""
    return 0.3 + 0.4 * torch.rand(3, side, side, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("down", DOWNSCALINGS)
def test_an_enlarged_picture_downscales_to_exactly_its_input_by_every_downscaling(down: str):
    small = downscale(picture(64, 1)[None], (16, 16), down)[0]  # consistent, so the correction stays in range
    options = Options(factor=4, down=down, correct=True)
    correct = correction_for(small, options)
    assert correct is not None
    y = downscale(picture(128, 2)[None], (64, 64), "area")[0]  # smooth enough to be near
    assert float((downscale(y[None], (16, 16), down)[0] - small).abs().max()) > 0.01
    corrected = correct(y)
    inside = (corrected > 0) & (corrected < 1)
    assert bool(inside.all())
    torch.testing.assert_close(downscale(corrected[None], (16, 16), down)[0], small, atol=1e-5, rtol=0)


def test_the_matrix_of_an_axis_is_the_downscalings():
    torch.testing.assert_close(axis_matrix(64, 16, "bicubic"), downscale_matrix(16, 4).float())
    assert axis_matrix(4, 2, "area").tolist() == [[0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5]]


@pytest.mark.parametrize("job", ["colour", "denoise", "invert", "edit"])
def test_the_other_jobs_are_not_corrected(job: str):
    assert correction_for(picture(64, 4), Options(job=job, correct=True)) is None


def test_the_paper_corrects_nothing_and_holds_no_code_to_the_prior():
    held = {name: (values["pull"] > 0, values["correct"]) for name, values in MGANPRIOR.presets.items()}
    assert held == {
        "Quick": (True, True), "Balanced": (True, True), "Paper: gradient descent": (False, False)
    }  # fmt: skip


def test_a_filled_hole_meets_the_known_pixels_at_its_rim():
    low, drawn = picture(64, 5), picture(64, 6)
    low, drawn = (downscale(x[None], (64, 64), "area")[0] for x in (low, drawn))
    hole = torch.zeros(1, 64, 64)
    hole[:, 20:40, 24:44] = 1
    flat = torch.full_like(low, 0.5)
    correct = correction_for(flat, Options(job="inpaint", correct=True), hole)
    assert correct is not None
    filled = correct(flat + 0.2)  # all of it too bright by the same: no seam is left
    torch.testing.assert_close(filled, flat)
    correct = correction_for(low, Options(job="inpaint", correct=True), hole)
    assert correct is not None
    torch.testing.assert_close(torch.where(hole > 0, low, correct(drawn)), low)
    raw = Options(job="inpaint", correct=True, composite=False)
    assert correction_for(low, raw, hole) is None


def test_a_difference_of_content_at_the_rim_does_not_stain_the_hole():
    """Above the hole there is black hair, and the generator drew skin to the rim; below it their colours agree."""
    low = torch.full((3, 256, 256), 0.6)
    low[:, :64] = 0.0
    hole = torch.zeros(1, 256, 256)
    hole[:, 64:192, 64:192] = 1
    correct = correction_for(low, Options(job="inpaint", correct=True), hole)
    assert correct is not None
    filled = correct(torch.full((3, 256, 256), 0.5))
    inside = filled[0, 64:192, 128]
    assert inside[0] < 0.2, "no seam"
    assert inside[40:].min() > 0.55, "as bright as what is around"


def test_a_corrected_result_says_so_and_its_rim_is_nearer_to_the_known_pixels():
    torch.manual_seed(0)
    net = MobileStyleGAN((16, 8, 8, 12), style=10, mapping_layers=2).requires_grad_(False).eval()
    low, mask = torch.full((3, 256, 256), 0.7), torch.zeros(1, 256, 256)
    mask[:, :, :128] = 1
    rims = []
    for correct in (False, True):
        options = Options(
            job="inpaint", mask=mask, correct=correct, layer="8", codes=3, iterations=2, roles=False
        )
        seed = torch.Generator().manual_seed(1)
        first, last = MGANPRIOR.run(low, options, Nets({"generator": net}), seed)
        assert not first.notices and last.notices == (NOTICES["inpaint"],) * correct
        assert torch.equal(last.image[:, :, 128:], low[:, :, 128:])
        rims.append((last.image[:, :, 127] - low[:, :, 128]).abs().mean())
    assert rims[1] < rims[0]
