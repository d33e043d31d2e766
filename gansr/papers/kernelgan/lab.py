"""The kernel lab: how well the kernel and the picture are recovered where both are known.

The user's picture is the truth. It is blurred with a known kernel and shrunk; everything is then estimated from the
small picture. Hence the result has the size of the user's picture.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from gansr.method import Frame, Heat, InputError, Nets, State, View
from gansr.ops.colour import matlab_y, to8bit
from gansr.ops.kernels import (
    bicubic_kernel,
    compare_kernels,
    degrade_with_kernel,
    for_scale,
    gaussian_kernel,
    random_kernel,
)
from gansr.ops.plain import copied
from gansr.papers.kernelgan.crops import MIN_SIDE
from gansr.papers.kernelgan.enlarge import Kernels, enlarge_with_kernels, kernel_of_file
from gansr.papers.kernelgan.options import Options, total_steps, trains_zssr
from gansr.papers.kernelgan.restore import restore
from gansr.papers.kernelgan.views import bicubic, kernel_map


def run_lab(
    truth: Tensor, options: Options, nets: Nets, generator: torch.Generator, state: State | None = None
) -> Iterator[Frame]:
    """truth (3,H,W) in [0,1] → the frames of a run on the small picture, then of ZSSR with two other kernels. state: of
    an earlier frame, to go on after it.

    The last frame compares the kernels, and the results of the estimated, the bicubic and the true kernel. Raises
    InputError if the small picture is too small for KernelGAN.
    """
    s = options.scale
    two, true = true_kernel(options, generator)
    low = to8bit(degrade_with_kernel(truth, true, s))
    if min(low.shape[-2:]) < MIN_SIDE:
        raise InputError(
            f"the kernel lab shrinks the picture by {s} before it estimates, so it needs at least {MIN_SIDE * s} px "
            f"on the shorter side; this one is {truth.shape[-1]}×{truth.shape[-2]}"
        )
    mode = "kernel + ZSSR" if trains_zssr(options) else "kernel only"
    plain = dataclasses.replace(options, lab="off", mode=mode)
    done = total_steps(plain)
    total = done + (2 * options.zssr_iterations if trains_zssr(options) else 0)
    frame, state = None, state or {}
    if "restored" in state:
        frame = copied(state["restored"], low.device)
    else:
        for frame in restore(low, plain, nets, generator, state.get("restoring")):
            if frame.step < frame.steps:
                views, _ = _views_beside_truth(frame, two)
                save = frame.save and partial(_state, "restoring", frame.save)
                yield Frame(fit(frame.image, truth), frame.step, total, frame.readings, views, save=save)
    assert frame is not None, "a run has at least one frame"
    restored, (views, estimate) = frame, _views_beside_truth(frame, two)
    readings = {**compare_kernels(two, estimate), **frame.readings}
    image = fit(frame.image, truth)
    results = {"bicubic": fit(bicubic(low, s), truth)} | copied(state.get("results", {}), low.device)
    if trains_zssr(options):
        others = {
            "ZSSR, bicubic kernel": Kernels(bicubic_kernel(2), bicubic_kernel(s)),
            "ZSSR, true kernel": Kernels(two, true),
        }
        for name, kernels in others.items():
            start, done = done, done + options.zssr_iterations
            if name in results:  # before the run was left
                continue
            other, inner = None, state.get("enlarging")
            for other in enlarge_with_kernels(
                low, kernels, plain, nets, generator, start, done, {}, state=inner
            ):
                if other.step < other.steps:
                    known = {"restored": restored, "results": results}
                    save = other.save and partial(_state, "enlarging", other.save, known)
                    yield Frame(image, other.step, total, other.readings, views, save=save)
            assert other is not None, "ZSSR has at least one frame"
            state = {}
            results[name] = fit(other.image, truth)
        results["ZSSR, estimated kernel"] = image
    readings |= {f"PSNR-Y, {name} (dB)": psnr(result, truth, s) for name, result in results.items()}
    yield Frame(image, total, total, readings, views, results, frame.files, frame.notices)


def _state(part: str, save: Callable[[], State], known: Mapping[str, Any] | None = None) -> State:
    """What `run_lab` goes on from: the state of the part that runs, and what is known by then."""
    return {part: save(), **copied(dict(known or {}))}


def reads(options: Options, picture: Tensor, seed: int) -> tuple[str, Tensor]:
    """What a run reads of a picture (3,h,w) in [0,1], and its title: in the kernel lab the small picture made of it,
    with the kernel that a run with this seed draws. Raises InputError where the kernel's file is missing."""
    if options.lab == "off":
        return "Bicubic", picture
    _, kernel = true_kernel(options, torch.Generator().manual_seed(seed))
    return "Bicubic", to8bit(degrade_with_kernel(picture, kernel.to(picture), options.scale))


def _views_beside_truth(frame: Frame, true: Tensor) -> tuple[Mapping[str, View], Tensor]:
    """The frame's views with the true kernel before them, on one scale; and the estimated kernel."""
    estimate = frame.views["Estimated kernel"]
    assert isinstance(estimate, Heat)
    largest = float(true.max())
    kernels: dict[str, View] = {
        "True kernel": kernel_map(true, largest),
        "Estimated kernel": kernel_map(estimate.values, largest),
    }
    rest = {name: view for name, view in frame.views.items() if name not in kernels}
    return kernels | rest, estimate.values


def true_kernel(options: Options, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """The lab's kernel: for ×2, to compare with the estimate, and for the factor wanted."""
    if options.lab == "random blur":
        two = random_kernel(generator)
    elif options.lab == "gaussian":
        two = gaussian_kernel(options.width, options.other_width, options.angle)
    else:
        two = kernel_of_file(options, 2)
    return two, for_scale(two, options.scale)


def fit(image: Tensor, truth: Tensor) -> Tensor:
    """The restored picture at the truth's size: its last rows and columns are repeated where the truth is no
    multiple of the factor."""
    down, across = truth.shape[-2] - image.shape[-2], truth.shape[-1] - image.shape[-1]
    return F.pad(image[None], (0, across, 0, down), mode="replicate")[0] if down or across else image


def psnr(image: Tensor, truth: Tensor, border: int) -> float:
    """PSNR in dB on MATLAB's Y of 8-bit pictures (3,H,W) in [0,1], without `border` px on each side."""
    inner = (slice(border, -border), slice(border, -border))
    a, b = (matlab_y(to8bit(x).double())[inner] for x in (image, truth))
    return 10 * math.log10(255**2 / max(float((a - b).square().mean()), 1e-10))
