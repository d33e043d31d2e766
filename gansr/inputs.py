"""From a file to what a method receives: open → find the face → crop → shrink, each done once and kept.

The preview, the run, the comparison and a replay ask `Inputs` for the same picture and the same part of a request and
get the same object. What was done to the picture is listed in `notices`; nothing is cropped or scaled silently.

Two tasks. *enlarge*: the picture is the input. *known answer*: the picture is the truth; it is shrunk by a chosen
operator, and the result can be measured against it. Methods made for faces get the chosen face, aligned as FFHQ is.

In a comparison a problem is set (gansr.problem): the small picture and the size asked for are the same for all methods.
A method that takes another input size gets the small picture resampled; a result of another size is resampled.
"""

from __future__ import annotations

import hashlib
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from gansr import faces
from gansr.method import InputError
from gansr.ops.colour import to8bit
from gansr.ops.degrade import Degradation, degrade, mod_crop, shrink
from gansr.ops.resize import imresize
from gansr.picture import Picture
from gansr.problem import MEGAPIXEL
from gansr.request import Request
from gansr.uploads import Uploads

DETECTOR = "scrfd-500m"  # the weights that find faces
PHOTO_PIXELS = 16_000_000  # the largest photograph a face is pasted back into
BUDGET = 400 * 2**20  # bytes of pictures that are kept
EACH = 1024  # bytes that a kept value counts besides its tensors

Source = str | Path | bytes | Picture
T = TypeVar("T")


@dataclass(frozen=True)
class MethodInput:
    """What a method receives, and what is needed to measure its result."""

    low: Tensor  # (3,h,w) float32 in [0,1]: the input, or the small picture of the problem
    truth: Tensor | None = None  # (3,H,W) in [0,1], where it is known
    degradation: Degradation = field(default_factory=Degradation)  # made `low` of `truth`
    alpha: Tensor | None = None  # (1,h,w) in [0,1]: enlarged separately
    grey: bool = False  # the result is made grey, as the input is
    aligned: bool = False  # the picture is a face aligned as FFHQ is
    quad: Tensor | None = None  # (4,2) px: corners of the aligned face in the photograph
    photo: Tensor | None = None  # (3,H,W) in [0,1]: the photograph that the face was found in
    notices: tuple[str, ...] = ()
    resampled: Tensor | None = None  # (3,s,s) in [0,1]: for a method that takes another size than `low` has
    size: tuple[int, int] | None = None  # (H,W) px that the problem asks for; None: as the method gives it

    @property
    def for_method(self) -> Tensor:
        """What the method gets, (3,h,w) in [0,1]."""
        return self.low if self.resampled is None else self.resampled

    def resized(self, result: Tensor) -> Tensor:
        """A result (3,H,W) in [0,1] at the size that the problem asks for: by the mean over squares where it is a
        multiple, otherwise by MATLAB's bicubic."""
        if self.size is None or result.shape[-2:] == self.size:
            return result
        multiple = result.shape[-2] // self.size[0]
        if result.shape[-2:] == (multiple * self.size[0], multiple * self.size[1]):
            return avg_pool2d(result[None], multiple)[0]
        return imresize(result, self.size).clamp(0, 1)

    def shrink(self, result: Tensor) -> Tensor:
        """The result (3,H,W) made as small as the input was made: for the LR-consistency."""
        height, width = self.low.shape[-2:]
        degradation = self.degradation if self.truth is not None else Degradation()
        return shrink(result, (height, width), degradation)

    def alpha_for(self, result: Tensor) -> Tensor | None:
        """The alpha channel at the result's size, (1,H,W) in [0,1]: MATLAB bicubic, not the method."""
        if self.alpha is None:
            return None
        return imresize(self.alpha, (result.shape[-2], result.shape[-1])).clamp(0, 1)

    def pasted(self, face: Tensor) -> Tensor | None:
        """The photograph with the enlarged face (3,n,n) in its place, feathered. It is enlarged by bicubic until the
        face fits pixel for pixel, but to no more than PHOTO_PIXELS. None where no face was aligned."""
        if self.quad is None or self.photo is None:
            return None
        height, width = self.photo.shape[-2:]
        side = float((self.quad[1] - self.quad[0]).norm())
        factor = max(1.0, min(face.shape[-1] / side, (PHOTO_PIXELS / (height * width)) ** 0.5))
        large = imresize(self.photo, (round(height * factor), round(width * factor))).clamp(0, 1)
        return faces.paste_back(large, face, faces.scaled(self.quad, factor)).clamp(0, 1)

    @property
    def sha256(self) -> str:
        """The hash of the input's pixels at 16 bits, as receipts record it."""
        return hashlib.sha256(self.low.mul(65535).round().int().numpy().tobytes()).hexdigest()


class Inputs:
    """Opens pictures, finds faces and makes inputs, each once: least recently used results are dropped."""

    def __init__(
        self,
        detector: Callable[[], Any],
        budget: int = BUDGET,
        is_upload: Callable[[Path], bool] = lambda path: False,
    ):
        """detector: gives the face detector's session; called only where a face is to be found. is_upload: whether a
        file is a visitor's, whose metadata are removed from the disk as soon as it has been opened."""
        self._detector = detector
        self._uploads = Uploads(is_upload)
        self._kept = _Cache(budget)

    def open(self, source: Source) -> Picture:
        """The picture of a file, of bytes, or itself. Raises PictureError."""
        if isinstance(source, Picture):
            return source
        key = ("picture", self._uploads.key(source))
        return self._kept.get(
            key, lambda reserve: self._uploads.open(source, reserve), lambda p: (p.rgb, p.alpha)
        )

    def stands_for(self, path: str | Path, notices: tuple[str, ...]) -> None:
        """The file at `path` was made here, and its picture has `notices`."""
        self._uploads.stands_for(path, notices)

    def faces(self, picture: Picture) -> list[faces.Face]:
        """The faces of a picture, largest first; empty where there is none."""
        key = ("faces", _picture_key(picture))
        return self._kept.get(key, lambda _: faces.detect(picture.rgb, self._detector()), lambda found: ())

    def needs_face(self, source: Source, request: Request) -> bool:
        """Whether a face has to be found for the input: not where the picture has the input's size already."""
        side = request.problem.side if request.problem.scale else request.side
        taken = self.open(source).rgb.shape[-2:] == (side, side) and not request.known
        return request.crops_to_face or (request.finds_face and not taken)

    def make(self, source: Source, request: Request) -> MethodInput:
        """The input of `request.method`. Raises PictureError, InputError, FaceError: the text says what to do."""
        picture = self.open(source)
        name = _picture_key(picture)
        common = self.problem(picture, request) if request.problem.scale else None

        def made(_: Any) -> MethodInput:
            return self._make(picture, request) if common is None else _for_method(common, request)

        return self._kept.get(("input", name, request.input_key), made, _tensors)

    def problem(self, source: Source, request: Request) -> MethodInput:
        """The small picture of `request.problem`, and what is needed to measure results: equal for all methods. Raises
        as `make` does."""
        picture = self.open(source)
        key = ("problem", _picture_key(picture), request.problem_key)
        return self._kept.get(key, lambda _: self._posed(picture, request), _tensors)

    def _make(self, picture: Picture, request: Request) -> MethodInput:
        whole = _whole(picture, request)
        if request.outputs_colour:
            whole = replace(whole, grey=False)
        if request.side is not None:
            whole = self._square(picture, whole, request, request.side, request.scale)
        else:
            most = request.method.accepts.most_pixels(request.options)
            whole = self._fitted(picture, whole, request, most, request.scale)
        return _shrunk(whole, request, request.scale) if request.known else replace(whole, truth=None)

    def _posed(self, picture: Picture, request: Request) -> MethodInput:
        problem, whole = request.problem, _whole(picture, request)
        if problem.side:
            whole = self._square(picture, whole, request, problem.side, problem.scale)
        else:
            whole = self._fitted(picture, whole, request, MEGAPIXEL, problem.scale)
        whole = _shrunk(whole, request, problem.scale) if request.known else replace(whole, truth=None)
        height, width = whole.low.shape[-2:]
        return replace(whole, size=(height * problem.scale, width * problem.scale))

    def _square(
        self, picture: Picture, whole: MethodInput, request: Request, side: int, scale: int
    ) -> MethodInput:
        """A square of `side` px (as `low`), and the same `scale` times larger (as `truth`)."""
        if whole.low.shape[-2:] == (side, side) and not request.known:
            return replace(
                whole, aligned=request.problem.side > 0 and request.align
            )  # small already: taken as it is
        large = side * scale
        if not request.finds_face:
            return _sized(_middle(whole), side, large)
        cut = self._aligned(picture, request.face, max(large, 256))
        note = self._face_note(picture, request.face)
        faced = replace(whole, low=cut.image, aligned=True, notices=(*whole.notices, note, *cut.notices))
        return replace(_sized(faced, side, large), quad=cut.quad, photo=picture.rgb)

    def _fitted(
        self, picture: Picture, whole: MethodInput, request: Request, pixels: int, scale: int
    ) -> MethodInput:
        """The picture as `request.large` says, so that its small form, `scale` times smaller in a quality test, has at
        most `pixels`."""
        most = pixels * (scale**2 if request.known else 1)
        height, width = whole.low.shape[-2:]
        if height * width <= most or request.large == "keep":
            return whole
        if request.large == "shrink":
            return _at_most(whole, most)
        if request.large == "crop":
            return _cropped(whole, most, (height / 2, width / 2), "its middle")
        left, top, right, bottom = self._face(picture, request.face, "Choose another way").box.tolist()
        about = f"face {request.face} of {len(self.faces(picture))}"
        return _cropped(whole, most, ((top + bottom) / 2, (left + right) / 2), about)

    def _face(self, picture: Picture, face: int, otherwise: str) -> faces.Face:
        found = self.faces(picture)
        if not found:
            raise InputError(
                "no face was found. Use a picture in which a face is larger and seen from the front. "
                f"{otherwise}."
            )
        if face > len(found):
            raise InputError(f"face {face} was asked for; {len(found)} were found")
        return found[face - 1]

    def _aligned(self, picture: Picture, face: int, size: int) -> faces.Aligned:
        off = "Or switch “Align the face” off: then the middle square of the picture is used"
        points = self._face(picture, face, off).points
        key = ("aligned", _picture_key(picture), face, size)
        return self._kept.get(key, lambda _: faces.align(picture.rgb, points, size), lambda cut: (cut.image,))

    def _face_note(self, picture: Picture, face: int) -> str:
        return f"face {face} of {len(self.faces(picture))}, aligned"


# ------------------------------------------------------------------------------------------ the steps


def _whole(picture: Picture, request: Request) -> MethodInput:
    """The whole picture."""
    return MethodInput(
        picture.rgb,
        degradation=request.degradation,
        alpha=picture.alpha,
        grey=picture.grey,
        notices=picture.notices,
    )


def _for_method(common: MethodInput, request: Request) -> MethodInput:
    """The small picture of a problem, resampled where the method takes a square of another size."""
    given, side = replace(common, grey=common.grey and not request.outputs_colour), request.side
    if side is None or common.low.shape[-2:] == (side, side):
        return given
    if common.low.shape[-2] != common.low.shape[-1]:
        raise InputError(f"{request.method.title} takes squares only: choose a problem with a face")
    return replace(given, resampled=to8bit(imresize(common.low, (side, side)).clamp(0, 1)))


def _middle(whole: MethodInput) -> MethodInput:
    """The middle square."""
    height, width = whole.low.shape[-2:]
    edge = min(height, width)
    top, left = (height - edge) // 2, (width - edge) // 2
    square = whole.low[:, top : top + edge, left : left + edge]
    note = (f"the middle {edge}×{edge} px were taken",) if height != width else ()
    return replace(whole, low=square, alpha=None, notices=(*whole.notices, *note))


def _sized(square: MethodInput, side: int, large: int) -> MethodInput:
    """A square at the method's size (`low`) and at the result's size (`truth`)."""
    truth = imresize(square.low, (large, large)).clamp(0, 1)
    low = to8bit(imresize(square.low, (side, side)).clamp(0, 1))
    notices = (*square.notices, f"shrunk to {side}×{side} px (MATLAB bicubic)")
    return replace(square, low=low, truth=truth, alpha=None, notices=notices)


def _at_most(whole: MethodInput, pixels: int) -> MethodInput:
    """The picture, shrunk if it has more than `pixels`."""
    height, width = whole.low.shape[-2:]
    share = (pixels / (height * width)) ** 0.5
    if share >= 1:
        return whole
    size = (max(1, int(height * share)), max(1, int(width * share)))
    alpha = None if whole.alpha is None else imresize(whole.alpha, size).clamp(0, 1)
    low = to8bit(imresize(whole.low, size).clamp(0, 1))
    return replace(
        whole, low=low, alpha=alpha, notices=(*whole.notices, f"shrunk to {size[1]}×{size[0]} px first")
    )


def _cropped(whole: MethodInput, pixels: int, centre: tuple[float, float], what: str) -> MethodInput:
    """The part of `pixels` around `centre` (y, x), of the picture's own proportions."""
    height, width = whole.low.shape[-2:]
    share = (pixels / (height * width)) ** 0.5
    h, w = max(1, int(height * share)), max(1, int(width * share))
    top = round(min(max(centre[0] - h / 2, 0), height - h))
    left = round(min(max(centre[1] - w / 2, 0), width - w))
    part = (..., slice(top, top + h), slice(left, left + w))
    alpha = None if whole.alpha is None else whole.alpha[part]
    note = f"cropped to {w}×{h} px of {width}×{height}: {what}"
    return replace(whole, low=whole.low[part], alpha=alpha, notices=(*whole.notices, note))


def _shrunk(whole: MethodInput, request: Request, scale: int) -> MethodInput:
    """The truth cut to a multiple of `scale` and shrunk by it, as the request says."""
    try:
        truth = to8bit(mod_crop(whole.truth if whole.truth is not None else whole.low, scale))
    except ValueError as error:
        raise InputError(str(error)) from None
    generator = torch.Generator().manual_seed(request.degradation.seed)
    low = degrade(truth, scale, request.degradation, generator)
    alpha = whole.alpha
    if alpha is not None:
        alpha = imresize(mod_crop(alpha, scale), (low.shape[-2], low.shape[-1])).clamp(0, 1)
    notices = whole.notices
    if whole.truth is None and truth.shape[-2:] != whole.low.shape[-2:]:
        height, width = truth.shape[-2:]
        notices = (*notices, f"cut to {width}×{height}, a multiple of {scale}")
    return replace(whole, low=low, truth=truth, alpha=alpha, notices=notices)


# ------------------------------------------------------------------------------------------ the cache


class _Cache:
    """Values by key within a budget of bytes. Two callers of the same key wait for one computation; what raises is
    not kept.

    Memory that several values share counts once, and a part of a tensor counts as the whole that it keeps alive. What
    is still being computed counts as far as it is known (`reserve`): others make room for it before it is there.
    """

    def __init__(self, budget: int):
        self._budget, self._bytes = budget, 0
        self._values: OrderedDict[Hashable, tuple[Any, dict[int, int]]] = OrderedDict()
        self._uses: Counter[int] = Counter()  # address of memory → values that hold it
        self._lock = threading.Lock()
        self._busy: dict[Hashable, threading.Lock] = {}

    @property
    def held(self) -> int:
        """Bytes that the values hold and that are reserved."""
        return self._bytes

    def get(
        self,
        key: Hashable,
        make: Callable[[Callable[[int], None]], T],
        tensors: Callable[[T], Iterable[Tensor | None]],
    ) -> T:
        """The value of `key`. `make` gets a function that reserves bytes; `tensors` names what a value holds."""
        with self._lock:
            busy = self._busy.setdefault(key, threading.Lock())
        reserved = 0

        def reserve(size: int) -> None:
            nonlocal reserved
            with self._lock:
                self._bytes += size - reserved
                reserved = size
                self._make_room(0)

        with busy:
            with self._lock:
                if key in self._values:
                    self._values.move_to_end(key)
                    return self._values[key][0]
            try:
                value = make(reserve)
            except BaseException:
                reserve(0)
                raise
            else:
                self._keep(key, value, _memory_of(tensors(value)), reserved)
                return value
            finally:
                with self._lock:
                    self._busy.pop(key, None)

    def _keep(self, key: Hashable, value: Any, memory: dict[int, int], reserved: int) -> None:
        with self._lock:
            self._bytes += EACH - reserved
            self._values[key] = (value, memory)
            for address, size in memory.items():
                self._bytes += 0 if self._uses[address] else size
                self._uses[address] += 1
            self._make_room(1)

    def _make_room(self, least: int) -> None:
        while self._bytes > self._budget and len(self._values) > least:
            _, (_, memory) = self._values.popitem(last=False)
            self._bytes -= EACH
            for address, size in memory.items():
                self._uses[address] -= 1
                if not self._uses[address]:
                    del self._uses[address]
                    self._bytes -= size


def _memory_of(tensors: Iterable[Tensor | None]) -> dict[int, int]:
    """address → bytes of the memory that tensors keep alive, which may be more than their own."""
    storages = [tensor.untyped_storage() for tensor in tensors if tensor is not None]
    return {storage.data_ptr(): storage.nbytes() for storage in storages}


def _picture_key(picture: Picture) -> Hashable:
    return picture.sha256 or hashlib.sha256(picture.rgb.numpy().tobytes()).hexdigest()


def _tensors(made: MethodInput) -> tuple[Tensor | None, ...]:
    return made.low, made.resampled, made.truth, made.alpha, made.quad, made.photo
