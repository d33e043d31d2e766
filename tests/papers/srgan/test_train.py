"""The training of SRGAN: a step equals the plain one, a resumed run equals an uninterrupted one, and it learns."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest
import torch

from gansr.nets.vgg import Vgg19
from gansr.ops.resize import imresize
from gansr.papers.srgan import losses
from gansr.papers.srgan.bench_plain import PlainStep
from gansr.papers.srgan.discriminator import Discriminator
from gansr.papers.srgan.network import SRResNet
from gansr.papers.srgan.pairs import Pairs
from gansr.papers.srgan.train import Config, Training, exported, initialised, mean_psnr
from gansr.weights.tensors import parse

SIDE = 32


def tiny_discriminator() -> Discriminator:
    torch.manual_seed(3)
    return Discriminator(SIDE, widths=(4, 4, 8, 8, 8, 8, 8, 8), dense=16)


def tiny_net(seed: int = 1) -> SRResNet:
    torch.manual_seed(seed)
    return initialised(SRResNet("krasserm", 4, 2, 8))


def waves(count: int, side: int = 48) -> Pairs:
    """Pictures with edges and gradients, and the same shrunk."""
    draws, high, low = np.random.default_rng(0), [], []
    for _ in range(count):
        y, x = np.mgrid[:side, :side] / side
        planes = [np.sin(x * a + y * b + c) > 0.3 * np.cos(9 * y) for a, b, c in draws.uniform(3, 14, (3, 3))]
        picture = torch.from_numpy(np.stack(planes) * 0.7 + 0.15 * x).float()
        high.append(as_bytes(picture))
        low.append(as_bytes(imresize(picture, 0.25, rounded=True)))
    return Pairs(4, high, low)


def as_bytes(picture: torch.Tensor) -> np.ndarray:
    return (picture.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy().copy()


def training(variant: str, vgg: Vgg19 | None = None, **changed) -> Training:
    config = Config(variant, **{"steps": 40, "batch": 2, "side": SIDE, **changed})
    return Training(config, tiny_net(), waves(3), vgg, discriminator=tiny_discriminator())


@pytest.fixture(scope="module")
def vgg() -> Vgg19:
    torch.manual_seed(0)
    return Vgg19()


@pytest.mark.parametrize("variant", list(losses.VARIANTS))
def test_a_step_is_that_of_the_plain_implementation(variant, vgg):
    """In float64."""
    ours = training(variant, vgg, maxima=True)
    for net in (ours.net, ours.vgg, ours.discriminator):
        if net is not None:
            net.double()
    ours.optimiser = adam(ours.net)
    if ours.discriminator is not None:
        ours.discriminator_optimiser = adam(ours.discriminator)
    plain = PlainStep(
        losses.VARIANTS[variant], deepcopy(ours.net), deepcopy(ours.discriminator), vgg.double(), adam
    )
    low, high = waves(2).middles(SIDE)
    true = high.double() * 2 - 1
    loss = plain(low.double(), true)
    terms = ours.descend(low.double(), true)
    assert float(terms["total"]) == pytest.approx(float(loss), rel=1e-6)
    for mine, theirs in ((ours.net, plain.net), (ours.discriminator, plain.discriminator)):
        for a, b in zip(mine.parameters() if mine else (), theirs.parameters() if theirs else ()):
            assert (a - b).abs().max() < 1e-6


def adam(net: torch.nn.Module) -> torch.optim.Adam:
    # A bias before batch norm has gradient 0, and with a small eps Adam makes steps of the rounding errors.
    return torch.optim.Adam(net.parameters(), lr=1e-4, eps=1e-6)


def test_a_run_that_was_stopped_ends_with_the_same_weights():
    whole, first, second = (training("srgan-mse") for _ in range(3))
    for _ in range(20):
        whole.do_step()
    for _ in range(9):
        first.do_step()
    second.restore(first.state())
    for _ in range(11):
        second.do_step()
    for name in ("net", "average", "discriminator"):
        mine, theirs = getattr(whole, name).state_dict(), getattr(second, name).state_dict()
        assert all(torch.equal(mine[key], theirs[key]) for key in mine), name
    assert whole.state()["at"] == second.state()["at"] == [20, 40]


def test_a_warm_up_changes_the_discriminator_alone_and_is_resumed():
    """Eight steps of which five are a warm-up, once as a whole and once left after three."""
    whole, first, second = (training("srgan-mse", warm_up=5) for _ in range(3))
    start = [{key: value.clone() for key, value in each.state_dict().items()} for each in parts_of(whole)]
    stages = []
    for _ in range(5):
        stages.append(whole.at[0])
        assert set(whole.do_step()) == {"discriminator"}
    for before, now in zip(
        start[:2], parts_of(whole)
    ):  # batch norm's own statistics are none of the network's answer
        assert all(torch.equal(before[key], value) for key, value in now.named_parameters())
    assert not torch.equal(
        start[2]["features.0.weight"], parts_of(whole)[2].state_dict()["features.0.weight"]
    )
    while whole.step < 8:
        stages.append(whole.at[0])
        assert "content" in whole.do_step()
    assert stages == ["the discriminator alone"] * 5 + ["lr 0.0001"] * 3
    assert not torch.equal(start[0]["last.weight"], whole.net.last.weight)
    for _ in range(3):
        first.do_step()
    second.restore(first.state())
    for _ in range(5):
        second.do_step()
    for mine, theirs in zip(parts_of(whole), parts_of(second)):
        ours = theirs.state_dict()
        assert all(torch.equal(value, ours[key]) for key, value in mine.state_dict().items())


def parts_of(run: Training) -> list[torch.nn.Module]:
    assert run.discriminator is not None
    return [run.net, run.average, run.discriminator]


def test_a_training_without_a_discriminator_has_no_warm_up():
    assert "content" in training("mse", warm_up=5).do_step()


def test_stored_statistics_stay_and_are_what_is_normalised_with():
    low, _ = waves(2).middles(SIDE)
    stored, batch = training("mse", norm="stored"), training("mse")
    with torch.no_grad():
        assert torch.equal(stored.net(low), tiny_net().eval()(low))
        assert not torch.equal(batch.net(low), stored.net(low))
    before = {key: value.clone() for key, value in stored.average.state_dict().items() if "running" in key}
    assert before
    stored.do_step()
    batch.do_step()
    assert all(torch.equal(value, stored.average.state_dict()[key]) for key, value in before.items())
    assert not all(torch.equal(value, batch.average.state_dict()[key]) for key, value in before.items())
    assert not torch.equal(stored.net.last.weight, tiny_net().last.weight)


def test_a_given_discriminator_is_copied():
    given = tiny_discriminator()
    run = Training(Config("srgan-mse", side=SIDE, batch=2), tiny_net(), waves(2), discriminator=given)
    run.do_step()
    assert all(torch.equal(a, b) for a, b in zip(given.parameters(), tiny_discriminator().parameters()))


def test_the_second_half_is_at_a_tenth_of_the_rate():
    config = Config("mse", steps=10, lr=1e-3)
    assert [config.rate(step) for step in (0, 4, 5, 9)] == [1e-3, 1e-3, 1e-4, 1e-4]
    run = training("mse", steps=4)
    stages = []
    while not run.done:
        stages.append(run.at[0])
        run.do_step()
    assert stages == ["lr 0.0001", "lr 0.0001", "lr 1e-05", "lr 1e-05"]


def test_the_second_half_of_its_minutes_is_at_a_tenth_of_the_rate_too():
    config = Config("mse", steps=10, lr=1e-3, minutes=2)
    spent = ((0, 0.0), (4, 59.0), (0, 60.0), (5, 0.0), (9, 119.0))
    assert [config.rate(*each) for each in spent] == [1e-3, 1e-3, 1e-4, 1e-4, 1e-4]


def test_it_overfits_eight_crops_from_new_weights():
    pairs = waves(8, SIDE)
    run = Training(Config("mse", 200, lr=4e-3, batch=8, side=SIDE, average=0.9), tiny_net(), pairs)
    low, high = pairs.middles(SIDE)
    before = mean_psnr(run.enlarge(low), high)
    while not run.done:
        run.do_step()
    assert mean_psnr(run.enlarge(low), high) > before + 8


def test_a_checkpoint_of_another_variant_or_network_is_refused():
    state = training("mse").state()
    with pytest.raises(ValueError, match="a training of mse, not of srgan-mse"):
        training("srgan-mse").restore(state)
    other = Training(Config("mse"), SRResNet("krasserm", 4, 1, 8), waves(1))
    with pytest.raises(ValueError, match="another network"):
        other.restore(state)


def test_what_is_exported_is_the_average_in_float16():
    run = training("mse")
    run.do_step()
    net = SRResNet("krasserm", 4, 2, 8)
    net.load_state_dict(parse(exported(run.average)))
    for mine, theirs in zip(net.parameters(), run.average.parameters()):
        assert torch.equal(mine, theirs.half().float())
