"""Published files of RRDBNet → our state dict, on random weights."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from gansr.papers.esrgan import convert
from gansr.papers.esrgan.network import RRDBNet
from gansr.weights import WeightsError


def weights(blocks: int = 2) -> dict[str, Tensor]:
    torch.manual_seed(1)
    return RRDBNet(blocks=blocks).state_dict()


def ncnn_files(folder: Path, found: dict[str, Tensor], half: bool = True) -> tuple[Path, Path]:
    """As ncnn writes them: a line for each layer; tag, weights padded to 4 bytes, bias."""
    lines, data = ["7767517", "9 9", "Input input 0 1 data"], b""
    for name in (key.removesuffix(".weight") for key in found if key.endswith(".weight")):
        weight, bias = found[f"{name}.weight"].numpy(), found[f"{name}.bias"].numpy()
        lines.append(
            f"Convolution Conv_{len(lines)} 1 1 a b 0={len(bias)} 1=3 4=1 5=1 6={weight.size} 9=2 -23310=1,2.000000e-01"
        )
        lines.append("Split splitncnn_0 1 8 703 0=1 6=77")
        packed = weight.astype(np.float16 if half else np.float32).tobytes()
        data += (
            (convert.HALF if half else 0).to_bytes(4, "little")
            + packed
            + bytes(-len(packed) % 4)
            + bias.tobytes()
        )
    param, weights = folder / "net.param", folder / "net.bin"
    param.write_text("\n".join(lines) + "\n")
    weights.write_bytes(data)
    return param, weights


@pytest.mark.parametrize("half", [True, False])
def test_ncnns_files_are_read(tmp_path, half):
    given = weights()
    found = convert.ncnn(*ncnn_files(tmp_path, given, half))
    assert found.keys() == given.keys()
    for name, value in given.items():
        expected = value.half().float() if half and name.endswith("weight") else value
        assert torch.equal(found[name], expected), name
    RRDBNet(blocks=2).load_state_dict(found)


def test_a_damaged_file_of_ncnn_is_refused(tmp_path):
    param, data = ncnn_files(tmp_path, weights())
    whole = data.read_bytes()
    for changed, why in (
        (whole[:-4], "ends before conv_last"),
        (whole + bytes(4), "4 bytes more"),
        (b"\1\2\3\4" + whole[4:], "conv_first is stored in a form"),
    ):
        data.write_bytes(changed)
        with pytest.raises(WeightsError, match=why):
            convert.ncnn(param, data)
    param.write_text(re.sub(r"Convolution [^\n]*\n", "", param.read_text(), count=1))
    with pytest.raises(WeightsError, match="not RRDBNet: it has 35 convolutions"):
        convert.ncnn(param, data)


def first_naming(name: str) -> str:
    """ESRGAN's, by nn.Sequential."""
    name = re.sub(r"body\.(\d+)\.rdb(\d)\.conv(\d)", r"model.1.sub.\1.RDB\2.conv\3.0", name)
    places = {"conv_first": 0, "conv_up1": 3, "conv_up2": 6, "conv_hr": 8, "conv_last": 10}
    for ours, place in places.items():
        name = name.replace(f"{ours}.", f"model.{place}.")
    return name.replace("conv_body.", "model.1.sub.2.")


def second_naming(name: str) -> str:
    """ESRGAN's later one."""
    name = re.sub(r"body\.(\d+)\.rdb(\d)", r"RRDB_trunk.\1.RDB\2", name)
    return name.replace("conv_body", "trunk_conv").replace("conv_up", "upconv").replace("conv_hr", "HRconv")


@pytest.mark.parametrize(
    "wrapped",
    [lambda s: {"params_ema": s}, lambda s: {"params": s, "other": {}}, lambda s: s],
    ids=["ema", "params", "bare"],
)
@pytest.mark.parametrize("naming", [str, first_naming, second_naming])
def test_the_authors_files_are_read(tmp_path, naming, wrapped):
    given = weights()
    file = tmp_path / "net.pth"
    torch.save(wrapped({naming(name): value for name, value in given.items()}), file)
    found = convert.authors(file)
    assert found.keys() == given.keys() and all(
        torch.equal(found[name], value) for name, value in given.items()
    )


def test_an_unknown_key_is_named(tmp_path):
    torch.save({"conv_first.weight": torch.zeros(1), "conv_odd.weight": torch.zeros(1)}, tmp_path / "net.pth")
    with pytest.raises(WeightsError, match=r"conv_odd\.weight is unknown"):
        convert.authors(tmp_path / "net.pth")
