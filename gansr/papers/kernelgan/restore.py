"""A whole run outside the kernel lab: estimate the kernel, enlarge with it, or both."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor

from gansr.method import Frame, Nets, State
from gansr.ops.kernels import describe
from gansr.ops.plain import copied
from gansr.papers.kernelgan.enlarge import chosen_kernels, enlarge_with_kernels, estimated_kernels
from gansr.papers.kernelgan.estimate import SPREAD, Estimate, estimate_kernel
from gansr.papers.kernelgan.match import fitted_gaussian
from gansr.papers.kernelgan.options import Options, kernelgan_steps, total_steps
from gansr.papers.kernelgan.sharpness import check
from gansr.papers.kernelgan.views import kernel_map

NOT_LEARNED = "the picture was enlarged with a Gaussian instead, fitted to its edges"


def restore(
    low: Tensor, options: Options, nets: Nets, generator: torch.Generator, state: State | None = None
) -> Iterator[Frame]:
    """low (3,H,W) in [0,1] → a frame for ten iterations of KernelGAN each, then for each step of ZSSR.

    state: of an earlier frame, to go on after it. Raises InputError if a kernel file is chosen and none is given,
    MethodError if no kernel could be learned.
    """
    total, state = total_steps(options), state or {}
    if options.mode == "ZSSR only":
        kernels = chosen_kernels(options, low)
        views = {"Kernel": kernel_map(kernels.wanted)}
        yield from enlarge_with_kernels(
            low, kernels, options, nets, generator, 0, total, views, state=state or None
        )
        return
    if "zssr" in state:
        estimate = copied(state["estimate"], low.device)
    else:
        estimate = yield from estimate_kernel(low, options, generator, total, state or None)
    last = estimate.last
    found = check(low) if options.check and not options.paper else None
    share = 1.0 if found is None else found.share
    readings, notices = last.readings, last.notices
    if found is not None:
        readings, notices = {**readings, **found.readings}, (*found.notices, *notices)
    if share > 0 or options.mode == "kernel only":
        notices = (*notices, *estimate.stretched)
    last = dataclasses.replace(last, readings=readings, notices=notices)
    if estimate.kernel is None or options.mode == "kernel only":
        yield last
        return
    kernel = estimate.kernel
    if instead := share > 0 and not estimate.learned and not options.paper:
        kernel, last = fitted_gaussian(low), dataclasses.replace(last, notices=(*last.notices, NOT_LEARNED))
    kernels = estimated_kernels(kernel, options, share)
    kept = ("Estimated kernel", "Cross-sections", SPREAD)
    views = {name: view for name, view in last.views.items() if name in kept}
    if share < 1 or instead:
        views |= {"Kernel used": kernel_map(kernels.wanted)}
    done = kernelgan_steps(options)
    frames = enlarge_with_kernels(
        low, kernels, options, nets, generator, done, total, views, share, state.get("zssr")
    )
    for frame in frames:
        if frame.save is not None:
            yield dataclasses.replace(frame, save=partial(_state, estimate, frame.save))
        else:
            measured = {} if found is None else found.readings
            yield dataclasses.replace(
                frame,
                readings={**describe(kernels.wanted), **measured, **frame.readings},
                files=last.files,
                notices=(*last.notices, *frame.notices),
            )


def _state(estimate: Estimate, save: Callable[[], State]) -> State:
    """What `restore` goes on from in its second half: what the first gave, and ZSSR's own state."""
    return {"estimate": copied(estimate), "zssr": save()}
