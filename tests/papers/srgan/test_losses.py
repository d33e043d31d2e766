"""SRGAN's losses: values by hand, gradients against finite differences, and what each variant is made of."""

from __future__ import annotations

import math

import pytest
import torch

from gansr.nets.vgg import Vgg19
from gansr.papers.srgan import losses
from gansr.papers.srgan.losses import VARIANTS


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return 2 * torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) - 1


@pytest.fixture(scope="module")
def vgg() -> Vgg19:
    torch.manual_seed(0)
    return Vgg19().double()


def test_the_values_are_those_of_the_papers_formulas(vgg):
    ours, true = random(2, 3, 32, 32), random(2, 3, 32, 32, seed=1)
    assert float(losses.content_loss(ours, true)) == pytest.approx(float((ours - true).square().mean()))
    for name, end in (("vgg22", 9), ("srgan-vgg54", 36)):
        content = VARIANTS[name].content
        a, b = (vgg.features[:end](vgg.colours((x + 1) / 2)) for x in (ours, true))
        hand = float((a - b).square().mean()) / 12.75**2 * losses.SCALES[content] ** 2
        found = losses.content_loss(*(losses.features(vgg, content, x) for x in (ours, true)))
        assert float(found) == pytest.approx(hand)
    p, q = 0.8, 0.3  # what D says of a photograph and of a result
    logits = [torch.tensor([[math.log(d / (1 - d))]]) for d in (p, q)]
    assert float(losses.adversarial_loss(logits[1])) == pytest.approx(-math.log(q))
    assert float(losses.discriminator_loss(*logits)) == pytest.approx(-math.log(p) - math.log(1 - q))
    x = torch.tensor([[[[0.0, 1.0], [3.0, 3.0]]]]).expand(2, 3, 2, 2)
    assert float(losses.total_variation(x)) == pytest.approx(3 * (1 + 0 + 9 + 4))


def test_logits_of_any_size_give_finite_losses():
    logits = torch.tensor([[1e4], [-1e4]])
    assert torch.isfinite(losses.adversarial_loss(logits))
    assert torch.isfinite(losses.discriminator_loss(logits, logits))


@pytest.mark.parametrize("content", ["mse", "vgg22", "vgg54"])
def test_the_gradient_of_the_content_loss_is_that_of_finite_differences(content, vgg):
    ours, true = random(1, 3, 16, 16).requires_grad_(), random(1, 3, 16, 16, seed=1)
    wanted = losses.features(vgg, content, true)

    def loss(x: torch.Tensor) -> torch.Tensor:
        return losses.content_loss(losses.features(vgg, content, x), wanted)

    assert_gradient(loss, ours)


@pytest.mark.parametrize("name", ["adversarial", "discriminator", "variation"])
def test_the_gradients_of_the_others_are_those_of_finite_differences(name):
    x, y = random(1, 3, 4, 4).requires_grad_(), random(1, 3, 4, 4, seed=1)
    loss = {
        "adversarial": losses.adversarial_loss,
        "discriminator": lambda x: losses.discriminator_loss(x, y * x),
        "variation": losses.total_variation,
    }[name]
    assert torch.autograd.gradcheck(loss, x)


def assert_gradient(loss, x: torch.Tensor, step: float = 1e-6) -> None:
    """Along a random direction, the derivative and the difference quotient agree."""
    (found,) = torch.autograd.grad(loss(x), x)
    direction = random(*x.shape, seed=2)
    with torch.no_grad():
        quotient = (loss(x + step * direction) - loss(x - step * direction)) / (2 * step)
    assert float(quotient) != 0
    assert float((found * direction).sum()) == pytest.approx(float(quotient), rel=1e-5)


def test_the_variants_are_the_papers():
    assert {name: (one.content, one.adversarial) for name, one in VARIANTS.items()} == {
        "mse": ("mse", False),
        "vgg22": ("vgg22", False),
        "srgan-mse": ("mse", True),
        "srgan-vgg22": ("vgg22", True),
        "srgan-vgg54": ("vgg54", True),
    }
    assert {name for name, one in VARIANTS.items() if one.total_variation} == {"vgg22", "srgan-vgg22"}


def test_averages_see_the_checkerboard_that_maxima_do_not():
    """Of a checkerboard of features the maximum of each four is constant; their mean differs from that of its ends."""
    vgg = Vgg19(9)
    averaged = losses.averaging(vgg)
    (at,) = [i for i, layer in enumerate(vgg.features) if isinstance(layer, torch.nn.MaxPool2d)]
    board = (torch.arange(8)[:, None] + torch.arange(8)).remainder(2).float()[None, None]
    assert torch.equal(vgg.features[at](board), torch.ones(1, 1, 4, 4))
    assert torch.equal(averaged.features[at](board), torch.full((1, 1, 4, 4), 0.5))
    others = [i for i in range(len(vgg.features)) if i != at]
    assert all(type(vgg.features[i]) is type(averaged.features[i]) for i in others)
    assert isinstance(vgg.features[at], torch.nn.MaxPool2d), "the given network stays as it is"
