"""The low-resolution input of a quality test, made from the original; and shrinking a result in the same way.

low = JPEG(lost(round(motion(shrink(truth)) + noise))): the classical model of the field (blur, sub-sampling, noise,
JPEG), and what PULSE's figure on robustness has besides: motion blur, salt and pepper, missing pixels. The default is
the operator of the benchmarks, MATLAB's bicubic on 8-bit pictures. Gaussian blurs are centred so that sub-sampling
shifts nothing (gansr.ops.kernels), as in KernelGAN's benchmark; so is a kernel of one's own, KernelGAN's estimate for
one. JPEG is Pillow's, with its default 4:2:0 colour.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType

import torch
from torch import Tensor

from gansr.ops.colour import to8bit
from gansr.ops.kernel_files import KERNEL_SUFFIXES, read_kernel
from gansr.ops.kernels import (
    correlate,
    downscale_with_kernel,
    for_scale,
    gaussian_kernel,
    motion_kernel,
    shift_kernel,
    stretched,
)
from gansr.ops.resize import imresize
from gansr.options import OptionError, option
from gansr.picture import jpeg_round_trip

LARGEST_KERNEL = 2048  # px, once it is stretched to the method's factor


@dataclass(frozen=True, eq=False)
class Degradation:
    """How an original becomes the low-resolution input. The factor is the method's. Equal by value."""

    operator: str = option(
        "bicubic",
        "MATLAB's bicubic (as the benchmarks do), the mean of each square (area), every n-th pixel (nearest), or that "
        "after a Gaussian blur or your own kernel",
        title="shrink by",
        choices=("bicubic", "area", "nearest", "gaussian", "kernel"),
        changes_input=True,
    )
    kernel: Tensor | None = option(
        None,
        "for shrinking by a kernel: a .mat, .npy or .csv file, at most 65×65; KernelGAN + ZSSR gives such files",
        title="blur kernel",
        read=read_kernel,
        suffixes=KERNEL_SUFFIXES,
        changes_input=True,
    )
    kernel_factor: int = option(
        2,
        "the factor that the kernel is for; where the method has another one, it is stretched to that",
        title="factor of the kernel",
        min=2,
        max=32,
        changes_input=True,
    )
    width: float = option(
        1.6,
        "for gaussian: standard deviation of the blur along its angle, in pixels of the original",
        title="blur width (px)",
        min=0.3,
        max=20,
        step=0.1,
        changes_input=True,
    )
    other: float = option(
        0.0,
        "for gaussian: standard deviation across the angle, in pixels of the original; 0 gives a round blur",
        title="second blur width (px)",
        min=0,
        max=20,
        step=0.1,
        changes_input=True,
    )
    angle: float = option(
        0.0,
        "direction of the first width of gaussian, and of the motion, in degrees clockwise from the horizontal",
        title="blur angle (°)",
        min=0,
        max=180,
        step=1,
        changes_input=True,
    )
    motion: int = option(
        0,
        "how far each pixel is smeared along the angle, in pixels of the small picture; 0 and 1 mean not at all",
        title="motion blur (px)",
        min=0,
        max=31,
        changes_input=True,
    )
    noise: float = option(
        0.0,
        "standard deviation of the Gaussian noise added after shrinking, in steps of 1/255",
        title="noise (1/255)",
        min=0,
        max=50,
        step=0.5,
        changes_input=True,
    )
    salt: float = option(
        0.0,
        "share of pixels that become white or black, as many of each",
        title="salt and pepper (%)",
        min=0,
        max=100,
        step=0.5,
        changes_input=True,
    )
    missing: float = option(
        0.0,
        "share of pixels that are lost: they are black",
        title="missing pixels (%)",
        min=0,
        max=100,
        step=0.5,
        changes_input=True,
    )
    jpeg: int = option(
        100,
        "quality of the JPEG compression applied last; 100 means no compression",
        title="JPEG quality",
        min=5,
        max=100,
        changes_input=True,
    )
    seed: int = option(
        0,
        "seed of the noise and of the pixels that are lost: another seed gives others of the same strength",
        title="noise seed",
        min=0,
        max=2**31 - 1,
        changes_input=True,
    )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Degradation) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[object, ...]:
        values = (getattr(self, field.name) for field in fields(self))
        return tuple(str(v.tolist()) if isinstance(v, Tensor) else v for v in values)


PRESETS: Mapping[str, Degradation] = MappingProxyType(
    {
        "bicubic": Degradation(),
        "anisotropic blur": Degradation(operator="gaussian", width=3.0, other=1.2, angle=30.0),
        "motion blur": Degradation(motion=5, angle=20.0),
        "noise": Degradation(noise=10.0),
        "salt and pepper": Degradation(salt=5.0),
        "missing pixels": Degradation(missing=10.0),
        "JPEG": Degradation(jpeg=30),
        "blur, noise and JPEG": Degradation(operator="gaussian", width=2.0, noise=5.0, jpeg=50),
    }
)

# PULSE's figure on robustness: what is done to an input besides; name → values of Degradation.
FAULTS: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        "noise 25": {"noise": 25.0},
        "salt and pepper 5 %": {"salt": 5.0},
        "motion 9 px": {"motion": 9},
        "missing 10 %": {"missing": 10.0},
        "JPEG 20": {"jpeg": 20},
    }
)


def with_faults(degradation: Degradation) -> dict[str, Degradation]:
    """Each of FAULTS added to a degradation."""
    return {name: replace(degradation, **values) for name, values in FAULTS.items()}


def mod_crop(x: Tensor, scale: int) -> Tensor:
    """(…,H,W) cropped at the right and the bottom to multiples of `scale`. Raises ValueError if a side is shorter."""
    height, width = (side - side % scale for side in x.shape[-2:])
    if not height or not width:
        raise ValueError(
            f"a picture to shrink {scale} times needs {scale} px a side; this picture has "
            f"{x.shape[-1]}×{x.shape[-2]}. Use a larger picture or a smaller factor."
        )
    return x[..., :height, :width]


def degrade(truth: Tensor, scale: int, degradation: Degradation, generator: torch.Generator) -> Tensor:
    """The low-resolution input (3,H/s,W/s) of an original (3,H,W) in [0,1] whose sides are multiples of `scale`.

    Values are multiples of 1/255. The noise is drawn from `generator` (CPU); a grey original gets grey noise. Raises
    OptionError where a kernel is wanted and none is given.
    """
    height, width = truth.shape[-2:]
    low = shrink(truth, (height // scale, width // scale), degradation)
    if degradation.noise:
        grey = bool((truth == truth[:1]).all())
        shape = (1 if grey else low.shape[0], *low.shape[1:])
        noise = torch.randn(shape, generator=generator).to(low)
        low = to8bit(low + noise * (degradation.noise / 255))
    if degradation.salt:
        low = _salted(low, degradation.salt / 100, generator)
    if degradation.missing:
        kept = torch.rand(low.shape[1:], generator=generator) >= degradation.missing / 100
        low = low * kept.to(low)
    return low if degradation.jpeg == 100 else jpeg_round_trip(low, degradation.jpeg)


def _salted(low: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """`low` with a `share` of its pixels white or black in all channels, half of them each."""
    drawn = torch.rand(low.shape[1:], generator=generator).to(low)
    return torch.where(drawn < share / 2, 0.0, torch.where(drawn < share, 1.0, low))


def shrink(result: Tensor, size: tuple[int, int], degradation: Degradation) -> Tensor:
    """(3,H,W) in [0,1] → (3, *size) in multiples of 1/255: what `degradation` does without what is random and JPEG.

    A result shrunk by it is compared with the input (LR-consistency).
    """
    if degradation.operator == "bicubic":
        low = imresize(result, size, rounded=True)  # MATLAB on uint8: rounded between the axes as well
    elif degradation.operator == "gaussian":
        low = to8bit(_blurred(result, size, degradation))
    elif degradation.operator == "kernel":
        scale = _factor(result, size)
        low = to8bit(downscale_with_kernel(result, kernel_for(degradation, scale), scale, size))
    else:
        kernel = "box" if degradation.operator == "area" else "nearest"
        low = to8bit(imresize(result, size, kernel=kernel))
    if degradation.motion < 2:
        return low
    return to8bit(correlate(low, motion_kernel(degradation.motion, degradation.angle)))


def _blurred(x: Tensor, size: tuple[int, int], degradation: Degradation) -> Tensor:
    """Gaussian blur and sub-sampling. The kernel reaches four standard deviations."""
    scale = _factor(x, size)
    across = degradation.other or degradation.width
    side = 2 * math.ceil(4 * max(degradation.width, across)) + 1 + 2 * (scale // 2)
    kernel = gaussian_kernel(degradation.width, across, degradation.angle, scale, side)
    return downscale_with_kernel(x, kernel, scale, size)


def kernel_for(degradation: Degradation, scale: int) -> Tensor:
    """The user's kernel for a factor, of sum 1, moved so that it shifts nothing. Raises OptionError where there is
    none, or where it would be too large."""
    if degradation.kernel is None:
        raise OptionError("shrinking by a kernel needs one: add a .mat, .npy or .csv file")
    kernel, of = shift_kernel(degradation.kernel, degradation.kernel_factor), degradation.kernel_factor
    if scale * max(kernel.shape) > LARGEST_KERNEL * of:
        raise OptionError(
            f"for a factor of {scale} the blur kernel would be wider than {LARGEST_KERNEL} px: give a smaller one"
        )
    return for_scale(kernel, scale) if of == 2 else stretched(kernel, of, scale)


def _factor(x: Tensor, size: tuple[int, int]) -> int:
    return max(1, round(x.shape[-2] / size[0]))
