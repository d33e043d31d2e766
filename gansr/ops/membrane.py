"""The membrane of seamless cloning (Pérez et al., Poisson Image Editing, SIGGRAPH 2003, with the gradients of what is
pasted): a correction that is known around a hole and goes on smoothly into it.

Inside the hole each value is the mean of its four neighbours, at the border of the picture of those that exist: the
discrete Laplace equation. With a `reach` the values also fall towards 0 away from the rim: the screened one. The sparse
system is factorised once for a hole (scipy's SuperLU).
"""

from __future__ import annotations

import torch
from scipy import sparse
from scipy.sparse.linalg import factorized
from torch import Tensor


class Membrane:
    """The smooth continuation into `hole` (1,H,W) bool, which must not cover everything. reach: px after which a value
    has fallen to about a third; None: it does not fall."""

    def __init__(self, hole: Tensor, reach: float | None = None):
        self._inside = hole[0].cpu().numpy().ravel()
        height, width = hole.shape[-2:]
        grid = sparse.kronsum(_path(width), _path(height), "csr")  # neighbours, of pixels in reading order
        fall = 0.0 if reach is None else 1 / reach**2
        laplacian = (sparse.diags_array(grid.sum(1) + fall) - grid).tocsr()[self._inside]
        self._known = laplacian[:, ~self._inside]
        self._solve = factorized(laplacian[:, self._inside].tocsc())

    def __call__(self, around: Tensor) -> Tensor:
        """around (C,H,W) → the same outside the hole, its smooth continuation inside."""
        values = around.cpu().double().numpy().reshape(len(around), -1).copy()
        for channel in values:
            channel[self._inside] = self._solve(-(self._known @ channel[~self._inside]))
        return torch.from_numpy(values.reshape(around.shape)).to(around)


def _path(side: int) -> sparse.sparray:
    """The adjacency matrix of `side` pixels in a row."""
    return sparse.eye_array(side, k=1) + sparse.eye_array(side, k=-1)
