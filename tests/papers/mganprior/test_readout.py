"""The read-out: Haar coefficients there and back, and a map that finds a linear picture."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gansr.nets.mobilestylegan import inverse_haar
from gansr.papers.mganprior import readout
from gansr.papers.mganprior.readout import Readout, fitted, haar


def test_haar_coefficients_go_back_to_the_picture():
    picture = torch.rand(2, 3, 8, 12, generator=torch.Generator().manual_seed(0))
    assert haar(picture).shape == (2, 12, 4, 6)
    torch.testing.assert_close(inverse_haar(haar(picture)), picture)


class Linear(nn.Module):
    """A generator whose picture is linear in its features: (B,6) → features (B,6,32,32) → (B,3,128,128)."""

    style_rows = 2

    def first(self, rows: Tensor, upto: int) -> Tensor:
        assert upto == readout.BLOCKS and rows.shape[1] == 2
        grid = torch.rand(1, 6, 32, 32, generator=torch.Generator().manual_seed(1))
        return grid * rows[:, 0, :, None, None]

    def rest(self, features: Tensor, rows: Tensor, start: int) -> Tensor:
        mix = torch.randn(12, 6, generator=torch.Generator().manual_seed(2)) / 20
        small = inverse_haar(torch.einsum("kc,bchw->bkhw", mix, features) + 0.01)
        return small.repeat_interleave(2, -1).repeat_interleave(2, -2)


def test_the_map_finds_a_linear_picture_and_gradients_reach_the_codes():
    generator = Linear()
    w = torch.rand(8, 6, generator=torch.Generator().manual_seed(3))
    readout_of = Readout(generator, fitted(generator, w))
    code = torch.rand(1, 6, generator=torch.Generator().manual_seed(4)).requires_grad_()
    drawn = readout_of(code)
    rows = code[:, None].expand(-1, 2, -1)
    truth = (
        generator.rest(generator.first(rows, readout.BLOCKS), rows, readout.BLOCKS)[..., ::2, ::2] / 2 + 0.5
    )
    torch.testing.assert_close(drawn, truth, atol=2e-3, rtol=0)
    drawn.sum().backward()
    assert code.grad is not None and float(code.grad.abs().min()) > 0
