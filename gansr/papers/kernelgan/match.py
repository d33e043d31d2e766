"""The learned kernel, stretched until the picture keeps its edges when it is shrunk by it.

Not in the paper; `paper`, or match_edges=False, leaves it out. KernelGAN's kernels have nearly the same width whatever
the blur is: too narrow for a strong blur, too wide for a weak one, and seldom as long in one direction as they should
be. Its own principle gives the width in closed form: the kernel is the one with which a picture x looks like its
smaller copy x↓k. So the edges of both must be equally strong, in each direction:

    softness(θ) = ln( ‖D(x↓k)‖₄ / ‖D x‖₄ ) = 0,   D: the second difference along θ, for 0°, 90°, 45° and 135°

‖·‖₄ is the fourth-power mean over the pixels, as in sharpness.py, less what noise adds to it: of Gaussian noise of
standard deviation s in D, E(D + n)⁴ = E D⁴ + 6 s² E D² + 3 s⁴. The three numbers of a symmetric stretch of the kernel
are found by least squares; a weak pull keeps it alike in all directions where the picture does not say otherwise.

24 pictures of BSDS400 with random blurs of the DIV2KRK recipe at ×2 and ×4, on which PULL and the bounds were chosen,
where the check in sharpness.py finds a blur: the norm of the kernel's error falls from 0.089 to 0.043, with noise of
σ 8/255 to 0.047 (without the correction for noise it rises), with JPEG of quality 60 to 0.048. A Gaussian instead of
the learned kernel comes to 0.040: the kernels of the recipe are Gaussians with noise. `bench kernelgan` has Set14.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy import linalg, ndimage, optimize
from torch import Tensor

from gansr.ops.colour import luma
from gansr.ops.kernels import bicubic_kernel, crop_or_pad, downscale_with_kernel, gaussian_kernel
from gansr.papers.kernelgan.sharpness import RIM

PULL = 0.03  # weight of the squared logarithm by which the stretch differs between directions
# Bounds of the stretch's logarithm, a symmetric matrix: of its diagonal (half to 2.2 times), of the number beside it.
LEAST, MOST, SHEAR = -0.7, 0.8, 0.6
SIDE = 33  # px, of the stretched kernel before its empty border is cut off
WIDTH = 1.2  # px, of the Gaussian that is stretched where nothing is learned
KEPT = 0.9999  # of its magnitude
MEDIAN = 0.6745  # of the magnitude of a standard Gaussian
LINE = torch.tensor([1.0, -2.0, 1.0])
ALONG = torch.zeros(4, 1, 3, 3)  # the second differences along 0°, 90°, 45° and 135°
ALONG[0, 0, 1], ALONG[1, 0, :, 1] = LINE, LINE
ALONG[2, 0], ALONG[3, 0] = LINE.diag().flip(0), LINE.diag()


class Match(NamedTuple):
    """A kernel, and how it was stretched."""

    kernel: Tensor  # (side,side), for ×2, shifting nothing
    least: float  # how many times as long it is now, in the direction where that is least
    most: float

    @property
    def notice(self) -> str:
        """What to say of it."""
        return (
            f"the learned kernel was stretched {self.least:.2f} to {self.most:.2f} times to match your picture's "
            "edges"
        )


@torch.no_grad()
def match(kernel: Tensor, picture: Tensor) -> Match | None:
    """kernel: for ×2, shifting nothing; picture: (3,H,W) in [0,1], at least 22 px a side. None where the picture has no
    edges in one of the directions."""
    y = luma(picture.cpu().float())
    noise = noise_level(y)
    before = edge_strengths(y, noise * ALONG.square().sum((1, 2, 3)).sqrt())
    if not bool((before > 0).all()):
        return None
    values = kernel.cpu().double().numpy()

    def residuals(stretch: NDArray[np.floating]) -> NDArray[np.floating]:
        a, b, c = stretch - 1
        made = _stretched(values, stretch - 1)
        after = edge_strengths(downscale_with_kernel(y[None], made, 2)[0], noise * _passed(made))
        softness = (after.clamp(min=1e-3 * float(before.min())) / before).log().double().numpy()
        return np.concatenate([softness, np.sqrt(PULL / 2) * np.array([a - b, 2 * c])])

    bounds = (1 + np.array([LEAST, LEAST, -SHEAR]), 1 + np.array([MOST, MOST, SHEAR]))
    found = optimize.least_squares(residuals, np.ones(3), bounds=bounds, diff_step=0.02, max_nfev=12).x - 1
    least, most = np.exp(np.linalg.eigvalsh(_symmetric(found)))
    return Match(_without_border(_stretched(values, found)).to(kernel), float(least), float(most))


def fitted_gaussian(picture: Tensor) -> Tensor:
    """A kernel for ×2 without any learning: a Gaussian that is stretched likewise, (side,side) float64. The bicubic
    kernel where `picture`, (3,H,W) in [0,1], has no edges in one of the directions."""
    found = match(gaussian_kernel(WIDTH, WIDTH, 0.0), picture)
    return bicubic_kernel(2) if found is None else found.kernel


def edge_strengths(y: Tensor, noise: Tensor) -> Tensor:
    """(H,W) → (4): the fourth-power mean of the second difference along each direction, without the rim. noise: (4),
    the standard deviation of the noise in those differences."""
    inner = y[RIM:-RIM, RIM:-RIM][None, None]
    squares = F.conv2d(inner, ALONG.to(inner))[0].square().flatten(1)
    variance = noise.square()
    edges = (squares.mean(1) - variance).clamp(min=0)
    return (squares.square().mean(1) - 6 * edges * variance - 3 * variance.square()).clamp(min=0).pow(0.25)


def noise_level(y: Tensor) -> float:
    """(H,W) → the standard deviation of its noise, from the median of the second difference along both axes, which
    edges hardly change. Fine texture counts as noise. After J. Immerkær, Fast noise variance estimation, 1996."""
    both = F.conv2d(y[None, None], torch.outer(LINE, LINE).to(y)[None, None])
    return float(both.abs().median()) / (MEDIAN * 6)  # 6: the norm of the filter


def _passed(kernel: Tensor) -> Tensor:
    """(4): the standard deviation that noise of 1 has in the differences of the picture shrunk by the kernel."""
    apart = torch.zeros(4, 1, 5, 5)
    apart[..., ::2, ::2] = ALONG  # pixels of the small picture are two apart
    return F.conv2d(kernel.float()[None, None], apart, padding=4)[0].square().sum((1, 2)).sqrt()


def _symmetric(numbers: NDArray[np.floating]) -> NDArray[np.floating]:
    a, b, c = numbers
    return np.array([[a, c], [c, b]])


def _without_border(kernel: Tensor) -> Tensor:
    for side in range(3, SIDE, 2):
        inner = kernel.abs()[(rim := (SIDE - side) // 2) : SIDE - rim, rim : SIDE - rim]
        if float(inner.sum()) >= KEPT * float(kernel.abs().sum()):
            return crop_or_pad(kernel, side)
    return kernel


def _stretched(kernel: NDArray[np.floating], numbers: NDArray[np.floating]) -> Tensor:
    """The kernel stretched by the exponential of a symmetric matrix about the point that shifts nothing, of sum 1."""
    axis = np.arange(SIDE) - (SIDE // 2 + 0.5)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"))
    back = np.tensordot(linalg.expm(-_symmetric(numbers)), grid, axes=1)
    centre = np.array([side // 2 + 0.5 for side in kernel.shape])[:, None, None]
    read = ndimage.map_coordinates(kernel, back + centre, order=3, mode="constant")
    result = torch.from_numpy(read)
    return result / result.sum()
