"""The animation of each method for "How it works": frames of real runs of the example of its tab."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from gansr import papers
from gansr.gallery import TABS
from gansr.method import Heat
from gansr.ops.resize import imresize
from gansr.picture import animated_webp
from gansr.pipeline import Update
from gansr.request import decode
from gansr.ui import render, service
from gansr.ui.examples import example_of
from gansr.ui.replay import spread

SIDE, GAP = 256, 8  # px
FRAMES = 20  # of an animation
LAST = 6  # times that the last frame is shown
LARGEST = 80_000  # bytes
BLENDS = tuple(k / 10 for k in range(11))
# method → presets and options of the runs whose results are the frames; of the others one run, with its frames
RUNS: Mapping[str, tuple[Mapping[str, Any], ...]] = {
    "glean": ({"parts": "no bank"}, {"parts": "no encoder features"}, {}),
    "esrgan": tuple(
        {"shrink_noise": noise, "shrink_jpeg": quality}
        for noise, quality in ((0.0, 100), (6.0, 60), (15.0, 30))
    ),
    "srgan": tuple({"model": "blend", "blend": share} for share in BLENDS),
}


def animation(name: str) -> bytes:
    """The animation of a method as WebP of at most LARGEST bytes. Raises ValueError where it cannot be so small."""
    frames = list(_results(name) if name in RUNS else _search(name))
    frames = spread(frames, FRAMES)
    milliseconds = 900 if len(frames) < 5 else 200
    frames += [frames[-1]] * (LAST if len(frames) >= 5 else 1)
    for quality in range(80, 10, -10):
        if len(found := animated_webp(frames, milliseconds, quality)) <= LARGEST:
            return found
    raise ValueError(f"the animation of {name} has more than {LARGEST} bytes")


def _updates(name: str, changed: Mapping[str, Any]) -> Iterator[Update]:
    example, method = TABS[name], papers.by_name(name)
    request = decode(method, {**example.settings, **changed})
    return service.PIPELINE.run(example_of(example.picture), request, measure=False)


def _results(name: str) -> Iterator[Tensor]:
    """A frame for each run: what went in, and the result."""
    for changed in RUNS[name]:
        *_, last = _updates(name, changed)
        assert last.frame is not None and last.given is not None
        yield _beside(last.given.low, last.frame.image)


def _search(name: str) -> Iterator[Tensor]:
    """The frames of one run."""
    for update in _updates(name, {}):
        frame, given = update.frame, update.given
        if frame is None or given is None or frame.step == 0:
            continue
        if name != "kernelgan":
            yield _beside(frame.image, torch.cat((given.shrink(frame.image), given.low), -1))
            continue
        kernel, small = frame.views.get("Estimated kernel"), frame.views.get("Implied small picture")
        if isinstance(kernel, Heat) and isinstance(small, Tensor):  # not any more when ZSSR enlarges
            yield _beside(_of_kernel(kernel), small)


def _of_kernel(kernel: Heat) -> Tensor:
    values = kernel.values.float()
    return render.colour_map(values / values.max().clamp_min(1e-12))


def _beside(left: Tensor, right: Tensor) -> Tensor:
    """Two pictures of SIDE px height with a white gap; small ones are enlarged without smoothing."""
    return torch.cat((_high(left), torch.ones(3, SIDE, GAP), _high(right)), -1)


def _high(image: Tensor) -> Tensor:
    height, width = image.shape[-2:]
    size = (SIDE, max(1, round(width * SIDE / height)))
    return imresize(image, size, kernel="nearest" if height < SIDE else "cubic").clamp(0, 1)
