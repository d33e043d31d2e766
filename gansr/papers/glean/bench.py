"""Our GLEAN against bicubic, on faces it was not trained on, and its speed.

- synthetic: 50 faces of the prior from seeds that training does not use (gansr.papers.glean.synthetic, seed 2, whole
  pictures), downscaled to 32² by MATLAB's bicubic and enlarged 8 times: means over the faces.
- astronaut: the example photograph, a real face, aligned as the page does, the same factor; with ArcFace's cosine to
  the truth, and PULSE's at the same factor.
- speed: seconds per pass 32² → 256² of the plain network in float32 and torch's own layout, and of its optimised form
  (bfloat16 where it pays, channels last; its picture differs by 59 dB or more), alternating; the ratio; and the peak
  memory of a whole process that enlarges one face.

psnr and consistency are of RGB, in dB, of 8-bit pictures; psnr_gain_db and lpips_drop (a share) are against bicubic's.
`data` may be a folder with control.safetensors, the control trained with the same budget but without the bank (see the
model card): it is then measured as well.
"""

from __future__ import annotations

import json
import statistics
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
from gansr.papers.glean import BANK, GLEAN, NO_BANK, OWN, Options, enlarge
from gansr.papers.glean.own import GleanOwn
from gansr.papers.glean.report import downscaled, psnr
from gansr.papers.glean.synthetic import synthesise
from gansr.request import decode
from gansr.weights import manifest
from gansr.weights.tensors import parse

FACES, SEED = 50, 2
FACTOR, LARGE = 8, 256
ASTRONAUT = Path(__file__).parents[3] / "assets" / "examples" / "astronaut.png"

Load = Callable[[str], Any]
Enlarge = Callable[[Tensor], Tensor]


def run(data: Path | None, load: Load = weights.load, faces: int = FACES) -> Iterator[Row]:
    """The rows. Raises BenchError where `data` holds no control."""
    engine = Engine(load=load)
    models = ours(engine) | ({} if data is None else {"control": control(data)})
    bank = load(BANK)
    made = synthesise(bank, SEED, range(faces), LARGE, False, bank.synthesis)
    truths = [face.permute(2, 0, 1).float() / 255 for face in made]
    for model, row in compared(engine, "synthetic", models, truths):
        yield Row("synthetic", model, *row)
    yield from astronaut(engine, models)
    yield from speed(engine)
    yield from memory()


def ours(engine: Engine) -> dict[str, Enlarge]:
    """Our model with the options the page offers, by name."""

    def through(low: Tensor, **options: Any) -> Tensor:
        return to8bit(engine.upscale(Job(GLEAN, low, Options(**options))).image)

    return {
        "glean-face": through,
        "glean-face, no bank": lambda low: through(low, parts=NO_BANK),
        "glean-face, exact off": lambda low: through(low, exact="off"),
    }


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
    engine: Engine, case: str, models: Mapping[str, Enlarge], truths: list[Tensor]
) -> Iterator[tuple[str, tuple[str, float]]]:
    """(model, (metric, value)): bicubic first, then each model, with its gain over bicubic."""
    lpips = engine.net("lpips-alex")
    lows = [downscaled(truth, FACTOR) for truth in truths]
    plain: dict[str, float] = {}
    for model, answer in {"bicubic": bicubic, **models}.items():
        made = [answer(low) for low in lows]
        found = {
            "psnr": statistics.fmean(psnr(a, b) for a, b in zip(made, truths)),
            "lpips_alex": statistics.fmean(distance(lpips, a, b) for a, b in zip(made, truths)),
            "consistency": statistics.fmean(psnr(downscaled(a, FACTOR), low) for a, low in zip(made, lows)),
        }
        plain = plain or found
        if model != "bicubic":
            found["psnr_gain_db"] = found["psnr"] - plain["psnr"]
            found["lpips_drop"] = 1 - found["lpips_alex"] / plain["lpips_alex"]
        yield from ((model, row) for row in found.items())


def bicubic(low: Tensor) -> Tensor:
    return imresize(low, FACTOR, rounded=True)


@torch.no_grad()
def distance(lpips: Any, a: Tensor, b: Tensor) -> float:
    return float(lpips(a[None], b[None]))


def astronaut(engine: Engine, models: Mapping[str, Enlarge]) -> Iterator[Row]:
    """The example face: the same figures, and ArcFace's similarity to the truth."""
    known = Inputs(lambda: engine.net(DETECTOR)).make(ASTRONAUT, decode(GLEAN, {"task": "known answer"}))
    assert known.truth is not None
    for model, row in compared(engine, "astronaut", models, [known.truth]):
        yield Row("astronaut", model, *row)
    for model, answer in {"bicubic": bicubic, **models, **pulse(engine)}.items():
        value = identity(engine, answer(known.low), known)
        if value is not None:
            yield Row("astronaut", model, "identity", value)


def pulse(engine: Engine) -> dict[str, Enlarge]:
    """PULSE with its default options, downscaled from its 1024² to the same factor; empty where it is not installed."""
    from gansr.papers import METHODS

    method = next((m for m in METHODS if m.name == "pulse"), None)
    if method is None:
        return {}
    options = method.options()

    def through(low: Tensor) -> Tensor:
        image = engine.upscale(Job(method, low, options)).image
        return to8bit(imresize(image, (LARGE, LARGE)).clamp(0, 1))

    return {"pulse": through}


def identity(engine: Engine, image: Tensor, known: MethodInput) -> float | None:
    """ArcFace's cosine of a result and the truth; None where it cannot be measured."""
    from gansr.metrics import METRICS

    metric = next((m for m in METRICS if m.name == "identity"), None)
    if metric is None:
        return None
    (reading,) = engine.measure(image, known.low, known.shrink, known.truth, metrics=(metric,))
    return reading.value


# ----------------------------------------------------------------------------------------------- speed


def speed(engine: Engine, rounds: int = 9) -> Iterator[Row]:
    """Medians of alternating passes: the plain module in float32, and as the page runs it.

    Plain means as a script would call it, with grad mode on, which rules out the optimised form's work in place.
    """
    net, bank = engine.net(OWN), engine.net(BANK)
    low = torch.rand(3, net.side, net.side, generator=torch.Generator().manual_seed(0)).to(engine.device)
    nets = engine.nets(Job(GLEAN, low, Options()))

    def plain_pass() -> None:
        with torch.enable_grad():
            net(low[None], bank)

    works = (plain_pass, lambda: enlarge(low, Options(), nets))
    plain, fast = in_turn(engine.device, *works, rounds=rounds)
    yield Row("speed", "plain 32x32", "seconds", plain)
    yield Row("speed", "optimised 32x32", "seconds", fast)
    yield Row("speed", "glean-face", "ratio", plain / fast)


def memory() -> Iterator[Row]:
    """Peak memory (10⁹ bytes) of a process that enlarges one face."""
    yield Row("speed", "glean-face", "peak_gb", in_process("gansr.papers.glean.bench"))


def _peak() -> float:
    """Peak memory of this process, 10⁹ bytes, after it has enlarged a face."""
    Engine().upscale(Job(GLEAN, torch.rand(3, 32, 32), Options()))
    return peak_gb()


if __name__ == "__main__":
    print(json.dumps(_peak()))
