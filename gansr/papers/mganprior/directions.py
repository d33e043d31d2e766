"""The named editing directions that this project ships, for MobileStyleGAN (FFHQ) in its w.

They were found on that generator's own samples by `python -m gansr train mganprior` (the mathematics: `train`). The
file has about 16 kB and stands beside this module: a table of numbers, no network, so the manifest does not list it.
docs/directions.md has the accuracies, the effects, what else each direction changes, and the limits.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

from safetensors import safe_open
from torch import Tensor

GENERATOR = "mobilestylegan-ffhq-1024"
FILE = Path(__file__).with_name("directions.safetensors")
NAMED: Mapping[str, str] = MappingProxyType(  # name → what the page shows, from minus to plus; the best first
    {
        "age": "Age: younger – older",
        "smile": "Smile: none – broad",
        "eyes": "Eyes: narrow – wide open",
        "glasses": "Glasses and contrast: less – more",
        "hair": "Hair: dark – fair",
        "yaw": "Pose: to the left – to the right",
        "pitch": "Pose: up – down",
    }
)


@dataclass(frozen=True)
class Direction:
    """A named direction of w, and how it was found."""

    step: (
        Tensor  # (1,512) float32: an amount of 1, one standard deviation of the generator's samples along it
    )
    accuracy: float  # 0…1: how often its score tells the ends of the attribute apart, on held-out samples
    samples: int  # it was made from
    held: int  # held-out samples
    labeller: str  # what measured the attribute


@cache
def shipped() -> Mapping[str, Direction]:
    """Name → direction, of the shipped file."""
    with safe_open(FILE, "pt") as file:
        about = json.loads(file.metadata()["directions"])
        units, deviations = file.get_tensor("directions"), file.get_tensor("deviations")
    steps = (units * deviations[:, None]).split(1)
    return MappingProxyType(
        {
            each["name"]: Direction(step, each["accuracy"], each["samples"], each["held"], each["labeller"])
            for each, step in zip(about, steps)
        }
    )
