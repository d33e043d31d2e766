"""Identity: the least-squares similarity transform, and ArcFace on a real face and its degraded copies."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from gansr import faces, picture
from gansr.metrics import METRICS
from gansr.metrics.identity import (
    IDENTITY,
    TEMPLATE,
    embed,
    face_of,
    identity,
    identity_prepared,
    similarity,
)

EXAMPLES = Path(__file__).resolve().parents[2] / "assets" / "examples"


def test_similarity_recovers_a_rotation_a_scale_and_a_translation():
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
def test_a_face_is_identical_to_itself_and_less_so_with_more_blur(nets, face):
    found = [
        identity(blurred(face, factor) if factor > 1 else face, face, nets) for factor in (1, 2, 4, 8, 16)
    ]
    assert found[0] == pytest.approx(1, abs=1e-5)
    assert found == sorted(found, reverse=True)
    assert found[2] > 0.8 and found[4] < 0.5


@pytest.mark.weights
def test_noise_in_the_place_of_the_face_is_no_match(nets, face):
    noise = torch.rand(face.shape, generator=torch.Generator().manual_seed(0))
    assert abs(identity(noise, face, nets)) < 0.3


@pytest.mark.weights
def test_the_truth_s_face_serves_several_pictures(nets, face):
    found = face_of(face, nets)
    for factor in (2, 8):
        picture = blurred(face, factor)
        assert identity_prepared(picture, found, nets) == identity(picture, face, nets)


@pytest.mark.weights
def test_the_measure_does_not_depend_on_where_the_face_lies(nets, face):
    points = faces.detect(face, nets["detector"])[0].points
    wide = torch.zeros(3, 400, 500)
    wide[:, 100:356, 200:456] = face
    moved = embed(wide, points + torch.tensor([200.0, 100]), nets["arcface"])
    assert float(moved @ embed(face, points, nets["arcface"])) > 0.99


@pytest.mark.weights
def test_a_cat_has_no_identity_and_the_error_says_why(nets):
    cat = picture.open_picture(EXAMPLES / "chelsea.png").rgb
    with pytest.raises(ValueError, match="no face was found in the true picture"):
        IDENTITY.measure(cat, cat, nets)
    assert face_of(cat, nets) is None  # so that a truth without a face is searched once
    with pytest.raises(ValueError, match="no face was found in the true picture"):
        identity_prepared(cat, None, nets)


def test_metrics_import_without_face_detection():
    blocked = (
        "import sys\n"
        "for name in ('gansr.faces', 'scipy', 'onnxruntime', 'PIL'): sys.modules[name] = None\n"
        "from gansr.metrics import METRICS\n"
        "print(len(METRICS))"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", blocked], capture_output=True, text=True, cwd=root, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == len(METRICS)
