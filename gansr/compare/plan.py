"""What each method of a comparison receives, and which ones cannot run.

A method that takes squares of a fixed side (those for faces do) sees another part of a photograph than one that takes
any picture. So where one of the chosen methods wants a square, all get the same one: the chosen face, aligned as FFHQ
does, or the middle of the picture, at the largest side that is wanted. The user may give a method the whole picture
after all (`CropPlan.whole`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from torch import Tensor

from gansr import weights
from gansr.engine import like_input
from gansr.inputs import MethodInput
from gansr.method import Frame, Method
from gansr.ops.resize import imresize
from gansr.picture import Picture
from gansr.pipeline import USER_ERRORS, Pipeline, Update, job_of
from gansr.request import CropPlan, Request

FACTORS = (4, 8, 16)  # of a known answer, where no method wants a square

State = Literal["waiting", "running", "done", "error", "blocked"]
Remedy = Literal["", "middle", "whole", "shrink"]
REMEDIES: dict[Remedy, str] = {
    "middle": "Use the middle square",
    "whole": "Give it the whole picture",
    "shrink": "Shrink the picture for it",
}


@dataclass
class Entry:
    """One method's part of a comparison: how it stands now. `update` holds the newest frame and measurements."""

    request: Request
    picture: Picture
    truth: Picture | None = None  # where the user has both pictures
    given: MethodInput | None = None
    state: State = "waiting"
    text: str = ""
    remedy: Remedy = ""
    update: Update | None = None

    @property
    def method(self) -> Method:
        """The method of the request."""
        return self.request.method

    @property
    def frame(self) -> Frame | None:
        """The newest frame."""
        return self.update.frame if self.update else None

    @property
    def operations(self) -> float:
        """Floating-point operations, roughly."""
        assert self.given is not None
        height, width = self.given.low.shape[-2:]
        return self.method.cost(height, width, self.request.options).operations


def common_side(requests: Iterable[Request]) -> int:
    """The largest side that one of the methods wants, px; 0 where all take any picture."""
    return max((request.side or 0 for request in requests), default=0)


def finds_face(requests: Sequence[Request]) -> bool:
    """Whether the comparison looks for a face: one of the methods draws faces, and none forbids aligning."""
    return any(request.for_faces for request in requests) and all(request.align for request in requests)


def plan(
    picture: Picture,
    requests: Sequence[Request],
    pipeline: Pipeline,
    factor: int | None = None,
    remedies: Mapping[str, Remedy] | None = None,
) -> list[Entry]:
    """An entry for each request, checked: what a method cannot take is `blocked`, with the reason and the remedy.

    `factor` is that of the known answer (None: each method's own); `remedies` are those the user chose, by method.
    """
    side, chosen = common_side(requests), dict(remedies or {})
    align = finds_face(requests) and "middle" not in chosen.values()
    entries: list[Entry] = []
    for one in requests:
        remedy = chosen.get(one.method.name, "")
        pixels = one.method.accepts.max_pixels if remedy == "shrink" else 0
        crop = CropPlan(side, factor or 0, remedy == "whole", pixels)
        request = replace(one, crop=crop, align=align if side else one.align)
        entries.append(_checked(Entry(request, picture), pipeline))
    return entries


def _checked(entry: Entry, pipeline: Pipeline) -> Entry:
    try:
        _refuse_missing_weights(entry.request)
        entry.given = pipeline.inputs.make(entry.picture, entry.request)
        job = job_of(entry.request, entry.given)
        pipeline.engine.check(job)
        about = pipeline.engine.seconds(job)
        entry.text = "waiting for its turn" + ("" if about is None else f", about {max(about, 1):.0f} s")
    except USER_ERRORS as error:
        entry.state, entry.text, entry.remedy = "blocked", str(error), _remedy(entry)
    return entry


def _remedy(entry: Entry) -> Remedy:
    crop, accepts = entry.request.crop, entry.method.accepts
    if entry.given is None:
        return "middle" if crop.shared and entry.request.align else ""
    height, width = entry.given.low.shape[-2:]
    if height * width > accepts.max_pixels and accepts.side is None:
        return "shrink"
    return "whole" if crop.shared and min(height, width) < accepts.min_side else ""


def _refuse_missing_weights(request: Request) -> None:
    """Raise WeightsError where the user must import the weights first."""
    for name in request.weights.values():
        if not weights.fetchable(name):
            raise weights.WeightsError(
                f"the weights {name} are not here: import the authors' file with "
                "`python -m gansr weights import`, or choose others"
            )


# ------------------------------------------------------------------------------ what stands beside them


def largest(entries: Iterable[Entry]) -> Entry | None:
    """The entry with the largest result: its input and truth stand for all."""

    def pixels(entry: Entry) -> int:
        assert entry.given is not None
        return entry.given.low[0].numel() * entry.request.scale**2

    return max((entry for entry in entries if entry.given is not None), key=pixels, default=None)


def bicubic(entry: Entry) -> Tensor:
    """The bicubic enlargement of an entry's input, (3,sH,sW) in [0,1]."""
    assert entry.given is not None
    enlarged = imresize(entry.given.low, entry.request.scale).clamp(0, 1)
    return like_input(enlarged, entry.given.grey)
