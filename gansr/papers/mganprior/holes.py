"""The hole that is filled: the user's mask, or one that is made here."""

from __future__ import annotations

from torch import Tensor

from gansr.ops.holes import PAINTED, hole_of, made_hole
from gansr.papers.mganprior.options import Options


def hole_for(options: Options, seed: int) -> Tensor | None:
    """(1,side,side), 1 in the hole; None where the job fills none, or no mask was given yet. seed: of the run, which
    also places a random hole."""
    if options.job != "inpaint":
        return None
    if options.hole == PAINTED:
        return hole_of(options.mask) if options.mask is not None else None
    return made_hole(options.hole, int(options.side), int(options.side), seed)
