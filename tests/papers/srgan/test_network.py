"""SRResNet: the five layouts against their authors' numbers, the recipes, and the form for inference."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gansr.papers.srgan import convert as srresnet
from gansr.papers.srgan.network import LAYOUTS, SRResNet, before_shuffle, blend, fast
from gansr.weights import WeightsError
from tests.support.golden import Golden

SMALL = {"blocks": 2, "width": 8}


def random_net(layout: str, scale: int = 4, seed: int = 0, **size: int) -> SRResNet:
    """A network whose norms and slopes are not the identity."""
    generator = torch.Generator().manual_seed(seed)
    net = SRResNet(layout, scale, **{**SMALL, **size}).eval().requires_grad_(False)
    for name, tensor in net.state_dict().items():
        if tensor.is_floating_point():
            noise = torch.randn(tensor.shape, generator=generator)
            spread = 1 / tensor[0].numel() ** 0.5 if tensor.ndim > 1 else 0.2
            tensor.copy_(noise * spread + (1 if "running_var" in name or ".norm" in name else 0))
            tensor.copy_(tensor.abs() if "running_var" in name else tensor)
    return net


def noise(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(7))


# ----------------------------------------------------------------------------------- against the authors' numbers


@pytest.mark.parametrize(
    "golden, layout, scales",
    [
        ("srgan_mmagic_msrresnet", "mmagic", (4, 2, 3)),
        ("srgan_basicsr_msrresnet", "basicsr", (4, 2, 3)),
        ("srgan_lornatang", "lornatang", (4, 2, 8)),
    ],
)
def test_a_file_of_the_authors_goes_through_its_recipe_and_gives_the_authors_picture(
    golden: str, layout: str, scales: tuple[int, ...], tmp_path: Path
):
    numbers = Golden(golden)
    wrapper = {"mmagic": "state_dict", "basicsr": "params_ema", "lornatang": "state_dict"}[layout]
    prefix = {"mmagic": "generator.", "basicsr": "", "lornatang": "_orig_mod."}[layout]
    for scale in scales:
        state = {prefix + key: tensor for key, tensor in numbers.state(f"x{scale}").items()}
        torch.save({wrapper: state, "epoch": 3}, tmp_path / "authors.pth")
        ours = getattr(srresnet, layout)(tmp_path / "authors.pth")
        net = SRResNet(**srresnet.config_of(layout, ours)).eval().requires_grad_(False)
        net.load_state_dict(ours)
        x = numbers.tensor("srgan/x24")
        numbers.check(f"x{scale}.out", net(x))
        numbers.check(f"x{scale}.out", fast(net)(x))


def test_the_layouts_have_as_many_parameters_as_the_authors_networks():
    published = {"lornatang": 1_547_350, "leftthomas": 734_219, "mmagic": 1_517_571, "basicsr": 1_517_571}
    for layout, count in published.items():
        assert sum(p.numel() for p in SRResNet(layout, 4).parameters()) == count


def test_basicsr_and_mmagic_differ_although_their_weights_fit_each_other():
    net, other = random_net("mmagic"), SRResNet("basicsr", 4, **SMALL).eval()
    other.load_state_dict(net.state_dict())
    assert (net(noise(1, 3, 9, 9)) - other(noise(1, 3, 9, 9))).abs().max() > 0.01


# ------------------------------------------------------------------------------------------------------ recipes


def leftthomas_state(net: SRResNet) -> dict[str, Tensor]:
    """Our state dict under the names of leftthomas/SRGAN (keys: block1 … block8)."""
    theirs = {}
    for key, tensor in net.state_dict().items():
        head, _, leaf = key.rpartition(".")
        parts = head.split(".")
        if parts[0] == "blocks":
            part = parts[2].replace("norm", "bn").replace("bend", "prelu")
            head = f"block{int(parts[1]) + 2}.{part}"
        elif parts[0] == "rises":
            head = f"block8.{parts[1]}.{parts[2].replace('bend', 'prelu')}"
        else:
            places = {"first": "block1.0", "first_bend": "block1.1", "middle": "block7.0"}
            head = {**places, "middle_norm": "block7.1", "last": f"block8.{len(net.rises)}"}[head]
        theirs[f"{head}.{leaf}"] = tensor
    return theirs


@pytest.mark.parametrize("scale", [2, 4, 8])
def test_leftthomas_keys_go_where_they_belong(scale: int, tmp_path: Path):
    net = random_net("leftthomas", scale, blocks=5)
    theirs = leftthomas_state(net)
    assert {"block2.bn1.running_var", "block8.0.prelu.weight", "block7.1.bias"} <= set(theirs)
    torch.save({f"module.{k}": v for k, v in theirs.items()}, tmp_path / "netG.pth")
    ours = srresnet.leftthomas(tmp_path / "netG.pth")
    assert all(torch.equal(ours[k], v) for k, v in net.state_dict().items())
    assert srresnet.config_of("leftthomas", ours) == {
        "layout": "leftthomas",
        "scale": scale,
        "blocks": 5,
        "width": 8,
    }


def keras_arrays(net: SRResNet) -> dict[str, np.ndarray]:
    """Our state dict as Keras would store it, written from TensorFlow's definitions."""
    convs = [m for m in net.modules() if isinstance(m, nn.Conv2d)]
    norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    bends = [m for m in net.modules() if isinstance(m, nn.PReLU)]
    arrays = {}
    for i, conv in enumerate(convs):
        kernel, bias = conv.weight.numpy(), conv.bias.numpy()  # type: ignore[union-attr]
        if any(conv is rise.conv for rise in net.rises):  # depth_to_space: channel (row·2 + column)·C + c
            order = [4 * c + p for p in range(4) for c in range(len(bias) // 4)]
            kernel, bias = kernel[order], bias[order]
        name = "conv2d" + f"_{i}" * (i > 0)
        arrays |= {f"{name}/{name}/kernel:0": kernel.transpose(2, 3, 1, 0), f"{name}/{name}/bias:0": bias}
    for i, norm in enumerate(norms):
        name = "batch_normalization_v1" + f"_{i}" * (i > 0)
        theirs = {"gamma": norm.weight, "beta": norm.bias, "moving_mean": norm.running_mean}
        theirs["moving_variance"] = norm.running_var
        arrays |= {f"{name}/{name}/{k}:0": v.numpy() for k, v in theirs.items()}  # type: ignore[union-attr]
    for i, bend in enumerate(bends):
        name = "p_re_lu" + f"_{i}" * (i > 0)
        arrays[f"{name}/{name}/alpha:0"] = bend.weight.numpy().reshape(1, 1, -1)
    return dict(sorted(arrays.items()))


def write_h5(path: Path, arrays: dict[str, np.ndarray]) -> Path:
    import h5py

    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array
    return path


def test_the_keras_recipe_turns_kernels_and_subpixels_as_tensorflow_means_them(tmp_path: Path):
    net = random_net("krasserm", 4, blocks=6)  # more than ten layers: conv2d_10 comes after conv2d_9
    ours = srresnet.krasserm(write_h5(tmp_path / "generator.h5", keras_arrays(net)))
    assert set(ours) == set(net.state_dict())
    assert all(torch.equal(ours[k], v) for k, v in net.state_dict().items())


def test_a_keras_file_with_a_layer_too_few_is_refused(tmp_path: Path):
    arrays = keras_arrays(random_net("krasserm"))
    few = {k: v for k, v in arrays.items() if not k.startswith("batch_normalization_v1_4/")}
    with pytest.raises(WeightsError, match="4 batch norms"):
        srresnet.krasserm(write_h5(tmp_path / "few.h5", few))
    other = arrays | {"dense/dense/kernel:0": np.zeros((2, 2), np.float32)}
    with pytest.raises(WeightsError, match="dense/dense/kernel:0 is no layer"):
        srresnet.krasserm(write_h5(tmp_path / "other.h5", other))


def test_a_key_that_does_not_fit_is_named(tmp_path: Path):
    state = leftthomas_state(random_net("leftthomas", blocks=5))
    torch.save({**state, "block9.weight": torch.zeros(1)}, tmp_path / "more.pth")
    with pytest.raises(WeightsError, match=r"not those of a leftthomas SRResNet: block9\.weight"):
        srresnet.leftthomas(tmp_path / "more.pth")
    del state["block8.1.conv.bias"]
    torch.save(state, tmp_path / "fewer.pth")
    with pytest.raises(WeightsError, match=r"also needs rises\.1\.conv\.bias"):
        srresnet.leftthomas(tmp_path / "fewer.pth")
    with pytest.raises(WeightsError, match="not those of a mmagic SRResNet"):
        srresnet.mmagic(tmp_path / "more.pth")


def test_a_shape_that_does_not_fit_is_named(tmp_path: Path):
    state = leftthomas_state(random_net("leftthomas", blocks=5))
    torch.save({**state, "block7.0.weight": torch.zeros(8, 8, 5, 5)}, tmp_path / "netG.pth")
    with pytest.raises(WeightsError, match=r"middle\.weight has shape \(8, 8, 5, 5\)"):
        srresnet.leftthomas(tmp_path / "netG.pth")


# ----------------------------------------------------------------------------------------- the form for inference


@pytest.mark.parametrize("layout", list(LAYOUTS))
@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_the_fast_form_is_the_same_function(layout: str, scale: int):
    net, x = random_net(layout, scale), noise(2, 3, 19, 13)
    plain, quick = net(x), fast(net)(x)
    assert quick.dtype == torch.float32 and quick.shape == plain.shape == (2, 3, 19 * scale, 13 * scale)
    assert plain.std() > 0.01
    assert (plain - quick).abs().max() <= 1e-5


@pytest.mark.parametrize("layout", list(LAYOUTS))
def test_a_region_is_the_part_cut_out_of_the_whole(layout: str):
    net, x = random_net(layout), noise(1, 3, 47, 31)
    whole, quick = net(x), fast(net)
    for rows, columns in (((0, 11), (0, 31)), ((20, 33), (9, 10)), ((46, 47), (17, 31))):
        part = quick.region(x, rows, columns)
        cut = whole[..., 4 * rows[0] : 4 * rows[1], 4 * columns[0] : 4 * columns[1]]
        assert (part - cut).abs().max() <= 1e-5


@pytest.mark.parametrize("layout", list(LAYOUTS))
def test_strips_and_patches_do_not_show(layout: str, monkeypatch: pytest.MonkeyPatch):
    net, x = random_net(layout), noise(2, 3, 37, 21)
    whole = fast(net)(x)
    for name, value in (("STRIP", 1), ("PATCH", 1), ("ACROSS", 9)):
        monkeypatch.setattr(f"gansr.papers.srgan.network.{name}", value)
    assert (fast(net)(x) - whole).abs().max() <= 1e-6


@pytest.mark.parametrize("layout", ["krasserm", "mmagic"])
@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_the_radius_is_what_an_output_pixel_depends_on_and_no_more(layout: str, scale: int):
    net, middle = random_net(layout, scale), 30
    x = noise(1, 3, 61, 61).requires_grad_()
    cell = net(x)[..., middle * scale : (middle + 1) * scale, middle * scale : (middle + 1) * scale]
    (reach,) = torch.autograd.grad(cell.sum(), x)
    seen = reach.abs().sum((0, 1, 2)).nonzero().flatten()
    assert (middle - int(seen.min()), int(seen.max()) - middle) == (net.radius, net.radius)


def test_the_published_networks_radii():
    assert [SRResNet(layout).radius for layout in LAYOUTS] == [40, 40, 18, 35, 35]


@pytest.mark.parametrize("kernel, factor", [(9, 2), (9, 3), (3, 2), (5, 4), (1, 2)])
def test_a_convolution_moves_in_front_of_the_shuffle(kernel: int, factor: int):
    torch.manual_seed(3)
    conv = nn.Conv2d(4, 3, kernel, padding=kernel // 2)
    x = noise(1, 4 * factor**2, 7, 5)
    behind = conv(nn.functional.pixel_shuffle(x, factor))
    before = nn.functional.pixel_shuffle(before_shuffle(conv, factor)(x), factor)
    assert torch.allclose(behind, before, atol=1e-5)


def test_bfloat16_stays_near_the_exact_picture():
    net, x = random_net("lornatang", width=16), noise(1, 3, 24, 24)
    rough = fast(net, torch.bfloat16)(x)
    assert rough.dtype == torch.float32
    assert 0 < (rough - net(x)).abs().mean() < 0.01


def test_the_network_itself_is_left_as_it_was():
    net = random_net("krasserm")
    before = {k: v.clone() for k, v in net.state_dict().items()}
    fast(net, torch.bfloat16)(noise(1, 3, 9, 9))
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())


# --------------------------------------------------------------------------------------------------------- blend


def test_a_blend_goes_from_one_network_to_the_other():
    one, other, x = random_net("krasserm", seed=1), random_net("krasserm", seed=2), noise(1, 3, 9, 9)
    assert torch.equal(blend(one, other, 0.0)(x), one(x))
    assert torch.allclose(blend(one, other, 1.0)(x), other(x), atol=1e-6)
    half = blend(one, other, 0.5).first.weight
    assert torch.allclose(half, (one.first.weight + other.first.weight) / 2)


@pytest.mark.parametrize("other", [("lornatang", 4), ("krasserm", 2)])
def test_networks_that_are_not_the_same_are_not_blended(other: tuple[str, int]):
    with pytest.raises(ValueError, match="same layout and scale"):
        blend(random_net("krasserm"), random_net(*other), 0.5)


def test_unknown_layouts_and_scales_are_refused():
    with pytest.raises(ValueError, match="no SRResNet layout is called 'edsr'"):
        SRResNet("edsr")
    with pytest.raises(ValueError, match="2, 3, 4 or 8 times, not 5"):
        SRResNet("krasserm", 5)
