"""GLEAN: Generative Latent Bank for Large-Factor Image Super-Resolution, and Beyond.

Chan, Wang, Xu, Gu, Loy, CVPR 2021, arXiv 2012.00739; TPAMI 2023, arXiv 2207.14812. One pass, nothing random and nothing
to optimise: an encoder, a frozen face generator that serves as a latent bank (a dictionary of details), a decoder.

Models: our own (gansr.papers.glean.own says where they differ from the paper's and why), and the four that the authors
released, which you can import. Each takes its own input size and no other, because a fully connected layer computes the
latent rows. Most were trained on MATLAB's bicubic downscaling: an input made by another downscaling gives a visibly
worse picture. glean-robust-x8, glean-robust-512 and glean-blind-8x were trained on blur, noise and JPEG as well.

The options `parts` and `fused` repeat the paper's ablations (its table 3, figure 8) on our own models. `parts` removes
the bank or the encoder's features. `fused` gives the bank the encoder's features of the coarsest scales only, as the
paper passes more and more of them, from coarse to fine; with none the bank gets the latent rows alone, as it does under
"no encoder features", but the decoder keeps its own input, the finest features. The network was not trained again for
that, so the result shows what each part contributes to this network, not how good a network without it could be. The
control in the model card shows the latter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gansr.method import Accepts, Cost, Frame, Heat, Method, Nets, Paper, View
from gansr.nets.mobilestylegan import MobileStyleGAN
from gansr.ops.projection import DownscaleProjection, downscale_matrix
from gansr.options import OptionError, option
from gansr.papers.glean.how import HOW
from gansr.papers.glean.own import GleanOwn
from gansr.papers.glean.released import GLEAN as Released


@dataclass(frozen=True)
class Model:
    """What there is to know of a model besides its weights."""

    side: int  # px: of its square input
    size: int  # px: of its result
    cost: Cost  # operations: torch's FLOP counter; memory: peak of a process, measured
    robust: bool = False  # trained on blur, noise and JPEG as well
    ours: bool = False  # a gansr.papers.glean.own.GleanOwn, which needs BANK

    @property
    def factor(self) -> int:
        return self.size // self.side


OWN, ROBUST, LARGER = "glean-face-x8", "glean-robust-x8", "glean-face-x16"
OWN_512, ROBUST_512 = "glean-face-512", "glean-robust-512"
MODELS: Mapping[str, Model] = {
    OWN: Model(32, 256, Cost(40e9, 0.5e9), ours=True),
    ROBUST: Model(32, 256, Cost(40e9, 0.5e9), robust=True, ours=True),
    LARGER: Model(16, 256, Cost(40e9, 0.5e9), ours=True),
    OWN_512: Model(64, 512, Cost(120e9, 1.0e9), ours=True),
    ROBUST_512: Model(64, 512, Cost(120e9, 1.0e9), robust=True, ours=True),
    "glean-ffhq-16x": Model(64, 1024, Cost(1.5e12, 3.0e9)),
    "glean-blind-8x": Model(128, 1024, Cost(2.5e12, 3.5e9), robust=True),
    "glean-cat-8x": Model(32, 256, Cost(0.6e12, 2.0e9)),
    "glean-cat-16x": Model(16, 256, Cost(0.5e12, 2.0e9)),
}
OURS = tuple(name for name, model in MODELS.items() if model.ours)
BANK = "mobilestylegan-ffhq-1024"
ROW = 8  # px: height of one latent row in the view
BOTH, NO_BANK, NO_FEATURES = "both", "no bank", "no encoder features"
EXACT: Mapping[str, bool | None] = {"as trained": None, "on": True, "off": False}
ALL = "all"
# Choice → fused levels, from 4² up.
FUSED: Mapping[str, int | None] = {ALL: None, "16": 3, "8": 2, "4": 1, "none": 0}


@dataclass(frozen=True)
class Options:
    """The user's choices; the defaults run our own model as it was trained."""

    model: str = option(
        OWN,
        "The first five were trained by this project and come with it: for a cleanly shrunk face, for one with blur, "
        "noise or JPEG, for a face of 16×16 px, and the first two again for 64 to 512 px; the authors' models must be "
        "imported first",
        choices=tuple(MODELS),
        changes_input=True,
    )
    parts: str = option(
        BOTH,
        "For our own models only: use the face prior and the encoder's features as trained, or leave one of them out",
        choices=(BOTH, NO_BANK, NO_FEATURES),
        labels={NO_BANK: "no face prior"},
    )
    fused: str = option(
        ALL,
        "Scales at which the face prior receives the encoder's features; fewer: it follows your picture less, "
        "as the paper's ablation shows",
        title="Fused scales",
        choices=tuple(FUSED),
        labels={
            "16": "4×4 to 16×16",
            "8": "4×4 and 8×8",
            "4": "4×4",
            "none": "none: latent rows only",
        },
        only={"model": OURS, "parts": (BOTH,)},
    )
    exact: str = option(
        "as trained",
        "Whether the result is corrected so that it downscales to exactly your picture; "
        "our model was trained so, the authors' were not",
        title="Match the input exactly",
        choices=tuple(EXACT),
    )

    def __post_init__(self) -> None:
        if self.parts != BOTH and not MODELS[self.model].ours:
            names = ", ".join(OURS)
            raise OptionError(f"parts can be taken away from {names} only; for {self.model} choose {BOTH!r}")


def needs(method: Method, options: Options) -> Mapping[str, str]:
    """role → weights: our models need the bank as a second network, unless they run without; the authors' files contain
    theirs."""
    bank = {"bank": BANK} if MODELS[options.model].ours and options.parts != NO_BANK else {}
    return {"model": options.model} | bank


def scale(method: Method, options: Options) -> int:
    return MODELS[options.model].factor


def fit(options: Options, side: int, scale: int) -> Options:
    """Of our models one for this problem, where there is one: if possible for the same kind of input (clean, or with
    blur, noise and JPEG). The authors' stay, as only the user can tell whether they are there."""
    chosen = MODELS[options.model]
    fitting = [name for name, one in MODELS.items() if one.ours and (one.side, one.factor) == (side, scale)]
    if not chosen.ours or options.model in fitting or not fitting:
        return options
    return replace(options, model=min(fitting, key=lambda name: MODELS[name].robust != chosen.robust))


def side(options: Options) -> int:
    """The side of the square input, px."""
    return MODELS[options.model].side


def draws_cats(options: Options) -> bool:
    return "cat" in options.model


def cost(height: int, width: int, options: Options) -> Cost:
    return MODELS[options.model].cost


def run(low: Tensor, options: Options, nets: Nets, generator: torch.Generator) -> Iterator[Frame]:
    """low (3,side,side) in [0,1] → one frame. Nothing is drawn from `generator`."""
    image, views = enlarge(low, options, nets)
    yield Frame(image, 1, 1, views=views)


@torch.no_grad()
def enlarge(low: Tensor, options: Options, nets: Nets) -> tuple[Tensor, dict[str, View]]:
    """low (3,side,side) in [0,1] → the picture (3,H,W), clamped to [0,1], and the latent rows as a view: what the
    encoder found, minus the mean row."""
    if MODELS[options.model].ours:
        return _own(low, options, nets)
    net: Released = nets.optimised("glean, released", ("model",), lambda: nets["model"].optimised(nets.dtype))
    features, rows = net.encoder((low[None] * 2 - 1).to(nets.dtype, memory_format=torch.channels_last))
    y = net.decode(features[0], net.bank_features(features, rows))[0].float() / 2 + 0.5
    if options.exact == "on":
        model = MODELS[options.model]
        projection = nets.optimised(
            f"glean, projection {model.side} {model.size}",
            (),
            lambda: DownscaleProjection(downscale_matrix(model.side, model.factor)),
        )
        y = projection.to(low.device).project(y, low)
    return y.clamp(0, 1), _latent_view(rows[0] - rows[0].mean(0))


def _own(low: Tensor, options: Options, nets: Nets) -> tuple[Tensor, dict[str, View]]:
    net: GleanOwn = nets.optimised("glean, own", ("model",), lambda: nets["model"].optimised(nets.dtype))
    project = EXACT[options.exact]
    if options.parts == NO_BANK:
        return net(low[None], project=project)[0].clamp(0, 1), {}
    bank = nets.optimised("glean, bank", ("bank",), lambda: _bank_form(nets["bank"], nets.dtype))
    features, fused = options.parts != NO_FEATURES, FUSED[options.fused]
    y, rows = net.enlarge(low[None], bank, features=features, fused=fused, project=project)
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
        good_for="aligned faces enlarged 8 or 16 times in a fraction of a second, to 256 or 512 px; with the models "
        "glean-robust also blurred, noisy and compressed ones",
        not_for="identifying somebody (eyes, skin and teeth are plausible, not known); rotated faces",
    ),
    scales=tuple(sorted({model.factor for model in MODELS.values()})),
    options=Options,
    presets={
        "Clean face": {},
        "Blur, noise or JPEG": {"model": ROBUST},
        "16 times": {"model": LARGER},
        "Clean face, 64 to 512": {"model": OWN_512},
        "Blur, noise or JPEG, 64 to 512": {"model": ROBUST_512},
        "Without the face prior": {"parts": NO_BANK},
    },
    accepts=Accepts(side=side, face=True, faceless=draws_cats),
    cost=cost,
    run=run,
    weights={"model": tuple(MODELS), "bank": (BANK,)},
    needs=needs,
    scale=scale,
    fit=fit,
    bench="gansr.papers.glean.bench",
    train="gansr.papers.glean.train_command",
    retouch=True,
    how=HOW,
    caution="The generator invented the details: this is a plausible face, not evidence of who it is.",
)
