"""A network of the user's own: what is read of its file, what is refused, and that a run computes with it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from gansr import receipt
from gansr.engine import Engine
from gansr.method import Nets
from gansr.options import OptionError, parse_options
from gansr.papers.srgan import SRGAN, own
from gansr.papers.srgan.network import SRResNet
from gansr.papers.srgan.train import exported
from gansr.pipeline import Pipeline
from gansr.request import decode
from gansr.weights.tensors import serialise
from tests.papers.srgan.random_nets import SMALL, noise, random_net
from tests.support.comparing import picture


@pytest.fixture(autouse=True)
def small_networks(monkeypatch) -> Iterator[None]:
    """Networks of the same layout, small."""
    monkeypatch.setattr(own, "SRResNet", lambda layout, scale: SRResNet(layout, scale, **SMALL))
    own.shapes.cache_clear()
    yield
    own.shapes.cache_clear()


def halved(seed: int = 0) -> SRResNet:
    """A network whose values are those that its file holds."""
    net = random_net("krasserm", seed=seed)
    net.load_state_dict({name: value.half().float() for name, value in net.state_dict().items()})
    return net


def written(folder: Path, content: bytes, name: str = "model.safetensors") -> Path:
    (folder / name).write_bytes(content)
    return folder / name


def result(nets: Nets, low: Tensor, **options: Any) -> Tensor:
    return list(SRGAN.run(low, parse_options(SRGAN.options, options), nets, torch.Generator()))[-1].image


def test_a_network_read_from_its_file_gives_the_picture_of_the_network(tmp_path):
    net, low = halved(), noise(3, 20, 14)
    path = written(tmp_path, exported(net))
    expected = result(Nets({"srgan": net}), low)
    assert torch.equal(result(Nets(), low, model="own", network=str(path)), expected)
    read = own.network_of(own.read_network(path))
    ours, theirs = read.state_dict(), net.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in own.shapes())
    assert not read.training and not any(each.requires_grad for each in read.parameters())


def test_nothing_of_the_manifest_is_loaded_and_the_factor_is_four():
    options = parse_options(SRGAN.options, {"model": "own", "srgan": "srgan-lornatang-x2"})
    assert SRGAN.needs(SRGAN, options) == {} and SRGAN.scale(SRGAN, options) == 4
    assert SRGAN.cost(10, 10, options) == SRGAN.cost(10, 10, parse_options(SRGAN.options, {}))


def test_two_networks_are_not_taken_for_each_other_and_one_is_prepared_once(tmp_path):
    nets, low = Nets(), noise(3, 9, 8)
    values = [
        own.read_network(written(tmp_path, exported(halved(seed)), f"{seed}.safetensors")) for seed in (0, 1)
    ]
    first, other = (result(nets, low, model="own", network=value) for value in values)
    assert not torch.equal(first, other)
    assert torch.equal(result(nets, low, model="own", network=values[0].clone()), first)
    kept = own.optimised_own(values[0], nets, low.device)
    assert own.optimised_own(values[0].clone(), nets, low.device) is kept


def test_a_file_of_float32_is_rounded_to_float16(tmp_path):
    net = random_net("krasserm")
    values = own.read_network(written(tmp_path, serialise(net.state_dict())))
    assert torch.equal(values, own.read_network(written(tmp_path, exported(net))))


# ------------------------------------------------------------------------------------------ what is refused


def state() -> dict[str, Tensor]:
    return halved().state_dict()


def with_header(content: dict[str, Any], payload: bytes = b"") -> bytes:
    text = json.dumps(content).encode()
    return len(text).to_bytes(8, "little") + text + payload


BAD: tuple[tuple[Any, str], ...] = (
    (lambda: b"", "it is no safetensors file"),
    (lambda: b"1234567", "it is no safetensors file"),
    (lambda: b"\xff" * 100, "it is no safetensors file"),
    (lambda: (10**6).to_bytes(8, "little") + b" " * 10**6, "it is no safetensors file"),  # a header without end
    (lambda: with_header({"a": 1}), "or it is damaged"),
    (lambda: with_header({"a": {"dtype": "F64", "shape": [1], "data_offsets": [0, 8]}}, b"0" * 8), "no SRResNet"),
    (lambda: with_header({"a": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 4]}}, b"1234"), "damaged"),
    (lambda: exported(halved())[:-5], "damaged"),
    (lambda: exported(random_net("lornatang")), "no SRResNet in krasserm's layout at ×4"),
    (lambda: exported(random_net("krasserm", 2)), "no SRResNet in krasserm's layout at ×4"),
    (lambda: exported(random_net("krasserm", blocks=3)), "0 of its 43 tensors are missing .* there are 13 others"),
    (lambda: serialise({"first.weight": torch.ones(1)}), "43 of its 43 tensors"),
    (lambda: serialise({**state(), "first.bias": torch.zeros(8, dtype=torch.int64)}), "must be float16, bfloat16"),
    (lambda: serialise({**state(), "first.bias": torch.full((8,), 1e6)}), "must be finite numbers"),
    (lambda: exported(halved())[:-2] + b"\x00\x7c", "must be finite numbers"),  # infinity
    (lambda: b"PK\3\4" + bytes(200), "it is no safetensors file"),  # torch.save writes ZIP archives
)  # fmt: skip


@pytest.mark.parametrize(("content", "why"), BAD)
def test_what_is_no_network_is_refused_in_words(tmp_path, content, why):
    path = written(tmp_path, content())
    with pytest.raises(OptionError, match=f"the network file cannot be used: .*{why}") as refused:
        own.read_network(path)
    assert str(tmp_path) not in str(refused.value)


def test_other_files_and_files_that_are_too_large_are_refused_unread(tmp_path):
    with pytest.raises(OptionError, match=r"a network is a \.safetensors file, not \.pth"):
        own.read_network(written(tmp_path, exported(halved()), "model.pth"))
    with pytest.raises(OptionError, match="there is no such file"):
        own.read_network(tmp_path / "missing.safetensors")
    with (tmp_path / "large.safetensors").open("wb") as file:
        file.truncate(2**40)  # a terabyte that takes no room
    with pytest.raises(OptionError, match="at most 8 MB"):
        own.read_network(tmp_path / "large.safetensors")


@pytest.mark.parametrize(
    "values",
    [torch.zeros(5, dtype=torch.float16), torch.zeros(10), torch.zeros(3, 3, dtype=torch.uint8)],
)
def test_a_tensor_that_is_no_network_is_refused(values):
    """As a hostile receipt may hold one."""
    with pytest.raises(OptionError, match="the network must be"):
        result(Nets(), noise(3, 4, 4), model="own", network=values)
    count = sum(shape.numel() for shape in own.shapes().values())
    with pytest.raises(OptionError, match="finite"):
        result(Nets(), noise(3, 4, 4), model="own", network=torch.full((count,), torch.nan).half())


def test_without_its_file_a_run_says_what_is_needed():
    with pytest.raises(OptionError, match=r"your own network needs its file: give a model\.safetensors"):
        result(Nets(), noise(3, 4, 4), model="own")


# ------------------------------------------------------------------------------------------------- receipts


def test_a_receipt_names_the_network_by_its_hash_and_checks_the_file(tmp_path):
    path = written(tmp_path, exported(halved()))
    request = decode(SRGAN, {"model": "own", "network": str(path), "precision": "exact"})
    given, frame = Pipeline(Engine("cpu", pace=0.0)).result(picture(), request)
    recorded = receipt.read(receipt.result_png(request, given, frame))
    again = receipt.request_of(recorded, {"network": str(path)})
    assert torch.equal(again.options.network, request.options.network)
    assert receipt.request_of(recorded).options.model == "own"
    other = written(tmp_path, exported(halved(1)), "other.safetensors")
    with pytest.raises(OptionError, match="this is not the file that the result was made with"):
        receipt.request_of(recorded, {"network": str(other)})


def test_a_receipt_does_not_hold_a_whole_network(monkeypatch):
    monkeypatch.undo()  # the published size
    own.shapes.cache_clear()
    count = sum(shape.numel() for shape in own.shapes().values())
    assert 2 * count < own.MAX_BYTES / 2 and 2 * count < receipt.LARGEST
    values = torch.rand(count, generator=torch.Generator().manual_seed(0)).half()
    recorded = receipt.flat(decode(SRGAN, {"model": "own", "network": values}))["network"]
    assert set(recorded) == set(receipt.TENSOR) and recorded["dtype"] == "float16"
    flat = receipt.flat(
        decode(SRGAN, {"model": "own", "network": torch.zeros(count).half()})
    )  # compresses well
    read = receipt.request_of({"method": "srgan", "request": flat}).options.network
    assert torch.equal(read, torch.zeros(count).half())
