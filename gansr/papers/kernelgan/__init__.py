"""KernelGAN: Blind Super-Resolution Kernel Estimation using an Internal-GAN, and ZSSR with that kernel.

Bell-Kligler, Shocher, Irani, NeurIPS 2019, arXiv 1909.06581; ZSSR: Shocher, Cohen, Irani, CVPR 2018,
arXiv 1712.06087. Nothing is pretrained: two small networks learn from the picture alone how it was blurred
(networks.py), a third how to enlarge it (zssr.py). Here the two are run one after the other.

How we differ from the authors, each undone by `paper` (further departures at the top of both networks' modules):
- the kernel is moved to its place once; theirs is moved again before ZSSR, and rings a little more each time;
- its sum stays 1; theirs changes by the spline's rounding, and with it the brightness;
- kernels of several seeds may be averaged (the authors average results of five runs in their table).
×4 goes over ×2, as theirs: the network trained for ×2 goes on with the analytic ×4 kernel. `gradual` puts further
factors in between, of bicubic reduction (theirs in the original ZSSR, without changing the picture learned from).

The kernel lab (`lab`): the picture is taken as the truth, blurred with a known kernel, shrunk, and everything
is estimated from the small picture; hence the result has the picture's own size.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from gansr.method import Accepts, Cost, Curve, Frame, Heat, InputError, Method, MethodError, Nets, Paper, View
from gansr.ops.colour import matlab_y, to8bit
from gansr.ops.kernels import (
    bicubic_kernel,
    compare_kernels,
    crop_or_pad,
    degrade_with_kernel,
    describe,
    downscale_with_kernel,
    drop_small,
    for_scale,
    gaussian_kernel,
    kernel_files,
    random_kernel,
    read_kernel,
    shift_kernel,
)
from gansr.ops.resize import imresize
from gansr.options import option
from gansr.papers.kernelgan.networks import CROP, RIM, Step, Trainer, prepare
from gansr.papers.kernelgan.zssr import Zssr
from gansr.picture import to_png

LEAST = CROP + 2 * RIM  # px
BURST = 10  # iterations of KernelGAN a frame: 50 ms; to show each would cost a fifth of the time
POINTS = 200  # of a curve
REAL_NOISE = 0.0125  # standard deviation added to the sons of a real photograph


@dataclass(frozen=True)
class Options:
    mode: str = option(
        "kernel + ZSSR",
        "find the blur and enlarge with it, only find it, or only enlarge with a kernel that you choose",
        choices=("kernel + ZSSR", "kernel only", "ZSSR only"),
    )
    scale: int = option(2, "how many times larger: 2 or 4", min=2, max=4, step=2)
    photo: str = option(
        "synthetic",
        "synthetic: a picture that was shrunk; real: as a camera took it, with noise (whose rim then counts)",
        choices=("synthetic", "real"),
    )
    noise_scale: float = option(
        1.0, "real photographs: how noisy; more gives a smoother result", min=0.0, max=10.0, step=0.1
    )
    iterations: int = option(1500, "iterations of KernelGAN; the paper's are 3000", min=1, max=6000)
    seeds: int = option(1, "kernels learned from different starts and averaged", min=1, max=10)
    zssr_iterations: int = option(
        200, "training steps of ZSSR; the paper's end between 900 and 3000", min=1, max=6000
    )
    crop: int = option(
        64, "side of ZSSR's training crops in px; the paper's is 128", min=32, max=128, step=32
    )
    kernel: str = option(
        "bicubic",
        "for ZSSR only: the blur assumed; gaussian takes the two widths and the angle below",
        title="Kernel",
        choices=("bicubic", "gaussian", "file"),
    )
    width: float = option(
        1.5,
        "Gaussian: standard deviation along its axis, px of the large picture",
        min=0.3,
        max=8.0,
        step=0.1,
    )
    other_width: float = option(
        1.0,
        "Gaussian: standard deviation across its axis, px of the large picture",
        min=0.3,
        max=8.0,
        step=0.1,
    )
    angle: float = option(
        0.0, "Gaussian: its axis, degrees from the horizontal, clockwise", min=-90.0, max=90.0
    )
    kernel_file: Tensor | None = option(  # noqa: RUF009 (knob makes a field)
        None,
        "a kernel of your own: .mat with the variable Kernel, .npy or .csv, sides up to 65",
        read=read_kernel,
        suffixes=(".mat", ".npy", ".csv"),
    )
    back_projections: int = option(
        2, "times the result is corrected so that it shrinks to your picture", min=0, max=12
    )
    ensemble: bool = option(
        False, "median over the eight rotations and mirrors; for kernels that have no direction"
    )
    gradual: bool = option(False, "learn smaller factors first, on the way to the wanted one")
    paper: bool = option(False, "exactly as the authors' programs do it, their oversights included")
    lab: str = option(
        "off",
        "test with a known answer: your sharp picture is blurred with this kernel, shrunk, and restored",
        title="Kernel lab",
        choices=("off", "random blur", "gaussian", "file"),
    )


class Kernels(NamedTuple):
    """The blur that ZSSR assumes: of factor 2 where there is one, and of the factor wanted."""

    two: Tensor | None
    wanted: Tensor


# ---------------------------------------------------------------------------------------------- a run


def run(low: Tensor, options: Options, nets: Nets, generator: torch.Generator) -> Iterator[Frame]:
    """low (3,H,W) in [0,1] → frames: ten iterations of KernelGAN each, then each step of ZSSR.

    Raises InputError for a picture that the lab makes too small, MethodError when nothing could be learned.
    """
    if options.lab != "off":
        yield from _lab(low, options, nets, generator)
        return
    fast = nets.dtype == torch.bfloat16
    total = steps_of(options)
    if options.mode == "ZSSR only":
        kernels = chosen(options)
        yield from _enlarge(
            low, kernels, options, generator, fast, 0, total, {"Kernel": heat(kernels.wanted)}
        )
        return
    found, last = yield from _estimate(low, options, generator, total)
    if found is None or options.mode == "kernel only":
        yield last
        return
    kernels = kernels_from(found, options)
    views = {name: last.views[name] for name in ("Estimated kernel", "Cross-sections")}
    done = options.iterations * options.seeds
    for frame in _enlarge(low, kernels, options, generator, fast, done, total, views):
        readings = {**describe(kernels.wanted), **frame.readings} if frame.step == total else frame.readings
        files = last.files if frame.step == total else frame.files
        notices = (*last.notices, *frame.notices) if frame.step == total else frame.notices
        yield dataclasses.replace(frame, readings=readings, files=files, notices=notices)


def steps_of(options: Options) -> int:
    """Iterations of KernelGAN and steps of ZSSR together (in the lab: one ZSSR is shown, two more are not)."""
    kernel = 0 if options.mode == "ZSSR only" and options.lab == "off" else options.iterations * options.seeds
    return kernel + (0 if options.mode == "kernel only" else options.zssr_iterations)


def chosen(options: Options) -> Kernels:
    """The kernel of ZSSR alone. Raises InputError if a file is wanted and none is given."""
    s = options.scale
    if options.kernel == "bicubic":
        return Kernels(bicubic_kernel(2), bicubic_kernel(s))
    if options.kernel == "gaussian":
        return Kernels(None, gaussian_kernel(options.width, options.other_width, options.angle, s))
    return Kernels(None, _own_file(options, s))


def _own_file(options: Options, scale: int) -> Tensor:
    """The kernel brought along, of sum 1, moved so that it shifts nothing."""
    if options.kernel_file is None:
        raise InputError("“file” is chosen as the kernel, and there is none: add a .mat, .npy or .csv file")
    return shift_kernel(options.kernel_file, scale, options.paper)


def kernels_from(estimate: Tensor, options: Options) -> Kernels:
    """The estimate, placed for ×2, as what ZSSR uses; with `paper` placed once more, as theirs is."""
    two, wanted = estimate, for_scale(estimate, options.scale)
    if options.paper:
        two, wanted = shift_kernel(two, 2, paper=True), shift_kernel(wanted, options.scale, paper=True)
    return Kernels(two, wanted)


# ------------------------------------------------------------------------------------------- the kernel


def _estimate(
    low: Tensor, options: Options, generator: torch.Generator, total: int
) -> Generator[Frame, None, tuple[Tensor | None, Frame]]:
    """Frames while the kernel is learned; returns (the kernel placed for ×2 or None, its finished frame)."""
    large = _bicubic(low, options.scale)
    losses = Trace("generator", "discriminator", "bicubic")
    found: list[Tensor] = []
    notice = ""
    for turn in range(options.seeds):
        trainer = Trainer(prepare(low, options.photo == "real"), generator, options.iterations, options.paper)
        small = None
        while trainer.done < options.iterations and not notice:
            step, notice = _burst(trainer, options.iterations)
            if step is None:
                raise MethodError(f"learning the kernel broke down: {notice}. Try another seed.")
            losses.add(step.generator, step.discriminator, step.bicubic)
            if small is None or trainer.done % (10 * BURST) == 0:
                small = _implied(low, step.kernel)
            views = _kernel_views(step.kernel) | {
                "Losses": losses.curve(log=True),
                "Implied small picture": small,
            }
            at = turn * options.iterations + trainer.done
            if at < total:
                yield Frame(large, at, total, _loss_readings(step), views)
        found.append(step.kernel if notice else trainer.kernel())
        if not bool(torch.isfinite(found[-1]).all()):
            found[-1], notice = step.kernel, f"not a number after iteration {trainer.done}"
        if notice:
            break
    sound = [k for k in found if is_sound(k)]
    kernel = averaged([placed(k, options.paper) for k in sound or found])
    notices = (f"{notice}; this is the last good kernel",) if notice else doubts(found)
    last = _kernel_frame(low, kernel, options, large, total, losses, notices)
    return (None if notice else kernel), last


def is_sound(kernel: Tensor) -> bool:
    """Whether G has learned to keep the brightness: a collapsed G, or one not yet trained, is near zero."""
    return abs(float(kernel.sum()) - 1) < 0.25


def doubts(found: list[Tensor]) -> tuple[str, ...]:
    """What must be said of kernels (13,13) as they came from G."""
    poor = [float(k.sum()) for k in found if not is_sound(k)]
    if not poor:
        return ()
    if len(poor) < len(found):
        return (f"{len(poor)} of {len(found)} starts learned no kernel and were left out",)
    return (
        f"the kernel had a sum of {poor[0]:.2f} before it was set to 1: learning has not come to its end, do not "
        "trust it; try another seed or more iterations",
    )


def _burst(trainer: Trainer, iterations: int) -> tuple[Step | None, str]:
    """Up to ten iterations: the last good step, and why it stopped early, if it did."""
    good = trainer.last
    for _ in range(min(BURST, iterations - trainer.done)):
        at = trainer.done
        step = trainer.step()
        if not all(map(math.isfinite, (step.generator, step.discriminator, step.bicubic))):
            return good, f"not a number at iteration {at} of {iterations}"
        good = step
    return good, ""


@torch.no_grad()
def placed(kernel: Tensor, paper: bool) -> Tensor:
    """G's kernel (13,13) → the kernel handed out: small entries dropped, moved to where ×2 shifts nothing."""
    return shift_kernel(drop_small(kernel), 2, paper)


def averaged(kernels: list[Tensor]) -> Tensor:
    """The mean of placed kernels of different sides, on the largest grid; one alone stays as it is."""
    if len(kernels) == 1:
        return kernels[0]
    side = max(max(k.shape) for k in kernels)
    return torch.stack([crop_or_pad(k, side) for k in kernels]).mean(0)


def _kernel_frame(
    low: Tensor,
    kernel: Tensor,
    options: Options,
    large: Tensor,
    total: int,
    losses: Trace,
    notices: tuple[str, ...],
) -> Frame:
    """The frame that hands out the kernel."""
    files = dict(kernel_files("kernel_x2", kernel))
    if options.scale == 4:
        files |= kernel_files("kernel_x4", for_scale(kernel, 4))
    files["kernel_x2.png"] = kernel_png(kernel)
    views = _kernel_views(kernel) | {
        "Losses": losses.curve(log=True),
        "Implied small picture": _implied(low, kernel),
    }
    return Frame(large, total, total, describe(kernel), views, files=files, notices=notices)


def kernel_png(kernel: Tensor, cell: int = 16) -> bytes:
    """The kernel as a grey picture, its largest entry white, each entry `cell` px wide."""
    grey = (kernel.float() / kernel.max().float()).clamp(0, 1)
    grey = grey.repeat_interleave(cell, 0).repeat_interleave(cell, 1)
    return to_png(grey.expand(3, -1, -1), grey=True)


# --------------------------------------------------------------------------------------------- enlarging


def stages(kernels: Kernels, options: Options) -> list[tuple[float, Tensor | None, int]]:
    """(factor, kernel or None for bicubic, steps) of the trainings that follow each other, the last is wanted."""
    way: list[tuple[float, Tensor | None]] = [(float(options.scale), kernels.wanted)]
    if options.scale == 4 and (kernels.two is not None or options.gradual):
        way.insert(0, (2.0, kernels.two))
    if options.gradual:
        between = (1.5,) if options.scale == 2 else (1.5, 3.0)
        way = sorted([*way, *((factor, None) for factor in between)], key=lambda stage: stage[0])
    each = options.zssr_iterations // len(way)
    steps = [each] * (len(way) - 1)
    return [(f, k, n) for (f, k), n in zip(way, [*steps, options.zssr_iterations - sum(steps)])]


def _enlarge(
    low: Tensor,
    kernels: Kernels,
    options: Options,
    generator: torch.Generator,
    fast: bool,
    done: int,
    total: int,
    views: Mapping[str, View],
) -> Iterator[Frame]:
    """Frames while ZSSR learns; the last is finished, at step `total`."""
    errors, rates = Trace("mean squared error"), Trace("learning rate")
    image, net, notice = _bicubic(low, options.scale), None, ""
    real = options.photo == "real"
    for factor, kernel, steps in stages(kernels, options):
        whole = factor == int(factor)
        zssr = Zssr(
            low,
            kernel if kernel is not None or not whole else bicubic_kernel(int(factor)),
            int(factor) if whole else factor,
            generator,
            steps=steps,
            crop=128 if options.paper else options.crop,
            noise=REAL_NOISE * options.noise_scale if real else 0.0,
            net=net,
            fast=fast,
            paper=options.paper,
        )
        every = preview_every(low, options)
        while not zssr.ended:
            loss = zssr.step()
            if not math.isfinite(loss):
                notice = f"ZSSR broke down at step {zssr.done} of {steps} (not a number); this is the last good result"
                break
            if zssr.done % every == 0 or zssr.done == 1:
                image = zssr.preview(options.scale)
                errors.add(zssr.test())
                rates.add(zssr.rate)
            at = done + zssr.done
            if at < total:
                readings = {"loss": loss, "reconstruction error": zssr.error, "learning rate": zssr.rate}
                seen = {
                    **views,
                    "Reconstruction error": errors.curve(log=True),
                    "Learning rate": rates.curve(log=True),
                }
                yield Frame(image, at, total, readings, seen)
        done += steps
        net = zssr.net
        if notice:
            break
    if not notice:
        image = zssr.result(0 if real else options.back_projections, options.ensemble)
        errors.add(zssr.test())
        rates.add(zssr.rate)
    seen = {**views, "Reconstruction error": errors.curve(log=True), "Learning rate": rates.curve(log=True)}
    yield Frame(
        image, total, total, {"reconstruction error": zssr.error}, seen, notices=(notice,) if notice else ()
    )


def preview_every(low: Tensor, options: Options) -> int:
    """Steps between two looks at the whole picture: to look takes a quarter of the time, or, where that would be
    less than eight looks, up to three times as much."""
    look = low.shape[-1] * low.shape[-2] * (options.scale**2 + 1)  # pixels forwards
    step = 3 * (128 if options.paper else options.crop) ** 2  # a third of it forwards
    often = math.ceil(4 * look / step)
    return max(10, min(often, max(options.zssr_iterations // 8, often // 3)))


# ------------------------------------------------------------------------------------------- what is shown


class Trace:
    """Lines over time that never hold more than POINTS points: when full every second one is dropped."""

    def __init__(self, *names: str):
        self.lines: dict[str, list[float]] = {name: [] for name in names}
        self.stride, self.seen = 1, 0

    def add(self, *values: float) -> None:
        if self.seen % self.stride == 0:
            for line, value in zip(self.lines.values(), values):
                line.append(value)
                if len(line) > POINTS:
                    del line[1::2]
            if len(next(iter(self.lines.values()))) <= POINTS // 2 + 1 and self.seen >= POINTS * self.stride:
                self.stride *= 2
        self.seen += 1

    def curve(self, log: bool = False) -> Curve:
        return Curve({name: tuple(line) for name, line in self.lines.items()}, log=log)


def heat(kernel: Tensor, most: float | None = None) -> Heat:
    return Heat(kernel.float(), min=None if most is None else 0.0, max=most, cells=True)


def _kernel_views(kernel: Tensor) -> dict[str, View]:
    row, column = (int(i) for i in divmod(int(kernel.argmax()), kernel.shape[1]))
    across, down = tuple(kernel[row].tolist()), tuple(kernel[:, column].tolist())
    return {
        "Estimated kernel": heat(kernel),
        "Cross-sections": Curve({"across its peak": across, "down its peak": down}),
    }


def _loss_readings(step: Step) -> dict[str, float]:
    return {
        "generator's loss": step.generator,
        "discriminator's loss": step.discriminator,
        "bicubic loss": step.bicubic,
        "kernel sum": float(step.kernel.sum()),
    }


@torch.no_grad()
def _implied(low: Tensor, kernel: Tensor) -> Tensor:
    """The picture shrunk by 2 with the kernel learned, of sum 1: it should look like the picture's own kin."""
    total = kernel.sum()
    k = kernel / total if total > 0 else kernel
    return downscale_with_kernel(low, k, 2).clamp(0, 1)


@torch.no_grad()
def _bicubic(low: Tensor, scale: int) -> Tensor:
    return imresize(low, scale).clamp(0, 1)


# ------------------------------------------------------------------------------------------- kernel lab


def _lab(truth: Tensor, options: Options, nets: Nets, generator: torch.Generator) -> Iterator[Frame]:
    """The picture blurred with a known kernel and shrunk, then everything estimated and compared."""
    s = options.scale
    two, true = true_kernel(options, generator)
    low = to8bit(degrade_with_kernel(truth, true, s))
    if min(low.shape[-2:]) < LEAST:
        raise InputError(
            f"the kernel lab shrinks the picture by {s} before it estimates, so it needs at least {LEAST * s} px "
            f"on the shorter side; this one is {truth.shape[-1]}×{truth.shape[-2]}"
        )
    plain = dataclasses.replace(
        options, lab="off", mode="kernel + ZSSR" if _enlarges(options) else "kernel only"
    )
    total = steps_of(plain) + (2 * options.zssr_iterations if _enlarges(options) else 0)
    frame = None
    estimate = None
    top = float(two.max())
    for frame in run(low, plain, nets, generator):
        estimate = frame.views["Estimated kernel"]
        assert isinstance(estimate, Heat)
        views = {"True kernel": heat(two, top), "Estimated kernel": heat(estimate.values, top)}
        rest = {name: view for name, view in frame.views.items() if name not in views}
        if frame.step < frame.steps:
            yield Frame(fit(frame.image, truth), frame.step, total, frame.readings, {**views, **rest})
    assert frame is not None and estimate is not None
    readings = {**compare_kernels(two, estimate.values), **frame.readings}
    answers = {"bicubic": fit(_bicubic(low, s), truth)}
    image, done = fit(frame.image, truth), steps_of(plain)
    if _enlarges(options):
        others = {
            "ZSSR, bicubic kernel": Kernels(bicubic_kernel(2), bicubic_kernel(s)),
            "ZSSR, true kernel": Kernels(two, true),
        }
        fast = nets.dtype == torch.bfloat16
        for name, kernels in others.items():
            other = None
            for other in _enlarge(
                low, kernels, plain, generator, fast, done, done + options.zssr_iterations, {}
            ):
                if other.step < other.steps:
                    yield Frame(image, other.step, total, other.readings, {**views, **rest})
            assert other is not None
            done += options.zssr_iterations
            answers[name] = fit(other.image, truth)
        answers["ZSSR, estimated kernel"] = image
    readings |= {f"PSNR-Y, {name} (dB)": decibel(answer, truth, s) for name, answer in answers.items()}
    yield Frame(image, total, total, readings, {**views, **rest}, answers, frame.files, frame.notices)


def _enlarges(options: Options) -> bool:
    return options.mode != "kernel only"


def true_kernel(options: Options, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """The lab's kernel for ×2, to compare with, and for the factor."""
    if options.lab == "random blur":
        two = random_kernel(generator)
    elif options.lab == "gaussian":
        two = gaussian_kernel(options.width, options.other_width, options.angle)
    else:
        two = _own_file(options, 2)
    return two, for_scale(two, options.scale)


def fit(image: Tensor, truth: Tensor) -> Tensor:
    """The restored picture with its last rows and columns repeated, where the truth was no multiple of the factor."""
    down, across = truth.shape[-2] - image.shape[-2], truth.shape[-1] - image.shape[-1]
    return F.pad(image[None], (0, across, 0, down), mode="replicate")[0] if down or across else image


def decibel(image: Tensor, truth: Tensor, rim: int) -> float:
    """PSNR in dB on MATLAB's Y of 8-bit pictures, without a rim of `rim` px."""
    inner = (slice(rim, -rim), slice(rim, -rim))
    a, b = (matlab_y(to8bit(x).double())[inner] for x in (image, truth))
    return 10 * math.log10(255**2 / max(float((a - b).square().mean()), 1e-10))


# ---------------------------------------------------------------------------------------------- the method


def cost(height: int, width: int, options: Options) -> Cost:
    """Operations of the trainings and of the looks at the whole picture; bytes of what lives at once."""
    pixels, s = height * width, options.scale
    kernel = 0 if options.mode == "ZSSR only" and options.lab == "off" else options.iterations * options.seeds
    enlarge = (
        0 if options.mode == "kernel only" else options.zssr_iterations * (3 if options.lab != "off" else 1)
    )
    crop = 128 if options.paper else options.crop
    weights = 224640
    final = 2.0 * weights * pixels * s**2 * (8 if options.ensemble else 1)
    operations = kernel * 1.0e9 + enlarge * 1.3 * 6.0 * weights * crop**2 + (final if enlarge else 0)
    strip = 3 * 64 * 4.0 * min(pixels * s**2, 1 << 19)
    views = (8 if options.ensemble else 1) + 4
    phases = 0 if options.paper else s**2
    return Cost(operations, strip + 12.0 * pixels * (views * s**2 + phases + 8) + 300e6)


def scale(method: Method, options: Options) -> int:
    """The lab's result has the size of the picture given."""
    return 1 if options.lab != "off" else options.scale


def smaller(options: Options) -> Options | None:
    """Smaller training crops; None when they are as small as they can be."""
    return dataclasses.replace(options, crop=32) if options.crop > 32 and not options.paper else None


PAPERS: Mapping[str, object] = {"iterations": 3000, "zssr_iterations": 3000, "crop": 128, "paper": True}

KERNELGAN = Method(
    name="kernelgan",
    title="KernelGAN + ZSSR",
    summary="Learns from your picture alone how it was blurred, and sharpens it with what it found.",
    paper=Paper(
        authors="Bell-Kligler, Shocher, Irani",
        year=2019,
        venue="NeurIPS",
        title="Blind Super-Resolution Kernel Estimation using an Internal-GAN",
        link="https://arxiv.org/abs/1909.06581",
        licence="no weights: both networks are trained on your picture; our own code, written from the papers",
        good_for="pictures of any kind whose blur is not known: soft photographs, old scans, other cameras' pictures.",
        not_for="very small or smooth pictures (too little to learn from), heavy noise or compression.",
    ),
    scales=(2, 4),
    options=Options,
    presets={
        "Quick": {"iterations": 1500, "zssr_iterations": 200, "crop": 64},
        "Careful: three seeds": {"iterations": 3000, "seeds": 3, "zssr_iterations": 1000, "crop": 96},
        "Paper": PAPERS,
        "Kernel only": {"mode": "kernel only", "iterations": 3000},
    },
    accepts=Accepts(min_side=LEAST, max_pixels=1024 * 1024),
    cost=cost,
    run=run,
    scale=scale,
    smaller=smaller,
    cli_flags={"kernel-only": {"mode": "kernel only"}},
    save="save-kernel",
    caution=(
        "The kernel found varies from start to start: look at it, and try another seed or several. Where it is "
        "too wide the result is oversharpened, with halos along the edges."
    ),
)
