"""A face cut out and rotated as the pictures of FFHQ are.

Source: the alignment of FFHQ (Karras et al., CVPR 2019, appendix A; recreate_aligned_images in NVlabs/ffhq-dataset),
as PULSE uses it. How we differ:

- Five points instead of dlib's 68: the alignment needs only two eyes and two corners of the mouth.
- The authors draw the square at 4096 px with bilinear weights in 8 bits and shrink it to 1024 by Lanczos. The
  square is a rotation and a scale, so we draw it in float at twice to four times the wanted size, no finer than
  the photograph deserves, and shrink by antialiased bicubic weights. On the astronaut (170 px → 1024; whole, cut
  at the edge, and enlarged 8 times first) the greatest difference from theirs in Pillow is 2.3 of 255, the
  mean 0.5, which is Pillow's rounding to 8 bits between its steps; ours takes a fifth to a half of the time.
- A square of at least 4 times the wanted size is first shrunk by an integer s. There the authors divide its
  corners by s. With pixel centres at integers, as their drawing has them, the place of x in the shrunk picture is
  (x + ½)/s − ½, which we use. Theirs is ½ − ½/s pixels of the shrunk picture, that is (s − 1)/2 pixels of the
  photograph, further to the right and down: always under half a pixel there, at most a quarter of a pixel of the
  result. `paper=True` takes theirs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor

from gansr.faces.sampling import warp


class FaceError(ValueError):
    """No usable face. The text says what was found and what to do."""


@dataclass(frozen=True)
class Aligned:
    """An aligned face and its place in the picture."""

    image: Tensor  # (3, size, size) in [0,1]
    quad: Tensor  # (4, 2) px: where its top left, bottom left, bottom right, top right are in the picture
    inside: float  # share of it that the picture covers, 0…1
    notices: tuple[str, ...] = ()  # what the user should know: tiny, partly outside, in profile


def quad_of(points: Tensor) -> Tensor:
    """Five landmarks (5,2) px → the FFHQ square (4,2) px: top left, bottom left, bottom right, top right.

    In the authors' symbols: x lies along the eyes, helped by the perpendicular of eyes → mouth, half as long as
    the square; the middle is a tenth of the way from the eyes to the mouth.
    Raises FaceError where the five points are no face.
    """
    points = points.double()
    eyes, mouth = (points[0] + points[1]) / 2, (points[3] + points[4]) / 2
    eye_to_eye, eye_to_mouth = points[1] - points[0], mouth - eyes
    x = eye_to_eye - _quarter_turn(eye_to_mouth)
    reach = max(float(eye_to_eye.norm()) * 2.0, float(eye_to_mouth.norm()) * 1.8)
    if not torch.isfinite(points).all() or reach < 1e-6 or float(x.norm()) < 0.1 * reach:
        raise FaceError(
            "the eyes and mouth found do not make a face; use a clearer picture, or go on without aligning"
        )
    x = x / x.norm() * reach
    y, c = _quarter_turn(x), eyes + 0.1 * eye_to_mouth
    return torch.stack([c - x - y, c - x + y, c + x + y, c + x - y])


def _quarter_turn(v: Tensor) -> Tensor:
    """(x, y) → (−y, x): right becomes down."""
    return torch.stack([-v[1], v[0]])


def align(rgb: Tensor, points: Tensor, size: int = 1024, *, paper: bool = False) -> Aligned:
    """The face of a picture (3,H,W) in [0,1] with landmarks (5,2) px, cut out as FFHQ's faces are.

    Where the square crosses the edge, the picture is mirrored and faded to a blur, then to its median.
    paper: in large photographs, the authors' place of the square, under half a pixel off (module docstring).
    Raises FaceError if the face is too small (square under 32 px) or mostly outside the picture.
    """
    quad = quad_of(points)
    inside = _inside(quad, rgb.shape[1:])
    _refuse(quad, inside)
    crop, corners = _cropped(rgb, quad, size, paper)
    image = _square(crop, corners, size)
    return Aligned(image, quad, inside, _notices(points.double(), quad, inside))


def _refuse(quad: Tensor, inside: float) -> None:
    side = float((quad[3] - quad[0]).norm())
    if side < 32:
        raise FaceError(
            f"the face is too small: its square is {side:.0f} px wide, at least 32 are needed. "
            "Use a closer or larger picture."
        )
    if inside < 0.3:
        raise FaceError(
            f"only {inside:.0%} of the face's surroundings are in the picture, at least 30% are needed. "
            "Use a picture with more room around the face, or go on without aligning."
        )


def _notices(points: Tensor, quad: Tensor, inside: float) -> tuple[str, ...]:
    said: list[str] = []
    side = float((quad[3] - quad[0]).norm())
    if side < 64:
        said.append(f"The face is small ({side:.0f} px with its surroundings): little of it is known.")
    if inside < 0.9:
        said.append(f"{1 - inside:.0%} of the aligned picture is outside the photograph and is mirrored.")
    along = points[1] - points[0]
    nose = float((points[2] - points[0]) @ along / (along @ along).clamp(min=1e-9))
    if not 0.0 < nose < 1.0:
        said.append("The face is in profile; these methods know frontal faces best.")
    return tuple(said)


def _inside(quad: Tensor, shape: Sequence[int]) -> float:
    """Share of the square that the picture covers, by a grid of 64×64 points."""
    t = (torch.arange(64, dtype=torch.float64) + 0.5) / 64
    over, down = quad[3] - quad[0], quad[1] - quad[0]
    grid = quad[0] + t[:, None, None] * down + t[None, :, None] * over
    x, y = grid.unbind(-1)
    return float(((x > -0.5) & (x < shape[1] - 0.5) & (y > -0.5) & (y < shape[0] - 0.5)).double().mean())


def _cropped(rgb: Tensor, quad: Tensor, size: int, paper: bool) -> tuple[Tensor, Tensor]:
    """The authors' shrinking, cropping and padding: a picture that covers the square, and the square in it."""
    span = float((quad[3] - quad[0]).norm())
    shrink = math.floor(span / size / 2)
    if shrink > 1:
        h, w = (max(1, round(side / shrink)) for side in rgb.shape[1:])
        ratio = torch.tensor([w / rgb.shape[2], h / rgb.shape[1]], dtype=torch.float64)
        rgb = F.interpolate(rgb[None], (h, w), mode="bicubic", antialias=True)[0].clamp(0, 1)
        quad = quad / shrink if paper else (quad + 0.5) * ratio - 0.5
        span /= shrink
    border = max(round(0.1 * span), 3)
    limit = torch.tensor([rgb.shape[2], rgb.shape[1]])
    low = torch.floor(quad.amin(0)).long() - border
    high = torch.ceil(quad.amax(0)).long() + border
    start, end = low.clamp(min=0), torch.minimum(high, limit)
    crop, quad = rgb[:, start[1] : end[1], start[0] : end[0]], quad - start
    outside = torch.cat([start - low, high - end])  # left, top, right, bottom, each with its border
    if int(outside.max()) <= border - 4:  # at least 4 px of the picture round the square on every side
        return crop, quad
    pad = outside.clamp(min=round(0.3 * span)).tolist()
    return _faded(crop, pad, 0.02 * span), quad + torch.tensor(pad[:2])


def _faded(crop: Tensor, pad: Sequence[int], sigma: float) -> Tensor:
    """Mirror `crop` over its edges by pad = (left, top, right, bottom) px and fade it outwards.

    m is 0 on the old edge and 1 on the new one; the blur comes in from m = −1/3 to 0, the median from 0 to 1.
    """
    height, width = crop.shape[1:]
    rows, columns = _mirrored(height, pad[1], pad[3]), _mirrored(width, pad[0], pad[2])
    wide = crop[:, rows][:, :, columns]
    x, y = (torch.arange(n, dtype=wide.dtype, device=wide.device) for n in (len(columns), len(rows)))
    across = torch.minimum(x / pad[0], x.flip(0) / pad[2])
    down = torch.minimum(y / pad[1], y.flip(0) / pad[3])
    m = 1 - torch.minimum(across[None], down[:, None])
    wide = torch.lerp(wide, _blurred(wide, sigma), (3 * m + 1).clamp(0, 1))
    return torch.lerp(wide, wide.flatten(1).median(1).values[:, None, None], m.clamp(0, 1))


def _mirrored(n: int, before: int, after: int) -> Tensor:
    """Indices of a row of n pixels mirrored about its end pixels, as often as needed."""
    if n == 1:
        return torch.zeros(before + 1 + after, dtype=torch.long)
    index = torch.arange(-before, n + after) % (2 * n - 2)
    return torch.minimum(index, 2 * n - 2 - index)


def _blurred(rgb: Tensor, sigma: float) -> Tensor:
    """Gaussian blur, sigma in px; a wide one is done on a shrunk copy, where next to nothing is lost."""
    coarser = max(1, int(sigma / 4))
    small = [max(1, math.ceil(side / coarser)) for side in rgb.shape[1:]]
    planes = F.interpolate(rgb[None], small, mode="bilinear", antialias=True)[0] if coarser > 1 else rgb
    blurred = ndimage.gaussian_filter(planes.numpy(force=True), (0, sigma / coarser, sigma / coarser))
    result = torch.from_numpy(blurred).to(rgb)
    return F.interpolate(result[None], list(rgb.shape[1:]), mode="bilinear")[0] if coarser > 1 else result


def _square(rgb: Tensor, quad: Tensor, size: int) -> Tensor:
    """The square of the picture at size px: drawn bilinearly at 2 to 4 times that, then shrunk."""
    span = float((quad[3] - quad[0]).norm())
    n = size * min(4, max(2, math.ceil(span / size)))
    drawn = warp(rgb, into(quad, n), n, n, "border")
    return F.interpolate(drawn[None], (size, size), mode="bicubic", antialias=True)[0].clamp(0, 1)


def into(quad: Tensor, n: int) -> Tensor:
    """(2,3): pixel of an n×n drawing of the square → pixel of the picture."""
    over, down = (quad[3] - quad[0]) / n, (quad[1] - quad[0]) / n
    return torch.stack([over, down, quad[0] + 0.5 * (over + down)], 1)
