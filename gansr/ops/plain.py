"""Copies of values that hold tensors: what a run keeps of itself to go on elsewhere, and back onto a device."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar

import torch
from torch import Tensor

T = TypeVar("T")


def copied(value: T, device: torch.device | str = "cpu") -> T:
    """`value` with every tensor in it copied to `device`, without its gradient. Dicts, lists, tuples and dataclasses
    are copied too, everything else stays. Nothing of the copy changes when a search goes on with the original."""
    copy: Any = value
    if isinstance(value, Tensor):
        copy = value.detach().to(device, copy=True)
    elif isinstance(value, Mapping):
        copy = {key: copied(part, device) for key, part in value.items()}
    elif isinstance(value, list):
        copy = [copied(part, device) for part in value]
    elif isinstance(value, tuple):
        parts = [copied(part, device) for part in value]
        copy = type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {
            field.name: copied(getattr(value, field.name), device) for field in dataclasses.fields(value)
        }
        copy = dataclasses.replace(value, **fields)
    return copy
