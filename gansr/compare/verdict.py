"""Does a result agree with the picture it was made of, and where does it not?

The result is shrunk as the input was made. The difference is shown as a map and summed up in a sentence. The sentence
names a region: of an aligned face (measured on FFHQ's mean face), otherwise a ninth of the picture. The limits, 45 and
27 dB, are those of gansr.metrics.consistency.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from gansr.method import Heat
from gansr.metrics.consistency import consistency
from gansr.ops.colour import to8bit

AGREES, DEPARTS = 45.0, 27.0  # dB
SCALE = 32.0  # steps of 255 at the ends of the map's colours
STANDS_OUT = 1.5  # a region is named if its mean squared error is this many times that of the picture

Box = tuple[float, float, float, float]  # left, top, right, bottom, in shares of the picture
FACE: dict[str, Box] = {
    "the eyes": (0.27, 0.40, 0.73, 0.54),
    "the nose": (0.41, 0.50, 0.59, 0.65),
    "the mouth": (0.34, 0.64, 0.66, 0.78),
    "the chin": (0.30, 0.78, 0.70, 0.95),
    "the forehead and hair": (0.20, 0.05, 0.80, 0.36),
    "the left edge": (0.0, 0.0, 0.15, 1.0),
    "the right edge": (0.85, 0.0, 1.0, 1.0),
}
ROWS, COLUMNS = ("upper ", "", "lower "), ("left", "middle", "right")
NINTHS: dict[str, Box] = {
    f"the {row}{column}": (x / 3, y / 3, (x + 1) / 3, (y + 1) / 3)
    for y, row in enumerate(ROWS)
    for x, column in enumerate(COLUMNS)
}


@dataclass(frozen=True)
class Verdict:
    consistency: float  # LR-consistency, dB; infinity where nothing differs
    sentence: str
    heat: Heat  # mean over RGB of the shrunk result less the input, in steps of 255; on one scale for all


def verdict(shrunk: Tensor, low: Tensor, face: bool = False) -> Verdict:
    """`shrunk` and `low` are (3,h,w) in [0,1]; `face`: the picture is a face, aligned as FFHQ does."""
    difference = (to8bit(shrunk) - to8bit(low)) * 255
    psnr = consistency(shrunk, low)
    heat = Heat(difference.mean(0), min=-SCALE, max=SCALE, signed=True)
    where = _where(difference.square().mean(0), FACE if face else NINTHS)
    return Verdict(psnr, _sentence(psnr, where), heat)


def _sentence(psnr: float, where: str) -> str:
    if math.isinf(psnr):
        return "agrees with your picture exactly"
    if psnr >= AGREES:
        return f"agrees with your picture to {psnr:.0f} dB"
    if psnr >= DEPARTS:
        return f"stays close to your picture: {psnr:.0f} dB{where}"
    return f"departs from your picture: {psnr:.0f} dB{where}"


def _where(error: Tensor, regions: dict[str, Box]) -> str:
    """error (h,w) ≥ 0 → ", mostly around …" or ", all over it"."""
    height, width = error.shape
    if min(height, width) < 6:
        return ""
    means = {}
    for name, (left, top, right, bottom) in regions.items():
        rows = slice(round(top * height), max(round(top * height) + 1, round(bottom * height)))
        columns = slice(round(left * width), max(round(left * width) + 1, round(right * width)))
        means[name] = float(error[rows, columns].mean())
    worst = max(means, key=lambda name: means[name])
    return f", mostly around {worst}" if means[worst] > STANDS_OUT * float(error.mean()) else ", all over it"
