"""ESRGAN's speed, and what its tiles and bfloat16 change; on the middle 128² px of an example. No `data` is needed.

- speed: seconds of the plain network in float32 and as the page computes it, for each of the weights that can be had
  without a file; alternating, with the ratio.
- tiles: PSNR (RGB, dB) between the picture computed in tiles of 64 px and the picture computed at once, with our margin
  and with the authors'.
- bfloat16: PSNR between the picture of bfloat16 and that of float32.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gansr import weights
from gansr.bench import Row
from gansr.bench.measure import in_turn
from gansr.engine import Engine
from gansr.job import Job
from gansr.metrics.psnr import psnr_rgb
from gansr.papers.esrgan import ESRGAN, MARGIN, Options, enlarge
from gansr.papers.esrgan.network import OptimisedRRDBNet, RRDBNet
from gansr.picture import open_picture

PICTURE = Path(__file__).parents[3] / "assets" / "examples" / "chelsea.png"
WEIGHTS = ("realesrgan-x4plus", "realesrgan-x4plus-anime")
TILE, AUTHORS_MARGIN = 64, 10  # px of the small picture

Load = Callable[[str], Any]


def run(data: Path | None, load: Load = weights.load, side: int = 128, rounds: int = 2) -> Iterator[Row]:
    """The rows."""
    engine = Engine(load=load)
    low = middle(side).to(engine.device)
    for name in WEIGHTS:
        yield from speed(engine, name, low, rounds)
    net = engine.net(Options().weights)
    exact = OptimisedRRDBNet(net, torch.float32)
    at_once = enlarged(low, exact, side)
    for margin in (MARGIN, AUTHORS_MARGIN):
        apart = psnr_rgb(enlarged(low, exact, TILE, margin), at_once, 0)
        yield Row("tiles of 64 px", f"margin {margin}", "psnr_to_untiled", apart)
    narrow = enlarged(low, OptimisedRRDBNet(net, torch.bfloat16), side)
    yield Row("bfloat16", Options().weights, "psnr_to_float32", psnr_rgb(narrow, at_once, 0))


def middle(side: int) -> Tensor:
    """The middle (3,side,side) of the example."""
    rgb = open_picture(PICTURE).rgb
    top, left = ((size - side) // 2 for size in rgb.shape[1:])
    return rgb[:, top : top + side, left : left + side].contiguous()


def enlarged(low: Tensor, net: OptimisedRRDBNet, tile: int, margin: int = MARGIN) -> Tensor:
    """The last frame's picture."""
    *_, last = enlarge(low, net, tile, margin)
    return last.image


def speed(engine: Engine, name: str, low: Tensor, rounds: int) -> Iterator[Row]:
    """Medians of alternating passes: the plain module in float32, and as the page runs it."""
    net: RRDBNet = engine.net(name)
    nets = engine.nets(Job(ESRGAN, low, Options(weights=name)))
    made = OptimisedRRDBNet(net, nets.dtype)
    works = (lambda: net(low[None]), lambda: enlarged(low, made, low.shape[-1]))
    plain, fast = in_turn(engine.device, *works, rounds=rounds)
    case = f"{low.shape[-1]}x{low.shape[-1]}"
    yield Row(f"speed {case}", f"{name}, plain", "seconds", plain)
    yield Row(f"speed {case}", name, "seconds", fast)
    yield Row(f"speed {case}", name, "ratio", plain / fast)
