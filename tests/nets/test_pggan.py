"""PGGAN: the authors' numbers, the formulae step by step, both namings of its files, its boundaries."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from gansr.nets.pggan import PGGAN, upsampling_kernel
from gansr.weights import WeightsError, entries
from gansr.weights.converters.pggan import folded, genforce
from tests.support.golden import Golden

TINY = {"size": 16, "style": 8, "width": 64}  # channels 8, 8, 4


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def authors(naming: str) -> dict[str, Tensor]:
    """A tiny generator's file as its authors write it: weights of deviation 1, an RGB output per resolution."""
    conv, bias = ("conv.weight", "wscale.bias") if naming == "higan" else ("weight", "bias")
    widths = [8, 8, 8, 8, 8, 4, 4]
    state = {"lod": torch.tensor(0.0)}
    for i in range(6):
        side = 4 if i == 0 else 3
        state[f"layer{i}.{conv}"] = draw(widths[i + 1], widths[i], side, side, seed=i)
        state[f"layer{i}.{bias}"] = draw(widths[i + 1], seed=20 + i) / 10
    for j, channels in enumerate((8, 8, 4)):
        state[f"output{j}.{conv}"] = draw(3, channels, 1, 1, seed=40 + j)
        state[f"output{j}.{bias}"] = draw(3, seed=60 + j) / 10
    return state


def formulae(state: dict[str, Tensor], z: Tensor) -> list[Tensor]:
    """The specification, a step per line, on the file's own tensors: features after each block, then the picture."""
    x, after = z[:, :, None, None].double(), []
    for i in range(6):
        x = x / (x.square().mean(1, keepdim=True) + 1e-8).sqrt()
        x = F.interpolate(x, scale_factor=2, mode="nearest") if i in (2, 4) else x
        weight = state[f"layer{i}.conv.weight"].double()
        x = F.conv2d(x, weight, padding=3 if i == 0 else 1)
        x = x * math.sqrt(2) / math.sqrt(weight.shape[1] * weight.shape[2] ** 2)
        x = x + state[f"layer{i}.wscale.bias"].double()[None, :, None, None]
        x = torch.where(x > 0, x, 0.2 * x)
        after.append(x)
    x = x / (x.square().mean(1, keepdim=True) + 1e-8).sqrt()
    x = F.conv2d(x, state["output2.conv.weight"].double()) / math.sqrt(4)
    return [*after, x + state["output2.wscale.bias"].double()[None, :, None, None]]


@pytest.mark.parametrize("naming", ["higan", "genforce"])
def test_a_file_of_either_naming_gives_the_picture_of_the_formulae(naming: str, tmp_path):
    torch.save(authors(naming), tmp_path / "theirs.pth")
    net = PGGAN(**TINY).eval().requires_grad_(False)
    net.load_state_dict(genforce(tmp_path / "theirs.pth"))
    z = draw(2, 8, seed=99)
    *after, picture = formulae(authors("higan"), z)
    for upto, wanted in enumerate(after, 1):
        torch.testing.assert_close(net.first(z, upto), wanted.float(), atol=2e-6, rtol=1e-5)
        torch.testing.assert_close(net.rest(wanted.float(), upto), picture.float(), atol=5e-5, rtol=1e-4)
    torch.testing.assert_close(net(z), picture.float(), atol=5e-5, rtol=1e-4)


def test_converted_weights_give_the_authors_numbers():
    golden = Golden("mganprior_pggan256")
    net = PGGAN(256).eval().requires_grad_(False)
    net.load_state_dict(folded(golden.state("pggan256")))
    z = golden.tensor("mgan/z")
    for module in (0, 1, 2, 5, 8):
        golden.check(f"pggan.module{module}", net.first(z[:1], module + 1)[:, :16])
    golden.check("pggan.out", net(z))


def test_upsampling_and_convolution_are_one_transposed_convolution_at_the_border_too():
    x, weight = draw(2, 5, 6, 7), draw(3, 5, 3, 3, seed=1)
    plain = F.conv2d(F.interpolate(x, scale_factor=2, mode="nearest"), weight, padding=1)
    torch.testing.assert_close(
        F.conv_transpose2d(x, upsampling_kernel(weight), stride=2, padding=1), plain, atol=1e-5, rtol=1e-5
    )


def test_composing_layers_have_the_papers_resolutions():
    shapes = PGGAN(32, style=8, width=64).shapes
    assert [side for _, side in shapes] == [1, 4, 4, 8, 8, 16, 16, 32, 32]
    with torch.device("meta"):
        full = PGGAN(1024)
    table = {2: (512, 4), 4: (512, 8), 6: (512, 16), 8: (512, 32), 10: (256, 64), 12: (128, 128)}
    table |= {14: (64, 256), 16: (32, 512), 18: (16, 1024)}
    assert {layer: full.shapes[layer] for layer in table} == table
    assert sum(p.numel() for p in full.parameters()) == 23_079_116 - 1 - _inner_pictures(1024)


def _inner_pictures(size: int) -> int:
    """Values of the RGB outputs at the resolutions before the last, which we leave out."""
    channels = {4: 512, 8: 512, 16: 512, 32: 512, 64: 256, 128: 128, 256: 64, 512: 32, 1024: 16}
    return sum(3 * c + 3 for side, c in channels.items() if side < size)


def test_missing_and_unknown_layers_of_a_file_are_named():
    state = authors("genforce")
    del state["layer3.bias"]
    with pytest.raises(WeightsError, match=r"layer3\.bias"):
        folded(state)
    with pytest.raises(WeightsError, match="mapping"):
        folded(authors("genforce") | {"mapping.weight": torch.zeros(2, 2)})
    with pytest.raises(WeightsError, match="not a PGGAN"):
        folded({})


def test_every_pggan_of_the_manifest_builds_this_net():
    named = {name: entry for name, entry in entries().items() if entry.net == "gansr.nets.pggan:PGGAN"}
    assert named
    for entry in named.values():
        with torch.device("meta"):
            assert PGGAN(**entry.config).side == entry.config["size"]
