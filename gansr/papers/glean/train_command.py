"""Train a GLEAN model that this project ships: glean-face-x8, its robust form, or ×16.

python -m gansr train glean --config gansr/papers/glean/glean-face-x8.json --out FOLDER

The prior draws the training faces, so nothing is needed but weights that can be fetched. The same command continues an
interrupted run; changes of the configuration (more steps, another tail) take effect from there on. --minutes counts
processor minutes of one thread on the CPU, so that a busy machine changes the wall-clock time and not the training; on
a GPU it counts minutes of wall-clock time.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import Module

from gansr import weights
from gansr.nets.mobilestylegan import MobileStyleGAN
from gansr.ops.resize import imresize
from gansr.papers.glean.config import Config, read_config
from gansr.papers.glean.degraded import degraded
from gansr.papers.glean.report import report
from gansr.papers.glean.synthetic import cache, drawn, face
from gansr.papers.glean.train import Resources, Training, exported, uncompiled
from gansr.papers.training_loop import Log, Pace, TrainingError, folder_of, log_to, loop, read, save
from gansr.picture import open_picture
from gansr.weights import files

PRIOR, PERCEPTUAL, EVALUATED_BY = "mobilestylegan-ffhq-1024", "lpips-vgg", "lpips-alex"

Compile = Callable[[Callable[..., Any]], Callable[..., Any]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of the command."""
    add = parser.add_argument
    add("--config", type=Path, required=True, help="a JSON file, see gansr.papers.glean.config")
    add("--out", type=Path, required=True, help="folder for checkpoints, log.jsonl and model.safetensors")
    add("--faces", type=Path, help="folder for the synthetic faces (OUT/faces)")
    add("--real", type=Path, help="a folder of aligned face pictures to train on as well")
    add("--from", dest="start", type=Path, help="a checkpoint whose networks the run starts with")
    add(
        "--minutes", type=float, default=float("inf"), help="stop after this much computing in all (no limit)"
    )
    add("--save-every", type=float, default=180, help="seconds between checkpoints (180)")
    add("--evaluate-every", type=int, default=200, help="steps between evaluations on held-out faces (200)")
    add("--evaluate-faces", type=int, default=16, help="number of held-out faces of an evaluation (16)")
    add("--device", help="cpu or cuda; default: cuda where there is one")
    add("--threads", type=int, help="threads of the processor; default: torch's choice")
    add("--eager", action="store_true", help="without torch.compile, which needs a C++ compiler")


def run(parsed: argparse.Namespace) -> int:
    """Train as the flags say; returns the exit status, 1 where the configuration or a folder cannot be used."""
    try:
        config = read_config(parsed.config)
    except (OSError, TypeError, ValueError) as error:
        print(f"gansr: {parsed.config} cannot be used: {error}", file=sys.stderr)
        return 1
    if parsed.threads is not None:
        torch.set_num_threads(parsed.threads)
    try:
        real = None if parsed.real is None else real_faces(parsed.real, config.side)
        with folder_of(parsed.out):
            train(parsed, config, real)
    except (OSError, ValueError, TrainingError) as error:
        print(f"gansr: {error}", file=sys.stderr)
        return 1
    return 0


def train(parsed: argparse.Namespace, config: Config, real: np.ndarray | None) -> None:
    """Train in a folder that is ours. Raises TrainingError."""
    device = torch.device(parsed.device or ("cuda" if torch.cuda.is_available() else "cpu"))
    log = log_to(parsed.out / "log.jsonl")
    compiler: Compile = uncompiled if parsed.eager else torch.compile
    resources, held = prepare(config, parsed.faces or parsed.out / "faces", real, device, compiler, log)
    training = Training(config, resources)
    checkpoint = parsed.out / "checkpoint.pt"
    if config.start:
        training.start_from(weights.load(config.start).state_dict())
    if checkpoint.exists():
        training.restore(read(checkpoint, device))
    elif parsed.start is not None:
        training.restore(read(parsed.start, device), only_nets=True)
    log({"config": asdict(config), "torch": torch.__version__, "device": str(device)})
    steps(training, held, parsed, checkpoint, log)


def prepare(
    config: Config, folder: Path, real: np.ndarray | None, device: torch.device, compiler: Compile, log: Log
) -> tuple[Resources, np.ndarray]:
    """The networks, and the faces to train on and to evaluate on, (N,S,S,3) uint8. Synthetic faces are kept in
    `folder`; for a GPU, which draws them in seconds, in its memory."""
    bank = weights.load(PRIOR)
    kinds = ((config.faces, config.seed, True), (config.held, config.held_seed, False))
    dtype = getattr(torch, config.precision)
    if device.type == "cpu":
        draw = synthesiser(bank, device, compiler, dtype)
        faces, held = (
            cache(
                folder, bank, count=count, seed=seed, side=config.side, cut=cut, draw=draw, progress=said(log)
            )
            for count, seed, cut in kinds
        )
        pictures = faces if real is None else np.concatenate([np.asarray(faces), real])
    else:
        pictures, others = (
            drawn(bank, count=count, seed=seed, side=config.side, cut=cut, device=device, dtype=dtype)
            for count, seed, cut in kinds
        )
        held = others.cpu().numpy()
        if real is not None:
            pictures = torch.cat((pictures, torch.from_numpy(real).to(device)))
    whole = np.array([i for i in range(config.faces) if face(config.seed, i, bank.style).side == 1])
    networks = (bank, weights.load(PERCEPTUAL), weights.load(EVALUATED_BY))
    return Resources(*networks, pictures, whole, device, compiler), held


def said(log: Log) -> Callable[[str], None]:
    """Texts, into the log."""
    return lambda text: log({"text": text})


def steps(
    training: Training, held: np.ndarray, parsed: argparse.Namespace, checkpoint: Path, log: Log
) -> None:
    """Steps until all stages are done or the minutes are spent, with checkpoints, evaluations and a log."""
    distance = distance_of(training.alex)
    stages = {stage.name: stage for stage in training.config.stages}

    def measure(name: str) -> None:
        bank = stages[name].bank and stages[name].kind == "train"
        evaluate(training, bank, held[: parsed.evaluate_faces], distance, log)

    def stage_ended(
        name: str,
    ) -> None:  # first: the run is taken up from the other one, which must not be ahead
        save(training, checkpoint.with_name(f"after-{name}.pt"))

    pace = Pace(parsed.minutes, parsed.save_every, parsed.evaluate_every)
    loop(training, checkpoint, pace, log, evaluate=measure, stage_ended=stage_ended)
    files.write(parsed.out / "model.safetensors", exported(training.average))
    evaluate(training, training.config.stages[-1].bank, held, distance, log)


def evaluate(
    training: Training,
    bank: bool,
    held: np.ndarray,
    distance: Callable[[Tensor, Tensor], float],
    log: Log,
) -> None:
    """PSNR, LPIPS and LR-consistency on held-out faces (N,S,S,3) uint8, with bicubic's beside, into the log."""
    truths = torch.from_numpy(np.array(held)).permute(0, 3, 1, 2).float() / 255
    truths = truths.to(training.resources.device)
    share, factor = training.config.degraded, training.net.factor

    def shrink(i: int, truth: Tensor) -> Tensor:
        return degraded(truth, factor, 1.0, torch.Generator().manual_seed(i))

    found = report(
        lambda low: training.enlarge(low, bank), truths, factor, distance, shrink if share else None
    )
    log({"evaluation": {name: round(value, 4) for name, value in found.items()}, "images": training.images})


def synthesiser(
    bank: MobileStyleGAN, device: torch.device, compiler: Compile, dtype: torch.dtype
) -> Callable[[Tensor], Tensor]:
    """Style rows → pictures (B,3,S,S) float32, by a copy of the bank in `dtype`, compiled at the first call."""
    ready: list[Callable[..., Any]] = []

    def draw(rows: Tensor) -> Tensor:
        if not ready:
            copied = deepcopy(bank).to(device)
            copied.body.to(dtype=dtype).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
            ready.append(compiler(copied.synthesis))
        return ready[0](rows.to(device)).float().cpu()

    return draw


def distance_of(lpips: Module) -> Callable[[Tensor, Tensor], float]:
    """LPIPS of two pictures (3,H,W) in [0,1]."""

    @torch.no_grad()
    def distance(a: Tensor, b: Tensor) -> float:
        return float(lpips(a[None], b[None]))

    return distance


def real_faces(folder: Path, side: int) -> np.ndarray:
    """The pictures of a folder, downscaled to `side`: (N,side,side,3) uint8.

    Raises ValueError where the folder holds no picture, or one that is not square.
    """
    paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in {".png", ".jpg", ".jpeg", ".webp"})
    if not paths:
        raise ValueError(f"{folder} holds no picture")
    real = []
    for path in paths:
        rgb = open_picture(path).rgb
        if rgb.shape[1] != rgb.shape[2]:
            raise ValueError(f"{path} is {rgb.shape[2]}×{rgb.shape[1]} px: an aligned face is square")
        small = imresize(rgb, (side, side), rounded=True)
        real.append((small * 255).round().byte().permute(1, 2, 0).numpy())
    return np.stack(real)
