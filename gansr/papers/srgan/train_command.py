"""Train one of SRGAN's five networks on a folder of pictures, or fine-tune one for a kind of picture.

python -m gansr train srgan --variant srgan-vgg54 --data FOLDER --out FOLDER

  mse          SRResNet-MSE: close to the truth, soft
  vgg22        SRResNet-VGG22: VGG19 features of conv2_2 instead of pixels
  srgan-mse    SRGAN-MSE: pixels, and a discriminator
  srgan-vgg22  SRGAN-VGG22
  srgan-vgg54  SRGAN-VGG54, the paper's SRGAN: features of conv5_4, and a discriminator

The start is srresnet-krasserm-x4, as the paper starts from SRResNet-MSE; --from takes another, or "nothing". The same
command continues an interrupted run; SIGTERM ends it in good order. Written into --out: model.safetensors (float16)
with model.md, checkpoint.pt, log.jsonl, and a strip of crops at each evaluation; at the end of a training with
a discriminator also discriminator.safetensors, which draws its map (gansr.papers.srgan.patches). model.safetensors is
the latest network: PSNR says how near to the truth a network is, not how sharp. It is measured on pictures held out; of
fewer than five, on the same as are trained on.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import torch
from torch import Tensor, nn

from gansr import weights
from gansr.nets.vgg import Vgg19
from gansr.ops.resize import imresize
from gansr.papers.srgan import pairs, patches
from gansr.papers.srgan.discriminator import Discriminator
from gansr.papers.srgan.losses import TOTAL_VARIATION, VARIANTS
from gansr.papers.srgan.network import LAYOUTS, SHUFFLES, SRResNet
from gansr.papers.srgan.patches import PatchDiscriminator
from gansr.papers.srgan.train import Config, Training, exported, initialised, mean_psnr
from gansr.papers.training_loop import Pace, TrainingError, asked_to_end, folder_of, log_to, loop, read
from gansr.picture.strip import bare, sheet
from gansr.weights import WeightsError, files
from gansr.weights.tensors import mismatch, parse

START, PERCEPTUAL, JUDGE = "srresnet-krasserm-x4", "vgg19-normalised", "srgan-discriminator"
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
    add(
        "--minutes",
        type=float,
        default=math.inf,
        help="stop after this much computing in all; the second half at a tenth of the rate (no limit)",
    )
    add("--wall-clock", action="store_true", help="count the minutes by the clock, not as processor time")
    add("--lr", type=float, default=1e-4, help="learning rate (1e-4)")
    add("--batch", type=int, default=16, help="crops a step (16)")
    add("--vgg-maxima", action="store_true", help="VGG22 with maxima, as in the paper; else with averages")
    add(
        "--total-variation",
        type=float,
        default=TOTAL_VARIATION,
        help=f"weight of total variation, with VGG22 ({TOTAL_VARIATION:g}; the paper: 2e-8)",
    )
    add(
        "--norm",
        choices=("batch", "stored"),
        default="batch",
        help="what batch norm normalises with: the batch, as in the paper; or the statistics that the start has, for "
        "fine-tuning (batch)",
    )
    add(
        "--discriminator",
        default="nothing",
        help=f"what it starts from: {JUDGE}, a discriminator.safetensors of this command, or nothing (nothing)",
    )
    add("--warm-up", type=int, default=0, help="the first steps, in which the discriminator learns alone (0)")
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
    add(
        "--evaluate-seconds", type=float, default=math.inf, help="also at the start and after so many seconds"
    )
    add("--log-every", type=int, default=20, help="steps between lines of the log (20)")
    add("--keep-best", action="store_true", help="model.safetensors is that of the best PSNR: for mse")
    add("--bare-strips", action="store_true", help="strips without words and background, for a page")
    add("--no-checkpoint", action="store_true", help="write none: the training cannot be continued")
    add("--end-with-input", action="store_true", help="end, as by SIGTERM, when the standard input ends")
    add("--device", help="cpu or cuda; default: cuda where there is one")
    add("--threads", type=int, help="threads of the processor; default: torch's choice")


def run(parsed: argparse.Namespace) -> int:
    """Train as the flags say; returns the exit status, 1 where that is not possible."""
    if parsed.threads is not None:
        torch.set_num_threads(parsed.threads)
    try:
        with folder_of(parsed.out) as out, asked_to_end(parsed.end_with_input) as stopped:
            train(parsed, out, stopped)
    except (TrainingError, WeightsError, ValueError) as error:
        print(f"gansr: {error}", file=sys.stderr)
        return 1
    return 0


def train(parsed: argparse.Namespace, out: Path, stopped: Callable[[], bool] = lambda: False) -> None:
    """Train in a folder that is ours, until `stopped`. Raises TrainingError, WeightsError, ValueError."""
    if parsed.crop % 16 or parsed.crop % parsed.scale:
        raise ValueError(f"--crop must be a multiple of 16 and of the scale, not {parsed.crop}")
    device = torch.device(parsed.device or ("cuda" if torch.cuda.is_available() else "cpu"))
    log, checkpoint = log_to(out / "log.jsonl"), None if parsed.no_checkpoint else out / "checkpoint.pt"
    config = Config(
        parsed.variant,
        parsed.steps,
        parsed.lr,
        parsed.batch,
        parsed.crop,
        seed=parsed.seed,
        precision=parsed.precision,
        minutes=parsed.minutes,
        wall_clock=parsed.wall_clock,
        total_variation=parsed.total_variation,
        maxima=parsed.vgg_maxima,
        norm=parsed.norm,
        warm_up=parsed.warm_up,
    )
    found, held = pairs.load(
        parsed.data, out / "pictures.npz", parsed.scale, parsed.crop, lambda text: log({"text": text})
    )
    net = start_of(parsed.start, parsed.scale, parsed.layout, parsed.seed)
    vgg: Vgg19 | None = None if VARIANTS[config.variant].content == "mse" else weights.load(PERCEPTUAL)
    adversarial = VARIANTS[config.variant].adversarial
    judge = judge_of(parsed.discriminator, parsed.crop, parsed.seed) if adversarial else None
    cut = found if device.type == "cpu" else pairs.Resident(found, device)
    training = Training(config, net, cut, vgg, device, judge)
    best = -math.inf
    if checkpoint and checkpoint.exists():
        best = best_of(out / "log.jsonl") if parsed.keep_best else best
        try:
            training.restore(read(checkpoint, device))
        except ValueError as error:
            raise TrainingError(
                f"{checkpoint} cannot be continued: {error}; choose another folder"
            ) from error
    told = {name: value for name, value in vars(config).items() if value != math.inf}
    log({"config": told, "from": str(parsed.start), "pictures": len(found), "held": len(held)})
    seen = "the same" if len(held) == len(found) else "held-out"  # the pictures that are measured
    at = -1  # the step of the last evaluation

    def evaluate(stage: str) -> None:
        nonlocal at, best
        at, last = training.step, evaluated(training, held, out, parsed.bare_strips)
        log({"step": at, "evaluation": last})
        if last["psnr_y"] > best or not parsed.keep_best:
            write(training, net, parsed, f"Crops of {seen} pictures: {in_words(last)}", out)
        best = max(best, last["psnr_y"])

    pace = Pace(
        parsed.minutes, parsed.save_every, parsed.evaluate_every, parsed.evaluate_seconds, parsed.log_every
    )
    if math.isfinite(parsed.evaluate_seconds) and not training.step:
        evaluate("")
    loop(training, checkpoint, pace, log, evaluate=evaluate, stopped=stopped)
    if at != training.step:
        evaluate("")
    if training.done and training.discriminator is not None and not parsed.no_checkpoint:
        fitted, right = patches.fitted(
            training.discriminator, judged(training, found), judged(training, held)
        )
        files.write(out / "discriminator.safetensors", exported(fitted))
        log({"discriminator": f"patches of {seen} pictures that it tells apart", "share": round(right, 3)})


def best_of(log: Path) -> float:
    """The best PSNR in a log, dB; −∞ where there is none. A line that an interruption has cut short is passed over."""
    best = -math.inf
    for line in log.read_text().splitlines() if log.exists() else ():
        with suppress(ValueError):
            best = max(best, json.loads(line).get("evaluation", {}).get("psnr_y", best))
    return best


def judged(training: Training, pictures: pairs.Pairs, batches: int = 32) -> Iterator[tuple[Tensor, Tensor]]:
    """Crops of photographs and the averaged network's results of the same, in [−1,1]."""
    draws = torch.Generator().manual_seed(training.config.seed)
    for _ in range(batches):
        low, high = pictures.crops(training.config.batch, training.config.side, draws)
        yield high * 2 - 1, training.enlarge(low) * 2 - 1


def start_of(start: str, scale: int, layout: str, seed: int) -> SRResNet:
    """The network that the training starts from: of a name in the manifest, of a file, or with new weights. Weights of
    another factor give what both networks have, the rest is new. Raises TrainingError, WeightsError."""
    if start == "nothing":
        return new_network(layout, scale, seed)
    path = Path(start)
    if path.suffix == ".safetensors":
        net = SRResNet(layout, scale)
        net.load_state_dict(state_of(path, net, f"SRResNet in the layout {layout} at ×{scale}"))
        return net
    net = weights.load(start)
    if not isinstance(net, SRResNet) or (net.scale != scale and 3 in (net.scale, scale)):
        raise TrainingError(f"{start} is no SRResNet for a start at ×{scale}: choose weights at ×{scale}")
    if net.scale == scale:
        return net
    made = new_network(net.layout, scale, seed)
    state = made.state_dict()
    state.update((name, value) for name, value in net.state_dict().items() if name in state)
    made.load_state_dict(state)
    return made


def new_network(layout: str, scale: int, seed: int) -> SRResNet:
    """SRResNet with new weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return initialised(SRResNet(layout, scale))


def judge_of(start: str, side: int, seed: int) -> Discriminator | None:
    """The discriminator that the training starts from, for crops of `side` px; None: with new weights. Raises
    TrainingError, WeightsError."""
    if start == "nothing":
        return None
    path = Path(start)
    if path.suffix == ".safetensors":
        net = PatchDiscriminator()
        net.load_state_dict(state_of(path, net, "the patches of a discriminator"))
    else:
        net = weights.load(start)
        if not isinstance(net, PatchDiscriminator):
            raise TrainingError(f"{start} is no discriminator: choose {JUDGE}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return patches.whole(net, side)


def state_of(path: Path, net: nn.Module, what: str) -> dict[str, Tensor]:
    """The tensors of a file that fit `net`. Raises TrainingError, WeightsError."""
    try:
        state = parse(path.read_bytes())
    except OSError as error:
        raise TrainingError(f"{path} cannot be read: {error.strerror}") from error
    if differs := mismatch(net, state):
        raise TrainingError(f"{path} does not fit {what}: {differs}")
    return state


def evaluated(training: Training, held: pairs.Pairs, out: Path, plain: bool = False) -> dict[str, float]:
    """PSNR on Y of the held-out middles, and bicubic's; writes a strip of some of them. plain: without words."""
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
    drawn = bare([[picture for *_, picture in line] for line in lines]) if plain else sheet(lines)
    files.write(out / f"strip-{training.step:06d}.png", drawn)
    return {"psnr_y": round(mean_psnr(ours, true), 3), "bicubic_psnr_y": round(mean_psnr(cubic, true), 3)}


def in_words(measured: Mapping[str, float]) -> str:
    """What `evaluated` gives."""
    return f"{measured['psnr_y']} dB PSNR on Y, bicubic {measured['bicubic_psnr_y']} dB"


def write(training: Training, net: SRResNet, parsed: argparse.Namespace, measured: str, out: Path) -> None:
    """The network so far, and what it is; `measured`: how near to the truth, in words."""
    files.write(out / "model.safetensors", exported(training.average))
    config = training.config
    limited = math.isfinite(config.minutes)
    minutes = f", {training.spent / 60:.1f} of {config.minutes:g} minutes" if limited else ""
    told = f"- Discriminator: from {parsed.discriminator}, alone in the first {config.warm_up} steps"
    judging = [] if training.discriminator is None else [told]
    lines = (
        f"# SRResNet, variant {config.variant}, ×{net.scale}",
        "",
        f"- Network: gansr.papers.srgan.network:SRResNet, layout {net.layout}",
        f"- Started from: {parsed.start}; its licence stays",
        f"- Trained on: {len(training.pairs)} pictures of the folder {parsed.data.name}, {training.images} crops of "
        f"{config.side} px",
        f"- Steps: {training.step} of {config.steps}{minutes}, batch {config.batch}, learning rate {config.lr:g} and a "
        f"tenth of it, seed {config.seed}",
        f"- Batch norm: statistics of the {'batch' if config.norm == 'batch' else 'start, kept'}",
        *judging,
        f"- {measured}",
    )
    text = "\n".join(lines) + "\n"
    files.write(out / "model.md", text.encode())
