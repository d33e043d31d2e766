"""The measurements that need a network, where the job was computed.

A Space's processor takes 10 s a megapixel for LPIPS-VGG, its GPU less than a second, and the job has the GPU already.
What is not measured here is measured afterwards by whoever asked for the job.
"""

from __future__ import annotations

import logging

from torch import Tensor

from gansr.engine import Engine
from gansr.job import Wanted
from gansr.method import Measured
from gansr.metrics import METRICS

NETWORKS = tuple(
    metric for metric in METRICS if metric.against == "truth" and metric.weights and not metric.faces
)


def measured(engine: Engine, image: Tensor, wanted: Wanted) -> Measured | None:
    """The metrics of NETWORKS of a result (3,H,W) in [0,1]; without those that cannot be measured.

    None where the sizes differ or anything fails: a result is worth more than its measurement.
    """
    if image.shape != wanted.truth.shape:
        return None
    try:
        return Measured(*(_values(engine, picture, wanted.truth) for picture in (image, wanted.baseline)))
    except Exception:  # the result is there; the measurements are made elsewhere
        logging.getLogger(__name__).warning("a result was not measured where it was computed", exc_info=True)
        return None


def _values(engine: Engine, picture: Tensor, truth: Tensor) -> dict[str, float]:
    found = engine.measure(picture, truth, lambda x: x, truth, metrics=NETWORKS)
    return {one.metric.name: one.value for one in found if one.value is not None}
