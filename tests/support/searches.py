"""A search that needs no weights and can be left after each step."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from gansr.method import Frame, MethodError, Nets, State
from gansr.options import option
from tests.support.fakes import FAKE


@dataclass(frozen=True)
class Options:
    steps: int = option(20, "how many steps", min=1, max=10_000)
    seconds: float = option(0.01, "of a step", min=0.0, max=10.0)
    scale: int = option(2, "how many times larger", min=1, max=8)
    fails_at: int = option(0, "the step at which it has to stop", min=0, max=10_000)
    breaks_at: int = option(0, "the step at which the program breaks", min=0, max=10_000)


def resume(
    low: Tensor, options: Options, nets: Nets, generator: torch.Generator, state: State
) -> Iterator[Frame]:
    image = state["image"]
    for step in range(state["step"] + 1, options.steps + 1):
        time.sleep(options.seconds)
        if step == options.fails_at:
            raise MethodError("no good kernel was found: try another seed")
        if step == options.breaks_at:
            raise KeyError("a fault of ours")
        image = (image * 0.9 + 0.0137 * step) % 1
        saved = {"step": step, "image": image}
        yield Frame(image, step, options.steps, save=lambda saved=saved: saved)


def run(low: Tensor, options: Options, nets: Nets, generator: torch.Generator) -> Iterator[Frame]:
    image = low.repeat_interleave(options.scale, 1).repeat_interleave(options.scale, 2)
    noise = torch.rand(image.shape, generator=generator)
    return resume(low, options, nets, generator, {"step": 0, "image": (image + noise) % 1})


def _generator(*given: Any) -> Iterator[Frame]:
    yield from run(*given)


SEARCH = replace(FAKE, name="search", options=Options, presets={"Quick": {}}, run=_generator, resume=resume)
