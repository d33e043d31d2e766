"""LPIPS v0.1: the distance of two pictures in the features of an ImageNet network:

    LPIPS(x, y) = Σ_l mean_hw w_l · (φ̂_l(x) − φ̂_l(y))²        0 for equal pictures, lower is closer

φ̂_l: the features of level l, of unit length at every place; w_l: channel weights trained on people's judgements.
Zhang, Isola, Efros, Shechtman, Wang, "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", CVPR
2018. The whole picture counts, no border is left out. The networks are in gansr.nets.alexnet and gansr.nets.vgg.

Papers use AlexNet or VGG16, mostly without saying which; both are here, and their values are not comparable with each
other. VGG16 takes about ten times longer: 1.3 TFLOP at 1024×1024 px (9 seconds of one core, 0.5 GB), four times that
at 2048×2048 (1.3 GB).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from gansr.metric import Metric


@torch.no_grad()
def lpips(a: Tensor, b: Tensor, net: Any) -> float:
    """LPIPS of two pictures (3,H,W) in [0,1]. net: LpipsAlex or LpipsVgg.

    Raises ValueError for a side under the net's `min_side`.
    """
    return net(a[None], b[None]).item()


def _measure_alex(a: Tensor, b: Tensor, nets: Mapping[str, Any]) -> float:
    return lpips(a, b, nets["lpips-alex"])


def _measure_vgg(a: Tensor, b: Tensor, nets: Mapping[str, Any]) -> float:
    return lpips(a, b, nets["lpips-vgg"])


LPIPS_ALEX = Metric(
    name="lpips_alex",
    title="LPIPS-Alex",
    unit="",
    better="lower",
    against="truth",
    explain="How different the two pictures look to a network trained on people's judgements (AlexNet); "
    "0 is equal, under 0.1 is hard to tell apart.",
    measure=_measure_alex,
    weights={"lpips-alex": "lpips-alex"},
    min_side=31,
    digits=4,
)
LPIPS_VGG = Metric(
    name="lpips_vgg",
    title="LPIPS-VGG",
    unit="",
    better="lower",
    against="truth",
    explain="As LPIPS-Alex with a deeper network (VGG16): more sensitive to texture, and slower; 0 is equal.",
    measure=_measure_vgg,
    weights={"lpips-vgg": "lpips-vgg"},
    min_side=16,
    digits=4,
)
