"""mGANprior: Image Processing Using Multi-Code GAN Prior.

Gu, Shen, Zhou, CVPR 2020, arXiv 1912.07116. A frozen generator is cut in two after a layer, the composing layer: F1
before it, F2 after it. N codes z_n go through F1 one by one, channel weights α_n adapt them, their sum goes on:

    x_inv = F2( (1/N) · Σ_n F1(z_n) ⊙ α_n ),        z_n ~ N(0,1), α_n = 1/N at the start        (§3.1, §3.2)

and codes and weights are sought whose picture agrees with what is given: all of it (inversion, and with an early
stop denoising), its grey (colourisation), its shrinking (super-resolution), what is left of it (inpainting).

Written from the paper and a specification; the authors' repository has no licence, nothing of it was copied. The
losses, the composition and PGGAN are compared with numbers computed by the authors' code (tests). What they do that
the paper does not say, and is kept for PGGAN: 1/N stands twice, in the sum and in the start of α. PixelNorm makes
the picture nearly blind to α's size, but a gradient is inversely proportional to it, so with the authors' gradient
descent at rate 1 a start of α = 1, or a sum without the outer 1/N, is another learning rate.

How we differ, and why:
- All codes go through F1 as one batch; the result is the loop's (tested to 1e-5).
- The default prior is a StyleGAN (MobileStyleGAN, FFHQ), whose codes live in w: w_n start as samples drawn towards
  the mean, each goes to all style rows of F1, and one further row, for F2, is learned from the mean on. No norm
  follows the cut there, so the outer 1/N is left out: with it the features would be N times too small.
- Adam besides gradient descent; it moves each α by four times its rate/N, as α is of the size 1/N. It slows down
  over the last quarter.
- A generator larger than the working size is compared at the working size, by the mean over each square.
- Down-scaling for super-resolution offers what inputs are really made by; the authors' is "bilinear-point", at ×16
  the mean of the middle 2×2 of 16×16 pixels.
- The given pixels are put back around an inpainted hole (they have the function and do not call it).
- Editing directions of a StyleGAN are the principal directions of its own w (SeFa's and GANSpace's idea), named so:
  what each does (age, glasses, light) the person sees; no name is invented.
"""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gansr.method import Accepts, Cost, Curve, Frame, Heat, Method, Nets, Paper
from gansr.nets.compiled import prepared
from gansr.nets.mobilestylegan import FFHQ_CHANNELS, MobileStyleGAN
from gansr.nets.pggan import PGGAN
from gansr.nets.pggan import shapes_of as pggan_shapes
from gansr.nets.vgg import Vgg16
from gansr.ops.colour import luma, pillow_ycbcr
from gansr.ops.resize import imresize
from gansr.options import OptionError, option
from gansr.picture import PictureError, animated_webp, open_picture

JOBS = ("sr", "colour", "inpaint", "denoise", "invert", "edit")
SIDES: Mapping[str, int] = MappingProxyType(  # generator → side of its pictures, px
    {
        "mobilestylegan-ffhq-1024": 1024,
        "pggan-celebahq-1024": 1024,
        "stylegan2-ffhq-1024": 1024,
        "stylegan1-ffhq-1024": 1024,
        "stylegan2-church": 256,
        "stylegan2-cat": 256,
        "stylegan2-car": 512,
        "stylegan2-horse": 256,
    }
)
LAYERS = ("auto", "4", "8", "16", "32", "64", "128", "256")
PAPER_TABLE: Mapping[str, tuple[int, int, int]] = MappingProxyType(  # job → layer's side, N, iterations
    {
        "sr": (16, 20, 2000),
        "colour": (8, 20, 1500),
        "inpaint": (8, 30, 3000),
        "denoise": (16, 30, 3000),  # not in the authors' scripts: as their inversion
        "invert": (16, 30, 3000),
        "edit": (16, 30, 2000),
    }
)
STYLE_LAYERS = {"sr": 64, "colour": 32, "inpaint": 32, "denoise": 32, "invert": 64, "edit": 16}
RATES = {"adam": 0.05, "gd": 1.0}
ALPHA_RATE = 4  # Adam: an α moves by this times rate/N, a fifth of its start at the default rate
DIRECTIONS = tuple(f"principal direction {i}" for i in range(1, 9))
TRUNCATION = 0.7  # how far the first w lie from the mean
SAMPLES = 2048  # of w, for its mean and principal directions
VGG_END, VGG_SIDE, VGG_SCALE = 16, 256, 0.001  # up to ReLU 3_3; the side it sees; the authors' factor
STRONG = 0.2  # α above which a channel counts for a code (paper, §4.4)
TILE = 96  # px of a picture in the view of the codes' roles
ROW = 8  # px of a code's row in the map of α
SWEEP = 9  # pictures of an edit's animation

Features = Callable[[Tensor], Tensor]


# --------------------------------------------------------------------------------------------- options


def read_mask(path: Path) -> Tensor:
    """A picture file → (1,H,W), 1 where it is white: the hole. Raises OptionError."""
    try:
        picture = open_picture(path)
    except PictureError as error:
        raise OptionError(f"the mask: {error}") from None
    return (luma(picture.rgb) > 0.5).float()[None]


def read_boundary(path: Path) -> Tensor:
    """The authors' *_boundary.npy, (1,512) of length 1 → float32. Raises OptionError."""
    try:
        if path.stat().st_size > 1 << 20:
            raise ValueError
        found = np.load(path, allow_pickle=False)
        values = np.asarray(found, dtype=np.float64)
    except (OSError, ValueError, EOFError, TypeError):
        raise OptionError(
            "the boundary cannot be read: give a .npy with an array of shape (1, 512)"
        ) from None
    if values.shape not in ((1, 512), (512,)):
        raise OptionError(f"the boundary has the shape {values.shape}; (1, 512) is needed")
    length = float(np.linalg.norm(values))
    if not math.isfinite(length) or abs(length - 1) > 1e-3:
        raise OptionError(f"the boundary has the length {length:.4g}; a unit normal has 1")
    return torch.from_numpy(values.reshape(1, 512).astype(np.float32))


@dataclass(frozen=True)
class Options:
    job: str = option(
        "sr",
        "sr: enlarge; colour: give a grey picture colours; inpaint: fill a hole; denoise; invert: draw the picture "
        "with the generator; edit: invert and move along a direction",
        choices=JOBS,
    )
    generator: str = option(
        next(iter(SIDES)),
        "the prior: what it was trained on is what it can draw; all but the first must be fetched or imported",
        choices=tuple(SIDES),
    )
    factor: int = option(
        16, "sr: how many times larger; the input is the generator's side by this", min=2, max=1024
    )
    down: str = option(
        "bicubic",
        "sr: how the input is taken to be shrunk; bicubic is MATLAB's, as inputs are made here; bilinear-point is "
        "the authors'",
        title="down-scaling",
        choices=(
            "bicubic", "bilinear-antialias", "area", "nearest", "bilinear-point", "bicubic-point",
        ),
    )  # fmt: skip
    side: str = option(
        "256",
        "other jobs than sr: the side of input and result, px; the face is aligned and shrunk to it",
        title="working size",
        choices=("256", "512", "1024"),
    )
    codes: int = option(10, "N, the number of codes; 0: as many as the paper took", min=0, max=64)
    layer: str = option(
        "auto",
        "the composing layer, named by its resolution: shallow keeps to the prior, deep keeps to the picture; "
        "auto: what suits the job",
        title="composing layer",
        choices=LAYERS,
    )
    iterations: int = option(60, "optimisation steps; 0: as many as the paper took", min=0, max=5000)
    optimiser: str = option("adam", "adam, or the paper's gradient descent", choices=("adam", "gd"))
    lr: float = option(
        0.0,
        "learning rate; 0: the optimiser's own (adam 0.05, gd 1)",
        title="learning rate",
        min=0,
        max=10,
    )
    l1: float = option(0.0, "weight of the mean absolute difference", title="L1", min=0, max=10)
    mse: float = option(1.0, "weight of the mean squared difference", title="MSE", min=0, max=10)
    vgg: float = option(
        0.0,
        "weight of the difference of VGG16's features up to ReLU 3_3, times 0.001; the paper has 1, it costs time",
        title="VGG",
        min=0,
        max=10,
    )
    mask: Tensor | None = option(  # noqa: RUF009
        None,
        "inpaint: white is the hole; of the input's size (the working size)",
        read=read_mask,
        suffixes=(".png",),
        paint=True,
    )
    composite: bool = option(True, "inpaint: put the known pixels back around the hole")
    direction: str = option(
        DIRECTIONS[0],
        "edit: a principal direction of the generator's own codes, widest first; what it changes is to be seen",
        choices=DIRECTIONS,
    )
    boundary: Tensor | None = option(  # noqa: RUF009
        None,
        "edit with pggan: the authors' boundary (age, gender, pose or expression), in place of a direction",
        read=read_boundary,
        suffixes=(".npy",),
    )
    amount: float = option(
        2.0,
        "edit: how far to move, in standard deviations of the direction (with a boundary: in its own unit)",
        min=-6,
        max=6,
        step=0.1,
    )
    span: float = option(
        3.0,
        "edit: the animation runs from minus this to plus this",
        title="range",
        min=0.1,
        max=6,
        step=0.1,
    )
    roles: bool = option(
        True, "show at the end which part of the picture each code draws; takes N more pictures"
    )

    def __post_init__(self) -> None:
        side = SIDES[self.generator]
        if self.l1 + self.mse + self.vgg == 0:
            raise OptionError("the loss is empty: give L1, MSE or VGG a weight above 0")
        if self.job == "sr" and side // self.factor < 4:
            raise OptionError(
                f"a factor of {self.factor} is too large: of the generator's {side}×{side} px it would leave "
                f"{side // self.factor}; at most {side // 4} is possible"
            )
        if self.job != "sr" and int(self.side) > side:
            raise OptionError(
                f"{self.generator} draws {side}×{side} px: choose a working size of at most {side}"
            )
        if self.layer != "auto" and int(self.layer) > side // 2:
            raise OptionError(
                f"{self.generator} draws {side}×{side} px: choose a composing layer of at most {side // 2}"
            )
        if self.job == "inpaint":
            _check_mask(self.mask, int(self.side))
        if self.job == "edit":
            self._check_direction()

    def _check_direction(self) -> None:
        progressive = self.generator.startswith("pggan")
        if progressive and self.boundary is None:
            raise OptionError(
                f"{self.generator} has no directions to edit along: give one of the authors' boundary files "
                "(pggan_celebahq_age_boundary.npy and the like), or choose another generator"
            )
        if self.boundary is not None and not progressive:
            raise OptionError(
                f"the boundary file belongs to PGGAN's codes; {self.generator} has others: leave the file out and "
                "choose a principal direction"
            )


def _check_mask(mask: Any, side: int) -> None:
    if mask is None:
        raise OptionError(
            "inpainting needs a mask: paint the hole over the picture, or upload it in white on black"
        )
    hole = hole_of(mask)
    height, width = hole.shape[-2:]
    if (height, width) != (side, side):
        raise OptionError(
            f"the mask is {width}×{height} px, the picture it covers {side}×{side}: give one of that size"
        )
    if not bool(hole.any()):
        raise OptionError("the mask is empty: nothing in it is white, so there is nothing to fill")
    if bool(hole.all()):
        raise OptionError("the mask covers everything: leave some of the picture as it is")


def hole_of(mask: Tensor) -> Tensor:
    """A mask (H,W), (1,H,W) or (3,H,W) in [0,1] → (1,H,W) of 0 and 1; 1 is the hole."""
    flat = mask.float().reshape(-1, *mask.shape[-2:])[:3]
    return (flat.amax(0, keepdim=True) > 0.5).float()


@dataclass(frozen=True)
class Plan:
    """Options with the paper's numbers and the automatic ones put in."""

    codes: int  # N
    iterations: int
    layer: int  # side of the features at the cut, px
    lr: float


def planned(options: Options) -> Plan:
    layer, codes, iterations = PAPER_TABLE[options.job]
    if options.layer != "auto":
        layer = int(options.layer)
    elif not options.generator.startswith("pggan"):
        layer = min(STYLE_LAYERS[options.job], SIDES[options.generator] // 4)
    return Plan(
        options.codes or codes,
        options.iterations or iterations,
        layer,
        options.lr or RATES[options.optimiser],
    )


def scale(method: Method, options: Options) -> int:
    return options.factor if options.job == "sr" else 1


def input_side(options: Options) -> int:
    """The side of the square input, px."""
    return SIDES[options.generator] // options.factor if options.job == "sr" else int(options.side)


def needs(method: Method, options: Options) -> Mapping[str, str]:
    """The generator; VGG16 only where the loss has it (the trunk of LPIPS-VGG is ImageNet's VGG16)."""
    return {"generator": options.generator} | ({"vgg": "lpips-vgg"} if options.vgg else {})


# ------------------------------------------------------------------------------------------ the two parts


@dataclass(frozen=True)
class Cut:
    """A generator cut in two at a layer."""

    first: Callable[[Tensor], Tensor]  # F1: codes (B, style) → features (B,C,s,s)
    rest: Callable[
        [Tensor, Tensor], Tensor
    ]  # F2: features (1,C,s,s), tail (0 or 1, style) → (1,3,S,S), float32
    begin: Callable[[int, torch.Generator], Tensor]  # N codes to start from, (N, style)
    tail: Tensor  # (1, style) where F2 has a style of its own to learn, else (0, style)
    channels: int  # C
    normed: bool  # whether F2 begins with a norm, as the paper's does


def cut(net: nn.Module, layer: int, dtype: torch.dtype) -> Cut:
    """`net` cut after the features of `layer`² px; the heavy parts in `dtype`. Raises OptionError."""
    if isinstance(net, PGGAN):
        return _cut_progressive(net, layer, dtype)
    return _cut_styled(net, layer, dtype)


def _cut_progressive(net: PGGAN, layer: int, dtype: torch.dtype) -> Cut:
    boundary = max(k for k, (_, side) in enumerate(net.shapes) if side == layer)
    quick = copy.deepcopy(net).to(dtype).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    device = net.picture.bias.device

    def begin(n: int, generator: torch.Generator) -> Tensor:
        return torch.randn(n, net.style, generator=generator).to(device)

    return Cut(
        first=lambda codes: quick.first(codes, boundary),
        rest=lambda features, tail: quick.rest(features.to(dtype), boundary).float(),
        begin=begin,
        tail=torch.empty(0, net.style, device=device),
        channels=net.shapes[boundary][0],
        normed=True,
    )


def _cut_styled(net: Any, layer: int, dtype: torch.dtype) -> Cut:
    """A StyleGAN. Only MobileStyleGAN has a form in half precision; the others stay in float32."""
    boundary = next(k for k, (_, side) in enumerate(net.shapes) if side == layer)
    quick: Any = prepared(net, dtype) if isinstance(net, MobileStyleGAN) else net
    mean = samples_of_w(net.mapping, net.style).mean(0, keepdim=True)

    def rows(w: Tensor) -> Tensor:
        return w[:, None].expand(-1, net.style_rows, -1)

    def begin(n: int, generator: torch.Generator) -> Tensor:
        z = torch.randn(n, net.style, generator=generator).to(mean.device)
        with torch.no_grad():
            return torch.lerp(mean, net.mapping(z), TRUNCATION)

    return Cut(
        first=lambda codes: quick.first(rows(codes), boundary),
        rest=lambda features, tail: quick.rest(features, rows(tail), boundary).float(),
        begin=begin,
        tail=mean,
        channels=net.shapes[boundary][0],
        normed=False,
    )


@torch.no_grad()
def samples_of_w(mapping: nn.Module, style: int) -> Tensor:
    """(SAMPLES, style): w of fixed z, the same in every run."""
    z = torch.randn(SAMPLES, style, generator=torch.Generator().manual_seed(0))
    return mapping(z.to(next(mapping.parameters()).device))


@torch.no_grad()
def principal(w: Tensor) -> tuple[Tensor, Tensor]:
    """Samples (B,style) → their principal directions (8,style), widest first, and the deviations along them (8,).

    A direction's largest entry is positive, so that it always points the same way.
    """
    spread = w - w.mean(0, keepdim=True)
    values, vectors = torch.linalg.eigh(spread.T @ spread / (len(w) - 1))
    directions = vectors.T.flip(0)[: len(DIRECTIONS)]
    largest = directions.gather(1, directions.abs().argmax(1, keepdim=True))
    return directions * largest.sign(), values.flip(0)[: len(DIRECTIONS)].clamp_min(0).sqrt()


class _Composition(torch.autograd.Function):
    """Σ_n features_n ⊙ α_n, a code at a time so that what is added stays in the processor's cache; summed in
    float32 whatever the features are."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, alpha: Tensor) -> Tensor:  # type: ignore[override]
        ctx.save_for_backward(features, alpha)
        total = torch.zeros_like(features[:1], dtype=alpha.dtype)
        for f, a in zip(features, alpha):
            total.addcmul_(f[None].to(alpha.dtype), a[None, :, None, None])
        return total

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        features, alpha = ctx.saved_tensors
        to_features, to_alpha = torch.empty_like(features), torch.empty_like(alpha)
        for n, (f, a) in enumerate(zip(features, alpha)):
            to_features[n] = grad[0] * a[:, None, None]
            to_alpha[n] = (grad[0] * f).sum((1, 2))
        return to_features, to_alpha


def compose(features: Tensor, alpha: Tensor, normed: bool) -> Tensor:
    """Σ_n features_n ⊙ α_n, times 1/N where a norm follows: (N,C,s,s), (N,C) → (1,C,s,s) in α's precision."""
    total: Tensor = _Composition.apply(features, alpha)  # type: ignore[assignment]
    return total / len(alpha) if normed else total


# ---------------------------------------------------------------------------------------------- losses


def shrunk(x: Tensor, side: int, kind: str) -> Tensor:
    """(B,3,S,S) → (B,3,side,side) by the operator `kind` of the option `down`; values keep their range but for
    the overshoot of bicubic. Gradients reach x."""
    if kind in ("bicubic", "nearest"):
        return imresize(x, (side, side), kernel="cubic" if kind == "bicubic" else "nearest")
    if kind == "area":
        return F.interpolate(x, (side, side), mode="area")
    mode, _, way = kind.partition("-")
    return F.interpolate(x, (side, side), mode=mode, align_corners=False, antialias=way == "antialias")


def grey(x: Tensor) -> Tensor:
    """RGB (B,3,H,W) of any range → its luma in three channels."""
    return luma(x)[:, None].expand(-1, 3, -1, -1)


def observed(x: Tensor, options: Options, side: int, hole: Tensor | None) -> Tensor:
    """What of a generated picture (1,3,S,S) in [−1,1] is compared with the input: see the module's top."""
    if options.job == "sr":
        return shrunk(x, side, options.down)
    x = x if x.shape[-1] == side else F.interpolate(x, (side, side), mode="area")
    if options.job == "colour":
        return grey(x)
    return x * (1 - hole) if hole is not None else x


def vgg_features(trunk: Vgg16, x: Tensor) -> Tensor:
    """(1,3,H,W) in [−1,1] → VGG16's features up to ReLU 3_3 of its nearest-neighbour copy of 256² px."""
    x = F.interpolate(x / 2 + 0.5, (VGG_SIDE, VGG_SIDE), mode="nearest")
    return trunk(x.to(trunk.features[0].weight.dtype), (VGG_END,))[0].float()  # type: ignore[union-attr]


def terms(x: Tensor, target: Tensor, options: Options, features: Features | None = None) -> dict[str, Tensor]:
    """The loss's terms, weighted by the options; x, target: (1,3,H,W) in [−1,1]. "VGG" needs `features`."""
    found = {"L1": options.l1 * (x - target).abs().mean()} if options.l1 else {}
    found |= {"MSE": options.mse * (x - target).square().mean()} if options.mse else {}
    if options.vgg and features is not None:
        found["VGG"] = options.vgg * VGG_SCALE * (features(x) - features(target)).abs().mean()
    return found


def with_colours_of(picture: Tensor, colours: Tensor) -> Tensor:
    """The brightness of `picture` with the colours of `colours`, both (3,H,W) in [0,1], through Pillow's 8-bit
    YCbCr as the authors have it."""
    y, (_, cb, cr) = pillow_ycbcr(picture)[0], pillow_ycbcr(colours)
    red, blue = cr - 128, cb - 128
    rgb = torch.stack((y + 1.402 * red, y - 0.344136 * blue - 0.714136 * red, y + 1.772 * blue))
    return rgb.round().clamp(0, 255) / 255


# ---------------------------------------------------------------------------------------------- search


@dataclass
class Search:
    """The codes and weights of one picture, and a step of their optimisation."""

    part: Cut
    options: Options
    plan: Plan
    side: int  # of the input, px
    target: Tensor  # (1,3,side,side) in [−1,1], as `observed` would see it
    hole: Tensor | None
    features: Features | None
    codes: Tensor  # (N, style)
    alpha: Tensor  # (N, C)
    tail: Tensor  # (0 or 1, style)
    optimiser: torch.optim.Optimizer = field(init=False)

    def __post_init__(self) -> None:
        lr = self.plan.lr
        for tensor in (self.codes, self.alpha, self.tail):
            tensor.requires_grad_(True)
        learned = [self.codes, *([self.tail] if len(self.tail) else [])]
        if self.options.optimiser == "gd":
            self.optimiser = torch.optim.SGD([*learned, self.alpha], lr=lr)
        else:
            groups = [
                {"params": learned, "lr": lr},
                {"params": [self.alpha], "lr": ALPHA_RATE * lr / len(self.alpha)},
            ]
            self.optimiser = torch.optim.Adam(groups, eps=1e-12)
        for group in self.optimiser.param_groups:
            group["start"] = group["lr"]

    def picture(self) -> Tensor:
        """x_inv, (1,3,S,S) float32, about [−1,1]."""
        composed = compose(self.part.first(self.codes), self.alpha, self.part.normed)
        return self.part.rest(composed, self.tail)

    def step(self, step: int) -> tuple[Tensor, dict[str, float]]:
        """The picture (1,3,S,S) in [−1,1] and its loss terms, and then, but after the last, an update."""
        with torch.enable_grad():
            x = self.picture()
            found = terms(
                observed(x, self.options, self.side, self.hole), self.target, self.options, self.features
            )
            total = torch.stack(list(found.values())).sum()
            if step < self.plan.iterations:
                self.optimiser.zero_grad(set_to_none=True)
                total.backward()
                self._slow_down(step)
                self.optimiser.step()
        told = {"loss": total, **found}
        return x.detach(), {name: float(value.detach()) for name, value in told.items()}

    def _slow_down(self, step: int) -> None:
        """Adam: half a cosine from the full rate at three quarters of the steps to a twentieth at the end."""
        if self.options.optimiser == "adam":
            late = max(0.0, 4 * step / self.plan.iterations - 3)
            share = 0.05 + 0.95 * (0.5 + 0.5 * math.cos(math.pi * late))
            for group in self.optimiser.param_groups:
                group["lr"] = group["start"] * share


def search_for(low: Tensor, options: Options, nets: Nets, generator: torch.Generator) -> Search:
    """The search's start for the input `low` (3,side,side) in [0,1]."""
    plan, side = planned(options), low.shape[-1]
    part = cut(nets["generator"], plan.layer, nets.dtype)
    hole = None
    if options.job == "inpaint" and options.mask is not None:
        hole = hole_of(options.mask).to(low.device)
    target = low[None] * 2 - 1
    target = grey(target) if options.job == "colour" else target
    target = target * (1 - hole) if hole is not None else target
    codes = part.begin(plan.codes, generator)
    alpha = torch.full((plan.codes, part.channels), 1 / plan.codes, device=low.device, dtype=torch.float32)
    features = _perceiving(nets, target) if options.vgg else None
    return Search(part, options, plan, side, target, hole, features, codes.clone(), alpha, part.tail.clone())


def _perceiving(nets: Nets, target: Tensor) -> Features:
    """`vgg_features` in the run's precision, the target's computed once."""
    trunk = copy.deepcopy(nets["vgg"].trunk).to(nets.dtype)
    with torch.no_grad():
        known = vgg_features(trunk, target)
    return lambda x: known if x is target else vgg_features(trunk, x)


@torch.no_grad()
def result(x: Tensor, low: Tensor, options: Options, hole: Tensor | None) -> Tensor:
    """The job's answer (3,·,·) in [0,1] of a generated picture x (1,3,S,S) and the input `low`."""
    picture = (x[0] / 2 + 0.5).clamp(0, 1)
    wanted = low.shape[-1] * (options.factor if options.job == "sr" else 1)
    if wanted != picture.shape[-1]:
        small = options.job != "sr"
        picture = (
            F.interpolate(picture[None], (wanted, wanted), mode="area")[0]
            if small
            else imresize(picture, (wanted, wanted)).clamp(0, 1)
        )
    if options.job == "colour":
        return with_colours_of(low, picture)
    if hole is not None and options.composite:
        return torch.where(hole > 0, picture, low)
    return picture


def run(low: Tensor, options: Options, nets: Nets, generator: torch.Generator) -> Iterator[Frame]:
    """low (3,side,side) in [0,1] → a frame an iteration, then an edit's frames.

    sr: the result is the generator's picture, of side·factor px. The other jobs take and give the working size:
    colour reads only the brightness of what it gets, denoise takes the noisy picture ("test with a known answer"
    makes one), inpaint looks at nothing inside the hole.
    """
    search = search_for(low, options, nets, generator)
    further = SWEEP + 1 if options.job == "edit" else 0
    last, curve = search.plan.iterations, []
    for step in range(1, last + 1):
        x, readings = search.step(step)
        curve.append(readings["loss"])
        views: dict[str, Any] = {"loss": Curve({"loss": tuple(curve)}, log=True)}
        if step == last:
            views |= analysis(search)
        image = result(x, low, options, search.hole)
        yield Frame(image, step, last + further, readings, views)
    if further:
        yield from edited(search, low, image, nets, views, last)


# ---------------------------------------------------------------------------- what each code does; editing


@torch.no_grad()
def analysis(search: Search) -> dict[str, Any]:
    """The views of the last frame: α as a map, and the role of each code (paper, §4.4 and figure 8)."""
    alpha = search.alpha.detach()
    n, c = alpha.shape
    views: dict[str, Any] = {
        f"α: {n} codes × {c} channels": Heat(
            alpha.repeat_interleave(ROW, dim=0), signed=bool((alpha < 0).any())
        )
    }
    if search.options.roles:
        title, maps = roles(search)
        views[title] = Heat(maps, "mean change, of 1", min=0.0)
    return views


def strong(alpha: Tensor) -> tuple[str, Tensor]:
    """Which channels count for a code, (N,C) bool, and the rule in words: α > 0.2 as the paper has it, or, where
    α is of another size so that hardly any or nearly all would count, each code's strongest tenth."""
    chosen = alpha > STRONG
    if 0.01 < float(chosen.float().mean()) < 0.5:
        return f"α > {STRONG}", chosen
    least = alpha.abs().quantile(0.9, dim=1, keepdim=True)
    return "the strongest tenth of |α|", alpha.abs() >= least


@torch.no_grad()
def roles(search: Search) -> tuple[str, Tensor]:
    """Where the picture changes when a code's strong channels are switched off: a title and a grid of N maps."""
    alpha = search.alpha.detach()
    rule, off = strong(alpha)
    features = search.part.first(search.codes.detach())
    composed = compose(features, alpha, search.part.normed)
    tail = search.tail.detach()
    whole = _thumb(search.part.rest(composed, tail))
    maps = []
    for n in range(len(alpha)):
        gone = compose(features[n : n + 1], (alpha * off)[n : n + 1], False)
        gone = gone / len(alpha) if search.part.normed else gone
        maps.append((_thumb(search.part.rest(composed - gone, tail)) - whole).abs().mean(0))
    return f"role of each code: change without {rule}", _grid(maps)


def _thumb(x: Tensor) -> Tensor:
    """(1,3,S,S) in [−1,1] → (3,TILE,TILE) in [0,1]."""
    return F.interpolate((x / 2 + 0.5).clamp(0, 1), (TILE, TILE), mode="area")[0]


def _grid(maps: list[Tensor]) -> Tensor:
    """Maps (h,w) → one, five to a row, empty places 0."""
    across = min(5, len(maps))
    maps = maps + [torch.zeros_like(maps[0])] * (-len(maps) % across)
    rows = [torch.cat(maps[i : i + across], dim=1) for i in range(0, len(maps), across)]
    return torch.cat(rows, dim=0)


def direction_of(options: Options, nets: Nets) -> Tensor:
    """The step (1,style) by which an amount of 1 moves every code."""
    if options.boundary is not None:
        return options.boundary
    net = nets["generator"]
    directions, deviations = principal(samples_of_w(net.mapping, net.style))
    k = DIRECTIONS.index(options.direction)
    return directions[k : k + 1] * deviations[k]


@torch.no_grad()
def moved(search: Search, shift: Tensor) -> Tensor:
    """The picture (1,3,S,S) with every code, and the tail's style, moved by `shift`; α stays."""
    features = search.part.first(search.codes.detach() + shift)
    composed = compose(features, search.alpha.detach(), search.part.normed)
    tail = search.tail.detach()
    return search.part.rest(composed, tail + shift if len(tail) else tail)


def edited(
    search: Search, low: Tensor, inverted: Tensor, nets: Nets, views: Mapping[str, Any], done: int
) -> Iterator[Frame]:
    """SWEEP frames from −span to +span, then the picture at `amount` with the animation beside it."""
    options = search.options
    unit = direction_of(options, nets).to(low.device)
    pictures = []
    for i in range(SWEEP):
        t = options.span * (2 * i / (SWEEP - 1) - 1)
        pictures.append(result(moved(search, t * unit), low, options, None))
        yield Frame(pictures[-1], done + 1 + i, done + SWEEP + 1, {"moved by": t}, views)
    image = result(moved(search, options.amount * unit), low, options, None)
    strip = torch.cat([F.interpolate(p[None], (TILE, TILE), mode="area")[0] for p in pictures[::2]], dim=2)
    name = options.direction if options.boundary is None else "the boundary"
    title = f"{name}: −{options.span:g} … +{options.span:g}"
    yield Frame(
        image,
        done + SWEEP + 1,
        done + SWEEP + 1,
        {"moved by": options.amount},
        {title: strip, **views},
        answers={"not edited": inverted},
        files={"edit.webp": animation(pictures)},
    )


def animation(pictures: list[Tensor]) -> bytes:
    """Pictures (3,H,W) in [0,1] → an endless animated WebP, there and back, at most 512 px."""
    small = [
        p if p.shape[-1] <= 512 else F.interpolate(p[None], (512, 512), mode="area")[0] for p in pictures
    ]
    return animated_webp([*small, *small[-2:0:-1]])


# ------------------------------------------------------------------------------------------------ cost


@lru_cache
def _shapes(generator: str) -> tuple[tuple[int, int], ...]:
    """(channels, side) at the boundaries of a generator, without building it."""
    if generator.startswith("pggan"):
        return pggan_shapes(SIDES[generator])
    if generator.startswith("mobile"):
        return tuple((c, 4 << k) for k, c in enumerate(FFHQ_CHANNELS))
    sides = [4 << k for k in range((SIDES[generator] // 4).bit_length())]
    return tuple((min(512, 32768 // side), side) for side in sides)


def _work(generator: str, layer: int) -> tuple[float, float, float, float]:
    """Products of F1 and F2, and values kept for the gradient in F1 and F2, for one code."""
    products, kept = [0.0, 0.0], [0.0, 0.0]
    shapes = _shapes(generator)
    separable = generator.startswith("mobile")
    stages = 2 if not generator.startswith("pggan") else 1  # convolutions between two boundaries
    for (c, _), (out, side) in itertools.pairwise(shapes):
        dense = 9.0 * out * (c + out if stages == 2 else c)
        narrow = c / 4 * (9 + out) + out * (9 + out)
        part = int(side > layer)
        products[part] += (narrow if separable else dense) * side**2
        kept[part] += (9 if separable else 4 * stages) * out * side**2
    return products[0], products[1], kept[0], kept[1]


def cost(height: int, width: int, options: Options) -> Cost:
    """Operations of the iterations, forward and back; bytes that one keeps, in float32, and the networks."""
    plan, side = planned(options), SIDES[options.generator]
    first, rest, kept_first, kept_rest = _work(options.generator, plan.layer)
    vgg = 12.3e9 if options.vgg else 0.0  # products up to ReLU 3_3 at 256²
    operations = 4.0 * plan.iterations * (plan.codes * first + rest + vgg)
    weights = 3 * (1e8 if not options.generator.startswith("mobile") else 4e7) + (3e8 if options.vgg else 0)
    pictures = 4.0 * 3 * (6 * side**2 + 8 * height * width)
    return Cost(operations, 4.0 * (plan.codes * kept_first + kept_rest) + weights + pictures)


MGANPRIOR = Method(
    name="mganprior",
    title="mGANprior",
    summary="One face generator, many codes: enlarges, colours, fills holes, removes noise, and edits faces.",
    paper=Paper(
        authors="Gu, Shen, Zhou",
        year=2020,
        venue="CVPR",
        title="Image Processing Using Multi-Code GAN Prior",
        link="https://arxiv.org/abs/1912.07116",
        licence=(
            "our own code; MobileStyleGAN (FFHQ): non-commercial research, as the network it was taught by; "
            "PGGAN: CC BY-NC 4.0"
        ),
        good_for="faces from the front, aligned: one picture, minutes on a processor.",
        not_for="telling who somebody is: what the input does not hold is invented. Other things than faces need "
        "a generator that was trained on them.",
    ),
    scales=(16, 1, 4, 8, 32, 64),
    options=Options,
    presets={
        "Quick": {
            "codes": 10, "iterations": 60, "optimiser": "adam", "lr": 0.0, "l1": 0.0, "mse": 1.0, "vgg": 0.0,
            "layer": "auto", "down": "bicubic",
        },
        "Balanced": {
            "codes": 20, "iterations": 200, "optimiser": "adam", "lr": 0.0, "l1": 0.0, "mse": 1.0, "vgg": 0.0,
            "layer": "auto", "down": "bicubic",
        },
        "Paper: gradient descent": {
            "codes": 0, "iterations": 0, "optimiser": "gd", "lr": 1.0, "l1": 0.0, "mse": 1.0, "vgg": 1.0,
            "layer": "auto", "down": "bilinear-point",
        },
    },
    accepts=Accepts(
        min_side=4, side=input_side, face=True,
        faceless=lambda options: not any(people in options.generator for people in ("ffhq", "celeba")),
    ),
    cost=cost,
    run=run,
    weights={"generator": tuple(SIDES), "vgg": ("lpips-vgg",)},
    needs=needs,
    scale=scale,
    outputs_colour=lambda options: options.job == "colour",
    caution=(
        "The generator draws faces it has seen the like of. With few codes or a shallow layer the result may be "
        "another person; skin, teeth, hair and background are invented."
    ),
)  # fmt: skip
