"""PULSE: how near its answers come (the paper's threshold, 2e-3), and what a step costs, by generator and form.

Quality: the astronaut of the examples (NASA, public domain), 4 answers at 32 px, preset Paper, once as the page
computes it and one answer all in float32; and eight faces of the prior itself, not truncated, preset Careful: their
contrast is stronger than a photograph's, and at the preset Paper 2 of the first 3 stayed outside. Speed: forward and
backward of one answer, PULSE's loss included, each form against the plain port in one run. Needs no `data`.
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
from gansr.nets import compiled
from gansr.nets.mobilestylegan import MobileStyleGAN
from gansr.nets.stylegan1 import StyleGAN1
from gansr.nets.stylegan2 import StyleGAN2
from gansr.ops import sphere
from gansr.ops.colour import to8bit
from gansr.options import parse_options
from gansr.papers.pulse import CAREFUL, PAPER, Options, Search, fit_of
from gansr.papers.pulse import run as search
from gansr.picture import open_picture

DEFAULT = "mobilestylegan-ffhq-1024"
ASTRONAUT = Path(__file__).parents[3] / "assets" / "examples" / "astronaut-face-32.png"
ANSWERS, FACES = 4, 8
ITSELF = "gansr.papers.pulse.bench"

Load = Callable[[str], Any]
Draw = Callable[[Tensor], Tensor]  # style rows → pictures


def run(data: Path | None, load: Load = weights.load) -> Iterator[Row]:
    """All rows; the speed first, for it is the shortest. Raises BenchError where the example is missing."""
    engine = Engine()
    net = load(DEFAULT).to(engine.device)
    dtype = torch.bfloat16 if engine.fast_bf16 else torch.float32
    yield from speed(net, dtype)
    yield from others()
    yield from memory()
    yield from astronaut(net, dtype)
    yield from own_faces(net, dtype)


def astronaut(net: MobileStyleGAN, dtype: torch.dtype) -> Iterator[Row]:
    """The largest error of 4 answers, in the page's precision, and the error of one all in float32."""
    if not ASTRONAUT.is_file():
        raise BenchError(f"{ASTRONAUT} is missing")
    low = open_picture(ASTRONAUT).rgb.to(next(net.parameters()).device)
    options = replace(parse_options(Options, PAPER), answers=ANSWERS)
    yield from _answers("astronaut 32", "paper", _mse(low, options, net, dtype))
    if dtype != torch.float32:
        alone = replace(options, answers=1)
        yield from _answers("astronaut 32", "paper, float32", _mse(low, alone, net, torch.float32))


def own_faces(net: MobileStyleGAN, dtype: torch.dtype) -> Iterator[Row]:
    """Eight pictures of the generator, shrunk to 32 px and 8 bit: how many are reached within the threshold."""
    options, errors = parse_options(Options, CAREFUL), []
    g = torch.Generator().manual_seed(0)
    for _ in range(FACES):
        z = torch.randn(1, net.style, generator=g).to(next(net.parameters()).device)
        with torch.no_grad():
            low = to8bit(((sphere.shrink(net(z), net.side // 32) + 1) / 2)[0].clamp(0, 1))
        errors += _mse(low, options, net, dtype)
    yield from _answers("faces of the prior 32", "careful", errors)


def _mse(low: Tensor, options: Options, net: MobileStyleGAN, dtype: torch.dtype) -> list[float]:
    *_, last = search(low, options, Nets({"generator": net}, dtype), torch.Generator().manual_seed(0))
    return [value for name, value in last.readings.items() if name.startswith("mse")]


def _answers(case: str, model: str, errors: list[float]) -> Iterator[Row]:
    yield Row(case, model, "mse_max", max(errors))
    yield Row(case, model, "mse_mean", statistics.fmean(errors))
    yield Row(case, model, f"within_of_{len(errors)}", float(sum(e <= Options.eps for e in errors)))


# ------------------------------------------------------------------------------------------------ speed


def speed(net: MobileStyleGAN, dtype: torch.dtype, rounds: int = 5) -> Iterator[Row]:
    """Seconds a step of the default generator: the plain port, our net, and its forms; ratios of the medians.

    The plain port is run in a process of its own with the allocator as torch and glibc have it, for ours is a part
    of the arrangement; and here beside the others, with the allocator as we set it.
    """
    alone = in_process(ITSELF, "plain", str(rounds), **PLAIN)["seconds_a_step"]
    here = "plain float32, our allocator"
    forms: dict[str, Draw] = {here: lambda rows: synthesis(net, rows)}
    eager = compiled.prepared(net, dtype)
    forms |= {"eager float32": compiled.prepared(net, torch.float32).synthesis, eager.form: eager.synthesis}
    if (thread := compiled.start(net, dtype)) is not None:
        start = time.perf_counter()
        thread.join()
        yield Row("speed 1024", "compiling", "seconds", time.perf_counter() - start)
    best = compiled.prepared(net, dtype)
    forms[best.form] = best.synthesis
    taken = _in_turn(net, forms, rounds)
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
        taken = _in_turn(net, {name: net.synthesis}, rounds)
        yield Row(f"speed {net.side}", name, "seconds_a_step", taken[name])


def _in_turn(net: Any, forms: dict[str, Draw], rounds: int) -> dict[str, float]:
    """The median seconds of each form's step, forward and backward."""
    device = next(net.parameters()).device
    low = torch.full((3, 32, 32), 0.5, device=device)
    v = torch.randn(1, net.style_rows, net.style, generator=torch.Generator().manual_seed(0)).to(device)
    fit = fit_of(net) if isinstance(net, MobileStyleGAN) else (v.new_zeros(net.style), v.new_ones(net.style))
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
    """Peak memory of a whole process that searches with the default generator: 1 answer, and 4; and what a step of
    4 costs, as a multiple of a step of 1."""
    seconds = {}
    for answers in (1, ANSWERS):
        for metric, value in in_process(ITSELF, "search", str(answers)).items():
            seconds[answers] = value if metric == "eager_seconds_a_step" else seconds[answers]
            yield Row("memory 1024", f"answers {answers}", metric, value)
    yield Row("speed 1024", f"{ANSWERS} answers, of one", "ratio", seconds[ANSWERS] / seconds[1])


def _one_search(answers: int, steps: int = 10) -> dict[str, float]:
    engine = Engine()
    dtype = torch.bfloat16 if engine.fast_bf16 else torch.float32
    low = torch.full((3, 32, 32), 0.5, device=engine.device)
    found = Search(low, Options(answers=answers, steps=steps), engine.net(DEFAULT), dtype, 0)
    taken = []
    for j in range(steps):
        start = time.perf_counter()
        found.step(j)
        taken.append(time.perf_counter() - start)
    return {"eager_seconds_a_step": statistics.median(taken[2:]), "peak_gb": peak_gb()}


def _plainly(rounds: int) -> dict[str, float]:
    net = weights.load(DEFAULT)
    taken = _in_turn(net, {"plain": lambda rows: synthesis(net, rows)}, rounds)
    return {"seconds_a_step": taken["plain"]}


if __name__ == "__main__":
    what, number = sys.argv[1:]
    print(json.dumps(_one_search(int(number)) if what == "search" else _plainly(int(number))))
