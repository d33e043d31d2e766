"""Faces and their five landmarks, by SCRFD.

Guo et al., "Sample and Computation Redistribution for Efficient Face Detection", ICLR 2022; the 500 MF network of
InsightFace (non-commercial research), run by an onnxruntime session that is passed in.

How we differ: a face that the plain pass misses is searched again in smaller, larger and rotated copies.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gansr.faces.sampling import moved, warp

STRIDES = (8, 16, 32)
OVERLAP = 0.4  # intersection over union above which two boxes are one face (InsightFace's value)
SURE = 0.7  # with a best score below it the picture is searched again, at other sizes and rotated
TURNS = (60.0, -60.0, 120.0, -120.0, 180.0)  # degrees; one pass finds faces within about 40 of upright
TURNED = 0.6  # min score in a rotated copy, where noise is more often taken for a face


@dataclass(frozen=True)
class Face:
    """One detected face."""

    box: Tensor  # (4,) left, top, right, bottom in px of the picture
    points: Tensor  # (5, 2) px: the eye on the picture's left, the other, nose, left and right mouth corner
    score: float  # 0…1

    @property
    def eye_distance(self) -> float:
        """Pixels between the eyes."""
        return float((self.points[1] - self.points[0]).norm())


def detect(rgb: Tensor, session: Any, threshold: float = 0.5) -> list[Face]:
    """The faces of a picture (3,H,W) in [0,1], most prominent (area × score) first; empty if there is none.

    session: an onnxruntime session of scrfd_500m_bnkps. threshold: the lowest score. The plain pass has the longer
    side at 640 px. If it finds no sure face, the picture is searched at 320 and 160 px on black (faces that fill the
    frame), at 1280 px (small faces in large photographs) and rotated. Boxes and points are in px of the picture.
    """
    passes = [(640, 640), (320, 480), (160, 256)] + ([(1280, 1280)] if max(rgb.shape[1:]) > 640 else [])
    found: list[Face] = []
    for fit, side in passes:
        if _best(found) < SURE:
            found = _distinct(found + _look(rgb, session, threshold, fit, side))
    if _best(found) < SURE:
        fit, lowest = 640 * max(rgb.shape[1:]) / math.hypot(*rgb.shape[1:]), max(threshold, TURNED)
        turned = [face for angle in TURNS for face in _look(rgb, session, lowest, fit, 640, angle)]
        found = _distinct(found + turned)
    found = _distinct(found + _levelled(rgb, session, threshold, found))
    return sorted(found, key=lambda face: -_area(face.box) * face.score)


def _best(faces: Sequence[Face]) -> float:
    return max((face.score for face in faces), default=0.0)


def _levelled(rgb: Tensor, session: Any, threshold: float, faces: Sequence[Face]) -> list[Face]:
    """Tilted faces found once more in copies rotated to level eyes, where the points are most accurate."""
    fit = 640 * max(rgb.shape[1:]) / math.hypot(*rgb.shape[1:])
    rolls = [math.degrees(math.atan2(*(face.points[1] - face.points[0]).flip(0).tolist())) for face in faces]
    tilted = sorted({round(roll, -1) for roll in rolls if abs(roll) > 20})
    return [face for roll in tilted for face in _look(rgb, session, threshold, fit, 640, roll)]


def _look(
    rgb: Tensor, session: Any, threshold: float, fit: float, side: int, angle: float = 0.0
) -> list[Face]:
    """One pass: the longer side at `fit` px, rotated by `angle` degrees, centred on a black side×side canvas."""
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
    boxes: list[Tensor] = []
    points: list[Tensor] = []
    scores: list[Tensor] = []
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
