"""KernelGAN's claim (paper, table 1), measured again on small pictures; and the speed.

`data` is a folder with Set14/x2/001_HR.png, …: each picture is blurred with one of twelve fixed random kernels of
the DIV2KRK recipe, shrunk by 2, rounded to 8 bit, and restored by ZSSR with the bicubic kernel, with the estimate
and with the true kernel. PSNR on MATLAB's Y, 8-bit pictures, without a border of 4 px. Rows: one for each picture
and model; their means; the gain of the estimate over the bicubic kernel and its distance to the true one; three
seeds with their spread. Those estimates are used as they are learned; "zssr-matched" is seed 0 with its edges matched
(match.py), "zssr-page" that with the check whether the picture is blurred, as on the page, "zssr-fitted-gaussian" the
Gaussian that needs no learning. "varied" trains on varied crops (the option `augment`). "paper" is KernelGAN
exactly as the authors' (3000 iterations), with our ZSSR, first seed.

Measured: bicubic 26.75, ZSSR with the bicubic kernel 27.21, with the estimate 28.66, 28.55, 28.69 (three seeds; gain
1.42, spread 0.07), with the kernel of the authors' settings at twice the iterations 28.74 (gain 1.53), with the true
kernel 30.13 dB; on another machine 28.33 with the estimate of seed 0, matched 29.77, as on the page 29.62, with the
fitted Gaussian 29.83, with the true kernel 30.14. An iteration takes 4.3 to 5 ms of one core, layer by layer 65 to 69
(14 to 15 times, on a machine busy with other work). GANSR_BENCH_SCALE=3 or 4 with GANSR_BENCH_ONLY=recovery measures
this table alone at that factor: the kernels of the recipe, and the estimates, are those of ×2 made that of the factor
(ops.kernels.for_scale).

Sharp pictures: the same pictures and, where `data` has a folder faces (square JPEG files), those faces at half size
but the first nine, on which the check was tuned. They are shrunk by 2 with MATLAB's bicubic, and enlarged by bicubic
and by KernelGAN + ZSSR with the check (sharpness.py). PSNR on Y, NIQE, and ringing: how far the result leaves the range
of the nearest 3×3 px of the small picture, mean over the pixels, in steps of 1/255. "worst" is the smallest difference
in PSNR and the largest ratio of NIQE to bicubic over the pictures. GANSR_BENCH_ONLY=sharp measures this table alone.

Depth (GANSR_BENCH_ONLY=depth): the PSNR of the estimated kernel against the true one, on the blurred pictures, of six
linear layers and of one.

The networks are measured with the settings of the page's Quick preset. GANSR_BENCH_CACHE names a file that keeps
the results, so that a long run can be continued. GANSR_BENCH_SEEDS and GANSR_BENCH_PAPER=0 make it shorter. All
of it runs in one thread, so that the result does not depend on the machine.
"""

from __future__ import annotations

import dataclasses
import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from gansr.bench import BenchError, Row
from gansr.engine import Engine
from gansr.method import Nets
from gansr.metrics.niqe import niqe
from gansr.metrics.psnr import psnr_y
from gansr.ops.colour import to8bit
from gansr.ops.degrade import mod_crop
from gansr.ops.kernels import (
    bicubic_kernel,
    compare_kernels,
    degrade_with_kernel,
    for_scale,
    random_kernel,
    shift_kernel,
)
from gansr.ops.resize import imresize
from gansr.papers.kernelgan import Options
from gansr.papers.kernelgan.bench_plain import PlainTrainer
from gansr.papers.kernelgan.crops import trim_border
from gansr.papers.kernelgan.enlarge import Kernels, enlarge_with_kernels, estimated_kernels
from gansr.papers.kernelgan.estimate import finish_kernel
from gansr.papers.kernelgan.match import fitted_gaussian, match
from gansr.papers.kernelgan.networks import D_CROP, G_CROP
from gansr.papers.kernelgan.sharpness import check, limit_overshoot
from gansr.papers.kernelgan.trainer import Trainer
from gansr.picture import open_picture

KERNELS, SEED = 12, 1000  # how many random kernels, the seed of the first
BORDER = 4  # px, left out of the PSNR
QUICK = Options()
SHARP_FACES, TUNED_ON = "sharp faces", 9  # the case of the faces; how many of them the check was tuned on
SHARP_COLUMNS = (
    ("kernelgan", "share_of_estimate"),
    *((model, metric) for model in ("bicubic", "kernelgan") for metric in ("psnr_y", "niqe", "ringing")),
)


def run(data: Path | None) -> Iterator[Row]:
    """The rows; without `data` those of the speed only. Raises BenchError if Set14 is missing."""
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        only = os.environ.get("GANSR_BENCH_ONLY")
        if only in (None, "speed"):
            yield from speed()
        if data is None:
            return
        if only in (None, "depth"):
            yield from depth(data / "Set14" / "x2")
        if only in (None, "recovery"):
            yield from recovery(data / "Set14" / "x2")
        if only in (None, "sharp"):
            yield from sharp_pictures("sharp Set14", _truths(data / "Set14" / "x2"))
            if faces := sorted((data / "faces").glob("*.jpg"))[TUNED_ON:]:
                yield from sharp_pictures(SHARP_FACES, faces)
    finally:
        torch.set_num_threads(threads)


# ------------------------------------------------------------------------------------------------ speed


def speed(rounds: int = 5) -> Iterator[Row]:
    """A whole iteration, both networks and all losses: ours against layer by layer, in turn, the best of each.

    Processor time of one thread, on which other programs of the machine have the least influence.
    """
    picture = torch.rand(3, 148, 148, generator=torch.Generator().manual_seed(0))
    optimised = Trainer(trim_border(picture, False), torch.Generator().manual_seed(0), 10_000)
    plain = PlainTrainer()
    x, real = torch.rand(1, 3, G_CROP, G_CROP), torch.rand(1, 3, D_CROP, D_CROP)
    for trainer in (optimised, plain):  # with every term of the loss
        trainer.schedule.centralised, trainer.schedule.sparse = 1.0, 5.0
    took: dict[str, float] = {}
    for _ in range(rounds):
        for name, step, times in (
            ("optimised", optimised.step, 100),
            ("layer by layer", lambda: plain.iterate(x, real, real), 5),
        ):
            took[name] = min(took.get(name, float("inf")), _seconds(step, times))
    for name, seconds in took.items():
        yield Row("speed", f"iteration, {name}", "milliseconds", 1000 * seconds)
    yield Row("speed", "iteration", "ratio", took["layer by layer"] / took["optimised"])
    yield Row("speed", "3000 iterations", "seconds", 3000 * took["optimised"])


def _seconds(step: Callable[[], object], times: int) -> float:
    step()
    began = time.process_time()
    for _ in range(times):
        step()
    return (time.process_time() - began) / times


# --------------------------------------------------------------------------------------------- recovery


def recovery(folder: Path) -> Iterator[Row]:
    """The rows of the pictures in `folder`, then their means."""
    truths = _truths(folder)
    seeds = int(os.environ.get("GANSR_BENCH_SEEDS", "3"))
    models = ["bicubic", "zssr-bicubic-kernel", "zssr-true-kernel", "zssr-true-kernel-varied"]
    models += [f"zssr-estimate-{seed}" for seed in range(seeds)]
    models += ["zssr-matched", "zssr-page", "zssr-fitted-gaussian"]
    models += ["zssr-estimate-paper"] * (os.environ.get("GANSR_BENCH_PAPER", "1") == "1")
    scale = int(os.environ.get("GANSR_BENCH_SCALE", "2"))
    found: dict[str, list[float]] = {model: [] for model in models}
    of_kernel: dict[str, list[float]] = {model: [] for model in models}
    for model in models:  # the outer loop, so that the first models are complete first
        for i, path in enumerate(truths):
            case = f"Set14 {path.name[:3]}"
            key = f"{path.name} {model}" + f" ×{scale}" * (scale != 2)
            value, kernel_psnr, *_ = cached(key, partial(restored, path, i, model, scale))
            found[model].append(value)
            of_kernel[model].append(kernel_psnr)
            yield Row(case, model, "psnr_y", value)
    yield from means(found, seeds)
    for model in ("zssr-estimate-0", "zssr-matched", "zssr-fitted-gaussian"):
        yield Row("mean", model, "kernel_psnr", statistics.fmean(of_kernel[model]))


def depth(folder: Path) -> Iterator[Row]:
    """The kernel that six linear layers learn, and one: the PSNR against the true kernel, then the means."""
    found: dict[str, list[float]] = {"six layers": [], "one layer": []}
    for i, path in enumerate(_truths(folder)):
        for model, values in found.items():
            (value,) = cached(f"{path.name} kernel of {model}", partial(kernel_psnr, path, i, model))
            values.append(value)
            yield Row(f"depth, Set14 {path.name[:3]}", model, "kernel_psnr", value)
    for model, values in found.items():
        yield Row("depth, mean", model, "kernel_psnr", statistics.fmean(values))


def kernel_psnr(path: Path, i: int, model: str) -> tuple[float]:
    """Of the kernel estimated from picture `i`, in dB."""
    _, true, low = blurred(open_picture(path).rgb, i)
    return (compare_kernels(true, estimate(low, "0", model == "six layers"))["kernel PSNR (dB)"],)


def blurred(truth: Tensor, i: int, scale: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    """The truth cut to a multiple of the factor (of 4 for ×2), the kernel of picture `i` for ×2, and the small picture
    that its kernel of the factor makes of the truth, 8 bit."""
    truth = mod_crop(truth, 4 if scale == 2 else scale)
    two = random_kernel(torch.Generator().manual_seed(SEED + i % KERNELS))
    return truth, two, to8bit(degrade_with_kernel(truth, for_scale(two, scale), scale))


def _truths(folder: Path) -> list[Path]:
    if not (truths := sorted(folder.glob("*_HR.png"))):
        raise BenchError(f"{folder} has no pictures NNN_HR.png")
    return truths


def means(found: dict[str, list[float]], seeds: int) -> Iterator[Row]:
    """Means over the pictures: of every model, the gain, the distance to the true kernel, the spread of the seeds."""
    mean = {model: statistics.fmean(values) for model, values in found.items()}
    of_seeds = [mean[f"zssr-estimate-{seed}"] for seed in range(seeds)]
    for model, value in mean.items():
        yield Row("mean", model, "psnr_y", value)
    yield Row(
        "mean", "gain-over-bicubic-kernel", "psnr_y", statistics.fmean(of_seeds) - mean["zssr-bicubic-kernel"]
    )
    yield Row("mean", "left-to-true-kernel", "psnr_y", mean["zssr-true-kernel"] - statistics.fmean(of_seeds))
    if seeds > 1:
        yield Row("mean", "spread-of-seeds", "psnr_y", statistics.stdev(of_seeds))
        rows = zip(*(found[f"zssr-estimate-{seed}"] for seed in range(seeds)))
        yield Row(
            "mean", "spread-of-seeds-a-picture", "psnr_y", statistics.fmean(map(statistics.stdev, rows))
        )
    if "zssr-page" in mean:
        gain = mean["zssr-page"] - mean["zssr-bicubic-kernel"]
        yield Row("mean", "gain-over-bicubic-kernel, page", "psnr_y", gain)
    if "zssr-estimate-paper" in mean:
        gain = mean["zssr-estimate-paper"] - mean["zssr-bicubic-kernel"]
        yield Row("mean", "gain-over-bicubic-kernel, paper", "psnr_y", gain)


def restored(path: Path, i: int, model: str, scale: int) -> tuple[float, float]:
    """PSNR-Y of a model's result on picture `i`, and the ×2 kernel's PSNR (0 where none is estimated), in dB."""
    truth, true, low = blurred(open_picture(path).rgb, i, scale)
    options = dataclasses.replace(QUICK, scale=scale, augment=model.endswith("-varied"))
    if model == "bicubic":
        return psnr_y(imresize(low, scale), truth, BORDER), 0.0
    kernels = {
        "zssr-bicubic-kernel": Kernels(bicubic_kernel(2), bicubic_kernel(scale)),
        "zssr-true-kernel": Kernels(true, for_scale(true, scale)),
    }.get(model.removesuffix("-varied"))
    if kernels is not None:
        return psnr_y(enlarged(low, kernels, options), truth, BORDER), 0.0
    if model == "zssr-page":
        result = enlarged_with_check(low, lambda: matched(estimate(low, "0"), low), options)
        return psnr_y(result, truth, BORDER), 0.0
    if model == "zssr-matched":
        kernel = matched(estimate(low, "0"), low)
    elif model == "zssr-fitted-gaussian":
        kernel = fitted_gaussian(low)
    else:
        kernel = estimate(low, model.removeprefix("zssr-estimate-"))
    result = enlarged(low, Kernels(kernel, for_scale(kernel, scale)), options)
    return psnr_y(result, truth, BORDER), compare_kernels(true, kernel)["kernel PSNR (dB)"]


def estimate(low: Tensor, which: str, deep: bool = True) -> Tensor:
    """The kernel of the seed `which`, or of the authors' settings ("paper"); of one layer where it is not `deep`."""
    paper = which == "paper"
    generator = torch.Generator().manual_seed(0 if paper else int(which))
    steps = 3000 if paper else QUICK.iterations
    trainer = Trainer(trim_border(low, False), generator, steps, paper, deep)
    for _ in range(steps):
        trainer.step()
    kernel = finish_kernel(trainer.kernel(), paper)
    return shift_kernel(kernel, 2, paper=True) if paper else kernel


def matched(kernel: Tensor, low: Tensor) -> Tensor:
    """The kernel with which the picture keeps its edges, as on the page."""
    found = match(kernel, low)
    return kernel if found is None else found.kernel


def enlarged(low: Tensor, kernels: Kernels, options: Options, share: float = 1.0) -> Tensor:
    """(3,H,W) → (3,sH,sW) by ZSSR as on the page, always from the same seed. share: see `enlarge_with_kernels`."""
    nets = Nets(dtype=torch.bfloat16 if Engine().fast_bf16 else torch.float32)
    generator, total = torch.Generator().manual_seed(0), options.zssr_iterations
    *_, last = enlarge_with_kernels(low, kernels, options, nets, generator, 0, total, {}, share)
    return last.image


def enlarged_with_check(low: Tensor, estimated: Callable[[], Tensor], options: Options) -> Tensor:
    """The same with the kernel that the check decides on; `estimated` is called where it wants some of the estimate."""
    share = check(low).share
    kernels = estimated_kernels(estimated() if share else bicubic_kernel(2), options, share)
    return enlarged(low, kernels, options, share)


# ----------------------------------------------------------------------------------------- sharp pictures


def sharp_pictures(case: str, truths: list[Path]) -> Iterator[Row]:
    """The rows of pictures that are not blurred, their means, and ours against bicubic at the worst picture."""
    found: dict[tuple[str, str], list[float]] = {column: [] for column in SHARP_COLUMNS}
    for path in truths:
        values = cached(f"{path.name} {case}", partial(sharp, path, case))
        for (model, metric), value in zip(SHARP_COLUMNS, values):
            found[model, metric].append(value)
            yield Row(f"{case} {path.stem.removesuffix('_HR')}", model, metric, value)
    yield from against_bicubic(case, found)


def against_bicubic(case: str, found: dict[tuple[str, str], list[float]]) -> Iterator[Row]:
    """(model, metric) → the values of all pictures: the means, and the worst picture in PSNR and in NIQE."""
    for (model, metric), values in found.items():
        yield Row(f"{case}, mean", model, metric, statistics.fmean(values))
    psnrs = zip(found["kernelgan", "psnr_y"], found["bicubic", "psnr_y"])
    niqes = zip(found["kernelgan", "niqe"], found["bicubic", "niqe"])
    yield Row(f"{case}, worst", "kernelgan - bicubic", "psnr_y", min(ours - cubic for ours, cubic in psnrs))
    yield Row(f"{case}, worst", "kernelgan / bicubic", "niqe", max(ours / cubic for ours, cubic in niqes))


def sharp(path: Path, case: str) -> tuple[float, ...]:
    """The values of one picture, in the order of SHARP_COLUMNS."""
    truth = open_picture(path).rgb
    truth = imresize(truth, 0.5, rounded=True) if case == SHARP_FACES else truth
    truth = truth[:, : truth.shape[1] // 4 * 4, : truth.shape[2] // 4 * 4]
    low = imresize(truth, 0.5, rounded=True)
    values = [check(low).share]
    for result in (
        imresize(low, 2).clamp(0, 1),
        enlarged_with_check(low, lambda: matched(estimate(low, "0"), low), QUICK),
    ):
        ringing = 255 * float((result - limit_overshoot(result, low, 2, 0.0)).abs().mean())
        values += [psnr_y(result, truth, BORDER), niqe(result), ringing]
    return tuple(values)


def cached(key: str, measure: Callable[[], tuple[float, ...]]) -> tuple[float, ...]:
    """The result of `measure`, kept in the file that GANSR_BENCH_CACHE names, if it names one."""
    name = os.environ.get("GANSR_BENCH_CACHE")
    if name is None:
        return measure()
    path = Path(name)
    known: dict[str, tuple[float, ...]] = json.loads(path.read_text()) if path.exists() else {}
    if key not in known:
        known[key] = measure()
        path.write_text(json.dumps(known, indent=1))
    return tuple(known[key])
