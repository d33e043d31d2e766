"""The configuration of a training of our GLEAN: stages, losses' weights, learning rates; read from JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal


@dataclass(frozen=True)
class Stage:
    """One stage of a training. "train": the losses on pictures; "invert": the bank's features behind known faces."""

    name: str
    kind: Literal["train", "invert"]
    steps: int
    lr: float  # learning rate of the plateau
    bank: bool = True  # whether the bank is attached
    batch: int = 4
    perceptual: float = 0.5  # weight of LPIPS on VGG16
    alex: float = 0.0  # weight of LPIPS on AlexNet; where it is not 0, LPIPS-Alex is no independent measure
    adversary: float = 0.0  # weight of the adversarial term
    tail: float = 0.3  # the last share of the steps, in which the learning rate falls to zero
    warm: int = 20  # the first steps, in which the learning rate rises


@dataclass(frozen=True)
class Config:
    """One training, from its first stage to its last."""

    stages: tuple[Stage, ...]
    net: Mapping[str, Any] = field(default_factory=dict)  # arguments of GleanOwn
    start: str = ""  # weights of the manifest to start from; empty: from nothing
    parts: tuple[str, ...] = ()  # submodules of GleanOwn that are trained, the others stay; empty: all
    degraded: float = 0.0  # share of the inputs with blur, noise and JPEG (gansr.papers.glean.degraded)
    faces: int = 4000  # synthetic faces to train on
    seed: int = 1
    held: int = 50  # held-out synthetic faces, for the measurements in the log
    held_seed: int = 2
    window: int = 18  # side of the window the upper half works on, px of the input
    margin: int = 1  # px of the input on each side of the window that the losses leave out
    shrunk: float = 0.1  # weight of |D r|: keeps the output plausible where the projection is switched off
    discriminator_lr: float = 2e-4
    clip: float = 1.0  # largest norm of the gradient
    average: float = 0.998  # decay of the averaged weights
    precision: str = "bfloat16"  # a dtype's name in torch

    @property
    def side(self) -> int:
        """The side of the enlarged picture, px."""
        return self.net.get("side", 32) * self.net.get("factor", 8)


def read_config(path: Path) -> Config:
    """A JSON file → Config. Raises TypeError naming a field that does not exist."""
    values: dict[str, Any] = json.loads(path.read_text())
    values["stages"] = tuple(Stage(**stage) for stage in values["stages"])
    values["parts"] = tuple(values.get("parts", ()))
    return Config(**values)


def learning_rate(stage: Stage, step: int) -> float:
    """The learning rate at a step of the stage: a short linear rise, a plateau, a cosine down to zero."""
    left = stage.steps - step
    tail = max(1.0, stage.tail * stage.steps)
    fall = 0.5 - 0.5 * math.cos(math.pi * min(1.0, left / tail))
    return stage.lr * min(1.0, (step + 1) / max(1, stage.warm)) * fall
