"""Training pictures for SRGAN: a folder of pictures and the same shrunk by MATLAB's bicubic, as 8-bit arrays.

They are made once and kept in a file, because the bicubic of a whole folder takes as long as hundreds of steps. Crops
are taken of both at the same place. Pictures that are held out are for measuring only.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gansr.ops.resize import imresize
from gansr.papers.training_loop import TrainingError
from gansr.picture import PictureError, open_picture, to_array
from gansr.weights import files

KINDS = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"}
HELD = 8  # pictures held out of a large folder


@dataclass(frozen=True)
class Pairs:
    """Pictures (H,W,3) uint8 and the same shrunk by `scale`."""

    scale: int
    high: Sequence[np.ndarray]
    low: Sequence[np.ndarray]

    def __len__(self) -> int:
        return len(self.high)

    def part(self, chosen: slice) -> Pairs:
        """Some of them."""
        return Pairs(self.scale, self.high[chosen], self.low[chosen])

    def crops(self, count: int, side: int, draws: torch.Generator) -> tuple[Tensor, Tensor]:
        """Random crops, half of them mirrored: (count,3,side/scale,side/scale) and (count,3,side,side) in [0,1]."""
        small = side // self.scale
        places = torch.rand(count, 4, generator=draws).tolist()
        low, high = np.empty((count, small, small, 3), np.uint8), np.empty((count, side, side, 3), np.uint8)
        for i, (which, down, across, turned) in enumerate(places):
            at = int(which * len(self))
            height, width, _ = self.low[at].shape
            top, left = int(down * (height - small + 1)), int(across * (width - small + 1))
            flip = slice(None, None, -1 if turned < 0.5 else 1)
            low[i] = self.low[at][top : top + small, left : left + small][:, flip]
            top, left = top * self.scale, left * self.scale
            high[i] = self.high[at][top : top + side, left : left + side][:, flip]
        return tensor(low), tensor(high)

    def middles(self, side: int) -> tuple[Tensor, Tensor]:
        """The middle of each, as `crops`."""
        small = side // self.scale
        low, high = [], []
        for ours, theirs in zip(self.low, self.high):
            top, left = ((n - small) // 2 for n in ours.shape[:2])
            low.append(ours[top : top + small, left : left + small])
            top, left = top * self.scale, left * self.scale
            high.append(theirs[top : top + side, left : left + side])
        return tensor(np.stack(low)), tensor(np.stack(high))


class Resident:
    """Pictures that lie on a device, where the crops are cut: those of `Pairs` for the same draws."""

    def __init__(self, pairs: Pairs, device: torch.device):
        self.scale, self._count = pairs.scale, len(pairs)
        self._low, self._high = (_Flat(pictures, device) for pictures in (pairs.low, pairs.high))

    def __len__(self) -> int:
        return self._count

    def crops(self, count: int, side: int, draws: torch.Generator) -> tuple[Tensor, Tensor]:
        """As those of `Pairs`, on the device."""
        small = side // self.scale
        places = torch.rand(count, 4, generator=draws).double().to(self._low.pixels.device)
        at, mirrored = (places[:, 0] * len(self)).long(), places[:, 3] < 0.5
        corners = (places[:, 1:3] * (self._low.sizes[at] - small + 1)).long()
        low = self._low.cut(at, corners, small, mirrored)
        return low, self._high.cut(at, corners * self.scale, side, mirrored)


class _Flat:
    """Pictures (H,W,3) uint8 of any sizes as one list of pixels on a device."""

    def __init__(self, pictures: Sequence[np.ndarray], device: torch.device):
        self.pixels = torch.from_numpy(np.concatenate([each.reshape(-1, 3) for each in pictures])).to(device)
        self.sizes = torch.tensor([each.shape[:2] for each in pictures], device=device)
        areas = self.sizes.prod(1)
        self.starts = areas.cumsum(0) - areas

    def cut(self, at: Tensor, corners: Tensor, side: int, mirrored: Tensor) -> Tensor:
        """Squares of `side` px of the pictures `at` (N,), (N,3,side,side) in [0,1]; corners: (N,2) rows and columns."""
        along = torch.arange(side, device=at.device)
        rows, columns = corners[:, :1] + along, corners[:, 1:] + along
        columns = torch.where(mirrored[:, None], columns.flip(1), columns)
        where = self.starts[at][:, None, None] + rows[:, :, None] * self.sizes[at, 1][:, None, None]
        return self.pixels[where + columns[:, None, :]].permute(0, 3, 1, 2).float().div_(255)


def tensor(pictures: np.ndarray) -> Tensor:
    """(N,H,W,3) uint8 → (N,3,H,W) in [0,1], channels last in memory."""
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float().div_(255)


def load(
    folder: Path, kept: Path, scale: int, side: int, tell: Callable[[str], None] = lambda text: None
) -> tuple[Pairs, Pairs]:
    """(pictures to train on, pictures held out) of a folder, from the file `kept` where that is of these pictures.

    side: px of a crop: smaller pictures are left out. Of five pictures and more, one in twenty, at least one and at
    most HELD, the last by name, are held out; of fewer, all are trained on and measured. Raises TrainingError.
    """
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in KINDS)
    except OSError as error:
        raise TrainingError(f"{folder} cannot be read: {error.strerror}") from error
    if not paths:
        raise TrainingError(f"{folder} holds no picture: {', '.join(sorted(KINDS))} are taken")
    listed = [[path.name, path.stat().st_size, path.stat().st_mtime_ns] for path in paths]
    key = hashlib.sha256(json.dumps([listed, scale, side]).encode()).hexdigest()
    pairs = _kept(kept, key, scale) or _made(paths, kept, key, scale, side, tell)
    if len(pairs) < 5:
        return pairs, pairs.part(slice(HELD))
    held = max(1, min(HELD, len(pairs) // 20))
    return pairs.part(slice(-held)), pairs.part(slice(-held, None))


def _kept(path: Path, key: str, scale: int) -> Pairs | None:
    try:
        with np.load(path, allow_pickle=False) as found:
            if str(found["key"]) != key:
                return None
            count = int(found["count"])
            return Pairs(scale, *([found[f"{name}{i}"] for i in range(count)] for name in ("high", "low")))
    except (OSError, ValueError, KeyError):
        return None


def _made(
    paths: Sequence[Path], kept: Path, key: str, scale: int, side: int, tell: Callable[[str], None]
) -> Pairs:
    high, low, small = list[np.ndarray](), list[np.ndarray](), 0
    for i, path in enumerate(paths):
        if i % 50 == 0:
            tell(f"shrinking the pictures: {i} of {len(paths)}")
        try:
            rgb = open_picture(path).rgb
        except PictureError as error:
            raise TrainingError(f"“{path.name}”: {error}") from error
        height, width = (n // scale * scale for n in rgb.shape[1:])
        if min(height, width) < side:
            small += 1
            continue
        rgb = rgb[:, :height, :width]
        high.append(to_array(rgb))
        low.append(to_array(imresize(rgb, 1 / scale, rounded=True)))
    if not high:
        raise TrainingError(f"all {len(paths)} pictures are smaller than a crop, {side}×{side} px")
    if small:
        tell(f"{small} of {len(paths)} pictures are smaller than a crop, {side}×{side} px, and were left out")
    arrays: dict[str, Any] = {"key": np.array(key), "count": np.array(len(high))}
    for name, made in (("high", high), ("low", low)):
        arrays |= {f"{name}{i}": array for i, array in enumerate(made)}
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    files.write(kept, buffer.getvalue())
    return Pairs(scale, high, low)
