"""Frames as bytes, and back.

Of a preview the pictures are 8-bit: 3 MB at 1024², a quarter of float32, and what a PNG of it holds anyway. They are
not compressed: a worker has the search to compute. The last frame is sent as it is.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from gansr.backends.failures import Failure
from gansr.backends.ray.messages import EXACT, PREVIEW, STATE, Told, dumps, loads
from gansr.method import Frame, Heat


@dataclasses.dataclass(frozen=True)
class Array:
    """A tensor: float32, or uint8 for a picture in [0,1] times 255."""

    values: NDArray[Any]

    def tensor(self) -> Tensor:
        """The tensor in float32."""
        found = torch.from_numpy(self.values)
        return found.to(torch.float32).div_(255) if found.dtype == torch.uint8 else found


def frame_bytes(frame: Frame, exact: bool) -> bytes:
    """A frame as bytes; not exact: its pictures are rounded to 8 bits."""

    def packed(tensor: Tensor) -> Array:
        if exact:
            return whole(tensor)
        return Array(tensor.mul(255).round_().clamp_(0, 255).to(torch.uint8).numpy())

    def whole(tensor: Tensor) -> Array:
        return Array(tensor.contiguous().numpy())

    kind = EXACT if exact else STATE if frame.checkpoint is not None else PREVIEW
    return kind + dumps(_mapped(frame, Tensor, packed, whole))


def item_of(data: bytes) -> Frame | Failure | Told:
    """What bytes from the driver are."""
    if data[:1] not in (PREVIEW, STATE, EXACT):
        return loads(data)
    found: Frame = loads(memoryview(data)[1:])
    return _mapped(found, Array, Array.tensor, Array.tensor)


def _mapped(frame: Frame, kind: type, picture: Callable[[Any], Any], numbers: Callable[[Any], Any]) -> Frame:
    """The frame with its pictures and its maps of numbers changed."""

    def view(value: Any) -> Any:
        if isinstance(value, kind):
            return picture(value)
        return dataclasses.replace(value, values=numbers(value.values)) if isinstance(value, Heat) else value

    return dataclasses.replace(
        frame,
        image=picture(frame.image),
        views={name: view(value) for name, value in frame.views.items()},
        answers={name: picture(answer) for name, answer in frame.answers.items()},
    )
