"""Blur kernels: shrinking a picture with one, shifting, squaring (×4), random ones, describing and comparing.

Sources: KernelGAN (Bell-Kligler et al., NeurIPS 2019), ZSSR (Shocher et al., CVPR 2018), the generator of their
benchmark DIV2KRK, and the kernel PSNR of FKP (Liang et al., CVPR 2021). Written from their description.

A kernel is a float64 tensor (h, w). It *correlates*: low[r, c] = Σ k[i, j] · picture[s·r + i − h//2, …], the
picture mirrored with its edge repeated. For an even factor the pixel of the small picture lies between two of
the large one, so a kernel that shifts nothing has its centre of mass half a pixel right of and below h//2.

How we differ from the authors (`paper=False`): a shifted kernel is normalised again, because the cubic spline leaves
their kernels with a sum a few parts in ten thousand off 1, which changes the brightness of the result; and a kernel of
even side, which can only come from a file, is put where it shifts nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

MAX_SIDE = 65  # px, of a kernel from a file or of a Gaussian


# ------------------------------------------------------------------------------------------- shrinking


def sample_rows(length: int, scale: float, out: int) -> Tensor:
    """Indices of the rows that the authors keep: round(linspace(0, length − scale, out)), halves to even."""
    return torch.from_numpy(np.round(np.linspace(0, length - scale, out)).astype(np.int64))


def correlate(picture: Tensor, kernel: Tensor) -> Tensor:
    """(C,H,W) correlated with (h,w) at every pixel → (C,H,W); the picture is mirrored with its edge repeated."""
    top, left = kernel.shape[0] // 2, kernel.shape[1] // 2
    padded = _mirror(picture, (top, kernel.shape[0] - 1 - top), (left, kernel.shape[1] - 1 - left))
    weight = kernel.to(picture)[None, None]
    return F.conv2d(padded[:, None], weight)[:, 0]


def downscale_with_kernel(
    picture: Tensor, kernel: Tensor, scale: int, size: tuple[int, int] | None = None
) -> Tensor:
    """(C,H,W) → (C, ⌈H/s⌉, ⌈W/s⌉), or (C, *size): correlated with `kernel` and sub-sampled; not clipped.

    The authors' `imresize` with a numeric kernel. Where H and W are multiples of the scale, only the pixels that are
    kept are computed. Otherwise their rounding picks unevenly spaced rows, so all pixels are computed.
    """
    height, width = picture.shape[-2:]
    rows, columns = size or (-(-height // scale), -(-width // scale))
    if (rows * scale, columns * scale) != (height, width):
        full = correlate(picture, kernel)
        down, across = sample_rows(height, scale, rows), sample_rows(width, scale, columns)
        return full[:, down.to(full.device)][:, :, across.to(full.device)]
    top, left = kernel.shape[0] // 2, kernel.shape[1] // 2
    padded = _mirror(picture, (top, kernel.shape[0] - 1 - top), (left, kernel.shape[1] - 1 - left))
    return F.conv2d(padded[:, None], kernel.to(picture)[None, None], stride=scale)[:, 0]


def _mirror(picture: Tensor, vertical: tuple[int, int], horizontal: tuple[int, int]) -> Tensor:
    """(C,H,W) padded by mirroring with the edge repeated (scipy's "reflect"), also by more than its own size."""
    rows = _mirrored_index(picture.shape[-2], *vertical).to(picture.device)
    columns = _mirrored_index(picture.shape[-1], *horizontal).to(picture.device)
    return picture.index_select(-2, rows).index_select(-1, columns)


def _mirrored_index(length: int, before: int, after: int) -> Tensor:
    index = torch.arange(-before, length + after) % (2 * length)
    return torch.minimum(index, 2 * length - 1 - index)


def degrade_with_kernel(truth: Tensor, kernel: Tensor, scale: int) -> Tensor:
    """(3,H,W) in [0,1] → (3, H//s, W//s) in [0,1]: the picture that a camera with this blur would have taken.

    The truth is cropped to a multiple of the scale. `kernel` is that of the factor `scale` (see `for_scale`).
    """
    height, width = (side - side % scale for side in truth.shape[-2:])
    return downscale_with_kernel(truth[:, :height, :width], kernel, scale).clamp(0, 1)


# --------------------------------------------------------------------------------------- kernel algebra


def centre_of_mass(kernel: Tensor) -> tuple[float, float]:
    """(row, column) in px, counted from the first entry."""
    k = kernel.double()
    total = k.sum()
    rows = torch.arange(k.shape[0], dtype=k.dtype, device=k.device)
    columns = torch.arange(k.shape[1], dtype=k.dtype, device=k.device)
    return float((k.sum(1) * rows).sum() / total), float((k.sum(0) * columns).sum() / total)


def shift_kernel(kernel: Tensor, scale: int, paper: bool = False) -> Tensor:
    """The kernel with its centre of mass at side//2 + ½(s − 1), where sub-sampling by `scale` shifts nothing.

    Padded by ⌈largest shift⌉ + 1 px on every side, then moved by a cubic spline (zeros outside). The sum is set to 1
    again. With `paper` it is not, and the place is side//2 + ½(s − side mod 2), half a pixel off for even sides.
    Source: the authors' kernel_shift; they apply it to KernelGAN's kernel and once more before ZSSR.
    """
    k = kernel.double().cpu().numpy()
    wanted = [side // 2 + 0.5 * (scale - (side % 2 if paper else 1)) for side in k.shape]
    shift = [w - m for w, m in zip(wanted, centre_of_mass(kernel))]
    pad = math.ceil(max(abs(s) for s in shift)) + 1
    moved = ndimage.shift(np.pad(k, pad), shift, order=3)
    result = torch.from_numpy(moved)
    return result if paper else result / result.sum()


def drop_small(kernel: Tensor, keep: int = 40) -> Tensor:
    """max(k − ¾ of the (keep+1)-th largest entry, 0), of sum 1: leaves about `keep` entries."""
    k = kernel.double()
    floor = 0.75 * k.flatten().sort().values[-keep - 1]
    k = (k - floor).clamp_min(0)
    return k / k.sum()


def quadruple(kernel: Tensor) -> Tensor:
    """The ×4 kernel of two successive ×2 shrinkings: (n,n) → (2n − 1)² for odd n, of sum 1.

    K accumulates k[r,c]·k at offset (2r, 2c): k convolved with k spread by two. Then n//2 px are cropped from each
    side. Source: KernelGAN's analytic_kernel. A kernel of even side is padded to an odd one first, because its crop
    would be half a pixel off (the authors' kernels are always odd).
    """
    n = max(kernel.shape)
    k = kernel.double() if kernel.shape == (n, n) and n % 2 else crop_or_pad(kernel, n + 1 - n % 2)
    n = k.shape[0]
    big = F.conv_transpose2d(k[None, None], k[None, None], stride=2)[0, 0]
    cut = n // 2
    big = big[cut : big.shape[0] - cut, cut : big.shape[1] - cut]
    return big / big.sum()


def stretched(kernel: Tensor, of: int, scale: int) -> Tensor:
    """The kernel of factor `of` as that of another factor: stretched √((s² − 1)/(of² − 1)) times, of sum 1.

    A picture that resembles its own smaller copies was blurred as they are, so P, the variance of its blur in px,
    follows from s²P = P + v: the kernel of factor s has v = (s² − 1)·P. Hence v is 8/3 of ×2's for ×3 and 5 times that
    for ×4, as that of `quadruple` is. A kernel that shifts nothing gives one that shifts nothing. Read between the
    entries by a cubic spline, which keeps the variance.
    """
    if of == scale:
        return kernel
    stretch = math.sqrt((scale**2 - 1) / (of**2 - 1))
    axes: list[NDArray[np.floating]] = []
    for side in kernel.shape:
        length = 2 * math.ceil(stretch * (side + 1) / 2) + 1 + 2 * (scale // 2)
        centre = length // 2 + 0.5 * (scale - 1)
        axes.append((np.arange(length, dtype=float) - centre) / stretch + side // 2 + 0.5 * (of - 1))
    grid = np.meshgrid(*axes, indexing="ij")
    read = ndimage.map_coordinates(kernel.double().cpu().numpy(), grid, order=3, mode="constant")
    result = torch.from_numpy(read)
    return result / result.sum()


def for_scale(kernel: Tensor, scale: int) -> Tensor:
    """A ×2 kernel as that of another factor: for ×4 the authors' analytic one, for others stretched."""
    if scale == 4:
        return quadruple(kernel)
    return stretched(kernel, 2, scale)


# --------------------------------------------------------------------------------------- making kernels


def anisotropic_kernel(
    side: int,
    variances: tuple[float, float],
    angle: float,
    centre: float,
    factors: Tensor | None = None,
) -> Tensor:
    """A Gaussian of covariance R(θ) diag(variances) Rᵀ on a side×side grid, of sum 1; not yet re-centred.

    `variances` in px², `angle` in radians from the horizontal axis towards growing rows, `centre` (row and
    column alike) in px, `factors` (side, side) multiply each entry before it is normalised.
    """
    axis = torch.arange(side, dtype=torch.float64) - centre
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    along = x * math.cos(angle) + y * math.sin(angle)
    across = -x * math.sin(angle) + y * math.cos(angle)
    k = torch.exp(-0.5 * (along**2 / variances[0] + across**2 / variances[1]))
    if factors is not None:
        k = k * factors
    return k / k.sum()


def div2krk_kernel(
    scale: int, variances: tuple[float, float], angle: float, factors: Tensor, paper: bool = False
) -> Tensor:
    """One kernel of DIV2KRK from its random numbers; `factors` (side, side) are around 1.

    The authors' notebook (`paper`) re-centres to side/2 + ½(s − side mod 2), which is half a pixel off for
    sub-sampling at every s-th pixel, and without padding. Ours uses `shift_kernel`.
    """
    side = factors.shape[0]
    k = anisotropic_kernel(side, variances, angle, side // 2 + 0.5 * (scale - side % 2), factors)
    if not paper:
        return crop_or_pad(shift_kernel(k, scale), side)
    wanted = side / 2 + 0.5 * (scale - side % 2)
    moved = ndimage.shift(k.numpy(), [wanted - m for m in centre_of_mass(k)], order=3)
    return torch.from_numpy(moved / moved.sum())


def random_kernel(generator: torch.Generator, scale: int = 2) -> Tensor:
    """A random anisotropic blur, of sum 1, that shifts nothing.

    The text of the paper on DIV2KRK: for ×2, 11×11, variances U(0.6, 5) px², angle U(−π, π), each entry times
    1 + U(−0.25, 0.25); the ×4 kernel is the ×2 kernel applied twice. For other factors see `for_scale`.
    """
    first, second, turn = torch.rand(3, generator=generator, dtype=torch.float64).tolist()
    factors = 1 + 0.25 * (2 * torch.rand(11, 11, generator=generator, dtype=torch.float64) - 1)
    variances = (0.6 + 4.4 * first, 0.6 + 4.4 * second)
    k = div2krk_kernel(2, variances, math.pi * (2 * turn - 1), factors).clamp_min(0)
    return for_scale(k / k.sum(), scale)


def gaussian_kernel(
    width: float, other: float, angle: float, scale: int = 2, side: int | None = None
) -> Tensor:
    """A Gaussian with standard deviations `width` and `other` px at `angle` degrees, of sum 1, shifting nothing.

    The angle is that of the axis of `width`, from the horizontal towards growing rows. The side is odd and
    holds three standard deviations unless it is given.
    """
    side = side or min(MAX_SIDE, 2 * math.ceil(3 * max(width, other)) + 1 + 2 * (scale // 2))
    centre = side // 2 + 0.5 * (scale - side % 2)
    return anisotropic_kernel(side, (width**2, other**2), math.radians(angle), centre)


def motion_kernel(length: int, angle: float) -> Tensor:
    """A straight motion over `length` px at `angle` degrees, from the horizontal towards growing rows: (side, side) of
    sum 1, centred. Each pixel has the share of the line, one sample in 1/64 px, that runs through it."""
    side, samples = length + 1 - length % 2, 64 * length
    t = (torch.arange(samples, dtype=torch.float64) + 0.5) / 64 - length / 2
    radians = math.radians(angle)
    rows, columns = ((t * part).round().long() + side // 2 for part in (math.sin(radians), math.cos(radians)))
    kernel = torch.zeros(side, side, dtype=torch.float64)
    kernel.index_put_((rows.clamp(0, side - 1), columns.clamp(0, side - 1)), torch.ones(()).double(), True)
    return kernel / samples


def bicubic_kernel(scale: int) -> Tensor:
    """MATLAB's bicubic reduction by a whole factor as a kernel of sum 1, shifting nothing; of side 5s − 1 for an even
    factor, 5s − 2 for an odd one.

    imresize(picture, 1/s) is exactly the correlation with this kernel away from the rim.
    """
    half = 2 * scale + scale // 2 - 1
    offset = (torch.arange(-half, half + 1, dtype=torch.float64) - (scale - 1) / 2).abs() / scale
    near = 1.5 * offset**3 - 2.5 * offset**2 + 1
    far = -0.5 * offset**3 + 2.5 * offset**2 - 4 * offset + 2
    taps = torch.where(offset <= 1, near, torch.where(offset < 2, far, torch.zeros(())))
    return torch.outer(taps, taps) / taps.sum() ** 2


# ------------------------------------------------------------------------------------------ describing


def describe(kernel: Tensor) -> Mapping[str, float]:
    """A kernel in numbers, for the page: side, sum, centre of mass, the widths of its two axes and their angle.

    Widths are standard deviations in px. The angle is that of the wider axis, in degrees from −90 to 90, from the
    horizontal towards growing rows. Negative entries (the spline's ringing) count as zero for widths and angle.
    """
    k = kernel.double().clamp_min(0)
    row, column = centre_of_mass(k)
    k = k / k.sum()
    y = torch.arange(k.shape[0], dtype=k.dtype)[:, None] - row
    x = torch.arange(k.shape[1], dtype=k.dtype)[None, :] - column
    xx, yy, xy = float((k * x * x).sum()), float((k * y * y).sum()), float((k * x * y).sum())
    mean, spread = (xx + yy) / 2, math.hypot((xx - yy) / 2, xy)
    return {
        "kernel side (px)": float(max(k.shape)),
        "kernel sum": float(kernel.double().sum()),
        "centre of mass, row (px)": centre_of_mass(kernel)[0],
        "centre of mass, column (px)": centre_of_mass(kernel)[1],
        "wide axis σ (px)": math.sqrt(max(mean + spread, 0)),
        "narrow axis σ (px)": math.sqrt(max(mean - spread, 0)),
        "angle of the wide axis (°)": 0.0
        if spread < 1e-12
        else math.degrees(0.5 * math.atan2(2 * xy, xx - yy)),
    }


def crop_or_pad(kernel: Tensor, side: int) -> Tensor:
    """The kernel cropped or padded to (side, side), of sum 1; its entry h//2 becomes the entry side//2."""
    out = torch.zeros(side, side, dtype=torch.float64)
    source, target = [], []
    for length in kernel.shape:
        start = side // 2 - length // 2
        target.append(slice(max(start, 0), min(start + length, side)))
        source.append(slice(max(-start, 0), max(-start, 0) + target[-1].stop - target[-1].start))
    out[target[0], target[1]] = kernel.double()[source[0], source[1]]
    return out / out.sum()


def align_kernel(kernel: Tensor, centre: tuple[float, float], side: int) -> Tensor:
    """The kernel on (side, side), of sum 1, its centre of mass moved to `centre` (row, column) by a cubic spline."""
    k = crop_or_pad(kernel, side)
    moved = ndimage.shift(k.numpy(), [w - m for w, m in zip(centre, centre_of_mass(k))], order=3)
    return torch.from_numpy(moved / moved.sum())


def compare_kernels(true: Tensor, estimate: Tensor, scale: int = 2) -> Mapping[str, float]:
    """Kernel PSNR as in FKP (both on 4s+3 px, at most 21; sum 1; peak 1), after the centres of mass are aligned.

    Its values are high (40–60 dB) because the peak is 1, not the kernel's largest entry. Hence also the PSNR against
    that entry, and the sum of absolute differences (0: equal, 2: no overlap). FKP itself does not align; without it
    a shift of half a pixel, which is invisible in a picture, would dominate the difference.
    """
    side = min(4 * scale + 3, 21)
    a = crop_or_pad(true, side)
    b = align_kernel(estimate, centre_of_mass(a), side)
    mse = max(float((a - b).square().mean()), 1e-20)
    return {
        "kernel PSNR (dB)": -10 * math.log10(mse),
        "kernel PSNR, peak of the true (dB)": 20 * math.log10(float(a.max())) - 10 * math.log10(mse),
        "kernel difference, absolute": float((a - b).abs().sum()),
    }
