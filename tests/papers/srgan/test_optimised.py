"""The optimised SRResNet computes the same function, whole and in parts."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gansr.papers.srgan.network import LAYOUTS
from gansr.papers.srgan.optimised import AtOnce, before_shuffle, optimise, round_with_error_feedback
from tests.papers.srgan.random_nets import noise, random_net


@pytest.mark.parametrize("layout", list(LAYOUTS))
@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_the_optimised_form_is_the_same_function(layout: str, scale: int):
    net, x = random_net(layout, scale), noise(2, 3, 19, 13)
    plain, optimised = net(x), optimise(net)(x)
    assert optimised.dtype == torch.float32 and optimised.shape == plain.shape == (
        2,
        3,
        19 * scale,
        13 * scale,
    )
    assert plain.std() > 0.01
    assert (plain - optimised).abs().max() <= 1e-5


@pytest.mark.parametrize("layout", list(LAYOUTS))
def test_a_region_is_the_part_cut_out_of_the_whole(layout: str):
    net, x = random_net(layout), noise(1, 3, 47, 31)
    whole, optimised = net(x), optimise(net)
    for rows, columns in (((0, 11), (0, 31)), ((20, 33), (9, 10)), ((46, 47), (17, 31))):
        part = optimised.region(x, rows, columns)
        cut = whole[..., 4 * rows[0] : 4 * rows[1], 4 * columns[0] : 4 * columns[1]]
        assert (part - cut).abs().max() <= 1e-5


@pytest.mark.parametrize("layout", list(LAYOUTS))
def test_strips_and_patches_do_not_show(layout: str, monkeypatch: pytest.MonkeyPatch):
    net, x = random_net(layout), noise(2, 3, 37, 21)
    whole = optimise(net)(x)
    monkeypatch.setattr("gansr.papers.srgan.optimised.CACHED", AtOnce(1, 1, 9))
    assert (optimise(net)(x) - whole).abs().max() <= 1e-6


@pytest.mark.parametrize("kernel, factor", [(9, 2), (9, 3), (3, 2), (5, 4), (1, 2)])
def test_a_convolution_moves_in_front_of_the_shuffle(kernel: int, factor: int):
    torch.manual_seed(3)
    conv = nn.Conv2d(4, 3, kernel, padding=kernel // 2)
    x = noise(1, 4 * factor**2, 7, 5)
    behind = conv(nn.functional.pixel_shuffle(x, factor))
    before = nn.functional.pixel_shuffle(before_shuffle(conv, factor)(x), factor)
    assert torch.allclose(behind, before, atol=1e-5)


def test_bfloat16_stays_near_the_exact_picture():
    net, x = random_net("lornatang", width=16), noise(1, 3, 24, 24)
    rough = optimise(net, torch.bfloat16)(x)
    assert rough.dtype == torch.float32
    assert 0 < (rough - net(x)).abs().mean() < 0.01


def test_the_network_itself_is_left_as_it_was():
    net = random_net("krasserm")
    before = {k: v.clone() for k, v in net.state_dict().items()}
    optimise(net, torch.bfloat16)(noise(1, 3, 9, 9))
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())


def test_rounding_with_error_feedback_keeps_the_sum_of_the_values():
    values = noise(5, 81) - 0.5
    rounded = round_with_error_feedback(values, torch.bfloat16)
    assert torch.equal(rounded, rounded.to(torch.bfloat16).float())
    step = 2**-8 * values.abs().max()
    assert ((rounded - values).sum(-1).abs() <= step).all()
    assert (
        (values.to(torch.bfloat16).float() - values).sum(-1).abs() > step
    ).any()  # plain rounding does not
