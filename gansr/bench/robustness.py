"""How a degraded input changes the answer: python -m gansr bench robustness --data DIR [--methods …] [--out FOLDER].

PULSE's figure on robustness, for every method that enlarges a face: each face of DIR is shrunk, degraded in six ways
(DEGRADED) and enlarged. A method's name stands for its cases that enlarge: mganprior for mganprior-sr. Measured is how
far the result is from the one of the clean input and from the truth, at 256 px: LPIPS-VGG, LPIPS-Alex, ArcFace
identity. With `out`, a sheet for each face and method: the inputs, below them the results.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import torch
from torch import Tensor

from gansr import papers
from gansr.bench import BenchError, Row
from gansr.bench.face_cases import Case, chosen, resized
from gansr.bench.faces import SMALL, aligned, options_of_case, photographs, value
from gansr.engine import Engine
from gansr.job import Job
from gansr.metrics.identity import IDENTITY
from gansr.metrics.lpips import LPIPS_ALEX, LPIPS_VGG
from gansr.ops.colour import to8bit
from gansr.ops.degrade import Degradation, degrade, with_faults
from gansr.picture.strip import sheet

CLEAN = "clean"
DEGRADED: Mapping[str, Degradation] = MappingProxyType({CLEAN: Degradation()} | with_faults(Degradation()))
METRICS = (LPIPS_VGG, LPIPS_ALEX, IDENTITY)
DEFAULT = ("pulse", "mganprior-sr", "glean")  # those that draw faces


def rows(
    folder: Path,
    names: Sequence[str] | None = None,
    preset: str | None = None,
    texts: Mapping[str, str] | None = None,
    out: Path | None = None,
    limit: int = 0,
    engine: Engine | None = None,
) -> Iterator[Row]:
    """(case, degradation, measure, mean over the faces), after all faces; a line for each result goes to the error
    stream. names: cases or methods of `bench faces` that enlarge. limit: the number of faces; 0 for all.

    Raises BenchError for what is unknown, or where there is no photograph.
    """
    engine = engine or Engine()
    cases = enlarging(names or DEFAULT)
    paths = sorted(photographs(folder))[: limit or None]
    found: dict[tuple[str, str, str], list[float]] = {}
    for path in paths:
        face = aligned(path, engine.net("scrfd-500m"))
        for case in cases:
            truth = resized(face, case.side)
            posed = case.pose(truth)
            options, seed = options_of_case(case, preset, texts or {})
            answers = dict[str, tuple[Tensor, Tensor]]()
            for name, degradation in DEGRADED.items():
                low = degraded(truth, posed.low.shape[-1], degradation)
                frame = engine.upscale(Job(papers.by_name(case.method), low, options, seed=seed))
                answers[name] = low, to8bit(frame.image)
                for measure, one in _measures(engine, answers, name, truth):
                    found.setdefault((case.name, name, measure), []).append(one)
                    print(f"{path.stem} {case.name} {name}: {measure} {one:.4g}", file=sys.stderr, flush=True)
            if out is not None:
                _write(out, path.stem, case, answers, truth)
    for (case_name, name, measure), values in found.items():
        yield Row(case_name, name, measure, statistics.fmean(values))


def enlarging(names: Sequence[str]) -> list[Case]:
    """The cases of these names; of a method's name, those that enlarge. Raises BenchError for a name that is unknown or
    does not enlarge."""
    try:
        cases = chosen(list(names))
    except ValueError as error:
        raise BenchError(str(error)) from None
    enlarge = [case for case in cases if case.pose(torch.zeros(3, case.side, case.side)).enlarges]
    reached = {name for case in enlarge for name in (case.name, case.method)}
    if useless := [name for name in names if name not in reached]:
        raise BenchError(f"{useless[0]} does not enlarge: take one of {', '.join(DEFAULT)}")
    return enlarge


def degraded(truth: Tensor, side: int, degradation: Degradation) -> Tensor:
    """The input (3,side,side) of a truth (3,S,S); the same random numbers for every face."""
    generator = torch.Generator().manual_seed(degradation.seed)
    return degrade(truth, truth.shape[-1] // side, degradation, generator)


def _measures(
    engine: Engine, answers: Mapping[str, tuple[Tensor, Tensor]], name: str, truth: Tensor
) -> Iterator[tuple[str, float]]:
    """Of the answer of this name: each metric against the clean answer and against the truth, where it is defined."""
    image = resized(answers[name][1], SMALL)
    against = {"the clean answer": answers[CLEAN][1], "the truth": truth}
    for title, other in against.items():
        if title != "the truth" and name == CLEAN:
            continue
        for metric in METRICS:
            measured = value(engine, metric, image, resized(other, SMALL), None)
            if measured is not None:
                yield f"{metric.name} to {title}", measured


def _write(
    out: Path, face: str, case: Case, answers: Mapping[str, tuple[Tensor, Tensor]], truth: Tensor
) -> None:
    """The sheet of one face: a column for each degradation, the truth last."""
    out.mkdir(parents=True, exist_ok=True)
    inputs = [(name, "input", low) for name, (low, _) in answers.items()]
    results = [(name, "result", image) for name, (_, image) in answers.items()]
    (out / f"{face}-{case.name}.png").write_bytes(sheet([inputs, [*results, ("truth", "", truth)]]))
