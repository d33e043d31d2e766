"""Ranges of rows and columns: how a picture is divided, widened by a margin and cut."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from torch import Tensor

Span = tuple[int, int]  # start, stop (not included), in rows or columns


def pieces(span: Span, longest: int) -> list[Span]:
    """`span` divided into the fewest pieces of at most `longest`, as equal as possible."""
    size = span[1] - span[0]
    number = -(-size // longest)
    edges = [span[0] + size * i // number for i in range(number + 1)]
    return list(itertools.pairwise(edges))


def widened(span: Span, by: int, size: int) -> Span:
    """`span` with `by` more on both sides, limited to 0…`size`."""
    return max(0, span[0] - by), min(size, span[1] + by)


def relative(span: Span, outer: Span) -> Span:
    """`span` counted from the start of `outer`."""
    return span[0] - outer[0], span[1] - outer[0]


def cut(x: Tensor, rows: Span, columns: Span) -> Tensor:
    """The part of x (…,H,W) in these rows and columns, a view."""
    return x[..., slice(*rows), slice(*columns)]


def without_margins(x: Tensor, margins: Sequence[int]) -> Tensor:
    """x (…,H,W) without its margins (above, below, left, right), a view."""
    above, below, left, right = margins
    return x[..., above : x.shape[-2] - below, left : x.shape[-1] - right]
