"""A method that needs no weights, for the tests of what stands above the methods."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from gansr.method import Accepts, Cost, Curve, Frame, Heat, Method, MethodError, Nets, Paper
from gansr.options import option


@dataclass(frozen=True)
class Options:
    steps: int = option(5, "how many steps", min=1, max=1000)
    scale: int = option(2, "how many times larger", min=1, max=8)
    break_at: int = option(0, "the step at which it goes wrong", min=0, max=1000)
    kind: str = option("nan", "how it goes wrong", choices=("nan", "memory", "refuse"))
    tile: int = option(64, "the size of a piece", min=1, max=64)


def run(low: Tensor, options: Options, nets: Nets, generator: torch.Generator) -> Iterator[Frame]:
    image = low.repeat_interleave(options.scale, 1).repeat_interleave(options.scale, 2)
    noise = torch.rand(image.shape, generator=generator).to(low)
    for step in range(1, options.steps + 1):
        if step == options.break_at:
            if options.kind == "memory" and options.tile == 64:
                raise torch.OutOfMemoryError("full")
            if options.kind == "refuse":
                raise MethodError("no good kernel was found: try another seed")
            if options.kind == "nan":
                image = image * float("nan")
        share = step / options.steps
        yield Frame(
            image * (1 - 0.1 * share) + 0.1 * share * noise,
            step,
            options.steps,
            readings={"loss": 1 - share},
            files={"map.npy": b"a map", "map.csv": b"a table"} if step == options.steps else {},
            views={
                "loss": Curve({"loss": tuple(1 - i / options.steps for i in range(step))}),
                "map": Heat(noise[0]),
            },
        )


FAKE = Method(
    name="fake",
    title="Fake",
    summary="Adds noise.",
    paper=Paper("Nobody", 2026, "Nowhere", "On Nothing", "https://example.org", "MIT", "tests.", "people."),
    scales=(2,),
    options=Options,
    presets={"Quick": {"steps": 5}, "Long": {"steps": 50}},
    accepts=Accepts(min_side=4, max_pixels=10_000),
    cost=lambda height, width, options: Cost(1e3 * height * width * options.steps, 12.0 * height * width),
    run=run,
    cli_flags={"brief": {"steps": 1}},
    save="save-map",
    smaller=lambda options: Options(**{**vars(options), "tile": options.tile // 2}),
)
