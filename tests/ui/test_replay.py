"""The animation of a search."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image

from gansr.picture import to_png
from gansr.ui.replay import FRAMES, LAST, animation, spread


def test_items_are_spread_evenly_with_the_first_and_the_last():
    assert spread(list(range(10)), 4) == [0, 3, 6, 9]
    assert spread("ab", 5) == ["a", "b"]


@pytest.fixture
def frames(tmp_path: Path) -> list[str]:
    """Forty grey pictures, from dark to bright."""
    for k in range(40):
        (tmp_path / f"{k}.png").write_bytes(to_png(torch.full((3, 16, 24), k / 40)))
    return [str(tmp_path / f"{k}.png") for k in range(40)]


def test_the_animation_has_the_frames_in_their_order_and_rests_on_the_last(frames: list[str]):
    path = animation(frames, "search.webp")
    with Image.open(path) as made:
        assert Path(path).name == "search.webp" and made.format == "WEBP" and made.size == (24, 16)
        shown = []
        for k in range(made.n_frames):  # type: ignore[attr-defined]
            made.seek(k)
            shown.append(made.convert("L").getpixel((3, 3)))
        assert FRAMES <= len(shown) <= FRAMES + LAST and shown == sorted(shown)  # equal frames may be joined
        assert shown[0] < 10 and shown[-1] > 240


def test_a_frame_of_another_size_is_left_out(frames: list[str], tmp_path: Path):
    (tmp_path / "other.png").write_bytes(to_png(torch.zeros(3, 8, 8)))
    with Image.open(animation([str(tmp_path / "other.png"), *frames[:3]], "search.webp")) as made:
        assert made.size == (24, 16)
