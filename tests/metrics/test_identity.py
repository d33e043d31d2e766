"""Identity: the least-squares similarity by hand, and ArcFace on a real face and its degraded copies."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from gansr import faces, picture
from gansr.metrics.identity import IDENTITY, TEMPLATE, embed, identity, similarity

EXAMPLES = Path(__file__).resolve().parents[2] / "assets" / "examples"


def test_similarity_recovers_a_turn_a_scale_and_a_shift():
    cos, sin = 3 * math.cos(0.4), 3 * math.sin(0.4)
    known = torch.tensor([[cos, -sin, 5.0], [sin, cos, -7.0]], dtype=torch.float64)
    torch.testing.assert_close(similarity(TEMPLATE, faces.moved(TEMPLATE, known)), known)


def test_similarity_is_umeyama_s_own_example():
    # Section IV: a reflection would fit better; the answer is a rotation (0.832, 0.555), 0.721, (−0.8, 0.4).
    x, y = torch.tensor([[0.0, 0], [1, 0], [0, 2]]), torch.tensor([[0.0, 0], [-1, 0], [0, 2]])
    expected = torch.tensor([[0.721 * 0.832, 0.721 * 0.555, -0.8], [-0.721 * 0.555, 0.721 * 0.832, 0.4]])
    torch.testing.assert_close(similarity(x, y), expected.double(), atol=1e-3, rtol=0)


def test_landmarks_on_one_point_are_refused():
    with pytest.raises(ValueError, match="one point"):
        similarity(torch.ones(5, 2), TEMPLATE)


def test_pictures_of_two_sizes_are_refused():
    with pytest.raises(ValueError, match="differ in size"):
        identity(torch.zeros(3, 8, 8), torch.zeros(3, 8, 9), {})


@pytest.fixture(scope="module")
def nets(weights_of):
    return {role: weights_of(name) for role, name in IDENTITY.weights.items()}


@pytest.fixture(scope="module")
def face(nets):
    photo = picture.open_picture(EXAMPLES / "astronaut.png").rgb
    return faces.align(photo, faces.detect(photo, nets["detector"])[0].points, 256).image


def blurred(image, factor):
    small = F.interpolate(image[None], scale_factor=1 / factor, mode="bicubic", antialias=True)
    return F.interpolate(small, image.shape[1:], mode="bicubic")[0].clamp(0, 1)


@pytest.mark.weights
def test_a_face_is_itself_and_less_so_the_more_is_lost(nets, face):
    found = [
        identity(blurred(face, factor) if factor > 1 else face, face, nets) for factor in (1, 2, 4, 8, 16)
    ]
    assert found[0] == pytest.approx(1, abs=1e-5)
    assert found == sorted(found, reverse=True)
    assert found[2] > 0.8 and found[4] < 0.5


@pytest.mark.weights
def test_another_pattern_in_the_same_place_is_nobody(nets, face):
    noise = torch.rand(face.shape, generator=torch.Generator().manual_seed(0))
    assert abs(identity(noise, face, nets)) < 0.3


@pytest.mark.weights
def test_the_measure_does_not_depend_on_where_the_face_lies(nets, face):
    points = faces.detect(face, nets["detector"])[0].points
    wide = torch.zeros(3, 400, 500)
    wide[:, 100:356, 200:456] = face
    moved = embed(wide, points + torch.tensor([200.0, 100]), nets["arcface"])
    assert float(moved @ embed(face, points, nets["arcface"])) > 0.99


@pytest.mark.weights
def test_a_cat_has_no_identity_and_the_reason_is_given(nets):
    cat = picture.open_picture(EXAMPLES / "chelsea.png").rgb
    with pytest.raises(ValueError, match="no face was found in the true picture"):
        IDENTITY.measure(cat, cat, nets)
