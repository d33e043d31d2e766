"""What a result's numbers say, in one line; and where it does not agree with the picture it was made of.

For the map, the result is shrunk as the input was made. The difference is shown and summed up in a sentence, which
names a region: of an aligned face (measured on FFHQ's mean face), otherwise a ninth of the picture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from gansr.engine import MetricResult
from gansr.method import Heat
from gansr.metrics.consistency import CLOSELY, agreement, consistency
from gansr.metrics.identity import person
from gansr.ops.colour import to8bit

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
ROWS = (
    ("the upper left", "the upper middle", "the upper right"),
    ("the left", "the middle", "the right"),
    ("the lower left", "the lower middle", "the lower right"),
)
NINTHS: dict[str, Box] = {
    name: (x / 3, y / 3, (x + 1) / 3, (y + 1) / 3) for y, row in enumerate(ROWS) for x, name in enumerate(row)
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
    return Verdict(psnr, agreement(psnr) + (where if psnr < CLOSELY else ""), heat)


def summary(
    measured: Sequence[MetricResult], baseline: Mapping[str, float] | None = None, title: str = "bicubic"
) -> str:
    """The verdict on a result: how many measures against the original are better than those of the baseline (values by
    metric name, called `title`), whether it agrees with the input, and whether a face is the same person. Empty where
    nothing of this was measured."""
    values = {result.metric.name: result.value for result in measured if result.value is not None}
    other = dict(baseline or {})
    against = [
        (found.metric, found.value, other[found.metric.name])
        for found in measured
        if found.metric.against == "truth" and found.value is not None and found.metric.name in other
    ]
    better = sum(a > b if metric.better == "higher" else a < b for metric, a, b in against)
    texts = [f"closer to the original than {title} in {better} of {len(against)} measures"] if against else []
    if (psnr := values.get("consistency")) is not None:
        texts.append(agreement(psnr))
    if (same := values.get("identity")) is not None:
        if "identity" in other:
            texts.append(f"identity {same:.2f} ({title} {other['identity']:.2f}): {person(same)}")
        else:
            texts.append(f"identity {same:.2f}: {person(same)}")
    return "; ".join(texts)


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
