"""KernelGAN: Blind Super-Resolution Kernel Estimation using an Internal-GAN, and ZSSR with that kernel.

Bell-Kligler, Shocher, Irani, NeurIPS 2019, arXiv 1909.06581; ZSSR: Shocher, Cohen, Irani, CVPR 2018,
arXiv 1712.06087. Nothing is pretrained: two small networks learn from the picture alone how it was blurred
(trainer.py), a third learns to enlarge it (zssr.py).

A run is in estimate.py (the kernel; nonlinear.py trains a generator with ReLUs instead), sharpness.py (whether there is
any blur), enlarge.py (ZSSR), restore.py (one after the other) and lab.py (the same where the kernel is known). How we
differ from the authors is at the top of trainer.py, zssr.py, estimate.py, enlarge.py and sharpness.py; `paper` undoes
each.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from gansr.method import Accepts, Cost, Frame, Method, Nets, Paper, Reuse, State, Steps
from gansr.papers.kernelgan.crops import MIN_SIDE, border_of
from gansr.papers.kernelgan.how import HOW
from gansr.papers.kernelgan.lab import reads, run_lab
from gansr.papers.kernelgan.networks import G_CROP
from gansr.papers.kernelgan.options import PRESETS, Options, kernelgan_steps, smaller_options, trains_zssr
from gansr.papers.kernelgan.restore import restore

__all__ = ["KERNELGAN", "Options"]


def run(
    low: Tensor, options: Options, nets: Nets, generator: torch.Generator, state: State | None = None
) -> Iterator[Frame]:
    """low (3,H,W) in [0,1] → frames, see gansr.method. state: of an earlier frame, to go on after it. Raises InputError
    and MethodError as `restore` and `run_lab` do."""
    if options.lab == "off":
        yield from restore(low, options, nets, generator, state)
    else:
        yield from run_lab(low, options, nets, generator, state)


def cost(height: int, width: int, options: Options) -> Cost:
    """The operations of the trainings and of the previews, and the bytes of what is in memory at once."""
    pixels, s = height * width, options.scale
    zssr_steps = options.zssr_iterations * (3 if options.lab != "off" else 1) if trains_zssr(options) else 0
    crop = 128 if options.paper else min(options.crop, height, width)
    weights = 224640  # of ZSSR's network
    final = 2.0 * weights * pixels * s**2 * (8 if options.ensemble else 1)
    learned = min(height, width) - (0 if options.photo == "real" else 2 * border_of(height, width))
    share = min(1, learned / G_CROP) ** 2
    iteration = 10e9 * share if options.relu else 0.4e9 + 0.6e9 * share
    operations = kernelgan_steps(options) * iteration + zssr_steps * 1.3 * 6.0 * weights * crop**2
    operations += final if zssr_steps else 0
    strip = 3 * 64 * 4.0 * min(pixels * s**2, 1 << 19)
    views = (8 if options.ensemble else 1) + 4
    phases = 0 if options.paper else s**2
    kernel = ("relu", share) if options.relu else ("kernel", iteration / 1e9)
    steps = (Steps(kernel[0], kernelgan_steps(options), kernel[1]), Steps(f"zssr {crop}", zssr_steps))
    memory = strip + 12.0 * pixels * (views * s**2 + phases + 8) + 300e6
    return Cost(operations, memory, tuple(kind for kind in steps if kind.count))


def fit(options: Options, side: int, scale: int) -> Options:
    """The factor that is nearest to a problem's."""
    return replace(options, scale=min(4, max(2, scale)))


def scale(method: Method, options: Options) -> int:
    """The factor of the result: 1 in the kernel lab, whose result has the size of the user's picture."""
    return 1 if options.lab != "off" else options.scale


KERNELGAN = Method(
    name="kernelgan",
    title="KernelGAN + ZSSR",
    summary="Learns from your picture alone how it was blurred, and enlarges it accordingly.",
    paper=Paper(
        authors="Bell-Kligler, Shocher, Irani",
        year=2019,
        venue="NeurIPS",
        title="Blind Super-Resolution Kernel Estimation using an Internal-GAN",
        link="https://arxiv.org/abs/1909.06581",
        licence="no weights: all networks are trained on your picture; our own code, written from the papers",
        good_for="pictures of any kind with an unknown blur: soft photographs, old scans, pictures of other cameras",
        not_for=(
            "pictures that are already sharp (nothing to gain), very small or smooth pictures (too little to learn "
            "from), strong noise or compression"
        ),
    ),
    scales=(2, 3, 4),
    options=Options,
    presets=PRESETS,
    accepts=Accepts(min_side=MIN_SIDE, max_pixels=1024 * 1024),
    cost=cost,
    run=run,
    resume=run,
    scale=scale,
    reads=reads,
    smaller=smaller_options,
    fit=fit,
    cli_flags={"kernel-only": {"mode": "kernel only"}},
    bench="gansr.papers.kernelgan.bench",
    save="save-kernel",
    reuse=Reuse(
        "Use this kernel",
        "The kernel is the kernel file now, and the mode is “ZSSR only”. Press Run, or give another picture first.",
        file=lambda options: f"kernel_x{options.scale}.npy",
        option="kernel_file",
        sets=("mode", "kernel", "scale", "lab"),
        values=lambda o: {"mode": "ZSSR only", "kernel": "file", "scale": o.scale, "lab": "off"},
    ),
    kernel="kernel_x2.npy",
    how=HOW,
    caution=(
        "The estimated kernel differs from seed to seed: look at it, and try another seed or several random starts. "
        "A kernel that is too wide gives halos along the edges. A picture that is already sharp is enlarged with the "
        "bicubic kernel instead."
    ),
)
