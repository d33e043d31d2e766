"""mGANprior: Image Processing Using Multi-Code GAN Prior.

Gu, Shen, Zhou, CVPR 2020, arXiv 1912.07116. A frozen generator is split after one of its layers, the composing layer:
F1 before it, F2 after it. N codes z_n go through F1, channel weights α_n scale their features, the sum goes through F2:

    x_inv = F2( (1/N) · Σ_n F1(z_n) ⊙ α_n ),        z_n ~ N(0,1), α_n = 1/N at the start        (§3.1, §3.2)

The search is for codes and weights whose picture agrees with what is known: the whole picture (inversion and, stopped
early, denoising), its luma (colourisation), its downscaled copy (super-resolution), or the part outside a hole
(inpainting).

Written from the paper and a specification; the authors' repository has no licence, and nothing of it was copied. The
losses, the composition and PGGAN are tested against numbers computed by the authors' code. One thing their code does
and the paper does not say is kept for PGGAN: 1/N stands twice, in the sum and in the start of α. PixelNorm makes the
picture nearly independent of α's size, but the gradient is inversely proportional to it, so with the authors' gradient
descent at rate 1 a start of α = 1, or a sum without the outer 1/N, amounts to another learning rate.

How we differ, and why:
- All codes go through F1 as one batch; the result equals the loop's (tested to 1e-5).
- The default generator is a StyleGAN (MobileStyleGAN, FFHQ), whose codes lie in w: w_n start as samples drawn towards
  the mean, each drives all style rows of F1, and one further row, for F2, is learned from the mean on. No norm follows
  the composing layer there, so the outer 1/N is left out: with it the features would be N times too small.
- The default optimiser is Adam with settings of ours; the authors' default is gradient descent ("gd"). Theirs is one
  rate of 1 for codes and α, the eps of PyTorch, 1e-8, and no decay: "adam-authors" has exactly these. Ours departs in
  the rate, 0.05: a step of 1 is more than twice the standard deviation of w, 0.41. In α's rate, four times 0.05/N:
  α starts at 1/N, so a rate of 0.05 would exceed α itself for N > 20. In the decay over the last quarter, to a
  twentieth: with few iterations it comes closer than a constant rate. And in eps, 1e-12: gradients are means over all
  pixels, so small ones should not be damped; it matters little (on the example face at N = 10 the loss after 20 steps
  is 0.0351 against 0.0353 with 1e-8 at ×16, 0.0419 against 0.0415 in inversion).
- A generator larger than the working size is compared at the working size, by the mean over each square.
- The downscaling of super-resolution may be any that inputs are made with; the authors' is "bilinear-point", at ×16
  the mean of the middle 2×2 of 16×16 pixels.
- Three options that the paper does not have, on in Quick and Balanced. "pull": the loss gets a further term, λ
  (mean(((z_n − z̄)/σ)²) + 3 mean((N·α − 1)²)), which holds codes and α to the prior: without it faces melt. λ is ten
  times as large where a hole is filled, and the composing layer is 4² there: at 16², codes drew parts of several faces
  into the hole. "correct" (`known`): an enlarged face is corrected so that it downscales to its input; its
  LR-consistency is then high by construction and does not measure the search. A filled hole is corrected to meet the
  known pixels at its rim. "offset" (inversion, editing, denoising): after three tenths of the steps a free offset of
  the composed features is searched too, since no sum of a few codes can draw everything: the picture is then F2(Σ
  F1(z_n) ⊙ α_n + Δ). Other jobs have none: what is not seen of the picture (colours, a hole, details) must come from
  the prior. Of a face for choosing defaults, inverted at 256 px in 60 steps: identity 0.54 without it (20 codes), 0.98
  with it (10 codes).
- The known pixels are put back around an inpainted hole (the authors have the function and do not call it).
- MobileStyleGAN has named editing directions (`directions`), found on its own samples as InterFaceGAN finds its own
  (`train`). The others of a StyleGAN are the principal directions of its own w (the idea of GANSpace and SeFa), and are
  numbered: the user sees what each does, and no meaning is claimed.

The parts: `options`; `composition` splits the generator and sums the features; `tasks` has each job's observation,
loss and result; `known` corrects an enlarged face by its input; `search` optimises, `baselines` what the paper compares
itself with; `views` and `edit` make what is shown at the end; `mix` draws faces between two; `sweep` goes through the
composing layers; `cost` estimates.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import torch
from torch import Tensor

from gansr.method import Accepts, Curve, Frame, Method, Nets, Paper, State, View
from gansr.nets import encoder
from gansr.options import OptionError
from gansr.papers.mganprior.baselines import search_of
from gansr.papers.mganprior.cost import cost
from gansr.papers.mganprior.edit import SWEEP as EDITED
from gansr.papers.mganprior.edit import edit_frames
from gansr.papers.mganprior.holes import hole_for
from gansr.papers.mganprior.how import HOW
from gansr.papers.mganprior.known import NOTICES
from gansr.papers.mganprior.mix import mix_frames
from gansr.papers.mganprior.options import GENERATORS, SWEEP, Options, begins_encoded, input_side
from gansr.papers.mganprior.sweep import sweep_frames
from gansr.papers.mganprior.tasks import reads, result_of
from gansr.papers.mganprior.views import final_views

__all__ = ("MGANPRIOR", "Options")


def run(
    low: Tensor, options: Options, nets: Nets, generator: torch.Generator, state: State | None = None
) -> Iterator[Frame]:
    """low (3,side,side) in [0,1] → one frame per iteration, then an edit's frames; "mix": see `mix_frames`; several
    composing layers: see `sweep_frames`.

    sr: the result is the generator's picture, of side·factor px. The other jobs take and give the working size:
    colour reads only the luma of its input, denoise takes the noisy picture, inpaint reads nothing inside the hole.
    state: of a frame before the last iteration, to go on after it. Raises OptionError for inpaint without a hole.
    """
    if options.job == "inpaint" and hole_for(options, generator.initial_seed()) is None:
        raise OptionError(
            "inpainting needs a mask: paint the hole over the picture, upload it in white on black, or choose a hole"
        )
    if options.job == "mix":
        yield from mix_frames(low, options, nets, generator, state)
        return
    if options.layer == SWEEP:
        yield from sweep_frames(low, options, nets, generator, state)
        return
    search = search_of(low, options, nets, generator)
    if state is not None:
        search.restore(state)
    last = search.plan.iterations
    steps = last + (EDITED + 1 if options.job == "edit" else 0)
    image, views = low, dict[str, View]()
    for step in range(len(search.losses) + 1, last + 1):
        x, readings = search.step(step)
        views = {"loss": Curve({"loss": tuple(search.losses)}, log=True)}
        if step == last:
            views |= final_views(search)
        image = result_of(x, low, options, search.hole, search.correct)
        notices = (NOTICES[options.job],) if search.correct is not None and step == last else ()
        save = search.state if step < last else None
        yield Frame(
            image, step, steps, readings, views, notices=notices, form=search.generator.form, save=save
        )
    if options.job == "edit":
        yield from edit_frames(search, low, image, nets, views, last)


def scale(method: Method, options: Options) -> int:
    """The factor from the input's side to the result's."""
    return options.factor if options.job == "sr" else 1


def fit(options: Options, side: int, scale: int) -> Options:
    """The factor at which the input has a problem's side. Raises OptionError where the generator is too small."""
    if options.job != "sr" or not side:
        return options
    drawn = GENERATORS[options.generator]
    if drawn < 2 * side:
        raise OptionError(f"{options.generator} draws {drawn}×{drawn} px: too few to enlarge {side}×{side}")
    return replace(options, factor=drawn // side)


def needs(method: Method, options: Options) -> Mapping[str, str]:
    """role → weights: the generator; VGG16 only where the loss has it (the trunk of LPIPS-VGG is ImageNet's VGG16); the
    encoder where the search begins at its rows."""
    found = {"generator": options.generator} | ({"vgg": "lpips-vgg"} if options.vgg else {})
    return found | ({"encoder": encoder.ENCODER} if begins_encoded(options) else {})


def degrades(options: Options) -> Mapping[str, float]:
    """The noise (1/255) that the quality test adds: some, where it is to be removed."""
    return {"noise": 25.0 if options.job == "denoise" else 0.0}


def draws_no_faces(options: Options) -> bool:
    """Whether the generator was trained on something else than faces."""
    return not any(dataset in options.generator for dataset in ("ffhq", "celeba"))


def departs(options: Options) -> str:
    """Why a result is another face than the input's; empty where it is to be the same."""
    return "the face is changed on purpose" if options.job in ("edit", "mix") else ""


def adds_colours(options: Options) -> bool:
    """Whether a grey picture gets colours."""
    return options.job == "colour"


MGANPRIOR = Method(
    name="mganprior",
    title="mGANprior",
    summary="One face generator, many codes: enlarges, colours, fills holes, removes noise, edits and mixes faces.",
    paper=Paper(
        authors="Gu, Shen, Zhou",
        year=2020,
        venue="CVPR",
        title="Image Processing Using Multi-Code GAN Prior",
        link="https://arxiv.org/abs/1912.07116",
        licence=(
            "our own code; MobileStyleGAN (FFHQ): non-commercial research, as the network it was distilled from; "
            "PGGAN: CC BY-NC 4.0"
        ),
        good_for="aligned faces from the front; one picture takes minutes on a processor.",
        not_for="telling who somebody is: details missing from the input are invented. Anything but faces needs a "
        "generator trained on it.",
    ),
    scales=(16, 1, 4, 8, 32, 64),
    options=Options,
    presets={
        "Quick": {
            "codes": 0, "iterations": 60, "optimiser": "adam", "lr": 0.0, "l1": 0.0, "mse": 1.0, "vgg": 0.0,
            "layer": "auto", "down": "bicubic", "pull": 0.003, "correct": True,
            "offset": True,
        },
        "Balanced": {
            "codes": 20, "iterations": 200, "optimiser": "adam", "lr": 0.0, "l1": 0.0, "mse": 1.0, "vgg": 0.0,
            "layer": "auto", "down": "bicubic", "pull": 0.003, "correct": True,
            "offset": True,
        },
        "Paper: gradient descent": {
            "codes": 0, "iterations": 0, "optimiser": "gd", "lr": 1.0, "l1": 0.0, "mse": 1.0, "vgg": 1.0,
            "layer": "auto", "down": "bilinear-point", "pull": 0.0, "correct": False,
            "offset": False,
        },
    },
    accepts=Accepts(min_side=4, side=input_side, face=True, faceless=draws_no_faces),
    cost=cost,
    run=run,
    resume=run,
    weights={"generator": tuple(GENERATORS), "vgg": ("lpips-vgg",), "encoder": (encoder.ENCODER,)},
    needs=needs,
    scale=scale,
    outputs_colour=adds_colours,
    departs=departs,
    reads=reads,
    degrades=degrades,
    fit=fit,
    bench="gansr.papers.mganprior.bench",
    train="gansr.papers.mganprior.train_command",
    how=HOW,
    caution=(
        "It can only draw faces similar to its training data. With few codes or a shallow composing layer the result "
        "may look like another person; skin, teeth, hair and background are invented."
    ),
)  # fmt: skip
