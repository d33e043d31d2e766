"""Attributes of a face as numbers, from the networks of face-api, its 68 landmarks, and colours.

Used by the command that makes the editing directions, and by nothing in the app. Pictures are FFHQ-aligned, RGB
(B,3,S,S) in [0,1]; landmarks (B,68,2) are px in iBUG's order: jaw 0–16, brows 17–26, nose 27–35, eyes 36–47, mouth
48–67.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from gansr.ops.colour import luma
from gansr.papers.mganprior.face_api import FaceApi

ATTRIBUTES: Mapping[str, str] = {  # name → what measures it
    "age": "face-api, age in years",
    "smile": "face-api, log-odds of the expression happy",
    "yaw": "face-api landmarks: the nose's tip between the ends of the jaw",
    "pitch": "face-api landmarks: the nose's tip between eyes and mouth",
    "eyes": "face-api landmarks: height of the eyes by their width",
    "mouth": "face-api landmarks: gap of the lips by the mouth's width",
    "hair": "median luma of the band above the forehead",
    "length": "share of the area beside the neck that has the hair's colour",
    "skin": "median luma of the cheeks",
    "light": "mean luma of the picture",
    "feminine": "face-api, log-odds of its gender network",
}
LIKE_HAIR = 0.1  # distance of RGB, in [0,1], up to which a pixel counts as hair


def log_odds(p: Tensor) -> Tensor:
    """A probability → log p/(1 − p), within ±9.2."""
    p = p.double().clamp(1e-4, 1 - 1e-4)
    return (p / (1 - p)).log()


def attributes(pictures: Tensor, api: FaceApi) -> dict[str, Tensor]:
    """Pictures (B,3,S,S) → a number (B,), float64, for each of ATTRIBUTES."""
    found = api.labels(pictures)
    shape = geometry(found["landmarks"].double())
    colour = colours(pictures, found["landmarks"])
    read = {"age": found["age"].double()}
    read |= {"smile": log_odds(found["happy"]), "feminine": log_odds(found["feminine"])}
    return {name: (read | shape | colour)[name] for name in ATTRIBUTES}


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
    """Pictures (B,3,S,S) and landmarks → hair, length, skin and light (B,), float64."""
    rows = [_colours(picture, each) for picture, each in zip(pictures, points)]
    return {name: torch.tensor([row[name] for row in rows]).double() for name in rows[0]}


def _colours(picture: Tensor, points: Tensor) -> dict[str, float]:
    eyes, chin = points[36:48].mean(0), points[8]
    unit = float(chin[1] - eyes[1])  # px, the lower half of the face
    left, right, middle = float(points[0, 0]), float(points[16, 0]), float(eyes[0])

    def region(x0: float, x1: float, y0: float, y1: float) -> Tensor:
        """The pixels (3,n) of a rectangle cut to the picture; never none."""
        side = picture.shape[-1]
        a, b = (min(max(round(v), 0), side) for v in (x0, x1))
        c, d = (min(max(round(v), 0), side) for v in (y0, y1))
        return picture[:, min(c, side - 2) : max(d, 2), min(a, side - 2) : max(b, 2)].flatten(1)

    top, jaw = float(eyes[1]), float(points[4:13, 1].mean())
    above = region(middle - 0.35 * unit, middle + 0.35 * unit, top - 0.98 * unit, top - 0.72 * unit)
    hair = above.median(1).values
    beside = torch.cat(
        [
            region(left - 0.3 * unit, left, jaw, jaw + 0.4 * unit),
            region(right, right + 0.3 * unit, jaw, jaw + 0.4 * unit),
        ],
        1,
    )
    cheeks = torch.cat(
        [
            region(x - 0.1 * unit, x + 0.1 * unit, top + 0.25 * unit, top + 0.45 * unit)
            for x in (float(points[41, 0]), float(points[46, 0]))
        ],
        1,
    )
    return {
        "hair": _luma(hair[:, None]),
        "length": float(((beside - hair[:, None]).norm(dim=0) < LIKE_HAIR).float().mean()),
        "skin": _luma(cheeks.median(1).values[:, None]),
        "light": _luma(picture.flatten(1)),
    }


def _luma(pixels: Tensor) -> float:
    """The mean luma of pixels (3,n)."""
    return float(luma(pixels[:, None]).mean())
