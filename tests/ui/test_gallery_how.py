"""The animations of "How it works"."""

from __future__ import annotations

import io

import pytest
import torch
from PIL import Image

from gansr.gallery import GALLERY, TABS
from gansr.ui import gallery_how


def test_two_pictures_stand_beside_each_other_at_one_height():
    made = gallery_how._beside(torch.zeros(3, 32, 32), torch.ones(3, 512, 256))
    assert made.shape == (3, 256, 256 + 8 + 128)
    assert made[:, :, :256].max() == 0 and made[:, :, 256:].min() == 1


@pytest.mark.parametrize("name", TABS)
def test_an_animation_moves_and_is_small(name):
    content = (GALLERY / f"how-{name}.webp").read_bytes()
    assert len(content) <= gallery_how.LARGEST
    with Image.open(io.BytesIO(content)) as picture:
        frames = getattr(picture, "n_frames", 1)
        first = picture.convert("RGB").tobytes()
        picture.seek(frames - 1)
        assert frames >= 3 and picture.convert("RGB").tobytes() != first


@pytest.mark.weights
def test_the_animation_of_glean_shows_its_three_parts(weights_of):
    for weights in ("scrfd-500m", "mobilestylegan-ffhq-1024"):
        weights_of(weights)
    with Image.open(io.BytesIO(gallery_how.animation("glean"))) as picture:
        assert getattr(picture, "n_frames", 1) == 3  # the last is shown longer
