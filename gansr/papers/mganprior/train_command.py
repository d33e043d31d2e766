"""Find mGANprior's named editing directions on the samples of MobileStyleGAN.

python -m gansr train mganprior --face-api FOLDER --out FOLDER

--face-api is the folder `package/model` of the npm package @vladmandic/face-api (MIT); its networks label the samples:

    npm pack @vladmandic/face-api@1.7.15 && tar xzf vladmandic-face-api-1.7.15.tgz

The labels (labels.csv) are kept in --out, and the same command continues an interrupted run. labels.csv has a column
for each attribute; a column that you add is conditioned on as well, with empty cells where a sample has no label.
Written at the end: directions.safetensors, report.md, and a sheet of edits for each direction.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import sys
from collections.abc import Callable, Mapping
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
from gansr.papers.mganprior.composition import samples_of_w
from gansr.papers.mganprior.directions import GENERATOR, NAMED
from gansr.papers.mganprior.face_api import FaceApi
from gansr.papers.mganprior.labels import ATTRIBUTES, attributes
from gansr.picture.strip import sheet

SIDE = 256  # px, of the pictures that are labelled: the generator's, shrunk by the mean
SEED = 14
PSI = (0.7, 1.0)  # the truncation of a sample, uniform between the two
AMOUNT = 2.0  # σ, of the edits that are measured
SHEET_FACES, SHEET_AMOUNTS = 6, (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0)

Draw = Callable[[Tensor], Tensor]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of the command."""
    add = parser.add_argument
    add("--out", type=Path, required=True, help="folder for the samples, their labels and the results")
    add("--face-api", type=Path, required=True, help="the folder package/model of @vladmandic/face-api")
    add("--samples", type=int, default=4000, help="number of samples (4000)")
    add(
        "--measured",
        type=int,
        default=40,
        help="number of held-out samples that are edited and measured (40)",
    )
    add("--threads", type=int, help="threads of the processor; default: torch's choice")


def run(parsed: argparse.Namespace) -> int:
    """Sample, label, fit, measure; returns the exit status, 1 where a folder cannot be used."""
    if parsed.threads is not None:
        torch.set_num_threads(parsed.threads)
    try:
        parsed.out.mkdir(parents=True, exist_ok=True)
        api = FaceApi(parsed.face_api)
    except OSError as error:
        print(f"gansr: {error}", file=sys.stderr)
        return 1
    net = weights.load(GENERATOR)
    draw = drawing(net)
    w = sample_codes(net.mapping, parsed.samples)
    table = labelled(w, draw, api, parsed.out / "labels.csv")
    spread = samples_of_w(net.mapping, net.style)
    found = fit(w, table, spread)
    write(parsed.out / "directions.safetensors", found, parsed.samples)
    held = w[train.held_out(len(w))][: parsed.measured]
    effects = measure(held, found, draw, api, table)
    (parsed.out / "report.md").write_text(report(found, effects))
    for name, direction in found.items():
        (parsed.out / f"sheet-{name}.png").write_bytes(edits(held[:SHEET_FACES], direction.step, draw))
    return 0


def drawing(net: Any) -> Draw:
    """Codes w (B,512) → pictures (B,3,SIDE,SIDE) in [0,1]; one at a time, in float32, so that machines agree."""
    snapshot = OptimisedMobileStyleGAN(net, torch.float32).snapshot()

    @torch.no_grad()
    def draw(w: Tensor) -> Tensor:
        rows = w[:, None].expand(-1, net.style_rows, -1)
        large = (snapshot.synthesis(rows[i : i + 1]) for i in range(len(w)))
        return torch.cat([(F.interpolate(x, (SIDE, SIDE), mode="area") / 2 + 0.5).clamp(0, 1) for x in large])

    return draw


@torch.no_grad()
def sample_codes(mapping: Callable[[Tensor], Tensor], count: int, style: int = 512) -> Tensor:
    """The codes (count, style), each between the mean and a free sample by its own truncation. A larger count begins
    with the same codes."""
    mean = samples_of_w(mapping, style).mean(0, keepdim=True)  # type: ignore[arg-type]
    codes = []
    for i in range(count):
        generator = torch.Generator().manual_seed(SEED * 1_000_003 + i)
        z = torch.randn(1, style, generator=generator)
        low, high = PSI
        codes.append(torch.lerp(mean, mapping(z), low + (high - low) * torch.rand(1, 1, generator=generator)))
    return torch.cat(codes)


def labelled(w: Tensor, draw: Draw, api: FaceApi, path: Path) -> dict[str, Tensor]:
    """The labels of the samples, name → (n,) with NaN for none; those that the file lacks are made and added."""
    rows: list[dict[str, str]] = []
    if path.exists():
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
    names = list(rows[0])[1:] if rows else list(ATTRIBUTES)
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, ["sample", *names])
        if not rows:
            writer.writeheader()
        for i in range(len(rows), len(w)):
            made = attributes(draw(w[i : i + 1]), api)
            row = {"sample": str(i)} | {name: f"{float(value):.5g}" for name, value in made.items()}
            writer.writerow(row)
            file.flush()
            rows.append(row)
    values = {name: [float(row.get(name) or "nan") for row in rows[: len(w)]] for name in names}
    return {name: torch.tensor(each, dtype=torch.float64) for name, each in values.items()}


def fit(w: Tensor, table: Mapping[str, Tensor], spread: Tensor) -> dict[str, train.Found]:
    """The directions of NAMED, each conditioned on every other attribute of the table.

    w (n,512) and its labels (n,); spread (m,512): samples that define the unit.
    """
    boundaries = {name: train.boundary(w, scores) for name, scores in table.items()}
    found = {}
    for name in NAMED:
        others = [each.normal for other, each in boundaries.items() if other != name]
        unit, deviation = train.direction(boundaries[name].normal, others, spread)
        found[name] = train.Found(unit, deviation, boundaries[name])
    return found


def write(path: Path, found: Mapping[str, train.Found], drawn: int) -> None:
    """The file that the app reads: "directions" (K,512) of length 1, "deviations" (K,), and what is known of each."""
    about = [
        {
            "name": name,
            "title": NAMED[name],
            "accuracy": round(each.boundary.accuracy, 4),
            "samples": each.boundary.samples,
            "drawn": drawn,
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


def measure(
    w: Tensor, found: Mapping[str, train.Found], draw: Draw, api: FaceApi, table: Mapping[str, Tensor]
) -> dict[str, dict[str, float]]:
    """Each direction's edits of w (n,512) by ±AMOUNT.

    For each attribute the mean change from − to +, in its standard deviations over the samples; "right": the share of
    faces whose own attribute rose; "identity": the mean similarity of both ends to the unedited face.
    """
    names = [name for name in table if name in ATTRIBUTES]
    deviation = {name: float(table[name][~table[name].isnan()].std()) for name in names}
    sessions = [weights.load(name) for name in ("scrfd-500m", "arcface-mbf")]
    pictures = {
        name: [draw(w + t * AMOUNT * each.step.float()) for t in (-1, 1)] for name, each in found.items()
    }
    plain = draw(w)
    known = [faces.detect(picture, sessions[0]) for picture in plain]
    kept = [i for i, each in enumerate(known) if each]
    first = [embed(plain[i], known[i][0].points, sessions[1]) for i in kept]
    effects = {}
    for name, (low, high) in pictures.items():
        before, after = attributes(low, api), attributes(high, api)
        change = {other: after[other] - before[other] for other in names}
        likeness = [
            float(embed(ends[i], known[i][0].points, sessions[1]) @ own)
            for ends in (low, high)
            for i, own in zip(kept, first)
        ]
        effects[name] = {other: float(each.mean()) / deviation[other] for other, each in change.items()}
        effects[name]["right"] = float((change[name] > 0).double().mean())
        effects[name]["identity"] = math.fsum(likeness) / max(len(likeness), 1)
    return effects


def report(found: Mapping[str, train.Found], effects: Mapping[str, Mapping[str, float]]) -> str:
    """Two Markdown tables: what each direction is, and what it changes."""
    lines = [
        "| direction | labeller | accuracy | samples | moved right | identity |",
        "|---|---|---|---|---|---|",
    ]
    for name, each in found.items():
        accuracy, right = f"{each.boundary.accuracy:.1%}", f"{effects[name]['right']:.0%}"
        lines.append(
            f"| {name} | {ATTRIBUTES[name]} | {accuracy} | {each.boundary.samples} | {right} "
            f"| {effects[name]['identity']:.2f} |"
        )
    columns = [name for name in next(iter(effects.values())) if name in ATTRIBUTES]
    lines += ["", f"| direction | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    for name, each in effects.items():
        cells = (f"**{each[other]:+.1f}**" if other == name else f"{each[other]:+.1f}" for other in columns)
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def edits(w: Tensor, step: Tensor, draw: Draw) -> bytes:
    """A PNG: a line for each of w (n,512), its edits from −3 to +3 standard deviations."""
    return sheet(
        [
            [(f"{t:+g} σ" if t else "not edited", "", draw(one + t * step)[0]) for t in SHEET_AMOUNTS]
            for one in w.split(1)
        ]
    )
