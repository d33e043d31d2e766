"""StyleGAN1: equal to the authors' numbers (at 1024 if ../shared exists); small networks for the rest."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from gansr.nets.stylegan1 import Epilogue, StyleGAN1
from gansr.ops import sphere
from gansr.weights import WeightsError
from gansr.weights.converters.stylegan1 import _transposed, from_pulse
from tests.support.golden import Golden


def tiny() -> StyleGAN1:
    torch.manual_seed(0)
    return StyleGAN1(channels=(8, 6, 4), style=12, mapping_layers=2).requires_grad_(False).eval()


def test_mapping_equals_the_authors_numbers():
    golden = Golden("pulse_mapping")
    state = golden.state("mapping")
    synthesis = {"torgb.weight": torch.zeros(3, 16, 1, 1), "torgb.bias": torch.zeros(3)}
    ours = from_pulse(synthesis, state)
    net = StyleGAN1(channels=(4,))
    net.mapping.load_state_dict({k[8:]: v for k, v in ours.items() if k.startswith("mapping.")})
    w = net.mapping(golden.tensor("pulse/m/z"))
    golden.check("w", w)
    golden.check("w_unrelu", sphere.before_activation(w))


@pytest.fixture(scope="module")
def published():
    golden = Golden("pulse_synthesis")
    mapping = {
        f"dense{i}.{p}": torch.zeros(*s)
        for i in range(8)
        for p, s in (("weight", (512, 512)), ("bias", (512,)))
    }
    net = StyleGAN1().requires_grad_(False).eval()
    net.load_state_dict(from_pulse(golden.state("synthesis"), mapping))
    return golden, net


@torch.no_grad()
def test_synthesis_at_1024_equals_the_authors_numbers(published):
    golden, net = published
    rows = golden.tensor("pulse/s/w")
    noises = [golden.tensor(f"pulse/s/noise{i}") for i in range(18)]
    x = net.first(rows, 0, noises)
    for k, (_, side) in enumerate(net.shapes):
        x = x if k == 0 else net._between(x, rows, k - 1, k, noises)
        golden.check(f"feat.{side}x{side}", x[:, :8])
    golden.check("image", net.to_rgb(x))


@pytest.mark.parametrize("side", [8, 128])
def test_up_convolution_is_doubling_and_a_plain_convolution(side: int):
    g = torch.Generator().manual_seed(1)
    x, weight = torch.randn(1, 3, 5, 5, generator=g), torch.randn(4, 3, 3, 3, generator=g)
    doubled = x.repeat_interleave(2, 2).repeat_interleave(2, 3)
    plain = weight if side < 128 else weight.flip(2, 3)  # the file's large kernels are stored rotated
    expected = F.conv2d(doubled, plain, padding=1)
    got = F.conv_transpose2d(x, _transposed(weight, side), stride=2, padding=1)
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-5)


def test_epilogue_is_instance_norm_of_each_picture_then_its_style():
    net = tiny()
    g = torch.Generator().manual_seed(2)
    x, row = torch.randn(2, 8, 4, 4, generator=g), torch.randn(2, 12, generator=g)
    epilogue = net.blocks[0].epilogue1
    assert isinstance(epilogue, Epilogue)
    epilogue.strength.fill_(0.5)
    noise = torch.randn(2, 1, 4, 4, generator=g)
    y = F.instance_norm(F.leaky_relu(x + 0.5 * noise, 0.2), eps=1e-5)
    s = epilogue.style(row).view(2, 2, 8, 1, 1)
    torch.testing.assert_close(epilogue(x, row, noise), y * (s[:, 0] + 1) + s[:, 1], rtol=1e-4, atol=1e-5)


def test_first_and_rest_compose_to_the_whole():
    net = tiny()
    rows = torch.randn(2, 6, 12, generator=torch.Generator().manual_seed(3))
    assert (net.side, net.noise_sides) == (16, (4, 4, 8, 8, 16, 16))
    for k, shape in enumerate(net.shapes):
        features = net.first(rows[:, : 2 + 2 * k], k)
        assert features.shape[1:] == (shape[0], shape[1], shape[1])
        assert torch.equal(net.rest(features, rows, k), net.synthesis(rows))


def test_converter_names_a_missing_or_unknown_key():
    mapping = {"dense0.weight": torch.zeros(2, 2), "dense0.bias": torch.zeros(2)}
    with pytest.raises(WeightsError, match=r"torgb\.weight is missing"):
        from_pulse({}, mapping)
    synthesis = {"torgb.weight": torch.zeros(3, 4, 1, 1), "torgb.bias": torch.zeros(3), "lod": torch.zeros(1)}
    with pytest.raises(WeightsError, match="lod"):
        from_pulse(synthesis, mapping)
    with pytest.raises(WeightsError, match="extra"):
        from_pulse({k: v for k, v in synthesis.items() if k != "lod"}, mapping | {"extra": torch.zeros(1)})
