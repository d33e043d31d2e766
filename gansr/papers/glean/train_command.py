"""python -m gansr train glean --config gansr/train/glean-face-x8.json --out FOLDER [--minutes M] …

Trains our GLEAN from nothing but the registry's weights: the prior makes the faces. The same command continues
an interrupted run; a changed configuration (other steps, another tail) holds from there on. --minutes counts
processor minutes of one thread on the CPU, so that a busy machine changes the wall clock and not the training;
on a GPU it counts seconds that pass.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault(
    "OMP_WAIT_POLICY", "PASSIVE"
)  # idle threads that spin take the core from those that work

import numpy as np
import torch
from torch import Tensor
from torch.nn import Module

from gansr import weights
from gansr.papers.glean.synthetic import cache, face
from gansr.papers.glean.train import Kit, Training, described, exported, plain, read_config, report

PRIOR, PERCEPTUAL, JUDGED_BY = "mobilestylegan-ffhq-1024", "lpips-vgg", "lpips-alex"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m gansr train glean", description=__doc__)
    parser.add_argument("what", choices=("glean",))
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="checkpoints, log.jsonl, model.safetensors")
    parser.add_argument("--faces", type=Path, help="where synthesised faces are kept (default: OUT/faces)")
    parser.add_argument("--real", type=Path, help="a folder of aligned face pictures to train on as well")
    parser.add_argument(
        "--from", dest="start", type=Path, help="a checkpoint whose networks the run begins with"
    )
    parser.add_argument(
        "--minutes", type=float, default=float("inf"), help="stop after so much computing in all"
    )
    parser.add_argument("--save-every", type=float, default=180, help="seconds between checkpoints")
    parser.add_argument("--look-every", type=int, default=200, help="steps between looks at held-out faces")
    parser.add_argument("--look-at", type=int, default=16, help="how many held-out faces a look takes")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--eager", action="store_true", help="without torch.compile (no C++ compiler needed)")
    return parser.parse_args()


def main() -> None:
    given = arguments()
    given.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(given.threads)
    config = read_config(given.config)
    say = log_to(given.out / "log.jsonl")
    bank = weights.load(PRIOR)
    compiled = plain if given.eager else torch.compile
    side = config.net.get("side", 32) * config.net.get("factor", 8)
    folder = given.faces or given.out / "faces"
    draw = drawer(bank, given.device, compiled, getattr(torch, config.precision))
    made = {"bank": bank, "side": side, "draw": draw, "say": lambda text: say({"text": text})}
    faces = cache(folder, count=config.faces, seed=config.seed, cut=True, **made)
    held = cache(folder, count=config.held, seed=config.held_seed, cut=False, **made)
    whole = np.array([i for i in range(config.faces) if face(config.seed, i, bank.style).side == 1])
    pictures = faces if given.real is None else with_real(faces, given.real, side)
    kit = Kit(
        bank,
        weights.load(PERCEPTUAL),
        weights.load(JUDGED_BY),
        pictures,
        whole,
        torch.device(given.device),
        compiled,
    )
    training = Training(config, kit)
    checkpoint = given.out / "checkpoint.pt"
    if checkpoint.exists():
        training.restore(torch.load(checkpoint, map_location=given.device, weights_only=True))
    elif given.start is not None:
        training.restore(
            torch.load(given.start, map_location=given.device, weights_only=True), only_nets=True
        )
    say({"config": described(config), "torch": torch.__version__, "device": given.device})
    run(training, held, given, checkpoint, say)


def run(
    training: Training,
    held: np.ndarray,
    given: argparse.Namespace,
    checkpoint: Path,
    say: Callable[[dict[str, Any]], None],
) -> None:
    """Steps until all stages are done or the minutes are spent, with checkpoints and looks."""
    distance = distance_of(weights.load(JUDGED_BY))
    saved, began, start = time.monotonic(), time.monotonic(), training.images
    while not training.done and training.spent < 60 * given.minutes:
        stage, step = training.now, training.step
        terms = training.one()
        if step % 20 == 0:
            passed = time.monotonic() - began
            readings = {name: round(float(term), 5) for name, term in terms.items()}
            where = {"stage": stage.name, "step": step, "images": training.images}
            clock = {"cpu_minutes": round(training.spent / 60, 2), "seconds": round(passed)}
            say({**where, **clock, **readings, "a_second": round((training.images - start) / passed, 2)})
        if training.done or training.step == 0 or (step + 1) % given.look_every == 0:
            look(training, stage.bank and stage.kind == "train", held[: given.look_at], distance, say)
        if training.done or training.step == 0 or time.monotonic() - saved > given.save_every:
            save(training, checkpoint)
            saved = time.monotonic()
            if training.step == 0:
                save(training, checkpoint.with_name(f"after-{stage.name}.pt"))
    save(training, checkpoint)
    (given.out / "model.safetensors").write_bytes(exported(training.average))
    bank = training.config.stages[-1].bank
    look(training, bank, held, distance, say)


def look(
    training: Training,
    bank: bool,
    held: np.ndarray,
    distance: Callable[[Tensor, Tensor], float],
    say: Callable[[dict[str, Any]], None],
) -> None:
    """PSNR, LPIPS and consistency against bicubic's on held-out faces, into the log."""
    truths = torch.from_numpy(np.array(held)).permute(0, 3, 1, 2).float() / 255
    found = report(lambda low: training.enlarge(low, bank), truths, training.net.factor, distance)
    say({"look": {name: round(value, 4) for name, value in found.items()}, "images": training.images})


def save(training: Training, path: Path) -> None:
    """Written beside and moved into place, so that an interruption leaves the last one whole."""
    part = path.with_suffix(".part")
    torch.save(training.state(), part)
    part.replace(path)


def drawer(
    bank: Any, device: str, compiled: Callable[..., Any], dtype: torch.dtype
) -> Callable[[Tensor], Tensor]:
    """Style rows → pictures by a copy of the bank in the fast precision, made and compiled at the first use."""
    ready: list[Any] = []

    def draw(rows: Tensor) -> Tensor:
        if not ready:
            from copy import deepcopy

            copy = deepcopy(bank).to(device)
            copy.body.to(dtype=dtype, memory_format=torch.channels_last)
            ready.append(compiled(copy.synthesis))
        return ready[0](rows.to(device)).float().cpu()

    return draw


def distance_of(lpips: Module) -> Callable[[Tensor, Tensor], float]:
    """LPIPS of two pictures (3,H,W) in [0,1]."""

    @torch.no_grad()
    def distance(a: Tensor, b: Tensor) -> float:
        return float(lpips(a[None], b[None]))

    return distance


def with_real(faces: np.ndarray, folder: Path, side: int) -> np.ndarray:
    """The synthetic faces and, behind them, the real ones of a folder, shrunk to `side`.

    Raises ValueError where the folder holds no picture, or one that is not square.
    """
    from gansr.ops.resize import imresize
    from gansr.picture import open_picture

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
    return np.concatenate([np.asarray(faces), np.stack(real)])


def log_to(path: Path) -> Callable[[dict[str, Any]], None]:
    def say(record: dict[str, Any]) -> None:
        line = json.dumps({"at": time.strftime("%H:%M:%S"), **record})
        print(line, flush=True)
        with path.open("a") as log:
            log.write(line + "\n")

    return say


if __name__ == "__main__":
    main()
