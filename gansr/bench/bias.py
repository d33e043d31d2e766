"""Whether a result keeps the tone of the skin: python -m gansr bench bias [--methods …] [--each N] [--data DIR].

For each group of tone (gansr.bench.chroma.TONES): how many faces, how much lighter the results are, in degrees of the
individual typology angle, how many stay in the group, and, of PULSE, how many come within its threshold. The tone is
measured on the cheeks, which the landmarks of the truth and of the result tell (`chroma.cheeks_of`).

The faces are those of DIR, or else drawn by the generator (seeds 0, 1, …, truncation 0.9): of each group the first
`each` among the first `draws`. Limits: those faces come from the same prior that PULSE and GLEAN use; the angle depends
on light and camera as well as on skin; the groups are small, and tone is one attribute of many. The paper's revised
version counts PULSE's successes by group of people, which needs labelled photographs (FairFace).
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from gansr import faces, papers
from gansr.bench import BenchError, Row
from gansr.bench.chroma import TONES, skin_tone, tone_of
from gansr.bench.face_cases import SIDE, Case, resized
from gansr.bench.faces import aligned, options_of_case, photographs, within
from gansr.bench.robustness import enlarging
from gansr.engine import Engine
from gansr.job import Job
from gansr.nets.mobilestylegan import MobileStyleGAN
from gansr.ops.colour import to8bit
from gansr.papers.glean.synthetic import mean_row
from gansr.picture.strip import sheet
from gansr.results.means import interval

DEFAULT = ("pulse", "glean")
DETECTOR, PRIOR = "scrfd-500m", "mobilestylegan-ffhq-1024"
TRUNCATION = 0.9  # pictures further from the average face often break
ALL = "all"


@dataclass(frozen=True)
class Truth:
    """A face that is shrunk and enlarged again."""

    name: str
    picture: Tensor  # (3,1024,1024) in [0,1], 8 bit
    tone: float  # degrees


@dataclass(frozen=True)
class Outcome:
    """What became of one face."""

    truth: Truth
    low: Tensor  # (3,s,s)
    result: Tensor  # (3,S,S)
    tone: float | None  # of the result, degrees; None where no face is found in it
    mse: float | None  # PULSE's own


def rows(
    names: Sequence[str] | None = None,
    preset: str | None = None,
    texts: Mapping[str, str] | None = None,
    each: int = 3,
    draws: int = 200,
    data: Path | None = None,
    out: Path | None = None,
    engine: Engine | None = None,
) -> Iterator[Row]:
    """(case, group, measure, value) of each group that has faces, and of all; a line for each result goes to the error
    stream. names: cases or methods of `bench faces` that enlarge. With `out`, a sheet for each case: truth and result.

    Raises BenchError for what is unknown, or where there is no face.
    """
    engine, cases = engine or Engine(), enlarging(names or DEFAULT)
    truths = [*(_photographed(engine, data) if data is not None else _drawn(engine, each, draws))]
    if not truths:
        raise BenchError("there is no face to take: draw more")
    for case in cases:
        outcomes: list[Outcome] = []
        for truth in truths:
            outcomes.append(one := _enlarged(engine, case, truth, preset, texts or {}))
            found = "no face" if one.tone is None else f"{one.tone:.1f}°"
            found += "" if one.mse is None else f", mse {one.mse:.3g}"
            print(f"{truth.name} {case.name}: {truth.tone:.1f}° → {found}", file=sys.stderr, flush=True)
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            (out / f"{case.name}.png").write_bytes(_sheet(outcomes))
        yield from table(case.name, outcomes)


def table(case: str, outcomes: Sequence[Outcome]) -> Iterator[Row]:
    """The rows of a case, group by group from light to dark, then of all."""
    for group in (*(name for _, name in TONES), ALL):
        of_group = [one for one in outcomes if group in (tone_of(one.truth.tone), ALL)]
        if not of_group:
            continue
        yield Row(case, group, "faces", float(len(of_group)))
        measured = [(one.truth.tone, one.tone) for one in of_group if one.tone is not None]
        if len(measured) < len(of_group):
            yield Row(case, group, "no face found", float(len(of_group) - len(measured)))
        changes = [found - true for true, found in measured]
        if changes:
            yield Row(case, group, "lighter by", statistics.fmean(changes))
            yield Row(
                case, group, "in the group", statistics.fmean(tone_of(t) == tone_of(f) for t, f in measured)
            )
        if len(changes) > 1:
            yield Row(case, group, "lighter by ±", interval(changes))
        if errors := [one.mse for one in of_group if one.mse is not None]:
            yield Row(case, group, "within", within(errors))


def tone(engine: Engine, picture: Tensor) -> float | None:
    """The tone of the largest face of a picture (3,H,W) in [0,1], degrees; None where none is found."""
    found = faces.detect(picture, engine.net(DETECTOR))
    return skin_tone(picture, found[0].points) if found else None


def _photographed(engine: Engine, folder: Path) -> Iterator[Truth]:
    for path in sorted(photographs(folder)):
        face = aligned(path, engine.net(DETECTOR))
        if (angle := tone(engine, face)) is not None:
            yield Truth(path.stem, face, angle)


def _drawn(engine: Engine, each: int, draws: int) -> Iterator[Truth]:
    """The first `each` faces of each group among the first `draws`; those without a face are left out."""
    net, counts = engine.net(PRIOR), dict.fromkeys((name for _, name in TONES), 0)
    average = mean_row(net)
    for seed in range(draws):
        if min(counts.values()) >= each:
            return
        face = _face(net, average, seed)
        angle = tone(engine, face)
        if angle is not None and counts[group := tone_of(angle)] < each:
            counts[group] += 1
            yield Truth(f"face {seed}", face, angle)


@torch.no_grad()
def _face(net: MobileStyleGAN, average: Tensor, seed: int) -> Tensor:
    """The face of a seed, (3,1024,1024) in [0,1], 8 bit."""
    z = torch.randn(1, net.style, generator=torch.Generator().manual_seed(seed)).to(average.device)
    row = torch.lerp(average, net.mapping(z), TRUNCATION)
    picture = net.synthesis(row[:, None].expand(-1, net.style_rows, -1))[0]
    return resized((picture.cpu() / 2 + 0.5).clamp(0, 1), SIDE)


def _enlarged(
    engine: Engine, case: Case, truth: Truth, preset: str | None, texts: Mapping[str, str]
) -> Outcome:
    posed = case.pose(resized(truth.picture, case.side))
    options, seed = options_of_case(case, preset, texts)
    frame = engine.upscale(Job(papers.by_name(case.method), posed.low, options, seed=seed))
    result = to8bit(frame.image)
    return Outcome(truth, posed.low, result, tone(engine, result), frame.readings.get("mse"))


def _sheet(outcomes: Sequence[Outcome]) -> bytes:
    """Above the truths with their tones, below the results."""

    def said(angle: float | None) -> str:
        return "no face found" if angle is None else f"{angle:.0f}°, {tone_of(angle)}"

    truths = [(one.truth.name, said(one.truth.tone), one.truth.picture) for one in outcomes]
    return sheet([truths, [("result", said(one.tone), one.result) for one in outcomes]])
