"""Training faces drawn by the prior itself: no data set is needed, and the latent rows behind each face are known.

Face i of a seed is a pure function of (seed, i): two codes, a truncation ψ between 0.5 and 0.9, in 30 % of the faces
style mixing (the second code takes over at a random row), and in half of them a square cropped from the 1024² picture,
so that not every face is framed alike. The pictures are downscaled to the wanted side by MATLAB's bicubic and kept as 8
bit in one .npy file, which an interrupted run continues.

ψ 0.5–0.9 and 30 % mixing come from a trial that worked; above 0.9 the prior's pictures often break.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

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


def rows_of(bank: MobileStyleGAN, faces: list[Face], mean: Tensor) -> Tensor:
    """The style rows (B, style_rows, style) behind the faces; mean: the mapping's mean row (style,)."""
    w = bank.mapping(torch.cat([f.codes for f in faces])).view(len(faces), 2, -1)
    psi = torch.tensor([f.psi for f in faces])[:, None, None]
    w = mean + psi * (w - mean)
    change = torch.tensor([round(f.change * bank.style_rows) for f in faces])
    second = torch.arange(bank.style_rows) >= change[:, None]
    return torch.where(second[..., None], w[:, 1:], w[:, :1])


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
