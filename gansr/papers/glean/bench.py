"""Our GLEAN models against bicubic, on faces they were not trained on, and their speed.

Of each model, at its own size:

- synthetic: 50 faces of the prior from seeds that training does not use (gansr.papers.glean.synthetic, seed 2, whole
  pictures), downscaled by MATLAB's bicubic and enlarged: means over the faces.
- astronaut: the example photograph, a real face, aligned as the page does, the same factor; with ArcFace's cosine to
  the truth, and PULSE's at the same factor.
- speed: seconds per pass of the plain network in float32 and torch's own layout, and of its optimised form
  (bfloat16 where it pays, channels last; its picture differs by 59 dB or more), alternating; the ratio; and the peak
  memory of a whole process that enlarges one face.

psnr and consistency are of RGB, in dB, of 8-bit pictures; psnr_gain_db and lpips_drop (a share) are against bicubic's.
`data` may be a folder with control.safetensors, the control trained with the same budget but without the bank (see the
model card): it is then measured beside glean-face-x8.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gansr import weights
from gansr.bench import BenchError, Row
from gansr.bench.measure import in_process, in_turn, peak_gb
from gansr.engine import Engine
from gansr.inputs import DETECTOR, Inputs, MethodInput
from gansr.job import Job
from gansr.ops.colour import to8bit
from gansr.ops.resize import imresize
from gansr.options import parse_options
from gansr.papers.glean import BANK, GLEAN, MODELS, NO_BANK, OURS, OWN, Options, enlarge
from gansr.papers.glean.own import GleanOwn
from gansr.papers.glean.report import downscaled, psnr
from gansr.papers.glean.synthetic import synthesise
from gansr.request import decode
from gansr.weights import manifest
from gansr.weights.tensors import parse

FACES, SEED = 50, 2
ASTRONAUT = Path(__file__).parents[3] / "assets" / "examples" / "astronaut.png"

Load = Callable[[str], Any]
Enlarge = Callable[[Tensor], Tensor]


def run(data: Path | None, load: Load = weights.load, faces: int = FACES) -> Iterator[Row]:
    """The rows. Raises BenchError where `data` holds no control."""
    engine = Engine(load=load)
    for names in of_one_size():
        models = {title: answer for name in names for title, answer in ours(engine, name).items()}
        if OWN in names and data is not None:
            models["control"] = control(data)
        yield from synthetic(engine, names[0], models, faces)
        yield from astronaut(engine, names[0], models)
    for name in OURS:
        yield from speed(engine, name)
        yield from memory(name)


def of_one_size() -> list[list[str]]:
    """Our models by name, those of the same input and output side together."""
    sizes = dict.fromkeys((MODELS[name].side, MODELS[name].size) for name in OURS)
    return [[name for name in OURS if (MODELS[name].side, MODELS[name].size) == one] for one in sizes]


def ours(engine: Engine, name: str) -> dict[str, Enlarge]:
    """Our model `name` with the options the page offers, by what it is called in the rows."""

    def through(low: Tensor, **options: Any) -> Tensor:
        return to8bit(engine.upscale(Job(GLEAN, low, Options(model=name, **options))).image)

    return {
        name: through,
        f"{name}, no bank": lambda low: through(low, parts=NO_BANK),
        f"{name}, exact off": lambda low: through(low, exact="off"),
    }


def synthetic(engine: Engine, name: str, models: Mapping[str, Enlarge], faces: int) -> Iterator[Row]:
    """The figures on faces of the bank, at the size of our model `name`."""
    bank, model = engine.net(BANK), MODELS[name]
    made = synthesise(bank, SEED, range(faces), model.size, False, bank.synthesis)
    truths = [face.permute(2, 0, 1).float() / 255 for face in made]
    for who, row in compared(engine, models, truths, model.factor):
        yield Row("synthetic", who, *row)


def control(data: Path) -> Enlarge:
    """The network trained without a bank, from the file that training writes. Raises BenchError where it is missing."""
    path = data / "control.safetensors"
    if not path.is_file():
        raise BenchError(f"{path} is missing: `python -m gansr train glean` writes it as model.safetensors")
    net: GleanOwn = manifest.build(weights.entries()[OWN])
    net.load_state_dict(parse(path.read_bytes()), strict=True)
    engine = Engine(load=lambda name: net.requires_grad_(False).eval())
    return lambda low: to8bit(engine.upscale(Job(GLEAN, low, Options(parts=NO_BANK))).image)


def compared(
    engine: Engine, models: Mapping[str, Enlarge], truths: list[Tensor], factor: int
) -> Iterator[tuple[str, tuple[str, float]]]:
    """(model, (metric, value)): bicubic first, then each model, with its gain over bicubic."""
    lpips = engine.net("lpips-alex")
    lows = [downscaled(truth, factor) for truth in truths]
    plain: dict[str, float] = {}
    for model, answer in {f"bicubic x{factor}": bicubic(factor), **models}.items():
        made = [answer(low) for low in lows]
        found = {
            "psnr": statistics.fmean(psnr(a, b) for a, b in zip(made, truths)),
            "lpips_alex": statistics.fmean(distance(lpips, a, b) for a, b in zip(made, truths)),
            "consistency": statistics.fmean(psnr(downscaled(a, factor), low) for a, low in zip(made, lows)),
        }
        if not plain:
            plain = found
        else:
            gain = {"psnr_gain_db": found["psnr"] - plain["psnr"]}
            found |= gain | {"lpips_drop": 1 - found["lpips_alex"] / plain["lpips_alex"]}
        yield from ((model, row) for row in found.items())


def bicubic(factor: int) -> Enlarge:
    return lambda low: imresize(low, factor, rounded=True)


@torch.no_grad()
def distance(lpips: Any, a: Tensor, b: Tensor) -> float:
    return float(lpips(a[None], b[None]))


def astronaut(engine: Engine, name: str, models: Mapping[str, Enlarge]) -> Iterator[Row]:
    """The example face at the size of the model `name`: the same figures, and ArcFace's similarity to the truth."""
    factor = MODELS[name].factor
    request = decode(GLEAN, {"task": "known answer", "model": name})
    known = Inputs(lambda: engine.net(DETECTOR)).make(ASTRONAUT, request)
    assert known.truth is not None
    for model, row in compared(engine, models, [known.truth], factor):
        yield Row("astronaut", model, *row)
    plain = {f"bicubic x{factor}": bicubic(factor)}
    for model, answer in {**plain, **models, **pulse(engine, name)}.items():
        value = identity(engine, answer(known.low), known)
        if value is not None:
            yield Row("astronaut", model, "identity", value)


def pulse(engine: Engine, name: str) -> dict[str, Enlarge]:
    """PULSE with its default options, from the input of the model `name`, downscaled from its 1024² to the same factor;
    empty where it is not installed."""
    from gansr.papers import METHODS

    method = next((m for m in METHODS if m.name == "pulse"), None)
    if method is None:
        return {}
    side, size = MODELS[name].side, MODELS[name].size
    options = parse_options(method.options, {"side": str(side)})

    def through(low: Tensor) -> Tensor:
        image = engine.upscale(Job(method, low, options)).image
        return to8bit(imresize(image, (size, size)).clamp(0, 1))

    return {f"pulse from {side}x{side}": through}


def identity(engine: Engine, image: Tensor, known: MethodInput) -> float | None:
    """ArcFace's cosine of a result and the truth; None where it cannot be measured."""
    from gansr.metrics import METRICS

    metric = next((m for m in METRICS if m.name == "identity"), None)
    if metric is None:
        return None
    (reading,) = engine.measure(image, known.low, known.shrink, known.truth, metrics=(metric,))
    return reading.value


# ----------------------------------------------------------------------------------------------- speed


def speed(engine: Engine, name: str, rounds: int = 9) -> Iterator[Row]:
    """Medians of alternating passes: the plain module in float32, and as the page runs it.

    Plain means as a script would call it, with grad mode on, which rules out the optimised form's work in place.
    """
    net, bank, options = engine.net(name), engine.net(BANK), Options(model=name)
    low = torch.rand(3, net.side, net.side, generator=torch.Generator().manual_seed(0)).to(engine.device)
    nets = engine.nets(Job(GLEAN, low, options))

    def plain_pass() -> None:
        with torch.enable_grad():
            net(low[None], bank)

    works = (plain_pass, lambda: enlarge(low, options, nets))
    plain, fast = in_turn(engine.device, *works, rounds=rounds)
    yield Row("speed", f"{name}, plain", "seconds", plain)
    yield Row("speed", f"{name}, optimised", "seconds", fast)
    yield Row("speed", name, "ratio", plain / fast)


def memory(name: str) -> Iterator[Row]:
    """Peak memory (10⁹ bytes) of a process that enlarges one face."""
    yield Row("speed", name, "peak_gb", in_process("gansr.papers.glean.bench", name))


def _peak(name: str) -> float:
    """Peak memory of this process, 10⁹ bytes, after it has enlarged a face with the model `name`."""
    side = MODELS[name].side
    Engine().upscale(Job(GLEAN, torch.rand(3, side, side), Options(model=name)))
    return peak_gb()


if __name__ == "__main__":
    print(json.dumps(_peak(sys.argv[1])))
