"""KernelGAN's claim (paper, table 1), re-measured on small pictures; and the speed.

`data` is a folder with Set14/x2/001_HR.png, …: each is blurred with one of twelve fixed random kernels of the
DIV2KRK recipe, shrunk by 2, rounded to 8 bit, and restored by ZSSR with the bicubic kernel, with the estimate
and with the true kernel. PSNR on MATLAB's Y, 8-bit pictures, a rim of 4 px left out. Rows: one a picture and
model; their means; the gain of the estimate over the bicubic kernel and its distance to the true one; three
seeds with their spread. "paper" is KernelGAN exactly as the authors' (3000 iterations), with our ZSSR, first seed.

Measured: bicubic 26.75, ZSSR with the bicubic kernel 27.21, with the estimate 28.66, 28.55, 28.69 (three seeds;
gain 1.42, spread 0.07), with that of the authors' own recipe at twice the iterations 28.74 (gain 1.53), with the
true kernel 30.13 dB. An iteration takes 4.3 to 5 ms of one core, layer by layer 65 to 69 (14 to 15 times, on a
machine busy with other work).

The networks are measured at the settings of the page's Quick preset. What was measured is kept in the file that
GANSR_BENCH_CACHE names, if it names one, so that a long run can be taken up again; GANSR_BENCH_SEEDS and
GANSR_BENCH_PAPER=0 make it shorter. One thread: the matrices are small (see `speed`).
"""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor

from gansr.bench import BenchError, Row
from gansr.metrics.psnr import psnr_y
from gansr.ops.colour import to8bit
from gansr.ops.kernels import (
    bicubic_kernel,
    compare_kernels,
    degrade_with_kernel,
    random_kernel,
    shift_kernel,
)
from gansr.ops.resize import imresize
from gansr.papers.kernelgan import Options, placed
from gansr.papers.kernelgan.bench_plain import PlainTrainer
from gansr.papers.kernelgan.networks import CROP, SMALL, Trainer, prepare
from gansr.papers.kernelgan.zssr import Zssr
from gansr.picture import open_picture

KERNELS, SEED = 12, 1000  # how many random kernels, the seed of the first
RIM = 4
QUICK = Options()


def run(data: Path | None) -> Iterator[Row]:
    """Without `data` the speed only. Raises BenchError where Set14 is missing."""
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        yield from speed()
        if data is not None:
            yield from recovery(data / "Set14" / "x2")
    finally:
        torch.set_num_threads(threads)


# ------------------------------------------------------------------------------------------------ speed


def speed(turns: int = 5) -> Iterator[Row]:
    """A whole iteration, both players and all losses: ours against layer by layer, in turns, the best of each.

    Processor time of one thread: other programs on the machine then matter least.
    """
    picture = torch.rand(3, 148, 148, generator=torch.Generator().manual_seed(0))
    fast, plain = Trainer(prepare(picture, False), torch.Generator().manual_seed(0), 10_000), PlainTrainer()
    x, real = torch.rand(1, 3, CROP, CROP), torch.rand(1, 3, SMALL, SMALL)
    for trainer in (fast, plain):  # with every term of the loss
        trainer.schedule.centralised, trainer.schedule.sparse = 1.0, 5.0
    took: dict[str, float] = {}
    for _ in range(turns):
        for name, step, times in (
            ("fast", fast.step, 100),
            ("layer by layer", lambda: plain.iterate(x, real, real), 5),
        ):
            took[name] = min(took.get(name, float("inf")), _seconds(step, times))
    for name, seconds in took.items():
        yield Row("speed", f"iteration, {name}", "milliseconds", 1000 * seconds)
    yield Row("speed", "iteration", "ratio", took["layer by layer"] / took["fast"])
    yield Row("speed", "3000 iterations", "seconds", 3000 * took["fast"])


def _seconds(step: Callable[[], object], times: int) -> float:
    step()
    began = time.process_time()
    for _ in range(times):
        step()
    return (time.process_time() - began) / times


# --------------------------------------------------------------------------------------------- recovery


def recovery(folder: Path) -> Iterator[Row]:
    """The rows of the pictures in `folder`, then their means."""
    truths = sorted(folder.glob("*_HR.png"))
    if not truths:
        raise BenchError(f"{folder} has no pictures NNN_HR.png")
    seeds = int(os.environ.get("GANSR_BENCH_SEEDS", "3"))
    models = ["bicubic", "zssr-bicubic-kernel", "zssr-true-kernel"]
    models += [f"zssr-estimate-{seed}" for seed in range(seeds)]
    models += ["zssr-estimate-paper"] * (os.environ.get("GANSR_BENCH_PAPER", "1") == "1")
    found: dict[str, list[float]] = {model: [] for model in models}
    nearness: list[float] = []
    for model in models:  # the outer loop: what is measured first is complete first
        for i, path in enumerate(truths):
            case = f"Set14 {path.name[:3]}"
            value, near = kept(
                f"{path.name} {model}", lambda path=path, i=i, model=model: restored(path, i, model)
            )
            found[model].append(value)
            nearness += [near] * model.startswith("zssr-estimate-0")
            yield Row(case, model, "psnr_y", value)
    yield from means(found, seeds)
    yield Row("mean", "zssr-estimate-0", "kernel_psnr", statistics.fmean(nearness))


def means(found: dict[str, list[float]], seeds: int) -> Iterator[Row]:
    """Over the pictures: every model, the gain, the distance left, and what the seed changes."""
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
    if "zssr-estimate-paper" in mean:
        gain = mean["zssr-estimate-paper"] - mean["zssr-bicubic-kernel"]
        yield Row("mean", "gain-over-bicubic-kernel, paper", "psnr_y", gain)


def restored(path: Path, i: int, model: str) -> tuple[float, float]:
    """PSNR-Y of a model's answer on picture `i`, and the kernel's PSNR (0 where none is estimated)."""
    truth = open_picture(path).rgb
    truth = truth[:, : truth.shape[1] // 4 * 4, : truth.shape[2] // 4 * 4]
    true = random_kernel(torch.Generator().manual_seed(SEED + i % KERNELS))
    low = to8bit(degrade_with_kernel(truth, true, 2))
    if model == "bicubic":
        return psnr_y(imresize(low, 2), truth, RIM), 0.0
    kernel = {"zssr-bicubic-kernel": bicubic_kernel(2), "zssr-true-kernel": true}.get(model)
    near = 0.0
    if kernel is None:
        kernel = estimate(low, model.removeprefix("zssr-estimate-"))
        near = compare_kernels(true, kernel)["kernel PSNR (dB)"]
    return psnr_y(enlarged(low, kernel), truth, RIM), near


def estimate(low: Tensor, which: str) -> Tensor:
    """The kernel by the seed `which`, or by the authors' recipe ("paper")."""
    paper = which == "paper"
    generator = torch.Generator().manual_seed(0 if paper else int(which))
    steps = 3000 if paper else QUICK.iterations
    trainer = Trainer(prepare(low, False), generator, steps, paper)
    for _ in range(steps):
        trainer.step()
    kernel = placed(trainer.kernel(), paper)
    return shift_kernel(kernel, 2, paper=True) if paper else kernel


def enlarged(low: Tensor, kernel: Tensor) -> Tensor:
    """ZSSR as the Quick preset has it, always from the same seed."""
    generator = torch.Generator().manual_seed(0)
    zssr = Zssr(low, kernel, 2, generator, steps=QUICK.zssr_iterations, crop=QUICK.crop, fast=True)
    while not zssr.ended:
        zssr.step()
    return zssr.result(QUICK.back_projections)


def kept(key: str, measure: Callable[[], tuple[float, float]]) -> tuple[float, float]:
    """What `measure` gives, remembered in the file GANSR_BENCH_CACHE names."""
    name = os.environ.get("GANSR_BENCH_CACHE")
    if name is None:
        return measure()
    path = Path(name)
    known = json.loads(path.read_text()) if path.exists() else {}
    if key not in known:
        known[key] = measure()
        path.write_text(json.dumps(known, indent=1))
    return tuple(known[key])
