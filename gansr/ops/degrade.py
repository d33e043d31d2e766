"""Making the low-resolution picture of a test with a known answer, and shrinking a result the same way.

low = JPEG(round(shrink(truth) + noise)): the classical model of the field (blur, sub-sampling, noise, JPEG).
The default is the benchmarks' operator, MATLAB's bicubic on 8-bit pictures. Gaussian blurs are centred so that
sub-sampling shifts nothing (gansr.ops.kernels), as KernelGAN's benchmark has them. JPEG is Pillow's, with its
usual 4:2:0 colour.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor

from gansr.ops.colour import to8bit
from gansr.ops.kernels import downscale_with_kernel, gaussian_kernel
from gansr.ops.resize import imresize
from gansr.options import option
from gansr.picture import jpeg_round_trip


@dataclass(frozen=True)
class Degradation:
    """How a truth becomes the low-resolution input. The factor is the method's."""

    operator: str = option(
        "bicubic",
        "how the picture is shrunk: MATLAB's bicubic (the benchmarks' way), the mean over each square, every "
        "n-th pixel, or a Gaussian blur and then every n-th pixel",
        choices=("bicubic", "area", "nearest", "gaussian"),
    )
    width: float = option(
        1.6, "Gaussian: its standard deviation, in pixels of the truth", min=0.3, max=20, step=0.1
    )
    other: float = option(
        0.0,
        "Gaussian: its standard deviation across, in pixels of the truth; 0: the same, a round blur",
        title="second width",
        min=0,
        max=20,
        step=0.1,
    )
    angle: float = option(
        0.0,
        "Gaussian: clockwise turn of the first width from the horizontal, in degrees",
        min=0,
        max=180,
        step=1,
    )
    noise: float = option(
        0.0,
        "standard deviation of the noise added after shrinking, in steps of 255",
        min=0,
        max=50,
        step=0.5,
    )
    jpeg: int = option(
        100, "JPEG quality after that; 100: not compressed", title="JPEG quality", min=5, max=100
    )
    seed: int = option(0, "seed of the noise", title="noise seed", min=0, max=2**31 - 1)


PRESETS: Mapping[str, Degradation] = MappingProxyType(
    {
        "bicubic": Degradation(),
        "anisotropic blur": Degradation(operator="gaussian", width=3.0, other=1.2, angle=30.0),
        "noise": Degradation(noise=10.0),
        "JPEG": Degradation(jpeg=30),
        "blur, noise and JPEG": Degradation(operator="gaussian", width=2.0, noise=5.0, jpeg=50),
    }
)


def mod_crop(x: Tensor, scale: int) -> Tensor:
    """(…,H,W) cut on the right and below to multiples of `scale`. Raises ValueError if a side is shorter."""
    height, width = (side - side % scale for side in x.shape[-2:])
    if not height or not width:
        raise ValueError(
            f"to be shrunk {scale} times a picture needs {scale} px a side; this one is "
            f"{x.shape[-1]}×{x.shape[-2]}. Use a larger one or a smaller factor."
        )
    return x[..., :height, :width]


def degrade(truth: Tensor, scale: int, degradation: Degradation, generator: torch.Generator) -> Tensor:
    """The low-resolution input (3,H/s,W/s) of a truth (3,H,W) in [0,1] whose sides are multiples of `scale`.

    Values are 8-bit steps. The noise is drawn from `generator` (CPU); a grey truth gets grey noise.
    """
    height, width = truth.shape[-2:]
    low = shrink(truth, (height // scale, width // scale), degradation)
    if degradation.noise:
        grey = bool((truth == truth[:1]).all())
        shape = (1 if grey else low.shape[0], *low.shape[1:])
        noise = torch.randn(shape, generator=generator).to(low)
        low = to8bit(low + noise * (degradation.noise / 255))
    return low if degradation.jpeg == 100 else jpeg_round_trip(low, degradation.jpeg)


def shrink(result: Tensor, size: tuple[int, int], degradation: Degradation) -> Tensor:
    """(3,H,W) in [0,1] → (3, *size) in 8-bit steps: what `degradation` does without noise and JPEG.

    This is what a result is compared with its input by (LR-consistency).
    """
    if degradation.operator == "bicubic":
        return imresize(result, size, rounded=True)  # MATLAB on uint8: rounded between the axes as well
    if degradation.operator == "gaussian":
        return to8bit(_blurred(result, size, degradation))
    kernel = "box" if degradation.operator == "area" else "nearest"
    return to8bit(imresize(result, size, kernel=kernel))


def _blurred(x: Tensor, size: tuple[int, int], degradation: Degradation) -> Tensor:
    """Gaussian blur and sub-sampling. The kernel holds four standard deviations."""
    scale = max(1, round(x.shape[-2] / size[0]))
    across = degradation.other or degradation.width
    side = 2 * math.ceil(4 * max(degradation.width, across)) + 1 + 2 * (scale // 2)
    kernel = gaussian_kernel(degradation.width, across, degradation.angle, scale, side)
    return downscale_with_kernel(x, kernel, scale, size)
