"""What an input's faults change in the result: PULSE's figure on robustness, for one picture and any method.

The quality test makes the input of the picture; here the same input gets one fault more (gansr.ops.degrade.FAULTS) and
is enlarged again. Measured is how far that result is from the one without the fault, both shrunk to SMALL px: LPIPS-VGG
and, of a face, identity. `bench robustness` does the same on a folder of faces.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from torch import Tensor

from gansr import metrics
from gansr.engine import MetricResult
from gansr.method import Frame
from gansr.metric import Metric
from gansr.ops.colour import to8bit
from gansr.ops.resize import imresize
from gansr.picture.strip import sheet

SMALL = 256  # px, the longer side at which distances are measured
DISTANCES = ("lpips_vgg", "identity")
FILE = "robustness.png"


@dataclass(frozen=True)
class Faulty:
    """The result of an input with one fault."""

    low: Tensor  # (3,h,w) in [0,1]
    image: Tensor  # (3,H,W) in [0,1]
    measured: tuple[MetricResult, ...] = ()  # its distances from the result without


def distances(faces: bool) -> tuple[Metric, ...]:
    """What is measured between two results; `faces`: whether they are of faces."""
    wanted = (m for m in metrics.METRICS if m.name in DISTANCES and (faces or not m.faces))
    return tuple(
        replace(m, name=f"{m.name}_to_clean", title=f"{m.title} to the clean result") for m in wanted
    )


def small(image: Tensor) -> Tensor:
    """A result (3,H,W) in [0,1] as it is measured: 8 bit, its longer side at most SMALL px."""
    height, width = image.shape[-2:]
    factor = SMALL / max(height, width)
    if factor < 1:
        image = imresize(image, (max(1, round(height * factor)), max(1, round(width * factor)))).clamp(0, 1)
    return to8bit(image)


def part(frame: Frame, index: int, runs: int) -> Frame:
    """A frame of run `index` (from 0) of `runs` alike, as a frame of them all."""
    left = None if frame.left is None else frame.left + (runs - 1 - index) * (frame.computed + frame.left)
    return replace(frame, step=index * frame.steps + frame.step, steps=runs * frame.steps, left=left)


def joined(clean: Frame, low: Tensor, found: Mapping[str, Faulty]) -> Frame:
    """The result without faults, with those of the others as its answers, and all as a sheet among its files: the
    inputs (`low` is that without), below them the results with their distances."""
    inputs = [("clean", "input", low), *((name, "input", one.low) for name, one in found.items())]
    results = [("result", "", clean.image), *(("result", _said(one), one.image) for one in found.values())]
    answers = {name: one.image for name, one in found.items()}
    files = {FILE: sheet([inputs, results])}
    return replace(clean, answers={**clean.answers, **answers}, files={**clean.files, **files})


def _said(one: Faulty) -> str:
    titles = {f"{metric.name}_to_clean": metric.title for metric in metrics.METRICS}
    values = [(titles[r.metric.name], r.value) for r in one.measured]
    return " · ".join(f"{title} {value:.2f}" for title, value in values if value is not None)
