"""The second half of a run: ZSSR enlarges the picture with a given kernel.

×4 goes over ×2, as the authors' does: the network trained for ×2 goes on with the analytic ×4 kernel. ×3, which they
do not have, is one training with the kernel that `stretched` gives (ops/kernels.py). `gradual` puts further factors in
between, of bicubic reduction (theirs in the original ZSSR, without changing the picture learned from).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from gansr.method import Frame, InputError, Nets, State, View
from gansr.ops.colour import to8bit
from gansr.ops.kernels import bicubic_kernel, downscale_with_kernel, for_scale, gaussian_kernel, shift_kernel
from gansr.ops.plain import copied
from gansr.papers.kernelgan.match import fitted_gaussian
from gansr.papers.kernelgan.options import Options
from gansr.papers.kernelgan.sharpness import mixed_kernel, mixed_result
from gansr.papers.kernelgan.views import History, bicubic
from gansr.papers.kernelgan.zssr import Zssr

REAL_NOISE = 0.0125  # standard deviation of the noise added to the sons of a real photograph


class Kernels(NamedTuple):
    """The blur that ZSSR assumes: for factor 2 (None: there is no such kernel), and for the factor wanted."""

    two: Tensor | None
    wanted: Tensor


class Stage(NamedTuple):
    """One training of ZSSR: its factor, its kernel (None: MATLAB's bicubic) and its number of steps."""

    factor: float
    kernel: Tensor | None
    steps: int


def chosen_kernels(options: Options, low: Tensor) -> Kernels:
    """The kernels of the mode “ZSSR only” for low (3,H,W). Raises InputError if a file is chosen and none is given."""
    s = options.scale
    if options.kernel == "fitted":
        return Kernels(two := fitted_gaussian(low), for_scale(two, s))
    if options.kernel == "bicubic":
        return Kernels(bicubic_kernel(2), bicubic_kernel(s))
    if options.kernel == "gaussian":
        return Kernels(None, gaussian_kernel(options.width, options.other_width, options.angle, s))
    return Kernels(None, kernel_of_file(options, s))


def kernel_of_file(options: Options, scale: int) -> Tensor:
    """The user's kernel, of sum 1, moved so that it shifts nothing. Raises InputError if there is none."""
    if options.kernel_file is None:
        raise InputError("“file” is chosen as the kernel, and there is none: add a .mat, .npy or .csv file")
    return shift_kernel(options.kernel_file, scale, options.paper)


def estimated_kernels(estimate: Tensor, options: Options, share: float = 1.0) -> Kernels:
    """The estimate for ×2 → what ZSSR uses; with `paper` shifted once more, as the authors do.

    share: how much of the estimate is used, from `sharpness.check`; the rest is bicubic.
    """
    if share == 0:
        return Kernels(bicubic_kernel(2), bicubic_kernel(options.scale))
    two = estimate if share == 1 else mixed_kernel(estimate, share)
    wanted = for_scale(two, options.scale)
    if options.paper:
        two, wanted = shift_kernel(two, 2, paper=True), shift_kernel(wanted, options.scale, paper=True)
    return Kernels(two, wanted)


def stages(kernels: Kernels, options: Options) -> list[Stage]:
    """The trainings that follow each other; the last has the factor wanted."""
    factors: list[tuple[float, Tensor | None]] = [(float(options.scale), kernels.wanted)]
    if (options.scale == 4 and kernels.two is not None) or (options.scale > 2 and options.gradual):
        factors.insert(0, (2.0, kernels.two))
    if options.gradual:
        between = (1.5, 3.0) if options.scale == 4 else (1.5,)
        factors = sorted([*factors, *((factor, None) for factor in between)], key=lambda stage: stage[0])
    each = options.zssr_iterations // len(factors)
    steps = [each] * (len(factors) - 1)
    return [Stage(f, k, n) for (f, k), n in zip(factors, [*steps, options.zssr_iterations - sum(steps)])]


def enlarge_with_kernels(
    low: Tensor,
    kernels: Kernels,
    options: Options,
    nets: Nets,
    generator: torch.Generator,
    done: int,
    total: int,
    views: Mapping[str, View],
    share: float = 1.0,
    state: State | None = None,
) -> Iterator[Frame]:
    """low (3,H,W) in [0,1] → a frame for each step of ZSSR, the last at step `total`.

    done, total: steps before this, and of the whole run. views: shown beside ZSSR's own. `nets` gives the precision.
    share: of the estimate in the kernels; the rest of the result is calmed, see `sharpness.calm`. state: of an earlier
    frame, to go on after it.
    """
    errors, rates = History("mean squared error"), History("learning rate")
    image, failure = bicubic(low, options.scale), ""
    real = options.photo == "real"
    every = preview_interval(low, options)
    zssr: Zssr | None = None
    for number, stage in enumerate(stages(kernels, options)):
        if state is not None and number < state["stage"]:
            done += stage.steps
            continue
        zssr = _new_zssr(low, stage, options, nets, generator, zssr)
        if state is not None:
            zssr.restore(state["zssr"])
            errors.restore(state["errors"])
            rates.restore(state["rates"])
            generator.set_state(state["random"])
            image, state = state["image"].to(low.device), None
        save = partial(_state, number, zssr, errors, rates, generator)
        while not zssr.ended:
            loss = zssr.step()
            if not math.isfinite(loss):
                failure = (
                    f"ZSSR broke down at step {zssr.done} of {stage.steps} (not a number); "
                    "this is the last good result"
                )
                break
            if zssr.done % every == 0 or zssr.done == 1:
                image = zssr.preview(options.scale)
                errors.add(zssr.test())
                rates.add(zssr.rate)
            at = done + zssr.done
            if at < total:
                readings = {"loss": loss, "reconstruction error": zssr.error, "learning rate": zssr.rate}
                shown = {**views, **_curves(errors, rates)}
                yield Frame(image, at, total, readings, shown, save=partial(save, image))
        done += stage.steps
        if failure:
            break
    assert zssr is not None, "there is at least one stage"
    if not failure:
        image = zssr.result(0 if real else options.back_projections, options.ensemble)
        image = mixed_result(image, low, options.scale, share)
        errors.add(zssr.test())
        rates.add(zssr.rate)
    readings = {"reconstruction error": zssr.error}
    notices = (failure,) if failure else gives_back(image, low, kernels.wanted, options)
    yield Frame(image, total, total, readings, {**views, **_curves(errors, rates)}, notices=notices)


def gives_back(image: Tensor, low: Tensor, kernel: Tensor, options: Options) -> tuple[str, ...]:
    """How far the result (3,sH,sW), shrunk with the kernel, is the input (3,H,W). Nothing for the bicubic kernel, with
    which the LR-consistency is measured."""
    if torch.equal(kernel.cpu(), bicubic_kernel(options.scale)):
        return ()
    small = to8bit(downscale_with_kernel(image, kernel, options.scale).clamp(0, 1))
    error = float((small - to8bit(low)).double().square().mean())
    found = 10 * math.log10(1 / max(error, 1e-12))
    return (f"shrunk with the kernel that was used, the result gives your picture back to {found:.0f} dB",)


def _state(
    stage: int, zssr: Zssr, errors: History, rates: History, generator: torch.Generator, image: Tensor
) -> State:
    """What `enlarge_with_kernels` goes on from. image: the last preview."""
    values = {"stage": stage, "random": generator.get_state(), "image": image}
    return {**copied(values), "zssr": zssr.state(), "errors": errors.state(), "rates": rates.state()}


def _new_zssr(
    low: Tensor,
    stage: Stage,
    options: Options,
    nets: Nets,
    generator: torch.Generator,
    previous: Zssr | None,
) -> Zssr:
    """ZSSR for a stage; it goes on from the weights of the previous stage."""
    whole = stage.factor == int(stage.factor)
    return Zssr(
        low,
        bicubic_kernel(int(stage.factor)) if stage.kernel is None and whole else stage.kernel,
        int(stage.factor) if whole else stage.factor,
        generator,
        steps=stage.steps,
        crop=128 if options.paper else options.crop,
        noise=REAL_NOISE * options.noise_scale if options.photo == "real" else 0.0,
        net=None if previous is None else previous.net,
        dtype=nets.dtype,
        augment=options.augment,
        paper=options.paper,
    )


def _curves(errors: History, rates: History) -> dict[str, View]:
    return {"Reconstruction error": errors.curve(log=True), "Learning rate": rates.curve(log=True)}


def preview_interval(low: Tensor, options: Options) -> int:
    """Steps between two previews of the whole picture.

    Previews take a quarter of the time. Where that would give fewer than eight, they take up to three times as much.
    """
    preview = low.shape[-1] * low.shape[-2] * (options.scale**2 + 1)  # pixels of forward passes
    step = 3 * (128 if options.paper else options.crop) ** 2  # a third of it is the forward pass
    interval = math.ceil(4 * preview / step)
    return max(10, min(interval, max(options.zssr_iterations // 8, interval // 3)))
