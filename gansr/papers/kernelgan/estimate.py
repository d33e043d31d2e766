"""The first half of a run: KernelGAN estimates the blur kernel.

How we differ from the authors' program besides the training (see `trainer`), each undone by `paper`:
- its kernel is stretched to the edges of the picture, see `match`;
- where no start learned a kernel, ZSSR uses a Gaussian that is stretched likewise; theirs uses what is there;
- the kernel is shifted to its place once; theirs is shifted again before ZSSR, and rings a little more each time;
- its sum stays 1; theirs changes by the spline's rounding, and with it the brightness;
- kernels of several seeds may be averaged (the authors average the results of five runs in their table).
"""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from gansr.method import Frame, Heat, MethodError, State
from gansr.ops.kernel_files import kernel_files, kernel_png
from gansr.ops.kernels import crop_or_pad, describe, drop_small, for_scale, shift_kernel
from gansr.ops.plain import copied
from gansr.papers.kernelgan.crops import crop_sides, trim_border
from gansr.papers.kernelgan.match import match
from gansr.papers.kernelgan.networks import G_CROP
from gansr.papers.kernelgan.nonlinear import NonLinearTrainer
from gansr.papers.kernelgan.options import Options, kernel_weights
from gansr.papers.kernelgan.trainer import Trainer
from gansr.papers.kernelgan.views import (
    History,
    bicubic,
    implied_small_picture,
    kernel_map,
    kernel_views,
    loss_readings,
    taken_for_real,
)

AGREEMENT = "agreement of the starts"  # of Frame.readings
SPREAD = "Spread of the starts"  # of Frame.views
ITERATIONS_PER_FRAME = 10  # about 50 ms; to show each iteration would cost a fifth of the time


class Estimate(NamedTuple):
    """What the first half of a run hands to the second."""

    kernel: Tensor | None  # for ×2, shifting nothing; None if training broke down
    learned: bool  # whether a start learned a kernel at all
    last: Frame  # hands the kernel out
    stretched: tuple[str, ...] = ()  # what to say of how it was matched, where it is used


def estimate_kernel(
    low: Tensor, options: Options, generator: torch.Generator, total: int, state: State | None = None
) -> Generator[Frame, None, Estimate]:
    """low (3,H,W) in [0,1] → frames while the kernel is learned; `total` is the number of steps of the whole run.
    state: of an earlier frame, to go on after it.

    Returns the estimate. Raises MethodError if there was no finite step at all.
    """
    image = bicubic(low, options.scale)
    losses = History("generator", "discriminator", "bicubic")
    raw: list[Tensor] = []  # a kernel (13,13) of each random start
    failure, picture = "", trim_border(low, options.photo == "real")
    if state is not None:
        raw = copied(state["raw"], low.device)
        losses.restore(state["losses"])
    for start in range(len(raw), options.seeds):
        if state is not None:
            generator.set_state(state["first"])
        first = generator.get_state()
        make = NonLinearTrainer if options.relu else Trainer
        weights = kernel_weights(options)
        trainer = make(picture, generator, options.iterations, options.paper, options.deep, weights)
        step, small, opinion = None, None, None
        if state is not None:
            trainer.restore(state["trainer"])
            generator.set_state(state["random"])
            step, opinion = trainer.last, Heat(state["opinion"].to(low.device), min=0.0, max=1.0)
            small, state = state["small"].to(low.device), None
        save = partial(_state, raw, losses, trainer, first, generator)
        while trainer.done < options.iterations and not failure:
            step, failure = trainer.advance(ITERATIONS_PER_FRAME)
            if step is None:
                raise MethodError(f"learning the kernel broke down: {failure}. Try another seed.")
            losses.add(step.generator_loss, step.discriminator_loss, step.bicubic_loss)
            if small is None or trainer.done % (10 * ITERATIONS_PER_FRAME) == 0:
                small = implied_small_picture(low, step.kernel)
            if opinion is None or trainer.done % (20 * ITERATIONS_PER_FRAME) == 0:
                opinion = taken_for_real(trainer.d, small)
            views = kernel_views(step.kernel) | {
                "Losses": losses.curve(log=True),
                "Implied small picture": small,
                "What the discriminator takes for the picture": opinion,
            }
            at = start * options.iterations + trainer.done
            if at < total:
                yield Frame(
                    image, at, total, loss_readings(step), views, save=partial(save, small, opinion.values)
                )
        assert step is not None, "there is at least one iteration"
        kernel = step.kernel if failure else trainer.kernel()
        if not bool(torch.isfinite(kernel).all()):
            kernel, failure = step.kernel, f"not a number after iteration {trainer.done}"
        raw.append(kernel)
        if failure:
            break
    learned = [k for k in raw if is_learned(k)]
    finished = [finish_kernel(k, options.paper) for k in learned or raw]
    kernel = average_kernels(finished)
    notices = (f"{failure}; this is the last good kernel",) if failure else kernel_warnings(raw)
    notices = (*small_picture_notice(low, picture), *notices)
    matched = match(kernel, low) if learned and not failure and options.matches_edges else None
    if matched is not None:
        kernel = matched.kernel
    files = dict(kernel_files("kernel_x2", kernel))
    if options.scale > 2:
        files |= kernel_files(f"kernel_x{options.scale}", for_scale(kernel, options.scale))
    files["kernel_x2.png"] = kernel_png(kernel)
    views = kernel_views(kernel) | {
        "Losses": losses.curve(log=True),
        "Implied small picture": implied_small_picture(low, kernel),
    }
    readings = dict(describe(kernel))
    if len(finished) > 1:
        readings[AGREEMENT] = alike = agreement(finished)
        views[SPREAD] = kernel_map(spread(finished), float(kernel.max()))
        count = len(finished)
        notices = (
            *notices,
            f"{count} random starts agree to {alike:.2f} (1: the same kernel each time); the kernel is their mean",
        )
    last = Frame(image, total, total, readings, views, files=files, notices=notices)
    stretched = () if matched is None else (matched.notice,)
    return Estimate(None if failure else kernel, bool(learned), last, stretched)


def _state(
    raw: list[Tensor],
    losses: History,
    trainer: Trainer,
    first: Tensor,
    generator: torch.Generator,
    small: Tensor,
    opinion: Tensor,
) -> State:
    """What `estimate_kernel` goes on from: the kernels of the random starts before this one, and this one's training.
    first: the generator's state before this start."""
    values = {"raw": raw, "small": small, "opinion": opinion, "first": first, "random": generator.get_state()}
    return {**copied(values), "losses": losses.state(), "trainer": trainer.state()}


def is_learned(kernel: Tensor) -> bool:
    """Whether G has learned to keep the brightness: the kernel of an untrained or collapsed G is near zero."""
    return abs(float(kernel.sum()) - 1) < 0.25


def small_picture_notice(low: Tensor, picture: Tensor) -> tuple[str, ...]:
    """What to say of a picture (3,H,W) whose part to learn from, `picture`, is too small for the authors' crops."""
    crop, _ = crop_sides(picture)
    if crop == G_CROP:
        return ()
    return (
        f"the picture is small ({low.shape[-1]}×{low.shape[-2]} px): the kernel was learned from crops of {crop} px "
        f"instead of {G_CROP}, and is less certain",
    )


def kernel_warnings(kernels: list[Tensor]) -> tuple[str, ...]:
    """What the user must know about kernels (13,13) as they came from G."""
    poor = [float(k.sum()) for k in kernels if not is_learned(k)]
    if not poor:
        return ()
    if len(poor) < len(kernels):
        return (f"{len(poor)} of {len(kernels)} starts learned no kernel and were left out",)
    return (
        f"the kernel had a sum of {poor[0]:.2f} before it was set to 1: learning is not complete, do not trust it; "
        "try another seed or more iterations",
    )


@torch.no_grad()
def finish_kernel(kernel: Tensor, paper: bool) -> Tensor:
    """G's kernel (13,13) → the kernel handed out: small entries dropped, moved to where ×2 shifts nothing."""
    return shift_kernel(drop_small(kernel), 2, paper)


@torch.no_grad()
def agreement(kernels: list[Tensor]) -> float:
    """How alike the kernels of several starts are: the mean cosine of the angle between two of them, on one grid.

    1 where all are equal, 0 where no two have a pixel in common.
    """
    rows = F.normalize(on_one_grid(kernels).flatten(1))
    number = len(kernels)
    return float(((rows @ rows.T).sum() - number) / (number * (number - 1)))


@torch.no_grad()
def spread(kernels: list[Tensor]) -> Tensor:
    """The standard deviation of each entry over finished kernels, at least two, on the largest grid."""
    return on_one_grid(kernels).std(0)


def average_kernels(kernels: list[Tensor]) -> Tensor:
    """The mean of finished kernels of different sides, on the largest grid. One kernel alone stays as it is."""
    return kernels[0] if len(kernels) == 1 else on_one_grid(kernels).mean(0)


def on_one_grid(kernels: list[Tensor]) -> Tensor:
    """Finished kernels of different sides → (count, side, side) float64, on the grid of the largest."""
    side = max(max(k.shape) for k in kernels)
    return torch.stack([crop_or_pad(k, side) for k in kernels])
