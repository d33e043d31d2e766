"""A result is corrected to agree with what its input tells. The paper does not do this.

Inpainting: the generator's picture does not meet the known pixels at the rim of the hole. Three corrections leave no
seam, and keep the generator's details: the median of the differences at the rim, everywhere in the hole; what a
difference has besides, up to TONE, goes on smoothly through the hole (gansr.ops.membrane); and the rest, where one has
hair and the other skin, only a few pixels into it. Carried on as a whole, such differences stained the face.

Enlarging: the result is the nearest picture to the generator's that downscales to the input, y + D⁺(x − D y). Only low
frequencies change, so the generator's details stay. The result agrees with the input by construction, but for the
clamping to [0,1]: its LR-consistency says nothing about the search. The correction brings any picture nearer to the
true one in mean squared error, if the input was made by D, the option `down`.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from gansr.ops.membrane import Membrane
from gansr.ops.projection import DownscaleProjection
from gansr.papers.mganprior.options import Options
from gansr.papers.mganprior.tasks import downscale

NOTICES = {
    "sr": "corrected so that, shrunk again, it is your picture: the LR-consistency does not measure the search",
    "inpaint": "the colours in the hole were moved to meet those around it",
}
RIM = 2  # px around the hole whose differences count in the median
TONE = 0.06  # of [0,1]: a larger difference is not one of light or skin
REACH = 6 / 256  # of the side: how far the rest reaches into the hole
Correction = Callable[[Tensor], Tensor]  # a picture (3,S,S) in [0,1] → another


def correction_for(low: Tensor, options: Options, hole: Tensor | None = None) -> Correction | None:
    """The correction of this job's results by the input `low` (3,side,side) in [0,1], which is not known where `hole`
    (1,side,side) is 1; None: there is none."""
    if not options.correct or options.job not in ("sr", "inpaint"):
        return None
    if options.job == "inpaint":
        if hole is None or not options.composite:
            return None
        meeting = _Meeting(hole > 0)
        return lambda picture: (picture + meeting(low - picture)).clamp(0, 1)
    side = low.shape[-1]
    projection = DownscaleProjection(axis_matrix(side * options.factor, side, options.down)).to(low.device)
    return lambda picture: projection.project(picture, low).clamp(0, 1)


class _Meeting:
    """What is added to a picture in a `hole` (1,H,W) bool, of the differences (3,H,W) outside it."""

    def __init__(self, hole: Tensor):
        around = 2 * RIM + 1
        near = F.max_pool2d(hole[None].float(), around, stride=1, padding=RIM)[0] > 0
        self._rim = (near & ~hole)[0]
        self._far, self._close = Membrane(hole), Membrane(hole, reach=REACH * hole.shape[-1])

    def __call__(self, difference: Tensor) -> Tensor:
        """(3,H,W) → the same outside the hole, the corrections inside."""
        middle = difference[:, self._rim].median(1).values[:, None, None]
        rest = difference - middle
        tone = rest.clamp(-TONE, TONE)
        return middle + self._far(tone) + self._close(rest - tone)


def axis_matrix(large: int, small: int, kind: str) -> Tensor:
    """`downscale` of one axis as a matrix (small, large), from its answer to each unit impulse."""
    impulses = torch.eye(large)[None, :, :, None].expand(-1, -1, -1, 2).contiguous()
    return downscale(impulses, (small, 2), kind)[0, :, :, 0].T
