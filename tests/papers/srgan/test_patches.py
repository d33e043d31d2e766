"""The discriminator's map: tiles that do not show, and a linear layer that tells photographs from results."""

from __future__ import annotations

import pytest
import torch

from gansr.papers.srgan import patches
from gansr.papers.srgan.discriminator import Discriminator
from gansr.papers.srgan.patches import PatchDiscriminator, fitted, probabilities, whole
from tests.papers.srgan.random_nets import noise


def random_patches() -> PatchDiscriminator:
    torch.manual_seed(0)
    return PatchDiscriminator().eval().requires_grad_(False)


@pytest.mark.parametrize("height, width", [(160, 100), (16, 7), (97, 130)])
def test_tiles_give_the_map_of_the_whole_picture(monkeypatch: pytest.MonkeyPatch, height: int, width: int):
    net, picture = random_patches(), noise(3, height, width)
    whole = net(picture[None] * 2 - 1)[0, 0].sigmoid()
    assert whole.shape == (-(-height // 16), -(-width // 16))
    monkeypatch.setattr(patches, "TILE", 48)
    assert (probabilities(net, picture) - whole).abs().max() < 1e-5


def test_a_patch_sees_less_than_the_margin_of_a_tile():
    net, picture = random_patches(), noise(3, 128, 128)
    changed = picture.clone()
    changed[:, 64 + patches.REACH :] = 0
    before, after = probabilities(net, picture), probabilities(net, changed)
    assert torch.equal(before[:5], after[:5]) and not torch.equal(before[6:], after[6:])


@pytest.mark.parametrize("side", [32, 48])
def test_a_whole_discriminator_begins_with_the_mean_of_the_patches(side: int):
    """And goes on from there: its other units see the features, and its last layer has a gradient for all of them."""
    net, pictures = random_patches(), noise(2, 3, side, side) * 2 - 1
    with torch.no_grad():
        net.head.weight.mul_(50)  # logits of both signs
    made = whole(net, side).eval()
    wanted = net(pictures).mean((1, 2, 3))
    logits = made(pictures)
    assert logits.shape == (2, 1) and (logits[:, 0] - wanted).abs().max() < 1e-4 * wanted.abs().max()
    logits.sum().backward()
    last = made.classifier[2]
    assert isinstance(last, torch.nn.Linear) and last.weight.grad is not None
    assert (last.weight.grad != 0).float().mean() > 0.9


def test_the_linear_layer_learns_to_tell_photographs_from_results():
    """Noise stands for photographs and grey for results: held-out patches are told apart, and the map says so."""
    torch.manual_seed(0)
    discriminator = Discriminator(32).eval()
    draws = torch.Generator().manual_seed(0)
    shape = (2, 3, 32, 32)

    def batch() -> tuple[torch.Tensor, torch.Tensor]:
        return torch.randn(shape, generator=draws) * 0.5, torch.randn(shape, generator=draws) * 0.05

    net, right = fitted(discriminator, [batch() for _ in range(6)], [batch(), batch()])
    assert right == 1.0
    true, ours = batch()
    assert (net(true) > 0).all() and (net(ours) < 0).all()
    kept = discriminator.features.state_dict()
    assert all(torch.equal(value, kept[key]) for key, value in net.features.state_dict().items())
