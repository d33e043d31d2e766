"""Train one of SRGAN's five networks on a folder of pictures, or fine-tune one for a kind of picture.

python -m gansr train srgan --variant srgan-vgg54 --data FOLDER --out FOLDER

  mse          SRResNet-MSE: close to the truth, soft
  vgg22        SRResNet-VGG22: VGG19 features of conv2_2 instead of pixels
  srgan-mse    SRGAN-MSE: pixels, and a discriminator
  srgan-vgg22  SRGAN-VGG22
  srgan-vgg54  SRGAN-VGG54, the paper's SRGAN: features of conv5_4, and a discriminator

The start is srresnet-krasserm-x4, as the paper starts from SRResNet-MSE; --from takes another, or "nothing". The same
command continues an interrupted run. Written into --out: model.safetensors (float16) with model.md, checkpoint.pt,
log.jsonl, and a strip of held-out crops at each evaluation.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from gansr import weights
from gansr.nets.vgg import Vgg19
from gansr.ops.resize import imresize
from gansr.papers.srgan import pairs as pictures
from gansr.papers.srgan.losses import VARIANTS
from gansr.papers.srgan.network import LAYOUTS, SHUFFLES, SRResNet
from gansr.papers.srgan.train import Config, Training, exported, initialised, mean_psnr
from gansr.papers.training_loop import Pace, TrainingError, folder_of, log_to, loop, read
from gansr.picture.strip import sheet
from gansr.weights import WeightsError, files
from gansr.weights.tensors import mismatch, parse

START, PERCEPTUAL = "srresnet-krasserm-x4", "vgg19-normalised"
LARGEST_STRIP = 192  # px, of the crops that are evaluated
SHOWN = 3  # crops of a strip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of the command."""
    add = parser.add_argument
    add("--variant", choices=list(VARIANTS), required=True, help="what the network is trained for, see above")
    add("--data", type=Path, required=True, help="a folder of pictures; the last of them are held out")
    add("--out", type=Path, required=True, help="folder for what is written")
    add(
        "--from",
        dest="start",
        default=START,
        help=f"weights to start from: a name, a safetensors file, or nothing ({START})",
    )
    add("--scale", type=int, default=4, choices=list(SHUFFLES), help="how many times larger (4)")
    add(
        "--layout",
        default="krasserm",
        choices=list(LAYOUTS),
        help="of a network that starts from nothing (krasserm)",
    )
    add("--steps", type=int, default=3000, help="steps in all; the second half at a tenth of the rate (3000)")
    add("--minutes", type=float, default=math.inf, help="stop after this much computing in all (no limit)")
    add("--lr", type=float, default=1e-4, help="learning rate (1e-4)")
    add("--batch", type=int, default=16, help="crops a step (16)")
    add("--crop", type=int, default=96, help="side of a crop of the truth, px (96)")
    add("--seed", type=int, default=0, help="of the crops and of new weights (0)")
    add(
        "--precision",
        choices=("float32", "bfloat16"),
        default="float32",
        help="of the convolutions (float32)",
    )
    add("--save-every", type=float, default=180, help="seconds between checkpoints (180)")
    add("--evaluate-every", type=int, default=200, help="steps between evaluations and strips (200)")
    add("--device", help="cpu or cuda; default: cuda where there is one")
    add("--threads", type=int, help="threads of the processor; default: torch's choice")


def run(parsed: argparse.Namespace) -> int:
    """Train as the flags say; returns the exit status, 1 where that is not possible."""
    if parsed.threads is not None:
        torch.set_num_threads(parsed.threads)
    try:
        with folder_of(parsed.out) as out:
            train(parsed, out)
    except (TrainingError, WeightsError, ValueError) as error:
        print(f"gansr: {error}", file=sys.stderr)
        return 1
    return 0


def train(parsed: argparse.Namespace, out: Path) -> None:
    """Train in a folder that is ours. Raises TrainingError, WeightsError, ValueError."""
    if parsed.crop % 16 or parsed.crop % parsed.scale:
        raise ValueError(f"--crop must be a multiple of 16 and of the scale, not {parsed.crop}")
    device = torch.device(parsed.device or ("cuda" if torch.cuda.is_available() else "cpu"))
    log, checkpoint = log_to(out / "log.jsonl"), out / "checkpoint.pt"
    config = Config(
        parsed.variant,
        parsed.steps,
        parsed.lr,
        parsed.batch,
        parsed.crop,
        seed=parsed.seed,
        precision=parsed.precision,
    )
    found, held = pictures.load(
        parsed.data, out / "pictures.npz", parsed.scale, parsed.crop, lambda text: log({"text": text})
    )
    net = start_of(parsed.start, parsed.scale, parsed.layout, parsed.seed)
    vgg: Vgg19 | None = None if VARIANTS[config.variant].content == "mse" else weights.load(PERCEPTUAL)
    training = Training(config, net, found, vgg, device)
    if checkpoint.exists():
        try:
            training.restore(read(checkpoint, device))
        except ValueError as error:
            raise TrainingError(
                f"{checkpoint} cannot be continued: {error}; choose another folder"
            ) from error
    log({"config": vars(config), "from": str(parsed.start), "pictures": len(found), "held": len(held)})
    last: dict[str, float] = {}

    def evaluate(stage: str) -> None:
        last.update(evaluated(training, held, out))
        log({"step": training.step, "evaluation": last})
        write(training, net, parsed, last, out)

    pace = Pace(parsed.minutes, parsed.save_every, parsed.evaluate_every)
    loop(training, checkpoint, pace, log, evaluate=evaluate)
    if not last:
        evaluate("")


def start_of(start: str, scale: int, layout: str, seed: int) -> SRResNet:
    """The network that the training starts from: of a name in the manifest, of a file, or with new weights.
    Raises TrainingError, WeightsError."""
    if start == "nothing":
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return initialised(SRResNet(layout, scale))
    path = Path(start)
    if path.suffix == ".safetensors":
        net = SRResNet(layout, scale)
        try:
            state = parse(path.read_bytes())
        except OSError as error:
            raise TrainingError(f"{path} cannot be read: {error.strerror}") from error
        if differs := mismatch(net, state):
            raise TrainingError(f"{path} does not fit SRResNet in the layout {layout} at ×{scale}: {differs}")
        net.load_state_dict(state)
        return net
    net = weights.load(start)
    if not isinstance(net, SRResNet) or net.scale != scale:
        raise TrainingError(f"{start} is no SRResNet at ×{scale}: choose weights that enlarge {scale} times")
    return net


def evaluated(training: Training, held: pictures.Pairs, out: Path) -> dict[str, float]:
    """PSNR on Y of the held-out middles, and bicubic's; writes a strip of some of them."""
    sides = min(min(low.shape[:2]) for low in held.low) * held.scale
    side = min(LARGEST_STRIP, sides // held.scale * held.scale)
    low, true = held.middles(side)
    ours = torch.cat([training.enlarge(each[None]) for each in low])
    cubic = torch.stack([imresize(each, held.scale).clamp(0, 1) for each in low])
    lines = [
        [
            ("bicubic", "", cubic[i]),
            ("this network", f"step {training.step}", ours[i]),
            ("truth", "", true[i]),
        ]
        for i in range(min(SHOWN, len(low)))
    ]
    files.write(out / f"strip-{training.step:06d}.png", sheet(lines))
    return {"psnr_y": round(mean_psnr(ours, true), 3), "bicubic_psnr_y": round(mean_psnr(cubic, true), 3)}


def write(
    training: Training, net: SRResNet, parsed: argparse.Namespace, measured: Mapping[str, Any], out: Path
) -> None:
    """The network so far, and what it is."""
    files.write(out / "model.safetensors", exported(training.average))
    config = training.config
    lines = (
        f"# SRResNet, variant {config.variant}, ×{net.scale}",
        "",
        f"- Network: gansr.papers.srgan.network:SRResNet, layout {net.layout}",
        f"- Started from: {parsed.start}; its licence stays",
        f"- Trained on: {len(training.pairs)} pictures of the folder {parsed.data.name}, {training.images} crops of "
        f"{config.side} px",
        f"- Steps: {training.step} of {config.steps}, batch {config.batch}, learning rate {config.lr:g} and a tenth of "
        f"it, seed {config.seed}",
        f"- Held-out crops: {measured['psnr_y']} dB PSNR on Y, bicubic {measured['bicubic_psnr_y']} dB",
    )
    text = "\n".join(lines) + "\n"
    files.write(out / "model.md", text.encode())
