"""PULSE's generators, options and presets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from gansr.nets import encoder
from gansr.ops import sphere
from gansr.options import OptionError, option


class Generator(NamedTuple):
    side: int  # of its pictures, px
    operations: float  # FLOP of one step, forward and backward, counted by torch
    memory: float  # peak bytes of a whole process with one sample in float32, measured


GENERATORS: Mapping[str, Generator] = {
    "mobilestylegan-ffhq-1024": Generator(1024, 29e9, 1.7e9),
    "stylegan1-ffhq-1024": Generator(1024, 111e9, 1.7e9),
    "stylegan2-ffhq-1024": Generator(1024, 299e9, 4.2e9),
    "stylegan2-cat": Generator(256, 181e9, 1.5e9),
    "stylegan2-church": Generator(256, 181e9, 1.5e9),
    "stylegan2-car": Generator(512, 240e9, 2.4e9),
    "stylegan2-horse": Generator(256, 181e9, 1.5e9),
}
GLEAN_ROWS = "glean"
SIDES = ("8", "16", "32", "64", "128", "256")  # of the input, px


@dataclass(frozen=True)
class Options:
    """What the user can set. Raises OptionError where the text of `loss` or `zero_maps` cannot be read, or the input
    would not be enlarged."""

    generator: str = option(
        "mobilestylegan-ffhq-1024",
        "the network whose pictures are searched",
        choices=tuple(GENERATORS),
        changes_input=True,
    )
    side: str = option(
        "32",
        "width and height of the input picture",
        title="Input side (px)",
        choices=SIDES,
        changes_input=True,
    )
    samples: int = option(1, "how many results, each from its own random start", min=1, max=8)
    start: str = option(
        "random",
        "where the search begins: at random, as in the paper, or at the latent rows that our GLEAN finds in the input, "
        "for 32 px and the first generator",
        title="Search start",
        choices=("random", GLEAN_ROWS),
        labels={"random": "Random", GLEAN_ROWS: "GLEAN's rows"},
    )
    steps: int = option(95, "optimisation steps per sample", min=1, max=2000)
    loss: str = option(
        "100*L2+0.002*GEOCROSS", "what is minimised: a sum of weight*TERM with the terms L2, L1 and GEOCROSS"
    )
    eps: float = option(
        2e-3,
        "a sample is consistent with the input if its downscaled mean squared error is at most this",
        title="Error threshold (mean squared error)",
        min=0,
        max=1,
    )
    keep: str = option(
        "best",
        "of each sample, the picture with the smallest loss or that of the last step",
        title="Which result to keep",
        choices=("best", "last"),
    )
    on_sphere: bool = option(
        True,
        "each latent stays at the distance from the origin where it started, as in the paper; off, plain descent may "
        "leave the region where the generator draws faces",
        title="Search on the sphere",
    )
    optimiser: str = option("adam", "the gradient-based optimiser", choices=tuple(sphere.OPTIMISERS))
    rate: float = option(0.7, "the largest learning rate", title="Learning rate", min=1e-4, max=10)
    schedule: str = option(
        "linear1cycledrop",
        "how the learning rate changes over the steps",
        title="Learning rate schedule",
        choices=sphere.SCHEDULES,
    )
    noise: str = option(
        "trainable",
        "whether the generator's noise maps are searched too, fixed or zero; MobileStyleGAN has none",
        title="Noise maps",
        choices=("trainable", "fixed", "zero"),
    )
    trainable_maps: int = option(
        5,
        "how many noise maps are searched, counted from the coarsest",
        title="Searched noise maps",
        min=0,
        max=18,
    )
    zero_maps: str = option(
        "17",
        "the numbers of the noise maps set to zero, counted from 0 and separated by dots: 15.16.17",
        title="Zero noise maps",
    )
    fine_rows: str = option(
        "mean",
        "the style rows of layers finer than twice the input, which the input says nothing about: the mean of the "
        "others, or searched too, as in the paper",
        title="Fine style rows",
        choices=("mean", "searched"),
    )
    truncation: float = option(
        0.7, "how far the faces searched may lie from the average face; 1 as in the paper", min=0.1, max=1
    )
    goal: float = option(
        5e-4,
        "the search stops pulling at this mean squared error; in the paper it is the error threshold",
        title="Goal (mean squared error)",
        min=0,
        max=1,
    )
    tile_latent: bool = option(False, "use one latent row for all layers instead of one for each")
    batch_size: int = option(
        8, "samples computed at once on a graphics card; fewer need less memory", min=1, max=8
    )

    def __post_init__(self) -> None:
        try:
            sphere.parse_loss(self.loss)
        except ValueError as error:
            raise OptionError(str(error)) from None
        if (drawn := GENERATORS[self.generator].side) <= int(self.side):
            raise OptionError(f"{self.generator} draws {drawn}×{drawn} px: the input side must be smaller")
        if self.start == GLEAN_ROWS and (self.generator, self.side) != (encoder.GENERATOR, str(encoder.SIDE)):
            raise OptionError(
                f"GLEAN's rows are known for {encoder.GENERATOR} and an input of {encoder.SIDE} px only: "
                "choose these, or a random start"
            )
        if self.zero_maps and not all(
            part.isdecimal() and len(part) < 4 for part in self.zero_maps.split(".")
        ):
            raise OptionError(f"zero_maps must be numbers separated by dots, not {self.zero_maps[:40]!r}")


QUICK: Mapping[str, object] = {}
CAREFUL: Mapping[str, object] = {"steps": 175}  # high-contrast faces come nearer
PAPER: Mapping[str, object] = {
    "steps": 100,
    "loss": "100*L2+0.05*GEOCROSS",
    "rate": 0.4,
    "keep": "last",
    "fine_rows": "searched",
    "truncation": 1.0,
    "goal": 2e-3,
}
