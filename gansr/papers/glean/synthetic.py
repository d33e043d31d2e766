"""Training faces drawn by the prior itself: no data set is needed, and the latent rows behind each face are known.

Face i of a seed is a pure function of (seed, i): two codes, a truncation ψ between 0.5 and 0.9, in 30 % of the faces
style mixing (the second code takes over at a random row), and in half of them a square cropped from the 1024² picture,
so that not every face is framed alike. The pictures are downscaled to the wanted side by MATLAB's bicubic and kept as 8
bit in one .npy file, which an interrupted run continues.

ψ 0.5–0.9 and 30 % mixing come from a trial that worked; above 0.9 the prior's pictures often break.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from gansr.nets.mobilestylegan import MobileStyleGAN
from gansr.ops.resize import imresize
from gansr.weights.files import replacing

MIXED = 0.3  # share of the faces with style mixing
CROPPED = 0.5  # share of the faces that are cropped
FRACTIONS = (13 / 16, 14 / 16, 15 / 16)  # sides of the crops, as shares of the picture's
BATCH = 4


@dataclass(frozen=True)
class Face:
    """What a synthetic face is made from. `side`, `top`, `left`: the square shown, as shares of the picture."""

    codes: Tensor  # (2, style)
    psi: float
    change: float  # the row where the second code takes over, as a share of the rows; 1: never
    side: float
    top: float
    left: float


def face(seed: int, i: int, style: int, cut: bool = True) -> Face:
    """Face `i` of `seed`; cut False: always the whole picture."""
    g = torch.Generator().manual_seed(seed * 1_000_000 + i)
    codes = torch.randn(2, style, generator=g)
    u = torch.rand(7, generator=g).tolist()
    change = (3 + int(14 * u[2])) / 23 if u[1] < MIXED else 1.0
    side = FRACTIONS[int(u[4] * len(FRACTIONS))] if cut and u[3] < CROPPED else 1.0
    return Face(codes, 0.5 + 0.4 * u[0], change, side, u[5] * (1 - side), u[6] * (1 - side))


class Codes(NamedTuple):
    """What the style rows of some faces are made from, as tensors."""

    codes: Tensor  # (N, 2, style)
    psi: Tensor  # (N,)
    change: Tensor  # (N,), the row where the second code takes over

    def of(self, chosen: Sequence[int]) -> Codes:
        """Those of some faces; no transfer from a GPU or to it."""
        return Codes(*(torch.stack([values[i] for i in chosen]) for values in self))

    def to(self, device: torch.device) -> Codes:
        return Codes(*(values.to(device) for values in self))


def codes_of(faces: Sequence[Face], rows: int) -> Codes:
    """The codes of the faces; rows: how many style rows the bank takes."""
    change = [round(f.change * rows) for f in faces]
    psi = torch.tensor([f.psi for f in faces])
    return Codes(torch.stack([f.codes for f in faces]), psi, torch.tensor(change))


def rows_behind(bank: MobileStyleGAN, codes: Codes, mean: Tensor) -> Tensor:
    """The style rows (N, style_rows, style) of the codes; mean: the mapping's mean row (style,). All on one device."""
    w = bank.mapping(codes.codes.flatten(0, 1)).view(len(codes.psi), 2, -1)
    w = mean + codes.psi[:, None, None] * (w - mean)
    second = torch.arange(bank.style_rows, device=mean.device) >= codes.change[:, None]
    return torch.where(second[..., None], w[:, 1:], w[:, :1])


def rows_of(bank: MobileStyleGAN, faces: Sequence[Face], mean: Tensor) -> Tensor:
    """The style rows (B, style_rows, style) behind the faces; mean: the mapping's mean row (style,), on the bank's
    device."""
    return rows_behind(bank, codes_of(faces, bank.style_rows).to(mean.device), mean)


def mean_row(bank: MobileStyleGAN, codes: int = 10_000) -> Tensor:
    """The mean of the mapping over random codes of seed 0, (style,)."""
    z = torch.randn(codes, bank.style, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        return bank.mapping(z.to(next(bank.parameters()).device)).mean(0)


def shown(picture: Tensor, f: Face, side: int) -> Tensor:
    """The part of the picture (3,S,S) in [−1,1] that the face shows → (side,side,3) uint8."""
    whole = picture.shape[-1]
    s, top, left = (int(share * whole) for share in (f.side, f.top, f.left))
    small = imresize(picture[:, top : top + s, left : left + s].float(), (side, side))
    return ((small / 2 + 0.5).clamp(0, 1) * 255).round().byte().permute(1, 2, 0)


@torch.no_grad()
def synthesise(
    bank: MobileStyleGAN, seed: int, indices: range, side: int, cut: bool, draw: Callable[[Tensor], Tensor]
) -> Iterator[Tensor]:
    """The faces of `indices`, (side,side,3) uint8 each; draw: style rows → pictures, the bank's synthesis."""
    mean = mean_row(bank)
    for start in range(indices.start, indices.stop, BATCH):
        faces = [face(seed, i, bank.style, cut) for i in range(start, start + BATCH)]  # always whole batches
        pictures = draw(rows_of(bank, faces, mean))
        for f, picture in list(zip(faces, pictures))[: indices.stop - start]:
            yield shown(picture, f, side)


@torch.no_grad()
def drawn(
    bank: MobileStyleGAN,
    *,
    count: int,
    seed: int,
    side: int,
    cut: bool,
    device: torch.device,
    dtype: torch.dtype,
    batch: int = 16,
) -> Tensor:
    """The first `count` faces of a seed, drawn and kept on a GPU: (count, side, side, 3) uint8.

    8,000 faces of 512² take 6.3 GB there. They are drawn in seconds, so nothing is kept on the disk.
    """
    copied = deepcopy(bank).to(device)
    copied.body.to(dtype=dtype).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    mean = mean_row(copied)
    found = torch.empty(count, side, side, 3, dtype=torch.uint8, device=device)
    for start in range(0, count, batch):
        faces = [face(seed, i, bank.style, cut) for i in range(start, min(start + batch, count))]
        for i, picture in enumerate(copied.synthesis(rows_of(copied, faces, mean)), start):
            found[i] = shown(picture, faces[i - start], side)
    return found


def cache(
    folder: Path,
    bank: MobileStyleGAN,
    *,
    count: int,
    seed: int,
    side: int,
    cut: bool,
    draw: Callable[[Tensor], Tensor],
    progress: Callable[[str], None],
) -> np.ndarray:
    """The faces as a memory-mapped (count, side, side, 3) uint8 array in `folder`; those missing there are made now."""
    folder.mkdir(parents=True, exist_ok=True)
    path, done_path = (
        folder / f"faces-{seed}-{side}-{count}.npy",
        folder / f"faces-{seed}-{side}-{count}.done",
    )
    if not path.exists():
        with replacing(path) as part:
            np.lib.format.open_memmap(part, "w+", np.uint8, (count, side, side, 3)).flush()
    done = int(done_path.read_text()) if done_path.exists() else 0
    pictures = np.lib.format.open_memmap(path, "r+")
    for i, picture in enumerate(synthesise(bank, seed, range(done, count), side, cut, draw), start=done):
        pictures[i] = picture.numpy()
        if (i + 1) % 100 == 0 or i + 1 == count:
            pictures.flush()
            with replacing(done_path) as part:
                part.write_text(str(i + 1))
            progress(f"{i + 1} of {count} faces")
    return np.lib.format.open_memmap(path, "r")
