"""SRResNet: its five layouts, how far it sees, and blends of two networks."""

from __future__ import annotations

import pytest
import torch

from gansr.papers.srgan.network import LAYOUTS, SRResNet, blend
from tests.papers.srgan.random_nets import SMALL, noise, random_net


def test_the_layouts_have_as_many_parameters_as_the_authors_networks():
    published = {"lornatang": 1_547_350, "leftthomas": 734_219, "mmagic": 1_517_571, "basicsr": 1_517_571}
    for layout, count in published.items():
        assert sum(p.numel() for p in SRResNet(layout, 4).parameters()) == count


def test_basicsr_and_mmagic_differ_although_their_weights_fit_each_other():
    net, other = random_net("mmagic"), SRResNet("basicsr", 4, **SMALL).eval()
    other.load_state_dict(net.state_dict())
    assert (net(noise(1, 3, 9, 9)) - other(noise(1, 3, 9, 9))).abs().max() > 0.01


@pytest.mark.parametrize("layout", ["krasserm", "mmagic"])
@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_the_radius_is_what_an_output_pixel_depends_on_and_no_more(layout: str, scale: int):
    net, middle = random_net(layout, scale), 30
    x = noise(1, 3, 61, 61).requires_grad_()
    cell = net(x)[..., middle * scale : (middle + 1) * scale, middle * scale : (middle + 1) * scale]
    (reach,) = torch.autograd.grad(cell.sum(), x)
    seen = reach.abs().sum((0, 1, 2)).nonzero().flatten()
    assert (middle - int(seen.min()), int(seen.max()) - middle) == (net.radius, net.radius)


def test_the_published_networks_radii():
    assert [SRResNet(layout).radius for layout in LAYOUTS] == [40, 40, 18, 35, 35]


def test_a_blend_goes_from_one_network_to_the_other():
    one, other, x = random_net("krasserm", seed=1), random_net("krasserm", seed=2), noise(1, 3, 9, 9)
    assert torch.equal(blend(one, other, 0.0)(x), one(x))
    assert torch.allclose(blend(one, other, 1.0)(x), other(x), atol=1e-6)
    half = blend(one, other, 0.5).first.weight
    assert torch.allclose(half, (one.first.weight + other.first.weight) / 2)


@pytest.mark.parametrize("other", [("lornatang", 4), ("krasserm", 2)])
def test_networks_that_are_not_the_same_are_not_blended(other: tuple[str, int]):
    with pytest.raises(ValueError, match="same layout and scale"):
        blend(random_net("krasserm"), random_net(*other), 0.5)


def test_unknown_layouts_and_scales_are_refused():
    with pytest.raises(ValueError, match="no SRResNet layout is called 'edsr'"):
        SRResNet("edsr")
    with pytest.raises(ValueError, match="2, 3, 4 or 8 times, not 5"):
        SRResNet("krasserm", 5)
