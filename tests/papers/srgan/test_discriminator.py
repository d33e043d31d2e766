"""The discriminator: the authors' keys and numbers, its size, and the sides that it takes."""

from __future__ import annotations

import pytest
import torch

from gansr.papers.srgan.discriminator import Discriminator
from tests.support.golden import Golden

SMALL = {"widths": (4, 4, 8, 8, 8, 8, 8, 8), "dense": 16}


def test_it_has_as_many_parameters_as_the_papers():
    with torch.device("meta"):
        assert sum(p.numel() for p in Discriminator().parameters()) == 23_563_649


def test_it_gives_the_numbers_of_lornatangs_network():
    numbers = Golden("srgan_lornatang")
    net = Discriminator()
    net.load_state_dict(numbers.state("D"))
    x = numbers.tensor("srgan/x96")
    with torch.no_grad():
        numbers.check("D.features", net.eval().features(x))
        numbers.check("D.logits_eval", net(x))
        numbers.check("D.logits_train", net.train()(x))


def test_its_side_is_fixed_unless_it_is_pooled():
    fixed, pooled = Discriminator(32, **SMALL), Discriminator(32, pooled=True, **SMALL)
    assert fixed(torch.rand(2, 3, 32, 32)).shape == (2, 1)
    with pytest.raises(ValueError, match="takes 32×32 px, not 48×40"):
        fixed(torch.rand(1, 3, 40, 48))
    assert pooled(torch.rand(2, 3, 40, 48)).shape == (2, 1)
    with pytest.raises(ValueError, match="multiple of 16 px a side, not 40"):
        Discriminator(40)


def test_pooling_changes_nothing_at_its_own_side():
    fixed, pooled = Discriminator(32, **SMALL).eval(), Discriminator(32, pooled=True, **SMALL).eval()
    pooled.load_state_dict(fixed.state_dict())
    x = torch.rand(2, 3, 32, 32)
    assert torch.allclose(fixed(x), pooled(x))
