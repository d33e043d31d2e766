"""Faces that nobody tuned on: python -m gansr bench faces --data DIR [--methods …] [--split …] [--json] [--out FOLDER].

Every job of every method, and its trivial baseline, on a folder of photographs of faces: PSNR, LPIPS-VGG at the
result's size and at 256 px, LPIPS-Alex, NIQE, identity, LR-consistency, grid energy, rare colours and AuC of a
colourised face, the change of the skin's tone, PULSE's mean squared error, the distance between several samples,
seconds; the mean over the faces and its 95 % interval (Student's t). The problems are in gansr.bench.face_cases.

A photograph that is no face aligned as FFHQ's are is aligned first. The faces are sorted by the names of their files:
the first half (rounded down) is for choosing defaults, the rest for reporting. No default may be chosen on the half
that it is reported on.

With `out`, every result and its measures are written there, with contact sheets (the whole face, and a part of it pixel
by pixel). A run that was interrupted goes on where it stopped: what is there for the same options and the same
photograph is not computed again. It does not know of changes of the code: take another folder then.
"""

from __future__ import annotations

import hashlib
import json
import statistics
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gansr import faces, papers
from gansr.bench import BenchError, Row
from gansr.bench.chroma import colour_auc, common_colours, rare_colours, skin_tone, tone_of
from gansr.bench.face_cases import SIDE, Case, Posed, chosen, options_with, resized
from gansr.bench.face_sheets import write_sheets
from gansr.bench.grid import grid_energy
from gansr.engine import Engine
from gansr.job import Job
from gansr.metric import Metric
from gansr.metrics.consistency import CONSISTENCY
from gansr.metrics.identity import IDENTITY
from gansr.metrics.lpips import LPIPS_ALEX, LPIPS_VGG
from gansr.metrics.niqe import NIQE
from gansr.metrics.psnr import PSNR_RGB
from gansr.ops.colour import to8bit
from gansr.options import OptionError
from gansr.papers.pulse import Options as PulseOptions
from gansr.picture import open_picture, to_png
from gansr.request import decode, fields_of, from_texts
from gansr.results.means import interval

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".heic", ".avif")
SMALL = 256  # px, at which LPIPS is measured too
EXACT = 120.0  # dB, for a result that shrinks to its very input, so that a mean can be taken
ALIGNED = 0.1  # of the side: how far the corners of FFHQ's square may be from the picture's
MEASURES = (
    "psnr", "lpips_vgg", "lpips_vgg_256", "lpips_alex", "niqe", "identity", "consistency", "grid", "rare", "auc",
    "tone", "mse", "within", "spread", "seconds",
)  # fmt: skip
TRUE_TONE = "true tone"  # of the photograph: kept with the measures, and what the faces are grouped by
PRIOR = "mobilestylegan-ffhq-1024"  # whose faces say which colours are common
PAPER_EPS = PulseOptions.eps


@dataclass(frozen=True)
class Settings:
    """What is run on each face."""

    cases: tuple[Case, ...]
    preset: str | None = None  # of each method; None: its default
    texts: Mapping[str, str] = field(default_factory=dict)  # option → value, for those methods that have it
    measures: tuple[str, ...] = MEASURES
    out: Path | None = None
    files: tuple[str, ...] = ("*",)  # patterns of the names of the photographs
    before: Path | None = None  # the folder `out` of an earlier run, whose results the sheets show too


def settings_of(
    methods: list[str] | None,
    preset: str | None,
    texts: Mapping[str, str],
    names: list[str] | None,
    out: Path | None,
    files: Sequence[str] = ("*",),
    before: Path | None = None,
) -> Settings:
    """The command's arguments, checked. Raises BenchError for a case, measure or option that there is not."""
    try:
        cases = chosen(methods)
    except ValueError as error:
        raise BenchError(str(error)) from None
    if unknown := set(names or ()) - set(MEASURES):
        raise BenchError(f"there is no measure {min(unknown)!r}; there are: {', '.join(MEASURES)}")
    known = {name for case in cases for name in fields_of(papers.by_name(case.method))}
    if wrong := set(texts) - known:
        raise BenchError(f"none of these methods has an option {min(wrong)!r}")
    settings = Settings(cases, preset, texts, tuple(names or MEASURES), out, tuple(files), before)
    for case in cases:
        options_of_case(case, preset, texts)
    return settings


def part_of(paths: Sequence[Path], split: str) -> list[Path]:
    """Of the files sorted by name: the first half ("choosing", rounded down), the rest ("reporting"), or "all"."""
    ordered = sorted(paths, key=lambda path: path.name)
    half = len(ordered) // 2
    return {"choosing": ordered[:half], "reporting": ordered[half:], "all": ordered}[split]


def photographs(folder: Path) -> list[Path]:
    """The photographs of a folder. Raises BenchError where there is none."""
    found = [path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES]
    if not found:
        raise BenchError(f"{folder} has no photographs ({', '.join(SUFFIXES)})")
    return found


def aligned(path: Path, detector: Any) -> Tensor:
    """The face of a photograph, (3,1024,1024) in [0,1], 8 bit: the picture itself where it is aligned as FFHQ's are,
    otherwise its largest face. Raises BenchError where there is no face."""
    rgb = open_picture(path).rgb
    found = faces.detect(rgb, detector)
    if not found:
        raise BenchError(f"{path.name}: no face was found; take it out of the folder")
    height, width = rgb.shape[-2:]
    corners = torch.tensor([[0, 0], [0, height], [width, height], [width, 0]], dtype=torch.float64)
    apart = (faces.quad_of(found[0].points) - corners).abs().max()
    if height == width and apart <= ALIGNED * width:
        return resized(rgb, SIDE)
    return to8bit(faces.align(rgb, found[0].points, SIDE).image)


def rows(
    folder: Path, split: str, settings: Settings, engine: Engine | None = None, limit: int = 0
) -> Iterator[Row]:
    """The means and intervals of each case, as (case, method or "baseline", measure, value), after all faces. A line of
    progress for each result goes to the error stream. limit: the number of faces, from the first on; 0 for all.

    Raises BenchError where a photograph shows no face or an option is not known.
    """
    engine = engine or Engine()
    part = part_of(photographs(folder), split)
    paths = [path for path in part if any(fnmatch(path.name, name) for name in settings.files)]
    paths = paths[: limit or None]
    if not paths:
        raise BenchError(f"there are no faces to take for {split!r}: the folder has too few")
    measured: dict[tuple[str, str], list[Mapping[str, float]]] = {}
    for path in paths:
        face = _Face(engine, path)
        for case in settings.cases:
            for model, values in _case(engine, face, case, settings):
                said = ", ".join(f"{k} {values[k]:.4g}" for k in settings.measures if k in values)
                print(f"{face.name} {case.name} {model}: {said}", file=sys.stderr, flush=True)
                measured.setdefault((case.name, model), []).append(values)
    if settings.out is not None:
        for case in settings.cases:
            truths = [(path.stem, _Face(engine, path).truth) for path in paths]
            write_sheets(settings.out, case, truths, settings.before)
    for (case, model), values in measured.items():
        yield Row(case, model, "faces", float(len(values)))
        for name in settings.measures:
            found = [one[name] for one in values if name in one]
            if found:
                yield Row(case, model, name, statistics.fmean(found))
            if len(found) > 1:
                yield Row(case, model, f"{name} ±", interval(found))
        groups: dict[str, list[float]] = {}
        for one in values if "tone" in settings.measures else ():
            groups.setdefault(tone_of(one[TRUE_TONE]), []).append(one["tone"])
        for group, found in sorted(groups.items()):
            yield Row(case, model, f"tone, {group} ({len(found)})", statistics.fmean(found))


class _Face:
    """One photograph; opened and aligned when it is first needed, because all may be in the folder already."""

    def __init__(self, engine: Engine, path: Path):
        self._engine, self.path, self.name = engine, path, path.stem
        self.truths: dict[int, Tensor] = {}
        self.prepared: dict[int, dict[str, Any]] = {}  # side → what metrics keep of the truth

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.path.read_bytes()).hexdigest()

    @property
    def truth(self) -> Tensor:
        """At 1024 px."""
        return self.at(SIDE)

    def at(self, side: int) -> Tensor:
        """The face (3,side,side) in [0,1]."""
        if SIDE not in self.truths:
            self.truths[SIDE] = aligned(self.path, self._engine.net("scrfd-500m"))
        if side not in self.truths:
            self.truths[side] = resized(self.truths[SIDE], side)
        return self.truths[side]


def _case(
    engine: Engine, face: _Face, case: Case, settings: Settings
) -> Iterator[tuple[str, Mapping[str, float]]]:
    """The baseline's measures, where there is one, and the method's, of one face."""
    options, seed = options_of_case(case, settings.preset, settings.texts)
    stored = _Stored(settings.out, case.name, face.name, f"{face.sha256} {seed} {_text(options)}")
    baseline = _Stored(settings.out, f"{case.name}-baseline", face.name, face.sha256)
    posed: Posed | None = None
    for model, kept in (("baseline", baseline), (case.method, stored)):
        values = kept.read()
        missing = [name for name in settings.measures if name not in values.get("tried", ())]
        if missing:
            posed = posed or case.pose(face.at(case.side))
            if model == "baseline":
                picture, own = posed.baseline, {}
            elif (picture := kept.picture()) is not None:
                own = values.get("own", {})
            else:
                picture, own = _run(engine, case, posed, options, seed)
            if picture is None:
                continue
            found = values.get("measures", {}) | own
            found |= measures(engine, picture, posed, face.prepared, missing)
            tried = sorted({*values.get("tried", ()), *missing})
            kept.write({"measures": found, "own": own, "tried": tried}, picture)
        else:
            found = values["measures"]
        yield model, found


def options_of_case(case: Case, preset: str | None, texts: Mapping[str, str]) -> tuple[Any, int]:
    """The options of a case and the seed, from the method's preset (None: the first) and those texts that are options
    of it. Raises BenchError."""
    method = papers.by_name(case.method)
    preset = preset or next(iter(method.presets))
    if preset not in method.presets:
        raise BenchError(f"{method.title} has no preset {preset!r}; it has: {', '.join(method.presets)}")
    texts = {name: text for name, text in texts.items() if name in fields_of(method)}
    try:
        values = from_texts(method, texts)
        request = decode(method, {**method.presets[preset], **case.values, **values})
    except OptionError as error:
        raise BenchError(str(error)) from None
    return request.options, request.seed


def _text(options: Any) -> str:
    """The options as text, without those that are files."""
    return json.dumps({k: v for k, v in vars(options).items() if not isinstance(v, Tensor)}, sort_keys=True)


def _run(
    engine: Engine, case: Case, posed: Posed, options: Any, seed: int
) -> tuple[Tensor, dict[str, float]]:
    """The result (3,S,S), 8 bit, and what only the run knows: seconds, PULSE's error, how far its samples differ."""
    method = papers.by_name(case.method)
    _compile(engine, case.method)
    frame = engine.upscale(Job(method, posed.low, options_with(options, posed), seed=seed))
    own = {"seconds": frame.computed}
    errors = [value for name, value in frame.readings.items() if name == "mse" or name.startswith("mse ")]
    if errors:
        own |= {"mse": statistics.fmean(errors)}
        own |= {"within": within(errors)}
    if len(frame.answers) > 1:
        own |= {"spread": spread(engine, list(frame.answers.values()))}
    return to8bit(frame.image), own


def within(errors: Sequence[float]) -> float:
    """The share of PULSE's mean squared errors that come within the paper's threshold, to float32's rounding."""
    return statistics.fmean(float(error <= PAPER_EPS * (1 + 1e-6)) for error in errors)


@cache
def _compile(engine: Engine, name: str) -> None:
    """Compile what the method compiles at the start of the page, and wait for it: otherwise the first faces would be
    computed in another form than the others."""
    method = papers.by_name(name)
    if method.warm_up is not None:
        before = set(threading.enumerate())
        method.warm_up(engine.nets_for(method, method.options()))
        for thread in set(threading.enumerate()) - before:
            thread.join()


def spread(engine: Engine, samples: Sequence[Tensor]) -> float:
    """How different several results of one input are: the mean LPIPS-Alex over their pairs, at 256 px."""
    small = [resized(sample, SMALL) for sample in samples]
    values = [value(engine, LPIPS_ALEX, a, b, None) for a, b in combinations(small, 2)]
    return statistics.fmean(one for one in values if one is not None)


def measures(
    engine: Engine,
    picture: Tensor,
    posed: Posed,
    prepared: dict[int, dict[str, Any]],
    wanted: Sequence[str],
) -> dict[str, float]:
    """Those of the wanted measures that are defined for a result (3,S,S), 8 bit."""
    side, found = picture.shape[-1], dict[str, float | None]()
    kept, kept_small = prepared.setdefault(side, {}), prepared.setdefault(SMALL, {})
    for name, metric in (
        ("psnr", PSNR_RGB),
        ("lpips_vgg", LPIPS_VGG),
        ("lpips_alex", LPIPS_ALEX),
        ("niqe", NIQE),
        ("identity", IDENTITY),
    ):
        if name in wanted:
            found[name] = value(engine, metric, picture, posed.truth, kept)
    if "lpips_vgg_256" in wanted:
        small, truth = resized(picture, SMALL), resized(posed.truth, SMALL)
        found["lpips_vgg_256"] = value(engine, LPIPS_VGG, small, truth, kept_small)
    if "consistency" in wanted and posed.enlarges:
        shrunk = resized(picture, posed.low.shape[-1])
        agrees = value(engine, CONSISTENCY, shrunk, posed.low, None)
        found["consistency"] = None if agrees is None else min(agrees, EXACT)
    if "grid" in wanted:
        found["grid"] = grid_energy(picture)
    if "rare" in wanted and posed.coloured:
        found["rare"] = rare_colours(picture, _common(engine))
    if "tone" in wanted:
        true = skin_tone(posed.truth)
        found |= {"tone": skin_tone(picture) - true, TRUE_TONE: true}
    if "auc" in wanted and posed.coloured:
        found["auc"] = colour_auc(picture, posed.truth)
    return {name: one for name, one in found.items() if one is not None}


@cache
def _common(engine: Engine) -> Tensor:
    return common_colours(engine.net(PRIOR))


def value(
    engine: Engine, metric: Metric, a: Tensor, b: Tensor, prepared: dict[str, Any] | None
) -> float | None:
    """The metric of two pictures; None where it is not defined. What is compared with the input is shrunk already."""
    measuring = engine.measuring(a, b, lambda x: x, b, metric, prepared=prepared, precision="fast")
    *_, last = measuring
    return last.value if last is not None else None


class _Stored:
    """A result and its measures in the folder `out`, for one face and the options that `key` stands for."""

    def __init__(self, out: Path | None, case: str, face: str, key: str):
        self._folder = out / case if out is not None else None
        self._face, self._key = face, hashlib.sha256(key.encode()).hexdigest()

    def read(self) -> dict[str, Any]:
        """What was written under the same key; empty where there is nothing."""
        if self._folder is None or not (path := self._folder / f"{self._face}.json").is_file():
            return {}
        stored = json.loads(path.read_text("utf-8"))
        return stored if stored["key"] == self._key else {}

    def picture(self) -> Tensor | None:
        """The result of `read`; None where there is none."""
        if self._folder is None or not self.read():
            return None
        path = self._folder / f"{self._face}.png"
        return open_picture(path).rgb if path.is_file() else None

    def write(self, values: Mapping[str, Any], picture: Tensor) -> None:
        """The picture first: a run that ends between the two computes it again."""
        if self._folder is None:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / f"{self._face}.png").write_bytes(to_png(picture))
        text = json.dumps({"key": self._key, **values}, indent=1)
        (self._folder / f"{self._face}.json").write_text(text, "utf-8")
