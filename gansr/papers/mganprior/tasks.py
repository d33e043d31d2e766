"""The jobs: what of a generated picture each compares with its input, the loss, and the result it gives."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from gansr.nets.vgg import Vgg16
from gansr.ops.colour import luma, pillow_ycbcr
from gansr.ops.holes import emptied
from gansr.ops.resize import imresize
from gansr.papers.mganprior.holes import hole_for
from gansr.papers.mganprior.options import Options

VGG_DEPTH = 16  # feature layers of VGG16: up to ReLU 3_3
VGG_SIDE = 256  # px of the picture it sees
VGG_SCALE = 0.001  # the authors' factor

Features = Callable[[Tensor], Tensor]


def downscale(x: Tensor, to: tuple[int, int], kind: str) -> Tensor:
    """(B,C,H,W) → (B,C, *to) by the operator `kind`, one of DOWNSCALINGS. The range stays, but for bicubic's
    overshoot. Gradients reach x."""
    if kind in ("bicubic", "nearest"):
        return imresize(x, to, kernel="cubic" if kind == "bicubic" else "nearest")
    if kind == "area":
        return F.interpolate(x, to, mode="area")
    mode, _, sampling = kind.partition("-")
    return F.interpolate(x, to, mode=mode, align_corners=False, antialias=sampling == "antialias")


def grey(x: Tensor) -> Tensor:
    """RGB (B,3,H,W) of any range → its luma in three channels."""
    return luma(x)[:, None].expand(-1, 3, -1, -1)


def observe(x: Tensor, options: Options, side: int, hole: Tensor | None) -> Tensor:
    """What the job's loss compares with the input: a generated picture (1,3,S,S) in [−1,1], degraded as the input is
    taken to be, (1,3,side,side). hole: (1,side,side), 1 where nothing is known."""
    if options.job == "sr":
        return downscale(x, (side, side), options.down)
    x = x if x.shape[-1] == side else F.interpolate(x, (side, side), mode="area")
    if options.job == "colour":
        return grey(x)
    return x * (1 - hole) if hole is not None else x


READ = {
    "sr": "Bicubic",
    "colour": "Grey",
    "inpaint": "With the hole",
    "denoise": "Noisy",
    "invert": "Input",
    "edit": "Input",
    "mix": "Input",
}  # job → the title of what it reads of its input


def reads(options: Options, picture: Tensor, seed: int) -> tuple[str, Tensor]:
    """What the job reads of a picture (3,h,w) in [0,1]: its luma, what is outside the hole, or all; and its title."""
    if options.job == "colour":
        picture = luma(picture).expand(3, -1, -1)
    elif (hole := hole_for(options, seed)) is not None:
        picture = emptied(picture, hole)
    return READ[options.job], picture


def vgg_features(trunk: Vgg16, x: Tensor) -> Tensor:
    """(1,3,H,W) in [−1,1] → VGG16's features up to ReLU 3_3 of its nearest-neighbour copy of 256×256 px, float32."""
    x = F.interpolate(x / 2 + 0.5, (VGG_SIDE, VGG_SIDE), mode="nearest")
    dtype = next(trunk.parameters()).dtype
    return trunk(x.to(dtype), (VGG_DEPTH,))[0].float()


def loss_terms(
    x: Tensor, target: Tensor, options: Options, features: Features | None = None
) -> dict[str, Tensor]:
    """The terms of the loss, weighted by the options: L1, MSE and VGG, those of weight 0 left out.

    x, target: (1,3,H,W) in [−1,1]. VGG needs `features`, which gives the features of such a picture.
    """
    terms = {"L1": options.l1 * (x - target).abs().mean()} if options.l1 else {}
    terms |= {"MSE": options.mse * (x - target).square().mean()} if options.mse else {}
    if options.vgg and features is not None:
        terms["VGG"] = options.vgg * VGG_SCALE * (features(x) - features(target)).abs().mean()
    return terms


def with_colours_of(picture: Tensor, colours: Tensor) -> Tensor:
    """The brightness of `picture` with the colours of `colours`, both (3,H,W) in [0,1].

    Goes through Pillow's 8-bit YCbCr, as the authors' code does.
    """
    y, (_, cb, cr) = pillow_ycbcr(picture)[0], pillow_ycbcr(colours)
    red, blue = cr - 128, cb - 128
    rgb = torch.stack((y + 1.402 * red, y - 0.344136 * blue - 0.714136 * red, y + 1.772 * blue))
    return rgb.round().clamp(0, 255) / 255


@torch.no_grad()
def result_of(
    x: Tensor,
    low: Tensor,
    options: Options,
    hole: Tensor | None,
    correct: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    """The job's result (3,·,·) in [0,1], from a generated picture x (1,3,S,S) in [−1,1] and the input `low`.

    Its side is the input's, for "sr" times the factor. colour: the input's brightness with the picture's colours.
    inpaint: the input outside the hole, unless `composite` is off. correct: applied to the picture of that side.
    """
    picture = (x[0] / 2 + 0.5).clamp(0, 1)
    side = low.shape[-1] * (options.factor if options.job == "sr" else 1)
    if side != picture.shape[-1]:
        if options.job == "sr":  # the factor does not divide the generator's side
            picture = imresize(picture, (side, side)).clamp(0, 1)
        else:
            picture = F.interpolate(picture[None], (side, side), mode="area")[0]
    if options.job == "colour":
        return with_colours_of(low, picture)
    if correct is not None:
        picture = correct(picture)
    if hole is not None and options.composite:
        return torch.where(hole > 0, picture, low)
    return picture
