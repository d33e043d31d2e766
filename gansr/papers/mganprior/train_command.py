"""Find mGANprior's named editing directions on the samples of MobileStyleGAN.

python -m gansr train mganprior --face-api FOLDER --out FOLDER

--face-api is the folder `package/model` of the npm package @vladmandic/face-api (MIT); its networks label the samples:

    npm pack @vladmandic/face-api@1.7.15 && tar xzf vladmandic-face-api-1.7.15.tgz

Written: directions.safetensors, report.md (docs/directions.md explains its tables), a sheet of edits for each
direction, and state.pt, from which the same command continues an interrupted run.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor

from gansr import faces, weights
from gansr.metrics.identity import embed
from gansr.nets.compiled import OptimisedMobileStyleGAN
from gansr.papers.mganprior import train
from gansr.papers.mganprior.composition import samples_of_w, style_rows
from gansr.papers.mganprior.directions import GENERATOR, NAMED
from gansr.papers.mganprior.face_api import FaceApi
from gansr.papers.mganprior.labels import ATTRIBUTES, attributes
from gansr.papers.mganprior.readout import Readout, fitted
from gansr.picture.strip import sheet
from gansr.weights import files

SEED, POOL = 14, 6000  # of the codes; the parts below are ranges of this pool
PSI = (0.7, 1.0)  # the truncation of a code, uniform between the two
HELD, GRADIENTS, EDITED = 0, 1000, 5000  # first code of each part; the read-out is fitted on those held out
SIDE = 256  # px, of the pictures that are measured: the generator's, shrunk by the mean
AMOUNT = 2.0  # σ, of the edits that are measured
SHEET_FACES = 8

Draw = Callable[[Tensor], Tensor]  # w (B,512) → pictures (B,3,SIDE,SIDE) in [0,1]
Effects = Mapping[str, Mapping[str, float]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of the command."""
    add = parser.add_argument
    add("--out", type=Path, required=True, help="folder for what is written")
    add("--face-api", type=Path, required=True, help="the folder package/model of @vladmandic/face-api")
    add("--gradients", type=int, default=64, help="number of samples whose gradients are averaged (64)")
    add(
        "--held",
        type=int,
        default=131,
        help="number of samples that fit the read-out and test the rest (131)",
    )
    add("--edited", type=int, default=24, help="number of other samples that are edited and measured (24)")
    add("--threads", type=int, help="threads of the processor; default: torch's choice")


def run(parsed: argparse.Namespace) -> int:
    """Sample, label, find, measure; returns the exit status, 1 where a folder cannot be used."""
    if parsed.threads is not None:
        torch.set_num_threads(parsed.threads)
    try:
        parsed.out.mkdir(parents=True, exist_ok=True)
        api = FaceApi(parsed.face_api)
    except OSError as error:
        print(f"gansr: {error}", file=sys.stderr)
        return 1
    net = weights.load(GENERATOR)
    spread, w = samples_of_w(net.mapping, net.style), codes(net.mapping, net.style)
    generator = OptimisedMobileStyleGAN(net, torch.float32).snapshot()
    kept = Kept(parsed.out / "state.pt")
    held, draw = w[HELD : HELD + parsed.held], drawing(generator)
    labels = Labels(Readout(generator, kept("readout", partial(fitted, generator, held))), api)
    normals = mean_gradients(labels, w[GRADIENTS : GRADIENTS + parsed.gradients], kept)
    scores = scores_of(draw, api, held, kept)
    found = find(normals, spread, held, scores)
    write(parsed.out / "directions.safetensors", found, parsed.gradients)
    edited = w[EDITED : EDITED + parsed.edited]
    plain = kept("not edited", partial(draw, edited))
    ends = {
        name: kept(f"edits along {name}", partial(both_ends, edited, each.step, draw))
        for name, each in found.items()
    }
    effects = {name: effect(name, low, high, plain, api, scores) for name, (low, high) in ends.items()}
    (parsed.out / "report.md").write_text(report(found, effects))
    for name, (low, high) in ends.items():
        (parsed.out / f"sheet-{name}.png").write_bytes(edits_sheet(low, plain, high))
    return 0


class Kept:
    """What was computed, by name, in a file; a second run takes it from there. Another --out begins anew."""

    def __init__(self, path: Path):
        self.path = path
        self.found: dict[str, Any] = torch.load(path, weights_only=True) if path.exists() else {}

    def __call__(self, name: str, make: Callable[[], Any]) -> Any:
        """What is kept under the name, else what `make` returns: tensors, numbers and dictionaries of them."""
        if name not in self.found:
            self.found[name] = make()
            with files.replacing(self.path) as part:
                torch.save(self.found, part)
            print(name, flush=True)
        return self.found[name]


class Labels:
    """w (B,512) → a number (B,) for each attribute, by the labellers on read-out pictures."""

    def __init__(self, readout: Readout, api: FaceApi):
        self.readout, self.api = readout, api

    def __call__(self, w: Tensor) -> dict[str, Tensor]:
        return attributes(self.readout(w), self.api)


@torch.no_grad()
def codes(mapping: Any, style: int) -> Tensor:
    """The pool (POOL,style): each code lies between the mean and a free sample, by its own truncation."""
    generator = torch.Generator().manual_seed(SEED)
    z = torch.randn(POOL, style, generator=generator)
    psi = PSI[0] + (PSI[1] - PSI[0]) * torch.rand(POOL, 1, generator=generator)
    return torch.lerp(samples_of_w(mapping, style).mean(0, keepdim=True), mapping(z), psi)


def mean_gradients(labels: Labels, w: Tensor, kept: Kept) -> dict[str, Tensor]:
    """The normal (512,) of each attribute."""
    rows = [
        kept(f"gradient {i}", partial(train.gradients, labels, code)) for i, code in enumerate(w.split(1))
    ]
    return {name: torch.cat([row[name] for row in rows]).mean(0) for name in ATTRIBUTES}


def scores_of(draw: Draw, api: FaceApi, w: Tensor, kept: Kept) -> dict[str, Tensor]:
    """The labels (n,) of the codes w (n,512), on full pictures."""

    @torch.no_grad()
    def label(code: Tensor) -> dict[str, Tensor]:
        return attributes(draw(code), api)

    rows = [kept(f"label {i}", partial(label, code)) for i, code in enumerate(w.split(1))]
    return {name: torch.cat([row[name] for row in rows]) for name in ATTRIBUTES}


def find(
    normals: Mapping[str, Tensor], spread: Tensor, held: Tensor, scores: Mapping[str, Tensor]
) -> dict[str, train.Found]:
    """The directions of NAMED, each conditioned on every other attribute.

    spread (m,512): samples that define the unit; held (n,512) and their scores (n,): for the accuracy.
    """
    found = {}
    for name in NAMED:
        others = [normal for other, normal in normals.items() if other != name]
        unit, deviation = train.direction(normals[name], others, spread)
        right = train.accuracy(held, scores[name], normals[name])
        found[name] = train.Found(unit, deviation, right, len(held))
    return found


def write(path: Path, found: Mapping[str, train.Found], samples: int) -> None:
    """The file that the app reads: "directions" (K,512) of length 1, "deviations" (K,), and what is known of each."""
    about = [
        {
            "name": name,
            "title": NAMED[name],
            "accuracy": round(each.accuracy, 3),
            "samples": samples,
            "held": each.held,
            "labeller": ATTRIBUTES[name],
            "seed": SEED,
        }
        for name, each in found.items()
    ]
    tensors = {
        "directions": torch.stack([each.unit for each in found.values()]).float().contiguous(),
        "deviations": torch.tensor([each.deviation for each in found.values()]).float(),
    }
    save_file(tensors, path, {"directions": json.dumps(about), "generator": GENERATOR})


def drawing(generator: Any) -> Draw:
    """A function that draws full pictures in float32, so that machines agree, shrinks them and rounds to 8 bits."""

    @torch.no_grad()
    def draw(w: Tensor) -> Tensor:
        large = (generator.synthesis(style_rows(generator, code)) for code in w.split(1))
        small = torch.cat([F.interpolate(x, (SIDE, SIDE), mode="area") for x in large])
        return ((small / 2 + 0.5).clamp(0, 1) * 255).round() / 255

    return draw


def both_ends(w: Tensor, step: Tensor, draw: Draw) -> tuple[Tensor, Tensor]:
    """The pictures (n,3,SIDE,SIDE) of w (n,512) moved by −AMOUNT and by +AMOUNT."""
    return draw(w - AMOUNT * step), draw(w + AMOUNT * step)


@torch.no_grad()
def effect(
    name: str, low: Tensor, high: Tensor, plain: Tensor, api: FaceApi, scores: Mapping[str, Tensor]
) -> dict[str, float]:
    """What an edit from −AMOUNT (`low`) to +AMOUNT (`high`) changes; pictures (n,3,SIDE,SIDE).

    For each attribute the mean change, in standard deviations of its scores; "right": the share of faces whose own
    attribute rose; "identity": the mean similarity of both ends to the unedited face, where one is found.
    """
    detector, arcface = (weights.load(each) for each in ("scrfd-500m", "arcface-mbf"))
    before, after = attributes(low, api), attributes(high, api)
    change = {each: (after[each] - before[each]).double() for each in ATTRIBUTES}
    likeness = []
    for picture, *ends in zip(plain, low, high):
        if seen := faces.detect(picture, detector):
            own = embed(picture, seen[0].points, arcface)
            likeness += [float(embed(end, seen[0].points, arcface) @ own) for end in ends]
    changes = {each: float(value.mean()) / float(scores[each].std()) for each, value in change.items()}
    right = float((change[name] > 0).double().mean())
    return changes | {"right": right, "identity": statistics.fmean(likeness)}


def report(found: Mapping[str, train.Found], effects: Effects) -> str:
    """Two Markdown tables: what each direction is, and what else it changes."""
    lines = ["| direction | accuracy | own effect | moved right | identity |", "|---|---|---|---|---|"]
    for name, each in found.items():
        seen = effects[name]
        lines.append(
            f"| {name} | {each.accuracy:.0%} | {seen[name]:+.1f} | {seen['right']:.0%} | {seen['identity']:.2f} |"
        )
    lines += ["", f"| direction | {' | '.join(ATTRIBUTES)} |", "|---" * (len(ATTRIBUTES) + 1) + "|"]
    for name, seen in effects.items():
        cells = (
            f"**{seen[other]:+.1f}**" if other == name else f"{seen[other]:+.1f}" for other in ATTRIBUTES
        )
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def edits_sheet(low: Tensor, plain: Tensor, high: Tensor) -> bytes:
    """A PNG of three lines: the faces moved by −AMOUNT, not edited, and moved by +AMOUNT."""
    lines = ((f"moved by -{AMOUNT:g}", low), ("not edited", plain), (f"moved by +{AMOUNT:g}", high))
    return sheet([[(title, "", picture) for picture in pictures[:SHEET_FACES]] for title, pictures in lines])
