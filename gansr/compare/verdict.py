"""Does a result agree with the picture it was made of, and where does it not?

The result is shrunk as the input was made; what is left over is shown as a map and said in a sentence. Places are
those of the FFHQ alignment for faces (features measured on its mean face), and ninths of the picture otherwise.
The limits, 45 and 27 dB, are those of gansr.metrics.consistency.
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
STANDS_OUT = 1.5  # a place is named if its mean squared error is so many times the whole's

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
    decibels: float  # LR-consistency; infinity where nothing is left over
    sentence: str
    heat: Heat  # mean over RGB of the shrunk result less the input, in steps of 255; one scale for all


def verdict(shrunk: Tensor, low: Tensor, face: bool = False) -> Verdict:
    """`shrunk` and `low` are (3,h,w) in [0,1]; `face`: the picture is aligned as FFHQ is."""
    left = (to8bit(shrunk) - to8bit(low)) * 255
    decibels = consistency(shrunk, low)
    heat = Heat(left.mean(0), min=-SCALE, max=SCALE, signed=True)
    return Verdict(
        decibels, _sentence(decibels, _where(left.square().mean(0), FACE if face else NINTHS)), heat
    )


def _sentence(decibels: float, where: str) -> str:
    if math.isinf(decibels):
        return "agrees with your picture exactly"
    if decibels >= AGREES:
        return f"agrees with your picture to {decibels:.0f} dB"
    if decibels >= DEPARTS:
        return f"stays close to your picture: {decibels:.0f} dB{where}"
    return f"departs from your picture: {decibels:.0f} dB{where}"


def _where(error: Tensor, places: dict[str, Box]) -> str:
    """error (h,w) ≥ 0 → ", mostly around …" or ", all over it"."""
    height, width = error.shape
    if min(height, width) < 6:
        return ""
    means = {}
    for name, (left, top, right, bottom) in places.items():
        rows = slice(round(top * height), max(round(top * height) + 1, round(bottom * height)))
        columns = slice(round(left * width), max(round(left * width) + 1, round(right * width)))
        means[name] = float(error[rows, columns].mean())
    worst = max(means, key=lambda name: means[name])
    return f", mostly around {worst}" if means[worst] > STANDS_OUT * float(error.mean()) else ", all over it"
