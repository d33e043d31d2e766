"""DIP's network: its size, its border, and its batch norm."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from gansr.papers.dip.network import SMALLEST, Block, Hourglass, operations


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_the_papers_network_has_the_authors_number_of_weights():
    """Scale 1: 140 + 36992 + 147584 + 152192 + 16512 + 1288 of norms; scales 2 to 5: 465684 each; RGB: 387."""
    net = Hourglass(32, 128, 4, generator())
    assert (
        sum(parameter.numel() for parameter in net.parameters()) == 354_708 + 4 * 465_684 + 387 == 2_217_831
    )


def test_a_block_normalises_and_damps_what_is_negative():
    """0 and 2 → 2x + 1 = 1 and 5, of mean 3 and deviation 2 → −1 and 1 → −0.2 and 1."""
    block = Block(1, 1, 1, generator())
    torch.nn.init.constant_(block.convolution.weight, 2.0)
    torch.nn.init.ones_(block.convolution.bias)  # pyright: ignore[reportArgumentType]
    made = block(torch.tensor([[[[0.0, 2.0]]]]))
    torch.testing.assert_close(made, torch.tensor([[[[-0.2, 1.0]]]]), atol=1e-5, rtol=0)


def test_the_border_is_the_reflection_without_the_edge():
    """The left neighbour of 0, 2, 6 is 2, 0, 2: of mean 4/3 and deviation √8/3."""
    block = Block(1, 1, 3, generator())
    with torch.no_grad():
        block.convolution.weight.zero_()[0, 0, 1, 0] = 1.0
    rows = torch.tensor([0.0, 2.0, 6.0]).expand(1, 1, 3, 3)
    high, low = (2 - 4 / 3) / (8**0.5 / 3), 0.2 * (0 - 4 / 3) / (8**0.5 / 3)
    expected = torch.tensor([high, low, high]).expand(1, 1, 3, 3)
    torch.testing.assert_close(block(rows), expected, atol=1e-4, rtol=0)


def test_a_picture_comes_out_as_large_as_the_noise_went_in_and_the_seed_decides_it():
    z = torch.rand(1, 32, SMALLEST, 96, generator=generator(1))
    made = [Hourglass(32, 16, 4, generator(seed))(z).detach() for seed in (2, 2, 3)]
    assert made[0].shape == (1, 3, SMALLEST, 96) and 0 < float(made[0].min()) <= float(made[0].max()) < 1
    assert torch.equal(made[0], made[1]) and not torch.equal(made[0], made[2])


@pytest.mark.parametrize("width", [16, 48])
def test_the_operations_are_those_of_the_convolutions(width: int):
    net = Hourglass(32, width, 4, generator())
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        net(torch.rand(1, 32, 64, 96))
    assert counter.get_total_flops() == pytest.approx(operations(32, width, 4) * 64 * 96)
