"""The training of our GLEAN on a device that refuses tensors of the CPU (gansr's tests.support.fake_device), beside the
same training on the CPU.

    python -m tests.support.fake_training      the losses of both, as JSON
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
import torch

from gansr.nets.alexnet import LpipsAlex
from gansr.nets.mobilestylegan import MobileStyleGAN
from gansr.nets.vgg import LpipsVgg
from gansr.papers.glean import train
from gansr.papers.glean.config import Config, Stage
from gansr.papers.glean.report import psnr
from gansr.papers.glean.synthetic import drawn
from gansr.papers.glean.train import Resources, Training, exported
from gansr.papers.glean.train_command import evaluate
from tests.support.fake_device import NAME, InPython, register

CHANNELS = (16, 16, 16, 16, 8)
NET = {
    "side": 8, "factor": 8, "bank": CHANNELS, "style": 12, "channels": 8, "growth": 4, "blocks": 1, "wide": 8,
    "pyramid": 8, "latent": 8, "decoder": (8, 8, 8), "taps": (4, 4, 4),
}  # fmt: skip
STAGES = (
    Stage("plain", "train", 2, 2e-3, bank=False, batch=2),
    Stage("invert", "invert", 2, 1e-3, batch=2),
    Stage("full", "train", 2, 2e-3, batch=2, alex=0.1, adversary=0.01),
)
CONFIG = Config(STAGES, net=NET, faces=6, window=6, precision="float32")
ROBUST = Config(
    (Stage("robust", "train", 2, 2e-3, batch=2, adversary=0.01),),
    net=NET | {"projected": False}, degraded=0.9, faces=6, window=6, precision="float32",
)  # fmt: skip


def losses(training: Training) -> list[float]:
    """The losses of all steps. Its pictures are drawn from one generator, as on the CPU."""
    training.dice = training.draws
    found = []
    while not training.done:
        found.append(float(training.do_step()["total"].cpu()))
    return found


def main() -> None:
    """Print {"cpu": …, "device": …, "robust": …, "evaluation": …, "exported": …}."""
    register()
    torch.set_num_threads(1)
    train.generator_on = lambda device, seed: torch.Generator().manual_seed(
        seed
    )  # this device has none of its own
    with InPython():
        torch.manual_seed(3)
        bank = MobileStyleGAN(CHANNELS, style=12, mapping_layers=2).requires_grad_(False).eval()
        nets = (bank, LpipsVgg(), LpipsAlex())
        device, cpu = torch.device(NAME), torch.device("cpu")
        given: dict[str, Any] = {"count": 6, "seed": 1, "side": 64, "cut": True, "dtype": torch.float32}
        faces = {place: drawn(bank, device=place, batch=4, **given) for place in (cpu, device)}
        whole = np.arange(6)
        pair = [Training(CONFIG, Resources(*nets, faces[place], whole, place)) for place in (cpu, device)]
        found: dict[str, Any] = {name: losses(one) for name, one in zip(("cpu", "device"), pair)}
        again = Training(ROBUST, Resources(*nets, faces[device], whole, device))
        again.start_from(pair[1].average.state_dict())
        found["robust"] = losses(again)
        logged: list[Any] = []
        for one in (pair[1], again):
            held = faces[cpu][:1].numpy()
            evaluate(one, True, held, lambda a, b: psnr(a.cpu(), b.cpu()), logged.append)
        found["evaluation"] = [each["evaluation"]["psnr"] for each in logged]
        found["exported"] = len(exported(pair[1].average))
        found["faces"] = int((faces[cpu].int() - faces[device].cpu().int()).abs().max())
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
