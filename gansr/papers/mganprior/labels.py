"""Attributes of a face as numbers, from the networks of face-api, its 68 landmarks, and colours.

Used by the command that makes the editing directions, and by nothing in the app. Every number has a gradient with
respect to the picture. Pictures are FFHQ-aligned, RGB (B,3,S,S) in [0,1]; landmarks (B,68,2) are px in iBUG's order:
jaw 0–16, brows 17–26, nose 27–35, eyes 36–47, mouth 48–67.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from gansr.ops.colour import luma
from gansr.papers.mganprior.face_api import FaceApi

ATTRIBUTES: Mapping[str, str] = {  # name → what measures it
    "smile": "face-api, log-odds of the expression happy",
    "age": "face-api, age in years",
    "yaw": "face-api landmarks: the nose's tip between the ends of the jaw",
    "pitch": "face-api landmarks: the nose's tip between eyes and mouth",
    "eyes": "face-api landmarks: height of the eyes by their width",
    "mouth": "face-api landmarks: gap of the lips by the mouth's width",
    "glasses": "edges across the bridge of the nose, by its luma",
    "hair": "mean luma of the band above the forehead",
    "skin": "mean luma of the cheeks",
    "feminine": "face-api, log-odds of its gender network",
}


def attributes(pictures: Tensor, api: FaceApi) -> dict[str, Tensor]:
    """Pictures (B,3,S,S) → a number (B,) for each of ATTRIBUTES."""
    found = api.labels(pictures)
    points = found.pop("landmarks")
    found |= geometry(points) | colours(pictures, points.detach())
    return {name: found[name] for name in ATTRIBUTES}


def geometry(points: Tensor) -> dict[str, Tensor]:
    """Landmarks (B,68,2) → yaw, pitch, eyes and mouth (B,)."""

    def gap(a: int, b: int) -> Tensor:
        return (points[:, a] - points[:, b]).norm(dim=1)

    across = points[:, 16] - points[:, 0]
    yaw = ((points[:, 30] - points[:, 0]) * across).sum(1) / across.square().sum(1) - 0.5
    eyes, mouth = points[:, 36:48].mean(1), points[:, 48:68].mean(1)
    down = mouth - eyes
    pitch = ((points[:, 30] - eyes) * down).sum(1) / down.square().sum(1)
    left = (gap(37, 41) + gap(38, 40)) / (2 * gap(36, 39))
    right = (gap(43, 47) + gap(44, 46)) / (2 * gap(42, 45))
    return {"yaw": yaw, "pitch": pitch, "eyes": (left + right) / 2, "mouth": gap(62, 66) / gap(48, 54)}


def colours(pictures: Tensor, points: Tensor) -> dict[str, Tensor]:
    """Pictures (B,3,S,S) and landmarks → glasses, hair and skin (B,)."""
    rows = [_colours(luma(picture), each) for picture, each in zip(pictures, points)]
    return {name: torch.stack([row[name] for row in rows]) for name in rows[0]}


def _colours(y: Tensor, points: Tensor) -> dict[str, Tensor]:
    """The luma of a picture (S,S) and its landmarks (68,2) → numbers ()."""
    eyes = points[36:48].mean(0)
    unit = float(points[8, 1] - eyes[1])  # px, from the eyes to the chin
    top, middle = float(eyes[1]), float(eyes[0])
    cheeks = [
        _cut(y, x - 0.1 * unit, x + 0.1 * unit, top + 0.25 * unit, top + 0.45 * unit).mean()
        for x in points[[41, 46], 0].tolist()
    ]
    band = (middle - 0.35 * unit, middle + 0.35 * unit, top - 0.98 * unit, top - 0.72 * unit)
    inner = points[[39, 42]]  # corners of the eyes beside the nose
    gap = float((inner[1] - inner[0]).norm())
    x, y0 = inner.mean(0).tolist()
    bridge = _cut(y, x - 0.22 * gap, x + 0.22 * gap, y0 - 0.45 * gap, y0 + 0.45 * gap)
    lines = bridge.mean(1)
    return {
        "glasses": (lines[2:] - lines[:-2]).abs().mean() / (bridge.mean() + 0.1),
        "hair": _cut(y, *band).mean(),
        "skin": torch.stack(cheeks).mean(),
    }


def _cut(y: Tensor, left: float, right: float, top: float, bottom: float) -> Tensor:
    """A rectangle (px) of the picture (S,S), cut to it; of at least 4×4 px."""
    side = y.shape[-1]
    a, b, c, d = (min(max(round(v), 0), side) for v in (left, right, top, bottom))
    a, c = min(a, side - 4), min(c, side - 4)
    return y[c : max(d, c + 4), a : max(b, a + 4)]
