"""DIP, a baseline: Deep Image Prior.

Ulyanov, Vedaldi, Lempitsky, CVPR 2018, arXiv 1711.10925. mGANprior compares itself with it. A network with random
weights θ draws a picture from fixed noise z, and is trained on the one input x0 alone until what it draws agrees:

    min over θ of E(f(z; θ); x0):   ‖d(y) − x0‖² (super-resolution), ‖(y − x0) ⊙ m‖² (inpainting), ‖y − x0‖² (denoising)

The structure of the network is the only prior; denoising must stop early. Written from the paper and its supplement;
the authors' code is under Apache-2.0, and nothing of it was copied.

As the authors: five scales, skips of 4 channels, bilinear enlargement, 32 channels of noise in [0, 0.1] as input, moved
in every step by noise of σ 0.03, Adam with rate 0.01. How we differ, and why:

- 32 channels at each scale, the authors' 128 by `width`: time grows nearly with its square.
- 500 steps, theirs 2000 and more. `correct` makes that enough: the result is the nearest picture to the drawn one that
  downscales to the input, y + D⁺(x − D y). So LR-consistency does not measure the method.
- d is MATLAB's bicubic, by which inputs are made small here and in the customary benchmarks; theirs is Lanczos.
- The average is for all jobs (theirs: exponential, for denoising only). Its window grows with the steps, up to 100.
- One network for all jobs: theirs are chosen for each picture, in inpainting also with wider skips or none.
- The known pixels stand around a filled hole as they are.
- The network draws a larger canvas where a side is not a multiple of 32; theirs crops the picture.
- On processors that are fast in it, convolutions compute in bfloat16; what that changes was not measured.

Filling is its weakest job at these settings: in 6 of 19 pictures of which half of the pixels were missing, the mean of
the neighbours came closer (docs/measured.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from gansr.method import Accepts, Cost, Curve, Frame, Method, Nets, Paper, State, Steps
from gansr.ops.holes import PAINTED, check_mask
from gansr.options import OptionError
from gansr.papers.dip.how import HOW
from gansr.papers.dip.network import operations
from gansr.papers.dip.options import (
    RESULT_PIXELS,
    Options,
    factor_of,
    hole_for,
    most_pixels,
    reads,
    steps_of,
)
from gansr.papers.dip.search import INPUTS, SKIP, Fit, canvas

__all__ = ("DIP", "Options")

CORRECTED = (
    "corrected so that, shrunk again, it is your picture: the LR-consistency does not measure the method"
)
USUAL_PIXELS = 256 * 256  # drawn in the steps that times are given for


def run(
    low: Tensor, options: Options, nets: Nets, generator: torch.Generator, state: State | None = None
) -> Iterator[Frame]:
    """low (3,H,W) in [0,1] → a frame a step, of `scale` times the size where it enlarges.

    state: of a frame before the last step, to go on after it. Raises OptionError for a hole that is missing, or of
    another size than the picture.
    """
    height, width = low.shape[-2:]
    hole = hole_for(options, height, width, generator.initial_seed())
    if options.job == "inpaint":
        if hole is None:
            raise OptionError(
                "inpainting needs a mask: paint the hole over the picture, upload it in white on black, or choose a "
                "hole"
            )
        if options.hole == PAINTED:
            check_mask(hole, height, width)
        hole = hole.to(low.device)
    fit, steps = Fit(low, options, hole, generator, nets.dtype), steps_of(options)
    if state is not None:
        fit.restore(state)
    form = "eager bf16" if nets.dtype == torch.bfloat16 else "eager float32"
    for step in range(len(fit.losses) + 1, steps + 1):
        loss = fit.step()
        notices = (CORRECTED,) if options.job == "sr" and options.correct and step == steps else ()
        yield Frame(
            fit.picture(),
            step,
            steps,
            {"loss": loss},
            {"loss": Curve({"loss": tuple(fit.losses)}, log=True)},
            notices=notices,
            form=form,
            save=fit.state if step < steps else None,
        )


def cost(height: int, width: int, options: Options) -> Cost:
    """Operations of all steps, forward and backward; peak bytes of what one step keeps."""
    factor = factor_of(options)
    pixels = float(canvas(height * factor) * canvas(width * factor))
    count, channels = steps_of(options), options.width
    kept = (
        4 / 3 * (4 * INPUTS + 16 * channels) * 4.0 * pixels
    )  # each scale has a quarter of the pixels of the last
    kind = Steps(f"width {channels}", count, pixels / USUAL_PIXELS)
    return Cost(3 * count * operations(INPUTS, channels, SKIP) * pixels, kept + 2e8, (kind,))


def scale(method: Method, options: Options) -> int:
    """The factor from the input's sides to the result's."""
    return factor_of(options)


def fit_to(options: Options, side: int, scale: int) -> Options:
    """Enlarging by a problem's factor, or by the nearest that there is."""
    return replace(options, job="sr", scale=min(max(scale, 2), 8))


def smaller(options: Options) -> Options | None:
    """A network of half the width; None where it is the narrowest already."""
    return replace(options, width=options.width // 32 * 16) if options.width >= 32 else None


def degrades(options: Options) -> dict[str, float]:
    """The noise (1/255) that the quality test adds: some, where it is to be removed."""
    return {"noise": 25.0 if options.job == "denoise" else 0.0}


DIP = Method(
    name="dip",
    title="DIP",
    summary="A baseline without training: an untrained network learns to draw your picture, larger or repaired.",
    paper=Paper(
        authors="Ulyanov, Vedaldi, Lempitsky",
        year=2018,
        venue="CVPR",
        title="Deep Image Prior",
        link="https://arxiv.org/abs/1711.10925",
        licence="no weights: the network is trained on your picture; our own code, written from the paper",
        good_for="small pictures of any kind: enlarging, small holes, noise; a baseline without any training data.",
        not_for="detail that is nowhere in the picture: a face in a large hole becomes a smooth spot.",
    ),
    scales=(4, 1, 2, 3, 5, 6, 7, 8),
    options=Options,
    presets={
        "Quick": {"steps": 0, "width": 32, "average": True, "correct": True},
        "Paper": {"steps": 2000, "width": 128, "average": True, "correct": False},
    },
    accepts=Accepts(min_side=4, max_pixels=RESULT_PIXELS, pixels=most_pixels),
    cost=cost,
    run=run,
    resume=run,
    scale=scale,
    fit=fit_to,
    smaller=smaller,
    reads=reads,
    degrades=degrades,
    baseline=True,
    bench="gansr.papers.dip.bench",
    how=HOW,
    caution=(
        "It knows nothing but your picture: it goes on with what is there, and draws smooth what it cannot tell. With "
        "too many steps noise and JPEG blocks come back."
    ),
)
