"""Runs that are left and gone on with at every possible step."""

from __future__ import annotations

import pickle
from dataclasses import replace

import torch

from gansr.engine import Engine
from gansr.job import Job
from gansr.method import Frame, Heat


def sliced(engine: Engine, job: Job, seconds: float = 0.0) -> tuple[Frame, int]:
    """The last frame of a job that is computed in slices of `seconds`, and the number of slices. Job and frames cross
    as they do to a worker."""
    checkpoint, slices = None, 0
    while True:
        part = pickle.loads(pickle.dumps(replace(job, slice=seconds, checkpoint=checkpoint)))
        *_, last = (pickle.loads(pickle.dumps(frame)) for frame in engine.stream(part))
        slices, checkpoint = slices + 1, last.checkpoint
        if checkpoint is None:
            return last, slices


def differences(one: Frame, other: Frame) -> list[str]:
    """What differs between two last frames, times and memory left out."""
    found = [
        name
        for name in ("step", "steps", "readings", "files", "notices", "form")
        if _differ(one, other, name)
    ]
    pictures = {
        "image": ({"": one.image}, {"": other.image}),
        "answers": (one.answers, other.answers),
        "views": (_tensors(one), _tensors(other)),
    }
    for name, (mine, theirs) in pictures.items():
        same = mine.keys() == theirs.keys() and all(torch.equal(mine[key], theirs[key]) for key in mine)
        found += [] if same else [name]
    return found


def _differ(one: Frame, other: Frame, name: str) -> bool:
    return getattr(one, name) != getattr(other, name)


def _tensors(frame: Frame) -> dict[str, torch.Tensor]:
    """Every view as numbers."""
    found: dict[str, torch.Tensor] = {}
    for title, view in frame.views.items():
        if isinstance(view, torch.Tensor):
            found[title] = view
        elif isinstance(view, Heat):
            found[title] = view.values
        else:
            found |= {f"{title}: {name}": torch.tensor(line) for name, line in view.lines.items()}
    return found
