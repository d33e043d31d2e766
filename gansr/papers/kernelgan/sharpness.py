"""Whether a picture is blurred at all: a check in closed form, before an estimated kernel is used.

Not in the paper; `paper`, or check=False, leaves it out. Of two pictures shrunk with the bicubic kernel (standard
deviation 0.85 px), KernelGAN's kernel had 1.3 by 1.15 px. ZSSR then sharpens what is sharp: halos and harsh edges.
PSNR-Y and NIQE of bicubic, ZSSR with the estimate and with the bicubic kernel: a photograph of BSDS400 27.07/4.13,
23.27/5.29, 28.39/3.90; a face at 512² 35.83/5.01, 33.13/5.86, 36.77/4.99.

The check uses KernelGAN's own principle, that a picture looks like its smaller copies. If the picture x was shrunk with
the bicubic kernel b, then x shrunk by b once more (x↓b) has edges as strong as those of x. If it was blurred besides,
the edges of x↓b are stronger, because shrinking narrows the blur:

    softness(x) = ln( ‖Δ(x↓b)‖₄ / ‖Δx‖₄ )        0: sharp; 0.7: the edges of the copy are twice as strong

Δ is the Laplacian of the luma, ‖·‖₄ the fourth-power mean over the pixels, which the strongest edges decide: they show
the blur, while flat areas, weak noise and depth of field hardly count. Nothing is trained, and no truth is needed.

134 pictures of BSDS400, shrunk by 2: with the bicubic kernel the softness is 0.02 (median) and at most 0.29; after
random blurs of the DIV2KRK recipe 0.74 (median), and 83 % are above 0.5. A blurred picture lies above a sharp one in
99.97 % of the pairs (powers 1, 2 and 3: 98.7, 99.5 and 99.9 %). Nine faces of 1024² shrunk to 512² reach 0.53: the
photographs themselves are soft, and no measure of the small picture can tell that from a weak blur. The bounds lie
just around that; between them both kernels are mixed. All of this was chosen on BSDS400 and these nine faces.

Set14: of the sharp pictures the softness is at most 0.41, and at most 0.26 of ten other faces at 256², so all are taken
as sharp. Of the 14 blurred ones two are taken as sharp, which costs them 0.46 and 1.65 dB of PSNR-Y now that the kernel
is matched (match.py); the result of the other twelve is that of the estimate. Lower bounds would cost soft photographs
more: the matched kernel takes 3 to 6 dB from three of the nine faces, at 512².

With the bicubic kernel, `calm` keeps the cubic where the contrast is low. ZSSR's loss hardly counts such places, and
what it does there raises NIQE without any gain. PSNR-Y and NIQE of bicubic, ZSSR with the bicubic kernel, and the same
calmed: the two pictures above 27.07/4.13, 28.39/3.90, 28.36/3.85 and 35.83/5.01, 36.77/4.99, 36.55/4.63; another
photograph 26.91/4.94, 28.41/5.64, 28.38/4.90. Overshoot is limited as well, to half the range of the surroundings. The
result of a blurred picture is left as it is: true detail lies outside the range of a blurred surrounding
(limiting the truth itself to a quarter leaves 35 dB).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from gansr.ops.colour import luma
from gansr.ops.kernels import bicubic_kernel, crop_or_pad, downscale_with_kernel
from gansr.ops.resize import imresize

SHARP = 0.5  # softness up to which a picture counts as sharp
BLURRED = 0.54  # softness from which the estimated kernel is used as it is
OVERSHOOT = 0.5  # how far a sharp picture's result may leave the range around it, as a share of that range
CONTRAST = 0.3  # range around a pixel from which a sharp picture's result is ZSSR's alone
RIM = 4  # px left out on each side: the mirrored border makes edges of its own
LAPLACIAN = ((0.0, -1.0, 0.0), (-1.0, 4.0, -1.0), (0.0, -1.0, 0.0))


class Check(NamedTuple):
    """What the check found of a picture."""

    softness: float  # see the module's top
    share: float  # of the estimated kernel in the kernel to use, 0 to 1; the rest is bicubic

    @property
    def notices(self) -> tuple[str, ...]:
        """What to say of it; nothing where the estimate is used as it is."""
        if self.share == 0:
            return (
                "your picture is already sharp: nothing to gain from an estimated kernel, the bicubic kernel is used",
            )
        if self.share == 1:
            return ()
        share = round(100 * self.share)
        return (
            f"your picture is only slightly blurred: the kernel used is {share} % the estimate and {100 - share} % "
            "the bicubic kernel",
        )

    @property
    def readings(self) -> dict[str, float]:
        return {"softness (0 is sharp)": self.softness, "share of the estimated kernel": self.share}


def check(low: Tensor) -> Check:
    """(3,H,W) in [0,1], at least 2·(2·RIM + 3) px a side → how blurred it is and how much of an estimate to use."""
    softness = softness_of(low)
    return Check(softness, min(1.0, max(0.0, (softness - SHARP) / (BLURRED - SHARP))))


@torch.no_grad()
def softness_of(low: Tensor) -> float:
    """The logarithm of how much stronger the edges become when the picture is shrunk by 2; 0 where there are none."""
    y = luma(low.double())
    small = downscale_with_kernel(y[None], bicubic_kernel(2), 2)[0]
    before, after = edge_strength(y), edge_strength(small)
    return math.log(after / before) if before > 0 and after > 0 else 0.0


def edge_strength(y: Tensor) -> float:
    """(H,W) → the fourth-power mean of the Laplacian, without the rim."""
    inner = y[RIM:-RIM, RIM:-RIM][None, None]
    edges = F.conv2d(inner, torch.tensor(LAPLACIAN).to(inner)[None, None])
    return float(edges.pow(4).mean() ** 0.25)


def mixed_kernel(estimate: Tensor, share: float) -> Tensor:
    """share · estimate + (1 − share) · bicubic, for ×2; both shift nothing, so they lie on each other."""
    bicubic = bicubic_kernel(2)
    side = max(*estimate.shape, *bicubic.shape)
    return share * crop_or_pad(estimate, side) + (1 - share) * crop_or_pad(bicubic, side)


def mixed_result(image: Tensor, low: Tensor, scale: int, share: float) -> Tensor:
    """share · ZSSR's result (3,sH,sW) + (1 − share) · the same calmed; `share` is that of the estimated kernel."""
    return image if share == 1 else share * image + (1 - share) * calm(image, low, scale)


def calm(image: Tensor, low: Tensor, scale: int) -> Tensor:
    """ZSSR's result (3,sH,sW) of a sharp picture (3,H,W), both in [0,1] → the same with the cubic where the contrast is
    low, and with limited overshoot."""
    lowest, highest = range_around(low, scale)
    contrast = (highest - lowest).amax(0, keepdim=True)
    contrast = F.avg_pool2d(F.pad(contrast[None], (2, 2, 2, 2), mode="replicate"), 5, 1)[0]
    share = (contrast / CONTRAST).clamp(max=1)
    plain = imresize(low, scale).clamp(0, 1)
    return share * limit_overshoot(image, low, scale) + (1 - share) * plain


def limit_overshoot(image: Tensor, low: Tensor, scale: int, share: float = OVERSHOOT) -> Tensor:
    """(3,sH,sW) clipped to the range of the 3×3 nearest pixels of low (3,H,W), widened by `share` of itself.

    Beside an edge a halo is at most `share` of the edge's height, and one pixel of `low` further there is none.
    """
    lowest, highest = range_around(low, scale)
    margin = share * (highest - lowest)
    return image.clamp(lowest - margin, highest + margin)


def range_around(low: Tensor, scale: int) -> tuple[Tensor, Tensor]:
    """(3,H,W) → the least and the largest value (3,sH,sW) of the 3×3 pixels of `low` around each pixel of a result."""
    around = F.pad(low[None], (1, 1, 1, 1), mode="replicate")
    lowest, highest = -F.max_pool2d(-around, 3, 1)[0], F.max_pool2d(around, 3, 1)[0]
    first, second = (x.repeat_interleave(scale, 1).repeat_interleave(scale, 2) for x in (lowest, highest))
    return first, second
