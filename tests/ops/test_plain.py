"""Copies of values that hold tensors."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from gansr.ops.plain import copied


class Pair(NamedTuple):
    one: Tensor
    two: float


@dataclass(frozen=True)
class Step:
    kernel: Tensor
    name: str


def test_a_copy_does_not_change_with_the_original_whatever_holds_the_tensors():
    x = torch.zeros(2, requires_grad=True)
    value = {"dict": {0: x}, "list": [x, 1], "tuple": (x,), "pair": Pair(x, 2.0), "step": Step(x, "one")}
    copy = copied(value)
    with torch.no_grad():
        x += 1
    found = [copy["dict"][0], copy["list"][0], copy["tuple"][0], copy["pair"].one, copy["step"].kernel]
    assert all(not part.requires_grad and part.tolist() == [0, 0] for part in found)
    assert (copy["list"][1], copy["pair"].two, copy["step"].name) == (1, 2.0, "one")
    assert torch.equal(pickle.loads(pickle.dumps(copy))["step"].kernel, torch.zeros(2))


def test_the_order_of_the_values_in_memory_stays():
    x = torch.zeros(4, 3, 3, 3).contiguous(memory_format=torch.channels_last)
    assert copied(x).stride() == x.stride()


def test_a_copy_can_be_made_on_a_device():
    assert copied([torch.zeros(1)], "meta")[0].device.type == "meta"
