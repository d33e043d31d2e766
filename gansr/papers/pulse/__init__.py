"""PULSE: Self-Supervised Photo Upsampling via Latent Space Exploration of Generative Models.

Menon, Damian, Hu, Ravi, Rudin, CVPR 2020, arXiv 2003.03808, §3 and supplement. Nothing is trained: the latent space
of a frozen generator of faces is searched, on spheres, for a picture that shrinks to the given one. Authors' code:
adamian98/pulse, without licence; this was written from a description (gansr.ops.sphere says what is equal).

How we differ, and why:
- Several answers are one batch, each with its own draws (seed, seed + 1, …), losses, eps and best picture; in the
  authors' code a batch shares them and can never pass the threshold. Answer i of seed s is answer 0 of s + i.
- "best" keeps the variables of the smallest loss, those within eps first; the paper's "last" is there too, and in
  the preset Paper.
- A search that stays above eps still gives its picture, and says so; the authors give nothing.
- The default generator is MobileStyleGAN, whose noise is baked in: the noise options do nothing on it.
  It may be searched in bfloat16, but for its first blocks; the last frame and its errors are computed anew in
  float32.
- On a processor the answers go one after the other through the large layers, which needs the memory of one.
"""

from __future__ import annotations

import hashlib
import math
import weakref
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gansr.method import Accepts, Cost, Curve, Frame, Heat, Method, MethodError, Nets, Paper, View
from gansr.nets.compiled import Prepared, prepared
from gansr.nets.mobilestylegan import MobileStyleGAN
from gansr.ops import sphere
from gansr.options import OptionError, option

# name → side px; FLOP of one step, forward and backward, counted by torch; peak bytes of a whole process with one
# answer in float32, measured
GENERATORS: Mapping[str, tuple[int, float, float]] = {
    "mobilestylegan-ffhq-1024": (1024, 29e9, 1.7e9),
    "stylegan1-ffhq-1024": (1024, 111e9, 1.7e9),
    "stylegan2-ffhq-1024": (1024, 299e9, 4.2e9),
    "stylegan2-cat": (256, 181e9, 1.5e9),
    "stylegan2-church": (256, 181e9, 1.5e9),
    "stylegan2-car": (512, 240e9, 2.4e9),
    "stylegan2-horse": (256, 181e9, 1.5e9),
}
FITS = "fits.npz"
AIM = 0.95  # of eps: a search in bfloat16 aims a little below it, to be within eps in float32 too
LIVE = 4  # of the spread over the answers, every LIVE-th pixel is shown before the last frame


@dataclass(frozen=True)
class Options:
    generator: str = option(
        "mobilestylegan-ffhq-1024", "whose pictures are searched", choices=tuple(GENERATORS)
    )
    side: str = option("32", "side of the small face, px", choices=("16", "32", "64", "128"))
    answers: int = option(1, "how many answers, each from its own random start", min=1, max=8)
    steps: int = option(80, "optimisation steps", min=1, max=2000)
    loss: str = option(
        "100*L2+0.01*GEOCROSS", "what is minimised: a sum of weight*TERM with the terms L2, L1 and GEOCROSS"
    )
    eps: float = option(
        2e-3, "an answer is near enough below this mean squared error, pictures in [0,1]", min=0, max=1
    )
    keep: str = option(
        "best",
        "of each answer, the picture of the smallest loss or of the last step",
        choices=("best", "last"),
    )
    optimiser: str = option("adam", "how a step follows the gradient", choices=tuple(sphere.OPTIMISERS))
    rate: float = option(0.5, "largest learning rate", title="learning rate", min=1e-4, max=10)
    schedule: str = option(
        "linear1cycledrop", "how the learning rate rises and falls over the steps", choices=sphere.SCHEDULES
    )
    noise: str = option(
        "trainable",
        "the generator's noise maps: searched too, fixed or zero; MobileStyleGAN has none, so nothing there",
        choices=("trainable", "fixed", "zero"),
    )
    trainable_maps: int = option(5, "how many noise maps, from the coarsest, are searched", min=0, max=18)
    zero_maps: str = option("17", "noise maps that are zero, numbered from 0, with dots between: 15.16.17")
    tile_latent: bool = option(False, "one latent row for all layers instead of one for each")
    together: int = option(
        8, "answers computed at once on a graphics card; fewer need less memory", min=1, max=8
    )

    def __post_init__(self) -> None:
        try:
            sphere.parse_loss(self.loss)
        except ValueError as error:
            raise OptionError(str(error)) from None
        if self.zero_maps and not all(
            part.isdecimal() and len(part) < 4 for part in self.zero_maps.split(".")
        ):
            raise OptionError(f"zero_maps must be numbers with dots between, not {self.zero_maps[:40]!r}")


QUICK: Mapping[str, object] = {}
CAREFUL: Mapping[str, object] = {"steps": 150, "rate": 0.4}  # faces of strong contrast come within eps, too
PAPER: Mapping[str, object] = {"steps": 100, "loss": "100*L2+0.05*GEOCROSS", "rate": 0.4, "keep": "last"}


# ----------------------------------------------------------------------------------------------- search


@dataclass
class Answer:
    """One search: its variables, what has been seen of it, and what is kept."""

    v: Tensor  # (1, rows or 1, style)
    maps: list[Tensor]  # noise maps (1,1,s,s), some of which are searched
    optimiser: sphere.SphericalOptimiser
    picture: Tensor = field(default_factory=lambda: torch.empty(0))  # the best so far, (3,S,S) about [−1,1]
    small: Tensor = field(default_factory=lambda: torch.empty(0))  # D of it, in [0,1] but not clamped
    best: tuple[bool, float] = (True, math.inf)  # of the best: whether above eps, weighted loss
    mse: float = math.inf  # of the best, not clamped at eps
    kept: list[Tensor] = field(default_factory=list)  # the variables of the best, or of the last step


class Search:
    """The searches of one run. `step(j)` moves every answer once; `verdict()` draws what is kept in float32.

    net: MobileStyleGAN, StyleGAN1 or StyleGAN2. What is used of it: style, style_rows, side, noise_sides, gain,
    mapping(z), synthesis(rows[, noise maps]).
    """

    def __init__(self, low: Tensor, options: Options, net: Any, dtype: torch.dtype, seed: int):
        self.low, self.options, self.net = low, options, net
        self.weights = sphere.parse_loss(options.loss)
        self.mean, self.std = fit_of(net)
        self.factor = net.side // low.shape[-1]
        self.aim = options.eps * (1 if dtype == torch.float32 else AIM)
        fast = isinstance(net, MobileStyleGAN)
        self.form = prepared(net, dtype) if fast else net
        self.gathered = 1 if low.device.type == "cpu" else options.together
        rates = [sphere.rate(options.schedule, j, options.steps) for j in range(options.steps)]
        self.answers = [self._start(seed + i, rates) for i in range(options.answers)]
        self.lines: dict[str, list[float]] = {name: [] for name in ("mse of the best", *self.weights)}

    def _start(self, seed: int, rates: list[float]) -> Answer:
        v, maps, searched = draws(self.net, self.options, seed)
        v, maps = v.to(self.low.device), [x.to(self.low.device) for x in maps]
        variables = [x.requires_grad_() for x in (v, *(maps[i] for i in searched))]
        name, lr = self.options.optimiser, self.options.rate
        return Answer(v, maps, sphere.SphericalOptimiser(variables, name, lr, rates))

    def step(self, j: int) -> None:
        """Step j, from 0, of every answer. Raises MethodError where a loss is not finite.

        What is cheap goes through as one batch: the style rows and, of MobileStyleGAN, the first blocks. What
        follows, where the memory is, takes `gathered` answers at once, forward and backward.
        """
        sums = dict.fromkeys(self.lines, 0.0)
        with torch.enable_grad():
            rows = self._rows(self.answers)
            shared = (rows, self.form.early(rows)) if isinstance(self.form, Prepared) else (rows,)
        grads: list[list[Tensor]] = [[] for _ in shared]
        for start in range(0, len(self.answers), self.gathered):
            chosen = slice(start, start + self.gathered)
            parts = [whole.detach()[chosen].requires_grad_() for whole in shared]
            self._pull(self.answers[chosen], parts, j, sums)
            for kept, part in zip(grads, parts):
                assert part.grad is not None
                kept.append(part.grad)
        torch.autograd.backward(shared, [torch.cat(kept) for kept in grads])
        for answer in self.answers:
            answer.optimiser.step(j)
        for name, line in self.lines.items():
            line.append(sums[name] / len(self.answers))
        self.lines["mse of the best"][-1] = min(answer.mse for answer in self.answers)

    def _pull(self, answers: Sequence[Answer], parts: list[Tensor], j: int, sums: dict[str, float]) -> None:
        """The gradients of some answers' losses with respect to their `parts` of what all share."""
        rows, *features = parts
        with torch.enable_grad():
            late = self.form.late(features[0], rows) if features else None
            pictures = self._draw(self.form, rows, answers) if late is None else late
            small = (sphere.shrink(pictures, self.factor) + 1) / 2  # D of a constant is that constant
            terms = sphere.losses(small, self.low, rows, self.aim)
            total = torch.stack([weight * terms[name] for name, weight in self.weights.items()]).sum(0)
            total.sum().backward()
        mse = sphere.l2(small.detach(), self.low)
        told = torch.stack([total.detach(), mse, *(terms[name].detach() for name in self.weights)]).tolist()
        self._record(answers, pictures.detach(), small.detach(), told, j)
        for name, values in zip(self.weights, told[2:]):
            sums[name] += sum(values)

    def _record(
        self, answers: Sequence[Answer], pictures: Tensor, small: Tensor, told: list[list[float]], j: int
    ) -> None:
        last = self.options.keep == "last" and j == self.options.steps - 1
        for i, answer in enumerate(answers):
            total, mse = told[0][i], told[1][i]
            if not math.isfinite(total):
                raise MethodError(
                    f"the search broke down at step {j + 1} of {self.options.steps} (not a number): "
                    "try another seed or a smaller learning rate"
                )
            rank = mse > self.aim, total  # what is near enough comes before what is not
            if rank < answer.best or last:
                answer.best, answer.mse = min(rank, answer.best), mse
                alone = len(pictures) == 1  # a view of a batch would keep all of it alive
                answer.picture, answer.small = pictures[i] if alone else pictures[i].clone(), small[i]
                answer.kept = [x.detach().clone() if x.requires_grad else x for x in (answer.v, *answer.maps)]

    def _rows(self, answers: Sequence[Answer]) -> Tensor:
        v = torch.cat([answer.v for answer in answers])
        rows = sphere.to_rows(v, self.mean, self.std, self.net.gain)
        return rows.expand(-1, self.net.style_rows, -1)

    def _draw(self, form: Any, rows: Tensor, answers: Sequence[Answer]) -> Tensor:
        """Pictures (B,3,S,S) float32, about [−1,1], not clamped."""
        if not self.net.noise_sides:
            return form.synthesis(rows)
        maps = [torch.cat(same) for same in zip(*(answer.maps for answer in answers))]
        return form.synthesis(rows, maps)

    @torch.no_grad()
    def verdict(self) -> None:
        """What is kept of every answer, drawn in float32 by the net itself, with its error."""
        for answer in self.answers:
            v, *maps = answer.kept
            same = [replace(answer, v=v, maps=maps)]
            answer.picture = self._draw(self.net, self._rows(same), same)[0]
            answer.small = (sphere.shrink(answer.picture, self.factor) + 1) / 2
            answer.mse = float(sphere.l2(answer.small[None], self.low))


def draws(net: Any, options: Options, seed: int) -> tuple[Tensor, list[Tensor], list[int]]:
    """The random start of one answer, on the CPU: the latent (1, rows, style), a map (1,1,s,s) for each of the
    generator's noise inputs, and the numbers of those that are searched.

    Drawn in the authors' order: the latent, then the maps from coarse to fine; a zero map draws nothing.
    """
    g = torch.Generator().manual_seed(seed)
    v = torch.randn(1, 1 if options.tile_latent else net.style_rows, net.style, generator=g)
    zero = {int(part) for part in options.zero_maps.split(".") if part}
    if options.noise == "zero":
        zero = set(range(len(net.noise_sides)))
    maps = [
        torch.zeros(1, 1, side, side) if i in zero else torch.randn(1, 1, side, side, generator=g)
        for i, side in enumerate(net.noise_sides)
    ]
    trainable = min(options.trainable_maps, len(maps)) if options.noise == "trainable" else 0
    return v, maps, [i for i in range(trainable) if i not in zero]


_fits: weakref.WeakKeyDictionary[nn.Module, tuple[Tensor, Tensor]] = weakref.WeakKeyDictionary()


def fit_of(net: Any) -> tuple[Tensor, Tensor]:
    """The Gaussian of a generator's latent space, (style,) each: the one kept in FITS for this very mapping, made
    of 2^20 draws; else it is computed once per net, in some seconds, and kept with it."""
    device = next(net.parameters()).device
    if net not in _fits:
        known = kept_fits().get(fingerprint(net.mapping))
        _fits[net] = known or sphere.gaussian_fit(net.mapping, net.style, device, net.gain)
    mean, std = _fits[net]
    return mean.to(device), std.to(device)


def fingerprint(mapping: nn.Module) -> str:
    """The sha256 of the mapping's parameters: what a Gaussian belongs to."""
    found = hashlib.sha256()
    for value in mapping.state_dict().values():
        found.update(value.detach().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()


@lru_cache(maxsize=1)
def kept_fits() -> dict[str, tuple[Tensor, Tensor]]:
    """fingerprint → mean and standard deviation, of the data file beside this module."""
    with np.load(Path(__file__).with_name(FITS), allow_pickle=False) as kept:
        return {key: (torch.from_numpy(kept[key][0]), torch.from_numpy(kept[key][1])) for key in kept.files}


# ----------------------------------------------------------------------------------------------- frames


def run(low: Tensor, options: Options, nets: Nets, generator: torch.Generator) -> Iterator[Frame]:
    """One Frame a step: the answer nearest to the input so far; the last frame is drawn in float32."""
    search = Search(low, options, nets["generator"], nets.dtype, generator.initial_seed())
    for j in range(options.steps):
        search.step(j)
        if j + 1 < options.steps:
            yield _frame(search, j + 1, generator.initial_seed())
    search.verdict()
    last = _frame(search, options.steps, generator.initial_seed())
    yield replace(last, notices=_notices(search))


@torch.no_grad()
def _frame(search: Search, step: int, seed: int) -> Frame:
    answers, steps = search.answers, search.options.steps
    shown = min(answers, key=lambda answer: answer.mse)
    all_answers = {}
    if len(answers) > 1:
        all_answers = {f"answer {i + 1} (seed {seed + i})": _unit(a.picture) for i, a in enumerate(answers)}
    views = _views(search, shown, full=step == steps)
    return Frame(_unit(shown.picture), step, steps, _readings(search), views, all_answers)


def _unit(picture: Tensor) -> Tensor:
    """[−1,1] → [0,1]; what lies outside is cut."""
    return torch.add(0.5 * picture, 0.5).clamp_(0, 1)


def _views(search: Search, shown: Answer, full: bool) -> dict[str, View]:
    small = shown.small.clamp(0, 1)
    views: dict[str, View] = {
        "Shrunk beside the input": torch.cat((small, search.low), dim=2),
        "Difference": Heat((small - search.low).mean(0), "of 1", -0.2, 0.2, signed=True),
        "Loss": Curve({name: tuple(line) for name, line in search.lines.items()}, log=True),
    }
    if len(search.answers) > 1:
        every = 1 if full else LIVE
        seen = torch.stack([_unit(answer.picture[:, ::every, ::every]) for answer in search.answers])
        views["Variance over the answers: what varies was invented"] = Heat(
            seen.var(dim=0, unbiased=False).mean(0), "of 1, squared", min=0
        )
    return views


def _readings(search: Search) -> dict[str, float]:
    found = {f"loss {name}": line[-1] for name, line in search.lines.items() if name in search.weights}
    for i, answer in enumerate(search.answers):
        which = f" {i + 1}" if len(search.answers) > 1 else ""
        found[f"mse{which}"] = answer.mse
        found[f"PSNR of the small picture{which}, dB"] = sphere.decibel(answer.mse)
    found["answers within eps"] = float(sum(_within(answer, search.options) for answer in search.answers))
    return found


def _within(answer: Answer, options: Options) -> bool:
    return answer.mse <= options.eps * (1 + 1e-6)  # eps as float32 may be a little above eps


def _notices(search: Search) -> tuple[str, ...]:
    options, told = search.options, []
    within = sum(_within(answer, options) for answer in search.answers)
    if within < len(search.answers):
        told.append(
            f"{len(search.answers) - within} of {len(search.answers)} answers did not come within eps "
            f"{options.eps:g}: take more steps or a larger eps, try another seed, or align the face again"
        )
    default = Options()
    if not search.net.noise_sides and any(
        getattr(options, name) != getattr(default, name) for name in ("noise", "trainable_maps", "zero_maps")
    ):
        told.append("this generator has its noise baked in: the noise options changed nothing")
    return tuple(told)


# ----------------------------------------------------------------------------------------------- method


def scale(method: Method, options: Options) -> int:
    return GENERATORS[options.generator][0] // int(options.side)


def cost(height: int, width: int, options: Options) -> Cost:
    """The small picture's size counts for next to nothing: the generator's picture has its own."""
    _, operations, memory = GENERATORS[options.generator]
    tiny = 2 * 3 * height * 1024 * (1024 + width)
    return Cost(
        options.steps * options.answers * (operations + tiny), memory + 60e6 * options.answers + tiny / 1e3
    )


def smaller(options: Options) -> Options | None:
    """One answer at a time, where several were computed together."""
    return replace(options, together=1) if min(options.together, options.answers) > 1 else None


PULSE = Method(
    name="pulse",
    title="PULSE",
    summary="Finds large faces that shrink to exactly the small one you gave: many, each as right as the other.",
    paper=Paper(
        authors="Menon, Damian, Hu, Ravi, Rudin",
        year=2020,
        venue="CVPR",
        title="PULSE: Self-Supervised Photo Upsampling via Latent Space Exploration of Generative Models",
        link="https://arxiv.org/abs/2003.03808",
        licence="our own code; weights: non-commercial research (StyleGAN: NVIDIA; FFHQ: CC BY-NC-SA 4.0)",
        good_for="showing that a small face has many large ones: imaginary people, all consistent with the input",
        not_for="identification, restoring a photograph, evidence of any kind, faces that are not frontal",
    ),
    scales=(32, 64, 16, 8, 4, 2),
    options=Options,
    presets={"Quick": QUICK, "Careful": CAREFUL, "Paper": PAPER},
    accepts=Accepts(
        min_side=16,
        side=lambda options: int(options.side),
        face=True,
        faceless=lambda options: "ffhq" not in options.generator,
    ),
    cost=cost,
    run=run,
    weights={"generator": tuple(GENERATORS)},
    scale=scale,
    smaller=smaller,
    caution=(
        "These are imaginary people, not the person in the picture: the generator invents what the small picture "
        "does not hold. It was trained on pictures from Flickr, in which people are not equally represented, and it "
        "draws towards the majority. Never use it to identify anyone."
    ),
)
