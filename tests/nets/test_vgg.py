"""VGG19's layers, which SRGAN's content losses use; VGG16's are tested with LPIPS."""

from __future__ import annotations

import torch

from gansr.nets.vgg import Vgg16, Vgg19


def test_its_layers_are_numbered_as_torchvisions():
    with torch.device("meta"):
        net = Vgg19()
    convolutions = [
        int(key.split(".")[1]) for key in net.state_dict() if key.startswith("features") and "bias" in key
    ]
    assert convolutions == [0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34]
    assert sum(p.numel() for p in net.features.parameters()) == 20_024_384  # of vgg19().features


def test_the_ends_are_behind_the_relus_of_conv2_2_and_conv5_4():
    net = Vgg19()
    x = torch.rand(1, 3, 32, 32)
    assert net(x, 9).shape == (1, 128, 16, 16) and net(x).shape == (1, 512, 2, 2)
    assert bool((net(x, 9) >= 0).all()) and bool((net(x, 8) < 0).any())


def test_its_first_stage_is_that_of_vgg16_with_the_standardisation_as_colours():
    theirs, ours = Vgg16(9), Vgg19(9)
    ours.features.load_state_dict(theirs.features.state_dict())
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    ours.colours.load_state_dict(
        {"weight": torch.diag(1 / deviation)[..., None, None], "bias": -mean / deviation}
    )
    x = torch.rand(1, 3, 32, 32)
    assert torch.allclose(ours(x, 9), theirs(x, (9,))[0], atol=1e-5)
