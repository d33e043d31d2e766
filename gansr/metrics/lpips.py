"""LPIPS v0.1 (Zhang et al. 2018): the distance of two pictures in the feature space of a network that knows
photographs, weighted so as to agree with people. Lower is closer; 0 is equal. Whole picture, no rim left out.

Papers use the AlexNet or the VGG16 version, mostly without saying which; both are here and are not comparable
with each other. VGG costs about ten times more: 1.3 TFLOP at 1024² (9 seconds of one core, 0.5 GB),
four times that at 2048² (1.3 GB).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from gansr.metric import Metric


@torch.no_grad()
def lpips(a: Tensor, b: Tensor, net: Any) -> float:
    """The LPIPS distance of two pictures (3,H,W) in [0,1]; net: LpipsAlex or LpipsVgg.

    Raises ValueError for sides under the net's `least`.
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
    weights=MappingProxyType({"lpips-alex": "lpips-alex"}),
    min_side=31,
    digits=4,
)
LPIPS_VGG = Metric(
    name="lpips_vgg",
    title="LPIPS-VGG",
    unit="",
    better="lower",
    against="truth",
    explain="The same judgement with a deeper network (VGG16), more sensitive to texture and slower; 0 is equal.",
    measure=_measure_vgg,
    weights=MappingProxyType({"lpips-vgg": "lpips-vgg"}),
    min_side=16,
    digits=4,
)
