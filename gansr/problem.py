"""A problem: a small picture and the size asked for. All methods of a comparison solve the same one.

    side   the small picture is the face (or the middle square), this many px wide; 0: the picture as it is
    scale  how many times larger the result is to be

A method solves it with options of its own (`Method.fit`). Where it takes another input size, the small picture is
resampled for it; where it gives another size, its result is resampled (gansr.inputs).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from gansr.options import option

MEGAPIXEL = 1024 * 1024


@dataclass(frozen=True)
class Problem:
    """The defaults mean that none is set: a method gets the picture as its own tab would give it."""

    side: int = option(
        0, "the small picture is a square of this many px; 0: the picture as it is", min=0, max=1024
    )
    scale: int = option(0, "how many times larger the result is to be; 0: the method's factor", min=0, max=64)


PROBLEMS: Mapping[str, Problem] = MappingProxyType(
    {
        "face-64-512": Problem(64, 8),
        "face-32-256": Problem(32, 8),
        "face-16-256": Problem(16, 16),
        "photo-x4": Problem(0, 4),
        "photo-x2": Problem(0, 2),
    }
)
TITLES: Mapping[str, str] = MappingProxyType(
    {
        "face-64-512": "Face ×8: 64 → 512 px",
        "face-32-256": "Face ×8: 32 → 256 px",
        "face-16-256": "Face ×16: 16 → 256 px",
        "photo-x4": "Photograph ×4",
        "photo-x2": "Photograph ×2",
    }
)


def name_of(problem: Problem) -> str:
    """The name in PROBLEMS; empty for another problem, and for none."""
    known = {value: name for name, value in PROBLEMS.items()}
    return known.get(problem, "")


def title_of(problem: Problem) -> str:
    """The problem in words."""
    if name := name_of(problem):
        return TITLES[name]
    what = f"Square of {problem.side} px" if problem.side else "Photograph"
    return f"{what} ×{problem.scale}"
