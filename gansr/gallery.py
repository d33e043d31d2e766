"""The gallery: which examples the page shows as finished, and what was computed of them in advance.

`python -m gansr gallery build` computes them through the page's own handlers (gansr.ui.gallery_build) and writes for
each a JSON file and WebP pictures into assets/gallery. The pictures are compressed; a run gives lossless PNG files.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

GALLERY = Path(__file__).parents[1] / "assets" / "gallery"
QUALITY_TEST: Mapping[str, Any] = MappingProxyType({"task": "known answer"})
# Not along an axis, and wider than bicubic's own: what KernelGAN is for.
BLUR: Mapping[str, Any] = MappingProxyType(
    {
        "shrink_operator": "gaussian",
        "shrink_width": 3.0,
        "shrink_other": 1.2,
        "shrink_angle": 35.0,
    }
)
DRAWN = (
    "Nobody: a face that a generator drew. PULSE and mGANprior search the same generator, which helps them."
)


@dataclass(frozen=True)
class Example:
    """An example that is computed in advance."""

    name: str
    title: str
    picture: str  # a file of assets/examples
    about: str  # what to look at, for the user
    settings: Mapping[str, Any] = field(
        default_factory=lambda: QUALITY_TEST
    )  # those that are not the usual ones


COMPARED = (
    Example(
        "astronaut",
        "Portrait",
        "astronaut.png",
        "A real face, shrunk to 64 px. Which results are still her?",
    ),
    Example("older-man", "Older man", "face-older-man.png", DRAWN),
    Example("young-woman", "Young woman", "face-young-woman.png", DRAWN),
    Example("man-glasses", "Man with glasses", "face-man-glasses.png", DRAWN),
    Example("child", "Child", "face-child.png", DRAWN),
    Example(
        "woman-aside",
        "Looking aside",
        "face-woman-aside.png",
        "Nobody: a face that a generator drew. Its head is turned: PULSE's search ends in a broken face.",
    ),
    Example(
        "old-photograph",
        "Old photograph",
        "hopper.png",
        "A real face in grey, shrunk, with noise and JPEG. No method here was made for noise and JPEG.",
        QUALITY_TEST | {"shrink_noise": 6.0, "shrink_jpeg": 60},
    ),
    Example(
        "cat", "Cat", "chelsea.png", "A photograph. The hairs are in no result as they are in the original."
    ),
    Example(
        "rocket-blurred",
        "Rocket, blurred",
        "rocket.jpg",
        "Shrunk with a slanted blur that no method is told. KernelGAN estimates it.",
        QUALITY_TEST | {"problem": "photo-x2"} | BLUR,
    ),
    Example(
        "drawing",
        "Drawing",
        "drawing.png",
        "A drawing with text: these methods were trained on photographs and fail on small letters.",
    ),
)
# method → what its tab shows first
TABS: Mapping[str, Example] = MappingProxyType(
    {
        "pulse": Example(
            "tab-pulse",
            "Portrait",
            "astronaut.png",
            "A real face, shrunk to 32 px: the result fits these pixels and is another person.",
        ),
        "kernelgan": Example(
            "tab-kernelgan",
            "Rocket, blurred",
            "rocket.jpg",
            "Shrunk with a slanted blur: compare the kernel that was found with the true one below.",
            QUALITY_TEST | BLUR,
        ),
        "glean": Example(
            "tab-glean",
            "Portrait",
            "astronaut.png",
            "A real face, shrunk to 32 px and enlarged in one pass.",
        ),
        "mganprior": Example(
            "tab-mganprior",
            "Portrait",
            "astronaut.png",
            "A real face, shrunk to 64 px and searched with many codes.",
        ),
        "srgan": Example(
            "tab-srgan",
            "Cat",
            "chelsea.png",
            "A photograph, shrunk and enlarged four times: hairs are invented.",
        ),
        "esrgan": Example(
            "tab-esrgan",
            "Old photograph",
            "hopper.png",
            "A real face, shrunk, with noise and JPEG, as these weights were trained: skin and hair become smooth.",
            QUALITY_TEST | {"shrink_noise": 6.0, "shrink_jpeg": 60},
        ),
        "dip": Example(
            "tab-dip",
            "Older man",
            "face-older-man.png",
            "Nobody: a face that a generator drew. The network that enlarges it has seen no other picture.",
            QUALITY_TEST | {"steps": 100},
        ),
    }
)


@cache
def read(name: str) -> Mapping[str, Any] | None:
    """What was computed of an example: `made` (seconds, device, version, date) and the values that the page shows,
    with the names of files in GALLERY. None where it was not computed."""
    try:
        return MappingProxyType(json.loads((GALLERY / f"{name}.json").read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
