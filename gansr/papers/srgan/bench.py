"""SRGAN's tables (paper, tables 1 and 2): PSNR and SSIM on Y, 8-bit pictures, 4 px left out on each side, ×4, of the
content losses and of krasserm's SRGAN; and the speed.

`data` is a folder with Set5/x4/001_LR.png, 001_HR.png, … and Set14 likewise (the customary pairs, the small pictures
made by MATLAB's bicubic). Bicubic and nearest are MATLAB's imresize of the small picture, 8-bit in and out.
`bench pictures --methods srgan` measures LPIPS and NIQE as well, picture by picture.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gansr import weights
from gansr.bench import BenchError, Row
from gansr.bench.measure import in_process, in_turn, peak_gb
from gansr.engine import Engine
from gansr.job import Job
from gansr.method import Precision
from gansr.metrics.psnr import psnr_y
from gansr.metrics.ssim import ssim_y
from gansr.ops.colour import to8bit
from gansr.ops.resize import imresize
from gansr.papers.srgan import LOSSES, SRGAN, Options
from gansr.papers.srgan.bench_plain import PlainStep
from gansr.papers.srgan.discriminator import Discriminator
from gansr.papers.srgan.losses import VARIANTS
from gansr.papers.srgan.network import SRResNet
from gansr.papers.srgan.optimised import optimise
from gansr.papers.srgan.pairs import Pairs
from gansr.papers.srgan.train import Config, Training
from gansr.papers.srgan.train_command import PERCEPTUAL
from gansr.picture import open_picture

SETS = ("Set5", "Set14")
MODELS = tuple(LOSSES)
CROP, SCALE = 4, 4
SIDE, LARGE = 128, 1024  # px: sides of the pictures for the speed and for the memory
BATCH, CROPS = 16, 96  # of the training step: the paper's

Pair = tuple[Tensor, Tensor]  # small, truth: (3,H,W) in [0,1]
Load = Callable[[str], Any]


def run(data: Path | None, load: Load = weights.load) -> Iterator[Row]:
    """The rows; without `data` the speed and the memory only. Raises BenchError where a folder of pairs is missing."""
    engine = Engine(load=load)
    if data is not None:
        found = {name: pairs(data / name / f"x{SCALE}") for name in SETS}
        for name, pictures in found.items():
            measured = list(quality(engine, f"{name} x{SCALE}", pictures))
            yield from measured
            yield from precision_cost(engine, measured, pictures) if name == "Set5" else ()
    yield from speed(engine, engine.net(Options().srgan), SIDE)
    yield from large(LARGE)
    yield from training_step(engine, load)


def pairs(folder: Path) -> list[Pair]:
    """The pictures of a folder: NNN_LR.png with NNN_HR.png. Raises BenchError where one is missing."""
    found = sorted(folder.glob("*_LR.png"))
    if not found:
        raise BenchError(f"{folder} has no pairs NNN_LR.png, NNN_HR.png")
    truths = [low.with_name(low.name.replace("_LR", "_HR")) for low in found]
    if missing := [truth for truth in truths if not truth.is_file()]:
        raise BenchError(f"{missing[0]} is missing")
    return [(open_picture(low).rgb, open_picture(truth).rgb) for low, truth in zip(found, truths)]


def quality(engine: Engine, case: str, pictures: list[Pair]) -> Iterator[Row]:
    """Mean PSNR-Y and SSIM-Y of nearest neighbour, bicubic and of each model, as the page computes them."""
    methods: Mapping[str, Callable[[Tensor], Tensor]] = {
        "nearest": lambda low: imresize(low, SCALE, kernel="nearest"),
        "bicubic": lambda low: imresize(low, SCALE, rounded=True),
        **{model: lambda low, model=model: enlarged(engine, model, low) for model in MODELS},
    }
    for model, enlarge in methods.items():
        results = [(enlarge(low), truth) for low, truth in pictures]
        yield Row(case, model, "psnr_y", statistics.fmean(psnr_y(a, b, CROP) for a, b in results))
        yield Row(case, model, "ssim_y", statistics.fmean(ssim_y(a, b, CROP) for a, b in results))


def enlarged(engine: Engine, model: str, low: Tensor, precision: Precision = "fast") -> Tensor:
    return to8bit(engine.upscale(Job(SRGAN, low, Options(model=model), precision=precision)).image)


def precision_cost(engine: Engine, measured: list[Row], pictures: list[Pair]) -> Iterator[Row]:
    """By how much the default precision changes the mean PSNR-Y just measured, dB; 0 where it is float32."""
    for row in measured:
        if row.model in MODELS and row.metric == "psnr_y":
            exact = (psnr_y(enlarged(engine, row.model, a, "exact"), b, CROP) for a, b in pictures)
            yield Row(row.case, row.model, "psnr_y_change_fast", row.value - statistics.fmean(exact))


def speed(engine: Engine, net: SRResNet, side: int, rounds: int = 7) -> Iterator[Row]:
    """Seconds for side² → (4·side)² of the plain network in float32 and of its optimised form, alternating; the ratio
    of the medians."""
    x = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0)).to(engine.device)
    optimised = optimise(net, torch.bfloat16 if engine.fast_bf16 else torch.float32)
    plain, fast = in_turn(engine.device, lambda: net(x), lambda: optimised(x), rounds=rounds)
    yield Row("speed", f"plain {side}x{side}", "seconds", plain)
    yield Row("speed", f"optimised {side}x{side}", "seconds", fast)
    yield Row("speed", "srgan", "ratio", plain / fast)


def training_step(engine: Engine, load: Load, rounds: int = 3) -> Iterator[Row]:
    """Seconds of a step of SRGAN-VGG54 and of the plain one, each with its own networks, alternating; the ratio."""
    draws = torch.Generator().manual_seed(0)
    low, high = (
        torch.rand(BATCH, 3, side, side, generator=draws).to(engine.device) for side in (CROPS // 4, CROPS)
    )
    pair = Pairs(
        4, [np.zeros((CROPS, CROPS, 3), np.uint8)], [np.zeros((CROPS // 4, CROPS // 4, 3), np.uint8)]
    )
    net, vgg = load(Options().srresnet), weights.load(PERCEPTUAL)
    fast = torch.bfloat16 if engine.fast_bf16 else torch.float32
    config = Config("srgan-vgg54", side=CROPS, precision=str(fast).removeprefix("torch."))
    ours = Training(config, net, pair, vgg, engine.device)
    plain = PlainStep(
        VARIANTS["srgan-vgg54"],
        deepcopy(net).requires_grad_(True).train().to(engine.device),
        Discriminator(CROPS).to(engine.device),
        deepcopy(vgg).to(engine.device),
        lambda of: torch.optim.Adam(of.parameters(), lr=1e-4),
    )
    true = high * 2 - 1
    slow, quick = in_turn(
        engine.device,
        torch.enable_grad()(lambda: plain(low, true)),
        torch.enable_grad()(lambda: ours.descend(low, true)),
        rounds=rounds,
    )
    yield Row("training step", "plain", "seconds", slow)
    yield Row("training step", "srgan-vgg54", "seconds", quick)
    yield Row("training step", "srgan-vgg54", "ratio", slow / quick)


def large(side: int) -> Iterator[Row]:
    """Seconds and peak memory (10⁹ bytes) of a whole process that enlarges side×side pixels through the engine."""
    for metric, value in in_process("gansr.papers.srgan.bench", str(side)).items():
        yield Row(f"{side}x{side} input", "srgan", metric, value)


def _one_large(side: int) -> dict[str, float]:
    engine, low = Engine(), torch.rand(3, side, side, generator=torch.Generator().manual_seed(0))
    job = Job(SRGAN, low, Options())
    engine.nets(job)
    start = time.perf_counter()
    engine.upscale(job)
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "peak_gb": peak_gb()}


if __name__ == "__main__":
    print(json.dumps(_one_large(int(sys.argv[1]))))
