"""The term of the loss that holds codes and weights to the prior, and the offset of the composed features."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gansr.method import Nets
from gansr.nets.mobilestylegan import MobileStyleGAN
from gansr.papers.mganprior import Options
from gansr.papers.mganprior.search import start_search

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def face() -> MobileStyleGAN:
    """A generator of 32×32 px whose w have a standard deviation of about 1."""
    torch.manual_seed(0)
    net = MobileStyleGAN((16, 8, 8), style=10, mapping_layers=1).requires_grad_(False).eval()
    for layer in net.mapping.layers.children():
        assert isinstance(layer, nn.Linear)
        layer.weight.mul_(3)
    return net


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_the_distance_to_the_prior_is_that_of_codes_from_their_mean_and_of_alpha_from_one_over_n(
    face: MobileStyleGAN,
):
    options = Options(layer="8", codes=4, pull=0.01)
    search = start_search(
        torch.rand(3, 32, 32, generator=seeded(4)), options, Nets({"generator": face}), seeded()
    )
    mean, deviation = search.generator.mean, search.generator.deviation
    w = face.mapping(torch.randn(20000, 10, generator=seeded(7))).detach()
    torch.testing.assert_close(mean[0], w.mean(0), atol=0.1, rtol=0)
    torch.testing.assert_close(deviation[0], w.std(0), atol=0, rtol=0.1)
    search.codes.data.copy_(mean + 2 * deviation)  # 2² = 4
    search.f2_style.data.copy_(mean - deviation)  # 1
    search.alpha.data.fill_(1.5 / 4)  # 3 · 0.5² = 0.75
    assert float(search.distance_to_prior().detach()) == pytest.approx(5.75, rel=1e-4)


def test_a_pull_keeps_the_codes_nearer_to_the_prior_and_none_leaves_the_search_as_it_was(
    face: MobileStyleGAN,
):
    low = torch.rand(3, 16, 16, generator=seeded(4))
    distances: list[float] = []
    for pull in (0.0, 0.1):
        options = Options(factor=2, layer="8", codes=3, iterations=15, pull=pull)
        search = start_search(low, options, Nets({"generator": face}), seeded(1))
        readings = [search.step(step)[1] for step in range(1, 16)]
        assert ("prior" in readings[-1]) == (pull > 0)
        distances.append(float(search.distance_to_prior().detach()))
    assert distances[1] < 0.7 * distances[0]


def test_an_offset_waits_for_the_codes_and_then_comes_closer_than_they_can(face: MobileStyleGAN):
    low = torch.rand(3, 32, 32, generator=seeded(4))
    losses: list[float] = []
    for offset in (False, True):
        options = Options(job="invert", layer="8", codes=3, iterations=60, pull=0.0, offset=offset)
        search = start_search(low, options, Nets({"generator": face}), seeded(1))
        sizes: list[float] = []
        for step in range(1, 61):
            _, readings = search.step(step)
            sizes.append(
                float(search.offset.value.detach().abs().max()) if search.offset is not None else 0.0
            )
        losses.append(readings["loss"])
        assert set(sizes[:18]) == {0.0}  # 0.3 of 60 steps
        assert all(size > 0 for size in sizes[18:]) == offset
    assert losses[1] < 0.9 * losses[0]


def test_an_offset_counts_in_units_of_the_root_mean_square_of_each_channel(face: MobileStyleGAN):
    options = Options(job="invert", layer="8", codes=3)
    search = start_search(torch.rand(3, 32, 32), options, Nets({"generator": face}), seeded(1))
    features = search.generator.f1(search.codes)
    plain = search.composed(features)
    assert search.offset is not None
    with torch.no_grad():
        search.offset.value.fill_(1.0)
        moved = search.composed(features)
    torch.testing.assert_close(
        (moved - plain).mean((2, 3)), plain.square().mean((2, 3)).sqrt(), atol=1e-6, rtol=1e-5
    )


@pytest.mark.parametrize("job", ["sr", "colour", "inpaint"])
def test_there_is_no_offset_where_the_input_is_not_a_whole_picture_in_colour(job: str, face: MobileStyleGAN):
    options = Options(job=job, factor=2, layer="8", codes=3)
    low = torch.rand(3, 16 if job == "sr" else 32, 16 if job == "sr" else 32)
    assert start_search(low, options, Nets({"generator": face}), seeded()).offset is None
