"""The frames of a run as one file: an animation to download."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from gansr.picture import animated_webp, open_picture
from gansr.ui import files

Item = TypeVar("Item")
FRAMES, MILLISECONDS = 24, 160  # of the animation: at most so many frames, each so long
LAST = 6  # times that the last frame is shown


def spread(items: Sequence[Item], most: int) -> list[Item]:
    """At most `most` of at least two items, evenly spaced, the first and the last among them."""
    count = min(most, len(items))
    return [items[round(k * (len(items) - 1) / (count - 1))] for k in range(count)]


def animation(frames: Sequence[str], name: str) -> str:
    """The path of a WebP of this name, made of at least two frames, the paths of previews. A frame of another size than
    the last is left out."""
    pictures = [open_picture(path).rgb for path in spread(frames, FRAMES)]
    pictures = [picture for picture in pictures if picture.shape == pictures[-1].shape]
    return files.save(animated_webp(pictures + pictures[-1:] * (LAST - 1), MILLISECONDS), name)
