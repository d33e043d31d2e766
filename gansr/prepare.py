"""From an opened picture to what a method takes: the low-resolution input, the truth if there is one.

Two ways in. *enlarge*: the picture is the input. *known answer*: the picture is the truth; it is shrunk by a
chosen operator, and the result can be measured against it. Methods made for faces get the chosen face, aligned
as FFHQ is. What was done is told in `notices`; nothing is cropped or scaled in silence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import torch
from torch import Tensor

from gansr import faces
from gansr.method import InputError, Method
from gansr.ops.colour import to8bit
from gansr.ops.degrade import Degradation, degrade, mod_crop, shrink
from gansr.ops.resize import imresize
from gansr.picture import Picture

PHOTO_PIXELS = 16_000_000  # the largest photograph a face is pasted back into

Task = Literal["enlarge", "known answer"]
TASKS: dict[Task, str] = {
    "enlarge": "Enlarge my picture",
    "known answer": "Test with a known answer",
}


@dataclass(frozen=True)
class Request:
    """What the person asked for besides the method's own options."""

    task: Task = "enlarge"
    degradation: Degradation = field(default_factory=Degradation)
    align: bool = True  # find the face and align it, where a method wants one
    face: int = 0  # which of the faces found, largest first
    paste_back: bool = False  # put the result back into the photograph, as a further file


@dataclass(frozen=True)
class Prepared:
    low: Tensor  # (3,h,w) float32 in [0,1]: the method's input
    truth: Tensor | None  # (3,H,W), where the answer is known
    request: Request
    alpha: Tensor | None = None  # (1,h,w) of the input, enlarged separately
    grey: bool = False
    quad: Tensor | None = None  # (4,2) corners of the aligned face in the photograph, px
    photo: Tensor | None = None  # (3,H,W), the photograph that the face was found in
    notices: tuple[str, ...] = ()

    def shrink(self, result: Tensor) -> Tensor:
        """The result made as small as the input was made: for the LR-consistency."""
        height, width = self.low.shape[-2:]
        degradation = self.request.degradation if self.truth is not None else Degradation()
        return shrink(result, (height, width), degradation)

    def alpha_for(self, result: Tensor) -> Tensor | None:
        """The alpha channel at the result's size, (1,H,W) in [0,1]: MATLAB bicubic, not the method."""
        if self.alpha is None:
            return None
        return imresize(self.alpha, (result.shape[-2], result.shape[-1])).clamp(0, 1)


def pasted(prepared: Prepared, face: Tensor) -> Tensor | None:
    """The photograph with the enlarged face (3,n,n) in its place, a feathered square. The photograph is enlarged by
    bicubic until the face fits pixel for pixel, but to no more than PHOTO_PIXELS. None where no face was aligned."""
    if prepared.quad is None or prepared.photo is None:
        return None
    height, width = prepared.photo.shape[-2:]
    side = float((prepared.quad[1] - prepared.quad[0]).norm())
    factor = max(1.0, min(face.shape[-1] / side, (PHOTO_PIXELS / (height * width)) ** 0.5))
    size = (round(height * factor), round(width * factor))
    large = imresize(prepared.photo, size).clamp(0, 1)
    return faces.paste_back(large, face, faces.scaled(prepared.quad, factor)).clamp(0, 1)


def prepare(
    picture: Picture,
    method: Method,
    options: Any,
    request: Request,
    detector: Callable[[], Any] | None = None,
) -> Prepared:
    """Picture → input of `method`. `detector()` gives the face detector's session; called only where a face is
    to be found. Raises InputError telling what to do."""
    side = method.accepts.side(options) if method.accepts.side else None
    scale = method.scale(method, options)
    grey = picture.grey and not (method.outputs_colour is not None and method.outputs_colour(options))
    whole = Prepared(picture.rgb, None, request, picture.alpha, grey, notices=picture.notices)
    if side is not None:
        whole = _square(whole, side, side * scale, method.accepts.seeks_face(options), detector)
    if request.task == "enlarge":
        return replace(whole, truth=None)
    try:
        truth = to8bit(mod_crop(whole.truth if whole.truth is not None else whole.low, scale))
    except ValueError as error:
        raise InputError(str(error)) from None
    generator = torch.Generator().manual_seed(request.degradation.seed)
    low = degrade(truth, scale, request.degradation, generator)
    alpha = (
        None
        if whole.alpha is None
        else imresize(mod_crop(whole.alpha, scale), (low.shape[-2], low.shape[-1])).clamp(0, 1)
    )
    if truth.shape != picture.rgb.shape and side is None:
        height, width = truth.shape[-2:]
        note = f"cut to {width}×{height}, a multiple of {scale}"
        whole = replace(whole, notices=(*whole.notices, note))
    return replace(whole, low=low, truth=truth, alpha=alpha)


def _square(
    whole: Prepared, side: int, large: int, face: bool, detector: Callable[[], Any] | None
) -> Prepared:
    """The square of `side` px that a method wants (as `low`), and the same at `large` px (as `truth`)."""
    height, width = whole.low.shape[-2:]
    known = whole.request.task == "known answer"
    if (height, width) == (side, side) and not known:
        return whole  # small already: taken as it is
    if face and whole.request.align:
        return _aligned(whole, side, large, detector)
    edge = min(height, width)
    top, left = (height - edge) // 2, (width - edge) // 2
    square = whole.low[:, top : top + edge, left : left + edge]
    note = [f"the middle {edge}×{edge} px were taken"] if height != width else []
    return _sized(whole, square, side, large, (*whole.notices, *note))


def _aligned(whole: Prepared, side: int, large: int, detector: Callable[[], Any] | None) -> Prepared:
    assert detector is not None, "a method for faces needs the detector"
    found = faces.detect(whole.low, detector())
    if not found:
        raise InputError(
            "no face was found. Use a picture in which a face is larger and seen from the front, or switch "
            "“align the face” off: then the middle square of the picture is used as it is."
        )
    if whole.request.face >= len(found):
        raise InputError(f"face {whole.request.face + 1} was asked for; {len(found)} were found")
    chosen = found[whole.request.face]
    aligned = faces.align(whole.low, chosen.points, max(large, 256))
    note = f"face {whole.request.face + 1} of {len(found)}, aligned as FFHQ is"
    sized = _sized(whole, aligned.image, side, large, (*whole.notices, note, *aligned.notices))
    return replace(sized, quad=aligned.quad, photo=whole.low)


def _sized(whole: Prepared, square: Tensor, side: int, large: int, notices: tuple[str, ...]) -> Prepared:
    truth = imresize(square, (large, large)).clamp(0, 1)
    low = to8bit(imresize(square, (side, side)).clamp(0, 1))
    notices = (*notices, f"shrunk to {side}×{side} px (MATLAB bicubic)")
    return replace(whole, low=low, truth=truth, alpha=None, notices=notices)
