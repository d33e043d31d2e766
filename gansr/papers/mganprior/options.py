"""mGANprior's options, and the paper's numbers for each job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from torch import Tensor

from gansr.nets import encoder
from gansr.ops.holes import PAINTED, check_mask, read_mask
from gansr.options import OptionError, option
from gansr.papers.mganprior import directions
from gansr.papers.mganprior.files import read_boundary, read_face

JOBS = ("sr", "colour", "inpaint", "denoise", "invert", "edit", "mix")
GENERATORS: Mapping[str, int] = MappingProxyType(  # name → side of its pictures, px
    {
        "mobilestylegan-ffhq-1024": 1024,
        "pggan-celebahq-1024": 1024,
        "stylegan2-ffhq-1024": 1024,
        "stylegan1-ffhq-1024": 1024,
        "stylegan2-church": 256,
        "stylegan2-cat": 256,
        "stylegan2-car": 512,
        "stylegan2-horse": 256,
        "pggan-churchoutdoor-256": 256,
        "pggan-bedroom-256": 256,
        "pggan-conferenceroom-256": 256,
    }
)
SEARCHED: Mapping[str, str] = MappingProxyType(
    {
        "codes": "N codes (the paper)",
        "z": "One code in z (baseline)",
        "w": "One code in w (baseline)",
        "w+": "One code per layer, w+ (baseline)",
        "encoded": "One code per layer, from GLEAN's rows (ours)",
        "features": "Features (baseline)",
    }
)
MIX_MORE = (
    5  # times the iterations, without an encoder: one code for each layer comes near slowly from the mean
)
ENCODED_RATE, ENCODED_PULL = 0.02, 10  # Adam's rate from an encoder's rows on, and times the pull, see `mix`
STARTS = ("4", "8", "16", "32", "64", "128", "256", "512")  # px, of the layers from which faces are mixed
SWEEP = "sweep"  # several composing layers, one after the other
SWEPT = ("4", "8", "16", "32", "64")  # px, of the layers of a sweep
LAYERS = ("auto", "4", "8", "16", "32", "64", "128", "256", SWEEP)
DOWNSCALINGS = ("bicubic", "bilinear-antialias", "area", "nearest", "bilinear-point", "bicubic-point")
PAPER_SETTINGS: Mapping[str, tuple[int, int, int]] = MappingProxyType(  # job → layer's side, N, iterations
    {
        "sr": (16, 20, 2000),
        "colour": (8, 20, 1500),
        "inpaint": (8, 30, 3000),
        "denoise": (16, 30, 3000),  # not in the authors' scripts: the settings of their inversion
        "invert": (16, 30, 3000),
        "edit": (16, 30, 2000),
        "mix": (16, 1, 2000),  # ours: two inversions with one code for each layer
    }
)
STYLEGAN_LAYERS: Mapping[str, int] = MappingProxyType(
    {"sr": 32, "colour": 16, "inpaint": 4, "denoise": 32, "invert": 64, "edit": 16, "mix": 32}
)
HOLE_PULL = 10  # of "inpaint": nothing but the prior keeps what is drawn in the hole a face
OFFSET_JOBS = ("denoise", "invert", "edit")  # those that read a whole picture in colour
ADAM_CODES: Mapping[str, int] = MappingProxyType(  # N by job, for Adam
    {"sr": 20, "colour": 10, "inpaint": 10, "denoise": 10, "invert": 10, "edit": 10, "mix": 1}
)
RATES: Mapping[str, float] = MappingProxyType(
    {"adam": 0.05, "adam-authors": 1.0, "gd": 1.0}
)  # default learning rates
DIRECTIONS = tuple(f"principal direction {i}" for i in range(1, 9))


@dataclass(frozen=True)
class Options:
    job: str = option(
        "sr",
        "Colour adds colours to a grey picture, inpaint fills a hole, invert redraws the picture with the generator, "
        "edit also changes the face, mix draws faces between yours and a second one.",
        title="What to do",
        choices=JOBS,
        labels={
            "sr": "Enlarge",
            "colour": "Colour",
            "inpaint": "Inpaint",
            "denoise": "Denoise",
            "invert": "Invert",
            "edit": "Edit",
            "mix": "Mix",
        },
        changes_input=True,
        first=True,
    )
    generator: str = option(
        next(iter(GENERATORS)),
        "The pretrained network that draws the result, from what it was trained on; all but the first must be "
        "downloaded or imported.",
        choices=tuple(GENERATORS),
        changes_input=True,
    )
    factor: int = option(
        16,
        "How many times larger the result is; the input gets the generator's side divided by this.",
        title="Enlargement (×)",
        min=2,
        max=1024,
        changes_input=True,
        only={"job": ("sr",)},
    )
    down: str = option(
        "bicubic",
        "How the small picture is assumed to have been made; bicubic is MATLAB's, as inputs are made here, and "
        "bilinear-point is the authors'.",
        title="Assumed downscaling",
        choices=DOWNSCALINGS,
        only={"job": ("sr",)},
    )
    side: str = option(
        "256",
        "The side of the square input and result; the face is aligned and shrunk to it.",
        title="Working size (px)",
        choices=("256", "512", "1024"),
        changes_input=True,
        only={"job": JOBS[1:]},
    )
    searched: str = option(
        "codes",
        "The paper's N codes with their weights, or what it compares itself with: one code before the mapping (z), "
        "after it (w), one for each layer (w+), the same begun at what our GLEAN finds in the picture, or the features "
        "at the composing layer without any code.",
        title="What is searched",
        choices=tuple(SEARCHED),
        labels=SEARCHED,
        only={"job": JOBS[:-1]},
    )
    codes: int = option(
        0,
        "More codes come closer to the input and take longer; 0 takes the paper's number, with Adam 20 for enlarging "
        "and 10 for the other jobs.",
        title="Number of codes N",
        min=0,
        max=64,
        only={"searched": ("codes",)},
    )
    layer: str = option(
        "auto",
        "The side of the feature maps in which the codes are combined: a small one keeps to what the generator "
        "draws well, a large one comes closer to the input, and auto suits the job. Side by side takes five times as "
        "long.",
        title="Composing layer (px)",
        choices=LAYERS,
        labels={layer: layer for layer in LAYERS} | {SWEEP: "4 to 64, side by side"},
    )
    iterations: int = option(
        60,
        "Optimisation steps; 0 takes the paper's number. Mix takes as many for each face, five times as many with "
        "another generator than the first.",
        title="Iterations",
        min=0,
        max=5000,
    )
    optimiser: str = option(
        "adam",
        "Adam with our settings, with the authors' (one rate, eps 1e-8, no decay), or the paper's gradient descent.",
        title="Optimiser",
        choices=tuple(RATES),
        labels={"adam": "Adam", "adam-authors": "Adam, authors' settings", "gd": "Gradient descent"},
    )
    lr: float = option(
        0.0,
        "0 takes the optimiser's own: 0.05 for Adam (0.02 from GLEAN's rows on, as in Mix), 1 for Adam with the "
        "authors' settings and for gradient descent.",
        title="Learning rate",
        min=0,
        max=10,
    )
    l1: float = option(0.0, "Weight of the mean absolute difference.", title="L1 weight", min=0, max=10)
    mse: float = option(1.0, "Weight of the mean squared difference.", title="MSE weight", min=0, max=10)
    vgg: float = option(
        0.0,
        "Weight of the difference of VGG16 features (up to ReLU 3_3, times 0.001); the paper has 1, which takes "
        "longer.",
        title="VGG weight",
        min=0,
        max=10,
    )
    pull: float = option(
        0.003,
        "Weight of the codes' distance from the generator's own faces, in the loss; ten times as much to fill a hole, "
        "and from GLEAN's rows on, as in Mix; 0 as in the paper.",
        title="Pull to the face prior",
        min=0,
        max=1,
    )
    correct: bool = option(
        True,
        "An enlarged face becomes your picture when it is shrunk again; a filled hole meets its surroundings. The "
        "paper corrects nothing.",
        title="Agree with the input exactly",
        only={"job": ("sr", "inpaint")},
    )
    offset: bool = option(
        True,
        "Also searches what no sum of codes can draw, as an offset of their features: the result comes much closer to "
        "your picture. The paper has codes alone.",
        title="Free features",
        only={"job": OFFSET_JOBS, "searched": ("codes",)},
    )
    hole: str = option(
        PAINTED,
        "Painted by you; the middle square, half as wide as the picture; such a square at a random place; or eight "
        "small squares at random places. The seed places them.",
        choices=(PAINTED, "middle", "random", "pieces"),
        only={"job": ("inpaint",)},
    )
    mask: Tensor | None = option(
        None,
        "Paint the hole, then press Run.",
        read=read_mask,
        suffixes=(".png",),
        paint=True,
        only={"job": ("inpaint",), "hole": (PAINTED,)},
    )
    composite: bool = option(
        True,
        "Puts the input's own pixels back around the hole.",
        title="Keep the known pixels",
        only={"job": ("inpaint",)},
    )
    direction: str = option(
        next(iter(directions.NAMED)),
        "Those with a name fit the first generator only and also change a little of the others; a principal direction "
        "fits every StyleGAN and may change anything.",
        title="Editing direction",
        choices=(*directions.NAMED, *DIRECTIONS),
        labels=directions.NAMED,
        only={"job": ("edit",)},
    )
    boundary: Tensor | None = option(
        None,
        "PGGAN only: one of the authors' boundary files (age, gender, pose or expression), in place of a direction.",
        title="Boundary file",
        read=read_boundary,
        suffixes=(".npy",),
        only={"job": ("edit",)},
    )
    amount: float = option(
        2.0,
        "How far to move, in standard deviations of the direction (with a boundary file: in units of its "
        "normal).",
        title="Edit amount (σ)",
        min=-6,
        max=6,
        step=0.1,
        only={"job": ("edit",)},
    )
    span: float = option(
        3.0,
        "The animation runs from minus this to plus this.",
        title="Animation range (±σ)",
        min=0.1,
        max=6,
        step=0.1,
        only={"job": ("edit",)},
    )
    second: Tensor | None = option(
        None,
        "The face to mix with: a square picture of it, aligned as the first one is: the face fills the picture.",
        title="Second face",
        read=read_face,
        suffixes=(".png", ".jpg", ".jpeg", ".webp"),
        only={"job": ("mix",)},
    )
    share: float = option(
        0.5,
        "0 draws the first face, 1 the second; the animation runs from 0 to 1.",
        title="Share of the second face",
        min=0,
        max=1,
        step=0.05,
        only={"job": ("mix",)},
    )
    start: str = option(
        "4",
        "From layers of this side on, the second face has its share; the coarser ones stay the first's. 4 mixes "
        "everything; with 16 and a share of 1 the shape of the first face gets the colours of the second.",
        title="Mix from layer (px)",
        choices=STARTS,
        only={"job": ("mix",)},
    )
    roles: bool = option(
        True,
        "Adds a map for each code at the end, which takes N more generated pictures.",
        title="Show what each code draws",
        only={"searched": ("codes",)},
    )

    def __post_init__(self) -> None:
        side = GENERATORS[self.generator]
        if self.l1 + self.mse + self.vgg == 0:
            raise OptionError("the loss is empty: give L1, MSE or VGG a weight above 0")
        if self.job == "sr" and side // self.factor < 4:
            raise OptionError(
                f"a factor of {self.factor} is too large: of the generator's {side}×{side} px it would leave "
                f"{side // self.factor}; at most {side // 4} is possible"
            )
        if self.job != "sr" and int(self.side) > side:
            raise OptionError(
                f"{self.generator} draws {side}×{side} px: choose a working size of at most {side}"
            )
        if self.layer == SWEEP and self.job in ("edit", "mix"):
            raise OptionError("editing and mixing take one composing layer: choose one")
        if self.layer not in ("auto", SWEEP) and int(self.layer) > side // 2:
            raise OptionError(
                f"{self.generator} draws {side}×{side} px: choose a composing layer of at most {side // 2}"
            )
        painted = self.job == "inpaint" and self.hole == PAINTED
        if painted and self.mask is not None:  # `run` refuses a missing one: it is painted on the input
            check_mask(self.mask, int(self.side), int(self.side))
        if self.searched in ("w", "w+") and self.generator.startswith("pggan"):
            raise OptionError(f"{self.generator} has no {self.searched}: its codes are z. Choose z")
        if self.searched == "encoded" and self.job != "mix":
            if self.generator != encoder.GENERATOR:
                raise OptionError(
                    f"GLEAN's rows are those of {encoder.GENERATOR}: choose it, or another search"
                )
            if self.job in ("colour", "inpaint"):
                raise OptionError(
                    "GLEAN reads a whole picture in colour: to colour one or to fill a hole, choose another search"
                )
        if self.job == "mix" and self.generator.startswith("pggan"):
            raise OptionError(f"{self.generator} has no code for each layer: choose a StyleGAN to mix faces")
        if self.job == "edit":
            if self.searched != "codes":
                raise OptionError("editing moves the paper's N codes: choose them as what is searched")
            self._check_direction()

    def _check_direction(self) -> None:
        is_pggan = self.generator.startswith("pggan")
        if is_pggan and self.boundary is None:
            if self.generator == "pggan-celebahq-1024":
                raise OptionError(
                    f"{self.generator} has no directions to edit along: give one of the authors' boundary files "
                    "(pggan_celebahq_age_boundary.npy and the like), or choose another generator"
                )
            raise OptionError(
                f"{self.generator} has no directions to edit along: give a boundary file made for it, or choose "
                "another generator"
            )
        if (
            self.boundary is None
            and self.direction in directions.NAMED
            and self.generator != directions.GENERATOR
        ):
            raise OptionError(
                f"the direction {self.direction!r} was found for {directions.GENERATOR}; {self.generator} has other "
                "codes: choose a principal direction"
            )
        if self.boundary is not None and not is_pggan:
            raise OptionError(
                f"the boundary file belongs to PGGAN's codes; {self.generator} has others: leave the file out and "
                "choose a principal direction"
            )


@dataclass(frozen=True)
class Plan:
    """The numbers of a run: the options, with the paper's and the automatic ones filled in."""

    codes: int  # N
    iterations: int
    layer: int  # side of the features at the composing layer, px
    lr: float
    pull: float  # weight of the distance to the prior


def begins_encoded(options: Options) -> bool:
    """Whether the search begins at an encoder's rows."""
    return options.searched == "encoded" or (options.job == "mix" and options.generator == encoder.GENERATOR)


def plan_of(options: Options) -> Plan:
    """Fill in the numbers where an option is 0, and the composing layer where it is "auto"."""
    layer, codes, iterations = PAPER_SETTINGS[options.job]
    if options.optimiser == "adam":
        codes = ADAM_CODES[options.job]
    if options.layer != "auto":
        layer = int(options.layer)
    elif not options.generator.startswith("pggan"):
        layer = min(STYLEGAN_LAYERS[options.job], GENERATORS[options.generator] // 4)
    one = options.searched != "codes" or options.job == "mix"
    encoded = begins_encoded(options)
    rate = ENCODED_RATE if encoded and options.optimiser == "adam" else RATES[options.optimiser]
    pull = HOLE_PULL if options.job == "inpaint" else ENCODED_PULL if encoded else 1
    return Plan(
        1 if one else options.codes or codes,
        options.iterations * (MIX_MORE if options.job == "mix" and not encoded else 1) or iterations,
        layer,
        options.lr or rate,
        options.pull * pull,
    )


def input_side(options: Options) -> int:
    """The side of the square input, px."""
    return GENERATORS[options.generator] // options.factor if options.job == "sr" else int(options.side)
