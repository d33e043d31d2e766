"""LPIPS v0.1: the distance of two pictures in the features of an ImageNet network:

    LPIPS(x, y) = Σ_l mean_hw w_l · (φ̂_l(x) − φ̂_l(y))²        0 for equal pictures, lower is closer

φ̂_l: the features of level l, of unit length at every place; w_l: channel weights trained on people's judgements.
Zhang, Isola, Efros, Shechtman, Wang, "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", CVPR
2018. The whole picture counts, no border is left out. The networks are in gansr.nets.alexnet and gansr.nets.vgg.

Papers use AlexNet or VGG16, mostly without saying which; both are here, and their values are not comparable with each
other. VGG16 takes about ten times longer: 1.3 TFLOP at 1024×1024 px (9 seconds of one core, 0.5 GB), four times that
at 2048×2048 (1.3 GB).

For several pictures against one truth the truth's features are kept: 128 MB at 512×512 px (VGG16; half of it in
bfloat16) and 11 MB (AlexNet). Beyond 256 MB they are computed each time: VGG16's at 1024×1024 px would be 512 MB.

Where nobody asked for exactness and the processor is fast in bfloat16, VGG16's convolutions are computed in it, in half
the time; features are compared in float32. Over 10 pictures (faces and Set14), blurred and noisy, the value changed by
at most 0.0007. AlexNet stays in float32: there the same would change the value by up to 0.0011.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from gansr.metric import Metric

KEPT_BYTES = 1 << 28  # at most, of one truth's features in one network


@torch.no_grad()
def lpips(a: Tensor, b: Tensor, net: Any) -> float:
    """LPIPS of two pictures (3,H,W) in [0,1]. net: LpipsAlex or LpipsVgg.

    Raises ValueError for a side under the net's `min_side`.
    """
    return net(a[None], b[None]).item()


@torch.no_grad()
def kept_of(b: Tensor, net: Any) -> Tensor | tuple[Tensor, ...]:
    """What to keep of the truth (3,H,W) in [0,1]: its features, or of a large picture only itself, (1,3,H,W)."""
    large = b.shape[-2] * b.shape[-1] * net.kept_bytes > KEPT_BYTES
    return b[None] if large else net.features(b[None])


@torch.no_grad()
def lpips_prepared(a: Tensor, kept: Tensor | tuple[Tensor, ...], net: Any) -> float:
    """`lpips` of a picture (3,H,W) and of what `kept_of` kept of the truth."""
    return net(a[None], kept).item()


def _on(work: Callable[..., Any], role: str) -> Callable[..., Any]:
    """`work` with the net of `role`, as a Metric calls it."""
    return lambda a, b, nets: work(a, b, nets[role])


def _prepare(role: str) -> Callable[[Tensor, Mapping[str, Any]], Any]:
    return lambda b, nets: kept_of(b, nets[role])


LPIPS_ALEX = Metric(
    name="lpips_alex",
    title="LPIPS-Alex",
    unit="",
    better="lower",
    against="truth",
    explain="How different the two pictures look to a network trained on people's judgements (AlexNet); "
    "0 is equal, under 0.1 is hard to tell apart.",
    measure=_on(lpips, "lpips-alex"),
    prepare=_prepare("lpips-alex"),
    measure_prepared=_on(lpips_prepared, "lpips-alex"),
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
    measure=_on(lpips, "lpips-vgg"),
    prepare=_prepare("lpips-vgg"),
    measure_prepared=_on(lpips_prepared, "lpips-vgg"),
    half=True,
    weights={"lpips-vgg": "lpips-vgg"},
    min_side=16,
    digits=4,
)
