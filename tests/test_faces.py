"""Faces: FFHQ's alignment against hand-derived numbers, and the detector on a real face."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from gansr import faces, picture
from gansr.inputs import MethodInput
from gansr.ops.resize import imresize

EXAMPLES = Path(__file__).resolve().parents[1] / "assets" / "examples"
# A face drawn on squared paper: eyes 40 px apart, mouth 40 px below them.
POINTS = torch.tensor([[100.0, 100], [140, 100], [120, 120], [105, 140], [135, 140]])
# By hand: x = (40,0) − rot90(0,40) = (80,0), as long as max(2·40, 1.8·40) = 80; c = (120,100) + 0.1·(0,40).
QUAD = torch.tensor([[40.0, 24], [40, 184], [200, 184], [200, 24]])


def turned(points: Tensor, degrees: float, about: tuple[float, float] = (120, 120)) -> Tensor:
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    middle = torch.tensor(about, dtype=torch.float64)
    return (points.double() - middle) @ torch.tensor([[cos, sin], [-sin, cos]]).double() + middle


def dots(points: Tensor, height: int, width: int) -> Tensor:
    """A black picture with a soft white dot at each point."""
    y, x = torch.meshgrid(torch.arange(height).float(), torch.arange(width).float(), indexing="ij")
    spots = [torch.exp(-((x - px) ** 2 + (y - py) ** 2) / 8) for px, py in points.tolist()]
    return torch.stack(spots).amax(0).expand(3, -1, -1).clone()


def centre(plane: Tensor, near: tuple[float, float], reach: int = 40) -> tuple[float, float]:
    """Centre of mass of the light around a place (x, y)."""
    left, top = (round(v) - reach for v in near)
    part = plane[top : top + 2 * reach, left : left + 2 * reach]
    y, x = torch.meshgrid(torch.arange(len(part)).float(), torch.arange(part.shape[1]).float(), indexing="ij")
    return float((x * part).sum() / part.sum()) + left, float((y * part).sum() / part.sum()) + top


def colourful(height: int, width: int) -> Tensor:
    coarse = torch.rand(1, 3, 12, 12, generator=torch.Generator().manual_seed(3))
    return F.interpolate(coarse, (height, width), mode="bicubic").clamp(0, 1)[0]


# ------------------------------------------------------------------------------------------- geometry


def test_the_square_is_the_authors_by_hand():
    torch.testing.assert_close(faces.quad_of(POINTS), QUAD.double())


def test_a_long_face_is_measured_from_eyes_to_mouth():
    points = POINTS.clone()
    points[3:, 1] = 200  # eyes to mouth 100 px: 1.8·100 > 2·40, and c is 10 px below the eyes
    quad = faces.quad_of(points)
    torch.testing.assert_close(quad[0], torch.tensor([120.0 - 180, 110 - 180]).double())
    torch.testing.assert_close(quad[2], torch.tensor([120.0 + 180, 110 + 180]).double())


@pytest.mark.parametrize("degrees", [30, -75, 180])
def test_the_square_turns_with_the_face(degrees):
    torch.testing.assert_close(faces.quad_of(turned(POINTS, degrees)), turned(QUAD, degrees))


def test_points_that_are_no_face_are_refused():
    swapped = POINTS[[1, 0, 2, 3, 4]]  # the eyes' axis and the mouth's cancel
    for points in (swapped, torch.zeros(5, 2), torch.full((5, 2), torch.nan)):
        with pytest.raises(faces.FaceError, match="do not make a face"):
            faces.quad_of(points)


@pytest.mark.parametrize("degrees", [0, 30, -100])
def test_eyes_land_where_ffhq_puts_them(degrees):
    # By hand: ((100 − 40)/160, (100 − 24)/160)·1024, less half a pixel; the right eye 40/160·1024 further.
    points = turned(POINTS, degrees)
    aligned = faces.align(dots(points, 240, 240), points, 1024).image[0]
    for x, y in ((383.5, 485.9), (639.5, 485.9)):
        assert centre(aligned, (x, y)) == pytest.approx((x, y), abs=1.0)


def test_a_large_face_is_shrunk_without_moving():
    points = faces.scaled(POINTS, 6)  # the square is 960 px wide, drawn at 128 px: shrunk by 3, then sampled
    photo = F.interpolate(dots(POINTS, 240, 240)[None], scale_factor=6, mode="bilinear")[0]
    aligned = faces.align(photo, points, 128).image[0]
    assert centre(aligned, (47.5, 60.3), 8) == pytest.approx((47.5, 60.3), abs=0.25)


def test_paper_puts_the_square_of_a_large_face_where_the_authors_do():
    # The square is 960 px wide for 40 px: shrunk by s = 12. The authors' square is (s − 1)/2 = 5.5 px further right
    # and down, so the face is 5.5·40/960 px of the result further left and up.
    points = faces.scaled(POINTS, 6)
    photo = F.interpolate(dots(POINTS, 240, 240)[None], scale_factor=6, mode="bilinear")[0]
    ours, theirs = (
        centre(faces.align(photo, points, 40, paper=paper).image[0], (20, 20), 20) for paper in (False, True)
    )
    by_hand = 5.5 * 40 / 960
    assert (ours[0] - theirs[0], ours[1] - theirs[1]) == pytest.approx((by_hand, by_hand), abs=0.02)


def test_paper_changes_nothing_where_nothing_is_shrunk_first():
    photo = colourful(240, 240)
    ours, theirs = (faces.align(photo, POINTS, 64, paper=paper).image for paper in (False, True))
    assert torch.equal(ours, theirs)


def test_the_aligned_picture_is_the_authors_in_pillow():
    photo, points = colourful(240, 240), turned(POINTS, 20)
    aligned = faces.align(photo, points, 256)
    as_bytes = Image.fromarray(picture.to_array(photo))
    corners = tuple((aligned.quad + 0.5).flatten().tolist())
    drawn = as_bytes.transform((1024, 1024), Image.Transform.QUAD, corners, Image.Resampling.BILINEAR)
    expected = picture.from_array(np.array(drawn.resize((256, 256), Image.Resampling.LANCZOS)))
    steps = (aligned.image - expected).abs() * 255
    assert steps.mean() < 0.7 and steps.max() < 8  # at the very edge the two filters are cut off differently
    assert steps[:, 4:-4, 4:-4].max() < 4
    assert aligned.inside == 1 and aligned.notices == ()


def test_what_lies_outside_is_mirrored_and_said():
    photo = colourful(240, 240)[:, :, 90:]  # the square begins 50 px left of the picture
    aligned = faces.align(photo, POINTS - torch.tensor([90.0, 0]), 256)
    assert aligned.inside == pytest.approx(1 - 49.5 / 160, abs=0.02)
    assert any("outside the photograph" in notice for notice in aligned.notices)
    whole = faces.align(colourful(240, 240), POINTS, 256).image
    known = slice(160, 250)  # well inside the photograph: as if nothing were missing
    assert (aligned.image - whole)[:, 20:-20, known].abs().max() < 0.02
    assert torch.isfinite(aligned.image).all() and aligned.image[:, :, :40].std() > 0.01


def test_a_face_mostly_outside_is_refused():
    photo = colourful(240, 240)[:, 110:, 120:]
    with pytest.raises(faces.FaceError, match="more room around the face"):
        faces.align(photo, POINTS - torch.tensor([120.0, 110]))


def test_a_tiny_face_is_taken_with_a_word_and_a_speck_refused():
    photo = colourful(60, 60)
    small = faces.align(photo, faces.scaled(POINTS, 0.25), 64)  # eyes 10 px apart, a square of 40 px
    assert small.image.shape == (3, 64, 64) and "small (40 px" in small.notices[0]
    with pytest.raises(faces.FaceError, match=r"16 px wide.*closer or larger"):
        faces.align(photo, faces.scaled(POINTS, 0.1))


def test_a_profile_is_aligned_by_eyes_and_mouth_and_said():
    points = POINTS.clone()
    points[:, 0] = torch.tensor([112.0, 122, 132, 116, 126])  # eyes 10 px apart, the nose beyond them
    aligned = faces.align(colourful(240, 240), points, 128)
    assert any("in profile" in notice for notice in aligned.notices)
    assert float((aligned.quad[3] - aligned.quad[0]).norm()) == pytest.approx(2 * 1.8 * 40.05, rel=0.01)


def test_a_face_pasted_back_lies_where_it_was():
    photo, points = colourful(240, 240), turned(POINTS, 25)
    aligned = faces.align(photo, points, 512)
    pasted = faces.paste_back(photo, aligned.image, aligned.quad)
    assert (pasted - photo).abs().max() < 0.02


def test_pasting_changes_the_inside_fades_at_the_edge_and_leaves_the_rest():
    photo, white = torch.zeros(3, 240, 240), torch.ones(3, 300, 300)
    pasted = faces.paste_back(photo, white, QUAD, feather=0.1)
    assert photo.sum() == 0
    assert (pasted[:, 45:165, 60:180] > 0.9999).all()  # 16 px from the edge, and more
    assert (pasted[:, :24] == 0).all() and (pasted[:, :, 201:] == 0).all()
    # 5.5 px from the left edge (pixel 45, edge at 39.5 + half): t = 5/16, 3t² − 2t³
    t = 5 / 16
    assert float(pasted[0, 100, 45]) == pytest.approx(3 * t**2 - 2 * t**3, abs=1e-4)


def test_pasting_beyond_the_photograph_does_nothing():
    photo = colourful(50, 50)
    assert torch.equal(faces.paste_back(photo, torch.ones(3, 64, 64), QUAD + 500), photo)


def test_points_of_an_enlarged_picture_follow_pixel_middles():
    torch.testing.assert_close(faces.scaled(torch.tensor([0.0, 10.0]), 4), torch.tensor([1.5, 41.5]))


def test_warp_by_the_identity_changes_nothing():
    photo = colourful(40, 31)
    torch.testing.assert_close(faces.warp(photo, torch.eye(3)[:2], 40, 31), photo, atol=1e-5, rtol=0)


# ------------------------------------------------------------------------------------- the real detector


@pytest.fixture(scope="module")
def detector(weights_of):
    return weights_of("scrfd-500m")


@pytest.fixture(scope="module")
def astronaut() -> Tensor:
    return picture.open_picture(EXAMPLES / "astronaut.png").rgb


# Read off the picture by eye, ±3 px: the pupils and the corners of the mouth.
EYES = torch.tensor([[204.0, 101], [246, 103]])
MOUTH = torch.tensor([[201.0, 139], [245, 141]])


@pytest.mark.weights
def test_the_astronaut_has_one_face_with_eyes_and_mouth_in_their_places(astronaut, detector):
    (face,) = faces.detect(astronaut, detector)
    assert face.score > 0.7 and face.eye_distance == pytest.approx(42, abs=4)
    assert (face.points[:2] - EYES).norm(dim=1).max() < 4
    assert (face.points[3:] - MOUTH).norm(dim=1).max() < 4
    assert faces.thumbnail(astronaut, face, 96).shape == (3, 96, 96)


@pytest.mark.weights
@pytest.mark.parametrize("degrees", [30, 90, 150, 180])
def test_a_turned_face_is_found_and_comes_out_upright(astronaut, detector, degrees):
    there = torch.cat([turned(torch.eye(2), degrees, (0, 0)).T, torch.zeros(2, 1)], 1)
    there[:, 2] = torch.tensor([360.0, 360]) - there[:, :2] @ torch.tensor([256.0, 256]).double()
    photo = faces.warp(astronaut, faces.inverse(there), 720, 720)
    face = faces.detect(photo, detector)[0]
    assert (face.points[:2] - faces.moved(EYES.double(), there)).norm(dim=1).max() < 5
    upright = faces.detect(faces.align(photo, face.points, 256).image, detector)[0].points
    assert upright[0, 0] < upright[1, 0] and abs(float(upright[0, 1] - upright[1, 1])) < 8
    assert float(upright[3:, 1].mean() - upright[:2, 1].mean()) > 40


@pytest.mark.weights
@pytest.mark.parametrize("size", [32, 128, 1024])
def test_a_face_that_fills_the_frame_is_found(astronaut, detector, size):
    aligned = faces.align(astronaut, faces.detect(astronaut, detector)[0].points, size).image
    points = faces.detect(aligned, detector)[0].points / size
    torch.testing.assert_close(
        points[:2].float(), torch.tensor([[0.375, 0.475], [0.625, 0.475]]), atol=0.04, rtol=0
    )


@pytest.mark.weights
def test_a_small_face_in_a_large_picture_is_found_as_two_when_there_are_two(astronaut, detector):
    small = F.interpolate(astronaut[None], scale_factor=0.4, mode="bilinear", antialias=True)[0]
    photo = torch.full((3, 700, 1100), 0.5)
    photo[:, 100 : 100 + small.shape[1], 50 : 50 + small.shape[2]] = small
    photo[:, 400 : 400 + small.shape[1], 800 : 800 + small.shape[2]] = small
    found = faces.detect(photo, detector)
    assert len(found) == 2
    for corner in (torch.tensor([50.0, 100]), torch.tensor([800.0, 400])):
        eyes = faces.scaled(EYES, 0.4) + corner
        assert min(float((face.points[:2] - eyes).norm(dim=1).max()) for face in found) < 4


@pytest.mark.weights
def test_half_a_face_at_the_edge_is_aligned_with_a_word(astronaut, detector):
    photo = astronaut[:, 70:, 170:]  # the hair and the whole left of the head are cut off
    face = faces.detect(photo, detector)[0]
    aligned = faces.align(photo, face.points, 256)
    assert 0.3 < aligned.inside < 0.9 and any("outside" in notice for notice in aligned.notices)


@pytest.mark.weights
@pytest.mark.parametrize("name", ["chelsea.png", "coffee.png"])
def test_a_cat_and_a_cup_have_no_face(detector, name):
    assert faces.detect(picture.open_picture(EXAMPLES / name).rgb, detector) == []


@pytest.mark.weights
def test_a_picture_of_one_pixel_has_no_face(detector):
    assert faces.detect(torch.zeros(3, 1, 1), detector) == []


@pytest.mark.weights
def test_the_small_face_of_the_examples_is_the_aligned_astronaut(astronaut, detector):
    aligned = faces.align(astronaut, faces.detect(astronaut, detector)[0].points, 1024).image
    small = F.interpolate(aligned[None], (32, 32), mode="bicubic", antialias=True)[0]
    stored = picture.open_picture(EXAMPLES / "astronaut-face-32.png").rgb
    assert (small - stored).abs().mean() * 255 < 1.5


def test_a_pasted_face_covers_its_square_and_leaves_the_rest_of_the_photograph():
    photo, side = torch.rand(3, 60, 80, generator=torch.Generator().manual_seed(2)), 20.0
    quad = torch.tensor([[30.0, 20.0], [30.0, 40.0], [50.0, 40.0], [50.0, 20.0]])
    given = MethodInput(torch.zeros(3, 8, 8), quad=quad, photo=photo)
    face = torch.ones(3, 40, 40)
    result = given.pasted(face)
    assert result is not None and result.shape == (3, round(60 * 40 / side), round(80 * 40 / side))
    assert float(result[:, 55:65, 75:85].min()) > 0.99  # the face's middle
    bicubic = imresize(photo, (120, 160)).clamp(0, 1)
    assert torch.equal(result[:, :30], bicubic[:, :30])  # above the face nothing changed
    assert MethodInput(torch.zeros(3, 8, 8)).pasted(face) is None
