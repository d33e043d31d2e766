"""GLEAN: Generative Latent Bank for Large-Factor Image Super-Resolution, and Beyond.

Chan, Wang, Xu, Gu, Loy, CVPR 2021, arXiv 2012.00739; TPAMI 2023, arXiv 2207.14812. One pass, nothing random and
nothing to optimise: an encoder, a frozen generator of faces that serves as a bank of details, a decoder.

Models: our own glean-face-x8 (gansr.papers.glean.own says where it differs from the paper's and why), and the four
that the authors released, which people import. Every one takes its own input size and no other, for the latent
rows come from a fully connected layer; and every one was trained on MATLAB's bicubic shrinking, so an input made
by another shrinking gives a visibly worse picture.

The views are what the paper argues with (its table 3, figure 8), on our own model: `parts` takes the bank or the
encoder's features away. The network was not trained anew for that: what is seen is what each part brings to
this network, not how well a network without it could do. The control in the README answers that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from gansr.method import Accepts, Cost, Frame, Heat, Method, Nets, Paper, View
from gansr.nets.mobilestylegan import MobileStyleGAN
from gansr.options import OptionError, option
from gansr.papers.glean.own import GleanOwn, Knowledge
from gansr.papers.glean.released import GLEAN as Released

OWN = "glean-face-x8"
SIZES: Mapping[str, tuple[int, int]] = {  # px in, px out
    OWN: (32, 256),
    "glean-ffhq-16x": (64, 1024),
    "glean-blind-8x": (128, 1024),
    "glean-cat-8x": (32, 256),
    "glean-cat-16x": (16, 256),
}
COSTS: Mapping[str, Cost] = {  # counted once by torch's FLOP counter; the memory is a process's, measured
    OWN: Cost(40e9, 0.5e9),
    "glean-ffhq-16x": Cost(1.5e12, 3.0e9),
    "glean-blind-8x": Cost(2.5e12, 3.5e9),
    "glean-cat-8x": Cost(0.6e12, 2.0e9),
    "glean-cat-16x": Cost(0.5e12, 2.0e9),
}
BANK = "mobilestylegan-ffhq-1024"
ROW = 8  # px
BOTH, NO_BANK, NO_FEATURES = "both", "no bank", "no encoder features"


@dataclass(frozen=True)
class Options:
    model: str = option(
        OWN, "ours comes with the project; the authors' must be imported first", choices=tuple(SIZES)
    )
    parts: str = option(
        BOTH,
        "what works, for our model: the bank of faces, the encoder's features, or both as trained",
        choices=(BOTH, NO_BANK, NO_FEATURES),
    )
    exact: str = option(
        "as trained",
        "whether the result is moved so that it shrinks to exactly the input: ours was trained so, theirs not",
        title="keep the input",
        choices=("as trained", "on", "off"),
    )

    def __post_init__(self) -> None:
        if self.parts != BOTH and self.model != OWN:
            raise OptionError(f"parts can be taken away from {OWN} only; for {self.model} choose {BOTH!r}")


def needs(method: Method, options: Options) -> Mapping[str, str]:
    """Our model needs the bank beside it, unless it is to work without; the authors' files contain theirs."""
    bank = {"bank": BANK} if options.model == OWN and options.parts != NO_BANK else {}
    return {"model": options.model} | bank


def scale(method: Method, options: Options) -> int:
    small, large = SIZES[options.model]
    return large // small


def run(low: Tensor, options: Options, nets: Nets, generator: torch.Generator) -> Iterator[Frame]:
    """low (3,side,side) in [0,1] → one frame. Nothing is drawn from `generator`."""
    image, views = enlarge(low, options, nets)
    yield Frame(image, 1, 1, views=views)


@torch.no_grad()
def enlarge(low: Tensor, options: Options, nets: Nets) -> tuple[Tensor, dict[str, View]]:
    """The picture, clamped, and the latent rows the encoder found, as they differ from their mean."""
    if options.model == OWN:
        return _own(low, options, nets)
    net: Released = _quick_released(nets["model"], nets.dtype)
    found, rows = net.encoder((low[None] * 2 - 1).to(nets.dtype, memory_format=torch.channels_last))
    y = net.decode(found[0], net.fill(found, rows))[0].float() / 2 + 0.5
    if options.exact == "on":
        known = _knowledge(*SIZES[options.model]).to(low.device)
        y = y + known.grow(low - known.shrink(y))
    return y.clamp(0, 1), _rows(rows[0] - rows[0].mean(0))


def _own(low: Tensor, options: Options, nets: Nets) -> tuple[Tensor, dict[str, View]]:
    net = _quick_own(nets["model"], nets.dtype)
    if options.parts == NO_BANK:
        return net(low[None], project=options.exact != "off")[0].clamp(0, 1), {}
    bank = _quick_bank(nets["bank"], nets.dtype)
    y, rows = net.enlarge(
        low[None], bank, features=options.parts != NO_FEATURES, project=options.exact != "off"
    )
    return y[0].clamp(0, 1), _rows(rows[0] - net.mean)


def _rows(rows: Tensor) -> dict[str, View]:
    """Row below row, each drawn ROW high: 19 rows of 512 numbers would be a line."""
    drawn = rows.float().repeat_interleave(ROW, dim=0)
    return {"latent rows": Heat(drawn, "from the mean", signed=True)}


@lru_cache(maxsize=1)
def _knowledge(small: int, large: int) -> Knowledge:
    return Knowledge(small, large // small)


@lru_cache(maxsize=2)  # by identity: the frozen nets are shared and outlive many runs
def _quick_own(net: GleanOwn, dtype: torch.dtype) -> GleanOwn:
    return net.quick(dtype)


@lru_cache(maxsize=1)
def _quick_released(net: Released, dtype: torch.dtype) -> Released:
    return net.quick(dtype)


@lru_cache(maxsize=2)
def _quick_bank(bank: MobileStyleGAN, dtype: torch.dtype) -> MobileStyleGAN:
    made = deepcopy(bank)
    made.body.to(dtype).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return made


GLEAN = Method(
    name="glean",
    title="GLEAN",
    summary="One pass through a frozen generator of faces, from which it takes the details: sharp in a moment.",
    paper=Paper(
        authors="Kelvin C.K. Chan, Xintao Wang, Xiangyu Xu, Jinwei Gu, Chen Change Loy",
        year=2021,
        venue="CVPR",
        title="GLEAN: Generative Latent Bank for Large-Factor Image Super-Resolution",
        link="https://arxiv.org/abs/2012.00739",
        licence=(
            "our code and weights as this project; the bank of our model and of theirs descends from StyleGAN2 "
            "and FFHQ: non-commercial research; the authors' code Apache-2.0"
        ),
        good_for="aligned faces shrunk by a clean bicubic, at a factor of 8 or 16, in a moment",
        not_for="who somebody is: eyes, skin, teeth are plausible, not known; blurred, noisy or turned faces",
    ),
    scales=(8, 16),
    options=Options,
    presets={
        "As trained": {},
        "Without the bank": {"parts": NO_BANK},
        "Without the encoder's features": {"parts": NO_FEATURES},
    },
    accepts=Accepts(
        side=lambda options: SIZES[options.model][0],
        face=True,
        faceless=lambda options: "cat" in options.model,
    ),
    cost=lambda height, width, options: COSTS[options.model],
    run=run,
    weights={"model": tuple(SIZES), "bank": (BANK,)},
    needs=needs,
    scale=scale,
    caution="The details are the generator's: this is a plausible face, not evidence of who it is.",
)
