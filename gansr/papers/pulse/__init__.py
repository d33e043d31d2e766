"""PULSE: Self-Supervised Photo Upsampling via Latent Space Exploration of Generative Models.

Menon, Damian, Hu, Ravi, Rudin, CVPR 2020, arXiv 2003.03808, §3 and supplement. Nothing is trained: the latent space
of a frozen generator of faces is searched, on spheres, for a picture whose downscaled form is the input. Authors'
code: adamian98/pulse, without licence; this was written from a description (gansr.ops.sphere says what is equal).

How we differ, and why:
- Several samples are one batch, each with its own draws (seed, seed + 1, …), losses, eps and best picture; in the
  authors' code a batch shares them and can never pass the threshold. Sample i of seed s is sample 0 of s + i.
- "best" keeps the variables of the smallest loss, those within eps first; the paper's "last" is available too, and
  used by the preset Paper.
- A search that stays above eps still returns its picture, with a notice; the authors return nothing.
- Quick and Careful search faces nearer to the average face w̄: every row is w̄ + ψ (w − w̄), `truncation`. And the rows of
  layers finer than twice the input, `fine_rows`, are the mean of the others. A small input says nothing about those
  layers. Searched on their own they keep random styles, each another: dots on the skin, brush strokes for hair, eyes
  of two colours. And the search goes on below the error threshold, to `goal`. The preset Paper has none of these.
- The start "GLEAN's rows" is ours: the search begins at the latent rows that our GLEAN's encoder finds in the input;
  layers finer than it draws get the mean of its rows. The rows are mapped into the latent space: truncation, the
  mapping's last activation and the Gaussian are undone. There their radius is about 11, half of the sphere's, near the
  average face. Projected onto the sphere they keep their direction, and twice the length takes the face further from
  the average. docs/faces.md has what it reaches.
- The default generator is MobileStyleGAN, whose noise is built in: the noise options have no effect on it.
  It may be searched in bfloat16, except for its first blocks; the last frame and its errors are computed again in
  float32.
- On a processor the samples go one after the other through the large layers, which needs the memory of one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import torch
from torch import Tensor

from gansr.method import Accepts, Cost, Frame, Method, Nets, Paper, State, Steps
from gansr.nets import encoder
from gansr.nets.mobilestylegan import MobileStyleGAN
from gansr.papers.pulse.how import HOW
from gansr.papers.pulse.options import (
    CAREFUL,
    GENERATORS,
    GLEAN_ROWS,
    PAPER,
    QUICK,
    SIDES,
    Options,
)
from gansr.papers.pulse.search import Search, optimised
from gansr.papers.pulse.views import frame_of

__all__ = ["PULSE", "Options"]


def run(
    low: Tensor, options: Options, nets: Nets, generator: torch.Generator, state: State | None = None
) -> Iterator[Frame]:
    """low (3,side,side) RGB in [0,1] → a Frame a step with the best result so far; the last is drawn in float32.

    state: of an earlier frame, to go on after it. Raises MethodError where a loss is not finite.
    """
    seed = generator.initial_seed()
    search = Search(low, options, nets, seed)
    if state is not None:
        search.restore(state)
    for j in range(search.done, options.steps):
        search.step(j)
        if j + 1 < options.steps:
            yield frame_of(search, j + 1, seed)
    search.finish()
    yield frame_of(search, options.steps, seed)


def input_side(options: Options) -> int:
    """The side of the square input, px."""
    return int(options.side)


def faceless(options: Options) -> bool:
    """Whether the generator draws something other than faces."""
    return "ffhq" not in options.generator


def fit(options: Options, side: int, scale: int) -> Options:
    """The input side of a problem, where the search has it."""
    return replace(options, side=str(side)) if str(side) in SIDES else options


def needs(method: Method, options: Options) -> Mapping[str, str]:
    """role → weights; the encoder where the search begins at its rows."""
    begun_at = {"encoder": encoder.ENCODER} if options.start == GLEAN_ROWS else {}
    return {"generator": options.generator} | begun_at


def scale(method: Method, options: Options) -> int:
    return GENERATORS[options.generator].side // input_side(options)


def cost(height: int, width: int, options: Options) -> Cost:
    """The generator decides; the size of the input hardly matters."""
    generator = GENERATORS[options.generator]
    downscaling = 2 * 3 * height * 1024 * (1024 + width)
    operations = options.steps * options.samples * (generator.operations + downscaling)
    memory = generator.memory + 60e6 * options.samples + downscaling / 1e3
    memory += encoder.MEMORY if options.start == GLEAN_ROWS else 0
    return Cost(operations, memory, (Steps("step", options.steps, options.samples),))


def smaller(options: Options) -> Options | None:
    """One sample at a time, if several were computed at once."""
    return replace(options, batch_size=1) if min(options.batch_size, options.samples) > 1 else None


def warm_up(nets: Nets) -> None:
    """Start compiling the generator in the background."""
    if isinstance(nets["generator"], MobileStyleGAN):
        optimised(nets).compile_in_background()


PULSE = Method(
    name="pulse",
    title="PULSE",
    summary="Finds several possible large faces for one small face, all consistent with the input.",
    paper=Paper(
        authors="Menon, Damian, Hu, Ravi, Rudin",
        year=2020,
        venue="CVPR",
        title="PULSE: Self-Supervised Photo Upsampling via Latent Space Exploration of Generative Models",
        link="https://arxiv.org/abs/2003.03808",
        licence="our own code; weights: non-commercial research (StyleGAN: NVIDIA; FFHQ: CC BY-NC-SA 4.0)",
        good_for="showing that a small face has many large ones: imaginary people, all consistent with the input",
        not_for="identification, restoring a photograph, evidence of any kind, faces that are not frontal",
    ),
    scales=(32, 64, 16, 8, 4, 2, 128),
    options=Options,
    presets={"Quick": QUICK, "Careful": CAREFUL, "Paper": PAPER},
    accepts=Accepts(min_side=8, side=input_side, face=True, faceless=faceless),
    cost=cost,
    run=run,
    resume=run,
    weights={"generator": tuple(GENERATORS), "encoder": (encoder.ENCODER,)},
    needs=needs,
    scale=scale,
    smaller=smaller,
    fit=fit,
    bench="gansr.papers.pulse.bench",
    warm_up=warm_up,
    how=HOW,
    caution=(
        "These are imaginary people, not the person in the picture: the generator invents the details that are "
        "missing from your picture. It was trained on pictures from Flickr, in which people are not equally "
        "represented, and its results resemble the majority. Never use it to identify anyone."
    ),
)
