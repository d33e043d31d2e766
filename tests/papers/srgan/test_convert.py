"""The converters of SRResNet weights: the authors' numbers, key names, Keras's order, errors in words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gansr.papers.srgan import convert
from gansr.papers.srgan.network import SRResNet
from gansr.papers.srgan.optimised import optimise
from gansr.weights import WeightsError
from tests.papers.srgan.random_nets import random_net
from tests.support.golden import Golden


@pytest.mark.parametrize(
    "golden, layout, scales",
    [
        ("srgan_mmagic_msrresnet", "mmagic", (4, 2, 3)),
        ("srgan_basicsr_msrresnet", "basicsr", (4, 2, 3)),
        ("srgan_lornatang", "lornatang", (4, 2, 8)),
    ],
)
def test_a_file_of_the_authors_goes_through_its_converter_and_gives_the_authors_picture(
    golden: str, layout: str, scales: tuple[int, ...], tmp_path: Path
):
    numbers = Golden(golden)
    wrapper = {"mmagic": "state_dict", "basicsr": "params_ema", "lornatang": "state_dict"}[layout]
    prefix = {"mmagic": "generator.", "basicsr": "", "lornatang": "_orig_mod."}[layout]
    for scale in scales:
        state = {prefix + key: tensor for key, tensor in numbers.state(f"x{scale}").items()}
        torch.save({wrapper: state, "epoch": 3}, tmp_path / "authors.pth")
        ours = getattr(convert, layout)(tmp_path / "authors.pth")
        net = SRResNet(**convert.config_of(layout, ours)).eval().requires_grad_(False)
        net.load_state_dict(ours)
        x = numbers.tensor("srgan/x24")
        numbers.check(f"x{scale}.out", net(x))
        numbers.check(f"x{scale}.out", optimise(net)(x))


def leftthomas_state(net: SRResNet) -> dict[str, Tensor]:
    """Our state dict under the names of leftthomas/SRGAN (keys: block1 … block8)."""
    theirs = {}
    for key, tensor in net.state_dict().items():
        head, _, leaf = key.rpartition(".")
        parts = head.split(".")
        if parts[0] == "blocks":
            part = parts[2].replace("norm", "bn").replace("activation", "prelu")
            head = f"block{int(parts[1]) + 2}.{part}"
        elif parts[0] == "upsamples":
            head = f"block8.{parts[1]}.{parts[2].replace('activation', 'prelu')}"
        else:
            places = {"first": "block1.0", "first_activation": "block1.1", "middle": "block7.0"}
            head = {**places, "middle_norm": "block7.1", "last": f"block8.{len(net.upsamples)}"}[head]
        theirs[f"{head}.{leaf}"] = tensor
    return theirs


@pytest.mark.parametrize("scale", [2, 4, 8])
def test_leftthomas_keys_go_where_they_belong(scale: int, tmp_path: Path):
    net = random_net("leftthomas", scale, blocks=5)
    theirs = leftthomas_state(net)
    assert {"block2.bn1.running_var", "block8.0.prelu.weight", "block7.1.bias"} <= set(theirs)
    torch.save({f"module.{k}": v for k, v in theirs.items()}, tmp_path / "netG.pth")
    ours = convert.leftthomas(tmp_path / "netG.pth")
    assert all(torch.equal(ours[k], v) for k, v in net.state_dict().items())
    assert convert.config_of("leftthomas", ours) == {
        "layout": "leftthomas",
        "scale": scale,
        "blocks": 5,
        "width": 8,
    }


def keras_arrays(net: SRResNet) -> dict[str, np.ndarray]:
    """Our state dict as Keras would store it, written from TensorFlow's definitions."""
    convs = [m for m in net.modules() if isinstance(m, nn.Conv2d)]
    norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    activations = [m for m in net.modules() if isinstance(m, nn.PReLU)]
    arrays = {}
    for i, conv in enumerate(convs):
        kernel, bias = conv.weight.numpy(), conv.bias.numpy()  # type: ignore[union-attr]
        if any(
            conv is upsample.conv for upsample in net.upsamples
        ):  # depth_to_space: channel (row·2 + column)·C + c
            order = [4 * c + p for p in range(4) for c in range(len(bias) // 4)]
            kernel, bias = kernel[order], bias[order]
        name = "conv2d" + f"_{i}" * (i > 0)
        arrays |= {f"{name}/{name}/kernel:0": kernel.transpose(2, 3, 1, 0), f"{name}/{name}/bias:0": bias}
    for i, norm in enumerate(norms):
        name = "batch_normalization_v1" + f"_{i}" * (i > 0)
        theirs = {"gamma": norm.weight, "beta": norm.bias, "moving_mean": norm.running_mean}
        theirs["moving_variance"] = norm.running_var
        arrays |= {f"{name}/{name}/{k}:0": v.numpy() for k, v in theirs.items()}  # type: ignore[union-attr]
    for i, activation in enumerate(activations):
        name = "p_re_lu" + f"_{i}" * (i > 0)
        arrays[f"{name}/{name}/alpha:0"] = activation.weight.numpy().reshape(1, 1, -1)
    return dict(sorted(arrays.items()))


def write_h5(path: Path, arrays: dict[str, np.ndarray]) -> Path:
    import h5py

    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array
    return path


def test_the_keras_converter_reorders_kernels_and_subpixels_as_tensorflow_defines_them(tmp_path: Path):
    net = random_net("krasserm", 4, blocks=6)  # more than ten layers: conv2d_10 comes after conv2d_9
    ours = convert.krasserm(write_h5(tmp_path / "generator.h5", keras_arrays(net)))
    assert set(ours) == set(net.state_dict())
    assert all(torch.equal(ours[k], v) for k, v in net.state_dict().items())


def test_a_keras_file_with_a_layer_too_few_is_refused(tmp_path: Path):
    arrays = keras_arrays(random_net("krasserm"))
    few = {k: v for k, v in arrays.items() if not k.startswith("batch_normalization_v1_4/")}
    with pytest.raises(WeightsError, match="4 batch norms"):
        convert.krasserm(write_h5(tmp_path / "few.h5", few))
    other = arrays | {"dense/dense/kernel:0": np.zeros((2, 2), np.float32)}
    with pytest.raises(WeightsError, match="dense/dense/kernel:0 is no layer"):
        convert.krasserm(write_h5(tmp_path / "other.h5", other))


def test_a_key_that_does_not_fit_is_named(tmp_path: Path):
    state = leftthomas_state(random_net("leftthomas", blocks=5))
    torch.save({**state, "block9.weight": torch.zeros(1)}, tmp_path / "more.pth")
    with pytest.raises(WeightsError, match=r"not those of a leftthomas SRResNet: block9\.weight"):
        convert.leftthomas(tmp_path / "more.pth")
    del state["block8.1.conv.bias"]
    torch.save(state, tmp_path / "fewer.pth")
    with pytest.raises(WeightsError, match=r"also needs upsamples\.1\.conv\.bias"):
        convert.leftthomas(tmp_path / "fewer.pth")
    with pytest.raises(WeightsError, match="not those of a mmagic SRResNet"):
        convert.mmagic(tmp_path / "more.pth")


def test_a_shape_that_does_not_fit_is_named(tmp_path: Path):
    state = leftthomas_state(random_net("leftthomas", blocks=5))
    torch.save({**state, "block7.0.weight": torch.zeros(8, 8, 5, 5)}, tmp_path / "netG.pth")
    with pytest.raises(WeightsError, match=r"middle\.weight has shape \(8, 8, 5, 5\)"):
        convert.leftthomas(tmp_path / "netG.pth")
