"""DIP's figures. DATA holds Set5/x4/001_HR.png, … and Set14/x4/001_HR.png, …, as `bench pictures` takes them.

On the middle 128×128 px of every picture: PSNR-Y (dB) after the usual steps, and seconds of processor time.

- x4: shrunk by MATLAB's bicubic. "bicubic"; "bicubic, corrected": the nearest picture to it that downscales to the
  input, so what the correction does alone; "dip".
- denoise: noise of σ 25/255 added. "noisy"; "mean of 3×3 px"; "dip".
- dots, pieces, middle: half of the pixels missing, at random; eight small rectangles; a rectangle half as wide and high
  as the picture. "smooth filling": the harmonic one, each missing pixel is the mean of its neighbours
  (gansr.ops.membrane); "dip". The PSNR is that of the whole picture.

Last the means over the pictures, and in how many of them DIP is better than the best of the others.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from gansr.bench import BenchError, Row
from gansr.engine import Engine
from gansr.job import Job
from gansr.metrics.psnr import psnr_y
from gansr.ops.membrane import Membrane
from gansr.ops.projection import DownscaleProjection, downscale_matrix
from gansr.ops.resize import imresize
from gansr.papers.dip import DIP, Options
from gansr.papers.dip.options import hole_for
from gansr.picture import open_picture

SETS, SIDE, SCALE, SIGMA = ("Set5", "Set14"), 128, 4, 25 / 255
HOLES = ("dots", "pieces", "middle")


def run(data: Path | None, side: int = SIDE, changed: Mapping[str, Any] | None = None) -> Iterator[Row]:
    """The rows; changed: options of all runs. Raises BenchError where there are no pictures."""
    if data is None:
        raise BenchError("give --data: a folder with Set5/x4/001_HR.png, … and Set14/x4/001_HR.png, …")
    paths = [path for name in SETS for path in sorted((data / name / "x4").glob("*_HR.png"))]
    if not paths:
        raise BenchError(f"{data} has no Set5/x4/001_HR.png, … nor Set14/x4/001_HR.png, …")
    engine, found = Engine(), dict[str, dict[str, list[float]]]()
    for path in paths:
        name = f"{path.parent.parent.name} {path.name.removesuffix('_HR.png')}"
        for row in of_picture(engine, middle(path, side), changed or {}):
            yield Row(f"{row.case}, {name}", row.model, row.metric, row.value)
            if row.metric == "psnr_y":
                found.setdefault(row.case, {}).setdefault(row.model, []).append(row.value)
    for job, values in found.items():
        for model, each in values.items():
            yield Row(f"{job}, mean", model, "psnr_y", statistics.fmean(each))
        others = zip(*(each for model, each in values.items() if model != "dip"))
        better = sum(ours > max(theirs) for ours, theirs in zip(values["dip"], others))
        yield Row(f"{job}, all", "dip", "pictures_better", float(better))


def of_picture(engine: Engine, truth: Tensor, changed: Mapping[str, Any]) -> Iterator[Row]:
    """The rows of one picture (3,side,side); their case is the job."""
    low = imresize(truth, 1 / SCALE, rounded=True)
    bicubic = imresize(low, SCALE).clamp(0, 1)
    projection = DownscaleProjection(downscale_matrix(low.shape[-1], SCALE))
    corrected = projection.project(bicubic, low).clamp(0, 1)
    enlarged = {"bicubic": bicubic, "bicubic, corrected": corrected}
    yield from beside("x4", engine, low, truth, enlarged, Options(**changed))
    noisy = truth + SIGMA * torch.randn(truth.shape, generator=torch.Generator().manual_seed(0))
    noisy = noisy.clamp(0, 1)
    blurred = F.avg_pool2d(F.pad(noisy, (1, 1, 1, 1), mode="reflect"), 3, stride=1)
    others = {"noisy": noisy, "mean of 3×3 px": blurred}
    yield from beside("denoise", engine, noisy, truth, others, Options(job="denoise", **changed))
    for kind in HOLES:
        filled = Options(job="inpaint", hole=kind, **changed)
        hole = hole_for(filled, truth.shape[-1], truth.shape[-1], 0)
        assert hole is not None
        smooth = torch.where(hole > 0, Membrane(hole > 0)(truth), truth).clamp(0, 1)
        yield from beside(kind, engine, truth, truth, {"smooth filling": smooth}, filled)


def beside(
    job: str, engine: Engine, low: Tensor, truth: Tensor, others: Mapping[str, Tensor], options: Options
) -> Iterator[Row]:
    """The PSNR-Y of `others`, then of DIP."""
    border = SCALE if options.job == "sr" else 0
    for model, image in others.items():
        yield Row(job, model, "psnr_y", psnr_y(image, truth, border))
    yield from of_run(engine, job, "dip", low, truth, options)


def of_run(
    engine: Engine, case: str, name: str, low: Tensor, truth: Tensor, options: Options
) -> Iterator[Row]:
    """The result's PSNR-Y, and the seconds of all cores together, which other programs hardly change."""
    began = time.process_time()
    frame = engine.upscale(Job(DIP, low, options))
    seconds = time.process_time() - began
    yield Row(case, name, "psnr_y", psnr_y(frame.image, truth, SCALE if options.job == "sr" else 0))
    yield Row(case, name, "processor_seconds", seconds)


def middle(path: Path, side: int) -> Tensor:
    """The middle (3,side,side) of a picture."""
    rgb = open_picture(path).rgb
    top, left = ((size - side) // 2 for size in rgb.shape[1:])
    return rgb[:, top : top + side, left : left + side].contiguous()
