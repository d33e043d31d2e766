"""PULSE: how close its samples come to the input (the paper's threshold is 2e-3), and the time of a step.

Quality: the astronaut of the examples (NASA, public domain), 4 samples at 32 px, preset Paper, once as the page
computes it and one sample all in float32; and eight faces drawn by the generator itself, not truncated, preset Careful:
their contrast is stronger than a photograph's, and at the preset Paper 2 of the first 3 stayed outside. Speed: forward
and backward of one sample, PULSE's loss included, each form against the plain port in one run. Needs no `data`.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gansr import weights
from gansr.bench import BenchError, Row
from gansr.bench.measure import PLAIN, in_process, in_turn, peak_gb
from gansr.bench.mobilestylegan_plain import synthesis
from gansr.engine import Engine
from gansr.method import Nets
from gansr.nets.stylegan1 import StyleGAN1
from gansr.nets.stylegan2 import StyleGAN2
from gansr.ops import sphere
from gansr.ops.colour import to8bit
from gansr.options import parse_options
from gansr.papers.pulse import run as search
from gansr.papers.pulse.latent import latent_gaussian
from gansr.papers.pulse.options import CAREFUL, PAPER, Options
from gansr.papers.pulse.search import Search, optimised
from gansr.picture import open_picture

DEFAULT = "mobilestylegan-ffhq-1024"
ASTRONAUT = Path(__file__).parents[3] / "assets" / "examples" / "astronaut-face-32.png"
SAMPLES, FACES = 4, 8
ITSELF = "gansr.papers.pulse.bench"

Load = Callable[[str], Any]
Draw = Callable[[Tensor], Tensor]  # style rows → pictures


def run(data: Path | None, load: Load = weights.load) -> Iterator[Row]:
    """All rows; the speed first, because it is the shortest. Raises BenchError where the example is missing."""
    engine = Engine()
    nets = Nets({"generator": load(DEFAULT).to(engine.device)}, _dtype(engine), engine.forms)
    yield from speed(nets)
    yield from others()
    yield from memory()
    yield from astronaut(nets)
    yield from own_faces(nets)


def _dtype(engine: Engine) -> torch.dtype:
    return torch.bfloat16 if engine.fast_bf16 else torch.float32


def astronaut(nets: Nets) -> Iterator[Row]:
    """The errors of 4 samples, in the page's precision, and the error of one all in float32."""
    if not ASTRONAUT.is_file():
        raise BenchError(f"{ASTRONAUT} is missing")
    low = open_picture(ASTRONAUT).rgb.to(next(nets["generator"].parameters()).device)
    options = replace(parse_options(Options, PAPER), samples=SAMPLES)
    yield from _errors("astronaut 32", "paper", _mse(low, options, nets))
    if nets.dtype != torch.float32:
        errors = _mse(low, replace(options, samples=1), replace(nets, dtype=torch.float32))
        yield from _errors("astronaut 32", "paper, float32", errors)


def own_faces(nets: Nets) -> Iterator[Row]:
    """Eight pictures of the generator, shrunk to 32 px and 8 bit: how many are reached within the threshold."""
    net, options = nets["generator"], parse_options(Options, CAREFUL)
    errors: list[float] = []
    g = torch.Generator().manual_seed(0)
    for _ in range(FACES):
        z = torch.randn(1, net.style, generator=g).to(next(net.parameters()).device)
        with torch.no_grad():
            low = to8bit(((sphere.shrink(net(z), net.side // 32) + 1) / 2)[0].clamp(0, 1))
        errors += _mse(low, options, nets)
    yield from _errors("faces of the prior 32", "careful", errors)


def _mse(low: Tensor, options: Options, nets: Nets) -> list[float]:
    *_, last = search(low, options, nets, torch.Generator().manual_seed(0))
    return [value for name, value in last.readings.items() if name.startswith("mse")]


def _errors(case: str, model: str, errors: list[float]) -> Iterator[Row]:
    yield Row(case, model, "mse_max", max(errors))
    yield Row(case, model, "mse_mean", statistics.fmean(errors))
    yield Row(case, model, f"within_of_{len(errors)}", float(sum(e <= Options.eps for e in errors)))


# ------------------------------------------------------------------------------------------------ speed


def speed(nets: Nets, rounds: int = 5) -> Iterator[Row]:
    """Seconds a step of the default generator: the plain port, our network, and its forms; ratios of the medians.

    The plain port runs in a process of its own with torch's and glibc's allocator settings, because ours is part of
    what is measured; and here beside the others, with our settings.
    """
    net = nets["generator"]
    alone = in_process(ITSELF, "plain", str(rounds), **PLAIN)["seconds_a_step"]
    here = "plain float32, our allocator"
    forms: dict[str, Draw] = {here: lambda rows: synthesis(net, rows)}
    for chosen in (replace(nets, dtype=torch.float32), nets):
        eager = optimised(chosen).snapshot()
        forms[eager.form] = eager.synthesis
    if (thread := optimised(nets).compile_in_background()) is not None:
        start = time.perf_counter()
        thread.join()
        yield Row("speed 1024", "compiling", "seconds", time.perf_counter() - start)
    best = optimised(nets).snapshot()
    forms[best.form] = best.synthesis
    taken = _in_turn(net, forms, rounds, latent_gaussian(nets))
    for name, seconds in {"plain float32": alone, **taken}.items():
        yield Row("speed 1024", name, "seconds_a_step", seconds)
    for name, seconds in taken.items():
        yield Row("speed 1024", name, "ratio", alone / seconds)
    yield Row("speed 1024", best.form, "ratio_our_allocator", taken[here] / taken[best.form])


def others(rounds: int = 2) -> Iterator[Row]:
    """Seconds a step of the other generators, with random weights: their speed does not depend on them."""
    torch.manual_seed(0)
    for net in (StyleGAN1(), StyleGAN2(256), StyleGAN2(1024)):
        net.requires_grad_(False).eval()
        name = type(net).__name__.lower()
        fit = torch.zeros(net.style), torch.ones(net.style)
        taken = _in_turn(net, {name: net.synthesis}, rounds, fit)
        yield Row(f"speed {net.side}", name, "seconds_a_step", taken[name])


def _in_turn(net: Any, forms: dict[str, Draw], rounds: int, fit: tuple[Tensor, Tensor]) -> dict[str, float]:
    """The median seconds of each form's step, forward and backward."""
    device = next(net.parameters()).device
    low = torch.full((3, 32, 32), 0.5, device=device)
    v = torch.randn(1, net.style_rows, net.style, generator=torch.Generator().manual_seed(0)).to(device)
    works = [partial(_step, net, draw, v, fit, low) for draw in forms.values()]
    return dict(zip(forms, in_turn(device, *works, rounds=rounds)))


@torch.enable_grad()
def _step(net: Any, draw: Draw, v: Tensor, fit: tuple[Tensor, Tensor], low: Tensor) -> None:
    v = v.clone().requires_grad_()
    rows = sphere.to_rows(v, *fit, net.gain)
    small = (sphere.shrink(draw(rows), net.side // low.shape[-1]) + 1) / 2
    terms = sphere.losses(small, low, rows, 0.0)
    (100 * terms["L2"] + 0.05 * terms["GEOCROSS"]).sum().backward()


# ----------------------------------------------------------------------------------------------- memory


def memory() -> Iterator[Row]:
    """Peak memory of a whole process that searches with the default generator, for 1 sample and for 4; and the time
    of a step of 4, as a multiple of a step of 1."""
    seconds: dict[int, float] = {}
    for samples in (1, SAMPLES):
        for metric, value in in_process(ITSELF, "search", str(samples)).items():
            if metric == "eager_seconds_a_step":
                seconds[samples] = value
            yield Row("memory 1024", f"samples {samples}", metric, value)
    yield Row("speed 1024", f"{SAMPLES} samples, of one", "ratio", seconds[SAMPLES] / seconds[1])


def _one_search(samples: int, steps: int = 10) -> dict[str, float]:
    engine = Engine()
    nets = Nets({"generator": engine.net(DEFAULT)}, _dtype(engine), engine.forms)
    low = torch.full((3, 32, 32), 0.5, device=engine.device)
    found = Search(low, Options(samples=samples, steps=steps), nets, 0)
    taken: list[float] = []
    for j in range(steps):
        start = time.perf_counter()
        found.step(j)
        taken.append(time.perf_counter() - start)
    return {"eager_seconds_a_step": statistics.median(taken[2:]), "peak_gb": peak_gb()}


def _plain_port(rounds: int) -> dict[str, float]:
    net = weights.load(DEFAULT)
    fit = latent_gaussian(Nets({"generator": net}))
    taken = _in_turn(net, {"plain": lambda rows: synthesis(net, rows)}, rounds, fit)
    return {"seconds_a_step": taken["plain"]}


if __name__ == "__main__":
    what, number = sys.argv[1:]
    print(json.dumps(_one_search(int(number)) if what == "search" else _plain_port(int(number))))
