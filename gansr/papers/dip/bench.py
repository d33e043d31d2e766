"""DIP's figures. DATA holds Set5/x4/001_HR.png and 001_LR.png, …, as `bench pictures` takes them.

On the middle 128×128 px of the pictures 001 and 002 of Set5: PSNR-Y (dB) after the usual steps, and seconds of
processor time.

- x4: shrunk by MATLAB's bicubic. "bicubic"; "bicubic, corrected": the nearest picture to it that downscales to the
  input, so what the correction does alone; "dip".
- denoise: noise of σ 25/255 added. "noisy"; "mean of 3×3 px"; "dip".
- inpaint: half of the pixels missing, at random, of the first picture alone. "smooth filling": each missing pixel is
  the mean of its neighbours (gansr.ops.membrane); "dip".
"""

from __future__ import annotations

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

NAMES, SIDE, SCALE, SIGMA = ("001", "002"), 128, 4, 25 / 255


def run(data: Path | None, side: int = SIDE, changed: Mapping[str, Any] | None = None) -> Iterator[Row]:
    """The rows; changed: options of all runs. Raises BenchError where a picture is missing."""
    if data is None:
        raise BenchError("give --data: a folder with Set5/x4/001_HR.png and 002_HR.png")
    engine, options = Engine(), changed or {}
    for name in NAMES:
        truth = middle(data / "Set5" / "x4" / f"{name}_HR.png", side)
        low = imresize(truth, 1 / SCALE, rounded=True)
        bicubic = imresize(low, SCALE).clamp(0, 1)
        projection = DownscaleProjection(downscale_matrix(low.shape[-1], SCALE))
        case = f"x4 {name}"
        yield Row(case, "bicubic", "psnr_y", psnr_y(bicubic, truth, SCALE))
        corrected = projection.project(bicubic, low).clamp(0, 1)
        yield Row(case, "bicubic, corrected", "psnr_y", psnr_y(corrected, truth, SCALE))
        yield from of_run(engine, case, "dip", low, truth, Options(**options))
        noisy = truth + SIGMA * torch.randn(truth.shape, generator=torch.Generator().manual_seed(0))
        noisy = noisy.clamp(0, 1)
        case = f"denoise {name}"
        yield Row(case, "noisy", "psnr_y", psnr_y(noisy, truth, 0))
        blurred = F.avg_pool2d(F.pad(noisy, (1, 1, 1, 1), mode="reflect"), 3, stride=1)
        yield Row(case, "mean of 3×3 px", "psnr_y", psnr_y(blurred, truth, 0))
        yield from of_run(engine, case, "dip", noisy, truth, Options(job="denoise", **options))
        if name == NAMES[0]:
            case, filled = f"inpaint {name}", Options(job="inpaint", hole="dots", **options)
            hole = hole_for(filled, side, side, 0)
            assert hole is not None
            smooth = torch.where(hole > 0, Membrane(hole > 0)(truth), truth).clamp(0, 1)
            yield Row(case, "smooth filling", "psnr_y", psnr_y(smooth, truth, 0))
            yield from of_run(engine, case, "dip", truth, truth, filled)


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
    """The middle (3,side,side) of a picture. Raises BenchError where there is none."""
    if not path.is_file():
        raise BenchError(f"{path} is missing")
    rgb = open_picture(path).rgb
    top, left = ((size - side) // 2 for size in rgb.shape[1:])
    return rgb[:, top : top + side, left : left + side].contiguous()
