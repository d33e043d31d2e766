"""python -m gansr rating build: the set of rated pictures, from the examples of the gallery.

Each example is computed as Compare does it, with every method's first preset. Of each result, of bicubic, nearest
neighbour and the truth the same part is written: of a face the whole, reduced; of a photograph its middle, as it is.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor
from torch.nn.functional import avg_pool2d

from gansr import __version__, gallery, papers, receipt, weights
from gansr.compare import plan
from gansr.compare.plan import Comparison
from gansr.compare.run import run
from gansr.engine import like_input
from gansr.gallery import DRAWN, Example
from gansr.inputs import MethodInput
from gansr.metrics import METRICS
from gansr.options import OptionError, plain_values
from gansr.picture import open_picture, to_lossless_webp
from gansr.pipeline import Pipeline
from gansr.problem import PROBLEMS, Problem, name_of
from gansr.rating.catalogue import ANCHORS, BICUBIC, FILE, FOLDER, NEAREST, TRUTH
from gansr.request import Request, decode

EXAMPLES = Path(__file__).parents[2] / "assets" / "examples"
SIDE = 256  # px: the largest side of a rated picture
SEED = 0


def build(
    pipeline: Pipeline,
    names: Sequence[str] = (),
    folder: Path = FOLDER,
    tell: Callable[[str], None] = print,
) -> None:
    """Compute the examples of these names, or all, and write them into `folder`; other examples of the gallery that are
    there stay. Raises OptionError for an unknown name, or one of USER_ERRORS."""
    known = {example.name: example for example in gallery.COMPARED}
    if unknown := set(names) - {*known}:
        raise OptionError(f"there is no example {min(unknown)}; there are: {', '.join(known)}")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE
    found: dict[str, Any] = {"entries": {}, "pictures": {}}
    if path.exists():
        found = json.loads(path.read_text("utf-8"))
    for example in (known[name] for name in names or known):
        entries, picture = _rated(example, pipeline, folder)
        others = {
            id: one for id, one in found["pictures"].items() if one["example"] in {*known} - {example.name}
        }
        found["pictures"] = others | {_id_of(picture): picture}
        found["entries"] |= entries
        used = {entry for one in found["pictures"].values() for entry in one["files"]}
        found["entries"] = {id: one for id, one in sorted(found["entries"].items()) if id in used}
        path.write_text(json.dumps(found, ensure_ascii=False, indent=1), "utf-8")
        tell(f"{example.name}: {len(picture['files'])} pictures")
    named = {name for one in found["pictures"].values() for name in (one["small"], *one["files"].values())}
    for old in folder.glob("*.webp"):
        if old.name not in named:
            old.unlink()


def _rated(example: Example, pipeline: Pipeline, folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The entries of an example and its picture, whose files are written."""
    comparison = _compared(example, pipeline)
    given = comparison.given
    assert given is not None and given.truth is not None and comparison.bicubic is not None
    scale = comparison.problem.scale
    nearest = like_input(given.low.repeat_interleave(scale, 1).repeat_interleave(scale, 2), given.grey)
    images: dict[str, Tensor] = {BICUBIC: comparison.bicubic, NEAREST: nearest, TRUTH: given.truth}
    metrics = {BICUBIC: _values({one.metric.name: one.value for one in comparison.baseline})}
    metrics |= {
        name: _values(_measured(images[name], given, comparison, pipeline)) for name in (NEAREST, TRUTH)
    }
    entries: dict[str, Any] = {
        name: {"title": title, "about": {"method": name}} for name, title in ANCHORS.items()
    }
    receipts: dict[str, Any] = {}
    for entry in comparison:
        if entry.state != "done" or entry.frame is None or entry.given is None:
            continue
        about = configuration(example, entry.request)
        id = f"{entry.method.name}-{_hash(json.dumps(about, sort_keys=True).encode(), 10)}"
        entries[id] = {"title": entry.method.title, "about": about}
        images[id] = entry.frame.image
        metrics[id] = _values({one.metric.name: one.value for one in entry.measured})
        receipts[id] = receipt.write(entry.request, entry.given, entry.frame)
    seen, small = views(images, given.low, comparison.problem)
    picture = {
        "example": example.name,
        "title": example.title,
        "class": class_of(example, comparison.problem),
        "problem": name_of(comparison.problem),
        "small": _write(small, folder),
        "files": {id: _write(image, folder) for id, image in seen.items()},
        "metrics": metrics,
        "receipts": receipts,
    }
    return entries, picture


def _compared(example: Example, pipeline: Pipeline) -> Comparison:
    picture = open_picture(EXAMPLES / example.picture)
    requests = [_request(method, example) for method in papers.METHODS]
    if plan.looks_for_face(requests):
        for _ in pipeline.fetch_detector():
            pass
    name = example.settings.get("problem") or plan.default_problem(picture, requests, pipeline)
    comparison = plan.plan(picture, requests, PROBLEMS[name], pipeline)
    for _ in run(comparison, pipeline):
        pass
    return comparison


def _request(method: Any, example: Example) -> Request:
    first = next(iter(method.presets.values()))
    given = {name: value for name, value in example.settings.items() if name != "problem"}
    return decode(method, {**given, "seed": SEED, **first})


def configuration(example: Example, request: Request) -> dict[str, Any]:
    """What makes a method's results others: the method, this program's version, its options before a problem sets
    some of them, its weights and the seed."""
    usual = _request(request.method, example)
    used = {role: weights.digest(name) for role, name in usual.weights.items()}
    return {
        "method": request.method.name, "version": __version__, "options": plain_values(usual.options),
        "weights": used, "seed": SEED, "precision": usual.precision,
    }  # fmt: skip


def class_of(example: Example, problem: Problem) -> str:
    """The class of pictures that an example belongs to."""
    if problem.side:
        return "generated-face" if example.about == DRAWN else "face"
    return "drawing" if example.name == "drawing" else "photograph"


def views(images: Mapping[str, Tensor], low: Tensor, problem: Problem) -> tuple[dict[str, Tensor], Tensor]:
    """The part of each (3,H,W) that is rated, at most SIDE px wide and high, and of the small picture the same part."""
    height, width = images[TRUTH].shape[-2:]
    if problem.side:
        factor = max(1, math.ceil(width / SIDE))
        return {id: avg_pool2d(image[None], factor)[0] for id, image in images.items()}, low
    scale = problem.scale
    high, wide = (min(side, SIDE) // scale * scale for side in (height, width))
    top, left = (height - high) // 2 // scale * scale, (width - wide) // 2 // scale * scale
    part = low[:, top // scale : (top + high) // scale, left // scale : (left + wide) // scale]
    return {id: image[:, top : top + high, left : left + wide] for id, image in images.items()}, part


def _measured(
    image: Tensor, given: MethodInput, comparison: Comparison, pipeline: Pipeline
) -> Mapping[str, float | None]:
    wanted = tuple(metric for metric in METRICS if given.aligned or not metric.faces)
    found = pipeline.engine.measure(
        image,
        given.low,
        given.shrink,
        given.truth,
        metrics=wanted,
        precision=comparison.entries[0].request.precision,
    )
    return {one.metric.name: one.value for one in found}


def _values(given: Mapping[str, float | None]) -> dict[str, float]:
    return {
        name: round(value, 5) for name, value in given.items() if value is not None and math.isfinite(value)
    }


def _write(image: Tensor, folder: Path) -> str:
    content = to_lossless_webp(image.clamp(0, 1))
    name = f"{_hash(content, 20)}.webp"
    (folder / name).write_bytes(content)
    return name


def _id_of(picture: Mapping[str, Any]) -> str:
    """By the small picture and the truth: the same problem keeps its id when methods change."""
    return _hash(f"{picture['small']} {picture['files'][TRUTH]}".encode(), 12)


def _hash(content: bytes, digits: int) -> str:
    return hashlib.sha256(content).hexdigest()[:digits]


def sizes(folder: Path = FOLDER) -> Iterator[int]:
    """The bytes of each file of the set."""
    yield from (path.stat().st_size for path in folder.glob("*.*"))
