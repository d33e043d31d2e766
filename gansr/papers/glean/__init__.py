"""GLEAN: Generative Latent Bank for Large-Factor Image Super-Resolution, and Beyond.

Chan, Wang, Xu, Gu, Loy, CVPR 2021, arXiv 2012.00739; TPAMI 2023, arXiv 2207.14812. One pass, nothing random and nothing
to optimise: an encoder, a frozen face generator that serves as a latent bank (a dictionary of details), a decoder.

Models: our own glean-face-x8 (gansr.papers.glean.own says where it differs from the paper's and why), and the four that
the authors released, which you can import. Each takes its own input size and no other, because a fully connected layer
computes the latent rows; and each was trained on MATLAB's bicubic downscaling, so an input made by another downscaling
gives a visibly worse picture.

The option `parts` repeats the paper's ablation (its table 3, figure 8) on our own model: it removes the bank or the
encoder's features. The network was not trained again for that, so the result shows what each part contributes to this
network, not how good a network without it could be. The control in the model card shows the latter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor

from gansr.method import Accepts, Cost, Frame, Heat, Method, Nets, Paper, View
from gansr.nets.mobilestylegan import MobileStyleGAN
from gansr.ops.projection import DownscaleProjection, downscale_matrix
from gansr.options import OptionError, option
from gansr.papers.glean.own import GleanOwn
from gansr.papers.glean.released import GLEAN as Released

OWN = "glean-face-x8"
SIZES: Mapping[str, tuple[int, int]] = {  # px in, px out
    OWN: (32, 256),
    "glean-ffhq-16x": (64, 1024),
    "glean-blind-8x": (128, 1024),
    "glean-cat-8x": (32, 256),
    "glean-cat-16x": (16, 256),
}
COSTS: Mapping[str, Cost] = {  # operations: torch's FLOP counter; memory: peak of a process, measured
    OWN: Cost(40e9, 0.5e9),
    "glean-ffhq-16x": Cost(1.5e12, 3.0e9),
    "glean-blind-8x": Cost(2.5e12, 3.5e9),
    "glean-cat-8x": Cost(0.6e12, 2.0e9),
    "glean-cat-16x": Cost(0.5e12, 2.0e9),
}
BANK = "mobilestylegan-ffhq-1024"
ROW = 8  # px: height of one latent row in the view
BOTH, NO_BANK, NO_FEATURES = "both", "no bank", "no encoder features"


@dataclass(frozen=True)
class Options:
    """The user's choices; the defaults run our own model as it was trained."""

    model: str = option(
        OWN,
        "The first was trained by this project and comes with it; the authors' models must be imported first",
        choices=tuple(SIZES),
        changes_input=True,
    )
    parts: str = option(
        BOTH,
        "For glean-face-x8 only: use the face prior and the encoder's features as trained, or leave one of them out",
        choices=(BOTH, NO_BANK, NO_FEATURES),
        labels={NO_BANK: "no face prior"},
    )
    exact: str = option(
        "as trained",
        "Whether the result is corrected so that it downscales to exactly your picture; "
        "our model was trained so, the authors' were not",
        title="Match the input exactly",
        choices=("as trained", "on", "off"),
    )

    def __post_init__(self) -> None:
        if self.parts != BOTH and self.model != OWN:
            raise OptionError(f"parts can be taken away from {OWN} only; for {self.model} choose {BOTH!r}")


def needs(method: Method, options: Options) -> Mapping[str, str]:
    """role → weights: our model needs the bank as a second network, unless it runs without; the authors' files contain
    theirs."""
    bank = {"bank": BANK} if options.model == OWN and options.parts != NO_BANK else {}
    return {"model": options.model} | bank


def scale(method: Method, options: Options) -> int:
    small, large = SIZES[options.model]
    return large // small


def side(options: Options) -> int:
    """The side of the square input, px."""
    return SIZES[options.model][0]


def draws_cats(options: Options) -> bool:
    return "cat" in options.model


def cost(height: int, width: int, options: Options) -> Cost:
    return COSTS[options.model]


def run(low: Tensor, options: Options, nets: Nets, generator: torch.Generator) -> Iterator[Frame]:
    """low (3,side,side) in [0,1] → one frame. Nothing is drawn from `generator`."""
    image, views = enlarge(low, options, nets)
    yield Frame(image, 1, 1, views=views)


@torch.no_grad()
def enlarge(low: Tensor, options: Options, nets: Nets) -> tuple[Tensor, dict[str, View]]:
    """low (3,side,side) in [0,1] → the picture (3,H,W), clamped to [0,1], and the latent rows as a view: what the
    encoder found, minus the mean row."""
    if options.model == OWN:
        return _own(low, options, nets)
    net: Released = nets.optimised("glean, released", ("model",), lambda: nets["model"].optimised(nets.dtype))
    features, rows = net.encoder((low[None] * 2 - 1).to(nets.dtype, memory_format=torch.channels_last))
    y = net.decode(features[0], net.bank_features(features, rows))[0].float() / 2 + 0.5
    if options.exact == "on":
        small, large = SIZES[options.model]
        projection = nets.optimised(
            f"glean, projection {small} {large}",
            (),
            lambda: DownscaleProjection(downscale_matrix(small, large // small)),
        )
        y = projection.to(low.device).project(y, low)
    return y.clamp(0, 1), _latent_view(rows[0] - rows[0].mean(0))


def _own(low: Tensor, options: Options, nets: Nets) -> tuple[Tensor, dict[str, View]]:
    net: GleanOwn = nets.optimised("glean, own", ("model",), lambda: nets["model"].optimised(nets.dtype))
    project = options.exact != "off"
    if options.parts == NO_BANK:
        return net(low[None], project=project)[0].clamp(0, 1), {}
    bank = nets.optimised("glean, bank", ("bank",), lambda: _bank_form(nets["bank"], nets.dtype))
    y, rows = net.enlarge(low[None], bank, features=options.parts != NO_FEATURES, project=project)
    return y[0].clamp(0, 1), _latent_view(rows[0] - net.mean)


def _latent_view(rows: Tensor) -> dict[str, View]:
    """(rows, style) → a map of them below each other, each drawn ROW px high: otherwise 19 rows of 512 numbers would
    look like a line."""
    drawn = rows.float().repeat_interleave(ROW, dim=0)
    return {"latent rows": Heat(drawn, "from the mean", signed=True)}


def _bank_form(bank: MobileStyleGAN, dtype: torch.dtype) -> MobileStyleGAN:
    """A copy whose convolutions compute in `dtype` with channels last; mapping and styles stay float32."""
    copied = deepcopy(bank)
    copied.body.to(dtype).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    return copied


GLEAN = Method(
    name="glean",
    title="GLEAN",
    summary="Enlarges an aligned face in one pass; a frozen face generator supplies the details.",
    paper=Paper(
        authors="Kelvin C.K. Chan, Xintao Wang, Xiangyu Xu, Jinwei Gu, Chen Change Loy",
        year=2021,
        venue="CVPR",
        title="GLEAN: Generative Latent Bank for Large-Factor Image Super-Resolution",
        link="https://arxiv.org/abs/2012.00739",
        licence=(
            "our code and weights: as this project; the banks of our model and of the authors' descend from StyleGAN2 "
            "and FFHQ: non-commercial research; the authors' code: Apache-2.0"
        ),
        good_for="aligned faces downscaled by a clean bicubic, enlarged 8 or 16 times in a fraction of a second",
        not_for="identifying somebody (eyes, skin and teeth are plausible, not known); blurred, noisy or rotated faces",
    ),
    scales=(8, 16),
    options=Options,
    presets={
        "As trained": {},
        "Without the face prior": {"parts": NO_BANK},
        "Without the encoder's features": {"parts": NO_FEATURES},
    },
    accepts=Accepts(side=side, face=True, faceless=draws_cats),
    cost=cost,
    run=run,
    weights={"model": tuple(SIZES), "bank": (BANK,)},
    needs=needs,
    scale=scale,
    bench="gansr.papers.glean.bench",
    train="gansr.papers.glean.train_command",
    caution="The generator invented the details: this is a plausible face, not evidence of who it is.",
)
