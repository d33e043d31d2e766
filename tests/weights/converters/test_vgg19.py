"""VGG19 as AdaIN's file has it: its numbering, what is refused, and the file of the registry."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from gansr.nets.vgg import Vgg19
from gansr.picture import open_picture
from gansr.weights import WeightsError
from gansr.weights.converters.vgg19 import NUMBERS, normalised
from tests.conftest import ROOT


def adains(net: Vgg19) -> dict[str, torch.Tensor]:
    """The state of a network under AdaIN's numbers."""
    back = {f"features.{ours}": theirs for theirs, ours in NUMBERS.items()} | {"colours": 0}
    return {
        f"{back[key.rpartition('.')[0]]}.{key.rpartition('.')[2]}": tensor
        for key, tensor in net.state_dict().items()
    }


@pytest.fixture
def file(tmp_path) -> Path:
    torch.save(adains(Vgg19()), tmp_path / "vgg_normalized.pth")
    return tmp_path / "vgg_normalized.pth"


def test_adains_numbers_count_a_padding_before_each_convolution():
    """conv1_1 is behind the colours and a padding; each convolution takes a padding, itself and a ReLU."""
    at, expected = 2, []
    for count in (2, 2, 4, 4, 4):
        for _ in range(count):
            expected.append(at)
            at += 3
        at += 1  # the pooling
    assert list(NUMBERS) == expected
    assert expected[3] == 12 and expected[-1] == 51  # conv2_2 and conv5_4


def test_a_file_becomes_the_state_of_our_network(file):
    state = normalised(file)
    Vgg19().load_state_dict(state, strict=True)
    theirs = torch.load(file, weights_only=True)
    assert torch.equal(state["features.34.weight"], theirs["51.weight"])


@pytest.mark.parametrize("change", ["missing", "unknown"])
def test_another_file_is_refused_with_the_name_that_does_not_fit(file, change):
    state = torch.load(file, weights_only=True)
    if change == "missing":
        del state["12.bias"]
    else:
        state["53.bias"] = torch.zeros(1)
    torch.save(state, file)
    with pytest.raises(WeightsError, match=re.escape("12.bias" if change == "missing" else "53.bias")):
        normalised(file)


@pytest.mark.weights
def test_the_registrys_file_has_normalised_activations(weights_of):
    """The mean activation of a convolution is about 1 on pictures; torchvision's are another scale."""
    net = weights_of("vgg19-normalised")
    x = open_picture(ROOT / "assets" / "examples" / "chelsea.png").rgb[None, :, :224, :224]
    with torch.no_grad():
        means = [float(net(x, end).mean()) for end in (2, 9, 18, 27, 36)]
    assert all(0.3 < mean < 2 for mean in means), means
