"""StyleGAN2: the authors' numbers through the converter, and computations by hand on tiny sizes."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from gansr.nets.stylegan2 import Layer, Modulated, StyleGAN2, blur, upsample
from gansr.weights import WeightsError
from gansr.weights.converters.stylegan2 import from_rosinality, rosinality
from tests.support.golden import Golden

TO_ROSINALITY = (  # specs: mmagic's names are a pure rename of rosinality's
    (r"style_mapping\.(\d+)\.linear\.weight_orig", r"style.\1.weight"),
    (r"style_mapping\.(\d+)\.bias", r"style.\1.bias"),
    (r"constant_input\.input", "input.input"),
    (r"injected_noise_(\d+)", r"noises.noise_\1"),
    (r"(.+)\.conv\.weight_orig", r"\1.conv.weight"),
    (r"(.+)\.style_modulation\.linear\.weight_orig", r"\1.modulation.weight"),
    (r"(.+)\.style_modulation\.bias", r"\1.modulation.bias"),
    (r"(.+)\.noise_injector\.weight", r"\1.noise.weight"),
)


def rosinality_name(key: str) -> str:
    for pattern, ours in TO_ROSINALITY:
        if re.fullmatch(pattern, key):
            return re.sub(pattern, ours, key)
    return key


def loaded(state: dict[str, torch.Tensor], **config) -> StyleGAN2:
    with torch.device("meta"):
        net = StyleGAN2(**config)
    net.load_state_dict(state, strict=True, assign=True)
    return net.requires_grad_(False).eval()


def test_stylegan2_gives_the_authors_numbers():
    golden = Golden("glean_bank256")
    state = {rosinality_name(key): value for key, value in golden.state("bank").items()}
    net = loaded(from_rosinality(state), size=256)
    z = golden.tensor("glean/bank/z")
    w = net.mapping(z)
    golden.check("z.w", w)
    golden.check("z.image", net(z))
    rows = golden.tensor("glean/bank/latent")
    seen: dict[bool, list[torch.Tensor]] = {}

    def keep(layer: nn.Module, _: object, image: torch.Tensor) -> None:
        assert isinstance(layer, Layer)
        seen.setdefault(layer.conv.up, []).append(image)

    for layer in net.body.layers:
        layer.register_forward_hook(keep)
    image = net.synthesis(rows)
    golden.check("rows.image", image)
    golden.check("rows.feat4", seen[False][0][:, :8])
    for up, plain in zip(seen[True], seen[False][1:]):
        side = up.shape[-1]
        golden.check(f"rows.up{side}", up[:, :4])
        golden.check(f"rows.feat{side}", plain[:, :4])


def test_features_at_each_boundary_lead_to_the_same_picture():
    torch.manual_seed(0)
    net = StyleGAN2(size=32, style=16, mapping_layers=2, multiplier=1).requires_grad_(False)
    rows = torch.randn(2, net.style_rows, 16)
    whole = net.synthesis(rows)
    for upto in range(4):
        middle = net.first(rows[:, : 2 + 2 * upto], upto)
        assert middle.shape[1:] == (net.shapes[upto][0], net.shapes[upto][1], net.shapes[upto][1])
        torch.testing.assert_close(net.rest(middle, rows, upto), whole)


def test_the_files_noise_is_used_unless_other_noise_is_passed():
    torch.manual_seed(0)
    net = StyleGAN2(size=16, style=16, mapping_layers=1, multiplier=1).requires_grad_(False)
    layers = [layer for layer in net.body.layers if isinstance(layer, Layer)]
    for layer in layers:
        layer.strength.fill_(0.5)
    rows = torch.randn(1, net.style_rows, 16)
    own = [layer.noise for layer in layers if isinstance(layer.noise, torch.Tensor)]
    assert [n.shape[-1] for n in own] == list(net.noise_sides)
    assert torch.equal(net.synthesis(rows), net.synthesis(rows, own))
    assert not torch.allclose(net.synthesis(rows), net.synthesis(rows, [n + 1 for n in own]))


def test_modulated_convolution_by_hand():
    torch.manual_seed(0)
    conv = Modulated(2, 3, 3, 4, up=False).requires_grad_(False)
    x, row = torch.randn(1, 2, 3, 3), torch.randn(1, 4)
    s = (conv.style.weight @ row[0] + conv.style.bias).numpy()
    w = conv.weight.numpy() * s[None, :, None, None]
    w = w / np.sqrt((w**2).sum((1, 2, 3), keepdims=True) + 1e-8)  # the paper's order: on the weights
    padded = np.pad(x[0].numpy(), ((0, 0), (1, 1), (1, 1)))
    centre = sum(
        w[:, i, a, b] * padded[i, 1 + a, 1 + b] for i in range(2) for a in range(3) for b in range(3)
    )
    np.testing.assert_allclose(conv(x, row)[0, :, 1, 1], centre, rtol=1e-5)


def test_up_sampling_by_hand():
    """One pixel of value 1: the transposed convolution spreads its weights, the FIR smooths them."""
    conv = Modulated(1, 1, 3, 1, up=True, demodulate=False).requires_grad_(False)
    conv.weight.copy_(torch.arange(1.0, 10).view(1, 1, 3, 3))
    conv.style.weight.zero_()
    conv.style.bias.fill_(1)
    x = torch.zeros(1, 1, 2, 2)
    x[0, 0, 0, 0] = 1
    spread = np.zeros((5 + 2, 5 + 2))  # (2−1)·2+3 = 5, one zero around
    spread[1:4, 1:4] = np.arange(1, 10).reshape(3, 3)
    k = np.array([1, 3, 3, 1]) / 4
    wanted = [[(spread[y : y + 4, x : x + 4] * np.outer(k, k)).sum() for x in range(4)] for y in range(4)]
    np.testing.assert_allclose(conv(x, torch.zeros(1, 1))[0, 0], wanted, rtol=1e-6)


def test_fir_keeps_a_constant_and_upsampling_its_mean():
    flat = blur(torch.ones(1, 2, 8, 8), (2, 1))
    torch.testing.assert_close(flat[..., 2:-2, 2:-2], torch.full((1, 2, 4, 4), 4.0))  # the gain of ×4
    up = upsample(torch.ones(1, 3, 8, 8))
    torch.testing.assert_close(up[..., 2:-2, 2:-2], torch.ones(1, 3, 12, 12))


def test_upsampling_is_zeros_then_filter():
    x = torch.randn(1, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    wide = torch.zeros(1, 1, 8, 8)
    wide[..., ::2, ::2] = x
    k = torch.tensor([1.0, 3, 3, 1])
    kernel = (torch.outer(k, k) / 16)[None, None]
    torch.testing.assert_close(upsample(x), F.conv2d(F.pad(wide, (2, 1, 2, 1)), kernel))


def test_an_unknown_key_or_another_kernel_is_named(tmp_path):
    with pytest.raises(WeightsError, match=r"convs\.0\.strange"):
        from_rosinality({"convs.0.strange": torch.zeros(1)})
    with pytest.raises(WeightsError, match=r"convs\.0\.conv\.blur\.kernel"):
        from_rosinality({"convs.0.conv.blur.kernel": torch.ones(4, 4)})
    path = tmp_path / "other.pt"
    torch.save({"g_ema": {"weight": torch.zeros(1)}}, path)
    with pytest.raises(WeightsError, match=r"input\.input"):
        rosinality(path)
