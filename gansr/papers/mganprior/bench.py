"""mGANprior measured on the example face at 256×256 px: the gain of more codes and of deeper layers (paper, figure 4),
each job against its trivial baseline, the paper's gradient descent beside Adam, and the time of a step.

The default generator draws FFHQ faces. The paper's tables are of other pictures and generators, so these values compare
with each other, not with the paper's. The iterations (see the constants) are few, so that a run ends within the hour.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gansr import faces, weights
from gansr.bench import Row
from gansr.bench import mobilestylegan_plain as graph
from gansr.bench.measure import PLAIN, in_process, in_turn, peak_gb
from gansr.engine import Engine
from gansr.job import Job
from gansr.method import Nets
from gansr.metrics.lpips import lpips
from gansr.metrics.psnr import psnr_rgb
from gansr.nets.mobilestylegan import MobileStyleGAN
from gansr.ops.colour import luma, to8bit
from gansr.ops.resize import imresize
from gansr.options import parse_options
from gansr.papers.mganprior import MGANPRIOR, Options
from gansr.papers.mganprior.composition import optimised_mobilestylegan, style_rows
from gansr.papers.mganprior.holes import hole_for
from gansr.papers.mganprior.search import start_search
from gansr.picture import open_picture

INVERSION = 200  # iterations of the comparison of codes, for the default generator
ITERATIONS = 60  # of each job
FIGURE = 60  # of each cell of figure 4
CODES, LAYERS = (1, 5, 10, 20), ("16", "32", "64")
NOISE = 25 / 255  # standard deviation, of the picture to be denoised, on [0,1]
BASE = replace(parse_options(Options, MGANPRIOR.presets["Quick"]), iterations=ITERATIONS, roles=False)
CODES_ALONE = replace(BASE, job="invert", codes=20, pull=0.0, offset=False)  # as in the paper
SIDE = 256
DEFAULT, ITSELF = "mobilestylegan-ffhq-1024", "gansr.papers.mganprior.bench"
EXAMPLE = Path(__file__).parents[3] / "assets" / "examples" / "astronaut.png"

Load = Callable[[str], Any]


def run(data: Path | None, load: Load = weights.load) -> Iterator[Row]:
    """All rows. `data` is not used: the picture is the repository's example."""
    engine = Engine(load=load)
    yield from speed(engine)
    large = face(engine)
    small = to8bit(imresize(large, (SIDE, SIDE)).clamp(0, 1))
    yield from codes(engine, small)
    yield from jobs(engine, large, small)
    yield from figure(engine, small)


def face(engine: Engine) -> Tensor:
    """The example's face, aligned, (3,1024,1024)."""
    picture = open_picture(EXAMPLE).rgb
    return faces.align(picture, faces.detect(picture, engine.net("scrfd-500m"))[0].points, 1024).image


def result_for(engine: Engine, low: Tensor, options: Options) -> Tensor:
    """The result for `low`, rounded to 8 bits."""
    return to8bit(engine.upscale(Job(MGANPRIOR, low, options)).image)


def codes(engine: Engine, truth: Tensor) -> Iterator[Row]:
    """Inversion, 20 codes against one, and the paper's gradient descent, at equal iterations."""
    inversion = replace(CODES_ALONE, iterations=INVERSION)
    found: dict[str, float] = {}
    for model, options in (
        ("N=20 adam", inversion),
        ("N=1 adam", replace(inversion, codes=1)),
        ("N=20 gd", replace(inversion, optimiser="gd")),
    ):
        found[model] = psnr_rgb(result_for(engine, truth, options), truth)
        yield Row("codes", f"{model}, {INVERSION} steps", "psnr", found[model])
    yield Row("codes", "mobilestylegan", "gain_20_over_1_db", found["N=20 adam"] - found["N=1 adam"])


def jobs(engine: Engine, large: Tensor, truth: Tensor) -> Iterator[Row]:
    """Each job and its trivial baseline: bicubic, grey, mean fill, the noisy input. The unit is in the model's
    name; a positive gain is better than the baseline in either."""
    net = engine.net("lpips-alex")

    @torch.no_grad()
    def distance(picture: Tensor) -> float:
        return lpips(picture, truth, net)

    for job, low, baseline, options in _cases(large, truth):
        picture = result_for(engine, low, options)
        if picture.shape != truth.shape:
            picture = to8bit(imresize(picture, (SIDE, SIDE)).clamp(0, 1))
        in_db = (psnr_rgb(picture, truth), psnr_rgb(baseline, truth))
        in_lpips = (distance(picture), distance(baseline))
        for name, (ours, theirs) in (("dB", in_db), ("LPIPS", in_lpips)):
            yield Row(job, f"mGANprior ({name})", "value", ours)
            yield Row(job, f"baseline ({name})", "value", theirs)
        gains = {"dB": in_db[0] - in_db[1], "LPIPS": in_lpips[1] - in_lpips[0]}
        unit = "dB" if gains["dB"] > 0 else "LPIPS"
        yield Row(job, f"mobilestylegan ({unit})", "gain_over_baseline", gains[unit])


def _cases(large: Tensor, truth: Tensor) -> Iterator[tuple[str, Tensor, Tensor, Options]]:
    """job, input, baseline, options."""
    for name, side in (("sr", 64), ("sr 16 to 256", 16)):  # ×16 to the generator's side; ×16 to the truth's
        tiny = to8bit(imresize(large, (side, side)).clamp(0, 1))
        bicubic = to8bit(imresize(tiny, (SIDE, SIDE)).clamp(0, 1))
        yield name, tiny, bicubic, replace(BASE, factor=1024 // side)
    grey = to8bit(luma(truth).expand(3, -1, -1))
    yield "colour", grey, grey, replace(BASE, job="colour")
    filling = replace(BASE, job="inpaint", hole="middle")
    hole = hole_for(filling, 0)
    assert hole is not None
    outside = truth[:, hole[0] == 0].mean(1)[:, None, None]
    yield "inpaint", truth, torch.where(hole > 0, outside, truth), filling
    noise = torch.randn(truth.shape, generator=torch.Generator().manual_seed(0))
    noisy = to8bit(truth + NOISE * noise)
    yield "denoise", noisy, noisy, replace(BASE, job="denoise")


def figure(engine: Engine, truth: Tensor) -> Iterator[Row]:
    """Figure 4: PSNR of the inversion by N and by composing layer."""
    for layer in LAYERS:
        for n in CODES:
            options = replace(CODES_ALONE, iterations=FIGURE, codes=n, layer=layer)
            picture = result_for(engine, truth, options)
            yield Row(f"figure 4, {FIGURE} steps", f"layer {layer}, N={n}", "psnr", psnr_rgb(picture, truth))


# ------------------------------------------------------------------------------------------------ speed


def speed(engine: Engine) -> Iterator[Row]:
    """Seconds of an iteration by layer and N, uncompiled and compiled, and how many times faster than the codes in
    a loop in float32, both with the allocator as torch has it and with ours."""
    dtype = torch.bfloat16 if engine.fast_bf16 else torch.float32
    nets = Nets({"generator": engine.net(DEFAULT)}, dtype, engine.forms)
    optimised = optimised_mobilestylegan(nets)
    seconds = {"": in_process(ITSELF, **PLAIN), ", our allocator": in_process(ITSELF)}
    for allocator, loops in seconds.items():
        for layer, taken in loops.items():
            yield Row(f"a step, layer {layer}", f"N=20, loop, float32{allocator}", "seconds", taken)
    low = torch.rand(3, SIDE, SIDE, generator=torch.Generator().manual_seed(0)).to(engine.device)
    for form in ("", ", compiled"):
        if form and (compiling := optimised.compile_in_background()) is not None:
            compiling.join()
        for layer in LAYERS:
            case = f"a step, layer {layer}"
            one, many = in_turn(engine.device, *(_batched(nets, low, layer, n) for n in (1, 20)), rounds=3)
            yield Row(case, f"N=1{form}", "seconds", one)
            yield Row(case, f"N=20{form}", "seconds", many)
            for allocator, loops in seconds.items():
                yield Row(case, f"N=20{form}, of the loop{allocator}", "ratio", loops[layer] / many)
    yield Row("memory", "bfloat16" if engine.fast_bf16 else "float32", "peak_gb", peak_gb())


def _loops(rounds: int = 3) -> dict[str, float]:
    """Layer → seconds of an iteration with 20 codes in a loop."""
    engine = Engine()
    low = torch.rand(3, SIDE, SIDE, generator=torch.Generator().manual_seed(0)).to(engine.device)
    works = [_plain(engine.net(DEFAULT), low, int(layer), 20) for layer in LAYERS]
    return dict(zip(LAYERS, in_turn(engine.device, *works, rounds=rounds)))


def _batched(nets: Nets, low: Tensor, layer: str, n: int) -> Callable[[], Any]:
    options = replace(CODES_ALONE, layer=layer, codes=n, iterations=1000)
    search = start_search(low, options, nets, torch.Generator().manual_seed(0))
    return lambda: search.step(1)


def _plain(net: MobileStyleGAN, low: Tensor, layer: int, n: int) -> Callable[[], Any]:
    """The same step without optimisation: code by code, in float32, the network as its graph is written."""
    options = replace(CODES_ALONE, layer=str(layer), codes=n, iterations=1000)
    search = start_search(low, options, Nets({"generator": net}), torch.Generator().manual_seed(0))
    boundary = next(k for k, (_, side) in enumerate(net.shapes) if side == layer)

    def picture() -> Tensor:
        total = torch.zeros(())
        for w, a in zip(search.codes, search.alpha):
            total = total + graph.first(net, style_rows(net, w[None]), boundary) * a[None, :, None, None]
        return graph.rest(net, total, style_rows(net, search.f2_style), boundary)

    search.picture = picture  # type: ignore[method-assign]
    return lambda: search.step(1)


if __name__ == "__main__":
    print(json.dumps(_loops()))
