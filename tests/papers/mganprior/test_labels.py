"""Attributes measured on drawn landmarks and painted pictures."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from gansr.papers.mganprior.labels import colours, geometry

SIDE = 256


def landmarks(nose_x: float = 128.0, nose_y: float = 150.0, eye: float = 8.0, lips: float = 0.0) -> Tensor:
    """A face of 68 points (1,68,2): the jaw from 60 to 196 px, eyes at 120 px, mouth at 190 px, chin at 230 px."""
    points = torch.zeros(68, 2, dtype=torch.float64)
    points[:17, 0] = torch.linspace(60, 196, 17)
    points[:17, 1] = 230 - 110 * torch.linspace(-1, 1, 17).double().abs()
    points[30] = torch.tensor([nose_x, nose_y])
    for first, middle in ((36, 98.0), (42, 158.0)):
        x = torch.tensor([-12.0, -5, 5, 12, 5, -5])
        y = torch.tensor([0.0, -1, -1, 0, 1, 1]) * eye / 2
        points[first : first + 6] = torch.stack([middle + x, 120 + y], 1)
    points[48:68] = torch.tensor([128.0, 190])
    points[48], points[54] = torch.tensor([103.0, 190]), torch.tensor([153.0, 190])
    points[62], points[66] = torch.tensor([128.0, 190 - lips / 2]), torch.tensor([128.0, 190 + lips / 2])
    return points[None]


def test_yaw_and_pitch_are_the_noses_place():
    found = geometry(landmarks())
    assert float(found["yaw"]) == pytest.approx(0)
    assert float(found["pitch"]) == pytest.approx(30 / 70)
    assert float(geometry(landmarks(nose_x=141.6))["yaw"]) == pytest.approx(0.1)
    assert float(geometry(landmarks(nose_y=157))["pitch"]) == pytest.approx(37 / 70)


def test_eyes_and_mouth_are_gaps_by_widths():
    found = geometry(landmarks(eye=6.0, lips=10.0))
    assert float(found["eyes"]) == pytest.approx(6 / 24)
    assert float(found["mouth"]) == pytest.approx(10 / 50)


def painted(hair: float, cheeks: float) -> Tensor:
    """A grey picture (1,3,S,S) with a band of hair on top, and cheeks."""
    picture = torch.full((1, 3, SIDE, SIDE), 0.5)
    picture[:, :, :50] = hair
    picture[:, :, 140:175] = cheeks
    return picture


def test_hair_and_skin_are_the_brightness_above_the_forehead_and_of_the_cheeks():
    found = colours(painted(0.8, 0.3), landmarks().float())
    assert float(found["hair"]) == pytest.approx(0.8, abs=1e-5)
    assert float(found["skin"]) == pytest.approx(0.3, abs=1e-5)


def test_glasses_are_a_bar_across_the_nose():
    points = landmarks().float()
    without, with_bar = painted(0.2, 0.5), painted(0.2, 0.5)
    with_bar[:, :, 117:123, 80:176] = 0.1
    assert float(colours(without, points)["glasses"]) < 0.01
    assert float(colours(with_bar, points)["glasses"]) > 0.05


def test_a_face_that_reaches_out_of_the_picture_still_has_numbers():
    found = colours(painted(0.8, 0.3), landmarks().float() + torch.tensor([0.0, -100]))
    assert all(bool(value.isfinite()) for value in found.values())
