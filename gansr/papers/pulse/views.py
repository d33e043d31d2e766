"""What PULSE shows of a search: frames with readings, views and notices."""

from __future__ import annotations

import torch
from torch import Tensor

from gansr.method import Curve, Frame, Heat, View
from gansr.ops import sphere
from gansr.papers.pulse.options import GLEAN_ROWS, Options
from gansr.papers.pulse.search import Sample, Search

PREVIEW_STRIDE = 4  # before the last frame, the variance is computed on every 4th pixel


@torch.no_grad()
def frame_of(search: Search, step: int, seed: int) -> Frame:
    """The frame after `step` steps: the sample with the smallest error, and all samples if there are several."""
    samples, steps = search.samples, search.options.steps
    shown = min(samples, key=lambda sample: sample.mse)
    all_samples: dict[str, Tensor] = {}
    if len(samples) > 1:
        all_samples = {f"sample {i + 1} (seed {seed + i})": _unit(s.picture) for i, s in enumerate(samples)}
    last = step == steps
    return Frame(
        _unit(shown.picture),
        step,
        steps,
        readings=_readings(search),
        views=_views(search, shown, stride=1 if last else PREVIEW_STRIDE),
        answers=all_samples,
        notices=_notices(search) if last else (),
        form=search.form,
        save=None if last else search.state,
    )


def _unit(picture: Tensor) -> Tensor:
    """[−1,1] → [0,1]; values outside are clamped."""
    return torch.add(0.5 * picture, 0.5).clamp_(0, 1)


def _views(search: Search, shown: Sample, stride: int) -> dict[str, View]:
    small = shown.small.clamp(0, 1)
    views: dict[str, View] = {
        "Downscaled result beside the input": torch.cat((small, search.low), dim=2),
        "Difference": Heat((small - search.low).mean(0), "of 1", -0.2, 0.2, signed=True),
        "Loss": Curve({name: tuple(line) for name, line in search.lines.items()}, log=True),
    }
    if len(search.samples) > 1:
        pictures = torch.stack([_unit(sample.picture[:, ::stride, ::stride]) for sample in search.samples])
        views["Variance between the samples: high where details are invented"] = Heat(
            pictures.var(dim=0, unbiased=False).mean(0), "of 1, squared", min=0
        )
    return views


def _readings(search: Search) -> dict[str, float]:
    found = {f"loss {name}": line[-1] for name, line in search.lines.items() if name in search.weights}
    for i, sample in enumerate(search.samples):
        which = f" {i + 1}" if len(search.samples) > 1 else ""
        found[f"mse{which}"] = sample.mse
        found[f"PSNR of the downscaled result{which}, dB"] = sphere.psnr(sample.mse)
    found["samples within the error threshold"] = float(_count_within(search))
    return found


def _count_within(search: Search) -> int:
    return sum(sample.within(search.options.eps) for sample in search.samples)


def _notices(search: Search) -> tuple[str, ...]:
    options, notices = search.options, list[str]()
    outside = len(search.samples) - _count_within(search)
    if outside:
        notices.append(
            f"{outside} of {len(search.samples)} samples did not reach the error threshold {options.eps:g}: "
            "take more steps or a larger threshold, try another seed, or align the face again"
        )
    if options.start == GLEAN_ROWS and len(search.samples) > 1:
        notices.append(
            "all samples begin at the same rows and end alike: a random start gives different faces"
        )
    default = Options()
    if not search.net.noise_sides and any(
        getattr(options, name) != getattr(default, name) for name in ("noise", "trainable_maps", "zero_maps")
    ):
        notices.append("this generator has fixed noise built in: the noise options had no effect")
    return tuple(notices)
