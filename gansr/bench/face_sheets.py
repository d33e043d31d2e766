"""Contact sheets of `bench faces`: for each face what was given, the baseline, the result and the truth; once whole,
and of large results twice a part of it pixel by pixel: the eyes and nose, the mouth. Three faces a sheet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from gansr.bench.face_cases import Case, resized
from gansr.picture import open_picture
from gansr.picture.strip import TILE, sheet

FACES = 3  # a sheet
PARTS = {"eyes and nose": 0.36, "mouth": 0.58}  # title → upper edge of the part, in shares of the side

Tiles = list[tuple[str, str, Tensor]]


def write_sheets(
    out: Path, case: Case, truths: Sequence[tuple[str, Tensor]], before: Path | None = None
) -> list[Path]:
    """Write out/<case>-sheet-1.png, … from the results in `out`, beside those in `before`.

    truths: (face, (3,1024,1024) in [0,1]). before: the folder of an earlier run.
    """
    written: list[Path] = []
    for start in range(0, len(truths), FACES):
        lines: list[Tiles] = []
        for name, truth in truths[start : start + FACES]:
            lines += _lines(out, case, name, resized(truth, case.side), before)
        written.append(out / f"{case.name}-sheet-{start // FACES + 1}.png")
        written[-1].write_bytes(sheet(lines))
    return written


def _lines(out: Path, case: Case, name: str, truth: Tensor, before: Path | None) -> list[Tiles]:
    posed = case.pose(truth)
    pictures = {"input": posed.low}
    sources = [("baseline", out / f"{case.name}-baseline"), (case.method, out / case.name)]
    if before is not None:
        sources.insert(1, (f"{case.method}, before", before / case.name))
    for title, folder in sources:
        path = folder / f"{name}.png"
        if path.is_file():
            pictures[title] = open_picture(path).rgb
    pictures["truth"] = truth
    lines = [[(title, name, picture) for title, picture in pictures.items()]]
    if truth.shape[-1] > 2 * TILE:
        for part, upper in PARTS.items():
            large = {title: p for title, p in pictures.items() if p.shape == truth.shape}
            lines.append([(title, f"{name}, {part}", _part(p, upper)) for title, p in large.items()])
    return lines


def _part(picture: Tensor, upper: float) -> Tensor:
    """A square of TILE px, in the middle across, from `upper` of the height on."""
    side = picture.shape[-1]
    top, left = min(round(upper * side), side - TILE), (side - TILE) // 2
    return picture[:, top : top + TILE, left : left + TILE]
