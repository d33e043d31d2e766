"""safetensors: one state dict has one hash, and malformed files are refused."""

from __future__ import annotations

import pytest
import torch

from gansr import weights
from gansr.weights import tensors
from tests.support import tiny_weights
from tests.support.tiny_weights import DATA, SHA256


def test_one_state_dict_is_one_file_whatever_the_order_and_the_strides():
    state = tiny_weights.state()
    turned = {k: v.clone() for k, v in reversed(state.items())}
    turned["conv.weight"] = turned["conv.weight"].contiguous(memory_format=torch.channels_last)
    assert tensors.serialise(turned) == DATA
    assert SHA256 == "a97a2f94640482ca0bb3b263c2ae06474cc86ad06295f2e22e0a1d099d81aa47"


def test_what_is_written_is_what_is_read():
    state = {
        **tiny_weights.state(),
        "half": torch.tensor([1.5, -2.0], dtype=torch.float16),
        "one": torch.tensor(1.0),
    }
    found = tensors.parse(tensors.serialise(state))
    assert found["half"].dtype == torch.float32, "stored halves are widened"
    assert found["count"].dtype == torch.int64
    for key, value in state.items():
        assert torch.equal(found[key], value.to(found[key].dtype)) and found[key].shape == value.shape


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_values_that_are_not_numbers_are_refused(bad):
    state = {**tiny_weights.state(), "conv.bias": torch.tensor([0.0, bad])}
    with pytest.raises(weights.WeightsError, match=r"conv\.bias holds values that are not finite"):
        tensors.serialise(state)
    import safetensors.torch

    with pytest.raises(weights.WeightsError, match=r"conv\.bias holds values that are not finite"):
        tensors.parse(safetensors.torch.save(state))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"1234",
        DATA[:-1],
        DATA + b"x",
        (1 << 40).to_bytes(8, "little") + DATA[8:],
        b"\x05" + b"\0" * 7 + b"hello",
    ],
)
def test_a_malformed_file_is_refused_in_words(data):
    with pytest.raises(weights.WeightsError):
        tensors.parse(data)


def test_a_header_beyond_the_cap_is_not_read():
    header = b"{}".ljust(tensors.MAX_HEADER + 8)  # valid, were it not for its length
    with pytest.raises(weights.WeightsError, match="header claims 4194312 bytes"):
        tensors.parse(len(header).to_bytes(8, "little") + header)
