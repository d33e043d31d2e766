"""Faces: find five landmarks, align as FFHQ does, put a face back where it came from.

Detection: SCRFD, Guo et al., "Sample and Computation Redistribution for Efficient Face Detection", ICLR 2022,
the 500 MF network of InsightFace (non-commercial research), run by an onnxruntime session that is passed in.
Alignment: the recipe of FFHQ (Karras et al., CVPR 2019, appendix A), as PULSE uses it. How we differ:

- Five points instead of dlib's 68: the recipe needs no more than two eyes and two corners of the mouth.
- The recipe draws the square at 4096 px with bilinear weights in 8 bit and shrinks it to 1024 by Lanczos. The
  square is a rotation and a scale, so we draw it in float at twice to four times the wanted size, no finer than
  the photograph deserves, and shrink by antialiased bicubic weights. On the astronaut (170 px → 1024; whole, cut
  at the edge, and enlarged 8 times first) the greatest difference from the recipe in Pillow is 2.3 of 255, the
  mean 0.5, which is Pillow's rounding to 8 bit between its steps; it takes a fifth to a half of the time.
- Faces the plain pass misses are looked for again in smaller, larger and turned copies.

Pictures are RGB float32 (3, H, W) in [0,1]. Points are (x, y) in pixels, the middle of the first pixel is (0, 0).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor

STRIDES = (8, 16, 32)
OVERLAP = 0.4  # of two boxes, above which they are one face (InsightFace's value)
SURE = 0.7  # a best score under this makes us look again, at other sizes and turned
TURNS = (60.0, -60.0, 120.0, -120.0, 180.0)  # degrees; each pass finds faces within some 40 of upright
TURNED = 0.6  # least score on a turned copy: noise looks like a face more readily there


class FaceError(ValueError):
    """No usable face. The text says what was found and what to do."""


@dataclass(frozen=True)
class Face:
    box: Tensor  # (4,) left, top, right, bottom in px of the picture
    points: Tensor  # (5, 2) px: the eye on the picture's left, the other, nose, left and right mouth corner
    score: float  # 0…1

    @property
    def eye_distance(self) -> float:
        """Pixels between the eyes."""
        return float((self.points[1] - self.points[0]).norm())


@dataclass(frozen=True)
class Aligned:
    image: Tensor  # (3, size, size) in [0,1]
    quad: Tensor  # (4, 2) px: where its top left, bottom left, bottom right, top right lie in the picture
    inside: float  # share of it that the picture covers, 0…1
    notices: tuple[str, ...] = ()  # what the person should know: tiny, partly outside, in profile


# -------------------------------------------------------------------------------------------- sampling


def warp(rgb: Tensor, matrix: Tensor, height: int, width: int, border: str = "zeros") -> Tensor:
    """(3,H,W) → (3,height,width): the value at `matrix`·(x, y, 1), bilinear, antialiased when it shrinks.

    matrix: (2,3), pixel of the result → pixel of `rgb`. border: "zeros" or "border", as grid_sample has it.
    """
    scale = math.sqrt(abs(float(torch.linalg.det(matrix[:, :2].double()))))
    if scale > 1.25:  # bilinear weights alias from here on; the first filter takes all but the last of it
        h, w = (max(1, round(side / scale)) for side in rgb.shape[1:])
        ratio = torch.tensor([w / rgb.shape[2], h / rgb.shape[1]], dtype=torch.float64)[:, None]
        matrix = torch.cat([matrix[:, :2].double() * ratio, (matrix[:, 2:].double() + 0.5) * ratio - 0.5], 1)
        rgb = F.interpolate(rgb[None], (h, w), mode="bilinear", antialias=True)[0]
    theta = _normalised(matrix.double(), rgb.shape[1:], (height, width)).to(rgb)
    return F.grid_sample(rgb[None], _grid(theta, height, width), "bilinear", border, align_corners=False)[0]


def _grid(theta: Tensor, height: int, width: int) -> Tensor:
    """What affine_grid gives, (1,height,width,2), as sums of rows and columns: 30 times quicker than its product."""
    x = (torch.arange(width, device=theta.device) * 2 + 1).to(theta) / width - 1
    y = (torch.arange(height, device=theta.device) * 2 + 1).to(theta) / height - 1
    return (x[:, None] * theta[:, 0] + (y[:, None] * theta[:, 1] + theta[:, 2])[:, None])[None]


def _normalised(matrix: Tensor, source: Sequence[int], target: Sequence[int]) -> Tensor:
    """Pixel coordinates → the [-1,1] coordinates of grid_sample, whose ±1 are the outer edges."""

    def square(height: int, width: int) -> Tensor:  # [-1,1] → pixels
        return torch.tensor(
            [[width / 2, 0, (width - 1) / 2], [0, height / 2, (height - 1) / 2], [0, 0, 1]],
            dtype=torch.float64,
        )

    whole = torch.cat([matrix, torch.tensor([[0.0, 0.0, 1.0]], dtype=torch.float64)])
    return (torch.linalg.inv(square(*source)) @ whole @ square(*target))[:2]


def inverse(matrix: Tensor) -> Tensor:
    """The inverse of a (2,3) affine map, (2,3)."""
    turn = torch.linalg.inv(matrix[:, :2])
    return torch.cat([turn, -turn @ matrix[:, 2:]], 1)


def moved(points: Tensor, matrix: Tensor) -> Tensor:
    """Points (…,2) through a (2,3) affine map."""
    return points @ matrix[:, :2].T + matrix[:, 2]


# ------------------------------------------------------------------------------------------- detection


def detect(rgb: Tensor, session: Any, threshold: float = 0.5) -> list[Face]:
    """The faces of a picture (3,H,W) in [0,1], most prominent (area × score) first; empty if there is none.

    session: an onnxruntime session of scrfd_500m_bnkps. threshold: least score. A picture where the plain pass,
    the longer side at 640 px, finds no sure face is looked at again at 320 and 160 px amid black (faces that fill
    the frame), at 1280 px (small faces in large photographs) and turned; points come back in the picture's frame.
    """
    passes = [(640, 640), (320, 480), (160, 256)] + ([(1280, 1280)] if max(rgb.shape[1:]) > 640 else [])
    found: list[Face] = []
    for fit, side in passes:
        if _best(found) < SURE:
            found = _distinct(found + _look(rgb, session, threshold, fit, side))
    if _best(found) < SURE:
        fit, least = 640 * max(rgb.shape[1:]) / math.hypot(*rgb.shape[1:]), max(threshold, TURNED)
        turned = [face for angle in TURNS for face in _look(rgb, session, least, fit, 640, angle)]
        found = _distinct(found + turned)
    found = _distinct(found + _levelled(rgb, session, threshold, found))
    return sorted(found, key=lambda face: -_area(face.box) * face.score)


def _best(faces: Sequence[Face]) -> float:
    return max((face.score for face in faces), default=0.0)


def _levelled(rgb: Tensor, session: Any, threshold: float, faces: Sequence[Face]) -> list[Face]:
    """What is found where the tilted faces' eyes are level: there the points are best."""
    fit = 640 * max(rgb.shape[1:]) / math.hypot(*rgb.shape[1:])
    rolls = [math.degrees(math.atan2(*(face.points[1] - face.points[0]).flip(0).tolist())) for face in faces]
    tilted = sorted({round(roll, -1) for roll in rolls if abs(roll) > 20})
    return [face for roll in tilted for face in _look(rgb, session, threshold, fit, 640, roll)]


def _look(
    rgb: Tensor, session: Any, threshold: float, fit: float, side: int, angle: float = 0.0
) -> list[Face]:
    """One pass: the longer side at `fit` px, turned by `angle` degrees, centred on a black side×side canvas."""
    back = _canvas_to_picture(rgb.shape[1:], fit, side, angle)
    canvas = warp(rgb, back, side, side)
    blob = ((canvas * 255 - 127.5) / 128)[None].numpy(force=True)
    outputs = session.run(None, {session.get_inputs()[0].name: blob})
    boxes, points, scores = _decode(outputs, side, threshold)
    middle, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2
    middle, half = moved(middle, back), half * float(torch.linalg.det(back[:, :2])) ** 0.5
    boxes, points = torch.cat([middle - half, middle + half], 1), moved(points, back)
    return _distinct([Face(*each) for each in zip(boxes, points, scores.tolist())])


def _canvas_to_picture(shape: Sequence[int], fit: float, side: int, angle: float) -> Tensor:
    scale = max(shape) / fit
    cos, sin = (scale * f(math.radians(angle)) for f in (math.cos, math.sin))
    turn = torch.tensor([[cos, -sin], [sin, cos]], dtype=torch.float64)
    middle = torch.tensor([(shape[1] - 1) / 2, (shape[0] - 1) / 2], dtype=torch.float64)
    return torch.cat([turn, (middle - turn @ torch.full((2,), (side - 1) / 2).double())[:, None]], 1)


def _decode(outputs: Sequence[np.ndarray], side: int, threshold: float) -> tuple[Tensor, Tensor, Tensor]:
    """SCRFD's nine outputs (scores, boxes, points at strides 8, 16, 32; two anchors a cell) above `threshold`.

    A box is four distances from the anchor, in strides; the points are five offsets. → (n,4), (n,5,2), (n,).
    """
    boxes, points, scores = [], [], []
    for level, stride in enumerate(STRIDES):
        score, box, kps = (torch.from_numpy(outputs[level + k].squeeze(0)).double() for k in (0, 3, 6))
        score = score[:, 0]
        keep = torch.nonzero(score >= threshold)[:, 0]
        cell, columns = keep // 2, side // stride
        anchor = torch.stack([cell % columns, cell // columns], 1).double() * stride
        box, kps = box[keep] * stride, kps[keep].view(-1, 5, 2) * stride
        boxes.append(torch.cat([anchor - box[:, :2], anchor + box[:, 2:]], 1))
        points.append(anchor[:, None] + kps)
        scores.append(score[keep])
    return torch.cat(boxes), torch.cat(points), torch.cat(scores)


def _distinct(faces: list[Face]) -> list[Face]:
    """Non-maximum suppression: of boxes that overlap, the one of the best score."""
    kept: list[Face] = []
    for face in sorted(faces, key=lambda face: -face.score):
        if all(_overlap(face.box, other.box) <= OVERLAP for other in kept):
            kept.append(face)
    return kept


def _overlap(a: Tensor, b: Tensor) -> float:
    common = (torch.minimum(a[2:], b[2:]) - torch.maximum(a[:2], b[:2])).clamp(min=0).prod()
    return float(common) / max(_area(a) + _area(b) - float(common), 1e-9)


def _area(box: Tensor) -> float:
    return float((box[2:] - box[:2]).clamp(min=0).prod())


# ------------------------------------------------------------------------------------------- alignment


def quad_of(points: Tensor) -> Tensor:
    """Five landmarks (5,2) px → the FFHQ square (4,2) px: top left, bottom left, bottom right, top right.

    In the recipe's symbols: x lies along the eyes, helped by the perpendicular of eyes → mouth, half as long as
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
            "the eyes and mouth found do not make a face; use a clearer picture, or go on without"
        )
    x = x / x.norm() * reach
    y, c = _quarter_turn(x), eyes + 0.1 * eye_to_mouth
    return torch.stack([c - x - y, c - x + y, c + x + y, c + x - y])


def _quarter_turn(v: Tensor) -> Tensor:
    """(x, y) → (−y, x): right becomes down."""
    return torch.stack([-v[1], v[0]])


def align(rgb: Tensor, points: Tensor, size: int = 1024) -> Aligned:
    """The face of a picture (3,H,W) in [0,1] with landmarks (5,2) px, cut out as FFHQ's faces are.

    Where the square reaches over the edge, the picture is mirrored and faded to a blur, then to its median.
    Raises FaceError if the face is too small (square under 32 px) or mostly outside the picture.
    """
    quad = quad_of(points)
    inside = _inside(quad, rgb.shape[1:])
    _refuse(quad, inside)
    crop, corners = _cropped(rgb, quad, size)
    image = _square(crop, corners, size)
    return Aligned(image, quad, inside, _notices(points.double(), quad, inside))


def thumbnail(rgb: Tensor, face: Face, size: int = 128) -> Tensor:
    """A face to choose by, (3,size,size): the square round its box, upright as in the picture. Never refuses."""
    box = face.box.double()
    middle, half = (box[:2] + box[2:]) / 2, 0.75 * float((box[2:] - box[:2]).max().clamp(min=1))
    quad = middle + half * torch.tensor([[-1.0, -1], [-1, 1], [1, 1], [1, -1]], dtype=torch.float64)
    return warp(rgb, _into(quad, size), size, size)


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
    said = []
    side = float((quad[3] - quad[0]).norm())
    if side < 64:
        said.append(f"The face is small ({side:.0f} px with its surroundings): little of it is known.")
    if inside < 0.9:
        said.append(f"{1 - inside:.0%} of the aligned picture lies outside the photograph and is mirrored.")
    along = points[1] - points[0]
    nose = float((points[2] - points[0]) @ along / (along @ along).clamp(min=1e-9))
    if not 0.0 < nose < 1.0:
        said.append("The face is in profile; these methods know frontal faces best.")
    return tuple(said)


def _inside(quad: Tensor, shape: Sequence[int]) -> float:
    """Share of the square that lies over the picture, by a net of 64×64 points."""
    t = (torch.arange(64, dtype=torch.float64) + 0.5) / 64
    over, down = quad[3] - quad[0], quad[1] - quad[0]
    net = quad[0] + t[:, None, None] * down + t[None, :, None] * over
    x, y = net.unbind(-1)
    return float(((x > -0.5) & (x < shape[1] - 0.5) & (y > -0.5) & (y < shape[0] - 0.5)).double().mean())


def _cropped(rgb: Tensor, quad: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """The recipe's shrinking, cropping and padding: a picture that covers the square, and the square in it."""
    span = float((quad[3] - quad[0]).norm())
    shrink = math.floor(span / size / 2)
    if shrink > 1:
        h, w = (max(1, round(side / shrink)) for side in rgb.shape[1:])
        ratio = torch.tensor([w / rgb.shape[2], h / rgb.shape[1]], dtype=torch.float64)
        rgb = F.interpolate(rgb[None], (h, w), mode="bicubic", antialias=True)[0].clamp(0, 1)
        quad, span = (quad + 0.5) * ratio - 0.5, span / shrink
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
    drawn = warp(rgb, _into(quad, n), n, n, "border")
    return F.interpolate(drawn[None], (size, size), mode="bicubic", antialias=True)[0].clamp(0, 1)


def _into(quad: Tensor, n: int) -> Tensor:
    """(2,3): pixel of an n×n drawing of the square → pixel of the picture."""
    over, down = (quad[3] - quad[0]) / n, (quad[1] - quad[0]) / n
    return torch.stack([over, down, quad[0] + 0.5 * (over + down)], 1)


# --------------------------------------------------------------------------------------------- pasting


def paste_back(photo: Tensor, face: Tensor, quad: Tensor, feather: float = 0.1) -> Tensor:
    """Lay a square face (3,s,s) over the place `quad` (4,2) px of a photograph (3,H,W), both in [0,1].

    feather: share of the square's side over which the edge fades in. For an enlarged photograph give
    `scaled(quad, factor)`. → (3,H,W); the photograph is not changed.
    """
    quad = quad.double()
    height, width = photo.shape[1:]
    left, top = (max(0, math.floor(v)) for v in quad.amin(0).tolist())
    right, bottom = (min(n, math.ceil(v) + 1) for v, n in zip(quad.amax(0).tolist(), (width, height)))
    if left >= right or top >= bottom:
        return photo.clone()
    corner = torch.tensor([[0.0, 0.0, left], [0.0, 0.0, top]], dtype=torch.float64)
    matrix = inverse(_into(quad - corner[:, 2], face.shape[-1]))
    drawn = warp(face, matrix, bottom - top, right - left, "border")
    weight = _ramp(matrix, face.shape[-1], bottom - top, right - left, feather).to(photo)
    result = photo.clone()
    result[:, top:bottom, left:right] = torch.lerp(result[:, top:bottom, left:right], drawn.to(photo), weight)
    return result


def _ramp(matrix: Tensor, size: int, height: int, width: int, feather: float) -> Tensor:
    """0 outside the square, rising smoothly (3t² − 2t³) to 1 over `feather` of its side."""
    y, x = torch.meshgrid(torch.arange(height).double(), torch.arange(width).double(), indexing="ij")
    u, v = (moved(torch.stack([x, y], -1), matrix) + 0.5).div(size).unbind(-1)
    edge = torch.minimum(torch.minimum(u, 1 - u), torch.minimum(v, 1 - v))
    t = (edge / max(feather, 1e-6)).clamp(0, 1)
    return t * t * (3 - 2 * t)


def scaled(points: Tensor, factor: float) -> Tensor:
    """Points of a picture → of the same picture enlarged by `factor` (pixel middles, so not just a product)."""
    return (points + 0.5) * factor - 0.5
