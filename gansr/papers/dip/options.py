"""DIP's options, and the numbers that follow from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from torch import Tensor

from gansr.ops.holes import PAINTED, emptied, hole_of, made_hole, read_mask
from gansr.options import option

JOBS: Mapping[str, str] = MappingProxyType({"sr": "Enlarge", "inpaint": "Inpaint", "denoise": "Denoise"})
READ: Mapping[str, str] = MappingProxyType(  # job → the title of what it reads of its input
    {"sr": "Bicubic", "inpaint": "With the hole", "denoise": "Noisy"}
)
STEPS = 500
RESULT_PIXELS = 512 * 512  # of the largest result


@dataclass(frozen=True)
class Options:
    """The user's choices."""

    job: str = option(
        "sr",
        "Enlarge a picture, fill a hole in it, or remove its noise.",
        title="What to do",
        choices=tuple(JOBS),
        labels=JOBS,
        changes_input=True,
        first=True,
    )
    scale: int = option(
        4,
        "How many times larger the result is.",
        title="Enlargement (×)",
        min=2,
        max=8,
        changes_input=True,
        only={"job": ("sr",)},
    )
    steps: int = option(
        0,
        "The network is stopped after so many steps: fewer give a smooth picture, many bring the noise back; 0 takes "
        "500.",
        title="Steps",
        min=0,
        max=5000,
    )
    lr: float = option(0.01, "Of Adam; the paper has 0.01.", title="Learning rate", min=0.0001, max=0.1)
    width: int = option(
        32,
        "Channels of the network at each scale; the paper has 128, which takes many times as long.",
        title="Network's width",
        min=16,
        max=128,
        step=16,
    )
    noise: float = option(
        0.03,
        "Standard deviation of what is added to the network's input in each step, anew each time; more gives a "
        "smoother result.",
        title="Noise of the network's input",
        min=0.0,
        max=0.5,
        step=0.01,
    )
    average: bool = option(
        True,
        "The result is the mean over the last tenth of the steps, at most the last hundred; off, it is the last "
        "step's picture.",
        title="Average the steps",
    )
    correct: bool = option(
        True,
        "The result becomes your picture when it is shrunk again. The paper corrects nothing.",
        title="Agree with the input exactly",
        only={"job": ("sr",)},
    )
    hole: str = option(
        PAINTED,
        "Painted by you; the middle, half as wide and high as the picture; such a rectangle at a random place; eight "
        "small ones at random places; or every second pixel, at random. The seed places them.",
        choices=(PAINTED, "middle", "random", "pieces", "dots"),
        only={"job": ("inpaint",)},
    )
    mask: Tensor | None = option(
        None,
        "Paint the hole, then press Run.",
        read=read_mask,
        suffixes=(".png",),
        paint=True,
        only={"job": ("inpaint",), "hole": (PAINTED,)},
    )


def steps_of(options: Options) -> int:
    """How many steps a run has."""
    return options.steps or STEPS


def factor_of(options: Options) -> int:
    """The factor from the input's sides to the result's."""
    return options.scale if options.job == "sr" else 1


def most_pixels(options: Options) -> int:
    """The largest input, px: its result has at most RESULT_PIXELS."""
    return RESULT_PIXELS // factor_of(options) ** 2


def hole_for(options: Options, height: int, width: int, seed: int) -> Tensor | None:
    """(1,height,width), 1 in the hole; a mask has its own size. None where nothing is filled, or without a mask."""
    if options.job != "inpaint":
        return None
    if options.hole == PAINTED:
        return None if options.mask is None else hole_of(options.mask)
    return made_hole(options.hole, height, width, seed)


def reads(options: Options, picture: Tensor, seed: int) -> tuple[str, Tensor]:
    """What a run reads of a picture (3,h,w) in [0,1]: what is outside the hole, or all of it; and its title."""
    hole = hole_for(options, picture.shape[-2], picture.shape[-1], seed)
    if hole is not None and hole.shape[-2:] == picture.shape[-2:]:
        picture = emptied(picture, hole)
    return READ[options.job], picture
