"""The membrane of seamless cloning (Pérez et al., Poisson Image Editing, SIGGRAPH 2003, with the gradients of what is
pasted): a correction that is known around a hole and goes on smoothly into it.

Inside the hole each value is the mean of its four neighbours, at the border of the picture of those that exist: the
discrete Laplace equation. The sparse system is factorised once for a hole (scipy's SuperLU).
"""

from __future__ import annotations

import numpy as np
import torch
from scipy import sparse
from scipy.sparse.linalg import factorized
from torch import Tensor


class Membrane:
    """The smooth continuation into `hole` (1,H,W) bool, which must not cover everything."""

    def __init__(self, hole: Tensor):
        self._inside = hole[0].cpu().numpy()
        height, width = self._inside.shape
        unknown = np.full((height, width), -1)
        unknown[self._inside] = np.arange(self._inside.sum())
        count = int(self._inside.sum())
        rows, columns, entries = [np.arange(count)], [np.arange(count)], [np.zeros(count)]
        self._known: list[
            tuple[np.ndarray, np.ndarray]
        ] = []  # unknowns, and the flat places of their known neighbours
        y, x = np.nonzero(self._inside)
        places = np.arange(height * width).reshape(height, width)
        for dy, dx in ((0, 1), (0, -1), (1, 0), (-1, 0)):
            there = (y + dy >= 0) & (y + dy < height) & (x + dx >= 0) & (x + dx < width)
            from_, to_y, to_x = np.flatnonzero(there), (y + dy)[there], (x + dx)[there]
            neighbour = unknown[to_y, to_x]
            entries[0][from_] += 1
            rows.append(from_[neighbour >= 0])
            columns.append(neighbour[neighbour >= 0])
            entries.append(-np.ones(int((neighbour >= 0).sum())))
            self._known.append((from_[neighbour < 0], places[to_y, to_x][neighbour < 0]))
        matrix = sparse.csc_array(
            (np.concatenate(entries), (np.concatenate(rows), np.concatenate(columns))), (count, count)
        )
        self._solve = factorized(matrix)

    def __call__(self, around: Tensor) -> Tensor:
        """around (C,H,W) → the same outside the hole, its smooth continuation inside."""
        values = around.cpu().double().numpy()
        flat, found = values.reshape(len(values), -1), values.copy()
        for channel, result in zip(flat, found, strict=True):
            right = np.zeros(int(self._inside.sum()))
            for unknowns, places in self._known:
                np.add.at(right, unknowns, channel[places])
            result[self._inside] = self._solve(right)
        return torch.from_numpy(found).to(around)
